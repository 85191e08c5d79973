//! Destruction needs consent.

use crate::support::{Project, Sqlite};

fn created() -> Project {
    let project = Project::new().repo("core", Sqlite);
    project.run("create").success();
    project
}

fn is_there(project: &Project, file: &str) -> bool {
    project.files("crates/core").contains(&file.to_owned())
}

#[test]
fn without_a_terminal_a_drop_is_refused_and_names_the_flag() {
    let project = created();
    for line in ["drop", "reset", "load --force", "rollback --all"] {
        project.command(line).stdin("y\n").run().code(4).stderr_contains("--yes");
    }
    assert!(is_there(&project, "core_dev.db"));
    project.run("drop --yes").success().stderr_contains("The database for core has been dropped");
    assert!(!is_there(&project, "core_dev.db"));
    project.run("drop --yes").success().stderr_contains("There is no database for core");
}

#[test]
fn a_protected_database_has_to_be_named() {
    let project = Project::new().repo("core", Sqlite);
    project.run("create --env prod").success();
    let refused = project.run("drop --env prod --yes");
    refused.code(4).stderr_contains("--allow-protected core_prod.db");
    project.run("drop --env prod --yes --allow-protected core_dev.db").code(4);
    assert!(is_there(&project, "core_prod.db"));
    project.run("drop --env prod --yes --allow-protected core_prod.db").success();
    assert!(!is_there(&project, "core_prod.db"));
}

#[test]
fn a_database_that_says_it_belongs_to_another_environment_is_not_dropped() {
    let project = Project::new().repo("core", Sqlite).url("core", Some("sqlite:core.db"));
    project.run("create --env prod").success();
    let refused = project.run("drop --yes");
    refused.code(4).stderr_contains("`prod`").stderr_contains("resolve -r core --environment dev");
    assert!(is_there(&project, "core.db"));
    // The record is what protects it: changing that is as if it were dropped.
    project.run("resolve --environment dev").code(4).stderr_contains("--yes --allow-protected core.db");
    project.run("resolve --environment dev --yes").code(4).stderr_contains("`prod` is protected");
    project.run("resolve --environment dev --dry-run").code(4);
    project.run("resolve --environment 'de v'").code(2).stderr_contains("letters, digits");
    project.run("drop --dry-run").code(4).stderr_contains("without `--dry-run`").stdout_is("");
    project.run("drop --env prod --dry-run").code(4);
    project.run("resolve --environment dev --yes --allow-protected core.db").success();
    project.run("drop --yes").success();
}

#[test]
fn a_database_that_is_missing_is_dropped_without_a_question() {
    let project = Project::new().repo("core", Sqlite);
    project.run("drop").success().stderr_contains("There is no database for core (sqlite:core_dev.db)");
    project.run("drop --dry-run").success().stdout_contains("nothing to do");
}

#[test]
fn a_dry_run_of_a_dump_on_a_fresh_machine_says_what_it_would_do() {
    let project = Project::new()
        .repo("core", Sqlite)
        .migration("core", "1_a", "create table a (id integer);\n")
        .alias("migrate", &["migrate", "dump"]);
    let run = project.run("setup --dry-run");
    run.success()
        .stdout_contains("would run 1 a")
        .stdout_contains("would run `dump` on the database as it is by then");
}

#[cfg(unix)]
#[test]
fn a_person_is_asked_and_enter_means_no() {
    let project = created();
    let mut terminal = project.terminal("drop");
    terminal.expect("drop sqlite:").expect("[y/N]").send("\n");
    terminal.wait().code(4).stdout_contains("not confirmed");
    assert!(is_there(&project, "core_dev.db"));
    let mut terminal = project.terminal("drop");
    terminal.expect("[y/N]").send("\u{3}");
    terminal.wait().code(130);
    assert!(is_there(&project, "core_dev.db"));
    let mut terminal = project.terminal("drop");
    terminal.expect("[y/N]").send("y\n");
    terminal.wait().success();
    assert!(!is_there(&project, "core_dev.db"));
}
