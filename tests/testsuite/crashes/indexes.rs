//! `CREATE INDEX CONCURRENTLY`: a kill leaves an invalid index, which `IF NOT EXISTS` takes for the index.

use std::time::Duration;

use super::complete;
use crate::support::fault::{OURS, expect, fault_loop, terminate, tries, wait_for};
use crate::support::{Postgres, Project, postgres};

fn kill_loop(name: &str, statement: &str) {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration(
            "core",
            "1_users",
            "create table trace (mark text not null);\ncreate table users (a int);\n\
             insert into users select generate_series(1, 1000);",
        )
        .migration(
            "core",
            "2_index",
            &format!("-- no-transaction\ninsert into trace values ('a');\n{statement};\ninsert into trace values ('b');\n"),
        );
    fault_loop(name, tries(20, 100), |number, random| {
        let environment = format!("index{number}");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        project.run(&format!("migrate --env {environment} --to 1")).success();
        // A writer holds the build in its first wait, a snapshot in its last one.
        let mut blocker = database.session();
        blocker.execute(if random.coin() {
            "begin; insert into users values (0)"
        } else {
            "begin isolation level repeatable read; select 1"
        });
        let mut watch = database.session();
        let line = format!("migrate --env {environment}");
        let mut running = project.command(&line).spawn();
        wait_for(
            &mut watch,
            "the build waits",
            "select count(*) from pg_stat_progress_create_index where phase like 'waiting%'",
        );
        random.pause(Duration::from_millis(10));
        running.kill();
        let _ = running.wait();
        let orphan = watch.query(&format!("select pid from pg_stat_activity where {OURS}"));
        if number % 2 == 1 {
            terminate(&mut watch);
        }
        let invalid = watch.query("select count(*) from pg_index where not indisvalid");
        if invalid != [["1"]] {
            return None;
        }
        let early = random.coin();
        if early {
            blocker.execute("commit");
        }
        let rerun = project.command(&line).spawn();
        if !early {
            let orphan = orphan.first().map_or("0", |row| row[0].as_str());
            wait_for(
                &mut watch,
                "the rerun is there",
                &format!("select count(*) from pg_stat_activity where {OURS} and pid <> {orphan}"),
            );
            random.pause(Duration::from_millis(100));
            blocker.execute("commit");
        }
        drop(blocker);
        let verdict = complete(&rerun.wait(), &mut watch, 2, 2);
        Some(verdict.and_then(|()| {
            let valid = watch.query(
                "select count(*) from pg_index where indisvalid and indexrelid = to_regclass('users_a')",
            );
            expect("valid indexes", valid, vec![vec!["1".to_owned()]])
        }))
    });
}

#[test]
fn a_concurrent_index_is_right_after_a_kill() {
    kill_loop("crashes: CREATE INDEX CONCURRENTLY", "create index concurrently users_a on users (a)");
}

#[test]
fn a_concurrent_index_with_if_not_exists_is_right_after_a_kill() {
    kill_loop(
        "crashes: CREATE INDEX CONCURRENTLY IF NOT EXISTS",
        "create index concurrently if not exists users_a on users (a)",
    );
}
