//! What a test's database costs, beside the least that it can cost, and beside a replay: medians of runs that take turns.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use dbsetup::Source;
use dbsetup::testing::Database;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

const ROUNDS: usize = 60;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

fn source() -> Source {
    Source::directory("core", env!("CARGO_MANIFEST_DIR"))
}

fn report(name: &str, ours: Vec<Duration>, bare: Vec<Duration>, ours_end: Vec<Duration>, bare_end: Vec<Duration>) {
    let (ours, bare, ours_end, bare_end) = (median(ours), median(bare), median(ours_end), median(bare_end));
    println!(
        "{name}: made in {ours:.2?}, bare {bare:.2?}: {:.2}; removed in {ours_end:.2?}, bare {bare_end:.2?}: {:.2}",
        ours.as_secs_f64() / bare.as_secs_f64(),
        ours_end.as_secs_f64() / bare_end.as_secs_f64()
    );
}

#[test]
#[ignore = "for ./scripts/bench-testing"]
fn postgres() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = std::env::var("DATABASE_URL").unwrap();
    drop(Database::blocking(source()).unwrap());
    let mut connection = runtime.block_on(PgConnection::connect(&url)).unwrap();
    let template: String = runtime
        .block_on(
            sqlx::query_scalar(
                "SELECT datname::text FROM pg_database WHERE datname LIKE 'dbsetup\\_template\\_%' ORDER BY oid DESC LIMIT 1",
            )
            .fetch_one(&mut connection),
        )
        .unwrap();
    let mut run = |statement: String| {
        let start = Instant::now();
        runtime.block_on(sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection)).unwrap();
        start.elapsed()
    };
    let (mut ours, mut bare, mut ours_end, mut bare_end) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        bare.push(run(format!("CREATE DATABASE bare TEMPLATE {template}")));
        bare_end.push(run("DROP DATABASE bare".to_owned()));
        let start = Instant::now();
        let database = Database::blocking(source()).unwrap();
        ours.push(start.elapsed());
        let start = Instant::now();
        drop(database);
        ours_end.push(start.elapsed());
    }
    report("PostgreSQL", ours, bare, ours_end, bare_end);
}

/// How much longer than a test's database a replay takes. `REPLAYS` has a line for each tool: its name, `=`, and a command
/// of the shell that makes the database `$DATABASE_URL`, which is not there, and migrates it.
#[test]
#[ignore = "for ./scripts/bench-testing"]
fn replays() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let url = std::env::var("DATABASE_URL").unwrap();
    let replayed = format!("{}/replayed", url.rsplit_once('/').unwrap().0);
    drop(Database::blocking(source()).unwrap());
    let mut connection = runtime.block_on(PgConnection::connect(&url)).unwrap();
    for line in std::env::var("REPLAYS").unwrap().lines() {
        let (name, command) = line.split_once('=').unwrap();
        let (mut theirs, mut ours) = (vec![], vec![]);
        for _ in 0..9 {
            let start = Instant::now();
            drop(Database::blocking(source()).unwrap());
            ours.push(start.elapsed());
            runtime
                .block_on(sqlx::raw_sql("DROP DATABASE IF EXISTS replayed").execute(&mut connection))
                .unwrap();
            let start = Instant::now();
            let done = Command::new("sh").args(["-c", command]).env("DATABASE_URL", &replayed).output().unwrap();
            theirs.push(start.elapsed());
            assert!(done.status.success(), "{name}: {}", String::from_utf8_lossy(&done.stderr));
        }
        let (theirs, ours) = (median(theirs), median(ours));
        let times = theirs.as_secs_f64() / ours.as_secs_f64();
        println!("{name}: made by a replay in {theirs:.2?}; a test's, made and removed in {ours:.2?}: {times:.1} times");
    }
}

#[test]
#[ignore = "for ./scripts/bench-testing"]
fn sqlite() {
    let first = Database::blocking(source()).unwrap();
    let directory = first.path().unwrap().parent().unwrap().to_owned();
    let templates = std::fs::read_dir(directory.join(".dbsetup-templates")).unwrap();
    let size = |path: &Path| std::fs::metadata(path).unwrap().len();
    let template = templates
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "db"))
        .max_by_key(|path| size(path))
        .unwrap();
    let copy = directory.join("bare");
    let (mut ours, mut bare, mut ours_end, mut bare_end) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS * 5 {
        let start = Instant::now();
        std::fs::copy(&template, &copy).unwrap();
        bare.push(start.elapsed());
        let start = Instant::now();
        std::fs::remove_file(&copy).unwrap();
        bare_end.push(start.elapsed());
        let start = Instant::now();
        let database = Database::blocking(source()).unwrap();
        ours.push(start.elapsed());
        let start = Instant::now();
        drop(database);
        ours_end.push(start.elapsed());
    }
    report("SQLite", ours, bare, ours_end, bare_end);
}
