//! Copies that were there before the start: whose they are, and when they are put back.

use std::ffi::OsString;
use std::fs::{self, File};
use std::path::PathBuf;
use std::time::Duration;

use dbsetup::Kind;
use dbsetup::startup::{OnFailure, Outcome};

use super::{RESTORE, content, is_tidy, released};
use crate::startup::app::{App, block_on};
use crate::support::{Postgres, Sqlite};

const CONTINUE: OnFailure = OnFailure::RestoreBackup { and_continue: true };

fn beside(app: &App, suffix: &str) -> PathBuf {
    let mut path: OsString = app.database_file().into_os_string();
    path.push(suffix);
    path.into()
}

/// Marks a database as a start does.
fn mark(app: &App, value: &str) {
    app.database().execute(&format!("insert into dbsetup_meta (key, value) values ('backup', '{value}')"));
}

fn marks(app: &App) -> String {
    app.database().value("select count(*) from dbsetup_meta where key = 'backup'")
}

/// What a start leaves that was killed, and a row that the application wrote afterwards.
fn killed(app: &App, value: &str) {
    mark(app, value);
    fs::copy(app.database_file(), beside(app, "-dbsetup-backup")).expect("it can be copied");
    app.database().execute("insert into users (id, name) values (3, 'edsger')");
}

#[test]
fn a_copy_is_over_where_nothing_is_pending() {
    let app = released(Sqlite);
    app.without("migrations/2_works.sql").without("migrations/3_fails.sql");
    killed(&app, "a 2,3");
    // What fails is not a migration.
    app.file("seeds.sql", "insert into nowhere values (1);");
    app.database().execute("insert into dbsetup_meta (key, value) values ('unseeded', 'created')");
    let before = content(&app.database());
    block_on(app.startup().seed().on_failure(RESTORE).run()).expect_err("the seeds fail");
    assert_eq!(content(&app.database()), before);
    assert_eq!((marks(&app).as_str(), is_tidy(&app)), ("0", Ok(())));
}

#[test]
fn an_error_that_no_interrupted_run_leaves_puts_nothing_back() {
    let app = released(Sqlite);
    killed(&app, "a 2,3");
    app.migration("1_users", "create table changed (id integer);");
    let before = content(&app.database());
    for policy in [RESTORE, CONTINUE] {
        let error = block_on(app.startup().on_failure(policy).run()).expect_err("a file was changed");
        assert_eq!(error.kind(), Kind::Changed);
        assert!(error.notes().iter().any(|note| note == "nothing was migrated"), "{error:?}");
        assert_eq!(content(&app.database()), before);
    }
}

#[test]
fn a_start_without_copies_that_succeeds_ends_the_time_of_an_older_copy() {
    let app = released(Sqlite);
    let fails = fs::read_to_string(app.directory().join("migrations/3_fails.sql")).expect("it is there");
    killed(&app, "a 2,3");
    app.without("migrations/3_fails.sql");
    block_on(app.startup().run()).expect("it succeeds");
    assert_eq!(marks(&app), "0");
    app.migration("3_fails", &fails);
    let before = content(&app.database());
    block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
    assert_eq!(content(&app.database()), before);
    assert_eq!(is_tidy(&app), Ok(()));
}

#[test]
fn a_copy_that_is_no_database_is_replaced() {
    let app = released(Sqlite);
    mark(&app, "a 2,3");
    fs::write(beside(&app, "-dbsetup-backup"), "x".repeat(5000)).expect("it is writable");
    let before = content(&app.database());
    let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
    assert!(error.notes().iter().any(|note| note.contains("its copy was put back")), "{error:?}");
    assert_eq!(content(&app.database()), before);
    assert_eq!(is_tidy(&app), Ok(()));
}

#[test]
fn a_copy_that_cannot_be_read_now_is_kept() {
    let Some(server) = crate::support::postgres::server() else { return };
    drop(server);
    let app = released(Postgres);
    mark(&app, "a 2,3");
    let (name, copy) = (app.server().name("app"), app.server().name("app_dbsetup_backup"));
    app.server().execute(&format!("create database {copy} template {name} allow_connections false"));
    let before = content(&app.database());
    for policy in [RESTORE, CONTINUE] {
        let error = block_on(app.startup().on_failure(policy).run()).expect_err("it cannot be read");
        assert!(error.notes().iter().any(|note| note.contains("the copy is kept")), "{error:?}");
        assert_eq!(content(&app.database()), before);
    }
    app.server().execute(&format!("alter database {copy} allow_connections true"));
    let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
    assert!(error.notes().iter().any(|note| note.contains("its copy was put back")), "{error:?}");
    assert_eq!(is_tidy(&app), Ok(()));
}

#[test]
fn whoever_waited_looks_again_before_it_copies() {
    let app = released(Sqlite);
    app.migration("3_fails", "create table third (id int);");
    let other = File::create(beside(&app, "-dbsetup-backup-lock")).expect("it can be made");
    other.lock().expect("nobody else has it");
    std::thread::scope(|scope| {
        let start = scope.spawn(|| block_on(app.startup().on_failure(RESTORE).run()));
        std::thread::sleep(Duration::from_millis(700));
        assert!(!start.is_finished(), "it waits for the other process");
        block_on(app.startup().run()).expect("the other process migrates");
        // Whoever makes a copy from here on fails.
        fs::create_dir(beside(&app, "-dbsetup-backup-part")).expect("it can be made");
        drop(other);
        let report = start.join().expect("it does not panic").expect("nothing is left to be done");
        assert!(matches!(report.outcome, Outcome::NothingToDo), "{report:?}");
    });
}

#[cfg(unix)]
#[test]
fn a_private_database_stays_private() {
    use std::os::unix::fs::PermissionsExt;
    for mode in [0o600, 0o640] {
        let app = released(Sqlite);
        fs::set_permissions(app.database_file(), fs::Permissions::from_mode(mode)).expect("it is ours");
        let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
        assert!(error.notes().iter().any(|note| note.contains("its copy was put back")), "{error:?}");
        let now = fs::metadata(app.database_file()).expect("it is there").permissions().mode();
        assert_eq!(now & 0o777, mode);
    }
}
