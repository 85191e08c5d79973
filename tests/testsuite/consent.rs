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
    project.run("drop --yes").success().stderr_contains("has already been dropped");
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
    project.run("resolve --environment dev").success();
    project.run("drop --yes").success();
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
