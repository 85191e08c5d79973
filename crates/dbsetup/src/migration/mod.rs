//! Migrations: which there are, which are pending, and how they run.

pub mod assess;
pub mod checksum;
mod choice;
mod directive;
mod directory;
mod grammar;
mod script;
mod sections;
mod set;
#[cfg(test)]
pub(crate) mod testing;
mod version;

pub use assess::{Assessment, Entry, State};
pub use choice::{Choice, choose};
pub use grammar::Grammar;
pub use script::Script;
pub use set::{FileSet, Migration};
pub use version::Version;
