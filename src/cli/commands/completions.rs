//! `completions`

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use dbsetup::Result;

use crate::cli::args::Cli;
use crate::cli::context::Output;

/// Print a completion script for a shell.
///
/// It completes the program's own name, `cargo-dbsetup`.
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    pub fn run(&self) -> Result<Output> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "cargo-dbsetup", &mut script);
        Ok(Output::Data { event: "", text: String::from_utf8_lossy(&script).into_owned() })
    }
}
