//! A structure load that is killed leaves nothing or everything.

use std::time::Duration;

use super::ASLEEP;
use crate::support::fault::{expect, fault_loop, is_quiet, tell, terminate, tries, wait_for};
use crate::support::{Postgres, Project, postgres};

const TABLES: usize = 20;

/// A structure of another program's making, which may hold any statement: sleeps make moments to kill at.
fn slow_structure() -> String {
    let mut text = String::from("create table schema_migrations (version varchar not null primary key);\n");
    for number in 0..TABLES {
        text += &format!("create table t{number} (id int primary key);\nselect pg_sleep(0.005);\n");
    }
    text + "insert into schema_migrations (version) values ('1');\n"
}

#[test]
fn a_structure_is_empty_or_complete_after_a_kill() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config("core", "ledger = \"dbmate\"")
        .structure("core", &slow_structure())
        .priv_file(
            "core",
            "migrations/1_first.sql",
            "-- migrate:up\ncreate table t0 (id int primary key);\n-- migrate:down\n",
        );
    let mut complete = 0;
    fault_loop("crashes: structure load", tries(20, 100), |number, random| {
        let environment = format!("load{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let line = format!("setup --env {environment}");
        let mut running = project.command(&line).spawn();
        wait_for(&mut watch, "the load is under way", ASLEEP);
        random.pause(Duration::from_millis(80));
        if !running.is_running() {
            return None;
        }
        running.kill();
        let _ = running.wait();
        if number % 2 == 1 {
            terminate(&mut watch);
        }
        let count = "select count(*) from pg_class where relname ~ '^t[0-9]+$' and relkind = 'r'";
        let found = watch.query(count)[0][0].clone();
        if found == TABLES.to_string() {
            complete += 1;
        } else if found != "0" {
            return Some(Err(format!("{found} of {TABLES} tables are there after the kill")));
        }
        let run = project.run(&line);
        if !run.is_success() {
            return Some(Err(run.to_string()));
        }
        Some(
            expect("tables", watch.query(count), vec![vec![TABLES.to_string()]])
                .and_then(|()| {
                    expect(
                        "rows of the ledger",
                        watch.query("select version from schema_migrations"),
                        vec![vec!["1".to_owned()]],
                    )
                })
                .and_then(|()| is_quiet(&mut watch))
                .map_err(|why| format!("{why}\n{run}")),
        )
    });
    tell(&format!("crashes: structure load: {complete} were complete before the rerun"));
}

#[test]
fn many_setups_load_a_structure_once() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_first",
        "create table t (id int primary key);",
    );
    project.run("setup").success();
    project.run("dump").success();
    fault_loop("concurrency: 8 setups load a structure", tries(3, 20), |number, _| {
        let environment = format!("many{number}");
        let running: Vec<_> =
            (0..8).map(|_| project.command(&format!("setup --env {environment}")).spawn()).collect();
        let runs: Vec<_> = running.into_iter().map(|running| running.wait()).collect();
        if let Some(failed) = runs.iter().find(|run| !run.is_success()) {
            return Some(Err(failed.to_string()));
        }
        let mut session = project.database_in("core", &environment).postgres().session();
        Some(
            expect(
                "rows",
                session.query("select version from schema_migrations"),
                vec![vec!["1".to_owned()]],
            )
            .and_then(|()| is_quiet(&mut session)),
        )
    });
}

/// Where one transaction would need more locks than the server has, a load is several: then only the marker tells
/// that it is not whole.
#[test]
#[cfg(unix)]
fn a_load_in_several_transactions_is_done_again_after_a_kill() {
    use crate::support::private_server::PrivateServer;

    const MANY: usize = 1200;
    let options = "-c max_locks_per_transaction=10 -c max_connections=20";
    let Some(private) = PrivateServer::start_with(options) else { return };
    let mut structure =
        String::from("create table schema_migrations (version varchar not null primary key);\n");
    for number in 0..MANY {
        structure += &format!("create table t{number} ();\n");
        if number % 100 == 99 {
            structure += "select pg_sleep(0.02);\n";
        }
    }
    structure += "insert into schema_migrations (version) values ('1');\n";
    let project = Project::new()
        .on(private.server())
        .repo("core", Postgres)
        .repo_config("core", "ledger = \"dbmate\"")
        .structure("core", &structure)
        .priv_file("core", "migrations/1_first.sql", "-- migrate:up\nselect 1;\n-- migrate:down\n");
    let count = "select count(*) from pg_class where relname ~ '^t[0-9]+$' and relkind = 'r'";
    let mut partial = 0;
    fault_loop("crashes: structure load in several transactions", tries(4, 30), |number, random| {
        let environment = format!("many{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let line = format!("setup --env {environment}");
        let mut running = project.command(&line).spawn();
        let seen = 400 * random.below(3) + 1;
        wait_for(
            &mut watch,
            "some chunks are there",
            &count.replace("count(*)", &format!("count(*) >= {seen}")),
        );
        random.pause(Duration::from_millis(20));
        running.kill();
        let _ = running.wait();
        terminate(&mut watch);
        let found = watch.query(count)[0][0].clone();
        if found == MANY.to_string() {
            return None;
        }
        partial += usize::from(found != "0");
        // Whoever looks in between is told, and changes nothing.
        let migrate = project.run(&format!("migrate --no-load --env {environment}"));
        if migrate.is_success() {
            return Some(Err(format!("a half loaded database was migrated:\n{migrate}")));
        }
        if number % 2 == 1 {
            // And once more, while it is done again.
            let mut again = project.command(&line).spawn();
            again.wait_for_stderr("done again from the start");
            wait_for(&mut watch, "it is emptied", &count.replace("count(*)", "count(*) < 400"));
            wait_for(
                &mut watch,
                "some chunks are there",
                &count.replace("count(*)", "count(*) between 400 and 1199"),
            );
            again.kill();
            let _ = again.wait();
            terminate(&mut watch);
        }
        let run = project.run(&line);
        if !run.is_success() {
            return Some(Err(run.to_string()));
        }
        let recorded = watch.query("select version from schema_migrations");
        Some(
            expect("tables", watch.query(count), vec![vec![MANY.to_string()]])
                .and_then(|()| expect("ledger", recorded, vec![vec!["1".to_owned()]]))
                .and_then(|()| is_quiet(&mut watch))
                .map_err(|why| format!("{why}\n{run}")),
        )
    });
    tell(&format!(
        "crashes: structure load in several transactions: {partial} were partial before the rerun"
    ));
}

#[test]
fn a_database_that_was_emptied_and_loaded_again_keeps_the_record_of_itself() {
    for backend in crate::support::Backend::available() {
        let project = Project::new().repo("core", backend).migration(
            "core",
            "1_first",
            "create table t (id integer primary key);",
        );
        project.run("setup").success();
        project.run("dump").success();
        let record =
            "select key, value from dbsetup_meta where key in ('format', 'environment') order by key";
        let before = project.database("core").query(record);
        assert_eq!(before.len(), 2, "{before:?}");
        project.run("load --force --yes").success();
        assert_eq!(project.database("core").query(record), before);
    }
}
