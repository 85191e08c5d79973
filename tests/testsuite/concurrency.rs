//! Many processes at once: everyone ends well, and everything is done once.

mod applications;
mod crowds;
mod waiting;

use crate::support::{Backend, Project, postgres};

/// A project with one repo and `count` migrations, each of which leaves a row in `trace` that nothing keeps from
/// being there twice.
fn traced(backend: Backend, server: Option<&postgres::Server>, count: usize) -> Project {
    let project = match server {
        Some(server) => Project::new().on(server),
        None => Project::new(),
    };
    let mut project = project.repo("core", backend).migration(
        "core",
        "20260101000000_trace",
        "create table trace (version text not null);",
    );
    for number in 1..count {
        let version = format!("{}", 20_260_101_000_000 + number);
        project = project.migration(
            "core",
            &format!("{version}_step"),
            &format!(
                "create table t{number} (id integer primary key);\ninsert into trace values ('{version}');"
            ),
        );
    }
    project
}
