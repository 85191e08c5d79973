//! The sqlx crate, as an application has it: one ledger, one idea of what a checksum is.

use std::path::PathBuf;

use sqlx::ConnectOptions as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use crate::support::{Backend, Database, Project};

/// `select 1;\n`, as sqlx hashes it: SHA-384.
const SELECT_1: &str =
    "732dd6fa554ee7cf2b12caa7de486d35b60326cbb0fadccc7c537fb9750917e293550610ebffcbd185284ce99600a267";

fn project(backend: Backend) -> Project {
    Project::new().repo("core", backend).repo_config("core", "ledger = \"sqlx\"")
}

fn directory(project: &Project) -> PathBuf {
    project.path(project.priv_dir("core")).join("migrations")
}

/// Runs what an application runs when it starts: `Migrator::new(path).run(connection)`.
fn start_application(project: &Project) -> Result<(), MigrateError> {
    let migrations = directory(project);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let database = project.database("core");
    runtime.block_on(async move {
        let migrator = Migrator::new(migrations).await?;
        match database {
            Database::Postgres(database) => {
                let options: PgConnectOptions = database.url().parse().expect("the URL is right");
                migrator.run(&mut options.connect().await?).await
            }
            Database::Sqlite(database) => {
                migrator
                    .run(&mut SqliteConnectOptions::new().filename(database.path()).connect().await?)
                    .await
            }
        }
    })
}

fn table(number: usize) -> String {
    format!("create table t{number} (id integer primary key);\n")
}

#[test]
fn an_application_finds_nothing_to_do_after_us_and_we_after_it() {
    for backend in Backend::available() {
        let project = project(backend);
        project.run("create").success();
        let project = project.migration("core", "1_a", &table(1)).reversible(
            "core",
            "2_b",
            &table(2),
            "drop table t2;",
        );
        start_application(&project).expect("it applies two");
        project.run("status --check").success();
        let project = project.migration("core", "3_some_words", &table(3));
        project.run("migrate").success();
        start_application(&project).expect("it agrees with our row");
        let database = project.database("core");
        assert_eq!(
            database.query(
                "select version, description, length(checksum) from _sqlx_migrations order by version"
            ),
            [["1", "a", "48"], ["2", "b", "48"], ["3", "some words", "48"]]
        );
        let project = project.migration("core", "4_d", &table(4));
        start_application(&project).expect("it goes on");
        project.run("status --check").success();
        project.run("migrate").success();
        assert_eq!(database.value("select count(*) from _sqlx_migrations"), "4");
    }
}

#[test]
fn checksums_are_sqlxs_own() {
    for backend in Backend::available() {
        let project = project(backend)
            .migration("core", "1_lf", "select 1;\n")
            .migration("core", "2_crlf", "select 1;\r\n")
            .migration("core", "3_empty", "-- nothing\n");
        project.run("setup").success();
        let hex = match backend {
            Backend::Postgres => "select encode(checksum, 'hex') from _sqlx_migrations order by version",
            Backend::Sqlite => "select lower(hex(checksum)) from _sqlx_migrations order by version",
        };
        let sums = project.database("core").column(hex);
        assert_eq!(sums[0], SELECT_1);
        assert_ne!(sums[1], SELECT_1, "a carriage return counts");
        start_application(&project).expect("it agrees on every file");
    }
}

#[test]
fn ignored_chars_of_sqlx_toml_are_ignored() {
    for backend in Backend::available() {
        let project = project(backend)
            .file("crates/core/sqlx.toml", "[migrate]\nignored-chars = [\"\\r\"]\n")
            .migration("core", "1_crlf", "select 1;\r\n");
        project.run("setup").success();
        let hex = match backend {
            Backend::Postgres => "select encode(checksum, 'hex') from _sqlx_migrations",
            Backend::Sqlite => "select lower(hex(checksum)) from _sqlx_migrations",
        };
        assert_eq!(project.database("core").value(hex), SELECT_1);
        let project = project.migration("core", "1_crlf", "select 1;\n");
        project.run("status --check").success();
    }
}

#[test]
fn a_byte_order_mark_counts_in_the_checksum_and_is_not_run() {
    for backend in Backend::available() {
        let project = project(backend).migration("core", "1_bom", "\u{feff}create table t1 (a integer);\n");
        project.run("setup").success();
        start_application(&project).expect("it takes the file as it is, too");
    }
}

#[test]
fn an_edited_file_is_refused_by_both() {
    for backend in Backend::available() {
        let project = project(backend).migration("core", "1_a", &table(1));
        project.run("setup").success();
        let project = project.migration("core", "1_a", &format!("{}-- edited\n", table(1)));
        assert!(matches!(start_application(&project), Err(MigrateError::VersionMismatch(1))));
        let run = project.run("migrate");
        assert!(!run.is_success(), "{run}");
        run.stderr_contains("resolve");
        project.run("resolve 1 --accept-checksum").success();
        start_application(&project).expect("it is what the ledger says now");
    }
}

#[test]
fn a_rollback_past_a_newer_simple_migration_is_refused() {
    for backend in Backend::available() {
        let project = project(backend).reversible("core", "1_a", &table(1), "drop table t1;").migration(
            "core",
            "2_b",
            &table(2),
        );
        project.run("setup").success();
        let run = project.run("rollback");
        assert!(!run.is_success(), "{run}");
        run.stderr_contains("no down side");
        let run = project.run("rollback --to 1");
        assert!(!run.is_success(), "{run}");
        run.stderr_contains("2");
        assert_eq!(
            project.database("core").column("select version from _sqlx_migrations order by 1"),
            ["1", "2"]
        );
        assert!(project.database("core").tables().contains(&"t1".to_owned()));
    }
}

#[test]
fn a_dirty_row_of_sqlx_stops_both() {
    for backend in Backend::available() {
        let project = project(backend).migration("core", "1_a", &table(1));
        project.run("setup").success();
        project.database("core").execute("update _sqlx_migrations set success = false");
        assert!(matches!(start_application(&project), Err(MigrateError::Dirty(1))));
        let project = project.migration("core", "2_b", &table(2));
        let run = project.run("migrate");
        assert!(!run.is_success(), "{run}");
        assert!(!project.database("core").tables().contains(&"t2".to_owned()), "{run}");
    }
}
