//! The command line as clap sees it: what holds for every command, and how a line is taken apart.

use std::path::PathBuf;

use clap::builder::styling::Styles;
use clap::{ArgAction, Args, CommandFactory, Parser};
pub use dbsetup_cli::args::Format;
use dbsetup_cli::args::{Running, Safety, Telling, split};

use super::commands::{Command, squash};

const STYLES: Styles = clap_cargo::style::CLAP_STYLING;

/// What a person may do next, below every long help page.
const AFTER_HELP: &str = "\
Aliases (`setup`, `reset`, `migrate_all`, `migrate_manual` and those of Cargo.toml) run like commands: see \
`cargo dbsetup aliases`.
Exit codes: see `cargo dbsetup help exit-codes`.";

/// From a fresh clone to ready databases with one command: create, load, migrate, seed.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "cargo-dbsetup",
    bin_name = "cargo dbsetup",
    version,
    styles = STYLES,
    max_term_width = 110,
    after_help = AFTER_HELP,
    subcommand_required = true,
    arg_required_else_help = true
)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Only what holds for every command: what [`Line::split`] has put aside.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "cargo-dbsetup",
    bin_name = "cargo dbsetup",
    styles = STYLES,
    disable_help_flag = true,
    disable_help_subcommand = true
)]
pub struct GlobalOnly {
    #[command(flatten)]
    pub global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Work on this repo only; may be given several times.
    #[arg(short, long, global = true, value_name = "NAME", action = ArgAction::Append, help_heading = "Selection")]
    pub repo: Vec<String>,

    /// Work on the repos of this package; may be given several times.
    #[arg(short, long, global = true, value_name = "SPEC", action = ArgAction::Append, help_heading = "Selection")]
    pub package: Vec<String>,

    /// Work on the repos of every package of the workspace.
    #[arg(long, global = true, help_heading = "Selection")]
    pub workspace: bool,

    /// Leave out the repos of this package; may be given several times.
    #[arg(long, global = true, value_name = "SPEC", action = ArgAction::Append, help_heading = "Selection")]
    pub exclude: Vec<String>,

    /// Path to Cargo.toml.
    #[arg(long, global = true, value_name = "PATH", help_heading = "Selection")]
    pub manifest_path: Option<PathBuf>,

    /// The environment: `dev`, `test`, `prod` or any other name [default: `DBSETUP_ENV`, else `dev`].
    #[arg(long, global = true, value_name = "NAME", help_heading = "Databases")]
    pub env: Option<String>,

    /// Use this URL for the one selected repo.
    ///
    /// A URL with a password in it can be seen in the list of processes: prefer a variable.
    #[arg(long, global = true, value_name = "URL", help_heading = "Databases")]
    pub database_url: Option<String>,

    /// Do not read `.env` files.
    #[arg(long, global = true, help_heading = "Databases")]
    pub no_dotenv: bool,

    #[command(flatten)]
    pub safety: Safety,

    #[command(flatten)]
    pub running: Running,

    #[command(flatten)]
    pub telling: Telling,

    /// Passed to `cargo metadata`: no network. `check` looks at files alone then, and opens no connection.
    #[arg(long, global = true, help_heading = "Cargo")]
    pub offline: bool,

    /// Passed to `cargo metadata`: the lock file stays as it is.
    #[arg(long, global = true, help_heading = "Cargo")]
    pub locked: bool,

    /// Both `--offline` and `--locked`.
    #[arg(long, global = true, help_heading = "Cargo")]
    pub frozen: bool,
}

/// A command line taken apart: what holds for every command, the command or alias, and the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Global options with their values, in order.
    pub globals: Vec<String>,
    /// The first word that is no global option.
    pub name: Option<String>,
    /// What follows the name, global options taken out.
    pub rest: Vec<String>,
}

impl Line {
    /// Takes a line apart. What is a global option, and whether it takes a value, is asked of clap's own description.
    pub fn split(words: &[String]) -> Self {
        let (globals, name, rest) = split(words, &GlobalOnly::command());
        Self { globals, name, rest }
    }

    /// Parses the global options.
    ///
    /// # Errors
    /// clap's own, which prints as clap prints it.
    pub fn global(&self) -> Result<Global, clap::Error> {
        let words = std::iter::once("cargo dbsetup").chain(self.globals.iter().map(String::as_str));
        GlobalOnly::try_parse_from(words).map(|parsed| parsed.global)
    }

    /// Parses the line as a command. Global options do not take part: they are merged apart.
    ///
    /// # Errors
    /// clap's own; also where clap wants to show help.
    pub fn command(&self) -> Result<Command, clap::Error> {
        let words = std::iter::once("cargo dbsetup")
            .chain(self.name.as_deref())
            .chain(self.implied())
            .chain(self.rest.iter().map(String::as_str));
        Cli::try_parse_from(words).map(|parsed| parsed.command)
    }
}

impl Line {
    /// Returns the flag that the word `squash` stands for.
    fn implied(&self) -> Option<&'static str> {
        let is_squash = self.name.as_deref() == Some(squash::WORD);
        (is_squash && !self.rest.iter().any(|word| word == squash::FLAG)).then_some(squash::FLAG)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        shell_words::split(line).expect("the test's line is well formed")
    }

    #[test]
    fn the_description_of_the_command_line_holds_together() {
        Cli::command().debug_assert();
        GlobalOnly::command().debug_assert();
    }

    #[test]
    fn global_options_are_found_wherever_they_stand() {
        let line = Line::split(&words("-r core setup --env=test --log-sql -qj2 --to 5 --exclude a"));
        assert_eq!(line.globals, ["-r", "core", "--env=test", "-qj2", "--exclude", "a"]);
        assert_eq!(line.name.as_deref(), Some("setup"));
        assert_eq!(line.rest, ["--log-sql", "--to", "5"]);
        let global = line.global().expect("they parse");
        assert_eq!(
            (global.repo, global.running.jobs, global.telling.quiet),
            (vec!["core".into()], Some(2), true)
        );
    }

    #[test]
    fn squash_is_a_word_for_a_dump_that_moves_migrations() {
        for line in ["squash --to 5", "dump --move-migrations --to 5", "squash --move-migrations --to=5"] {
            let command = Line::split(&words(line)).command().expect("it parses");
            assert_eq!(command.squash().and_then(|squash| squash.to.as_deref()), Some("5"), "{line}");
        }
        assert!(Line::split(&words("dump")).command().expect("it parses").squash().is_none());
        for line in
            ["dump --to 5", "dump --allow-dirty", "squash --check", "squash -d -", "dump --applied-on x"]
        {
            assert!(Line::split(&words(line)).command().is_err(), "{line}");
        }
    }

    #[test]
    fn a_repo_before_and_one_after_the_command_both_count() {
        let global = Line::split(&words("-r a migrate -r b")).global().expect("they parse");
        assert_eq!(global.repo, ["a", "b"]);
    }

    #[test]
    fn nothing_behind_two_dashes_is_ours() {
        let line = Line::split(&words("test -q -- -q --nocapture"));
        assert_eq!(line.globals, ["-q"]);
        assert_eq!(line.rest, ["--", "-q", "--nocapture"]);
    }
}
