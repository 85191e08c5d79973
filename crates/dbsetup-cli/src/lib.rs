//! What `cargo dbsetup` and a release's own binary have in common: the face, and the commands that need no cargo.
//!
//! Arrows go down: the plugin sees this crate, and this crate sees [`dbsetup`].

pub mod args;
pub mod commands;
pub mod confirm;
pub mod drive;
pub mod exit;
pub mod origins;
pub mod plan;
pub mod release;
pub mod sessions;
pub mod signals;
pub mod summary;
pub mod task;
pub mod ui;

pub use release::{Release, release};
