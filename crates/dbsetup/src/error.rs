//! The one error type of the library: what failed, where in which file, and what to do next.
//!
//! A person at a terminal, a log line and an application that starts read the same value; nothing here prints.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::driver::DbErrorClass;
use crate::sql::Location;

/// The result of every fallible function of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What kind of failure an [`Error`] is. Callers decide by it; the command line maps it to an exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A setting, flag, URL or variable is missing or wrong.
    Configuration,
    /// A file name, directory layout, directive or SQL text does not parse.
    Grammar,
    /// Two files share one version, or a version that is already applied from another file.
    DuplicateVersion,
    /// The connection goes through a transaction pooler, and the work needs a session of its own.
    Pooled,
    /// A statement failed in the database.
    Statement,
    /// An applied migration's file no longer says what was run.
    Changed,
    /// A file that the work needs is not there.
    Missing,
    /// The ledger is of an unknown shape, was dropped, or two of them answer.
    Ledger,
    /// Work was interrupted at a place where only a person can tell what happened.
    Undecided,
    /// The database holds objects, and the work needs an empty one.
    NotEmpty,
    /// A structure load was interrupted half way, and the database is to be reloaded.
    PartlyLoaded,
    /// The database does not exist.
    DatabaseMissing,
    /// The role lacks a right.
    Permission,
    /// The engine, its version or its mode cannot do this.
    Unsupported,
    /// Reading or writing a file failed.
    Io,
    /// A program that the work starts failed.
    Program,
    /// Something is pending, stale or drifted, found by a check.
    Check,
    /// The database is older than the squash floor, and the files that it lacks are not here.
    BelowFloor,
    /// Refused: a confirmation is missing, or the database is protected.
    Refused,
    /// Refused: the database is not the repo's. It is of another engine than the files, or recorded for another repo.
    WrongDatabase,
    /// The lock, or a table lock within `lock_timeout`, was not obtained in time.
    Locked,
    /// No server answers.
    Unreachable,
}

/// A place in a source file, with the line to show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The file, as the user would type it.
    pub path: PathBuf,
    /// Where in it, 1-based.
    pub at: Location,
    /// The text of that line, without its line end.
    pub excerpt: String,
    /// How many characters the caret underlines, at least one.
    pub width: usize,
}

impl Site {
    /// Returns the site of a byte range in `text`, which is the content of `path`.
    ///
    /// The range is clipped to its first line.
    pub fn in_text(path: impl Into<PathBuf>, text: &str, range: std::ops::Range<usize>) -> Self {
        let mut start = range.start.min(text.len());
        while !text.is_char_boundary(start) {
            start -= 1;
        }
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let excerpt = text[line_start..line_end].trim_end_matches('\r').to_owned();
        let mut end = range.end.clamp(start, line_end);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let width = text[start..end].trim_end().chars().count().max(1);
        Self { path: path.into(), at: crate::sql::locate(text, start), excerpt, width }
    }
}

/// What failed, where, why, and what to do next.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: Cow<'static, str>,
    site: Option<Site>,
    notes: Vec<String>,
    help: Option<String>,
    source: Option<Box<dyn StdError + Send + Sync>>,
    class: Option<DbErrorClass>,
}

impl Error {
    /// Returns an error whose message reads well after "error: ": lower case, no final period.
    pub fn new(kind: Kind, message: impl Into<Cow<'static, str>>) -> Self {
        let message = message.into();
        Self(Box::new(Inner {
            kind,
            message,
            site: None,
            notes: Vec::new(),
            help: None,
            source: None,
            class: None,
        }))
    }

    /// Returns the error of reading or writing `path`.
    pub fn io(doing: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(Kind::Io, format!("cannot {doing} `{}`: {source}", path.display())).because(source)
    }

    /// Adds the place in a file.
    #[must_use]
    pub fn at(mut self, site: Site) -> Self {
        self.0.site = Some(site);
        self
    }

    /// Adds a fact: what was rolled back, what the server said besides, what else is known.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.0.notes.push(note.into());
        self
    }

    /// Adds what to do next: an action, a command, a line to paste.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Adds the cause. Its text is not repeated in the message.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Adds what a database said that it means for the work.
    #[must_use]
    pub(crate) fn of_class(mut self, class: DbErrorClass) -> Self {
        self.0.class = Some(class);
        self
    }

    /// What it means for the work, where it is a database's answer.
    pub(crate) fn class(&self) -> Option<DbErrorClass> {
        self.0.class
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// The sentence alone, without place, notes and help.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The place in a file, where there is one.
    pub fn site(&self) -> Option<&Site> {
        self.0.site.as_ref()
    }

    /// Facts that belong to the failure, in the order in which they were added.
    pub fn notes(&self) -> &[String] {
        &self.0.notes
    }

    /// What to do next.
    pub fn help_text(&self) -> Option<&str> {
        self.0.help.as_deref()
    }
}

impl fmt::Display for Error {
    /// Writes `path:line:column: message`, then notes and help, a line each.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(site) = self.site() {
            write!(f, "{}:{}:{}: ", site.path.display(), site.at.line, site.at.column)?;
        }
        f.write_str(self.message())?;
        for note in self.notes() {
            write!(f, "\nnote: {note}")?;
        }
        if let Some(help) = self.help_text() {
            write!(f, "\nhelp: {help}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.0.kind)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_shows_the_line_and_clips_the_caret_to_it() {
        let text = "create table a (\n  größe integr,\n  b int\n);\n";
        let start = text.find("integr").expect("it is there");
        let site = Site::in_text("up.sql", text, start..text.len());
        assert_eq!((site.at.line, site.at.column), (2, 9));
        assert_eq!(site.excerpt, "  größe integr,");
        assert_eq!(site.width, "integr,".len());
    }

    #[test]
    fn an_error_reads_as_place_message_notes_and_help() {
        let error = Error::new(Kind::Statement, "no such table: `users`")
            .at(Site::in_text("a.sql", "select * from users;\n", 14..19))
            .note("rolled back")
            .help("run `cargo dbsetup migrate` again");
        assert_eq!(
            error.to_string(),
            "a.sql:1:15: no such table: `users`\nnote: rolled back\nhelp: run `cargo dbsetup migrate` again"
        );
    }
}
