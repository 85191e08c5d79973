//! Why a repo cannot be embedded: what, where, what next.

use std::fmt;

/// What stops a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    what: String,
    notes: Vec<String>,
    help: Option<String>,
}

pub(crate) type Result<T> = std::result::Result<T, Problem>;

impl Problem {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), notes: Vec::new(), help: None }
    }

    pub(crate) fn io(doing: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::new(format!("cannot {doing} `{}`: {error}", path.display()))
    }

    #[must_use]
    pub(crate) fn note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }

    #[must_use]
    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// What went wrong, in one line.
    pub fn message(&self) -> &str {
        &self.what
    }

    /// What else is known.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What to do about it.
    pub fn help_text(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        for note in &self.notes {
            write!(f, "; {note}")?;
        }
        match &self.help {
            Some(help) => write!(f, "; help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}
