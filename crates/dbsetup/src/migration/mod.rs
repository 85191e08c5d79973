//! Migrations: which there are, which are pending, and how they run.

mod archive;
pub mod assess;
pub mod baseline;
pub mod checksum;
mod code;
pub(crate) mod current;
mod directive;
mod directory;
mod down;
pub mod floor;
mod grammar;
mod job;
pub mod plan;
mod resolve;
mod rewrite;
mod run;
mod script;
mod sections;
mod set;
mod status;
mod sums;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
mod together;
mod trouble;
mod units;
mod up;
mod version;

pub use archive::archive_folders;
pub use assess::{Assessment, Entry, State};
pub use code::{CodeConnection, CodeMigration, CodeResult};
pub use directive::Requirement;
pub(crate) use directory::{first_grammar, refuse_escape};
pub use down::{RollbackReport, RollbackRequest, rollback};
pub use floor::{Standing, Verdict};
pub use grammar::{Grammar, version_in_path};
pub use plan::{Lanes, Plan, Scope, Target};
pub use resolve::{Resolution, ResolveRequest, Resolved, resolve};
pub use script::Script;
pub use set::{FileSet, Migration};
pub use status::{Status, StatusRow, status};
pub use sums::Sums;
pub(crate) use up::is_loaded;
pub use up::{MigrateReport, MigrateRequest, Planned, migrate, migrate_files};
pub use version::Version;
