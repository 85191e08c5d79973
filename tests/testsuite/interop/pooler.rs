//! Behind PgBouncer in transaction mode, where no session is one's own. `./scripts/test` starts it where it is
//! installed, `--full` installs it.

use std::time::Duration;

use crate::support::fault::{expect, fault_loop, holds, is_quiet, tries, wait_for};
use crate::support::{Postgres, Project, postgres, skipped};

/// The two kinds of poolers: one refuses start-up options, one drops them.
fn poolers() -> Vec<(&'static str, String)> {
    let found: Vec<_> =
        [("refusing", "DBSETUP_TEST_PGBOUNCER"), ("dropping", "DBSETUP_TEST_PGBOUNCER_DROPPING")]
            .into_iter()
            .filter_map(|(kind, variable)| Some((kind, std::env::var(variable).ok()?)))
            .collect();
    if found.is_empty() {
        skipped("no PgBouncer (install it, or run ./scripts/test --full)");
    }
    found
}

/// Returns the way through the pooler to a database of the test's.
fn through(pooler: &str, database: &str) -> String {
    let (base, _) = pooler.rsplit_once('/').expect("the URL names a database");
    format!("{base}/{database}")
}

fn project(server: &postgres::Server, pooler: &str) -> Project {
    let project = Project::new().on(server).repo("core", Postgres);
    let url = through(pooler, &server.name("core_{env}"));
    project.url("core", Some(&url))
}

fn steps(mut project: Project, count: usize) -> Project {
    project = project.migration("core", "100_trace", "create table trace (mark text not null);");
    for number in 1..count {
        project = project.migration(
            "core",
            &format!("{}_step", 100 + number),
            &format!("create table t{number} (); insert into trace values ('{number}');"),
        );
    }
    project
}

fn advisory_locks(session: &mut postgres::Session) -> Result<(), String> {
    let found = session.query("select pid from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())");
    expect("advisory locks", found, Vec::new())
}

#[test]
fn eight_at_once_behind_a_pooler_all_end_well() {
    let Some(server) = postgres::server() else { return };
    for (kind, pooler) in poolers() {
        let project = steps(project(&server, &pooler), 30);
        fault_loop(&format!("concurrency: 8 behind a {kind} pooler"), tries(5, 20), |number, _| {
            let environment = format!("{kind}{number}");
            let database = project.database_in("core", &environment).postgres();
            database.create();
            let line = format!("migrate --env {environment}");
            let running: Vec<_> =
                (0..8).map(|_| project.command(&line).timeout(Duration::from_secs(120)).spawn()).collect();
            let runs: Vec<_> = running.into_iter().map(|running| running.wait()).collect();
            let good = runs.iter().filter(|run| run.is_success()).count();
            if let Some(failed) = runs.iter().find(|run| !run.is_success()) {
                return Some(Err(format!("{good} of 8 exit 0, one of the others:\n{failed}")));
            }
            let mut session = database.session();
            Some(
                expect(
                    "marks",
                    session.query("select count(*), count(distinct mark) from trace"),
                    vec![vec!["29".to_owned(), "29".to_owned()]],
                )
                .and_then(|()| {
                    expect(
                        "ledger",
                        session.query("select count(*) from schema_migrations"),
                        vec![vec!["30".to_owned()]],
                    )
                })
                .and_then(|()| advisory_locks(&mut session)),
            )
        });
    }
}

#[test]
fn a_kill_behind_a_pooler_is_right_after_a_rerun() {
    let Some(server) = postgres::server() else { return };
    for (kind, pooler) in poolers() {
        let mut project = project(&server, &pooler).migration(
            "core",
            "1_trace",
            "create table trace (mark text not null);",
        );
        for number in 2..8 {
            project = project.migration(
                "core",
                &format!("{number}_step"),
                &format!("insert into trace values ('{number} a'); select pg_sleep(0.01); insert into trace values ('{number} b');"),
            );
        }
        fault_loop(&format!("crashes: behind a {kind} pooler"), tries(10, 100), |number, random| {
            let environment = format!("{kind}{number}");
            let database = project.database_in("core", &environment).postgres();
            database.create();
            let mut watch = database.session();
            let line = format!("migrate --env {environment}");
            let mut running = project.command(&line).spawn();
            let seen = random.below(11) + 1;
            wait_for(&mut watch, "some work is done", &format!("select count(*) >= {seen} from trace"));
            random.pause(Duration::from_millis(12));
            running.kill();
            let _ = running.wait();
            if holds(&mut watch, "select count(*) = 7 from schema_migrations") {
                return None;
            }
            let run = project.run(&line);
            if !run.is_success() {
                return Some(Err(run.to_string()));
            }
            Some(
                expect(
                    "marks",
                    watch.query("select count(*), count(distinct mark) from trace"),
                    vec![vec!["12".to_owned(), "12".to_owned()]],
                )
                .and_then(|()| {
                    expect(
                        "ledger",
                        watch.query("select count(*) from schema_migrations"),
                        vec![vec!["7".to_owned()]],
                    )
                })
                .and_then(|()| advisory_locks(&mut watch))
                .map_err(|why| format!("{why}\n{run}")),
            )
        });
    }
}

