//! `check`: whether what is committed is sound. Files, git and lint are looked at here; what a database decides is the
//! library's.

mod applied;
mod base;
mod code;
mod finding;
mod floor;
mod lint;
pub mod offline;
mod order;

pub use code::Code;
pub use finding::{Finding, Report, Severity, Skipped};
