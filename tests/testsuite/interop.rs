//! Databases that other tools keep, too. Their programs are run by `./scripts/test --full`; the sqlx crate, as an
//! application has it, always.

mod crate_sqlx;
mod files;
mod peers;
mod pooler;
mod rights;
