//! `check`: what it finds, what it passes, and what it does not touch.

mod files;
mod history;
mod squashed;
mod told;
mod tried;

use crate::support::git::{committed, git};
use crate::support::{Backend, Project, Run};

/// Two migrations, one of each lane, dumped; and no database.
#[track_caller]
fn sound(backend: Backend) -> Project {
    let project = Project::new()
        .repo("core", backend)
        .migration("core", "20260101000000_users", "create table users (id int primary key, nick text);\n")
        .manual("core", "20260102000000_index", "create index users_nick on users (nick);\n");
    dumped(&project);
    project
}

/// Makes the structure file by running everything, and removes the database.
#[track_caller]
fn dumped(project: &Project) {
    project.run("create").success();
    project.run("migrate --lane all").success();
    project.run("dump").success();
    project.run("drop --yes").success();
}

/// The path of the structure file.
fn structure() -> &'static str {
    "crates/core/priv/core/structure.sql"
}

/// The codes of findings that are not mere information, in their order: `changed`, `warn:structure-foreign`.
#[track_caller]
fn codes(run: &Run) -> Vec<String> {
    findings(run)
        .iter()
        .filter_map(|finding| {
            let word = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
            match &*word("severity") {
                "fail" => Some(word("code")),
                "warn" => Some(format!("warn:{}", word("code"))),
                _ => None,
            }
        })
        .collect()
}

/// Every finding of a run with `--format json`.
#[track_caller]
fn findings(run: &Run) -> Vec<serde_json::Value> {
    let objects = run.stdout.lines().map(|line| serde_json::from_str(line).expect("a line is an object"));
    objects.filter(|object: &serde_json::Value| object["event"] == "finding").collect()
}

/// Expects these codes, and the exit code that goes with them.
#[track_caller]
fn finds(project: &Project, line: &str, expected: &[&str]) -> Run {
    let run = project.run(&format!("{line} --format json"));
    assert_eq!(codes(&run), expected, "{run}");
    let fails = expected.iter().any(|code| !code.starts_with("warn:"));
    run.code(if fails { 3 } else { 0 });
    run
}
