//! Databases whose copy is put back when their migrations fail, wherever the process dies.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use dbsetup::Kind;
use dbsetup::startup::{OnFailure, Outcome};

mod older;

use super::app::{App, block_on, program};
use crate::support::fault::{expect, fault_loop, tries};
use crate::support::{Backend, Database, Postgres, Sqlite};

const RESTORE: OnFailure = OnFailure::RestoreBackup { and_continue: false };

/// An application with rows, of which a release is deployed whose first migration succeeds and whose second fails.
fn released(backend: Backend) -> App {
    let app = App::new(backend).expect("the backend is available");
    app.migration(
        "1_users",
        "create table users (id integer primary key, name text);\n\
         insert into users values (1, 'ada'), (2, 'grace');\n\
         create table filler (text text);",
    );
    app.database().create();
    block_on(app.startup().run()).expect("it can be migrated");
    let filler = if backend == Postgres {
        "insert into filler select repeat('x', 1000) from generate_series(1, 1000)"
    } else {
        "insert into filler with recursive n(i) as (select 1 union all select i + 1 from n where i < 1000) \
         select hex(randomblob(500)) from n"
    };
    app.database().execute(filler);
    // It takes a moment, so that a process can be killed in the middle of it.
    let moment = if backend == Postgres {
        "select pg_sleep(0.2);"
    } else {
        "create table moment as with recursive n(i) as (select 1 union all select i + 1 from n where i < 100000) \
         select count(*) from n;"
    };
    app.migration(
        "2_works",
        &format!("alter table users add email text; update users set name = 'changed'; {moment}"),
    );
    app.migration("3_fails", "create table third (id int); insert into nowhere values (1);");
    app
}

/// Everything that a person would miss.
fn content(database: &Database) -> Vec<Vec<String>> {
    let mut rows = database.query("select * from users order by id");
    rows.extend(database.query("select count(*), min(text), max(text) from filler"));
    rows.extend(database.query("select version from schema_migrations order by version"));
    rows.push(database.user_tables());
    rows
}

/// The files beside an SQLite database that are neither its own nor the application's.
fn leftovers(database: &Path) -> Vec<PathBuf> {
    let name = database.file_name().expect("it is a file").to_string_lossy().into_owned();
    let beside = std::fs::read_dir(database.parent().expect("it is in a directory")).expect("it is there");
    let mut left: Vec<PathBuf> = beside
        .map(|entry| entry.expect("it can be listed").path())
        .filter(|path| {
            let other = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            // A log in WAL mode belongs to the database.
            other.starts_with(&name) && other != name && !other.ends_with("-wal") && !other.ends_with("-shm")
        })
        .collect();
    left.sort();
    left
}

fn is_tidy(app: &App) -> Result<(), String> {
    match app.database() {
        Database::Sqlite(_) => expect("files that are left", leftovers(&app.database_file()), Vec::new()),
        Database::Postgres(_) => {
            let rows = app.server().query(&format!(
                "select datname from pg_database where starts_with(datname, '{}')",
                app.server().name("app")
            ));
            expect("databases", rows, vec![vec![app.server().name("app")]])
        }
    }
}

