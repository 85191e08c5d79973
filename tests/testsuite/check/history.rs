//! What needs to know what others already have.

use super::{committed, finds, git, sound};
use crate::support::{Project, Sqlite};

const MIGRATIONS: &str = "crates/core/priv/core/migrations";

#[test]
fn a_migration_below_the_newest_of_the_base_is_found_and_told_a_free_version() {
    let project = sound(Sqlite);
    committed(&project);
    git(&project, "checkout -q -b feature");
    project.write(format!("{MIGRATIONS}/20260101120000_late.sql"), "create table late (i int);\n");
    let run = finds(&project, "check --offline", &["version-order"]);
    let finding = &super::findings(&run)[1];
    assert_eq!(finding["path"], format!("{MIGRATIONS}/20260101120000_late.sql"));
    let help = finding["help"].as_str().unwrap_or_default();
    assert!(
        help.contains(&format!(
            "git mv {MIGRATIONS}/20260101120000_late.sql {MIGRATIONS}/20260102000001_late.sql"
        )),
        "{help}"
    );
    // Committed or not is the same.
    git(&project, "add .");
    git(&project, "commit -q -m late");
    finds(&project, "check --offline", &["version-order"]);
    finds(&project, "check --offline --base HEAD", &[]);
    project.run("check --offline --base nowhere").code(2).stderr_contains("git fetch origin nowhere");
}

#[test]
fn a_newer_migration_and_one_that_the_base_has_are_in_order() {
    let project = sound(Sqlite);
    committed(&project);
    git(&project, "checkout -q -b feature");
    project.write(format!("{MIGRATIONS}/20260103000000_new.sql"), "create table new (i int);\n");
    finds(&project, "check --offline", &[]);
    // What the base gets later is none of the merge base.
    git(&project, "add .");
    git(&project, "commit -q -m new");
    git(&project, "checkout -q main");
    project.write(format!("{MIGRATIONS}/20260104000000_other.sql"), "create table other (i int);\n");
    git(&project, "add .");
    git(&project, "commit -q -m other");
    git(&project, "checkout -q feature");
    finds(&project, "check --offline", &[]);
    git(&project, "merge -q --no-edit main");
    finds(&project, "check --offline", &["version-order"]);
}

#[test]
fn any_order_is_allowed_where_the_project_says_so() {
    let project = sound(Sqlite).repo_config("core", "version-order = \"any\"");
    committed(&project);
    git(&project, "checkout -q -b feature");
    project.write(format!("{MIGRATIONS}/20260101120000_late.sql"), "create table late (i int);\n");
    finds(&project, "check --offline", &[]);
}

#[test]
fn a_shallow_clone_is_told_how_to_get_at_its_history() {
    let origin = sound(Sqlite);
    committed(&origin);
    git(&origin, "commit -q --allow-empty -m second");
    let clone = Project::new();
    let from = format!("file://{}", origin.root().display());
    git(&clone, &format!("clone -q --depth 1 {from} clone"));
    let run = clone.run_in("clone", "check --offline");
    run.success()
        .stderr_contains("not checked: version order: this clone is shallow")
        .stderr_contains("git fetch --unshallow")
        .stderr_contains("fetch-depth: 0");
    assert!(run.stderr.contains("not made"), "{run}");
}

#[test]
fn without_a_repository_the_order_is_not_checked() {
    let run = sound(Sqlite).run("check --offline");
    run.success().stderr_contains("not checked: version order: the files are not in a git repository");
}

#[test]
fn the_branch_of_a_pull_request_is_the_base() {
    let project = sound(Sqlite);
    committed(&project);
    git(&project, "branch release");
    git(&project, "checkout -q -b feature");
    project.write(format!("{MIGRATIONS}/20260101120000_late.sql"), "create table late (i int);\n");
    let run = project.command("check --offline").env("GITHUB_BASE_REF", "release").run();
    run.code(3).stderr_contains("which `release` already has");
    let run = project.command("check --offline").env("GITHUB_BASE_REF", "gone").run();
    run.success().stderr_contains("the branch `gone` is not in this clone");
}

#[test]
fn the_lint_looks_at_what_is_new() {
    let project = Project::new()
        .repo("core", Sqlite)
        .migration("core", "20260101000000_users", "create table users (id int primary key);\n")
        .migration("core", "20260102000000_gone", "drop table if exists users_old;\n");
    super::dumped(&project);
    // Without a repository, all of them.
    let run = finds(&project, "check --offline", &["lint"]);
    let finding = &super::findings(&run)[0];
    assert_eq!(finding["object"], "drop-table", "{finding}");
    assert_eq!(finding["line"], 1);
    project
        .run("check --offline")
        .code(3)
        .stderr_contains("error[lint/drop-table]")
        .stderr_contains("it is not known which are new");
    // What everybody has is not up for review.
    committed(&project);
    git(&project, "checkout -q -b feature");
    finds(&project, "check --offline", &[]);
    let path = format!("{MIGRATIONS}/20260103000000_more.sql");
    project.write(&path, "drop table users;\n");
    let run = finds(&project, "check --offline", &["lint"]);
    assert_eq!(super::findings(&run)[1]["path"], path, "{run}");
    project.write(&path, "-- dbsetup:allow drop-table nobody reads it any more\ndrop table users;\n");
    finds(&project, "check --offline", &[]);
}
