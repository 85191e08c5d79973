//! Aliases: steps in order, what holds for them, and how they stop.

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
fn an_alias_of_a_commands_name_wraps_it() {
    let project = two_repos().alias("migrate", &["migrate", "dump"]);
    project.run("create").success();
    project.run("migrate --to 20260101000000 -r core").success().stderr_contains("has been dumped");
    project.run("setup").success();
    assert!(project.files("crates/data/priv/data").contains(&"structure.sql".to_owned()));
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

#[test]
fn a_cycle_is_printed_before_anything_runs() {
    let project = two_repos().alias("a", &["create", "b"]).alias("b", &["a"]);
    let run = project.run("a");
    run.code(2).stderr_contains("a -> b -> a").stderr_contains("Cargo.toml:").stderr_lacks("created");
}

#[test]
fn a_dry_run_of_setup_tells_what_every_step_would_do() {
    let project = two_repos();
    let run = project.run("setup --dry-run");
    run.success()
        .stdout_contains("would create the database sqlite:")
        .stdout_contains("would run 1 logs (automatic)");
    run.stdout_contains("would run crates/core/priv/core/seeds.sql");
    assert!(!project.files("crates/core").iter().any(|file| file.ends_with(".db")));
}
