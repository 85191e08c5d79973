//! Migrations on PostgreSQL: files with a transaction, and several statements without one.

use std::time::Duration;

use super::{ASLEEP, complete};
use crate::support::fault::{fault_loop, holds, terminate, tries, wait_for};
use crate::support::{Postgres, Project, postgres};

/// Kills runs at a random statement and lets one more run finish. `steps` is the number of marks that a whole run
/// leaves, the first file leaves none.
fn kill_loop(name: &str, project: &Project, marks: usize, versions: usize) {
    fault_loop(name, tries(20, 100), |number, random| {
        let environment = format!("kill{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let line = format!("migrate --env {environment}");
        let mut running = project.command(&line).spawn();
        let seen = random.below(marks as u64 - 1) + 1;
        wait_for(&mut watch, "some work is done", &format!("select count(*) >= {seen} from trace"));
        random.pause(Duration::from_millis(12));
        running.kill();
        let _ = running.wait();
        // Every other time the server loses its session with the client; else it finds out by itself.
        if number % 2 == 1 {
            terminate(&mut watch);
        }
        let all = format!("select count(*) = {versions} from schema_migrations");
        if holds(&mut watch, &all) {
            return None;
        }
        Some(complete(&project.run(&line), &mut watch, marks, versions))
    });
}

#[test]
fn transactional_files_are_right_after_a_kill() {
    let Some(server) = postgres::server() else { return };
    let mut project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_trace",
        "create table trace (mark text not null);",
    );
    for number in 2..8 {
        project = project.migration(
            "core",
            &format!("{number}_step"),
            &format!(
                "insert into trace values ('{number} a');\ncreate table t{number} ();\nselect pg_sleep(0.01);\n\
                 insert into trace values ('{number} b');\n"
            ),
        );
    }
    kill_loop("crashes: transactional files", &project, 12, 7);
}

#[test]
fn files_of_several_statements_without_a_transaction_are_right_after_a_kill() {
    let Some(server) = postgres::server() else { return };
    let mut file = String::from("-- no-transaction\n");
    for number in 0..10 {
        file += &format!("insert into trace select '{number}' from pg_sleep(0.008);\n");
        file += &format!("create table t{number} ();\n");
    }
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_trace", "create table trace (mark text not null);")
        .migration("core", "2_many", &file)
        .migration("core", "3_last", "insert into trace values ('last');");
    kill_loop("crashes: statements without a transaction", &project, 11, 3);
}

#[test]
fn blocks_and_statements_that_must_run_alone_are_right_after_a_kill() {
    let Some(server) = postgres::server() else { return };
    let mut file = String::from("-- no-transaction\n");
    for number in 0..5 {
        file += &format!(
            "begin;\ninsert into trace values ('{number} a');\nselect pg_sleep(0.008);\n\
             insert into trace values ('{number} b');\ncommit;\nvacuum trace;\n"
        );
    }
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_trace", "create table trace (mark text not null);")
        .migration("core", "2_blocks", &file)
        .migration("core", "3_last", "insert into trace values ('last');");
    kill_loop("crashes: blocks and VACUUM", &project, 11, 3);
}

#[test]
fn seeds_are_right_after_a_kill() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_trace", "create table trace (mark text not null);")
        .seed(
            "core",
            "insert into trace values ('a');\nselect pg_sleep(0.3);\ninsert into trace values ('b');\n",
        );
    fault_loop("crashes: seeds", tries(20, 100), |number, random| {
        let environment = format!("seed{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        project.run(&format!("migrate --env {environment}")).success();
        let line = format!("seed --env {environment}");
        let mut running = project.command(&line).spawn();
        wait_for(&mut watch, "the seeds are being planted", ASLEEP);
        random.pause(Duration::from_millis(30));
        running.kill();
        let _ = running.wait();
        if number % 2 == 1 {
            terminate(&mut watch);
        }
        // The orphan may have come to its end before it noticed.
        crate::support::wait_until("the orphan is gone", crate::support::fault::PATIENCE, || {
            holds(
                &mut watch,
                &format!("select count(*) = 0 from pg_stat_activity where {}", crate::support::fault::OURS),
            )
        });
        if holds(&mut watch, "select count(*) > 0 from trace") {
            return None;
        }
        Some(complete(&project.run(&line), &mut watch, 2, 1))
    });
}
