//! `dump --move-migrations`, and `squash`, which is another word for it.

mod beyond;
mod evidence;
mod kills;
mod merges;
mod releases;
mod sqlx_projects;
mod together;

use crate::support::git::{committed, git};
use crate::support::{Backend, Postgres, Project, Sqlite, postgres};

/// A repo with both lanes, down sides, and rows that a migration inserts.
#[track_caller]
fn with_repo(project: Project, repo: &str, backend: Backend) -> Project {
    project
        .repo(repo, backend)
        .repo_config(repo, "keep-data = [\"countries\"]")
        .reversible(
            repo,
            "1_users",
            "create table users (id integer primary key, name varchar(40) not null);",
            "drop table users;",
        )
        .manual(repo, "2_names", "create index users_name on users (name);")
        .migration(
            repo,
            "3_countries",
            "create table countries (code varchar(2) primary key, name varchar(40));
             insert into countries values ('ie', 'Éire'), ('at', 'Österreich; ''A''');",
        )
}

fn project(backend: Backend) -> Project {
    with_repo(Project::new(), "core", backend)
}

/// What a repo's database is, as a structure file says it, and its rows.
#[track_caller]
fn made(project: &Project, repo: &str, environment: &str) -> (String, Vec<Vec<String>>) {
    let run = project.run(&format!("dump -d - --repo {repo} --env {environment}"));
    let rows = project.database_in(repo, environment).query("select code, name from countries order by code");
    (run.success().stdout.clone(), rows)
}

