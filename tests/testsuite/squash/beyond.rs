//! Migrations that reach beyond the scratch databases of a squash, and whose server those are on.

use super::{committed, git, project};
use crate::support::{Postgres, Project, Sqlite, postgres};

const PLACE: &str = "crates/core/priv/core/migrations/4_b.sql";

fn reaching() -> Project {
    let project = project(Sqlite);
    project.write(PLACE, "-- no-transaction\nattach ':memory:' as beyond;\n");
    project.run("setup").success();
    committed(&project);
    project
}

#[test]
fn what_reaches_beyond_is_not_run_again_for_nobody_who_does_not_trust_it() {
    let project = reaching();
    for line in ["squash", "squash --yes", "squash --dry-run", "squash --dry-run --yes"] {
        let run = project.run(line);
        run.code(4).stderr_contains("reach beyond it").stderr_contains(&format!("`{PLACE}:2`: ATTACH"));
        run.stderr_contains("`cargo dbsetup dump --move-migrations --trust-file --repo core`");
        assert_eq!(git(&project, "status --porcelain"), "");
    }
    project.run("squash --dry-run --trust-file").success().stderr_lacks("nothing was tried");
    project.run("squash --trust-file").success();
}

#[cfg(unix)]
#[test]
fn a_person_is_asked_about_it_together_with_what_nothing_shows() {
    let project = reaching().repo_config("core", "env.prod.url = \"sqlite:prod.db\"");
    committed(&project);
    // A rehearsal of what a person would be asked about tells what it leaves out.
    let rehearsed = project.terminal("squash --dry-run").wait();
    rehearsed.success().stdout_contains("would move").stdout_contains("nothing was tried");
    for (keys, code) in [("\n", 4), ("y\n", 0)] {
        let mut terminal = project.terminal("squash");
        terminal.expect("`core` in prod").expect(&format!("ATTACH at {PLACE}:2 (repo core)"));
        terminal.expect("Go on? [y/N]: ").send(keys);
        terminal.wait().code(code);
    }
    assert!(project.read(project.priv_dir("core").join("structure.floor")).contains("automatic 4 "));
}

#[test]
fn nothing_is_run_again_on_the_server_of_a_protected_database_unless_that_server_is_named() {
    let Some(server) = postgres::server() else { return };
    for backend in [Postgres, Sqlite] {
        let project = super::with_repo(Project::new().on(&server), "core", backend);
        project.run("create --env prod").success();
        project.run("migrate --lane all --env prod").success();
        committed(&project);
        if backend == Postgres {
            for line in
                ["squash --env prod", "squash --env prod --yes --trust-file", "squash --env prod --dry-run"]
            {
                let run = project.run(line);
                run.code(4).stderr_contains("on the server of the environment `prod`, which is protected");
                run.stderr_contains("`scratch-url`").hides(server.password());
            }
            assert_eq!(git(&project, "status --porcelain"), "");
        }
        let project = match backend {
            Postgres => project.repo_config("core", &format!("scratch-url = \"{}\"", server.admin_url())),
            Sqlite => project,
        };
        committed_if_changed(&project);
        project.run("squash --env prod").success().hides(server.password());
    }
}

/// Commits what there is to be committed.
fn committed_if_changed(project: &Project) {
    if !git(project, "status --porcelain").is_empty() {
        committed(project);
    }
}
