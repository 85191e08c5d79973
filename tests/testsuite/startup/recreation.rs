//! Databases that are emptied and made anew when their migrations fail.

use dbsetup::Kind;
use dbsetup::startup::{OnFailure, Outcome};

use super::app::{App, block_on};
use crate::support::{Backend, Sqlite};

/// An application whose first migration was changed after it was applied.
fn changed(backend: Backend, environment: &str) -> App {
    let app = App::new(backend).expect("the backend is available");
    app.migration("1_users", "create table users (id integer primary key);");
    app.database().create();
    block_on(app.startup().environment(environment).run()).expect("it can be migrated");
    app.migration("1_users", "create table users (id integer primary key, name text);");
    app
}

const SAFELY: OnFailure = OnFailure::Recreate { accept_data_loss: false };
const ANYWAY: OnFailure = OnFailure::Recreate { accept_data_loss: true };

on_each_database! {
    fn an_empty_database_of_a_disposable_environment_is_made_anew(backend) {
        let app = changed(backend, "dev");
        let report = block_on(app.startup().environment("dev").on_failure(SAFELY).run());
        let report = report.expect("nothing is lost by it");
        assert!(matches!(&report.outcome, Outcome::Recreated(error) if error.kind() == Kind::Changed));
        assert_eq!(report.applied, ["1"]);
        app.database().execute("insert into users values (1, 'a')");
    }

    fn rows_and_protection_are_lost_only_when_that_is_accepted(backend) {
        let app = changed(backend, "prod");
        let error = block_on(app.startup().on_failure(SAFELY).run()).expect_err("prod is protected");
        assert_eq!(error.kind(), Kind::Changed);
        assert!(error.notes().iter().any(|note| note.contains("`prod` is protected")), "{error:?}");
        app.database().execute("insert into users values (7)");
        let error = block_on(app.startup().environment("dev").on_failure(ANYWAY).run());
        let error = error.expect_err("it is prod's");
        assert!(error.notes().iter().any(|note| note.contains("belongs to environment `prod`")), "{error:?}");
        assert_eq!(app.database().column("select id from users"), ["7"]);
        let report = block_on(app.startup().on_failure(ANYWAY).run()).expect("the loss is accepted");
        assert!(matches!(report.outcome, Outcome::Recreated(_)));
        assert_eq!(app.database().value("select count(*) from users"), "0");
        let app = changed(backend, "dev");
        app.database().execute("insert into users values (7)");
        let error = block_on(app.startup().environment("dev").on_failure(SAFELY).run());
        let error = error.expect_err("there are rows");
        assert!(error.notes().iter().any(|note| note.contains("there are rows in")), "{error:?}");
        assert_eq!(app.database().column("select id from users"), ["7"]);
    }

    fn many_that_recreate_at_once_lose_nothing_of_what_one_has_made(backend) {
        let app = changed(backend, "dev");
        app.migration("2_row", "insert into users values (1, 'made');");
        let started: Vec<_> =
            (0..6).map(|_| app.start(&["environment dev", "failure recreate-anyway"])).collect();
        for running in started {
            running.wait().success();
        }
        assert_eq!(app.database().column("select name from users"), ["made"]);
        assert_eq!(app.database().value("select count(*) from schema_migrations"), "2");
    }
}

#[test]
fn a_damaged_file_is_made_anew_when_its_loss_is_accepted() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let app = changed(Sqlite, "prod");
    app.database().execute("insert into users values (7)");
    // The tree of the schema begins behind the header of the file.
    let mut file = std::fs::File::options().write(true).open(app.database_file()).expect("it is there");
    file.seek(SeekFrom::Start(100)).and_then(|_| file.write_all(&[0xff; 64])).expect("it is writable");
    drop(file);
    let error = block_on(app.startup().on_failure(SAFELY).run()).expect_err("it is damaged");
    assert!(error.message().contains("malformed"), "{error:?}");
    let report = block_on(app.startup().on_failure(ANYWAY).run()).expect("the loss is accepted");
    assert!(matches!(report.outcome, Outcome::Recreated(_)), "{report:?}");
    assert_eq!(app.database().value("select count(*) from users"), "0");
}

#[test]
fn a_damaged_file_that_another_process_made_anew_meanwhile_is_left_alone() {
    use std::io::{Seek as _, SeekFrom, Write as _};
    let app = changed(Sqlite, "prod");
    let whole = std::fs::read(app.database_file()).expect("it can be read");
    let mut file = std::fs::File::options().write(true).open(app.database_file()).expect("it is there");
    file.seek(SeekFrom::Start(100)).and_then(|_| file.write_all(&[0xff; 64])).expect("it is writable");
    drop(file);
    let mut lock = app.database_file().into_os_string();
    lock.push("-dbsetup-backup-lock");
    let other = std::fs::File::create(lock).expect("it can be made");
    other.lock().expect("nobody else has it");
    std::thread::scope(|scope| {
        let start = scope.spawn(|| block_on(app.startup().on_failure(ANYWAY).run()));
        std::thread::sleep(std::time::Duration::from_millis(700));
        assert!(!start.is_finished(), "it waits for the other process");
        std::fs::write(app.database_file(), &whole).expect("it is writable");
        app.database().execute("insert into users values (7)");
        drop(other);
        // What is there is looked at again, and still not what the files say.
        let _ = start.join().expect("it does not panic");
    });
    assert_eq!(app.database().value("select count(*) from users"), "1");
}
