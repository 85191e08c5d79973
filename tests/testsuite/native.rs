//! The structure of a PostgreSQL database, written natively and loaded again: proved on databases that hold nearly
//! everything that PostgreSQL can, on every major version, and while somebody else changes the structure.
//!
//! `./scripts/test --full` brings the databases of PostgreSQL's own tests and the servers of the other versions; a test
//! whose servers are not there says that it is skipped.

mod determinism;
mod kinds;
mod oracle;
mod programs;
mod races;
mod releases;
mod roundtrip;
mod scale;
pub mod servers;
mod splitting;
mod statements;
