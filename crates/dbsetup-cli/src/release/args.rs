//! The command line of a release binary as clap sees it.

use clap::builder::styling::{AnsiColor, Styles};
use clap::{ArgAction, Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::Release;
use super::setup::Setup;
use crate::args::{Running, Safety, Telling, split};
use crate::commands::shared::LaneFlag;
use crate::commands::{Command, Manner, Migrate};

/// The names of all commands, for messages that name one to paste.
pub const WORDS: &[&str] = &[
    "setup",
    "load",
    "migrate",
    "migrate_manual",
    "rollback",
    "redo",
    "status",
    "doctor",
    "resolve",
    "seed",
    "wait",
    "help",
];

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Create, load, migrate and seed the databases of this release.
#[derive(Debug, Clone, Parser)]
#[command(styles = STYLES, max_term_width = 110, subcommand_required = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    word: Word,
}

/// Only what holds for every command.
#[derive(Debug, Clone, Parser)]
#[command(styles = STYLES, disable_help_flag = true, disable_help_subcommand = true)]
struct GlobalOnly {
    #[command(flatten)]
    global: Global,
}

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Work on this repo only; may be given several times.
    #[arg(short, long, global = true, value_name = "NAME", action = ArgAction::Append, help_heading = "Selection")]
    pub repo: Vec<String>,

    /// The environment: `prod`, `staging` or any other name [default: `DBSETUP_ENV`, else `prod`].
    #[arg(long, global = true, value_name = "NAME", help_heading = "Databases")]
    pub env: Option<String>,

    /// Use this URL for the one selected repo.
    ///
    /// A URL with a password in it can be seen in the list of processes: prefer a variable.
    #[arg(long, global = true, value_name = "URL", help_heading = "Databases")]
    pub database_url: Option<String>,

    #[command(flatten)]
    pub safety: Safety,

    #[command(flatten)]
    pub running: Running,

    #[command(flatten)]
    pub telling: Telling,
}

/// What a release binary can do.
#[derive(Debug, Clone, Subcommand)]
pub enum Word {
    #[command(display_order = 1)]
    Setup(Setup),
    #[command(flatten)]
    Shared(Command),
    /// Run pending migrations of the manual lane: those that do not run on every deploy.
    #[command(name = "migrate_manual", display_order = 55)]
    MigrateManual(Manner),
}

/// One thing that is done in the database of each repo.
#[derive(Debug, Clone)]
pub enum Step {
    /// Makes the database.
    Create,
    /// Finds out whether the database is new: then every lane is run, and otherwise the automatic one.
    Look,
    /// A command. In a new database, migrations of every lane.
    Command(Box<Command>),
    /// The migrations of the automatic lane, and in a new database all.
    MigrateAsFound,
}

impl Step {
    /// The heading of its column in the table that ends a run.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Look => "connect",
            Self::MigrateAsFound => "migrate",
            Self::Command(command) => command.name(),
        }
    }
}

impl Word {
    /// The word itself.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Setup(_) => "setup",
            Self::Shared(command) => command.name(),
            Self::MigrateManual(_) => "migrate_manual",
        }
    }

    /// What it does, in order.
    pub fn steps(self) -> Vec<Step> {
        match self {
            Self::Setup(setup) => setup.steps(),
            Self::Shared(command) => vec![Step::Command(Box::new(command))],
            Self::MigrateManual(how) => {
                let migrate = Migrate::of(LaneFlag::Manual, how);
                vec![Step::Command(Box::new(Command::Migrate(migrate)))]
            }
        }
    }
}

/// A command line that was read.
#[derive(Debug)]
pub struct Line {
    /// What holds for every command.
    pub global: Global,
    /// The command, or what clap says instead: an error, a page of help, the version.
    pub word: Result<Word, clap::Error>,
    /// Whether it asks for the table of exit codes.
    pub wants_exit_codes: bool,
}

impl Line {
    /// Reads a command line.
    ///
    /// # Errors
    /// What clap says about the options of every command.
    pub fn read(release: &Release, words: &[String]) -> Result<Self, clap::Error> {
        let called = |command: clap::Command| named(command, release);
        let options = called(GlobalOnly::command());
        let (globals, name, rest) = split(words, &options);
        let call = release.call().to_owned();
        let matches = options.try_get_matches_from(std::iter::once(call.clone()).chain(globals))?;
        let global = GlobalOnly::from_arg_matches(&matches)?.global;
        let wants_exit_codes = name.as_deref() == Some("help") && rest == ["exit-codes"];
        let words = std::iter::once(call).chain(name).chain(rest);
        let word = called(command())
            .try_get_matches_from(words)
            .and_then(|matches| Cli::from_arg_matches(&matches))
            .map(|cli| cli.word);
        Ok(Self { global, word, wants_exit_codes })
    }
}

/// The description of all that a release binary understands.
pub fn command() -> clap::Command {
    Cli::command()
}

fn named(command: clap::Command, release: &Release) -> clap::Command {
    let call = release.call().to_owned();
    let after = format!("Exit codes: see `{call} help exit-codes`.");
    // `'/app/my release'` is a quoted path.
    let plain = shell_words::split(&call).map_or_else(|_| call.clone(), |words| words.join(" "));
    let file = std::path::Path::new(&plain).file_name().map(|name| name.to_string_lossy().into_owned());
    let command = command.name(file.unwrap_or_else(|| call.clone())).bin_name(call).after_help(after);
    match &release.version {
        Some(version) => command.version(version.clone()),
        None => command,
    }
}
