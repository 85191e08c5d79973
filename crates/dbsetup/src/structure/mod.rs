//! Structure files: the whole schema as one SQL file, ledger rows included.

mod assemble;
mod check;
mod difference;
mod dump;
pub mod floor;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grantor;
mod header;
mod kept;
mod load;
mod outcome;
pub mod replay;
pub mod rows;
mod scan;
mod scratch;
mod shadows;
pub mod verify;
mod wording;

pub use check::{Verdict, check};
pub use difference::{Difference, differences};
pub use dump::{Dump, DumpOptions, dump, write};
pub use format::{as_rows, recorded_versions};
pub use load::{LoadOutcome, LoadRequest, load, load_into_empty, may_load};
pub use outcome::{Outcome, compare, outcome};
pub use replay::{Base, base, replay};
pub use scratch::{in_scratch, in_scratch_heard, loaded};

#[cfg(test)]
mod tests;
