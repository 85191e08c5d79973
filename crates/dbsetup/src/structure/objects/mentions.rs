//! What one side begins to mention though the other side has dropped it: such a file would not load.

use std::collections::{HashMap, HashSet};

use super::facts::{Facts, plain, plain_table};
use super::key::Key;
use super::naming::Named;
use super::{Object, Structure, rows, table};
use crate::sql::{self, Dialect, TokenKind};

/// Kinds of objects that others mention by name.
const MENTIONED: [&str; 8] =
    ["table", "foreign table", "view", "materialized view", "type", "domain", "sequence", "function"];

/// The name under which others mention an object.
fn mentioned_as(key: &Key) -> String {
    let name = key.compared();
    name[..name.find('(').unwrap_or(name.len())].replace('"', "")
}

/// Words behind which SQLite's statements name a table.
const NAMING: [&str; 6] = ["references", "from", "join", "on", "into", "update"];

/// Returns the names that a statement mentions: `schema.name` in PostgreSQL's, where every name has its schema.
fn mentions(dialect: Dialect, text: &str) -> HashSet<String> {
    let tokens: Vec<_> = sql::significant(dialect, text).collect();
    let is_name = |kind: TokenKind| matches!(kind, TokenKind::Word | TokenKind::QuotedIdentifier);
    let mut names = HashSet::new();
    match dialect {
        Dialect::Postgres => {
            for three in tokens.windows(3) {
                if three[1].is_punctuation(".") && is_name(three[0].kind) && is_name(three[2].kind) {
                    names.insert(format!("{}.{}", three[0].text, three[2].text).replace('"', ""));
                }
            }
        }
        Dialect::Sqlite => {
            for two in tokens.windows(2) {
                if NAMING.iter().any(|word| two[0].is_word(word))
                    && let Some(name) = sql::identifier_name(dialect, two[1])
                {
                    names.insert(name.to_ascii_lowercase());
                }
            }
        }
    }
    names
}

/// Returns the statements of an object; of CREATE TABLE, its columns and clauses one by one.
fn pieces(dialect: Dialect, object: &Object) -> Vec<&str> {
    let mut pieces = Vec::new();
    for statement in &object.statements {
        match table::parts(dialect, statement) {
            Some(parts) => {
                pieces.extend(parts.items.iter().map(|(_, text)| *text));
                pieces.push(parts.behind);
            }
            None => pieces.push(statement),
        }
    }
    pieces
}

/// Returns the pieces that a side has and neither the base nor the other side.
fn new_pieces<'a>(
    dialect: Dialect,
    side: &'a Object,
    base: Option<&'a Object>,
    other: Option<&'a Object>,
) -> Vec<&'a str> {
    let known: HashSet<&str> =
        [base, other].into_iter().flatten().flat_map(|object| pieces(dialect, object)).collect();
    pieces(dialect, side).into_iter().filter(|piece| !known.contains(piece)).collect()
}

/// The objects, columns and keys that one side alone has dropped.
pub(super) struct Dropped {
    /// By the name under which others mention them: what they are, and whether it was our side.
    by_name: HashMap<String, (String, bool)>,
    parts: Vec<Part>,
}

/// A part of a table that is still there.
struct Part {
    table: String,
    /// The column; nothing for what foreign keys may refer to.
    column: Option<String>,
    by_us: bool,
}

impl Part {
    /// Returns what one of two sides has dropped of a table: `base` had it, and the other side has it still.
    fn of(table: &str, [base, dropper, other]: [&Facts; 3], by_us: bool) -> Vec<Self> {
        let part = |column| Self { table: table.to_owned(), column, by_us };
        let gone = |column: &&String| {
            base.columns.contains_key(*column)
                && !dropper.columns.contains_key(*column)
                && !dropper.columns.is_empty()
        };
        let mut parts: Vec<Self> =
            other.columns.keys().filter(gone).map(|column| part(Some(column.clone()))).collect();
        let has = |facts: &Facts, columns: &[String]| facts.unique.iter().any(|one| one.columns == columns);
        if base.unique.iter().any(|one| has(other, &one.columns) && !has(dropper, &one.columns)) {
            parts.push(part(None));
        }
        parts
    }

    fn is_mentioned_in(&self, dialect: Dialect, piece: &str, is_own: bool) -> bool {
        let bare = self.table.rsplit('.').next().unwrap_or(&self.table);
        let tokens = || sql::significant(dialect, piece);
        let has = |name: &str| tokens().any(|token| plain(dialect, token) == name);
        match &self.column {
            Some(column) => has(column) && (is_own || has(bare)),
            None => tokens().any(|token| token.is_word("references")) && has(bare),
        }
    }
}

