//! A squash that is killed at any moment.

use std::time::{Duration, Instant};

use super::{committed, git, made, project};
use crate::support::{Backend, Project, Running, Sqlite, is_full_run};

/// A project with enough files for a kill to meet their moves.
fn large(backend: Backend) -> Project {
    let mut project = project(backend);
    // A server takes its time over tables, not over files.
    let last = if backend == Sqlite { 90 } else { 40 };
    for version in 10..last {
        let name = format!("{version}_t{version}");
        let sql = format!("create table t{version} (id integer primary key);");
        project = project.reversible("core", &name, &sql, &format!("drop table t{version};"));
    }
    project.run("setup").success();
    committed(&project);
    project
}

on_each_database! {
    fn wherever_it_is_killed_setup_makes_the_same_and_the_next_run_finishes(backend) {
        let model = large(backend);
        let wanted = made(&model, "core", "dev");
        let started = Instant::now();
        model.run("squash").success();
        let whole = started.elapsed();
        let files = |project: &Project| {
            let dir = project.priv_dir("core");
            let structure = project.read(dir.join("structure.sql"));
            let of = |path: &str| project.files(dir.join(path));
            (structure, of("."), of("migrations"), of("dumped_migrations/migrations"))
        };
        let finished = files(&model);
        let tries: u32 = match (backend, is_full_run()) {
            (Sqlite, true) => 60,
            (Sqlite, false) => 8,
            (_, true) => 24,
            (_, false) => 3,
        };
        let mut met = 0;
        for at in 0..tries {
            let project = large(backend);
            // The files are written at the end: most kills are to meet that.
            let moment = whole.mul_f64(0.75 + 0.3 * f64::from(at) / f64::from(tries));
            let started = Instant::now();
            let mut running = project.command("squash").spawn();
            let journal = project.path(project.priv_dir("core").join(".structure.dbsetup-squash"));
            // Every other one is killed as soon as the moves begin, whenever that is on a machine that others use, too.
            let is_due = |running: &mut Running| match at % 2 {
                0 => journal.exists() || !running.is_running(),
                _ => started.elapsed() >= moment,
            };
            while !is_due(&mut running) {
                std::thread::sleep(Duration::from_micros(200));
            }
            running.kill();
            running.wait();
            met += u32::from(journal.exists());
            project.run("setup --env test").success();
            assert_eq!(made(&project, "core", "test"), wanted);
            let status = project.run("status");
            if journal.exists() {
                status.success().stderr_contains("a squash of `core` was interrupted");
            }
            project.run("squash --allow-dirty").success();
            assert!(!journal.exists());
            assert_eq!(files(&project), finished);
            project.run("reset --env test --yes").success();
            assert_eq!(made(&project, "core", "test"), wanted);
        }
        assert!(met > 0 || !is_full_run(), "no kill has met the moves");
    }
}

#[test]
fn a_dump_does_not_write_over_a_killed_squash_and_giving_up_leaves_nothing_to_commit() {
    // A kill may come too late.
    for _ in 0..10 {
        let project = large(Sqlite);
        let journal = project.path(project.priv_dir("core").join(".structure.dbsetup-squash"));
        let mut running = project.command("squash").spawn();
        let started = Instant::now();
        while !journal.exists() && started.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_micros(100));
        }
        running.kill();
        running.wait();
        if !journal.exists() {
            continue;
        }
        project.database("core").execute("create table by_hand (i integer)");
        let run = project.run("dump");
        assert!(!run.stderr.is_empty() && run.stderr.contains("a squash of `core` was interrupted"), "{run}");
        run.stderr_contains("`cargo dbsetup squash --abort --repo core`");
        project.run("check --offline").stderr_lacks("git clean");
        project.run("squash --abort --dry-run").success().stdout_contains("would give up");
        assert!(journal.exists());
        project.run("squash --abort").success().stderr_contains("up to 89 has been given up");
        assert_eq!(git(&project, "status --porcelain --ignored -- crates/core/priv"), "");
        project.run("squash --abort").success().stderr_contains("no squash of `core` was interrupted");
        project.database("core").execute("drop table by_hand");
        project.run("squash").success();
        return;
    }
    panic!("no kill has met the journal");
}
