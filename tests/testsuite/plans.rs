//! Runs of several steps and repos: what goes on and what stops when one fails.

use crate::support::{Project, Sqlite};

fn two_repos() -> Project {
    Project::new()
        .repo("core", Sqlite)
        .migration("core", "20260101000000_users", "create table users (id integer primary key);")
        .seed("core", "insert into users values (1);")
        .repo("data", Sqlite)
        .migration("data", "1_logs", "create table logs (id integer primary key);")
}

#[test]
fn setup_takes_a_fresh_clone_to_ready_databases_and_does_nothing_twice() {
    let project = two_repos();
    let run = project.run("setup");
    run.success().stderr_contains("The database for core has been created");
    run.stderr_contains("[core] == Migrated 20260101000000 users in");
    run.stderr_contains("core has been seeded from");
    assert_eq!(project.database("core").query("select count(*) from users"), [["1"]]);
    let again = project.run("setup");
    again.success().stderr_contains("The database for core has already been created");
    assert_eq!(project.database("core").query("select count(*) from users"), [["1"]]);
}

#[test]
fn a_failing_repo_lets_the_others_finish_the_step_and_stops_the_rest() {
    let project = two_repos().migration("core", "20260102000000_broken", "create tabel x (id integer);");
    let run = project.run("setup");
    run.code(1).stderr_contains("20260102000000_broken.sql:1:").stderr_contains("1 of 2 repos failed");
    run.stderr_contains("not run").stderr_lacks("has been seeded");
    assert_eq!(project.database("data").query("select count(*) from logs"), [["0"]]);
    project.run("setup --keep-going").code(1).stderr_lacks("core has been seeded");
}

#[test]
fn a_program_finds_environment_and_urls() {
    let project = two_repos().alias_value(
        "show",
        r#"{ env = "test", steps = ["create -q", "$ sh -c 'echo $DBSETUP_ENV $CORE_DATABASE_URL'"] }"#,
    );
    let run = project.run("show");
    run.success().stdout_contains("test sqlite:").stdout_contains("core_test.db");
    project.run("show --env dev").code(2).stderr_contains("`env`");
}

#[test]
fn a_failing_program_stops_the_run_with_its_code_printed() {
    let project = two_repos().alias("x", &["create", "$ sh -c 'exit 7'", "migrate"]);
    let run = project.run("x");
    run.code(1).stderr_contains("exit code 7").stderr_lacks("Migrated");
}
