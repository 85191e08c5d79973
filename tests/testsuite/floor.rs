//! Databases that meet a squashed project: new ones, those that have everything, those that stopped in the middle,
//! those that skipped a release.

use std::path::{Path, PathBuf};

use dbsetup::event::Silent;
use dbsetup::migration::{MigrateRequest, migrate};
use dbsetup::repo::{DatabaseUrl, Lane, Repo};
use dbsetup::session::Session;
use dbsetup::source::Source;
use dbsetup::structure::floor::{Floor, FloorEntry, Squashed};
use dbsetup::{Kind, ledger::LedgerKind};

use crate::support::{Backend, Database, Project};

const USERS: &str = "create table users (id integer primary key, name varchar(40));\n";
const BACKFILL: &str = "insert into users (id, name) values (7, 'who was there before');\n";
const ORDERS: &str = "create table orders (id integer primary key);\n";
const NEW: &str = "create table new_one (id integer primary key);\n";

/// What a person sees of each: lane, file name, text.
const FIRST: [(&str, &str); 4] = [
    ("migrations", "10_users.up.sql"),
    ("migrations", "10_users.down.sql"),
    ("manual_migrations", "20_backfill.sql"),
    ("migrations", "30_orders.sql"),
];

/// A project whose `dev` has everything, and whose `staging` stopped after the first migration.
fn project(backend: Backend, config: &str) -> Project {
    let project = Project::new()
        .repo("core", backend)
        .repo_config("core", config)
        .reversible("core", "10_users", USERS, "drop table users;\n")
        .manual("core", "20_backfill", BACKFILL)
        .migration("core", "30_orders", ORDERS);
    project.run("create").success();
    project.run("migrate --lane all").success();
    project.run("create --env staging").success();
    project.run("migrate --to 10 --env staging").success();
    project
}

/// Squashes by hand what `dev` has: dumps, writes the floor, moves the files.
fn squash(project: &Project, release: &str, files: &[(&str, &str)]) {
    squash_as(project, LedgerKind::Dbsetup, release, files);
}

fn squash_as(project: &Project, kind: LedgerKind, release: &str, files: &[(&str, &str)]) {
    project.run("dump").success();
    let structure = project.path(priv_path(project, "structure.sql"));
    let path = Floor::path(&structure);
    let old = std::fs::read_to_string(&path).ok().map(|text| Floor::parse(&text, &path).expect("it is ours"));
    let mut floor = old.unwrap_or_default();
    floor.ledger = Some(kind);
    let mut squashed = Squashed { release: Some(release.into()), ..Squashed::default() };
    for (lane, file) in files.iter().filter(|(_, file)| !file.ends_with(".down.sql")) {
        let (version, rest) = file.split_once('_').expect("it has a version");
        squashed.migrations.push(FloorEntry {
            lane: if *lane == "manual_migrations" { Lane::Manual } else { Lane::Automatic },
            version: version.into(),
            checksum: (kind == LedgerKind::Dbsetup).then(|| checksum(&project.database("core"), version)),
            name: rest.split('.').next().unwrap_or_default().into(),
        });
    }
    floor.squashes.push(squashed);
    project.write(path, &floor.text());
    for (lane, file) in files {
        move_file(project, &format!("{lane}/{file}"), &format!("dumped_migrations/{lane}/{file}"));
    }
}

/// The checksum of our ledger; the peers keep theirs in their own ways, and the floor may do without.
fn checksum(database: &Database, version: &str) -> String {
    database.value(&format!("select checksum from schema_migrations where version = '{version}'"))
}

fn priv_path(project: &Project, path: &str) -> PathBuf {
    project.priv_dir("core").join(path)
}

fn move_file(project: &Project, from: &str, to: &str) {
    let (from, to) = (project.path(priv_path(project, from)), project.path(priv_path(project, to)));
    std::fs::create_dir_all(to.parent().expect("it has one")).expect("it can be made");
    std::fs::rename(from, to).expect("it can be moved");
}

fn remove_archive(project: &Project) {
    std::fs::remove_dir_all(project.path(priv_path(project, "dumped_migrations"))).expect("it is there");
}

/// A project that was squashed once and has gone on since.
fn squashed(backend: Backend) -> Project {
    let project = project(backend, "");
    squash(&project, "v1.0", &FIRST);
    project.migration("core", "40_new", NEW)
}

fn is_there(database: &Database, table: &str) -> bool {
    database.tables().contains(&table.to_owned())
}

/// The structure of an environment's database.
fn structure(project: &Project, environment: &str) -> String {
    let run = project.run(&format!("dump -d - --quiet --env {environment}"));
    run.success();
    run.stdout.clone()
}

