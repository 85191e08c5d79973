//! How findings are told: to people, to scripts, to GitHub.

use super::{committed, dumped, sound};
use crate::support::{Project, Sqlite};

#[test]
fn a_sound_project_gets_one_line() {
    let project = sound(Sqlite);
    committed(&project);
    let run = project.run("check");
    run.success().stdout_is("").stderr_matches("core: [..] checks passed\n");
    project.run("check --quiet").success().stderr_is("");
}

#[test]
fn everything_is_told_and_not_only_the_first() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo("data", Sqlite)
        .migration("core", "1_a", "create table a (i int);\n")
        .migration("core", "2_b", "create table b (i int);\n")
        .migration("data", "1_a", "create table a (i int);\n");
    dumped(&project);
    for name in ["1_a", "2_b"] {
        project
            .write(format!("crates/core/priv/core/migrations/{name}.sql"), "create table other (i int);\n");
    }
    let run = project.run("check --offline");
    run.code(3)
        .stderr_contains("error[changed]: migration 1 a was changed after it was applied")
        .stderr_contains("error[changed]: migration 2 b was changed after it was applied")
        .stderr_contains("--> crates/core/priv/core/migrations/1_a.sql:1:1")
        .stderr_contains("in repo `core`")
        .stderr_contains("core: 2 findings, ")
        .stderr_contains("data: ")
        .stderr_contains("1 of 2 repos failed");
    project.run("check --offline --repo data").success().stderr_lacks("core");
}

#[test]
fn github_gets_an_annotation_on_the_file() {
    let project = sound(Sqlite);
    project.write("crates/core/priv/core/migrations/20260101000000_users.sql", "create table x (i int);\n");
    std::fs::remove_file(project.path("crates/core/priv/core/manual_migrations/20260102000000_index.sql"))
        .unwrap();
    let run = project.run("check --offline --format github");
    run.code(3)
        .stderr_contains(
            "::error file=crates/core/priv/core/migrations/20260101000000_users.sql,line=1,col=1,",
        )
        .stderr_contains("title=cargo dbsetup check%3A changed::migration 20260101000000 users was changed")
        .stderr_contains("::error file=crates/core/priv/core/structure.sql,line=");
}

#[test]
fn a_rehearsal_checks_nothing_and_an_alias_may_be_offline() {
    let project = sound(Sqlite).alias("ci", &["check --offline"]);
    project.run("check --dry-run").success().stdout_contains("check the files");
    project.run("ci").success().stderr_contains("checks passed");
}
