//! `check`: whether what is committed is sound. Files, git and lint are looked at here; what a database decides is the
//! library's.

mod applied;
mod archive;
mod base;
pub mod binary;
mod code;
mod finding;
mod floor;
mod lint;
mod live;
mod objects;
pub mod offline;
mod order;
mod rows;
pub mod scratch;

pub use code::Code;
pub use finding::{Finding, Report, Severity, Skipped};
