//! A connection that the server ends in the middle: the run connects again and finishes.

use std::time::Duration;

use super::{ASLEEP, complete};
use crate::support::fault::{fault_loop, terminate, tries, wait_for};
use crate::support::{Postgres, Project, postgres};

fn trace(server: &postgres::Server) -> Project {
    Project::new().on(server).repo("core", Postgres).migration(
        "core",
        "1_trace",
        "create table trace (mark text not null);\ncreate table users (a int);",
    )
}

fn terminate_loop(name: &str, project: &Project, condition: &str, marks: usize, versions: usize) {
    fault_loop(name, tries(10, 100), |number, random| {
        let environment = format!("end{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let mut running = project.command(&format!("migrate --env {environment}")).spawn();
        wait_for(&mut watch, "the run is in its middle", condition);
        random.pause(Duration::from_millis(30));
        if terminate(&mut watch) == 0 || !running.is_running() {
            return None;
        }
        Some(complete(&running.wait(), &mut watch, marks, versions))
    });
}

#[test]
fn a_transactional_run_goes_on_after_its_session_was_ended() {
    let Some(server) = postgres::server() else { return };
    let mut project = trace(&server);
    for number in 2..6 {
        project = project.migration(
            "core",
            &format!("{number}_step"),
            &format!("insert into trace values ('{number} a'); select pg_sleep(0.15); insert into trace values ('{number} b');"),
        );
    }
    terminate_loop("crashes: session ended, transactional", &project, ASLEEP, 8, 5);
}

#[test]
fn a_run_without_a_transaction_goes_on_after_its_session_was_ended() {
    let Some(server) = postgres::server() else { return };
    let mut file = String::from("-- no-transaction\n");
    for number in 0..5 {
        file += &format!("insert into trace select '{number}' from pg_sleep(0.15);\n");
    }
    file += "create index concurrently users_a on users (a);\ninsert into trace values ('after');\n";
    let project = trace(&server).migration("core", "2_many", &file);
    terminate_loop("crashes: session ended, without a transaction", &project, ASLEEP, 6, 2);
}

#[test]
fn two_runs_end_well_after_the_session_of_one_was_ended() {
    let Some(server) = postgres::server() else { return };
    let mut project = trace(&server);
    for number in 2..6 {
        project = project.migration(
            "core",
            &format!("{number}_step"),
            &format!("insert into trace values ('{number}'); select pg_sleep(0.15);"),
        );
    }
    fault_loop("crashes: session ended, two runs", tries(10, 100), |number, random| {
        let environment = format!("two{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let line = format!("migrate --env {environment}");
        let (first, second) = (project.command(&line).spawn(), project.command(&line).spawn());
        wait_for(&mut watch, "one of them is in its middle", ASLEEP);
        random.pause(Duration::from_millis(40));
        let holder = "select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and granted \
                      and database = (select oid from pg_database where datname = current_database())";
        let ended = watch.query(holder).len();
        let (first, second) = (first.wait(), second.wait());
        if ended == 0 {
            return None;
        }
        Some(complete(&first, &mut watch, 4, 5).and_then(|()| complete(&second, &mut watch, 4, 5)))
    });
}
