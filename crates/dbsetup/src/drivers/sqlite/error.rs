//! What SQLite's result codes mean for the work (<https://www.sqlite.org/rescode.html>).

use crate::driver::{DbError, DbErrorClass, ScriptError};
use crate::sql::{self, Dialect, Token, TokenKind};

/// `SQLITE_CONSTRAINT_COMMITHOOK`: our hook refused a commit that was not ours.
pub(super) const COMMIT_REFUSED: i32 = 531;

/// Returns an error of ours.
pub(super) fn failure(class: DbErrorClass, message: impl Into<String>) -> DbError {
    DbError { class, message: message.into(), code: None, notes: Vec::new() }
}

/// Returns an error of ours with what to do about it.
pub(super) fn advised(class: DbErrorClass, message: impl Into<String>, note: impl Into<String>) -> DbError {
    DbError { notes: vec![note.into()], ..failure(class, message) }
}

/// Returns the error of a file operation on this side.
pub(super) fn file(doing: &str, path: &std::path::Path, source: &std::io::Error) -> DbError {
    let class = match source.kind() {
        std::io::ErrorKind::PermissionDenied => DbErrorClass::Permission,
        std::io::ErrorKind::ReadOnlyFilesystem => DbErrorClass::ReadOnly,
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => DbErrorClass::Full,
        _ => DbErrorClass::Io,
    };
    failure(class, format!("cannot {doing} `{}`: {source}", path.display()))
}

/// Returns what sqlx reported, classified.
pub(super) fn database(error: &sqlx::Error) -> DbError {
    match error {
        sqlx::Error::Database(error) => {
            let code = error.code().and_then(|code| code.parse().ok()).unwrap_or(1);
            DbError {
                class: class_of(code, error.message()),
                message: match code {
                    26 => "the file is not a SQLite database".to_owned(),
                    _ => error.message().to_owned(),
                },
                code: Some(code.to_string()),
                notes: notes_of(code),
            }
        }
        sqlx::Error::WorkerCrashed => {
            failure(DbErrorClass::ConnectionLost, "the thread that ran the statements ended")
        }
        sqlx::Error::Io(error) => failure(DbErrorClass::Io, error.to_string()),
        sqlx::Error::Configuration(error) => failure(DbErrorClass::Configuration, error.to_string()),
        other => failure(DbErrorClass::Statement, other.to_string()),
    }
}

/// Returns the number of a database error.
pub(super) fn code_of(error: &DbError) -> i32 {
    error.code.as_deref().and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Whether a statement makes what is there already: all that SQLite says of it is a sentence.
fn makes_what_is_there(message: &str) -> bool {
    message.ends_with(" already exists")
        || message.starts_with("there is already another table or index with this name")
        || message.starts_with("there is already an index named")
        || message.starts_with("there is already a table named")
}

/// Returns the class of an extended result code.
fn class_of(code: i32, message: &str) -> DbErrorClass {
    match (code & 0xff, code) {
        (_, COMMIT_REFUSED) => DbErrorClass::TransactionClosed,
        // Another connection wrote since this one read: the whole transaction may be tried again.
        (_, 517) => DbErrorClass::Serialization,
        // Another connection is recovering the file after a crash.
        (_, 261) => DbErrorClass::NotReady,
        // Waiting for `busy_timeout` was not enough. It is the one lock of the database, so this is a lock timeout.
        (5, _) | (_, 262) => DbErrorClass::LockTimeout,
        (3 | 23, _) => DbErrorClass::Permission,
        // SQLITE_READONLY_DIRECTORY: the journal cannot be made beside the file.
        (_, 1544) => DbErrorClass::Permission,
        (8, _) => DbErrorClass::ReadOnly,
        (7 | 13, _) => DbErrorClass::Full,
        (9, _) => DbErrorClass::Cancelled,
        (10, _) => DbErrorClass::Io,
        (11, _) => DbErrorClass::Damaged,
        (14, _) => DbErrorClass::Permission,
        (26, _) => DbErrorClass::Configuration,
        (1, _) if makes_what_is_there(message) => DbErrorClass::Exists,
        (1, _) if closes_transaction(message) => DbErrorClass::TransactionClosed,
        (1, _) if is_inside_transaction(message) => DbErrorClass::InsideTransaction,
        _ => DbErrorClass::Statement,
    }
}

/// Whether SQLite complains about transaction control in a script.
fn closes_transaction(message: &str) -> bool {
    ["cannot start a transaction within a transaction", "cannot commit - no", "cannot rollback - no"]
        .iter()
        .any(|start| message.starts_with(start))
}

/// Whether SQLite refuses a statement because of the transaction around it.
fn is_inside_transaction(message: &str) -> bool {
    ["cannot VACUUM from within a transaction", "Safety level may not be changed inside a transaction"]
        .contains(&message)
}

/// Returns what to do about a code.
fn notes_of(code: i32) -> Vec<String> {
    let note = match code & 0xff {
        5 => "another process writes to the database; end it or wait for it",
        11 => "the file is damaged: restore a backup, or save what can be read with `sqlite3 FILE .recover`",
        14 => "the directory or a file beside the database cannot be opened",
        26 => "it may also be encrypted",
        _ if code == COMMIT_REFUSED => {
            "the script ends the transaction that it runs in; nothing of it was kept"
        }
        _ => return Vec::new(),
    };
    vec![note.to_owned()]
}

/// Returns the byte offset in `script` that an error speaks of, where the failing statement names it exactly once.
///
/// SQLite says which word it stumbled over and sqlx not where; `statement` is counted over statements that are not empty.
pub(super) fn place(script: &str, statement: usize, message: &str) -> Option<usize> {
    let spans = sql::split(Dialect::Sqlite, script).ok()?;
    let range = spans.get(statement)?.range.clone();
    let text = &script[range.clone()];
    if message == "incomplete input" {
        return Some(range.end);
    }
    let word = culprit(message)?;
    let name = word.rsplit('.').next().unwrap_or(word);
    let is_it = |token: &Token<'_>| {
        let bare = token.text.trim_matches(['"', '`', '[', ']', '\'']);
        token.text.eq_ignore_ascii_case(word) || bare.eq_ignore_ascii_case(name)
    };
    let mut found = sql::tokens(Dialect::Sqlite, text)
        .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment))
        .filter(is_it);
    let start = found.next()?.start;
    found.next().is_none().then_some(range.start + start)
}

