//! The commands: one file each, with its flags, its help and a short `run`.

mod aliases;
mod cache;
mod check;
mod completions;
mod config;
mod create;
mod diff;
mod drop;
mod dump;
mod generate;
mod git;
mod merge_driver;
mod run;
pub mod squash;

use clap::{CommandFactory, Subcommand};
use dbsetup::Result;
use dbsetup::repo::Repo;
use dbsetup::structure::DumpOptions;
use dbsetup::template;
use dbsetup_cli::commands::{Command as Shared, shared};

use super::args::Cli;
use super::context::{Danger, Output, Scope, Selected, Task};
use super::options::Options;

/// Every command, in the order of the help page.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    #[command(flatten)]
    Shared(Shared),
    #[command(display_order = 10)]
    Create(create::Create),
    #[command(display_order = 20)]
    Drop(drop::Drop),
    #[command(display_order = 40, visible_alias = "squash")]
    Dump(dump::Dump),
    #[command(display_order = 90)]
    Check(check::Check),
    #[command(display_order = 120)]
    Run(run::Run),
    #[command(subcommand, display_order = 130)]
    Gen(generate::Gen),
    #[command(subcommand, display_order = 135)]
    Cache(cache::Cache),
    #[command(display_order = 150)]
    Diff(diff::Diff),
    #[command(subcommand, display_order = 160)]
    Git(git::GitCommand),
    #[command(hide = true, display_order = 170)]
    MergeDriver(merge_driver::MergeDriver),
    #[command(display_order = 180)]
    Config(config::Config),
    #[command(display_order = 190)]
    Aliases(aliases::Aliases),
    #[command(display_order = 200)]
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
            Self::Shared(command) => command.name(),
            Self::Create(_) => "create",
            Self::Drop(_) => "drop",
            Self::Dump(_) => "dump",
            Self::Check(_) => "check",
            Self::Run(_) => "run",
            Self::Gen(_) => "gen",
            Self::Cache(command) => command.name(),
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
            Self::Shared(command) => command.speaks_of_one(),
            Self::Run(command) => command.speaks_of_one(),
            Self::Dump(command) => command.speaks_of_one(),
            Self::Gen(command) => command.speaks_of_one(),
            _ => None,
        }
    }

    /// What the command destroys.
    pub fn danger(&self) -> Option<Danger> {
        match self {
            Self::Shared(command) => command.danger(),
            Self::Drop(_) => Some(Danger::Drop),
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
            Self::Shared(command) => run_shared(command, task).await,
            Self::Create(command) => command.run(task).await,
            Self::Drop(command) => command.run(task).await,
            Self::Dump(command) => command.run(task).await,
            Self::Check(command) => command.run(task).await,
            Self::Run(command) => command.run(task).await,
            Self::Cache(command) => command.run(task).await,
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
        matches!(self, Self::Shared(command) if command.starts_programs())
    }

    /// Whether the table that ends a run is about it.
    pub fn is_summed_up(&self) -> bool {
        match self {
            Self::Shared(command) => command.is_summed_up(),
            Self::Cache(command) => command.is_summed_up(),
            Self::Gen(_)
            | Self::Config(_)
            | Self::Aliases(_)
            | Self::Completions(_)
            | Self::Diff(_)
            | Self::Git(_)
            | Self::MergeDriver(_) => false,
            _ => true,
        }
    }
}

/// Runs a command that a release's own binary has, too; and what follows from it in a checkout.
async fn run_shared(command: &Shared, task: &mut Task<'_, '_>) -> Result<Output> {
    let variables = task.variables.iter().flat_map(|variables| variables.iter());
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let (repo, options) = (task.repo, task.options.into());
    let mut shared = dbsetup_cli::task::Task {
        repo,
        session: &mut *task.session,
        options,
        variables,
        expected: task.expected.map(<[String]>::to_vec),
    };
    let output = command.run(&mut shared).await?;
    if let dbsetup_cli::task::Output::Migrated(_) = output {
        template::keep(task.session).await;
    }
    if let dbsetup_cli::task::Output::Migrated(1..) = output
        && repo.dump_after_migrate
        && repo.environment == "dev"
    {
        dump::to_file(task.session, &DumpOptions::default(), None).await?;
    }
    Ok(output.into())
}