on_each_database! {
    fn what_fails_is_put_back_and_what_succeeds_is_kept(backend) {
        let app = released(backend);
        let before = content(&app.database());
        let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
        assert_eq!(error.kind(), Kind::Statement);
        assert!(error.notes().iter().any(|note| note.contains("its copy was put back")), "{error:?}");
        assert_eq!(content(&app.database()), before);
        assert_eq!(is_tidy(&app), Ok(()));
        let and_continue = OnFailure::RestoreBackup { and_continue: true };
        let report = block_on(app.startup().on_failure(and_continue).run()).expect("it serves");
        assert!(matches!(report.outcome, Outcome::Restored(_)) && report.applied.is_empty(), "{report:?}");
        assert_eq!(content(&app.database()), before);
        app.migration("3_fails", "create table third (id int);");
        let report = block_on(app.startup().on_failure(RESTORE).run()).expect("it is mended");
        assert_eq!(report.applied, ["2", "3"]);
        assert_eq!(is_tidy(&app), Ok(()));
        let marks = app.database().value("select count(*) from dbsetup_meta where key = 'backup'");
        assert_eq!(marks, "0");
        let report = block_on(app.startup().on_failure(RESTORE).run()).expect("nothing is pending");
        assert!(matches!(report.outcome, Outcome::NothingToDo));
    }

    fn nothing_is_copied_where_nothing_is_pending_or_nothing_was_applied(backend) {
        let app = released(backend);
        app.without("migrations/2_works.sql");
        let before = content(&app.database());
        let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
        assert!(error.notes().iter().any(|note| note.contains("nothing was applied")), "{error:?}");
        assert_eq!(content(&app.database()), before);
        assert_eq!(is_tidy(&app), Ok(()));
    }

    fn a_new_name_is_no_difference_that_is_put_back(backend) {
        let app = released(backend);
        app.without("migrations/2_works.sql");
        app.database().execute("update dbsetup_meta set value = 'shop' where key = 'repo:schema_migrations'");
        let before = content(&app.database());
        let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
        assert!(error.notes().iter().any(|note| note.contains("nothing was applied")), "{error:?}");
        assert_eq!(content(&app.database()), before);
        let name = app.database().value("select value from dbsetup_meta where key = 'repo:schema_migrations'");
        assert_eq!((name.as_str(), is_tidy(&app)), ("app", Ok(())));
    }

    fn many_that_start_at_once_end_well(backend) {
        let app = released(backend);
        app.migration("3_fails", "create table third (id int);");
        let started: Vec<_> = (0..5).map(|_| app.start(&["failure restore"])).collect();
        for running in started {
            running.wait().success();
        }
        assert_eq!(app.database().column("select version from schema_migrations order by version"), ["1", "2", "3"]);
        assert_eq!(is_tidy(&app), Ok(()));
    }
}

/// Whether a start has marked the database, and not ended.
fn is_begun(app: &App) -> bool {
    if let Database::Postgres(_) = app.database() {
        let name = app.server().name("app");
        // Killed between the end of the database and the copy that takes its name.
        if app.server().query(&format!("select 1 from pg_database where datname = '{name}'")).is_empty() {
            return true;
        }
    }
    let has_meta = app.database().tables().contains(&"dbsetup_meta".to_owned());
    has_meta && app.database().value("select count(*) from dbsetup_meta where key = 'backup'") == "1"
}

/// Kills a start at a random moment, starts again, and looks at what is there.
fn killed(backend: Backend, name: &str, fails: bool) {
    if backend == Postgres && crate::support::postgres::server().is_none() {
        return;
    }
    // When the work is in its middle differs from machine to machine, and with what else is at work.
    let (mut early, mut late) = (Duration::ZERO, Duration::from_millis(500));
    fault_loop(name, tries(5, 60), |_, random| {
        if late < early + Duration::from_millis(20) {
            (early, late) = (Duration::ZERO, late * 2 + Duration::from_millis(500));
        }
        let app = released(backend);
        if !fails {
            app.migration("3_fails", "create table third (id int);");
        }
        let before = content(&app.database());
        let mut running = app.start(&["failure restore"]);
        let began = Instant::now();
        std::thread::sleep(early);
        random.pause(late - early);
        let at = began.elapsed();
        if !running.is_running() {
            late -= late.saturating_sub(at) / 2;
            return None;
        }
        running.kill();
        drop(running);
        if !is_begun(&app) {
            early += at.saturating_sub(early) / 2;
            return None;
        }
        let again = app.start(&["failure restore"]).wait();
        let verdict = if fails {
            expect("what is there", content(&app.database()), before)
                .and_then(|()| expect("success of a start that must fail", again.is_success(), false))
        } else if again.is_success() {
            let versions = app.database().column("select version from schema_migrations order by version");
            expect("versions", versions, ["1", "2", "3"].map(str::to_owned).to_vec())
        } else {
            Err(again.to_string())
        };
        Some(verdict.and_then(|()| is_tidy(&app)).map_err(|why| format!("{why}\n{again}")))
    });
}

