//! What is told of a structure that took the place of its migrations.

use super::{committed, findings, finds, structure};
use crate::support::{Backend, Project};

const PRIV: &str = "crates/core/priv/core";
const KEPT: &str = "keep-data = [\"lands\"]";

fn replace(project: &Project, path: &str, from: &str, to: &str) {
    let text = project.read(path);
    assert!(text.contains(from), "{path} lacks {from:?}: {text}");
    project.write(path, &text.replacen(from, to, 1));
}

/// A table whose rows are kept, squashed; its database is there.
#[track_caller]
fn squashed(backend: Backend) -> Project {
    let project = Project::new().repo("core", backend).repo_config("core", KEPT).migration(
        "core",
        "1_lands",
        "create table lands (code varchar(2) primary key, name text);\n\
         insert into lands values ('de', 'Germany'), ('fr', 'France');\n",
    );
    project.run("setup").success();
    committed(&project);
    project.run("squash --yes").success();
    project
}

on_each_database! {
    fn rows_of_a_squash_are_not_lost_when_their_key_goes(backend) {
        let project = squashed(backend);
        let before = project.read(structure());
        assert!(before.contains("'Germany'"), "{before}");
        replace(&project, "crates/core/Cargo.toml", KEPT, "");
        let run = finds(&project, "check --offline", &["rows-unnamed"]);
        let told = findings(&run)[0].to_string();
        assert!(told.contains("keep-data = [") && told.contains("dump --drop-data"), "{told}");
        for line in ["dump", "dump --check", "dump --no-filters"] {
            project.run(line).code(4).stderr_contains("holds rows of").stderr_contains("--drop-data");
        }
        assert_eq!(project.read(structure()), before);
        // Both answers are taken.
        project.run("dump --drop-data land").code(2).stderr_contains("do you mean `lands`?");
        project.run("dump --drop-data lands").success();
        let after = project.read(structure());
        assert!(!after.contains("'Germany'") && after.contains("-- without rows: "), "{after}");
        finds(&project, "check --offline", &[]);
        project.run("dump --check").success();
        project.write(structure(), &before);
        project.repo_config("core", "").run("dump").success();
    }
}
