//! A server that crashes or hangs under a run.

use std::time::{Duration, Instant};

use super::{ASLEEP, complete};
use crate::support::fault::{fault_loop, tries, wait_for};
use crate::support::private_server::PrivateServer;
use crate::support::{Postgres, Project};

#[test]
fn a_run_on_a_server_that_crashed_waits_for_it_and_is_right() {
    let Some(private) = PrivateServer::start() else { return };
    let mut project = Project::new().on(private.server()).repo("core", Postgres).migration(
        "core",
        "1_trace",
        "create table trace (mark text not null);\ncreate table users (a int);",
    );
    for number in 2..5 {
        project = project.migration(
            "core",
            &format!("{number}_step"),
            &format!("insert into trace values ('{number} a'); select pg_sleep(0.05); insert into trace values ('{number} b');"),
        );
    }
    let project = project.migration(
        "core",
        "5_alone",
        "-- no-transaction\ninsert into trace select 'x' from pg_sleep(0.05);\ncreate index concurrently users_a on users (a);\n\
         insert into trace select 'y' from pg_sleep(0.05);\n",
    );
    fault_loop("crashes: server crashed", tries(6, 30), |number, random| {
        let environment = format!("crash{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let line = format!("migrate --env {environment}");
        let mut running = project.command(&line).spawn();
        wait_for(&mut watch, "the run is in its middle", ASLEEP);
        drop(watch);
        random.pause(Duration::from_millis(200));
        if !running.is_running() {
            return None;
        }
        private.crash();
        let first = running.wait();
        if !first.is_success() {
            return Some(Err(format!("the run did not wait for the server:\n{first}")));
        }
        Some(
            complete(&project.run(&line), &mut database.session(), 8, 5)
                .map_err(|why| format!("{why}\n{first}")),
        )
    });
}

#[test]
fn a_second_signal_does_not_wait_for_a_server_that_hangs() {
    let Some(private) = PrivateServer::start() else { return };
    let project = Project::new().on(private.server()).repo("core", Postgres).migration(
        "core",
        "1_long",
        "create table half (); select pg_sleep(60);",
    );
    project.run("create").success();
    let mut running = project.command("migrate").spawn();
    let mut watch = project.database("core").postgres().session();
    wait_for(&mut watch, "the run is in its middle", ASLEEP);
    private.freeze(true);
    running.signal("INT");
    running.wait_for_stderr("Interrupted");
    let start = Instant::now();
    running.signal("INT");
    let run = running.wait();
    private.freeze(false);
    run.code(130);
    assert!(start.elapsed() < Duration::from_secs(2), "{run}");
}

#[test]
fn a_signal_does_not_wait_for_ever_for_a_server_that_hangs() {
    let Some(private) = PrivateServer::start() else { return };
    let project = Project::new().on(private.server()).repo("core", Postgres).migration(
        "core",
        "1_long",
        "create table half (); select pg_sleep(60);",
    );
    project.run("create").success();
    let mut running = project.command("migrate").spawn();
    let mut watch = project.database("core").postgres().session();
    wait_for(&mut watch, "the run is in its middle", ASLEEP);
    private.freeze(true);
    let start = Instant::now();
    running.signal("TERM");
    let run = running.wait();
    private.freeze(false);
    run.code(143);
    assert!(start.elapsed() < Duration::from_secs(10), "{run}");
}
