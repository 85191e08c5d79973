//! Ctrl-C and SIGTERM in the middle of a long statement.

use std::time::{Duration, Instant};

use super::ASLEEP;
use crate::support::fault::{PATIENCE, is_quiet, wait_for};
use crate::support::{Postgres, Project, postgres};

fn long(project: Project) -> Project {
    project.migration("core", "1_first", "create table first ();").migration(
        "core",
        "2_long",
        "create table half ();\nselect pg_sleep(60);\n",
    )
}

#[test]
fn a_signal_ends_the_statement_and_leaves_nothing() {
    let Some(server) = postgres::server() else { return };
    let project = long(Project::new().on(&server).repo("core", Postgres));
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let environment = signal.to_lowercase();
        let mut running = project.command(&format!("setup --env {environment}")).spawn();
        let database = project.database_in("core", &environment).postgres();
        running.wait_for_stderr("1 first");
        let mut watch = database.session();
        wait_for(&mut watch, "the long statement runs", ASLEEP);
        let start = Instant::now();
        running.signal(signal);
        let run = running.wait();
        run.code(code);
        assert!(start.elapsed() < Duration::from_secs(5), "{run}");
        // At once: the run ends only when its session has ended.
        assert_eq!(watch.query("select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"), [["0"]], "{run}");
        is_quiet(&mut watch).unwrap_or_else(|why| panic!("{why}\n{run}"));
        assert_eq!(watch.query("select to_regclass('half')"), [["NULL"]]);
        assert_eq!(watch.query("select version from schema_migrations"), [["1"]]);
        let next = project
            .command(&format!("migrate --to 1 --env {environment}"))
            .env("DBSETUP_LOCK_WAIT", "0s")
            .run();
        next.success();
    }
}

#[test]
fn a_signal_while_an_index_is_built_concurrently_leaves_what_the_next_run_mends() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_users", "create table users (a int);")
        .migration("core", "2_index", "-- no-transaction\ncreate index concurrently users_a on users (a);\n");
    project.run("create").success();
    project.run("migrate --to 1").success();
    let database = project.database("core").postgres();
    let mut writer = database.session();
    writer.execute("begin; insert into users values (1)");
    let mut running = project.command("migrate").spawn();
    let mut watch = database.session();
    wait_for(
        &mut watch,
        "the build waits",
        "select count(*) from pg_stat_progress_create_index where phase like 'waiting%'",
    );
    running.signal("INT");
    running.wait().code(130);
    writer.execute("commit");
    project.run("migrate").success();
    is_quiet(&mut watch).expect("the index is mended");
    assert_eq!(
        watch.query("select count(*) from pg_index where indisvalid and indexrelid = to_regclass('users_a')"),
        [["1"]]
    );
}

#[test]
fn a_signal_while_waiting_for_the_lock_ends_the_wait() {
    let Some(server) = postgres::server() else { return };
    let project = long(Project::new().on(&server).repo("core", Postgres));
    let database = project.database("core").postgres();
    database.create();
    let mut holder = project.command("migrate").spawn();
    let mut watch = database.session();
    wait_for(&mut watch, "the holder is at work", ASLEEP);
    let mut waiter = project.command("migrate").spawn();
    waiter.wait_for_stderr("Waiting for the lock");
    waiter.signal("TERM");
    let run = waiter.wait();
    run.code(143);
    assert!(holder.is_running(), "the holder was ended with the waiter:\n{run}");
    holder.signal("INT");
    holder.wait().code(130);
    is_quiet(&mut watch).expect("nothing is left");
}

#[test]
fn every_repo_of_an_interrupted_run_is_released() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).repo("data", Postgres);
    let project = project
        .migration("core", "1_long", "create table half (); select pg_sleep(60);")
        .migration("data", "1_long", "create table half (); select pg_sleep(60);");
    project.run("create").success();
    let mut running = project.command("migrate").spawn();
    let mut sessions: Vec<_> =
        ["core", "data"].iter().map(|repo| project.database(repo).postgres().session()).collect();
    for session in &mut sessions {
        wait_for(session, "the repo is at work", ASLEEP);
    }
    running.signal("INT");
    let run = running.wait();
    run.code(130);
    for session in &mut sessions {
        is_quiet(session).unwrap_or_else(|why| panic!("{why}\n{run}"));
        assert_eq!(session.query("select to_regclass('half')"), [["NULL"]]);
    }
    assert!(run.took < PATIENCE);
}
