//! A year of a project: forty migrations in two lanes, rows that migrations bring, two squashes, a branch that is
//! merged in between, a database that skipped a release. At its end every database is what forty migrations make of an
//! empty one.

use crate::support::git::git;
use crate::support::{Backend, Database, Project, Sqlite};

/// The migrations of a year, as `(lane, name, sql)`.
fn year() -> Vec<(&'static str, String, String)> {
    (1..=40).map(month_of).collect()
}

fn month_of(n: u32) -> (&'static str, String, String) {
    let version = format!("2026{:02}{:02}000000", (n - 1) / 4 + 1, (n - 1) % 4 * 7 + 1);
    let lane = if n.is_multiple_of(10) { "manual_migrations" } else { "migrations" };
    let (name, sql) = match n {
        1 => ("users", "create table users (id integer primary key, name text not null, plan_id integer);".into()),
        2 => ("plans", "create table plans (id integer primary key, name text not null unique, price integer not null);".into()),
        3 => (
            "first_plans",
            "insert into plans (id, name, price) values (1, 'free', 0);\n\
             insert into plans (id, name, price) values (2, 'it''s \"pro\"', 1900);"
                .into(),
        ),
        5 => (
            "countries",
            "create table countries (code text primary key, parent text references countries (code), name text);\n\
             insert into countries values ('eu', null, 'Europe'), ('fr', 'eu', 'France'), ('it', 'eu', 'Italia');"
                .into(),
        ),
        6 => ("audit", "create table audit (what text);\ninsert into audit values ('made');".into()),
        10 => ("index_users", "create index users_by_name on users (name);".into()),
        14 => ("raise", "update plans set price = price * 2 where id = 2;".into()),
        17 => ("more_countries", "insert into countries values ('de', 'eu', 'Deutschland');".into()),
        20 => ("index_plans", "create index plans_by_price on plans (price);".into()),
        24 => ("no_free_plan", "delete from plans where name = 'free';".into()),
        26 => ("nick", "alter table users add column nick text default 'none';".into()),
        30 => ("index_nick", "create index users_by_nick on users (nick);".into()),
        33 => ("plan_of_spring", "insert into plans (id, name, price) values (3, 'spring', 7);".into()),
        36 => ("rename", "alter table countries rename column name to title;".into()),
        n => ("table", format!("create table t{n} (id integer primary key, v text default '{n}');")),
    };
    (lane, format!("{version}_{name}_{n}"), sql)
}

fn commit(project: &Project, message: &str) {
    git(project, "add -A");
    git(project, &format!("commit -q --allow-empty -m {}", shell_words::quote(message)));
}

/// Adds migrations `from` to `to` of the year.
fn add(project: &Project, from: usize, to: usize) {
    for (lane, name, sql) in &year()[from - 1..to] {
        project.write(format!("crates/core/priv/core/{lane}/{name}.sql"), sql);
    }
}

fn project(backend: Backend) -> Project {
    Project::new()
        .config("disposable-environments = [\"dev\", \"test\", \"prod\", \"late\"]")
        .repo("core", backend)
        .repo_config("core", "keep-data = [\"plans\", \"countries\"]")
        .file(".gitignore", "*.db*\ntarget\n")
}

/// Everything that a database is: its structure as it would be dumped, and the rows that belong to it.
fn whole(project: &Project, environment: &str) -> (String, Vec<Vec<Vec<String>>>) {
    let dump = project.run(&format!("dump -d - --quiet --env {environment}"));
    dump.success();
    let database = project.database_in("core", environment);
    (dump.stdout.clone(), rows(&database))
}

fn rows(database: &Database) -> Vec<Vec<Vec<String>>> {
    vec![
        database.query("select id, name, price from plans order by id"),
        database.query("select code, parent, title from countries order by code"),
    ]
}

/// The release that is deployed: everything is applied, and its state is written down.
fn deploy(project: &Project, environment: &str) {
    project.run(&format!("create --env {environment}")).success();
    project.run(&format!("migrate --lane all --env {environment}")).success();
    let status = project.run(&format!("status --format json --env {environment}"));
    status.success();
    project.write("target/applied.json", &status.stdout);
}

