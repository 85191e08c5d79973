//! Migrations: which there are, which are pending, and how they run.

pub mod assess;
pub mod checksum;
mod choice;
mod directive;
mod directory;
mod grammar;
pub mod plan;
mod script;
mod sections;
mod set;
#[cfg(test)]
pub(crate) mod testing;
mod version;

pub use assess::{Assessment, Entry, State};
pub use choice::{Choice, choose};
pub use grammar::Grammar;
pub use plan::{Lanes, Plan, Scope, Target};
pub use script::Script;
pub use set::{FileSet, Migration};
pub use version::Version;
