//! The same on SQLite.

use std::time::Duration;

use crate::support::fault::{PATIENCE, expect, fault_loop, tries};
use crate::support::{Project, Sqlite, sqlite, wait_until};

/// A statement that leaves a mark and takes some ten milliseconds.
fn slow(mark: &str) -> String {
    format!(
        "insert into trace with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000) \
         select '{mark}' from c where n = 20000;\n"
    )
}

fn marks(database: &sqlite::Database) -> Option<usize> {
    if !database.exists() {
        return None;
    }
    let rows = database.session().try_query("select count(*) from trace").ok()?;
    rows[0][0].parse().ok()
}

fn database(project: &Project, environment: &str) -> sqlite::Database {
    match project.database_in("core", environment) {
        crate::support::Database::Sqlite(database) => database,
        crate::support::Database::Postgres(_) => unreachable!("the repo is SQLite"),
    }
}

fn complete(database: &sqlite::Database, rows: usize, versions: usize) -> Result<(), String> {
    let found = database.query("select count(*), count(distinct mark) from trace");
    expect("marks, distinct marks", found, vec![vec![rows.to_string(), rows.to_string()]])?;
    expect(
        "rows of the ledger",
        database.query("select count(*) from schema_migrations"),
        vec![vec![versions.to_string()]],
    )?;
    expect("integrity", database.query("pragma integrity_check"), vec![vec!["ok".to_owned()]])?;
    let progress = database.session().try_query("select * from dbsetup_progress").unwrap_or_default();
    expect("progress", progress, Vec::new())?;
    let directory = database.path().parent().expect("a file has a directory");
    let stem = database.path().file_name().expect("it has a name").to_string_lossy().into_owned();
    let left: Vec<_> = std::fs::read_dir(directory)
        .expect("the directory is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| {
            name.starts_with(&stem) && *name != stem && !name.ends_with("-wal") && !name.ends_with("-shm")
        })
        .collect();
    expect("files beside the database", left, Vec::new())
}

fn kill_loop(name: &str, project: &Project, rows: usize, versions: usize) {
    fault_loop(name, tries(20, 100), |number, random| {
        let environment = format!("kill{number}");
        let database = database(project, &environment);
        let line = format!("setup --env {environment}");
        let mut running = project.command(&line).spawn();
        let seen = usize::try_from(random.below(rows as u64 - 1)).expect("small") + 1;
        wait_until("some work is done", PATIENCE, || marks(&database).is_some_and(|marks| marks >= seen));
        random.pause(Duration::from_millis(12));
        running.kill();
        let _ = running.wait();
        let all = format!("select count(*) = {versions} from schema_migrations");
        if database.query(&all) == [["1"]] {
            return None;
        }
        let run = project.run(&line);
        if !run.is_success() {
            return Some(Err(run.to_string()));
        }
        Some(complete(&database, rows, versions).map_err(|why| format!("{why}\n{run}")))
    });
}

#[test]
fn transactional_files_are_right_after_a_kill_on_sqlite() {
    let mut project = Project::new().repo("core", Sqlite).migration(
        "core",
        "1_trace",
        "create table trace (mark text not null);",
    );
    for number in 2..8 {
        let file = format!(
            "{}create table t{number} (a);\n{}",
            slow(&format!("{number} a")),
            slow(&format!("{number} b"))
        );
        project = project.migration("core", &format!("{number}_step"), &file);
    }
    kill_loop("crashes: transactional files on SQLite", &project, 12, 7);
}

