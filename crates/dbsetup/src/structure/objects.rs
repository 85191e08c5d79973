//! Structure files taken apart by object, so that they can be compared and merged without a database. Pure.
//!
//! Only files of ours: their blocks are known (`docs/structure.md`), and no SQL has to be understood for them. A table's
//! block holds its keys, indexes and comments; what is not a table's stands alone.

mod changes;
mod inside;
mod key;
mod mentions;
mod merge;
mod naming;
mod order;
mod parse;
mod rows;
mod signature;
mod table;
mod words;

use crate::sql::Dialect;

pub use changes::{Change, ChangeKind, Changes, changes};
pub use key::Key;
pub use merge::{Clash, Conflict, Merged, merge};
pub use parse::parse;

/// A structure file of ours, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// The kind of database.
    pub dialect: Dialect,
    /// The first line.
    pub first: String,
    /// The other lines of the head: filters and remarks, with their `-- `.
    pub filters: Vec<String>,
    /// The settings that the statements need; none in a file of SQLite.
    pub settings: Option<Object>,
    /// The objects, in the order of the file.
    pub objects: Vec<Object>,
    /// The rows that are kept, in the order of the file.
    pub rows: Vec<Row>,
    /// The rows of the ledger, in the order of the file.
    pub versions: Vec<Version>,
    /// Remarks below everything else.
    pub tail: String,
}

/// One object with all that stands in its block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What tells it from all others of the file.
    pub key: Key,
    /// Its statements as they are written, each with its `;` and the remarks above it.
    pub statements: Vec<String>,
}

/// A row that a structure keeps, or what belongs to the rows (the state of a sequence).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The table as it is written; empty for what is no row.
    pub table: String,
    /// The first value, as it is written: most often the key.
    pub first: String,
    /// The statement.
    pub text: String,
    /// Whether a blank line stands above it.
    pub apart: bool,
}

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version.
    pub version: String,
    /// The statement.
    pub text: String,
    /// Whether a blank line stands above it.
    pub apart: bool,
}

impl Structure {
    /// Returns a structure without anything in it: what a file is before it is there.
    fn empty_beside(other: &Self) -> Self {
        Self {
            dialect: other.dialect,
            first: other.first.clone(),
            filters: Vec::new(),
            settings: None,
            objects: Vec::new(),
            rows: Vec::new(),
            versions: Vec::new(),
            tail: String::new(),
        }
    }

    /// Returns the file's text. What was parsed from a file that a dump has written comes back byte for byte.
    pub fn text(&self) -> String {
        let mut text = Text::new(&self.first, &self.filters);
        let objects = self.settings.iter().chain(&self.objects);
        objects.for_each(|object| text.part(&object.text(self.dialect)));
        self.rows.iter().for_each(|row| text.line(&row.text, row.apart));
        self.versions.iter().for_each(|version| text.line(&version.text, version.apart));
        text.end(&self.tail)
    }
}

impl Object {
    /// Returns the block as it stands in a file, without a line end.
    pub fn text(&self, dialect: Dialect) -> String {
        joined(dialect, &self.statements)
    }
}

/// Returns the statements of one block: in files of SQLite a blank line stands between them.
fn joined(dialect: Dialect, statements: &[String]) -> String {
    statements.join(match dialect {
        Dialect::Postgres => "\n",
        Dialect::Sqlite => "\n\n",
    })
}

/// The text of a file while it grows.
struct Text(String);

impl Text {
    fn new(first: &str, filters: &[String]) -> Self {
        let mut text = Self(String::new());
        text.line(first, false);
        filters.iter().for_each(|filter| text.line(filter, false));
        text
    }

    /// Adds a part with a blank line above it.
    fn part(&mut self, part: &str) {
        self.line(part, true);
    }

    fn line(&mut self, line: &str, apart: bool) {
        if apart {
            self.0.push('\n');
        }
        self.0.push_str(line);
        self.0.push('\n');
    }

    fn end(mut self, tail: &str) -> String {
        if !tail.is_empty() {
            self.part(tail);
        }
        self.part(super::format::TRAILER);
        self.0
    }
}

#[cfg(test)]
mod tests;
