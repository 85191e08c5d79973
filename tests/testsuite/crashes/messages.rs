//! The n-th message, for every n: the wire is cut before it or behind it, or the program is killed there. Finite and
//! complete, where random moments only sample.

use crate::support::fault::{PATIENCE, expect, holds, is_quiet, tell, terminate};
use crate::support::proxy::{Fault, Proxy};
use crate::support::{Postgres, Project, Run, postgres, wait_until};

/// What is disturbed.
struct Scenario {
    project: Project,
    /// Run undisturbed before.
    before: Option<&'static str>,
    line: &'static str,
    /// A query and its answer when everything is right.
    right: [(&'static str, &'static str); 3],
    /// Whether a lost connection is no reason to give up once the run has said this.
    persists_after: Option<&'static str>,
}

fn project(server: &postgres::Server, proxy: &Proxy) -> Project {
    let url = server.url("core_{env}").replace(server.address(), &proxy.address());
    Project::new().on(server).repo("core", Postgres).url("core", Some(&url))
}

const LEDGER: &str = "select string_agg(version, ',' order by version) from schema_migrations";
const MARKS: &str = "select string_agg(mark, ',' order by mark) from trace";

/// Files with and without a transaction, an index built concurrently, and COPY.
fn migrations(server: &postgres::Server, proxy: &Proxy) -> Scenario {
    let project = project(server, proxy)
        .migration("core", "1_trace", "create table trace (mark text not null); create table users (a int);")
        .migration("core", "2_step", "insert into trace values ('2'); create table t2 ();")
        .migration(
            "core",
            "3_alone",
            "-- no-transaction\ninsert into trace values ('3 a');\n\
             create index concurrently if not exists users_a on users (a);\ninsert into trace values ('3 b');\n",
        )
        .migration("core", "4_copy", "copy trace from stdin;\n4\n\\.\n");
    let valid = "select count(*) from pg_index where indisvalid and indexrelid = to_regclass('users_a')";
    Scenario {
        project,
        before: None,
        line: "migrate",
        right: [(MARKS, "2,3 a,3 b,4"), (LEDGER, "1,2,3,4"), (valid, "1")],
        persists_after: Some("== Running"),
    }
}

/// Down sides with and without a transaction.
fn down(server: &postgres::Server, proxy: &Proxy) -> Scenario {
    let project = project(server, proxy)
        .migration("core", "1_trace", "create table trace (mark text not null); create table users (a int);")
        .reversible("core", "2_step", "create table t2 ();", "drop table t2; insert into trace values ('2');")
        .reversible(
            "core",
            "3_alone",
            "create index users_a on users (a);",
            "-- no-transaction\ninsert into trace values ('3 a');\ndrop index concurrently users_a;\n\
             insert into trace values ('3 b');\n",
        );
    Scenario {
        project,
        before: Some("migrate"),
        line: "rollback --to 2 --yes",
        right: [
            (MARKS, "2,3 a,3 b"),
            (LEDGER, "1"),
            ("select count(*) from pg_class where relname in ('t2', 'users_a')", "0"),
        ],
        persists_after: Some("== Running"),
    }
}

/// A structure file, a pending migration and seeds.
fn set_up(server: &postgres::Server, proxy: &Proxy) -> Scenario {
    let project =
        project(server, proxy).migration("core", "1_trace", "create table trace (mark text not null);");
    project.run("setup --env made").success();
    project.run("dump --env made").success();
    let project = project
        .migration("core", "2_step", "insert into trace values ('2');")
        .seed("core", "insert into trace values ('seed');\ncreate table seeded ();\n");
    Scenario {
        project,
        before: None,
        line: "setup",
        right: [(MARKS, "2,seed"), (LEDGER, "1,2"), ("select to_regclass('seeded')", "seeded")],
        persists_after: None,
    }
}

fn right(scenario: &Scenario, run: &Run, session: &mut postgres::Session) -> Result<(), String> {
    if !run.is_success() {
        return Err(run.to_string());
    }
    let check = |session: &mut postgres::Session| {
        for (query, answer) in scenario.right {
            expect(query, session.query(query), vec![vec![answer.to_owned()]])?;
        }
        is_quiet(session)
    };
    check(session).map_err(|why| format!("{why}\n{run}"))
}

/// Runs with the fault at message 1, 2, 3 and so on until a run passes untouched.
fn every_message(name: &str, fault: Fault, scenario: fn(&postgres::Server, &Proxy) -> Scenario) {
    let Some(server) = postgres::server() else { return };
    let proxy = Proxy::start(server.address());
    let scenario = scenario(&server, &proxy);
    let project = &scenario.project;
    let kills = matches!(fault, Fault::HoldMessage | Fault::HoldAnswer);
    let (mut wrong, mut alone, mut number) = (Vec::<String>::new(), 0, 0);
    loop {
        number += 1;
        let environment = format!("m{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let mut watch = database.session();
        if let Some(before) = scenario.before {
            project.run(&format!("{before} --env {environment}")).success();
        }
        let line = format!("{} --env {environment}", scenario.line);
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
        let persists = scenario.persists_after.is_some_and(|said| first.stderr.contains(said));
        if !kills && persists && !first.is_success() {
            wrong.push(format!("message {number}: the run gave up\n{first}"));
        }
        // A rollback that came to its end has nothing left to undo down to.
        let done =
            holds(&mut watch, &format!("select ({}) = '{}'", scenario.right[1].0, scenario.right[1].1));
        let verdict = if done && scenario.line.starts_with("rollback") {
            right(&scenario, &project.run(&format!("status --env {environment}")), &mut watch)
        } else {
            right(&scenario, &project.run(&line), &mut watch)
        };
        wrong.extend(verdict.err().map(|why| format!("message {number}: {why}\nafter\n{first}")));
        assert!(number < 500, "{name} does not come to an end");
    }
    let total = number - 1;
    let finished = if kills { String::new() } else { format!(", {alone} runs finished by themselves") };
    tell(&format!("crashes: {name}: {}/{total}{finished}", total - wrong.len().min(total)));
    assert!(wrong.is_empty(), "{name}:\n{}", wrong.join("\n"));
    assert!(total > 10, "only {total} messages: the proxy does not see the run");
}

#[test]
fn a_message_that_is_lost_with_the_connection_does_no_harm() {
    every_message("migrate, connection cut before message n", Fault::LoseMessage, migrations);
}

#[test]
fn an_answer_that_is_lost_with_the_connection_does_no_harm() {
    every_message("migrate, connection cut before answer n", Fault::LoseAnswer, migrations);
}

#[test]
fn a_kill_before_any_message_does_no_harm() {
    every_message("migrate, killed before message n", Fault::HoldMessage, migrations);
}

#[test]
fn a_kill_after_any_message_does_no_harm() {
    every_message("migrate, killed after message n", Fault::HoldAnswer, migrations);
}

#[test]
fn a_rollback_bears_a_lost_answer() {
    every_message("rollback, connection cut before answer n", Fault::LoseAnswer, down);
}

#[test]
fn a_rollback_bears_a_kill() {
    every_message("rollback, killed after message n", Fault::HoldAnswer, down);
}

#[test]
fn a_setup_bears_a_lost_answer() {
    every_message("setup, connection cut before answer n", Fault::LoseAnswer, set_up);
}

#[test]
fn a_setup_bears_a_kill() {
    every_message("setup, killed after message n", Fault::HoldAnswer, set_up);
}
