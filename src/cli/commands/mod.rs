//! The commands: one file each, with its flags, its help and a short `run`.

mod aliases;
mod check;
mod completions;
mod config;
mod create;
mod diff;
mod drop;
mod dump;
mod generate;
mod git;
mod load;
mod merge_driver;
mod migrate;
mod redo;
mod resolve;
mod rollback;
mod run;
mod seed;
mod shared;
pub mod squash;
mod status;
mod wait;

use clap::{CommandFactory, Subcommand};
use dbsetup::Result;
use dbsetup::repo::Repo;

use super::args::Cli;
use super::context::{Danger, Output, Scope, Selected, Task};
use super::options::Options;

/// Every command, in the order of the help page.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    Create(create::Create),
    Drop(drop::Drop),
    Load(load::Load),
    #[command(visible_alias = "squash")]
    Dump(dump::Dump),
    Migrate(migrate::Migrate),
    Rollback(rollback::Rollback),
    Redo(redo::Redo),
    #[command(visible_alias = "migrations")]
    Status(status::Status),
    Check(check::Check),
    Resolve(resolve::Resolve),
    Seed(seed::Seed),
    Run(run::Run),
    #[command(subcommand)]
    Gen(generate::Gen),
    Wait(wait::Wait),
    Diff(diff::Diff),
    #[command(subcommand)]
    Git(git::GitCommand),
    #[command(hide = true)]
    MergeDriver(merge_driver::MergeDriver),
    Config(config::Config),
    Aliases(aliases::Aliases),
    Completions(completions::Completions),
}

impl Command {
    /// The words that name commands on the command line, `help` included.
    pub fn names() -> Vec<String> {
        let cli = Cli::command();
        let names = cli.get_subcommands().flat_map(|command| command.get_name_and_visible_aliases());
        names.chain(["help"]).map(str::to_owned).collect()
    }

    /// The word for it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Drop(_) => "drop",
            Self::Load(_) => "load",
            Self::Dump(_) => "dump",
            Self::Migrate(_) => "migrate",
            Self::Rollback(_) => "rollback",
            Self::Redo(_) => "redo",
            Self::Status(_) => "status",
            Self::Check(_) => "check",
            Self::Resolve(_) => "resolve",
            Self::Seed(_) => "seed",
            Self::Run(_) => "run",
            Self::Gen(_) => "gen",
            Self::Wait(_) => "wait",
            Self::Diff(_) => "diff",
            Self::Git(_) => "git",
            Self::MergeDriver(_) => "merge-driver",
            Self::Config(_) => "config",
            Self::Aliases(_) => "aliases",
            Self::Completions(_) => "completions",
        }
    }

    /// What the command wants to see.
    pub fn scope(&self, options: &Options) -> Scope {
        match self {
            Self::Check(_) if options.offline => Scope::Files,
            Self::Aliases(_) | Self::Completions(_) | Self::MergeDriver(_) => Scope::Nothing,
            Self::Config(_) | Self::Gen(_) | Self::Diff(_) | Self::Git(_) => Scope::Settings,
            _ => Scope::Databases,
        }
    }

    /// What, in this command line, means one repo and no other (`--to`), unless `--all-repos` says that it does not.
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        match self {
            Self::Migrate(command) => command.speaks_of_one(),
            Self::Rollback(command) => command.speaks_of_one(),
            Self::Redo(command) => command.speaks_of_one(),
            Self::Resolve(command) => command.speaks_of_one(),
            Self::Run(command) => command.speaks_of_one(),
            Self::Dump(command) => command.speaks_of_one(),
            Self::Gen(command) => command.speaks_of_one(),
            _ => None,
        }
    }

    /// What the command destroys.
    pub fn danger(&self) -> Option<Danger> {
        match self {
            Self::Drop(_) => Some(Danger::Drop),
            Self::Load(command) => command.danger(),
            Self::Rollback(command) => command.danger(),
            Self::Resolve(command) => command.danger(),
            _ => None,
        }
    }

    /// What of the command is a squash.
    pub fn squash(&self) -> Option<&squash::Squash> {
        match self {
            Self::Dump(command) => command.squash(),
            _ => None,
        }
    }

    /// Runs a command that needs the database of one repo.
    ///
    /// # Errors
    /// The command's own.
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        match self {
            Self::Create(command) => command.run(task).await,
            Self::Drop(command) => command.run(task).await,
            Self::Load(command) => command.run(task).await,
            Self::Dump(command) => command.run(task).await,
            Self::Migrate(command) => command.run(task).await,
            Self::Rollback(command) => command.run(task).await,
            Self::Redo(command) => command.run(task).await,
            Self::Status(command) => command.run(task).await,
            Self::Check(command) => command.run(task).await,
            Self::Resolve(command) => command.run(task).await,
            Self::Seed(command) => command.run(task).await,
            Self::Run(command) => command.run(task).await,
            Self::Wait(command) => command.run(task).await,
            Self::Gen(_)
            | Self::Config(_)
            | Self::Aliases(_)
            | Self::Completions(_)
            | Self::Diff(_)
            | Self::Git(_)
            | Self::MergeDriver(_) => Ok(Output::Done),
        }
    }

    /// Runs a command on the files of one repo.
    ///
    /// # Errors
    /// The command's own.
    pub fn examine(&self, repo: &Repo, options: &Options) -> Result<Output> {
        match self {
            Self::Check(command) => command.examine(repo, options),
            _ => Ok(Output::Done),
        }
    }

    /// Runs a command that needs no database.
    ///
    /// # Errors
    /// The command's own.
    pub fn look(&self, selected: &Selected<'_>) -> Result<Output> {
        match self {
            Self::Gen(command) => command.run(selected),
            Self::Config(command) => command.run(selected),
            Self::Aliases(command) => command.run(selected),
            Self::Completions(command) => command.run(),
            Self::Diff(command) => command.run(selected),
            Self::Git(command) => command.run(selected),
            Self::MergeDriver(command) => command.run(selected),
            _ => Ok(Output::Done),
        }
    }

    /// Whether it works anywhere, and is not to wait for cargo.
    pub fn needs_no_workspace(&self) -> bool {
        matches!(self, Self::Completions(_) | Self::MergeDriver(_))
    }

    /// Whether it may start a program of the user's.
    pub fn starts_programs(&self) -> bool {
        matches!(self, Self::Seed(_))
    }

    /// Whether the table that ends a run is about it.
    pub fn is_summed_up(&self) -> bool {
        !matches!(
            self,
            Self::Status(_)
                | Self::Gen(_)
                | Self::Config(_)
                | Self::Aliases(_)
                | Self::Completions(_)
                | Self::Diff(_)
                | Self::Git(_)
                | Self::MergeDriver(_)
        )
    }
}
