//! An application that migrates itself at start-up with the sqlx crate, and we, on one database and one ledger.

use std::path::PathBuf;
use std::thread::JoinHandle;

use sqlx::ConnectOptions as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;

use crate::support::fault::{expect, fault_loop, is_quiet, tries, wait_for};
use crate::support::{Postgres, Project, postgres};

/// Runs `Migrator::run`, as an application does, on a thread of its own.
pub fn application(url: &str, migrations: PathBuf) -> JoinHandle<Result<(), MigrateError>> {
    let options: PgConnectOptions = url.parse().expect("the URL is right");
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            let migrator = Migrator::new(migrations).await?;
            let mut connection = options.application_name("the application").connect().await?;
            migrator.run(&mut connection).await
        })
    })
}

const WAITS: &str = "select count(*) from pg_locks where locktype = 'advisory' and not granted \
                     and database = (select oid from pg_database where datname = current_database())";

fn project(server: &postgres::Server) -> Project {
    Project::new().on(server).repo("core", Postgres).repo_config("core", "ledger = \"sqlx\"").migration(
        "core",
        "1_users",
        "create table users (a int); insert into users select generate_series(1, 1000);",
    )
}

fn recorded(session: &mut postgres::Session, count: usize) -> Result<(), String> {
    let rows = session.try_query("select version from _sqlx_migrations where success order by version");
    expect("rows of the ledger", rows.map(|rows| rows.len()).map_err(|error| error.to_string()), Ok(count))
}

#[test]
fn an_application_waits_while_an_index_is_built_concurrently() {
    let Some(server) = postgres::server() else { return };
    // A file for each statement: the application sends a file as one message.
    let project = project(&server)
        .migration("core", "2_prepare", "-- no-transaction\nselect pg_sleep(0.5);")
        .migration("core", "3_index", "-- no-transaction\ncreate index concurrently users_a on users (a);")
        .migration("core", "4_more", "alter table users add b int;");
    fault_loop("concurrency: application waits during our index", tries(3, 20), |number, _| {
        let environment = format!("wait{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let running = project.command(&format!("migrate --env {environment}")).spawn();
        wait_for(
            &mut watch,
            "our second file runs",
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
        );
        let application =
            application(&database.url(), project.path(project.priv_dir("core")).join("migrations"));
        let run = running.wait();
        let application = application.join().expect("the application's thread does not panic");
        if !run.is_success() {
            return Some(Err(run.to_string()));
        }
        let verdict = application.map_err(|error| format!("the application: {error}\n{run}"));
        Some(verdict.and_then(|()| recorded(&mut watch, 4)).and_then(|()| is_quiet(&mut watch)))
    });
}

#[test]
fn an_application_waits_while_we_hold_the_lock() {
    let Some(server) = postgres::server() else { return };
    let project = project(&server);
    let database = project.database("core").postgres();
    database.create();
    let mut gate = database.session();
    gate.execute("create table gate ()");
    gate.execute("begin; lock gate");
    let project = project.migration("core", "2_gate", "select count(*) from gate;");
    let running = project.command("migrate").spawn();
    let mut watch = database.session();
    wait_for(
        &mut watch,
        "we stand at the gate",
        "select count(*) from pg_locks where not granted and relation = 'gate'::regclass",
    );
    let application = application(&database.url(), project.path(project.priv_dir("core")).join("migrations"));
    wait_for(&mut watch, "the application waits for our lock", WAITS);
    assert!(!application.is_finished());
    gate.execute("commit");
    running.wait().success();
    application.join().expect("no panic").expect("the application goes on");
    recorded(&mut watch, 2).expect("both agree");
}

#[test]
fn we_wait_while_an_application_holds_the_lock() {
    let Some(server) = postgres::server() else { return };
    let project = project(&server);
    let database = project.database("core").postgres();
    database.create();
    let mut gate = database.session();
    gate.execute("create table gate ()");
    gate.execute("begin; lock gate");
    let project = project.migration("core", "2_gate", "select count(*) from gate;");
    let application = application(&database.url(), project.path(project.priv_dir("core")).join("migrations"));
    let mut watch = database.session();
    wait_for(
        &mut watch,
        "the application stands at the gate",
        "select count(*) from pg_locks where not granted and relation = 'gate'::regclass",
    );
    let mut running = project.command("migrate").spawn();
    running.wait_for_stderr("the application");
    // We wait by asking, not by queueing: a queue's snapshot would be in the way of the application's index.
    assert_eq!(watch.query(WAITS), [["0"]]);
    assert!(running.is_running());
    gate.execute("commit");
    application.join().expect("no panic").expect("the application ends well");
    running.wait().success();
    recorded(&mut watch, 2).expect("both agree");
    is_quiet(&mut watch).expect("nothing is left");
}

#[test]
fn we_wait_while_an_application_builds_an_index_concurrently() {
    let Some(server) = postgres::server() else { return };
    let project = project(&server).migration(
        "core",
        "2_index",
        "-- no-transaction\ncreate index concurrently users_a on users (a);",
    );
    fault_loop("concurrency: we wait during an application's index", tries(3, 20), |number, _| {
        let environment = format!("app{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        project.run(&format!("migrate --env {environment} --to 1")).success();
        let mut writer = database.session();
        writer.execute("begin; insert into users values (0)");
        let application =
            application(&database.url(), project.path(project.priv_dir("core")).join("migrations"));
        wait_for(
            &mut watch,
            "the application builds",
            "select count(*) from pg_stat_progress_create_index where phase like 'waiting%'",
        );
        let mut running = project.command(&format!("migrate --env {environment}")).spawn();
        running.wait_for_stderr("the application");
        writer.execute("commit");
        let application =
            application.join().expect("no panic").map_err(|error| format!("the application: {error}"));
        let run = running.wait();
        let ours = if run.is_success() { Ok(()) } else { Err(run.to_string()) };
        Some(application.and(ours).and_then(|()| recorded(&mut watch, 2)).and_then(|()| is_quiet(&mut watch)))
    });
}
