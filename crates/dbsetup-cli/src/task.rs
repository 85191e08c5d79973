//! What a shared command gets to work with, and what it gives back.

use dbsetup::doctor::Report;
use dbsetup::migration::{RollbackRequest, Status};
use dbsetup::repo::Repo;
use dbsetup::session::Session;

/// One repo for one command.
pub struct Task<'a, 's> {
    /// The repo.
    pub repo: &'a Repo,
    /// Its session.
    pub session: &'s mut Session<'a>,
    /// What holds for the command.
    pub options: Options,
    /// What programs find in their environment besides what the process has; empty for commands that start none.
    pub variables: Vec<(String, String)>,
    /// The only versions that may be undone: those that consent was given to; `None` where it was not the question.
    pub expected: Option<Vec<String>>,
}

/// What holds for one command.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// `--dry-run`.
    pub dry_run: bool,
    /// `--verbose`, counted.
    pub verbose: u8,
}

/// What a shared command gives back besides the events that it told.
#[derive(Debug)]
pub enum Output {
    /// Nothing more to say.
    Done,
    /// So many migrations were run.
    Migrated(usize),
    /// A dry run: what would be done, a line each; empty means nothing.
    Plan(Vec<String>),
    /// What was found in the database of one repo.
    Examined(Box<Report>),
    /// The state of the migrations of one repo.
    Status {
        /// What was found.
        status: Box<Status>,
        /// Whether a check is content with it, or there is none.
        current: bool,
    },
}

impl Output {
    /// Returns the plan of a dry run, or that all is done.
    pub fn of(dry_run: bool, plan: impl IntoIterator<Item = impl ToString>) -> Self {
        if dry_run { Self::Plan(plan.into_iter().map(|line| line.to_string()).collect()) } else { Self::Done }
    }
}

/// What a destructive step destroys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Danger {
    /// The database.
    Drop,
    /// Everything in the database.
    Empty,
    /// What every migration made.
    RollBackAll,
    /// What the migrations made that this undoes, where they are several and the database is protected.
    RollBack(Box<RollbackRequest>),
    /// Nothing yet: the record that protects the database.
    Unprotect,
}

impl Danger {
    /// The deed for messages: "drop", "empty and reload".
    pub fn deed(&self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Empty => "empty and reload",
            Self::RollBackAll => "roll back every migration of",
            Self::RollBack(_) => "roll back several migrations of",
            Self::Unprotect => "record another environment for",
        }
    }
}