#[test]
fn a_file_that_needs_a_session_is_refused_behind_a_pooler_and_runs_past_it() {
    let Some(server) = postgres::server() else { return };
    for (kind, pooler) in poolers() {
        let project =
            project(&server, &pooler).migration("core", "1_users", "create table users (a int);").migration(
                "core",
                "2_index",
                "-- no-transaction\ncreate index concurrently users_a on users (a);\n",
            );
        let database = project.database_in("core", kind).postgres();
        database.create();
        let run = project.run(&format!("migrate --env {kind}"));
        run.code(2).stderr_contains("direct-url").stderr_contains("2_index.sql").hides(server.password());
        let mut session = database.session();
        assert_eq!(
            session.query("select count(*) from pg_index where indrelid = to_regclass('users')"),
            [["0"]]
        );
        let direct = server.url("core_{env}");
        let project = project.repo_config("core", &format!("direct-url = \"{direct}\""));
        project.run(&format!("migrate --env {kind}")).success();
        assert_eq!(
            session.query(
                "select indexrelid::regclass from pg_index where indrelid = 'users'::regclass and indisvalid"
            ),
            [["users_a"]]
        );
        is_quiet(&mut session).expect("nothing is left");
    }
}

#[test]
fn a_database_that_a_pooler_hides_is_not_waited_for() {
    let Some(server) = postgres::server() else { return };
    for (kind, pooler) in poolers() {
        let project = project(&server, &pooler);
        let run = project.run(&format!("create --env {kind}"));
        assert_ne!(run.exit_code(), Some(0), "{run}");
        run.stderr_contains("does not exist").stderr_contains("maintenance-url").hides(server.password());
        assert!(run.took < Duration::from_secs(8), "{run}");
        // Past it there is no question.
        let maintenance = server.admin_url();
        let project = project.repo_config("core", &format!("maintenance-url = \"{maintenance}\""));
        project.run(&format!("create --env {kind}x")).success();
        assert!(project.database_in("core", &format!("{kind}x")).exists());
    }
}

#[test]
fn a_whole_life_behind_a_pooler() {
    let Some(server) = postgres::server() else { return };
    for (kind, pooler) in poolers() {
        let project = project(&server, &pooler)
            .reversible("core", "1_users", "create table users (a int);", "drop table users;")
            .seed("core", "insert into users values (1);");
        // A database that is missing cannot be told from a full pool through PgBouncer: it is made first.
        project.database_in("core", kind).create();
        project.database_in("core", &format!("{kind}2")).create();
        project.run(&format!("setup --env {kind}")).success();
        project.run(&format!("status --check --env {kind}")).success();
        project.run(&format!("rollback --env {kind}")).success();
        project.run(&format!("migrate --env {kind}")).success();
        project.run(&format!("dump --env {kind}")).success();
        project.run(&format!("setup --env {kind}2")).success();
        assert_eq!(
            project.database_in("core", &format!("{kind}2")).column("select version from schema_migrations"),
            ["1"]
        );

        // Past it, everything can be done.
        let direct = server.url("core_{env}");
        let project = project.repo_config("core", &format!("direct-url = \"{direct}\""));
        project.run(&format!("setup --env {kind}3")).success();
        project
            .run(&format!(
                "drop --yes --allow-protected {} --env {kind}3",
                server.name(&format!("core_{kind}3"))
            ))
            .success();
        assert!(!project.database_in("core", &format!("{kind}3")).exists());
    }
}
