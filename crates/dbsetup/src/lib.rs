//! From nothing to a ready database: create, load the structure, migrate, seed. In development and in a release.
//!
//! The rooms, from the door down: [`migration`], [`structure`], [`storage`] and [`seed`] hold the rules and see a
//! database only through [`driver`]; [`drivers`] knows the databases; [`repo`], [`files`], [`ledger`], [`sql`], [`event`] and
//! [`error`] are plain values that everyone may use. Whoever starts an application from files inside its binary begins
//! with a [`source`].

mod choice;
pub mod doctor;
pub mod driver;
pub mod drivers;
mod engine;
pub mod error;
pub mod event;
pub mod expand;
mod failure;
#[cfg(test)]
mod fake;
pub mod files;
pub mod ledger;
pub mod lock;
pub mod migration;
mod pattern;
pub mod record;
pub mod repo;
pub mod seed;
pub mod session;
pub mod source;
pub mod sql;
mod sql_file;
pub mod startup;
pub mod storage;
pub mod structure;
pub mod template;
#[cfg(feature = "testing")]
pub mod testing;

/// Makes a test of a function that takes a database: see [`testing`].
#[cfg(feature = "testing")]
pub use dbsetup_macros::test;
pub use error::{Error, Kind, Result};
pub use source::{Embedded, EmbeddedFile, EmbeddedSettings, Source};
pub use startup::Startup;
