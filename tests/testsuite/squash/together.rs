//! Two squashes of one repo at once.

use std::time::{Duration, Instant};

use super::{committed, git, made, project};
use crate::support::{Project, Sqlite};

/// Stops a process, or lets it go on.
fn signal(process: u32, name: &str) {
    let done = std::process::Command::new("kill").args([name, &process.to_string()]).status();
    assert!(done.expect("kill is there").success());
}

fn held(project: &Project) -> std::path::PathBuf {
    project.path(project.priv_dir("core").join(".structure.dbsetup-lock"))
}

#[cfg(unix)]
#[test]
fn the_second_one_is_told_who_is_at_it_and_the_first_one_finishes() {
    let project = project(Sqlite);
    project.run("setup").success();
    let before = made(&project, "core", "dev");
    committed(&project);
    let mut first = project.command("squash").spawn();
    let started = Instant::now();
    // The file says who holds it once it is held.
    while !std::fs::read_to_string(held(&project)).is_ok_and(|holder| holder.ends_with('\n')) {
        assert!(first.is_running() && started.elapsed() < Duration::from_secs(60), "it holds the repo");
        std::thread::sleep(Duration::from_micros(100));
    }
    signal(first.id(), "-STOP");
    for line in ["squash", "squash --abort"] {
        let run = project.run(line);
        run.code(6).stderr_contains(&format!("another run (process {}) squashes `core`", first.id()));
    }
    // Who only looks is in nobody's way.
    project.run("squash --dry-run").success();
    signal(first.id(), "-CONT");
    first.wait().success();
    project.run("squash").success().stderr_contains("nothing to squash");
    assert!(!held(&project).exists());
    project.run("setup --env test").success();
    assert_eq!(made(&project, "core", "test"), before);
}

#[test]
fn of_many_at_once_one_squashes_and_the_others_are_told_or_find_nothing_to_do() {
    let project = project(Sqlite);
    project.run("setup").success();
    committed(&project);
    let runs: Vec<_> = (0..6).map(|_| project.command("squash --allow-dirty").spawn()).collect();
    let runs: Vec<_> = runs.into_iter().map(|run| run.wait()).collect();
    let told = |text: &str| runs.iter().filter(|run| run.stderr.contains(text)).count();
    assert_eq!(told("has been squashed"), 1, "{runs:#?}");
    assert_eq!(told("squashes `core`") + told("nothing to squash"), 5, "{runs:#?}");
    let floor = project.read(project.priv_dir("core").join("structure.floor"));
    assert_eq!(floor.matches("squash\n").count(), 1, "{floor}");
    assert_eq!(git(&project, "status --porcelain --ignored -- crates").matches("dbsetup-").count(), 0);
}
