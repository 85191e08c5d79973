//! Structure files: the whole schema as one SQL file, ledger rows included.

mod baseline;
mod check;
mod difference;
mod dump;
pub mod floor;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grantor;
mod header;
mod load;
mod scan;
mod shadows;
pub mod verify;
mod wording;

pub use check::{Verdict, check};
pub use difference::{Difference, differences};
pub use dump::{Dump, DumpOptions, dump, write};
pub use format::{as_rows, recorded_versions};
pub use load::{LoadOutcome, LoadRequest, load, load_into_empty, may_load};

#[cfg(test)]
mod tests;