#[test]
fn many_short_files_are_right_after_a_kill_on_sqlite() {
    const FILES: usize = 500;
    let mut project = Project::new().repo("core", Sqlite).migration(
        "core",
        "1_trace",
        "create table trace (mark text not null);",
    );
    for number in 2..=FILES {
        let file = format!("insert into trace values ('{number}');\ncreate table t{number} (a);\n");
        project = project.migration("core", &format!("{number}_step"), &file);
    }
    let start = std::time::Instant::now();
    project.run("setup --env usual").success();
    let usual = start.elapsed();
    fault_loop("crashes: short files on SQLite", tries(20, 100), |number, random| {
        let environment = format!("short{number}");
        let database = database(&project, &environment);
        let line = format!("setup --env {environment}");
        let mut running = project.command(&line).spawn();
        // Nobody else reads the file while short scripts follow each other.
        wait_until("the file is there", PATIENCE, || database.exists() || !running.is_running());
        random.pause(usual / 2);
        running.kill();
        let _ = running.wait();
        let counts = "select (select count(*) from trace), (select count(*) from schema_migrations), \
                      (select count(*) from sqlite_schema where name glob 't[0-9]*'), \
                      (select ifnull(max(cast(version as integer)), 0) from schema_migrations)";
        let Ok(rows) = database.session().try_query(counts) else { return None };
        let [marks, versions, tables, newest]: [usize; 4] =
            std::array::from_fn(|at| rows[0][at].parse().expect("it is a number"));
        if versions == FILES {
            return None;
        }
        // Those that share a message are done one after the other all the same.
        if marks + 1 != versions || tables != marks || newest != versions {
            return Some(Err(format!(
                "{marks} marks, {tables} tables and {versions} versions up to {newest} after the kill"
            )));
        }
        let run = project.run(&line);
        if !run.is_success() {
            return Some(Err(run.to_string()));
        }
        Some(complete(&database, FILES - 1, FILES).map_err(|why| format!("{why}\n{run}")))
    });
}

#[test]
fn files_of_several_statements_without_a_transaction_are_right_after_a_kill_on_sqlite() {
    let mut file = String::from("-- no-transaction\n");
    for number in 0..10 {
        file += &slow(&number.to_string());
        file += &format!("create table t{number} (a);\n");
    }
    let project = Project::new()
        .repo("core", Sqlite)
        .migration("core", "1_trace", "create table trace (mark text not null);")
        .migration("core", "2_many", &file)
        .migration("core", "3_last", &slow("last"));
    kill_loop("crashes: statements without a transaction on SQLite", &project, 11, 3);
}

#[test]
fn a_structure_is_empty_or_complete_after_a_kill_on_sqlite() {
    let mut project = Project::new().repo("core", Sqlite);
    for number in 1..200 {
        project = project.migration("core", &format!("{number}_t"), &format!("create table t{number} (a);"));
    }
    project.run("setup").success();
    project.run("dump").success();
    let start = std::time::Instant::now();
    project.run("setup --env usual").success();
    let usual = start.elapsed();
    fault_loop("crashes: structure load on SQLite", tries(20, 100), |number, random| {
        let environment = format!("load{number}");
        let database = database(&project, &environment);
        let line = format!("setup --env {environment}");
        let mut running = project.command(&line).spawn();
        wait_until("the file is there", PATIENCE, || database.exists() || !running.is_running());
        random.pause(usual / 2);
        if !running.is_running() {
            return None;
        }
        running.kill();
        let _ = running.wait();
        let count = "select count(*) from sqlite_schema where type = 'table' and name glob 't[0-9]*'";
        let found = database.query(count)[0][0].clone();
        if found != "0" && found != "199" {
            return Some(Err(format!("{found} of 199 tables are there after the kill")));
        }
        let run = project.run(&line);
        if !run.is_success() {
            return Some(Err(run.to_string()));
        }
        Some(expect("tables", database.query(count), vec![vec!["199".to_owned()]]).and_then(|()| {
            expect(
                "ledger",
                database.query("select count(*) from schema_migrations"),
                vec![vec!["199".to_owned()]],
            )
        }))
    });
}

#[test]
fn an_interrupted_migration_is_undone_on_sqlite() {
    let file = "create table half (a);\n\
                insert into half with recursive c(n) as (select 1 union all select n + 1 from c where n < 3000000000) \
                select count(*) from c;\n";
    let project = Project::new()
        .repo("core", Sqlite)
        .migration("core", "1_trace", "create table trace (mark text not null);")
        .migration("core", "2_long", file);
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let environment = signal.to_lowercase();
        let database = database(&project, &environment);
        let mut running = project.command(&format!("setup --env {environment}")).spawn();
        wait_until("the first migration is done", PATIENCE, || {
            database.exists()
                && database
                    .session()
                    .try_query("select version from schema_migrations")
                    .is_ok_and(|rows| rows.len() == 1)
        });
        running.signal(signal);
        let run = running.wait();
        run.code(code);
        assert!(run.took < PATIENCE, "{run}");
        assert_eq!(
            database.query("select name from sqlite_schema where name = 'half'"),
            Vec::<Vec<String>>::new()
        );
        let short = project
            .command(&format!("migrate --to 1 --env {environment}"))
            .env("DBSETUP_LOCK_WAIT", "0s")
            .run();
        short.success();
    }
}