on_each_database! {
    fn a_new_database_loads_the_structure_and_is_at_the_floor(backend) {
        let project = squashed(backend);
        let run = project.run("setup --env fresh");
        run.success().stderr_contains("== Migrated 40 new").stderr_lacks("floor").stderr_lacks("== Migrated 30");
        assert!(is_there(&project.database_in("core", "fresh"), "orders"));
        project.run("status --check --env fresh").success();
        // What is there is not asked for.
        remove_archive(&project);
        project.run("migrate --env fresh").success().stderr_contains("already up");
        project.run("status --check --env fresh").success();
    }

    fn a_database_that_has_everything_goes_on(backend) {
        let project = squashed(backend);
        project.run("status").success().stdout_contains("3 squashed migrations, shown with -v");
        let run = project.run("migrate");
        run.success().stderr_contains("== Migrated 40 new").stderr_lacks("floor").stderr_lacks("warning");
        project.run("status --check").success();
        let json = project.run("status --format json");
        json.success().stdout_contains("\"floor\":\"reached\"");
        project.run("migrate").success().stderr_contains("(4 applied)");
    }

    fn a_database_in_the_middle_runs_the_rest_from_the_archive(backend) {
        let project = squashed(backend);
        project.run("status --check --env staging").code(3).stdout_contains("behind the squash floor");
        let json = project.run("status --format json --env staging");
        json.stdout_contains("\"floor\":\"behind\"");
        json.stdout_contains("dumped_migrations/manual_migrations/20_backfill.sql");
        // The manual one comes before what is newer, and this lane is not its.
        let run = project.run("migrate --env staging");
        run.code(4).stderr_contains("20 backfill").stderr_contains("migrate --lane all");
        let database = project.database_in("core", "staging");
        assert!(!is_there(&database, "orders"));
        let plan = project.run("migrate --lane all --dry-run --env staging");
        plan.success().stdout_contains("20").stdout_contains("40");
        plan.stderr_contains(
            "core is behind the squash floor: 2 migrations run from crates/core/priv/core/dumped_migrations first",
        );
        assert!(!is_there(&database, "orders"));
        // New databases would be made of it.
        let before = project.read(priv_path(&project, "structure.sql"));
        project.run("dump --env staging").code(4).stderr_contains("it lacks 20, 30");
        assert_eq!(project.read(priv_path(&project, "structure.sql")), before);
        project.run("dump -d other.sql --env staging").success();
        let run = project.run("migrate --lane all --env staging");
        run.success().stderr_contains("core is behind the squash floor: 2 migrations run");
        let at = |text: &str| run.stderr.find(text).unwrap_or_else(|| panic!("{text}: {}", run.stderr));
        assert!(at("Migrated 20 backfill") < at("Migrated 30 orders"));
        assert!(at("Migrated 30 orders") < at("Migrated 40 new"));
        assert_eq!(database.value("select name from users where id = 7"), "who was there before");
        project.run("status --check --env staging").success();
        project.run("migrate").success();
        assert_eq!(structure(&project, "staging"), structure(&project, "dev"));
    }

    fn the_archive_serves_the_ledgers_of_peers(backend) {
        for ledger in [LedgerKind::Sqlx, LedgerKind::Diesel, LedgerKind::Dbmate] {
            let project = project(backend, &format!("ledger = \"{ledger}\""));
            squash_as(&project, ledger, "v1.0", &FIRST);
            let project = project.migration("core", "40_new", NEW);
            project.run("migrate --lane all --env staging").success().stderr_contains("== Migrated 30 orders");
            project.run("migrate").success();
            project.run("status --check --env staging").success();
            assert_eq!(structure(&project, "staging"), structure(&project, "dev"), "{ledger}");
        }
    }

    fn a_database_below_the_floor_is_refused_and_told_the_way(backend) {
        let project = squashed(backend);
        remove_archive(&project);
        for line in ["migrate", "migrate --lane all", "migrate --to 40 --dry-run", "migrate -n 1"] {
            let run = project.run(&format!("{line} --env staging"));
            run.code(5).stderr_contains("below the squash floor").stderr_contains("20 backfill, 30 orders");
            run.stderr_contains("release v1.0").stderr_lacks("== ");
        }
        project.run("migrate --format json --env staging").code(5).stdout_contains("\"kind\":\"below_floor\"");
        assert!(!is_there(&project.database_in("core", "staging"), "new_one"));
        let run = project.run("status --check --env staging");
        run.code(3).stdout_contains("below the squash floor").stdout_contains("pass through release v1.0");
        // Passing through that release is what helps: there the files are in their lanes.
        let project = project.migration("core", "30_orders", ORDERS).manual("core", "20_backfill", BACKFILL);
        project.run("migrate --lane all --env staging").success().stderr_contains("== Migrated 30 orders");
        for (lane, file) in &FIRST[2..] {
            project.remove(priv_path(&project, &format!("{lane}/{file}")));
        }
        project.run("status --check --env staging").success();
        project.run("migrate --env staging").success();
    }

    fn a_part_of_the_archive_is_not_enough(backend) {
        let project = squashed(backend);
        project.remove(priv_path(&project, "dumped_migrations/manual_migrations/20_backfill.sql"));
        let run = project.run("migrate --lane all --env staging");
        run.code(5).stderr_contains("20 backfill").stderr_lacks("30 orders");
        assert!(!is_there(&project.database_in("core", "staging"), "orders"));
        // A file that cannot be read is as good as none, and is named.
        std::fs::write(project.path(priv_path(&project, "dumped_migrations/manual_migrations/20_backfill.sql")), b"\xff")
            .expect("it can be written");
        project.run("migrate --lane all --env staging").code(5).stderr_contains("is not UTF-8");
        project.run("migrate").success().stderr_lacks("UTF-8");
    }

    fn an_empty_database_replays_the_archive_where_the_structure_is_not_wanted(backend) {
        let project = squashed(backend);
        project.run("migrate").success();
        project.run("create --env replay").success();
        project.run("migrate --no-load --lane all --env replay").success().stderr_contains("3 migrations run from");
        assert_eq!(structure(&project, "replay"), structure(&project, "dev"));
        assert_eq!(project.database_in("core", "replay").value("select count(*) from users"), "1");
        remove_archive(&project);
        project.run("create --env half").success();
        let run = project.run("migrate --no-load --lane all --env half");
        run.code(5).stderr_contains("load the structure instead");
        project.run("migrate --lane all --env half").success().stderr_contains("has been loaded");
    }

    fn an_old_branch_replays_nothing(backend) {
        let project = squashed(backend);
        project.run("migrate").success();
        project.remove(priv_path(&project, "structure.floor"));
        for (lane, file) in FIRST {
            move_file(&project, &format!("dumped_migrations/{lane}/{file}"), &format!("{lane}/{file}"));
        }
        project.run("migrate --lane all").success().stderr_contains("already up").stderr_lacks("== ");
        assert_eq!(project.database("core").value("select count(*) from users"), "1");
        project.run("status --check").success();
    }

    fn a_file_that_a_merge_brought_back_is_its_lanes(backend) {
        let project = squashed(backend);
        move_file(&project, "dumped_migrations/migrations/30_orders.sql", "migrations/30_orders.sql");
        project.run("migrate --lane all --env staging").success().stderr_contains("1 migration runs from");
        project.run("status --check --env staging").success();
        // In both places with another text nobody can tell which one is meant.
        let project = project.priv_file("core", "dumped_migrations/migrations/30_orders.sql", "select 1;");
        project.run("migrate").code(2).stderr_contains("share version 30");
    }

    fn a_move_that_was_interrupted_is_in_nobodys_way(backend) {
        let project = project(backend, "");
        squash(&project, "v1.0", &FIRST[..2]);
        // Of the pair the down side went first.
        move_file(&project, "dumped_migrations/migrations/10_users.up.sql", "migrations/10_users.up.sql");
        project.run("status --check").success();
        project.run("migrate --lane all").success();
        project.run("migrate --lane all --env staging").success().stderr_contains("== Migrated 30 orders");
        project.run("setup --env fresh").success();
        project.run("create --env undone").success();
        project.run("migrate --no-load --to 10 --env undone").success();
        project.run("rollback --env undone").success();
        assert!(!is_there(&project.database_in("core", "undone"), "users"));
    }

    fn a_database_that_skipped_a_release_passes_through_both(backend) {
        let project = squashed(backend);
        project.run("migrate").success();
        squash(&project, "v2.0", &[("migrations", "40_new.sql")]);
        let project = project.migration("core", "50_last", "create table last_one (id integer primary key);\n");
        let archive = project.path(priv_path(&project, "dumped_migrations"));
        let aside = project.path("aside");
        std::fs::rename(&archive, &aside).expect("it can be moved");
        let run = project.run("migrate --lane all --env staging");
        run.code(5).stderr_contains("of release v1.0, then of release v2.0");
        std::fs::rename(&aside, &archive).expect("it can be moved");
        let run = project.run("migrate --lane all --env staging");
        run.success().stderr_contains("3 migrations run from").stderr_contains("== Migrated 50 last");
        project.run("migrate").success();
        assert_eq!(structure(&project, "staging"), structure(&project, "dev"));
        project.run("setup --env fresh").success();
        assert_eq!(structure(&project, "fresh"), structure(&project, "dev"));
    }

    fn rollback_goes_on_in_the_archive(backend) {
        let project = project(backend, "");
        squash(&project, "v1.0", &FIRST);
        let run = project.run("rollback --lane all");
        run.code(1).stderr_contains("30 orders").stderr_contains("squashed into the structure");
        run.stderr_contains("dumped_migrations/migrations/30_orders.sql");
        let project = project.priv_file("core", "dumped_migrations/migrations/30_orders.down.sql", "drop table orders;\n");
        let run = project.run("rollback");
        run.success().stderr_contains("== Rolled back 30 orders").stderr_contains("goes below the squash floor");
        assert!(!is_there(&project.database("core"), "orders"));
        project.run("status --check").code(3).stdout_contains("behind the squash floor");
        project.run("migrate").success().stderr_contains("== Migrated 30 orders");
        project.run("redo").success().stderr_contains("== Migrated 30 orders").stderr_lacks("goes below");
        project.run("status --check").success();
        // A database that was loaded has the rows, and nobody's order of application.
        project.run("setup --env fresh").success();
        project.run("rollback --env fresh").success().stderr_contains("== Rolled back 30 orders");
        remove_archive(&project);
        let run = project.run("rollback --lane all");
        run.code(1).stderr_contains("its file is not in the archive").stderr_contains("check out release v1.0");
    }

    fn a_database_that_was_made_otherwise_gets_a_baseline(backend) {
        let project = squashed(backend);
        project.run("create --env old").success();
        let database = project.database_in("core", "old");
        database.execute(USERS.trim().trim_end_matches(';'));
        database.execute(ORDERS.trim().trim_end_matches(';'));
        project.run("migrate --env old").code(4).stderr_contains("resolve --applied --to 30");
        remove_archive(&project);
        project.run("migrate --env old").code(5).stderr_contains("resolve --applied --to 30");
        project.run("resolve --applied --to 30 --env old").success();
        project.run("status --check --env old").code(3).stdout_contains("pending");
        project.run("migrate --env old").success().stderr_contains("== Migrated 40 new").stderr_lacks("warning");
        project.run("status --check --env old").success();
    }

    fn another_text_than_the_one_that_was_squashed_is_told(backend) {
        let project = squashed(backend);
        let sql = "update schema_migrations set checksum = 'sha256:00' where version = '10'";
        project.database("core").execute(sql);
        let run = project.run("migrate");
        run.success().stderr_contains("10 users with another text").stderr_contains("resolve 10 --accept-checksum");
        project.run("resolve 10 --accept-checksum").success();
        project.run("migrate").success().stderr_lacks("warning");
    }

    fn a_release_gives_the_same_verdicts(backend) {
        let project = squashed(backend);
        let call = |environment: &str, request: &MigrateRequest| {
            let repo = repo(&project, backend, environment);
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let mut session = Session::new(&repo, &Silent, "migrate").expect("the URL parses");
                let result = migrate(&mut session, request).await;
                session.close().await;
                result
            })
        };
        let all = MigrateRequest { lanes: dbsetup::migration::Lanes::All, ..MigrateRequest::default() };
        assert_eq!(call("dev", &MigrateRequest::default()).expect("it is at the floor").done, 1);
        assert_eq!(call("staging", &MigrateRequest::default()).expect_err("20 is manual").kind(), Kind::Refused);
        let archive = project.path(priv_path(&project, "dumped_migrations"));
        let aside = project.path("aside");
        std::fs::rename(&archive, &aside).expect("it can be moved");
        assert_eq!(call("staging", &all).expect_err("nothing is there").kind(), Kind::BelowFloor);
        std::fs::rename(&aside, &archive).expect("it can be moved");
        assert_eq!(call("staging", &all).expect("the archive is there").done, 3);
        project.run("create --env fresh").success();
        let report = call("fresh", &MigrateRequest::default()).expect("it is empty");
        assert!(report.load.is_some() && report.done == 1);
    }
}

/// The repo as a release has it: paths and a URL, and nothing of cargo's.
fn repo(project: &Project, backend: Backend, environment: &str) -> Repo {
    let url = match (backend, project.database_in("core", environment)) {
        (Backend::Sqlite, Database::Sqlite(database)) => format!("sqlite:{}", Path::display(database.path())),
        (_, Database::Postgres(database)) => database.url(),
        _ => unreachable!("the project's databases are of its backend"),
    };
    let source = Source::directory("core", project.root().join("crates/core"));
    let repo = source.repo(DatabaseUrl::new(url), environment).expect("the directory is there");
    Repo { display_root: project.root(), template: false, ..repo }
}
