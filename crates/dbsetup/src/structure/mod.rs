//! Structure files: the whole schema as one SQL file, ledger rows included.

mod assemble;
pub(crate) mod baseline;
mod check;
pub mod convergence;
mod difference;
mod dump;
mod examine;
pub mod floor;
mod forgets;
mod format;
#[cfg(fuzzing)]
pub mod fuzzing;
mod grantor;
mod header;
mod held;
mod kept;
mod load;
pub mod objects;
mod outcome;
mod own_tables;
mod recorded;
pub mod replay;
pub mod rows;
mod scan;
mod scratch;
mod shadows;
pub mod squash;
pub mod verify;
mod wording;

pub use check::{Verdict, check};
pub use difference::{Difference, differences};
pub use dump::{Dump, DumpOptions, dump, write};
pub use examine::{Condition, conflict, dialect_of, examine, marks};
pub use format::as_rows;
pub use held::{unnamed_rows, unnamed_rows_error};
pub use load::{LoadOutcome, LoadRequest, load, load_into_empty, may_load};
pub use outcome::{Outcome, compare, outcome};
pub use recorded::{Recorded, code_by, recorded, recorded_by, recorded_versions, with_absorbed};
pub use replay::{Base, base, replay};
pub use scratch::{in_scratch, in_scratch_heard, loaded};

#[cfg(test)]
mod tests;
