//! Puts the files and the settings of a repo into the binary of the crate that is built.
//!
//! ```no_run
//! // build.rs
//! dbsetup_build::embed("core");
//! ```
//!
//! The crate then has them as `static CORE: dbsetup::Embedded = dbsetup::embed!("core");`. A file that is changed,
//! added or removed makes cargo build the crate again.
//!
//! What is embedded, and with which settings, is what `cargo dbsetup` finds in the same manifests. The rules that both
//! need are here: [`layout`], [`shape`], [`sources`], [`paths`], [`duration`].

mod absent;
mod code;
mod digest;
mod embed;
mod engine;
mod files;
pub mod layout;
pub mod manifest;
mod metadata;
pub mod paths;
mod problem;
mod settings;
pub mod shape;
pub mod sources;
mod tables;
mod toml;

pub use embed::{Prepared, embed, prepare};
pub use engine::{Engine, variable_of};
pub use problem::Problem;
pub use tables::{KEYS, duration};

/// What the marker of a digest begins with in a binary; the repo's name, `:`, the digest and `;` follow.
pub const MARKER_PREFIX: &str = "dbsetup-embedded:";

/// Whose table of applied versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ledger {
    /// Our own.
    Dbsetup,
    /// sqlx's.
    Sqlx,
    /// diesel's.
    Diesel,
    /// refinery's.
    Refinery,
    /// dbmate's.
    Dbmate,
}

impl Ledger {
    /// Every one, ours first.
    pub const ALL: [Self; 5] = [Self::Dbsetup, Self::Sqlx, Self::Diesel, Self::Refinery, Self::Dbmate];

    /// The word for it in configuration.
    pub fn word(self) -> &'static str {
        match self {
            Self::Dbsetup => "schema_migrations",
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::Refinery => "refinery",
            Self::Dbmate => "dbmate",
        }
    }

    /// Returns the one that a configuration names.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}
