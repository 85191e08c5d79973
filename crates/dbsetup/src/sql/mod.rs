//! SQL as text: dialects, statements, places, quoting. Nothing here knows a database.

/// The dialect of a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

/// A position in a source text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Location {
    /// Bytes from the start, 0-based.
    pub offset: u64,
    /// Line, 1-based.
    pub line: u64,
    /// Column in characters, 1-based.
    pub column: u64,
}

/// Returns the location of a byte offset.
pub fn locate(text: &str, offset: usize) -> Location {
    let before = &text[..offset];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Location {
        offset: offset as u64,
        line: before.matches('\n').count() as u64 + 1,
        column: before[line_start..].chars().count() as u64 + 1,
    }
}

/// Returns a quoted identifier.
pub fn quote_identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a quoted string.
pub fn quote_literal(_dialect: Dialect, text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
