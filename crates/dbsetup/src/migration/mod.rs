//! Migrations: which there are, which are pending, and how they run.

pub mod checksum;
mod version;

pub use version::Version;
