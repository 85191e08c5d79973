//! Structure files taken apart by object, so that they can be compared and merged without a database. Pure.
//!
//! Only files of ours: their blocks are known (`docs/structure.md`), and no SQL has to be understood for them. A table's
//! block holds its keys, indexes and comments; what is not a table's stands alone.

mod changes;
mod clashes;
mod facts;
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
    /// The objects, in the order of the file; the kept rows of a table are one of them ([`Object::are_rows`]).
    pub objects: Vec<Object>,
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

/// A row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// The version.
    pub version: String,
    /// The statement.
    pub text: String,
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
            versions: Vec::new(),
            tail: String::new(),
        }
    }

    /// Returns the file's text. What was parsed from a file that a dump has written comes back byte for byte.
    pub fn text(&self) -> String {
        let mut text = Text::new(&self.first, &self.filters);
        let objects = self.settings.iter().chain(&self.objects);
        objects.for_each(|object| text.part(&object.text(self.dialect)));
        text.lines(self.versions.iter().map(|version| version.text.as_str()));
        text.end(&self.tail)
    }
}

impl Object {
    /// Returns the block as it stands in a file, without a line end.
    pub fn text(&self, dialect: Dialect) -> String {
        joined(dialect, &self.key, &self.statements)
    }

    /// Whether it is the rows of a table, a statement each.
    pub fn are_rows(&self) -> bool {
        self.key.kind == rows::ROWS
    }
}

/// Returns the statements of one block: in files of SQLite a blank line stands between them, but between rows.
fn joined(dialect: Dialect, key: &Key, statements: &[String]) -> String {
    let apart = dialect == Dialect::Sqlite && !rows::are_lines(key);
    statements.join(if apart { "\n\n" } else { "\n" })
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

    /// Adds lines with a blank line above the first.
    fn lines<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        lines.enumerate().for_each(|(at, line)| self.line(line, at == 0));
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