on_each_database! {
    fn a_year_with_two_squashes_ends_where_forty_migrations_end(backend) {
        let plain = project(backend);
        add(&plain, 1, 40);
        plain.run("setup --env test").success();
        let expected = whole(&plain, "test");
        assert_eq!(expected.1[0].len(), 2, "{:?}", expected.1);

        let project = project(backend);
        git(&project, "init -q");
        add(&project, 1, 8);
        commit(&project, "two months");
        deploy(&project, "late");
        add(&project, 9, 15);
        commit(&project, "four months");
        project.run("setup").success();
        deploy(&project, "prod");

        // A branch leaves here, and goes on without knowing of the squash.
        git(&project, "checkout -q -b feature");
        add(&project, 17, 17);
        commit(&project, "a branch");
        git(&project, "checkout -q main");

        // The rows of `audit` are decided on, or nothing is squashed.
        let evidence = "--applied-on target/applied.json";
        project.run(&format!("squash {evidence}")).code(4).stderr_contains("audit");
        project.run(&format!("squash {evidence} --drop-data audit")).success();
        assert_eq!(project.files("crates/core/priv/core/migrations"), [".gitkeep"]);
        commit(&project, "first squash");
        git(&project, "merge -q --no-edit feature");

        add(&project, 16, 16);
        add(&project, 18, 28);
        commit(&project, "seven months");
        project.run("migrate --lane all").success();
        deploy(&project, "prod");
        project.run(&format!("squash {evidence}")).success();
        commit(&project, "second squash");
        add(&project, 29, 40);
        commit(&project, "a year");

        // Whoever starts anew, whoever was there all the time, and whoever skipped two releases.
        project.run("setup --env test").success();
        project.run("migrate --lane all").success();
        deploy(&project, "prod");
        deploy(&project, "late");
        for environment in ["test", "dev", "prod", "late"] {
            let found = whole(&project, environment);
            assert_eq!(found.1, expected.1, "rows of {environment}");
            assert_eq!(body(&found.0), body(&expected.0), "structure of {environment}");
        }
        project.run("check --archive").success();
    }

    fn a_database_that_skipped_a_release_is_told_which_one_to_pass_through(backend) {
        let project = project(backend);
        git(&project, "init -q");
        add(&project, 1, 8);
        commit(&project, "two months");
        deploy(&project, "late");
        add(&project, 9, 15);
        commit(&project, "four months");
        git(&project, "tag v1.4.0");
        project.run("setup").success();
        project.run("squash --drop-data audit --yes").success();
        std::fs::remove_dir_all(project.path("crates/core/priv/core/dumped_migrations")).expect("it is there");
        project
            .run("migrate --lane all --env late")
            .code(5)
            .stderr_contains("v1.4.0")
            .stderr_contains("20260301000000");
    }
}

on_each_database! {
    fn what_a_structure_brought_is_undone_newest_first(backend) {
        let mut project = Project::new().repo("core", backend);
        for version in 8..=10 {
            let (up, down) = (format!("create table t{version} (id int);"), format!("drop table t{version};"));
            project = project.reversible("core", &format!("{version}_t"), &up, &down);
        }
        project.run("setup").success();
        project.run("squash --allow-no-vcs").success();
        project.run("reset --yes").success();
        project.run("rollback").success();
        assert_eq!(project.database("core").user_tables(), ["schema_migrations", "t8", "t9"]);
        project.run("migrate").success();
        assert_eq!(project.database("core").user_tables(), ["schema_migrations", "t10", "t8", "t9"]);
    }
}

on_each_database! {
    fn a_file_that_came_back_into_its_lane_takes_nothing_out_of_the_structure(backend) {
        let mut project = Project::new().repo("core", backend);
        for version in 1..=4 {
            project = project.migration("core", &format!("{version}_t"), &format!("create table t{version} (id int);"));
        }
        project.run("setup").success();
        project.run("squash --allow-no-vcs").success();
        let structure = project.read("crates/core/priv/core/structure.sql");
        let floor = project.read("crates/core/priv/core/structure.floor");
        // As a merge of a branch does that has picked it.
        let project = project.migration("core", "2_t", "create table t2 (id int);");
        project.run("squash --allow-no-vcs").success();
        assert_eq!(project.read("crates/core/priv/core/structure.sql"), structure);
        assert_eq!(project.read("crates/core/priv/core/structure.floor"), floor);
        assert_eq!(project.files("crates/core/priv/core/migrations"), [".gitkeep"]);
        project.run("reset --yes").success();
        assert_eq!(project.database("core").user_tables(), ["schema_migrations", "t1", "t2", "t3", "t4"]);
    }
}

