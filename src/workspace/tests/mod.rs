//! Whole workspaces, read through `cargo metadata`.

mod configuration;
mod layouts;
mod urls;
