//! What one side still mentions after the other side has dropped it: such a file would not load.

use std::collections::{HashMap, HashSet};

use super::key::Key;
use super::{Object, Structure, rows};
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

/// The objects that one side alone has dropped.
pub(super) struct Dropped {
    /// By the name under which others mention them: what they are, and whether it was our side.
    by_name: HashMap<String, (String, bool)>,
}

impl Dropped {
    /// Compares versions in the order base, ours, theirs; `kept` is what the merged file has.
    pub fn of([base, ours, theirs]: [&Structure; 3], kept: &[Key]) -> Self {
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
        Self { by_name: keys.filter(mentionable).filter_map(gone).collect() }
    }

    /// Returns what an object mentions for the first time that the other side has dropped, and whether it is our side
    /// that has the object.
    pub fn mentioned_by(
        &self,
        dialect: Dialect,
        key: &Key,
        [base, ours, theirs]: [Option<&Object>; 3],
    ) -> Option<(String, bool)> {
        if self.by_name.is_empty() {
            return None;
        }
        let is_new = |side: &&Object| base.is_none_or(|base| base.statements != side.statements);
        let (ours, theirs) = (ours.filter(is_new), theirs.filter(is_new));
        for (side, other, dropped_by_us) in [(ours, theirs, false), (theirs, ours, true)] {
            // What the other side has touched, too, it has seen.
            let Some(side) = side.filter(|_| other.is_none()) else { continue };
            // Rows go with their table, whatever was known of it.
            let known = base.filter(|_| !rows::are_lines(key));
            let known = known.map(|base| mentions(dialect, &base.text(dialect))).unwrap_or_default();
            let names = mentions(dialect, &side.text(dialect));
            let mut dropped = names.difference(&known).filter_map(|name| self.by_name.get(name));
            if let Some((name, _)) = dropped.find(|(_, by_us)| *by_us == dropped_by_us) {
                return Some((name.clone(), !dropped_by_us));
            }
        }
        None
    }
}