#[test]
fn a_killed_start_that_fails_the_next_time_is_put_back_on_sqlite() {
    killed(Sqlite, "start-up: killed with a copy on SQLite, then failing", true);
}

#[test]
fn a_killed_start_that_succeeds_the_next_time_is_kept_on_sqlite() {
    killed(Sqlite, "start-up: killed with a copy on SQLite, then succeeding", false);
}

#[test]
fn a_killed_start_that_fails_the_next_time_is_put_back_on_postgres() {
    killed(Postgres, "start-up: killed with a copy on PostgreSQL, then failing", true);
}

#[test]
fn a_database_in_wal_mode_stays_in_it() {
    let app = released(Sqlite);
    app.database().execute("pragma journal_mode = wal");
    let before = content(&app.database());
    block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
    assert_eq!(content(&app.database()), before);
    assert_eq!(app.database().value("pragma journal_mode"), "wal");
}

#[test]
fn a_copy_without_its_mark_is_old_and_never_put_back() {
    let app = released(Sqlite);
    let mut copy = app.database_file().into_os_string();
    copy.push("-dbsetup-backup");
    std::fs::copy(app.database_file(), &copy).expect("it can be copied");
    // Months later.
    app.database().execute("insert into users values (3, 'edsger')");
    let before = content(&app.database());
    block_on(app.startup().on_failure(RESTORE).run()).expect_err("the third fails");
    assert_eq!(content(&app.database()), before);
    assert_eq!(is_tidy(&app), Ok(()));
}

#[cfg(unix)]
#[test]
fn a_disk_without_room_for_the_copy_stops_the_start_before_anything_is_migrated() {
    let app = released(Sqlite);
    let before = content(&app.database());
    // A limit on the size of files stands for the full disk; its signal is ignored, so that writing fails.
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' 25; ulimit -f 256; exec \"$@\"", "sh"]).arg(program());
    let run = app.start_with(&["failure restore"], command).wait();
    run.code(1).stderr_contains("nothing was migrated");
    assert_eq!(content(&app.database()), before);
    assert_eq!(is_tidy(&app), Ok(()));
}

#[test]
fn a_database_that_others_use_or_that_cannot_be_copied_is_refused_before_anything_is_migrated() {
    let Some(server) = crate::support::postgres::server() else { return };
    drop(server);
    let app = released(Postgres);
    let before = content(&app.database());
    let guest = app.database().postgres().session();
    let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("somebody is connected");
    assert!(error.notes().iter().any(|note| note == "nothing was migrated"), "{error:?}");
    assert!(error.message().contains("being accessed by other users"), "{error:?}");
    let and_continue = OnFailure::RestoreBackup { and_continue: true };
    let report = block_on(app.startup().on_failure(and_continue).run()).expect("it serves");
    assert!(matches!(report.outcome, Outcome::Continued(_)), "{report:?}");
    drop(guest);
    assert_eq!(content(&app.database()), before);
    let name = app.server().name("app");
    for (with, without, what) in [
        (
            format!("comment on database {name} is 'ours'"),
            format!("comment on database {name} is null"),
            "a comment",
        ),
        (
            format!("alter database {name} connection limit 50"),
            format!("alter database {name} connection limit -1"),
            "a limit of connections",
        ),
    ] {
        app.server().execute(&with);
        let error = block_on(app.startup().on_failure(RESTORE).run()).expect_err("it would be lost");
        assert!(error.message().contains(what), "{error:?}");
        assert_eq!(content(&app.database()), before);
        app.server().execute(&without);
    }
    let role = app.server().role("poor", "");
    app.server().execute(&format!("alter database {} owner to {}", app.server().name("app"), role.name));
    app.database().execute(&format!(
        "grant all on schema public to {0}; grant all on all tables in schema public to {0}",
        role.name
    ));
    let url = app.server().url_as(&role, "app");
    let error = block_on(app.startup().url(&url).on_failure(RESTORE).run()).expect_err("it may not copy");
    assert!(error.message().contains("may not create databases"), "{error:?}");
    assert!(error.notes().iter().any(|note| note == "nothing was migrated"), "{error:?}");
    assert_eq!(content(&app.database()), before);
    assert_eq!(is_tidy(&app), Ok(()));
}
