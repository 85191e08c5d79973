//! The dialects of SQL that this room can read.

/// The rules by which a text is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dialect {
    /// PostgreSQL, and the plain-text files that `pg_dump` writes for psql.
    Postgres,
    /// SQLite.
    Sqlite,
}
