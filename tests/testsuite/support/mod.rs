//! What the tests share: a workspace that builds itself, databases that clean up after themselves, and results
//! that explain themselves.
//!
//! ```ignore
//! use crate::support::{Project, Sqlite};
//!
//! #[test]
//! fn migrate_applies_what_is_pending() {
//!     let project = Project::new()
//!         .repo("core", Sqlite)
//!         .migration("core", "20260101000000_users", "create table users (id integer);");
//!     project.run("migrate").success().stderr_contains("Migrated 20260101000000 users");
//!     assert_eq!(project.database("core").query("select count(*) from users"), [["0"]]);
//! }
//! ```
//!
//! A rule that holds for every database loops over [`Backend::available`]. A test that is about PostgreSQL begins
//! with `let Some(server) = postgres::server() else { return };` and hands the server on with `Project::on`.

pub mod app;
mod backend;
pub mod command;
pub mod fault;
pub mod git;
mod manifest;
pub mod postgres;
#[cfg(unix)]
pub mod private_server;
pub mod process;
pub mod programs;
mod project;
pub mod proxy;
mod run;
pub mod sqlite;
#[cfg(unix)]
pub mod terminal;
mod tests;
mod wait;

pub use backend::{Backend, Backend::Postgres, Backend::Sqlite, Database};
pub use process::Running;
pub use project::Project;
pub use run::Run;
pub use wait::wait_until;

/// Makes two tests of each function, `<name>::sqlite` and `<name>::postgres`. The second one says aloud that it is
/// skipped where there is no server.
macro_rules! on_each_database {
    ($($(#[$meta:meta])* fn $name:ident($backend:ident) $body:block)+) => {$(
        $(#[$meta])*
        mod $name {
            #[allow(unused_imports, reason = "not every body needs what its file imports")]
            use super::*;

            #[track_caller]
            fn holds($backend: $crate::support::Backend) $body

            #[test]
            fn sqlite() {
                holds($crate::support::Sqlite);
            }

            #[test]
            fn postgres() {
                if $crate::support::postgres::server().is_some() {
                    holds($crate::support::Postgres);
                }
            }
        }
    )+};
}

/// Whether this run may take long: `./scripts/test --full`.
pub fn is_full_run() -> bool {
    std::env::var_os("DBSETUP_TEST_FULL").is_some()
}

/// Returns the path of another tool's program, or says aloud that the test is skipped.
pub fn peer(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("DBSETUP_TEST_PEERS")
        .map(|dir| std::path::PathBuf::from(dir).join(program))
        .filter(|path| path.exists());
    if path.is_none() {
        skipped(&format!("no `{program}` to compare with (run ./scripts/test --full)"));
    }
    path
}

/// Says aloud that the current test is skipped. The test harness would swallow a `println!`.
pub fn skipped(reason: &str) {
    use std::io::Write as _;
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    // Nothing can be told to a reader who closed the stream.
    _ = writeln!(std::io::stderr(), "skipped: {test}: {reason}");
}
