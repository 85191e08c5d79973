//! Whole workspaces, read through `cargo metadata`.

mod configuration;
mod documentation;
mod embedding;
mod layouts;
mod urls;
