//! What tells one object of a structure file from all others.

use std::fmt;
use std::hash::{Hash, Hasher};

use super::words::Name;

/// What tells an object from all others of a file: its kind, and its name within the kind.
///
/// Names are compared as the database compares them, and shown as they were written.
#[derive(Debug, Clone)]
pub struct Key {
    /// `table`, `function`; `statement` where a statement names nothing of its own.
    pub kind: String,
    /// `public.users`, `public.f(integer)`, `users_name_idx`.
    pub name: String,
    folded: String,
}

impl Key {
    /// Returns the key of a kind and a name that is compared as it is written.
    pub fn new(kind: impl Into<String>, name: impl Into<String>) -> Self {
        let name = name.into();
        Self { kind: kind.into(), folded: name.clone(), name }
    }

    pub(super) fn folded(kind: &str, name: Name) -> Self {
        Self { kind: kind.to_owned(), name: name.shown, folded: name.folded }
    }

    /// Returns the key of the next object that would have the same one.
    pub(super) fn numbered(&self, number: usize) -> Self {
        let more = format!(" ({number})");
        Self { kind: self.kind.clone(), name: self.name.clone() + &more, folded: self.folded.clone() + &more }
    }

    /// The name as it is compared.
    pub(super) fn compared(&self) -> &str {
        &self.folded
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.kind == other.kind && self.folded == other.folded
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.kind, &self.folded).hash(state);
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind.as_str(), self.name.as_str()) {
            (kind, "") => f.write_str(kind),
            ("statement", name) => write!(f, "`{name}`"),
            (kind, name) => write!(f, "{kind} {name}"),
        }
    }
}

/// Kinds of objects in the order in which they stand where nothing else decides.
const KINDS: [&str; 37] = [
    "setting",
    "pragma",
    "extension",
    "schema",
    "access method",
    "language",
    "collation",
    "shell type",
    "type",
    "domain",
    "function",
    "procedure",
    "aggregate",
    "operator",
    "operator family",
    "operator class",
    "cast",
    "transform",
    "conversion",
    "text search parser",
    "text search template",
    "text search dictionary",
    "text search configuration",
    "foreign data wrapper",
    "server",
    "sequence",
    "table",
    "foreign table",
    "view",
    "materialized view",
    "constraint",
    "before rows",
    "rows of",
    "counters",
    "after rows",
    "trigger",
    "rule",
];

/// Whether a dump would write the one before the other, as far as kinds and names tell.
pub(super) fn in_canonical_order(one: &Key, other: &Key) -> bool {
    let rank = |key: &Key| {
        let kind = match key.kind.as_str() {
            "foreign table" => "table",
            "shell type" | "domain" => "type",
            "procedure" => "function",
            kind => kind,
        };
        KINDS.iter().position(|known| *known == kind).unwrap_or(KINDS.len())
    };
    let path = |key: &Key| key.compared().replace('"', "").replace('.', "\0");
    (rank(one), path(one)) < (rank(other), path(other))
}
