//! What a command gets to work with, and what it gives back.

use std::path::{Path, PathBuf};

use dbsetup::Error;
use dbsetup::migration::Status;
use dbsetup::repo::Repo;
use dbsetup::session::Session;
use dbsetup::structure::replay::Beyond;
use dbsetup::template::Recipe;
pub use dbsetup_cli::task::Danger;

use super::alias::Aliases;
use super::options::Options;
use crate::check::Report;
use crate::ui::Ui;
use crate::workspace::{ProgramVariables, ResolvedRepo, Workspace};

/// One repo for one step.
pub struct Task<'a, 's> {
    /// The repo.
    pub repo: &'a Repo,
    /// Every repo of the step, itself among them.
    pub peers: &'s [&'a Repo],
    /// Its session, shared by all steps.
    pub session: &'s mut Session<'a>,
    /// What holds for the step.
    pub options: &'s Options,
    /// Where cargo builds, for what is worth keeping from run to run.
    pub target: &'a Path,
    /// The workspace.
    pub workspace: &'a Workspace,
    /// What a person has agreed to that reaches beyond scratch databases.
    pub agreed: &'s [Beyond],
    /// The only versions that may be undone: those that consent was given to; `None` where it was not the question.
    pub expected: Option<&'s [String]>,
    /// What programs find in their environment; `None` for commands that start none.
    pub variables: Option<&'s ProgramVariables>,
    /// For a `create`: what the steps after it make of the database, if that may be copied instead.
    pub recipe: Option<Recipe>,
}

/// Every selected repo for a step that needs no database.
pub struct Selected<'a> {
    /// The repos.
    pub repos: Vec<&'a ResolvedRepo>,
    /// The workspace; `None` for commands that work anywhere.
    pub workspace: Option<&'a Workspace>,
    /// Every alias.
    pub aliases: &'a Aliases,
    /// What holds for the step.
    pub options: &'a Options,
    /// The face.
    pub ui: &'a Ui,
}

/// What a command gives back besides the events that it told.
#[derive(Debug)]
pub enum Output {
    /// Nothing more to say.
    Done,
    /// It did not succeed, and everything about that has been said.
    Failed,
    /// A dry run: what would be done, a line each; empty means nothing.
    Plan(Vec<String>),
    /// What was found in the database of one repo.
    Examined(Box<dbsetup::doctor::Report>),
    /// The state of the migrations of one repo.
    Status {
        /// What was found.
        status: Box<Status>,
        /// Whether a check is content with it, or there is none.
        current: bool,
    },
    /// A check found that a file does not say what it should.
    Stale {
        /// The file.
        path: PathBuf,
        /// The way from the file to what it should say; empty where there is no file.
        diff: String,
        /// Why the check is not content.
        error: Error,
    },
    /// What a check found in one repo.
    Checked(Box<Report>),
    /// Data for stdout.
    Data {
        /// The name of the event that carries it in JSON.
        event: &'static str,
        /// The text.
        text: String,
    },
}

impl Output {
    /// Returns the plan of a dry run, or that all is done.
    pub fn of(dry_run: bool, plan: impl IntoIterator<Item = impl ToString>) -> Self {
        if dry_run { Self::Plan(plan.into_iter().map(|line| line.to_string()).collect()) } else { Self::Done }
    }
}

impl From<dbsetup_cli::task::Output> for Output {
    fn from(output: dbsetup_cli::task::Output) -> Self {
        use dbsetup_cli::task::Output::{Done, Examined, Migrated, Plan, Status};
        match output {
            Done | Migrated(_) => Self::Done,
            Plan(lines) => Self::Plan(lines),
            Examined(report) => Self::Examined(report),
            Status { status, current } => Self::Status { status, current },
        }
    }
}

/// Which steps want to see what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// No repo at all.
    Nothing,
    /// The selected repos' settings.
    Settings,
    /// Each selected repo's files: its database need not be known.
    Files,
    /// Each selected repo's database.
    Databases,
}

/// Returns the directory that `--migrations-path` names: relative to the crate, or a bare name under priv.
pub fn migrations_directory(repo: &Repo, path: &Path, is_dir: impl Fn(&Path) -> bool) -> PathBuf {
    let in_crate = repo.root.join(path);
    let bare = path.components().count() == 1 && path.is_relative();
    if bare && !is_dir(&in_crate) { repo.priv_dir.join(path) } else { in_crate }
}
