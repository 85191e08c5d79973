//! How a database's answer becomes an error that a person reads: with its place in the file, and what was undone.

use std::ops::Range;

use crate::driver::{DbError, DbErrorClass, ScriptError};
use crate::error::{Error, Kind};
use crate::sql::{self, Dialect, SplitError};

impl From<DbErrorClass> for Kind {
    fn from(class: DbErrorClass) -> Self {
        match class {
            DbErrorClass::LockTimeout => Self::Locked,
            DbErrorClass::LedgerConflict => Self::Ledger,
            DbErrorClass::ConnectionLost | DbErrorClass::Unreachable | DbErrorClass::NotReady => {
                Self::Unreachable
            }
            DbErrorClass::DatabaseMissing => Self::DatabaseMissing,
            DbErrorClass::Permission => Self::Permission,
            DbErrorClass::ReadOnly | DbErrorClass::Unsupported => Self::Unsupported,
            DbErrorClass::Configuration => Self::Configuration,
            DbErrorClass::Refused => Self::Refused,
            DbErrorClass::Io => Self::Io,
            DbErrorClass::Program => Self::Program,
            DbErrorClass::Statement
            | DbErrorClass::Exists
            | DbErrorClass::Deadlock
            | DbErrorClass::Serialization
            | DbErrorClass::TransactionClosed
            | DbErrorClass::InsideTransaction
            | DbErrorClass::Full
            | DbErrorClass::Damaged
            | DbErrorClass::LockTableFull
            | DbErrorClass::Cancelled => Self::Statement,
        }
    }
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        let mut result = Self::new(error.class.into(), sentence(&error)).of_class(error.class);
        if error.class == DbErrorClass::ConnectionLost {
            result = result.help("run it again: what is done stays done");
        }
        for note in error.notes {
            // A driver's advice travels as a note that says so.
            result = match note.strip_prefix("help: ") {
                Some(help) => result.help(help.to_owned()),
                None => result.note(note),
            };
        }
        result
    }
}

/// The server's sentence with its code.
fn sentence(error: &DbError) -> String {
    match &error.code {
        Some(code) => format!("{} ({code})", error.message),
        None => error.message.clone(),
    }
}

/// Returns the bytes of a script that a failure points at: from the server's position to the end of that word, else
/// the statement that failed. `None` where the failure is not in the script.
pub(crate) fn failing_range(dialect: Dialect, script: &str, failure: &ScriptError) -> Option<Range<usize>> {
    if let Some(offset) = failure.offset.filter(|at| *at < script.len() && script.is_char_boundary(*at)) {
        return Some(offset..offset + word_length(dialect, &script[offset..]));
    }
    let statements = sql::split(dialect, script).ok()?;
    let failing = statements.get(failure.statement?)?;
    Some(failing.range.clone())
}

fn word_length(dialect: Dialect, text: &str) -> usize {
    sql::tokens(dialect, text).next().map_or(1, |token| token.text.len().max(1))
}

/// Returns the error of text that cannot be split, pointing into it.
pub(crate) fn unsplittable(path: &std::path::Path, file: &str, offset: usize, error: &SplitError) -> Error {
    let message = match error.to_string().split_once(" at line ") {
        // The place is drawn; saying it twice helps nobody.
        Some((what, _)) if error.location().is_some() => what.to_owned(),
        _ => error.to_string(),
    };
    let mut result = Error::new(Kind::Grammar, message.replace(" that starts", ""));
    if let Some(location) = error.location() {
        let start = offset + usize::try_from(location.offset).unwrap_or(usize::MAX - offset);
        result = result.at(crate::error::Site::in_text(path, file, start..start + 1));
    }
    match error.hint() {
        Some(hint) => result.help(hint),
        None => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_says_what_to_do() {
        let lost = |notes: &[&str]| {
            let notes = notes.iter().map(|note| (*note).to_owned()).collect();
            let message = "the connection was lost".into();
            Error::from(DbError { class: DbErrorClass::ConnectionLost, message, code: None, notes })
        };
        let error = lost(&[]);
        assert_eq!(error.kind(), Kind::Unreachable);
        assert_eq!(error.help_text(), Some("run it again: what is done stays done"));
        assert_eq!(lost(&["help: a driver knows better"]).help_text(), Some("a driver knows better"));
    }
}
