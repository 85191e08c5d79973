//! Merging one object that both sides have changed, statement by statement.

use std::collections::HashMap;

use super::key::Key;
use super::naming::Named;
use super::{Object, order, table};
use crate::sql::Dialect;

/// What comes out of a merge: the same on both sides, or two versions that differ in what the sides do not agree on,
/// and in nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sides<T> {
    pub ours: T,
    pub theirs: T,
}

impl<'a> Sides<&'a str> {
    /// Merges a text that is always there.
    pub fn of_texts([base, ours, theirs]: [&'a str; 3]) -> Self {
        let Sides { ours: one, theirs: other } = decide([Some(base), Some(ours), Some(theirs)]);
        Sides { ours: one.unwrap_or(ours), theirs: other.unwrap_or(theirs) }
    }
}

impl<T: PartialEq> Sides<T> {
    /// Whether the sides agree.
    pub fn agree(&self) -> bool {
        self.ours == self.theirs
    }
}

/// Decides about one thing that may be there or not, in the order base, ours, theirs: who has changed it wins.
pub(super) fn decide<T: PartialEq + Copy>([base, ours, theirs]: [Option<T>; 3]) -> Sides<Option<T>> {
    if base == ours {
        Sides { ours: theirs, theirs }
    } else if base == theirs {
        Sides { ours, theirs: ours }
    } else {
        Sides { ours, theirs }
    }
}

/// Merges the statements of an object that both sides have, and that `base` may have had.
pub(super) fn merge(
    dialect: Dialect,
    base: Option<&Object>,
    ours: &Object,
    theirs: &Object,
) -> Sides<Vec<String>> {
    let none = Vec::new();
    let versions = [base.map_or(&none, |base| &base.statements), &ours.statements, &theirs.statements]
        .map(|statements| keyed(dialect, statements));
    let keys = versions
        .each_ref()
        .map(|statements| statements.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>());
    let before = |ours: &Key, theirs: &Key| ours.kind != theirs.kind || ours.compared() < theirs.compared();
    let by_key = versions.map(|statements| statements.into_iter().collect::<HashMap<Key, &str>>());
    let mut merged = Sides { ours: Vec::new(), theirs: Vec::new() };
    for key in order::merged((&keys[0], &keys[1], &keys[2]), |_| true, before) {
        let texts = by_key.each_ref().map(|statements| statements.get(&key).copied());
        let decided = decide(texts);
        if let ([Some(base), Some(ours), Some(theirs)], false) = (texts, decided.agree())
            && let Some(table) = table::merge(dialect, [base, ours, theirs])
        {
            merged.ours.push(table.ours);
            merged.theirs.push(table.theirs);
            continue;
        }
        merged.ours.extend(decided.ours.map(str::to_owned));
        merged.theirs.extend(decided.theirs.map(str::to_owned));
    }
    merged
}

/// Returns statements with what tells them apart.
fn keyed(dialect: Dialect, statements: &[String]) -> Vec<(Key, &str)> {
    let mut seen: HashMap<Key, usize> = HashMap::new();
    let keyed = statements.iter().map(|text| {
        let key = Named::of(dialect, text.trim_end().trim_end_matches(';')).key;
        let times = seen.entry(key.clone()).or_default();
        *times += 1;
        (if *times > 1 { key.numbered(*times) } else { key }, text.as_str())
    });
    keyed.collect()
}
