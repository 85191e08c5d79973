//! Structure files: the whole schema as one SQL file, ledger rows included.

mod dump;
mod format;
mod load;
mod scan;
mod shadows;

pub use dump::{Dump, DumpOptions, dump, write};
pub use format::{as_rows, recorded_versions};
pub use load::{LoadOutcome, LoadRequest, load, load_into_empty, may_load};

#[cfg(test)]
mod tests;
