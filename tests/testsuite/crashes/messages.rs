//! The n-th message, for every n: the wire is cut before it or behind it, or the program is killed there. Finite and
//! complete, where random moments only sample.

use crate::support::fault::{PATIENCE, expect, is_quiet, tell, terminate};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Postgres, Project, Run, postgres, wait_until};

fn project(server: &postgres::Server, proxy: &Proxy) -> Project {
    let url = server.url("core_{env}").replace(server.address(), &proxy.address());
    Project::new()
        .on(server)
        .repo("core", Postgres)
        .url("core", Some(&url))
        .migration("core", "1_trace", "create table trace (mark text not null); create table users (a int);")
        .migration("core", "2_step", "insert into trace values ('2'); create table t2 ();")
        .migration(
            "core",
            "3_alone",
            "-- no-transaction\ninsert into trace values ('3 a');\n\
             create index concurrently if not exists users_a on users (a);\ninsert into trace values ('3 b');\n",
        )
        .migration("core", "4_copy", "copy trace from stdin;\n4\n\\.\n")
}

fn right(run: &Run, session: &mut postgres::Session) -> Result<(), String> {
    if !run.is_success() {
        return Err(run.to_string());
    }
    let row = |values: &[&str]| vec![values.iter().map(|&value| value.to_owned()).collect::<Vec<_>>()];
    let check = |session: &mut postgres::Session| {
        expect(
            "marks",
            session.query("select string_agg(mark, ',' order by mark) from trace"),
            row(&["2,3 a,3 b,4"]),
        )?;
        expect(
            "ledger",
            session.query("select string_agg(version, ',' order by seq) from schema_migrations"),
            row(&["1,2,3,4"]),
        )?;
        expect(
            "index",
            session.query(
                "select count(*) from pg_index where indisvalid and indexrelid = to_regclass('users_a')",
            ),
            row(&["1"]),
        )?;
        is_quiet(session)
    };
    check(session).map_err(|why| format!("{why}\n{run}"))
}

/// Runs with the fault at message 1, 2, 3 and so on until a run passes untouched.
fn every_message(name: &str, fault: Fault) {
    let Some(server) = postgres::server() else { return };
    let proxy = Proxy::start(server.address());
    let project = project(&server, &proxy);
    let kills = matches!(fault, Fault::HoldMessage | Fault::HoldAnswer);
    let (mut wrong, mut alone, mut number) = (Vec::<String>::new(), 0, 0);
    loop {
        number += 1;
        let environment = format!("m{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        let line = format!("migrate --env {environment}");
        proxy.arm(number, fault);
        let mut running = project.command(&line).spawn();
        let mut happened = false;
        if kills {
            wait_until("the message comes or the run ends", PATIENCE, || {
                happened = happened || proxy.has_happened();
                happened || !running.is_running()
            });
            running.kill();
        }
        let first = running.wait();
        happened = happened || proxy.has_happened();
        proxy.disarm();
        if !happened {
            assert!(first.is_success(), "an undisturbed run fails:\n{first}");
            break;
        }
        alone += usize::from(first.is_success());
        if kills && number % 2 == 1 {
            terminate(&mut watch);
        }
        let verdict = right(&project.run(&line), &mut watch);
        // Once work has begun, a lost connection is no reason to give up.
        if !kills && first.stderr.contains("== Running") && !first.is_success() {
            wrong.push(format!("message {number}: the run gave up\n{first}"));
        }
        wrong.extend(verdict.err().map(|why| format!("message {number}: {why}\nafter\n{first}")));
        assert!(number < 500, "{name} does not come to an end");
    }
    let total = number - 1;
    let finished = if kills { String::new() } else { format!(", {alone} runs finished by themselves") };
    tell(&format!("crashes: {name} {}/{total}{finished}", total - wrong.len()));
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert!(total > 10, "only {total} messages: the proxy does not see the run");
}

#[test]
fn a_message_that_is_lost_with_the_connection_does_no_harm() {
    every_message("connection cut before message n", Fault::LoseMessage);
}

#[test]
fn an_answer_that_is_lost_with_the_connection_does_no_harm() {
    every_message("connection cut before the answer to message n", Fault::LoseAnswer);
}

#[test]
fn a_kill_before_any_message_does_no_harm() {
    every_message("killed before message n", Fault::HoldMessage);
}

#[test]
fn a_kill_after_any_message_does_no_harm() {
    every_message("killed after message n", Fault::HoldAnswer);
}