impl Dropped {
    /// Compares versions in the order base, ours, theirs; `kept` is what the merged file has.
    pub fn of(
        [base, ours, theirs]: [&Structure; 3],
        kept: &[Key],
        tables: &[HashMap<String, Facts>; 3],
    ) -> Self {
        let mentionable = |key: &&Key| MENTIONED.contains(&key.kind.as_str());
        let names = |structure: &Structure| -> HashSet<String> {
            let keys = structure.objects.iter().map(|object| &object.key);
            keys.filter(mentionable).map(mentioned_as).collect()
        };
        let (in_ours, in_theirs) = (names(ours), names(theirs));
        let kept: HashSet<String> = kept.iter().filter(mentionable).map(mentioned_as).collect();
        let gone = |key: &Key| {
            let name = mentioned_as(key);
            let (ours, theirs) = (in_ours.contains(&name), in_theirs.contains(&name));
            (!kept.contains(&name) && ours != theirs).then_some((name, (key.to_string(), !ours)))
        };
        let keys = base.objects.iter().map(|object| &object.key);
        let by_name = keys.filter(mentionable).filter_map(gone).collect();
        let mut parts = Vec::new();
        for (table, base) in &tables[0] {
            if let (Some(ours), Some(theirs)) = (tables[1].get(table), tables[2].get(table)) {
                parts.extend(Part::of(table, [base, ours, theirs], true));
                parts.extend(Part::of(table, [base, theirs, ours], false));
            }
        }
        // What is said of it is the same for everyone who merges.
        parts.sort_by(|one, other| (&one.table, &one.column).cmp(&(&other.table, &other.column)));
        Self { by_name, parts }
    }

    /// Returns what an object mentions for the first time that the other side has dropped.
    pub fn mentioned_by(
        &self,
        dialect: Dialect,
        key: &Key,
        [base, ours, theirs]: [Option<&Object>; 3],
    ) -> Option<String> {
        if self.by_name.is_empty() && self.parts.is_empty() {
            return None;
        }
        let is_new = |side: &&Object| base.is_none_or(|base| base.statements != side.statements);
        for (side, other, dropped_by_us) in [(ours, theirs, false), (theirs, ours, true)] {
            let Some(side) = side.filter(is_new) else { continue };
            // Rows go with their table, whatever was known of it.
            let are_lines = rows::are_lines(key);
            let known = base.filter(|_| !are_lines);
            let known = known.map(|base| mentions(dialect, &base.text(dialect))).unwrap_or_default();
            let new = match are_lines {
                true => pieces(dialect, side),
                false => new_pieces(dialect, side, base, other),
            };
            let names: HashSet<String> = new
                .iter()
                .flat_map(|piece| mentions(dialect, piece))
                .filter(|name| !known.contains(name))
                .collect();
            let mut dropped = names.iter().filter_map(|name| self.by_name.get(name));
            if let Some((name, _)) = dropped.find(|(_, by_us)| *by_us == dropped_by_us) {
                return Some(name.clone());
            }
            if are_lines {
                continue;
            }
            let own = (key.kind == "table").then(|| plain_table(dialect, &key.name));
            let parts = self.parts.iter().filter(|part| part.by_us == dropped_by_us);
            for part in parts {
                let is_own = own.as_ref() == Some(&part.table);
                if new.iter().any(|piece| part.is_mentioned_in(dialect, piece, is_own)) {
                    return Some(match &part.column {
                        Some(column) => format!("column {column} of table {}", part.table),
                        None => format!("a key of table {}", part.table),
                    });
                }
            }
        }
        None
    }
}

/// Returns the names of tables, views and indexes that both sides have given to different things.
pub(super) fn given_twice([base, ours, theirs]: [&Structure; 3]) -> HashSet<Key> {
    let named = |structure: &Structure| -> HashMap<(String, String), Key> {
        let mut named = HashMap::new();
        let dialect = structure.dialect;
        for object in structure.objects.iter().filter(|object| !rows::are_lines(&object.key)) {
            for statement in &object.statements {
                let about = Named::of(dialect, statement.trim_end().trim_end_matches(';'));
                let name = plain_table(dialect, &about.key.name);
                let name = match (about.key.kind.as_str(), &about.on) {
                    ("index", Some(on)) => match plain_table(dialect, &on.name).rsplit_once('.') {
                        Some((schema, _)) => format!("{schema}.{name}"),
                        None => name,
                    },
                    ("table" | "foreign table" | "view" | "materialized view" | "sequence", _) => name,
                    _ => continue,
                };
                named.insert((name, about.key.kind.clone()), object.key.clone());
            }
        }
        named
    };
    let [base, ours, theirs] = [base, ours, theirs].map(named);
    let mut twice = HashSet::new();
    for ((name, kind), key) in ours.iter().filter(|(name, _)| !base.contains_key(*name)) {
        let other = theirs.iter().find(|((other, other_kind), other_key)| {
            other == name && (other_kind != kind || *other_key != key)
        });
        if let Some((_, other)) = other.filter(|(name, _)| !base.contains_key(*name)) {
            twice.extend([key.clone(), other.clone()]);
        }
    }
    twice
}
