//! Command lines that cannot be run, and words that lead on.

use crate::support::{Postgres, Project, Sqlite, postgres};

fn project() -> Project {
    Project::new().repo("core", Sqlite).repo("data", Sqlite)
}

#[test]
fn typos_and_words_of_other_tools_get_a_hint() {
    let project = project();
    project.run("setpu").code(2).stderr_contains("did you mean `setup`?");
    project.run("up").code(2).stderr_contains("`cargo dbsetup migrate`");
    project.run("migrate run").code(2).stderr_contains("`cargo dbsetup migrate`");
    project.run("revert").code(2).stderr_contains("`cargo dbsetup rollback`");
    project.run("status -r cor").code(2).stderr_contains("did you mean `core`?");
    project.run("migrate --lain all").code(2).stderr_contains("--lane");
}

#[test]
fn a_command_line_that_cannot_be_run_is_an_error_of_kind_usage() {
    let project = project();
    for (line, help) in
        [("setpu", "did you mean `setup`?"), ("migrate --lain all", "'--lane'"), ("revert", "rollback")]
    {
        let run = project.run(&format!("{line} --format json"));
        let error: Vec<&str> = run.code(2).stdout.lines().collect();
        assert!(error.len() == 1 && error[0].contains("\"kind\":\"usage\""), "{error:?}");
        assert!(error[0].contains("\"notes\":[]") && error[0].contains(help), "{error:?}");
    }
    project.run("setup --lane all").code(2).stderr_contains("`--lane all` goes to the last step of `setup`");
}

#[test]
fn built_in_aliases_have_help_outside_of_a_workspace() {
    let project = project().file("crates/core/Cargo.toml", "broken");
    for line in ["setup --help", "help setup", "reset -h"] {
        project.run(line).success().stdout_contains("is an alias");
    }
    for line in ["help nosuch", "nosuch --help"] {
        project.run(line).code(2).stderr_contains("`nosuch`").stderr_contains("not known here");
    }
}

#[test]
fn commands_that_speak_of_one_version_want_one_repo() {
    let project = project();
    for line in
        ["rollback", "redo", "migrate --to 1", "migrate -n 1", "gen migration x", "resolve 1 --applied"]
    {
        let run = project.run(line);
        run.code(2).stderr_contains("`core`, `data`").stderr_contains("--all-repos");
    }
    project.run("gen migration x -r core").success();
    project.run("gen migration y --all-repos").success();
}

#[test]
fn help_needs_no_workspace() {
    let project = project().file("crates/core/Cargo.toml", "broken");
    for line in ["--help", "-h", "migrate --help", "help dump", "--version", "completions bash"] {
        let run = project.run(line);
        run.success().stderr_is("");
    }
    project.run("help exit-codes").success().stdout_contains("143  ended by SIGTERM");
    project.run("migrate --lain").code(2).stderr_contains("--lain");
    project.run("migrate").code(101).stderr_contains("cargo metadata");
}

#[test]
fn an_alias_has_a_help_page() {
    project().run("setup --help").success().stdout_contains("load --skip-if-loaded --quiet");
    project().run("aliases").success().stdout_contains("# built in");
}

#[test]
fn the_program_runs_without_cargo_in_front_of_it() {
    // Every other test runs it as cargo does, with `dbsetup` as the first word.
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_cargo-dbsetup")).arg("--version").output();
    let output = program.expect("the program starts");
    assert!(output.status.success() && output.stdout.starts_with(b"cargo-dbsetup "), "{output:?}");
}

#[test]
fn a_password_on_the_command_line_is_warned_of_and_never_printed() {
    if postgres::server().is_none() {
        return;
    }
    let project = Project::new().repo("core", Postgres);
    let run = project.run("wait --timeout 200ms --database-url postgres://app:s3cret@127.0.0.1:1/x");
    run.code(7).hides("s3cret").stderr_contains("can be seen in the list of processes");
}

#[test]
fn gen_migration_copies_the_style_and_refuses_a_name_in_use() {
    let project = Project::new().repo("core", Sqlite).migration("core", "0001_users", "select 1;");
    let run = project.run("gen migration AddOrders");
    run.success().stderr_contains("* creating crates/core/priv/core/migrations/0002_add_orders.sql");
    assert_eq!(project.files("crates/core/priv/core/migrations"), ["0001_users.sql", "0002_add_orders.sql"]);
    project.run("gen migration users").code(2).stderr_contains("0001_users.sql");
    project
        .run("gen migration x --lane manual --dry-run")
        .success()
        .stdout_contains("manual_migrations/0003_x.sql");
}