#[test]
fn a_script_beside_directories_of_diesel_is_in_nobodys_way_when_they_are_squashed() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo_config("core", "ledger = \"diesel\"")
        .priv_file("core", "migrations/00000000000001_a/up.sql", "create table a (id integer);")
        .priv_file("core", "migrations/data_of_a.sql", "insert into a values (1);");
    project.run("setup").success();
    project.run("squash --allow-no-vcs").success();
    assert_eq!(project.files("crates/core/priv/core/migrations"), ["data_of_a.sql"]);
    project.run("check").success();
    project.run("reset --yes").success();
    assert_eq!(project.database("core").user_tables(), ["__diesel_schema_migrations", "a"]);
}

/// A generator of numbers: the same seed gives the same project.
struct Dice(u64);

impl Dice {
    /// Returns a number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX generator; its high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

/// Returns random migrations that run one after the other: `(lane, name, sql)`.
fn random(dice: &mut Dice, count: usize) -> Vec<(&'static str, String, String)> {
    let (mut tables, mut rows): (Vec<usize>, i64) = (Vec::new(), 0);
    let mut made = vec![(
        "migrations",
        "0001_kept".to_owned(),
        "create table kept (id integer primary key, v text, other integer references kept (id));".to_owned(),
    )];
    for n in 2..=count {
        let lane = if dice.roll(5) == 0 { "manual_migrations" } else { "migrations" };
        let table = tables.get(dice.roll(tables.len().max(1))).copied();
        let sql = match (dice.roll(7), table) {
            (0, Some(table)) => format!("alter table t{table} add column c{n} text default 'x{n}';"),
            (1, Some(table)) => format!("create index i{n} on t{table} (v);"),
            (2, Some(table)) => format!(
                "create view w{n} as select id, v from t{table} where id > {n};\n\
                 create view w{n}b as select id from w{n};"
            ),
            (3 | 4, _) => {
                rows += 2;
                let other = if rows > 2 { (rows - 2).to_string() } else { "null".to_owned() };
                format!("insert into kept values ({rows}, 'row ''{n}', {other}), ({}, null, null);", rows - 1)
            }
            (5, _) if rows > 0 => format!("update kept set v = coalesce(v, '') || '{n}' where id = {rows};"),
            _ => {
                tables.push(n);
                let parent =
                    table.map_or(String::new(), |table| format!(", p integer references t{table} (id)"));
                format!("create table t{n} (id integer primary key, v text not null default 'd'{parent});")
            }
        };
        made.push((lane, format!("{n:04}_m"), sql));
    }
    made
}

on_each_database! {
    fn a_squash_at_any_point_and_migrate_is_the_replay(backend) {
        let rounds = if crate::support::is_full_run() { 40 } else { 4 };
        for seed in 0..rounds {
            let mut dice = Dice(seed * 7919 + 1);
            let count = 6 + dice.roll(12);
            let all = random(&mut dice, count);
            let (point, second) = (1 + dice.roll(count - 1), dice.roll(2) == 0);
            let new = || Project::new().repo("core", backend).repo_config("core", "keep-data = [\"kept\"]");
            let write = |project: &Project, some: &[(&str, String, String)]| {
                for (lane, name, sql) in some {
                    project.write(format!("crates/core/priv/core/{lane}/{name}.sql"), sql);
                }
            };
            let state = |project: &Project| {
                let dump = project.run("dump -d - --quiet");
                dump.success();
                (dump.stdout.clone(), project.database("core").query("select id, v, other from kept order by id"))
            };
            let plain = new();
            write(&plain, &all);
            plain.run("setup").success();
            let expected = state(&plain);

            let project = new();
            write(&project, &all[..point]);
            project.run("setup").success();
            project.run("squash --allow-no-vcs").success();
            write(&project, &all[point..]);
            project.run("migrate --lane all").success();
            assert_eq!(state(&project), expected, "the old database, seed {seed}, squashed at {point} of {count}");
            if second {
                project.run("squash --allow-no-vcs").success();
            }
            project.run("reset --yes").success();
            assert_eq!(state(&project), expected, "a new database, seed {seed}, squashed at {point} of {count}");
        }
    }
}

/// A structure file without its head, which names what was decided about rows.
fn body(text: &str) -> String {
    text.lines().filter(|line| !line.starts_with("-- ")).fold(String::new(), |body, line| body + line + "\n")
}