/// Returns the word that a message quotes.
fn culprit(message: &str) -> Option<&str> {
    if let Some(rest) = message.strip_prefix("near \"") {
        return rest.strip_suffix("\": syntax error");
    }
    if let Some(rest) = message.strip_prefix("unrecognized token: \"") {
        return rest.strip_suffix('"');
    }
    for start in [
        "no such column: ",
        "no such table: ",
        "no such function: ",
        "no such index: ",
        "no such view: ",
        "no such trigger: ",
        "no such module: ",
        "no such collation sequence: ",
        "duplicate column name: ",
        "ambiguous column name: ",
    ] {
        if let Some(rest) = message.strip_prefix(start) {
            // `no such column: "x" - should this be a string literal in single-quotes?`
            let name = rest.split(" - ").next().unwrap_or(rest);
            return Some(name.trim_matches('"'));
        }
    }
    if let Some((_, column)) = message.split_once(" has no column named ") {
        return Some(column);
    }
    let rest = message.strip_suffix(" already exists")?;
    let name = ["table ", "index ", "view ", "trigger ", "there is already a table named "]
        .iter()
        .find_map(|kind| rest.strip_prefix(kind))?;
    Some(name.trim_matches('"'))
}

/// Returns the failure of a script before its first statement, or of a step of ours around it.
pub(super) fn around(error: DbError, rolled_back: bool) -> ScriptError {
    ScriptError { error, statement: None, offset: None, rolled_back }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_by_what_they_mean_for_the_work() {
        for (code, class) in [
            (5, DbErrorClass::LockTimeout),
            (773, DbErrorClass::LockTimeout),
            (261, DbErrorClass::NotReady),
            (517, DbErrorClass::Serialization),
            (6, DbErrorClass::Statement),
            (8, DbErrorClass::ReadOnly),
            (13, DbErrorClass::Full),
            (14, DbErrorClass::Permission),
            (26, DbErrorClass::Configuration),
            (11, DbErrorClass::Damaged),
            (2067, DbErrorClass::Statement),
            (778, DbErrorClass::Io),
            (531, DbErrorClass::TransactionClosed),
        ] {
            assert_eq!(class_of(code, ""), class, "{code}");
        }
    }

    #[test]
    fn a_statement_that_wants_no_transaction_is_told_from_a_wrong_one() {
        let class = class_of(1, "cannot VACUUM from within a transaction");
        assert_eq!(class, DbErrorClass::InsideTransaction);
        assert_eq!(class_of(1, "no such table: t"), DbErrorClass::Statement);
        assert_eq!(class_of(1, "table users already exists"), DbErrorClass::Exists);
    }

    #[test]
    fn the_word_of_a_message_is_found_where_the_statement_has_it_once() {
        let script = "create table a (id int);\n-- emial\nselect emial from a;\nselect x, x from a;";
        assert_eq!(place(script, 1, "no such column: emial"), script.find("emial from"));
        assert_eq!(place(script, 1, "no such column: main.a.emial"), script.find("emial from"));
        assert_eq!(place(script, 2, "no such column: x"), None);
        assert_eq!(place(script, 9, "no such column: x"), None);
        assert_eq!(place("create tabel a (b);", 0, "near \"tabel\": syntax error"), Some(7));
        assert_eq!(place("create table [a b] (b);", 0, "table \"a b\" already exists"), Some(13));
        assert_eq!(place("select (1 ;", 0, "near \";\": syntax error"), None);
    }

    #[test]
    fn a_damaged_file_comes_with_advice() {
        assert!(notes_of(11)[0].contains(".recover"));
    }
}
