//! What a failure of PostgreSQL or of the connection means for the work.
//!
//! Codes: <https://www.postgresql.org/docs/current/errcodes-appendix.html>. The text that sqlx prints for a server's
//! error is never used: its "at line N" is a line of the server's own C source.

use std::io;

use sqlx::Error as Sqlx;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::driver::{DbError, DbErrorClass};

/// Returns an error of our own.
pub(super) fn own(class: DbErrorClass, message: impl Into<String>) -> DbError {
    DbError { class, message: message.into(), code: None, notes: Vec::new() }
}

/// What to do where a pooler stands in between. Whether a manifest, a variable or an application named the URL is not
/// known here.
pub(super) const PAST_POOLER: &str = "go past the pooler to the server itself: set `<REPO>_DIRECT_URL` or, for `cargo dbsetup`, `direct-url` in Cargo.toml; an application hands over another URL";

/// Adds advice, which the rules above show as such.
pub(super) fn advised(mut error: DbError, help: impl Into<String>) -> DbError {
    error.notes.push(format!("help: {}", help.into()));
    error
}

/// Whether the error is the server's with this code.
pub(super) fn has_code(error: &DbError, code: &str) -> bool {
    error.code.as_deref() == Some(code)
}

/// Whether a statement that failed with this code did nothing at all: it was refused before it ran.
pub(super) fn did_nothing(error: &DbError) -> bool {
    error.code.as_deref().is_some_and(|code| code.starts_with("42") || code == "25001" || code == "0A000")
}

/// Whether the error is about that table.
pub(super) fn is_about(error: &DbError, table: &str) -> bool {
    error.notes.iter().any(|note| note.strip_prefix("table: ") == Some(table))
}

/// Returns what a code means once a session is open.
pub(super) fn class_of(code: &str, message: &str) -> DbErrorClass {
    match code {
        "42P07" | "42P06" | "42710" | "42723" => DbErrorClass::Exists,
        "55P03" => DbErrorClass::LockTimeout,
        "40P01" => DbErrorClass::Deadlock,
        "40001" => DbErrorClass::Serialization,
        "3D000" => DbErrorClass::DatabaseMissing,
        // PgBouncer has one code for all, also for what the server behind it said.
        "08P01" if is_missing_database(message) => DbErrorClass::DatabaseMissing,
        "08P01" if message.contains("authentication failed") => DbErrorClass::Permission,
        "28000" | "28P01" | "42501" => DbErrorClass::Permission,
        "25001" => DbErrorClass::InsideTransaction,
        "25006" => DbErrorClass::ReadOnly,
        "53200" if message.contains("shared memory") => DbErrorClass::LockTableFull,
        "53100" | "53200" => DbErrorClass::Full,
        "53300" | "57P03" => DbErrorClass::NotReady,
        "57014" => DbErrorClass::Cancelled,
        // The server ends the session: shutdown, crash, our own idle limits.
        "57P01" | "57P02" | "57P04" | "57P05" | "25P03" => DbErrorClass::ConnectionLost,
        code if code.starts_with("08") => DbErrorClass::ConnectionLost,
        _ => DbErrorClass::Statement,
    }
}

fn is_missing_database(message: &str) -> bool {
    message.starts_with("no such database")
        || (message.contains("database \"") && message.ends_with("does not exist"))
}

