//! What is written where, in the cases that are easily forgotten: closed pipes, no colours, quiet, several repos.

use crate::support::{Project, Sqlite};

fn project() -> Project {
    Project::new().repo("core", Sqlite).migration(
        "core",
        "20260101000000_users",
        "create table users (id integer primary key);",
    )
}

#[test]
fn quiet_keeps_every_reason_but_that_nothing_was_to_be_done() {
    let project = project().seed("core", "insert into users values (1);\n");
    project.run("setup -q").success();
    project.run("setup -q").success().stderr_is("");
    project.run("cache warm -q --env prod").code(4).stderr_contains("protected");
    project.run("drop -q").code(4).stderr_contains("--yes");
}

#[test]
fn a_failure_under_json_is_for_people_on_stderr_too() {
    let project = project();
    let run = project.run("migrate --format json");
    run.code(1).stdout_contains("\"kind\":\"database_missing\"").stderr_contains("cargo dbsetup create");
    let refused = project.run("create --format json").success().clone();
    refused.stderr_is("");
    project.run("drop --format json").code(4).stdout_contains("\"kind\":\"refused\",\"code\":4");
}

#[cfg(unix)]
#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut project = Project::new().repo("core", Sqlite);
    for version in 1..=400 {
        project = project.migration("core", &format!("{version}_{}", "long_name_".repeat(20)), "select 1;\n");
    }
    let program = env!("CARGO_BIN_EXE_cargo-dbsetup");
    for line in
        ["status", "status --format json", "config", "--help", "completions bash", "migrate --dry-run"]
    {
        let script = format!("set -o pipefail; '{program}' dbsetup {line} | head -1");
        let Ok(output) =
            std::process::Command::new("bash").args(["-c", &script]).current_dir(project.root()).output()
        else {
            return crate::support::skipped("no bash");
        };
        let stderr = String::from_utf8_lossy(&output.stderr);
        if line.starts_with("migrate") {
            // There is no database: the failure is that one.
            continue;
        }
        assert!(output.status.success(), "{line}: {output:?}");
        assert!(!stderr.contains("panicked") && !stderr.contains("Broken pipe"), "{line}: {stderr}");
    }
}

#[test]
fn no_color_is_obeyed_and_an_empty_one_is_none() {
    let project = project();
    project.command("frobnicate").env("NO_COLOR", "1").env("CLICOLOR_FORCE", "").run().stderr_lacks("\u{1b}");
    #[cfg(unix)]
    {
        let plain = project.command("frobnicate").env("NO_COLOR", "1").terminal();
        assert!(!plain.finish().contains('\u{1b}'));
        let colored = project.command("frobnicate").terminal();
        assert!(colored.finish().contains("\u{1b}["));
        let never = project.command("frobnicate --color never").terminal();
        assert!(!never.finish().contains('\u{1b}'));
    }
}

#[test]
fn without_a_terminal_there_is_no_bar() {
    let slow = "create table slow as with recursive c(x) as (select 1 union all select x + 1 from c where x < 700000) \
                select count(*) as n from c;";
    let project = project().migration("core", "20260102000000_slow", slow);
    let run = project.run("setup");
    run.success().stderr_lacks("\u{1b}").stderr_lacks("\r").stderr_lacks("1/2");
    run.stderr_contains("== Running 20260102000000 slow\n== Migrated 20260102000000 slow in ");
}

#[test]
fn warnings_and_refusals_are_annotations_too() {
    let project = project();
    project.run("create").success();
    let github = |line: &str| project.command(line).env("GITHUB_ACTIONS", "true").run();
    github("drop").code(4).stderr_contains("::error title=cargo dbsetup::refused to drop");
    project.run("drop --format github").code(4).stderr_contains("::error ");
    // JSON on stdout stays JSON.
    let json = project.command("status --format json").env("GITHUB_ACTIONS", "true").run();
    assert!(json.success().stdout.lines().all(|line| line.starts_with("{\"v\":1,")), "{json}");
}

#[test]
fn each_repo_is_named_where_several_are_worked_on() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo("billing", Sqlite)
        .migration("core", "1_users", "create table users (id integer);")
        .migration("billing", "1_invoices", "create table invoices (id integer);");
    project
        .run("setup")
        .success()
        .stderr_contains("[core] == Migrated 1 users")
        .stderr_contains("[billing] == Migrated 1 invoices");
    project.run("status").success().stdout_contains("Repo: core").stdout_contains("Repo: billing");
}
