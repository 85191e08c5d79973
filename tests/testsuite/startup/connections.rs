//! Whatever becomes of a start-up, its connection is closed and its locks are given back.

use std::time::Duration;

use dbsetup::event::{Event, Observer, What};
use dbsetup::startup::{Outcome, Phase, Phases};

use super::app::{App, block_on};
use crate::support::fault::{is_quiet, wait_for};
use crate::support::{Postgres, Sqlite};

const ASLEEP: &str = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' \
                      and datname = current_database() and application_name like 'dbsetup start-up%'";

/// Waits until nothing is left of a start-up in the database.
#[track_caller]
fn assert_quiet(app: &App) {
    is_quiet(&mut app.database().postgres().session()).expect("nothing is left");
}

#[test]
fn a_start_that_is_cancelled_in_a_migration_leaves_nothing() {
    let Some(app) = App::new(Postgres) else { return };
    app.migration("1_first", "create table first (id int);");
    app.migration("2_sleeps", "create table never (id int); select pg_sleep(60);");
    app.database().create();
    let mut watch = app.database().postgres().session();
    let phases = Phases::new();
    let startup = app.startup().phases(&phases);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = runtime.expect("the process may have one more");
    let running = runtime.spawn(startup.run());
    wait_for(&mut watch, "the second migration runs", ASLEEP);
    assert_eq!(phases.current(), Phase::Migrating("2".into()));
    running.abort();
    let result = runtime.block_on(running);
    assert!(result.expect_err("it was cancelled").is_cancelled());
    assert_eq!(phases.current(), Phase::Failed);
    assert_quiet(&app);
    assert_eq!(app.database().user_tables(), ["first", "schema_migrations"]);
}

#[test]
fn a_start_that_is_cancelled_while_it_waits_for_the_lock_leaves_nothing() {
    let Some(app) = App::new(Postgres) else { return };
    app.migration("1_sleeps", "create table slept (id int); select pg_sleep(2);");
    app.database().create();
    let mut watch = app.database().postgres().session();
    let first = app.start(&[]);
    wait_for(&mut watch, "the first application migrates", ASLEEP);
    let phases = Phases::new();
    let startup = app.startup().phases(&phases);
    block_on(async {
        let mut watcher = phases.clone();
        let run = startup.run();
        tokio::select! {
            result = run => panic!("it waits: {result:?}"),
            () = async { while watcher.changed().await != Phase::Waiting {} } => {}
        }
    });
    first.wait().success();
    assert_quiet(&app);
}

/// Panics in the middle of the work.
struct Panics;

impl Observer for Panics {
    fn on(&self, event: &Event) {
        if let What::MigrationStarted { version, .. } = &event.what {
            assert_ne!(version, "2", "the observer of an application has its own mistakes");
        }
    }
}

#[test]
fn a_start_that_panics_leaves_nothing_and_the_next_one_ends_it() {
    for backend in crate::support::Backend::available() {
        let Some(app) = App::new(backend) else { continue };
        app.migration("1_first", "create table first (id int);");
        app.migration("2_second", "create table second (id int);");
        app.database().create();
        let startup = app.startup().observer(Panics);
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("the process may have one more");
        let result = runtime.block_on(runtime.spawn(startup.run()));
        assert!(result.expect_err("it panics").is_panic());
        if backend == Postgres {
            assert_quiet(&app);
        }
        // In the same process, where nothing is cleaned up by its end.
        let report = runtime.block_on(app.startup().lock_wait(Duration::from_secs(5)).run());
        assert_eq!(report.expect("nothing is in the way").applied, ["2"]);
    }
}

#[test]
fn a_start_that_fails_leaves_nothing() {
    let Some(app) = App::new(Postgres) else { return };
    app.migration("1_wrong", "create table first (id int); selct 1;");
    app.database().create();
    let error = block_on(app.startup().run()).expect_err("the migration is wrong");
    assert_eq!(error.kind(), dbsetup::Kind::Statement);
    assert_quiet(&app);
    assert!(app.database().user_tables().iter().all(|table| table == "schema_migrations"));
}

#[test]
fn a_start_that_is_cancelled_on_sqlite_gives_the_file_back() {
    let Some(app) = App::new(Sqlite) else { return };
    app.migration("1_first", "create table first (id int);");
    app.migration(
        "2_long",
        "create table second as with recursive n(i) as (select 1 union all select i + 1 from n where i < 300000000) \
         select count(*) as c from n;",
    );
    app.database().create();
    block_on(async {
        let phases = Phases::new();
        let run = app.startup().phases(&phases).run();
        let mut watcher = phases.clone();
        tokio::select! {
            result = run => panic!("it counts: {result:?}"),
            () = async { while watcher.changed().await != Phase::Migrating("2".into()) {} } => {}
        }
        app.migration("2_long", "create table second (id int);");
        let report = app.startup().lock_wait(Duration::from_secs(10)).run().await.expect("the file is free");
        assert!(matches!(report.outcome, Outcome::Migrated));
        assert_eq!(report.applied, ["2"]);
    });
}
