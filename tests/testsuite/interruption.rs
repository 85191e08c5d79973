//! Ctrl-C and SIGTERM leave no lock and no half work behind.
#![cfg(unix)]

use std::time::Duration;

use crate::support::{Postgres, Project, Sqlite, postgres, wait_until};

/// A server that takes a connection and never says a word.
fn mute() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    listener.set_nonblocking(true).expect("it can be asked");
    let port = listener.local_addr().expect("it has an address").port();
    (listener, format!("postgres://app:s3cret@127.0.0.1:{port}/core"))
}

#[test]
fn ctrl_c_ends_what_waits_for_a_server_with_one_line() {
    let project = Project::new().repo("core", Sqlite).url("core", None).migration(
        "core",
        "1_a",
        "create table a (id int);",
    );
    for line in ["doctor", "wait", "cache list", "cache warm", "cache clear", "status", "migrate"] {
        let (listener, url) = mute();
        let mut running = project.command(line).env("CORE_DATABASE_URL", &url).spawn();
        let mut taken = None;
        wait_until("it connects", Duration::from_secs(20), || {
            taken = listener.accept().ok();
            taken.is_some() || !running.is_running()
        });
        running.signal("INT");
        let run = running.wait();
        run.code(130).hides("s3cret");
        assert_eq!(run.stderr.matches("Interrupted").count(), 1, "{run}");
        assert_eq!(run.stdout, "", "{run}");
        drop(taken);
    }
}

#[test]
fn a_signal_ends_the_session_and_gives_the_lock_back() {
    let Some(server) = postgres::server() else { return };
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let project = Project::new()
            .on(&server)
            .repo("core", Postgres)
            .migration("core", "1_a", "create table a (id int);")
            .migration("core", "2_b", "create table b (id int); select pg_sleep(60);");
        project.run("create").success();
        let mut running = project.command("migrate").spawn();
        let database = project.database("core");
        let asleep = "select count(*) from pg_stat_activity where query like '%pg_sleep(60)%' and state = 'active' \
                      and datname = current_database() \
                      and pid <> pg_backend_pid()";
        wait_until("the migration sleeps", Duration::from_secs(20), || database.query(asleep) == [["1"]]);
        running.signal(signal);
        running.wait().code(code).stderr_contains("Every session has been ended");
        assert_eq!(database.query(asleep), [["0"]]);
        assert_eq!(database.query("select to_regclass('b') is null"), [["t"]]);
        project.run("status").success().stdout_contains("pending").stdout_lacks("locked");
    }
}
