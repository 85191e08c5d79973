//! Waiting for locks: bounded, and never in the way of others for long.

use std::time::{Duration, Instant};

use crate::support::fault::{PATIENCE, is_quiet, tell, wait_for};
use crate::support::{Postgres, Project, Sqlite, postgres, wait_until};

#[test]
fn a_lock_that_stays_held_ends_the_wait_and_names_its_holder() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_slow",
        "create table slow (); select pg_sleep(60);",
    );
    let database = project.database("core").postgres();
    database.create();
    // A run that hangs is the holder: nobody else knows the key.
    let mut holder = project.command("migrate").spawn();
    let mut watch = database.session();
    wait_for(
        &mut watch,
        "the first run is in its migration",
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
    );
    let pid = watch.query(
        "select pid from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
    )[0][0]
        .clone();

    let run = project.command("migrate").env("DBSETUP_LOCK_WAIT", "1s").run();
    run.code(6)
        .stderr_contains(&format!("pid {pid}"))
        .stderr_contains("dbsetup migrate core")
        .hides(server.password());
    assert!(run.took > Duration::from_secs(1) && run.took < Duration::from_secs(10), "{run}");

    holder.signal("TERM");
    holder.wait().code(143);
    is_quiet(&mut watch).expect("nothing is left");
}

#[test]
fn a_lock_that_another_program_holds_in_an_sqlx_ledger_is_waited_for_and_named() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config("core", "ledger = \"sqlx\"")
        .migration("core", "1_users", "create table users ();");
    let database = project.database("core").postgres();
    database.create();
    let key = 0x3d32_ad9e * i64::from(crc32(database.name()));
    let mut session = database.session();
    session.execute(&format!("set application_name = 'my shop'; select pg_advisory_lock({key})"));
    let run = project.command("migrate").env("DBSETUP_LOCK_WAIT", "1s").run();
    let pid = session.query("select pg_backend_pid()")[0][0].clone();
    run.code(6).stderr_contains(&format!("pid {pid}, my shop"));
    assert_eq!(database.query("select to_regclass('users')"), [["NULL"]]);
    session.execute(&format!("select pg_advisory_unlock({key})"));
    project.run("migrate").success();
}

/// CRC-32 as IEEE 802.3 has it: what sqlx's lock key is made of.
fn crc32(text: &str) -> u32 {
    !text.bytes().fold(!0, |crc, byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn a_lock_that_stays_held_ends_the_wait_on_sqlite() {
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users", "create table users (a);");
    project.run("create").success();
    let lock = project.path(project.priv_dir("core")).join("../../core_dev.db-dbsetup-lock");
    let file = std::fs::File::create(&lock).expect("the directory can be written");
    file.lock().expect("nobody else has it");
    let run = project.command("migrate").env("DBSETUP_LOCK_WAIT", "1s").run();
    run.code(6).stderr_contains("lock");
    drop(file);
    project.run("migrate").success();
    assert!(!lock.exists(), "the lock file is left");
}

#[test]
fn an_alter_behind_a_reader_is_tried_again_and_lets_other_readers_through() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config("core", "lock-timeout = \"1s\"")
        .migration("core", "1_users", "create table users (a int);");
    project.run("setup").success();
    let project = project.migration("core", "2_alter", "alter table users add b int;");
    let database = project.database("core").postgres();

    let mut reader = database.session();
    reader.execute("begin; select * from users");
    let mut running = project.command("migrate").spawn();
    let mut watch = database.session();
    wait_for(
        &mut watch,
        "the ALTER waits",
        "select count(*) from pg_locks where not granted and relation = 'users'::regclass",
    );

    // Other readers come all the time until two attempts have passed.
    let mut other = database.session();
    let (mut worst, mut reads, started) = (Duration::ZERO, 0, Instant::now());
    while running.stderr_so_far().matches("lock timeout").count() < 2 {
        assert!(started.elapsed() < PATIENCE, "no second attempt:\n{}", running.stderr_so_far());
        assert!(running.is_running(), "it gave up:\n{}", running.stderr_so_far());
        let start = Instant::now();
        other.execute("select * from users");
        worst = worst.max(start.elapsed());
        reads += 1;
        std::thread::sleep(Duration::from_millis(10));
    }
    tell(&format!(
        "concurrency: ALTER behind a reader: {reads} reads, worst {} ms with lock-timeout 1 s",
        worst.as_millis()
    ));
    assert!(worst < Duration::from_millis(1500), "a reader waited {worst:?}");
    reader.execute("commit");
    running.wait().success();
    assert_eq!(
        database.query("select count(*) from information_schema.columns where table_name = 'users'"),
        [["2"]]
    );
    is_quiet(&mut watch).expect("nothing is left");
}

#[test]
fn an_alter_behind_a_reader_that_never_ends_gives_up_within_the_wait() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config("core", "lock-timeout = \"200ms\"\nlock-wait = \"1s\"")
        .migration("core", "1_users", "create table users (a int);");
    project.run("setup").success();
    let project = project.migration("core", "2_alter", "alter table users add b int;");
    let database = project.database("core").postgres();
    let mut reader = database.session();
    reader.execute("begin; select * from users");
    let run = project.run("migrate");
    run.code(6);
    assert!(run.took < Duration::from_secs(10), "{run}");
    reader.execute("commit");
    is_quiet(&mut reader).expect("nothing is left");
    project.run("migrate").success();
}

#[test]
fn a_frozen_holder_does_not_hold_others_for_ever() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_slow", "create table slow (); select pg_sleep(0.5);")
        .migration("core", "2_next", "create table next ();");
    let database = project.database("core").postgres();
    database.create();
    let mut frozen = project.command("migrate").spawn();
    let mut watch = database.session();
    wait_for(
        &mut watch,
        "the first run is in its migration",
        "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()",
    );
    frozen.signal("STOP");
    let run = project.command("migrate").env("DBSETUP_LOCK_WAIT", "1500ms").run();
    run.code(6).stderr_contains("dbsetup migrate core");
    frozen.signal("CONT");
    frozen.wait().success();
    project.run("migrate").success();
    wait_until("the sessions are gone", PATIENCE, || is_quiet(&mut watch).is_ok());
    assert_eq!(database.query("select count(*) from schema_migrations"), [["2"]]);
}
