//! Crowds of processes that start at the same moment.

use std::time::Duration;

use super::traced;
use crate::support::fault::{expect, fault_loop, is_quiet, tries};
use crate::support::{Backend, Postgres, Project, Run, Sqlite, postgres};

/// Starts `count` processes at once and returns how they ended.
fn crowd(project: &Project, line: &str, count: usize) -> Vec<Run> {
    let started: Vec<_> =
        (0..count).map(|_| project.command(line).timeout(Duration::from_secs(120)).spawn()).collect();
    started.into_iter().map(|running| running.wait()).collect()
}

fn all_succeeded(runs: &[Run]) -> Result<(), String> {
    match runs.iter().find(|run| !run.is_success()) {
        None => Ok(()),
        Some(failed) => {
            let good = runs.iter().filter(|run| run.is_success()).count();
            Err(format!("{good} of {} exit 0, one of the others:\n{failed}", runs.len()))
        }
    }
}

fn eight_set_up_an_absent_database(name: &str, backend: Backend, migrations: usize) {
    let server = (backend == Postgres).then(postgres::server).flatten();
    let project = traced(backend, server.as_ref(), migrations);
    fault_loop(name, tries(5, 20), |number, _| {
        let environment = format!("crowd{number}");
        let runs = crowd(&project, &format!("setup --env {environment}"), 8);
        let database = project.database_in("core", &environment);
        let verdict = all_succeeded(&runs).and_then(|()| {
            let once = database.value("select count(*) from trace");
            expect("rows of the trace", once, (migrations - 1).to_string())?;
            let distinct = database.value("select count(distinct version) from trace");
            expect("versions in the trace", distinct, (migrations - 1).to_string())?;
            let recorded = database.value("select count(*) from schema_migrations");
            expect("rows of the ledger", recorded, migrations.to_string())?;
            if backend == Postgres { is_quiet(&mut database.postgres().session()) } else { Ok(()) }
        });
        Some(verdict)
    });
}

#[test]
fn eight_at_once_set_up_an_absent_postgres_database() {
    if postgres::server().is_none() {
        return;
    }
    eight_set_up_an_absent_database("concurrency: 8 setups on PostgreSQL", Postgres, 100);
}

#[test]
fn eight_at_once_set_up_an_absent_sqlite_file() {
    eight_set_up_an_absent_database("concurrency: 8 setups on SQLite", Sqlite, 100);
}

#[test]
fn four_at_once_build_an_index_concurrently() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_users", "create table users (a int, b int); insert into users select n, n from generate_series(1, 1000) n;")
        .migration(
            "core",
            "2_indexes",
            "-- no-transaction\ncreate index concurrently users_a on users (a);\ncreate index concurrently if not exists users_b on users (b);\n",
        )
        .migration("core", "3_more", "alter table users add c int;");
    fault_loop("concurrency: 4 with CREATE INDEX CONCURRENTLY", tries(5, 50), |number, _| {
        let environment = format!("index{number}");
        let database = project.database_in("core", &environment);
        database.create();
        let runs = crowd(&project, &format!("migrate --env {environment}"), 4);
        if let Some(deadlocked) = runs.iter().find(|run| run.stderr.contains("deadlock")) {
            return Some(Err(deadlocked.to_string()));
        }
        Some(all_succeeded(&runs).and_then(|()| {
            expect("rows of the ledger", database.value("select count(*) from schema_migrations"), "3".into())?;
            expect("valid indexes", database.value("select count(*) from pg_index where indisvalid and indexrelid::regclass::text like 'users_%'"), "2".into())?;
            is_quiet(&mut database.postgres().session())
        }))
    });
}

#[test]
fn repos_run_side_by_side_and_a_failing_one_lets_the_others_finish() {
    let Some(server) = postgres::server() else { return };
    let mut project = Project::new().on(&server);
    for name in ["a", "b", "c", "d"] {
        project = project.repo(name, Postgres).migration(
            name,
            "1_first",
            if name == "b" { "select 1/0;" } else { "create table t (); select pg_sleep(1);" },
        );
    }
    let run = project.run("setup --jobs 4");
    run.code(1).stderr_contains("division by zero");
    for name in ["a", "c", "d"] {
        assert_eq!(project.database(name).column("select version from schema_migrations"), ["1"], "{run}");
    }
    assert!(!project.database("b").tables().contains(&"t".to_owned()));
    // One after the other would take three seconds of sleep alone.
    let project = project.migration("b", "1_first", "create table t ();");
    for name in ["a", "b", "c", "d"] {
        project.write(
            project.priv_dir(name).join("migrations/2_rendezvous.sql"),
            "create table met as select 1; select pg_sleep(0.5);",
        );
    }
    let started = project.run("migrate --jobs 4");
    started.success();
    for name in ["a", "b", "c", "d"] {
        is_quiet(&mut project.database(name).postgres().session()).expect("nothing is left");
    }
    // The four sleeps overlapped.
    let starts: Vec<f64> = ["a", "b", "c", "d"]
        .iter()
        .map(|name| {
            let at = project
                .database(name)
                .value("select extract(epoch from applied_at) from schema_migrations where version = '2'");
            at.parse().expect("seconds")
        })
        .collect();
    let spread =
        starts.iter().copied().fold(f64::MIN, f64::max) - starts.iter().copied().fold(f64::MAX, f64::min);
    assert!(spread < 1.5, "applied {spread} s apart:\n{started}");
}