/// Returns the server's error with everything that it said.
fn server(error: &PgDatabaseError) -> DbError {
    let mut notes = Vec::new();
    let mut note = |name: &str, text: Option<&str>| {
        notes.extend(text.filter(|text| !text.is_empty()).map(|text| format!("{name}: {text}")));
    };
    note("detail", error.detail());
    note("hint", error.hint());
    note("where", error.r#where());
    if let Some(PgErrorPosition::Internal { query, .. }) = error.position() {
        note("query", Some(query));
    }
    let table = match (error.schema(), error.table()) {
        (Some(schema), Some(table)) => Some(format!("{schema}.{table}")),
        (None, table) => table.map(str::to_owned),
        (Some(_), None) => None,
    };
    note("table", table.as_deref());
    note("column", error.column());
    note("constraint", error.constraint());
    if error.code() == "3F000" && error.message().contains("selected to create") {
        // Said by the server without a word on why.
        notes.push(
            "hint: none of the schemas of the search path (`schemas`) exists and lets this role create in it: \
             make one, or grant CREATE on one"
                .to_owned(),
        );
    }
    if error.code() == "42704" && error.message().starts_with("role ") {
        notes.push(
            "hint: roles belong to the whole server, and a structure file makes none: create it there first; \
             `dump` writes no owners and no privileges unless it is asked to"
                .to_owned(),
        );
    }
    DbError {
        class: class_of(error.code(), error.message()),
        message: error.message().to_owned(),
        code: Some(error.code().to_owned()),
        notes,
    }
}

/// Returns the place that the server points at, in characters of the whole message, from 1.
pub(super) fn position(error: &Sqlx) -> Option<usize> {
    match error.as_database_error()?.try_downcast_ref::<PgDatabaseError>()?.position()? {
        PgErrorPosition::Original(position) => Some(position),
        PgErrorPosition::Internal { .. } => None,
    }
}

/// Returns what a failure in an open session means.
pub(super) fn in_session(error: &Sqlx) -> DbError {
    match error {
        Sqlx::Database(inner) => match inner.try_downcast_ref::<PgDatabaseError>() {
            Some(error) => server(error),
            None => own(DbErrorClass::Statement, inner.message()),
        },
        Sqlx::Io(error) => own(DbErrorClass::ConnectionLost, format!("the connection was lost: {error}")),
        Sqlx::Tls(error) => own(DbErrorClass::ConnectionLost, format!("the connection was lost: {error}")),
        Sqlx::Protocol(message) => {
            own(DbErrorClass::ConnectionLost, format!("the connection is out of step: {message}"))
        }
        _ => own(DbErrorClass::ConnectionLost, "the connection failed"),
    }
}

fn tls(error: &dyn std::fmt::Display) -> DbError {
    let text = error.to_string();
    if text.contains("built without TLS support") {
        let failed = own(DbErrorClass::Configuration, "the URL asks for TLS, and this program has none");
        return advised(
            failed,
            "build it with the feature `tls-rustls` or `tls-native-tls` of dbsetup, or of sqlx",
        );
    }
    let failed = own(DbErrorClass::Configuration, format!("TLS failed: {text}"));
    advised(failed, "check `sslmode` and `sslrootcert` of the URL")
}

/// Returns what a failure to connect means. Nothing of the URL is repeated.
pub(super) fn at_connect(error: &Sqlx) -> DbError {
    match error {
        Sqlx::Database(_) => {
            let mut error = in_session(error);
            // A server that shuts down or starts says so while one connects, and a pooler that its server is not
            // there: trying again may help.
            if error.class == DbErrorClass::ConnectionLost {
                error.class = DbErrorClass::NotReady;
            }
            error
        }
        Sqlx::Io(error) => match error.kind() {
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset => {
                own(DbErrorClass::Unreachable, "the server closed the connection at once")
            }
            // The way in which a certificate that is not trusted arrives here.
            io::ErrorKind::InvalidData => tls(error),
            _ => own(DbErrorClass::Unreachable, format!("no server answers: {error}")),
        },
        Sqlx::Tls(error) => tls(error),
        Sqlx::Protocol(message) => own(
            DbErrorClass::Unreachable,
            format!("what answers does not speak PostgreSQL's protocol: {message}"),
        ),
        _ => own(DbErrorClass::Unreachable, "the connection failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_classified_by_what_can_be_done_about_them() {
        for (code, message, class) in [
            ("42601", "syntax error", DbErrorClass::Statement),
            ("23505", "duplicate key", DbErrorClass::Statement),
            ("42P07", "relation \"users\" already exists", DbErrorClass::Exists),
            ("25001", "VACUUM cannot run inside a transaction block", DbErrorClass::InsideTransaction),
            ("55P03", "canceling statement due to lock timeout", DbErrorClass::LockTimeout),
            ("40P01", "deadlock detected", DbErrorClass::Deadlock),
            ("53200", "out of shared memory", DbErrorClass::LockTableFull),
            ("53200", "out of memory", DbErrorClass::Full),
            ("53300", "sorry, too many clients already", DbErrorClass::NotReady),
            ("28P01", "password authentication failed", DbErrorClass::Permission),
            ("57P01", "terminating connection", DbErrorClass::ConnectionLost),
            ("08P01", "no such database: x", DbErrorClass::DatabaseMissing),
            ("08P01", "FATAL: database \"x\" does not exist", DbErrorClass::DatabaseMissing),
            ("08P01", "password authentication failed", DbErrorClass::Permission),
            ("08006", "gone", DbErrorClass::ConnectionLost),
        ] {
            assert_eq!(class_of(code, message), class, "{code}");
        }
    }

    #[test]
    fn a_refused_connection_is_unreachable_and_a_broken_session_is_lost() {
        let refused = Sqlx::Io(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(at_connect(&refused).class, DbErrorClass::Unreachable);
        let untrusted = Sqlx::Io(io::Error::new(io::ErrorKind::InvalidData, "invalid peer certificate"));
        assert_eq!(at_connect(&untrusted).class, DbErrorClass::Configuration);
        assert_eq!(in_session(&refused).class, DbErrorClass::ConnectionLost);
    }
}
