//! What will run, as values: decided, checked and shown before anything runs.

use dbsetup::Error;
use dbsetup_cli::drive;

use super::args::Line;
use super::commands::Command;
use super::options::Options;

/// One command or program, and what holds for it.
#[derive(Debug, Clone)]
pub struct Step {
    /// The line as a person would type it, without global options.
    pub words: Vec<String>,
    /// The aliases that led here, outermost first.
    pub trail: Vec<String>,
    /// What holds for it.
    pub options: Options,
    /// What it does.
    pub action: Action,
}

/// What a step does.
#[derive(Debug, Clone)]
pub enum Action {
    /// A command of ours.
    Command(Box<Command>),
    /// A program and its arguments, started without a shell.
    Program(Vec<String>),
}

impl Step {
    /// The line for messages: `migrate --lane all`, `$ cargo test`.
    pub fn shown(&self) -> String {
        let line = shell_words::join(&self.words);
        match self.action {
            Action::Command(_) => line,
            Action::Program(_) => format!("$ {line}"),
        }
    }

    /// The heading of its column in the table that ends a run.
    pub fn heading(&self) -> String {
        match &self.action {
            // `squash` and `migrations` are words of their own.
            Action::Command(command) => self.words.first().map_or(command.name(), String::as_str).to_owned(),
            Action::Program(words) => words.first().cloned().unwrap_or_default(),
        }
    }
}

impl Line {
    /// The line without its global options.
    pub fn words(&self) -> Vec<String> {
        self.name.iter().chain(&self.rest).cloned().collect()
    }
}

/// Why a run ends before its work is done.
#[derive(Debug)]
pub enum Stop {
    /// A line does not parse, or clap has something to show (help, version).
    Usage {
        /// What clap says.
        error: Box<clap::Error>,
        /// The line that it says it about.
        line: Line,
        /// The aliases that led to the line.
        trail: Vec<String>,
    },
    /// A word is neither command nor alias.
    Unknown(Error),
    /// Something failed.
    Failed(Error),
    /// A signal arrived.
    Signal(dbsetup_cli::signals::Signal),
    /// Whoever read our output has gone.
    BrokenPipe,
}

impl Stop {
    /// Returns the usage error of a line.
    pub fn usage(error: clap::Error, line: &Line, trail: &[String]) -> Self {
        Self::Usage { error: Box::new(error), line: line.clone(), trail: trail.to_vec() }
    }
}

impl From<drive::Stop> for Stop {
    fn from(stop: drive::Stop) -> Self {
        match stop {
            drive::Stop::Failed(error) => Self::Failed(error),
            drive::Stop::Signal(signal) => Self::Signal(signal),
            drive::Stop::BrokenPipe => Self::BrokenPipe,
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}
