//! Whole workspaces, read through `cargo metadata`.

mod configuration;
mod documentation;
mod layouts;
mod urls;
