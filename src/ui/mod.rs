//! The face of what only the plugin shows; the rest is that of every program.

pub mod check;
pub mod diff;

pub use dbsetup_cli::ui::*;