on_each_database! {
    fn what_is_squashed_makes_the_same_of_nothing_and_another_squash_stands_on_it(backend) {
        let project = project(backend);
        project.run("setup").success();
        let before = made(&project, "core", "dev");
        committed(&project);
        let commit = git(&project, "rev-parse HEAD");
        git(&project, "tag v1.4.0");
        let run = project.run("squash");
        run.success().stderr_contains("has been squashed: 3 migrations moved to");
        let dir = project.priv_dir("core");
        assert_eq!(project.files(dir.join("migrations")), [".gitkeep"]);
        assert_eq!(project.files(dir.join("manual_migrations")), [".gitkeep"]);
        assert_eq!(
            project.files(dir.join("dumped_migrations/migrations")),
            ["1_users.down.sql", "1_users.up.sql", "3_countries.sql"]
        );
        assert_eq!(project.files(dir.join("dumped_migrations/manual_migrations")), ["2_names.sql"]);
        let floor = project.read(dir.join("structure.floor"));
        assert!(floor.contains("release v1.4.0\n") && floor.contains(&format!("commit {commit}")), "{floor}");
        assert!(floor.contains("manual 2 "), "{floor}");

        project.run("setup --env test").success();
        assert_eq!(made(&project, "core", "test"), before);
        project.run("status --check").success();
        project.run("dump --check").success();
        project.run("squash").success().stderr_contains("There is nothing to squash for core (3 applied)");

        let project = project.reversible(
            "core",
            "4_more",
            "alter table countries add column since integer;",
            "alter table countries drop column since;",
        );
        committed(&project);
        project.run("migrate").success();
        let before = made(&project, "core", "dev");
        project.run("dump --move-migrations").success().stderr_contains("1 migration moved");
        let floor = project.read(dir.join("structure.floor"));
        assert_eq!(floor.matches("squash\n").count(), 2, "{floor}");
        project.run("reset --env test --yes").success();
        assert_eq!(made(&project, "core", "test"), before);
        // The archive still serves a rollback, and what was rolled back runs again.
        project.run("rollback").success();
        project.run("migrate").success().stderr_contains("behind the squash floor");
        assert_eq!(made(&project, "core", "dev"), before);
    }

    fn a_squash_up_to_a_version_leaves_the_rest(backend) {
        let project = project(backend).alias("tidy", &["squash --to 2"]);
        project.run("setup").success();
        let before = made(&project, "core", "dev");
        committed(&project);
        project.run("tidy --dry-run").success().stdout_contains("would move").stdout_lacks("3_countries");
        assert!(!project.path(project.priv_dir("core").join("structure.floor")).exists());
        project.run("tidy").success().stderr_contains("2 migrations moved").stderr_contains("1 stays");
        let dir = project.priv_dir("core");
        assert_eq!(project.files(dir.join("migrations")), ["3_countries.sql"]);
        let structure = project.read(dir.join("structure.sql"));
        assert!(!structure.contains("countries"), "{structure}");
        project.run("setup --env test").success();
        assert_eq!(made(&project, "core", "test"), before);
    }

    fn a_database_that_is_not_what_its_migrations_make_is_refused(backend) {
        let project = project(backend);
        project.run("setup").success();
        committed(&project);
        project.database("core").execute("create table by_hand (i integer)");
        for line in ["squash", "squash --dry-run"] {
            let run = project.run(line);
            run.code(4).stderr_contains("its database is not what its migrations make");
            run.stderr_contains("by_hand").stderr_contains("`cargo dbsetup reset --repo core`");
        }
        assert!(git(&project, "status --porcelain").is_empty());
    }

    fn nobody_is_told_to_make_a_protected_database_again(backend) {
        let project = project(backend);
        let project = match backend {
            Postgres => {
                let url = postgres::server().expect("it runs").admin_url().to_owned();
                project.repo_config("core", &format!("scratch-url = \"{url}\""))
            }
            Sqlite => project,
        };
        project.run("create --env prod").success();
        project.run("migrate --lane all --env prod").success();
        committed(&project);
        project.database_in("core", "prod").execute("create table by_hand (i integer)");
        let run = project.run("squash --env prod");
        run.code(4).stderr_contains("by_hand").stderr_lacks("cargo dbsetup reset");
    }

    fn rows_that_nobody_has_decided_about_are_refused_and_either_answer_is_taken(backend) {
        let project = project(backend)
            .migration("core", "4_log", "create table log (id integer primary key, what varchar(9));
                insert into log values (1, 'begun');");
        project.run("setup").success();
        committed(&project);
        for line in ["squash", "squash --dry-run"] {
            let run = project.run(line);
            run.code(4).stderr_contains("log`: 1 row").stderr_contains("keep-data = [");
            run.stderr_contains("--drop-data");
        }
        assert!(git(&project, "status --porcelain").is_empty());
        project.run("squash --drop-data log --dry-run").success().stdout_contains("would write");
        assert!(git(&project, "status --porcelain --ignored -- crates").lines().all(|line| line.ends_with(".db")));
        project.run("squash --drop-data log").success();
        let structure = project.read(project.priv_dir("core").join("structure.sql"));
        assert!(structure.contains("without rows: ") && !structure.contains("begun"), "{structure}");
        // What was given is not asked for again, and is not to be typed again.
        let project = project
            .migration("core", "7_plans", "create table plans (id integer); insert into plans values (1);")
            .migration("core", "8_odd", "create table odd (id integer); insert into odd values (1);");
        project.run("migrate").success();
        let run = project.run("squash --to 8 --allow-dirty --drop-data odd");
        let schema = if backend == Postgres { "public." } else { "" };
        run.code(4).stderr_contains(&format!(
            "`cargo dbsetup dump --move-migrations --to 8 --drop-data odd --allow-dirty --drop-data {schema}plans \
             --repo core`"
        ));
        project.remove(project.priv_dir("core").join("migrations/8_odd.sql"));
        project.remove(project.priv_dir("core").join("migrations/7_plans.sql"));
        project.run("reset --yes").success();
        // It stays decided.
        let project = project.migration("core", "5_x", "create table x (i integer);");
        committed(&project);
        project.run("migrate").success();
        project.run("squash").success();
    }

    fn a_value_that_is_another_one_every_time_is_named(backend) {
        let now = if backend == Postgres { "now()" } else { "strftime('%f', 'now') || random()" };
        let project = project(backend).migration(
            "core",
            "4_at",
            &format!("alter table countries add column at varchar(60); update countries set at = {now};"),
        );
        project.run("setup").success();
        committed(&project);
        project.run("squash").code(4).stderr_contains("countries.at");
        assert!(git(&project, "status --porcelain").is_empty());
    }

    fn a_value_that_is_another_one_tomorrow_is_told(backend) {
        let day = if backend == Postgres { "current_date::text" } else { "current_date" };
        let sql = format!("insert into countries values ('xx', {day});");
        let project = project(backend).migration("core", "4_day", &sql);
        project.run("setup").success();
        committed(&project);
        let run = project.run("squash");
        run.success().stderr_contains("4_day.sql:1` puts `current_date` into").stderr_contains("except = [");
    }
}

#[test]
fn three_repos_are_squashed_at_once_and_one_that_is_refused_leaves_the_others_whole() {
    let Some(server) = postgres::server() else { return };
    let project = with_repo(Project::new().on(&server), "core", Postgres);
    let project = with_repo(with_repo(project, "billing", Sqlite), "search", Sqlite);
    project.run("setup").success();
    let before = ["core", "billing", "search"].map(|repo| made(&project, repo, "dev"));
    let project = project.migration("billing", "9_late", "create table late (i integer);");
    committed(&project);
    let run = project.run("squash");
    run.code(4).stderr_contains("pending: 9 late (automatic)").stderr_contains("1 of 3 repos failed");
    run.stderr_contains("The structure for core has been squashed").stderr_contains("`--to 3`");
    let billing = project.priv_dir("billing").display().to_string();
    assert!(git(&project, &format!("status --porcelain -- {billing}")).is_empty());
    project.run("squash --to 3").code(2).stderr_contains("`--to` speaks of one repo");
    project.run("squash --repo billing --to 3").success();
    project.remove(project.priv_dir("billing").join("migrations/9_late.sql"));
    project.run("setup --env test").success();
    assert_eq!(["core", "billing", "search"].map(|repo| made(&project, repo, "test")), before);
}

#[test]
fn what_stands_in_the_way_is_named_with_its_remedy() {
    let project = project(Sqlite);
    project.run("setup").success();
    let told = |line: &str, code: i32, texts: &[&str]| {
        let run = project.run(line);
        run.code(code);
        texts.iter().for_each(|text| {
            run.stderr_contains(text);
        });
    };
    told("squash", 4, &["`core` is in no git repository", "`--allow-no-vcs`"]);
    committed(&project);
    let dir = project.priv_dir("core");
    project.write(dir.join("seeds.sql"), "select 1;\n");
    told("squash", 4, &["1 of its files is not committed", "seeds.sql", "`--allow-dirty`"]);
    project.remove(dir.join("seeds.sql"));
    let file = dir.join("migrations/3_countries.sql");
    let text = project.read(&file);
    project.write(&file, &format!("{text}-- edited\n"));
    told(
        "squash --allow-dirty",
        4,
        &["changed: 3 countries (automatic)", "resolve VERSION --accept-checksum"],
    );
    project.write(&file, &text);
    project.write(dir.join("manual_migrations/4_late.sql"), "-- requires: 3\nselect 1;\n");
    told(
        "squash --allow-dirty",
        4,
        &["pending: 4 late (manual)", "migrate --lane all --repo core", "`--to 3`"],
    );
    project.remove(dir.join("manual_migrations/4_late.sql"));
    told("squash --to 7", 1, &["there is no migration with version `7`"]);
    told("squash --check", 2, &["cannot be used with"]);
    told("squash -d -", 2, &["cannot be used with"]);
    told("dump --to 3", 2, &["--move-migrations"]);
    project
        .database("core")
        .execute("insert into schema_migrations (version, name, source) values ('99', 'x', 'm')");
    told("squash", 4, &["no file: 99", "check out the branch"]);
    project.database("core").execute("delete from schema_migrations where version = '99'");
    project.write(dir.join("dumped_migrations/migrations/1_users.down.sql"), "select 1;\n");
    told("squash --allow-dirty", 4, &["1_users.down.sql` is there already, and differs"]);
    project.remove(dir.join("dumped_migrations/migrations/1_users.down.sql"));
    told("squash --env test", 1, &["does not exist"]);
    assert!(git(&project, "status --porcelain").is_empty());
    git(&project, "checkout -q -b feature");
    told("squash", 0, &["on the branch `feature`, not on `main`", "has been squashed"]);
}

#[test]
fn what_git_ignores_is_not_committed() {
    for (ignored, named) in [
        ("crates/core/priv", "?? crates/core/priv/core/migrations/3_countries.sql"),
        ("2_names.sql", "1 of its files is not committed"),
        ("dump*", "git ignores `crates/core/priv/core/dumped_migrations/"),
        ("structure.*", "git ignores `crates/core/priv/core/structure.sql` and 1 more"),
    ] {
        let project = project(Sqlite);
        project.run("setup").success();
        project.write(".gitignore", &format!("target\n*.db*\n{ignored}\n"));
        git(&project, "init -q");
        git(&project, "add .");
        git(&project, "commit -q -m work");
        project.run("squash").code(4).stderr_contains(named).stderr_contains("`--allow-dirty`");
        project.run("squash --allow-dirty").success();
    }
}

#[test]
fn a_squash_needs_no_git_when_it_is_told_so_and_says_what_it_did_in_json() {
    let project = project(Sqlite);
    project.run("setup").success();
    let run = project.run("squash --allow-no-vcs --format json");
    run.success().stdout_contains("\"event\":\"squashed\",\"repo\":\"core\",\"migrations\":3,\"stay\":0");
    let floor = project.read(project.priv_dir("core").join("structure.floor"));
    assert!(!floor.contains("commit") && floor.contains("automatic 3 sha256:"), "{floor}");
    project.run("squash --format json").success().stdout_contains("\"event\":\"nothing_to_squash\"");
}

#[test]
fn migrations_in_every_grammar_move_whole_and_their_ledgers_go_on() {
    type Case = (&'static str, [(&'static str, &'static str); 3], &'static [&'static str]);
    let cases: [Case; 4] = [
        (
            "sqlx",
            [
                ("migrations/1_a.up.sql", "create table a (i integer);"),
                ("migrations/1_a.down.sql", "drop table a;"),
                ("migrations/2_b.up.sql", "create table b (i integer);"),
            ],
            &["1_a.down.sql", "1_a.up.sql", "2_b.up.sql"],
        ),
        (
            "diesel",
            [
                ("migrations/2026-01-01-000000_a/up.sql", "create table a (i integer);"),
                ("migrations/2026-01-01-000000_a/down.sql", "drop table a;"),
                ("migrations/2026-01-02-000000_b/up.sql", "create table b (i integer);"),
            ],
            &["2026-01-01-000000_a", "2026-01-02-000000_b"],
        ),
        (
            "refinery",
            [
                ("migrations/V1__a.sql", "create table a (i integer);"),
                ("migrations/later/V2__b.sql", "create table b (i integer);"),
                ("migrations/later/notes.md", "what comes later"),
            ],
            &["V1__a.sql", "later"],
        ),
        (
            "dbmate",
            [
                (
                    "migrations/1_a.sql",
                    "-- migrate:up\ncreate table a (i integer);\n-- migrate:down\ndrop table a;\n",
                ),
                ("migrations/2_b.sql", "-- migrate:up\ncreate table b (i integer);\n-- migrate:down\n"),
                ("migrations/README.md", "how we migrate"),
            ],
            &["1_a.sql", "2_b.sql"],
        ),
    ];
    for (ledger, files, moved) in cases {
        let mut project =
            Project::new().repo("core", Sqlite).repo_config("core", &format!("ledger = \"{ledger}\""));
        for (path, text) in files {
            project = project.priv_file("core", path, text);
        }
        project.run("setup").success();
        let before = project.run("dump -d -").success().stdout.clone();
        committed(&project);
        project.run("squash").success().stderr_contains("2 migrations moved");
        let dir = project.priv_dir("core");
        assert_eq!(project.files(dir.join("dumped_migrations/migrations")), moved, "{ledger}");
        project.run("setup --env test").success();
        assert_eq!(project.run("dump -d - --env test").success().stdout, before, "{ledger}");
        // The full replay from the archive is the same.
        project.run("create --env ci").success();
        project.run("migrate --env ci --no-load --lane all").success();
        assert_eq!(project.run("dump -d - --env ci").success().stdout, before, "{ledger}");
        project.run("status --check").success();
        project.run("check").success();
    }
}

#[test]
fn a_structure_that_pg_dump_writes_is_squashed_by_pg_dump() {
    let Some(server) = postgres::server() else { return };
    let project =
        Project::new().on(&server).repo("core", Postgres).migration("core", "1_a", "create table a (i int);");
    project.run("setup").success();
    committed(&project);
    project.run("squash --via pg_dump").success();
    let structure = project.read(project.priv_dir("core").join("structure.sql"));
    assert!(structure.contains("-- via: pg_dump"), "{structure}");
    project.run("setup --env test").success();
    project.run("status --check --env test").success();
}

#[test]
fn lanes_in_several_directories_are_squashed_together() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo_config(
            "core",
            "migrations = [\"db/shared/migrations\", \"db/own/migrations\"]\nmanual-migrations = [\"db/by hand\"]",
        )
        .file("crates/core/db/shared/migrations/1_a.sql", "create table a (i integer);")
        .file("crates/core/db/own/migrations/2_b.sql", "create table b (i integer);")
        .file("crates/core/db/by hand/3_c.sql", "create table c (i integer);");
    project.run("setup").success();
    let before = project.run("dump -d -").success().stdout.clone();
    committed(&project);
    project.run("squash").success().stderr_contains("3 migrations moved");
    let archive = project.priv_dir("core").join("dumped_migrations");
    assert_eq!(project.files(&archive), ["by hand", "migrations"]);
    assert_eq!(project.files(archive.join("migrations")), ["1_a.sql", "2_b.sql"]);
    committed(&project);
    // A clone has what git keeps.
    project.run("setup --env test").success();
    assert_eq!(project.run("dump -d - --env test").success().stdout, before);
    project.run("create --env ci").success();
    project.run("migrate --env ci --no-load --lane all").success();
    assert_eq!(project.run("dump -d - --env ci").success().stdout, before);
}
