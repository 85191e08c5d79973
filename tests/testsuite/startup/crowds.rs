//! Many processes that start at the same moment on one database.

use super::app::App;
use crate::support::fault::{expect, fault_loop, is_quiet, tries};
use crate::support::{Backend, Postgres, Run, Sqlite};

const CROWD: usize = 16;
const MIGRATIONS: usize = 12;

/// An application whose migrations leave a row each that nothing keeps from being there twice.
fn traced(backend: Backend, with_structure: bool) -> Option<App> {
    let app = App::new(backend)?;
    let schema = if backend == Postgres { "public." } else { "" };
    if with_structure {
        // What a structure file is: the first migration squashed, and its row.
        let columns = "version text PRIMARY KEY, seq bigint, name text NOT NULL, source text NOT NULL, checksum text, \
             applied_at text NOT NULL DEFAULT 'then', execution_ms bigint, tool_version text";
        app.file(
            "structure.sql",
            &format!(
                "create table {schema}trace (version text not null);\n\
                 create table {schema}schema_migrations ({columns});\n\
                 insert into {schema}schema_migrations (version, name, source) values ('0', 'trace', 'migrations');\n"
            ),
        );
    }
    app.migration("0_trace", "create table trace (version text not null);");
    for number in 1..MIGRATIONS {
        app.migration(
            &format!("{number}_step"),
            &format!(
                "create table t{number} (id integer primary key);\ninsert into trace values ('{number}');"
            ),
        );
    }
    if backend == Postgres {
        app.migration(
            &format!("{MIGRATIONS}_index"),
            "-- no-transaction\ncreate index concurrently trace_version on trace (version);\n",
        );
    }
    app.file("seeds.sql", "insert into trace values ('seed');\n");
    Some(app)
}

fn versions_of(runs: &[Run]) -> Vec<String> {
    let mut versions: Vec<String> = runs
        .iter()
        .filter_map(|run| run.stderr.lines().find_map(|line| line.split_once("; applied ")))
        .flat_map(|(_, versions)| versions.split_whitespace().map(str::to_owned))
        .collect();
    versions.sort_by_key(|version| version.parse::<usize>().unwrap_or(0));
    versions
}

fn crowd(backend: Backend, with_structure: bool, name: &str) {
    let Some(mut app) = traced(backend, with_structure) else { return };
    let migrations = if backend == Postgres { MIGRATIONS + 1 } else { MIGRATIONS };
    fault_loop(name, tries(5, 100), |number, _| {
        app.of(&format!("crowd{number}"));
        let go = app.directory().join(format!("go{number}"));
        let go_wish = format!("go {}", go.display());
        let mut wishes = vec![go_wish.as_str(), "seed"];
        // Every second crowd finds no database at all.
        if number % 2 == 0 {
            app.database().create();
        } else {
            wishes.push("create");
        }
        let started: Vec<_> = (0..CROWD).map(|_| app.start(&wishes)).collect();
        std::fs::write(&go, "").expect("it is writable");
        let runs: Vec<Run> = started.into_iter().map(crate::support::Running::wait).collect();
        if let Some(failed) = runs.iter().find(|run| !run.is_success()) {
            let good = runs.iter().filter(|run| run.is_success()).count();
            return Some(Err(format!("{good} of {CROWD} exit 0, one of the others:\n{failed}")));
        }
        let database = app.database();
        let verdict = (|| {
            let first = usize::from(with_structure);
            let all: Vec<String> = (first..migrations).map(|version| version.to_string()).collect();
            expect("versions that are said to be applied", versions_of(&runs), all)?;
            let rows = database.value("select count(*) from trace");
            expect("rows of the trace", rows, MIGRATIONS.to_string())?;
            let distinct = database.value("select count(distinct version) from trace");
            expect("marks in the trace", distinct, MIGRATIONS.to_string())?;
            let recorded = database.value("select count(*) from schema_migrations");
            expect("rows of the ledger", recorded, migrations.to_string())?;
            if backend == Postgres { is_quiet(&mut database.postgres().session()) } else { Ok(()) }
        })();
        Some(verdict)
    });
}

#[test]
fn sixteen_start_at_once_on_postgres() {
    crowd(Postgres, false, "start-up: 16 processes on PostgreSQL");
}

#[test]
fn sixteen_start_at_once_on_sqlite() {
    crowd(Sqlite, false, "start-up: 16 processes on SQLite");
}

#[test]
fn sixteen_load_the_structure_at_once_on_postgres() {
    crowd(Postgres, true, "start-up: 16 processes with a structure on PostgreSQL");
}

#[test]
fn sixteen_load_the_structure_at_once_on_sqlite() {
    crowd(Sqlite, true, "start-up: 16 processes with a structure on SQLite");
}
