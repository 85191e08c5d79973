//! What does not go together though the sides have changed different lines: rows that a table has no place for, rows
//! that refer to rows that are gone, rows that are to be the only ones and are two.
//!
//! Values are compared as they are written. Where that may not be how the database compares them, it is a conflict.

use std::collections::{HashMap, HashSet};

use super::facts::{Facts, plain_table};
use super::key::Key;
use super::merge::Clash;
use super::rows::{self, Insert};
use super::{Object, Structure};
use crate::sql::Dialect;

/// The sides, each with the other one.
const SIDES: [(usize, usize); 2] = [(1, 2), (2, 1)];

type Tables = [HashMap<String, Facts>; 3];

/// A row as it is written, and how many of that text stand above it.
type Line<'a> = (&'a str, usize);

/// The rows of one table in each version.
struct TableRows<'a> {
    key: &'a Key,
    objects: [Option<&'a Object>; 3],
    lines: [HashSet<Line<'a>>; 3],
}

impl<'a> TableRows<'a> {
    fn all(dialect: Dialect, versions: [&'a Structure; 3]) -> HashMap<String, Self> {
        let mut all = HashMap::new();
        for (at, structure) in versions.into_iter().enumerate() {
            for object in structure.objects.iter().filter(|object| object.are_rows()) {
                let new = || Self { key: &object.key, objects: [None; 3], lines: Default::default() };
                let rows = all.entry(plain_table(dialect, &object.key.name)).or_insert_with(new);
                rows.objects[at] = Some(object);
                let mut seen: HashMap<&str, usize> = HashMap::new();
                for line in &object.statements {
                    let times = seen.entry(line).or_default();
                    rows.lines[at].insert((line, *times));
                    *times += 1;
                }
            }
        }
        all
    }

    /// The lines that one side alone has added or changed.
    fn touched(&self, side: usize, other: usize) -> impl Iterator<Item = Line<'a>> {
        self.lines[side]
            .iter()
            .copied()
            .filter(move |line| !self.lines[0].contains(line) && !self.lines[other].contains(line))
    }
}

/// Returns the rows that need a decision, by the key of their object. Versions are in the order base, ours, theirs.
pub(super) fn of_rows(dialect: Dialect, versions: [&Structure; 3], tables: &Tables) -> HashMap<Key, Clash> {
    let all = TableRows::all(dialect, versions);
    let mut clashes = HashMap::new();
    for (table, rows) in &all {
        let facts = tables.each_ref().map(|tables| tables.get(table));
        let statements = rows.objects.map(|object| object.map(|object| &object.statements));
        let clash = Some(()).filter(|()| statements[1] != statements[2]).and_then(|()| {
            of_definition(rows, facts)
                .or_else(|| of_heads(dialect, rows))
                .or_else(|| of_nobody(dialect, rows, facts))
                .or_else(|| of_unique(dialect, rows, facts))
        });
        let clash = clash.or_else(|| of_references(dialect, rows, facts, &all, tables));
        if let Some(clash) = clash {
            clashes.insert(rows.key.clone(), clash);
        }
    }
    clashes
}

/// One side asks of the rows what those of the other may not have.
fn of_definition(rows: &TableRows<'_>, facts: [Option<&Facts>; 3]) -> Option<Clash> {
    let nothing = Facts::default();
    let asks = |(side, other): &(usize, usize)| {
        let Some(asking) = facts[*other] else { return false };
        rows.touched(*side, *other).next().is_some()
            && facts[*side] != Some(asking)
            && asking.asks_more_than(facts[0].unwrap_or(&nothing))
    };
    SIDES.iter().any(asks).then_some(Clash::Definition)
}

/// Both have changed rows, and not all are of the same columns.
fn of_heads(dialect: Dialect, rows: &TableRows<'_>) -> Option<Clash> {
    if SIDES.iter().any(|(side, _)| rows.lines[*side] == rows.lines[0]) {
        return None;
    }
    let inserts = rows.lines.iter().flatten().filter_map(|(line, _)| Insert::read(dialect, line));
    let heads: HashSet<Vec<String>> = inserts.map(|insert| insert.columns).collect();
    (heads.len() > 1).then_some(Clash::Definition)
}

/// Both have removed the same row of a table without a key: nobody knows what became of it.
fn of_nobody(dialect: Dialect, rows: &TableRows<'_>, facts: [Option<&Facts>; 3]) -> Option<Clash> {
    let keyed = rows::keyed(dialect, rows.key, rows.objects, facts);
    if !keyed.are_whole {
        return None;
    }
    let [base, ours, theirs] =
        keyed.lines.each_ref().map(|lines| lines.iter().map(|(key, _)| key).collect::<HashSet<_>>());
    let has_new = |side: &HashSet<&Key>, other: &HashSet<&Key>| {
        side.iter().any(|key| !base.contains(key) && !other.contains(key))
    };
    let is_gone = base.iter().any(|key| !ours.contains(key) && !theirs.contains(key));
    (is_gone && (has_new(&ours, &theirs) || has_new(&theirs, &ours))).then_some(Clash::Changed)
}

/// Rows of both sides have the same values where each row has to have its own.
fn of_unique(dialect: Dialect, rows: &TableRows<'_>, facts: [Option<&Facts>; 3]) -> Option<Clash> {
    let touched =
        SIDES.map(|(side, other)| rows.touched(side, other).map(|(line, _)| line).collect::<Vec<_>>());
    if touched.iter().any(Vec::is_empty) {
        return None;
    }
    let keyed = rows::keyed(dialect, rows.key, rows.objects, facts);
    let keys: [HashMap<&str, &Key>; 3] =
        keyed.lines.each_ref().map(|lines| lines.iter().map(|(key, line)| (*line, key)).collect());
    let same_row = |ours: &str, theirs: &str| keys[1].get(ours) == keys[2].get(theirs);
    for facts in facts[1..].iter().flatten() {
        for unique in &facts.unique {
            let shown = || Clash::Same(unique.columns.join(", "));
            if unique.columns.is_empty() {
                return Some(shown());
            }
            let values = |line: &str| -> Option<Vec<String>> {
                let insert = Insert::read(dialect, line)?;
                let there: Vec<String> =
                    unique.columns.iter().filter(|column| insert.columns.contains(column)).cloned().collect();
                let values = insert.of(&there)?;
                if values.is_empty() && unique.columns.iter().all(|column| facts.numbers_itself(column)) {
                    return None;
                }
                let has_null = values.iter().any(|value| value.eq_ignore_ascii_case("null"));
                (unique.nulls_equal || !has_null).then(|| values.into_iter().map(compared).collect())
            };
            let mut ours: HashMap<Vec<String>, Vec<&str>> = HashMap::new();
            for line in &touched[0] {
                if let Some(values) = values(line) {
                    ours.entry(values).or_default().push(line);
                }
            }
            for line in &touched[1] {
                let same = values(line).and_then(|values| ours.get(&values));
                if same.is_some_and(|same| same.iter().any(|one| !same_row(one, line))) {
                    return Some(shown());
                }
            }
        }
    }
    None
}

/// Returns what values that the database may take for the same have in common.
fn compared(value: &str) -> String {
    let bare = value.split("::").next().unwrap_or(value).trim_matches('\'').trim_end().to_lowercase();
    match bare.parse::<f64>() {
        Ok(number) => format!("{number:e}"),
        Err(_) => bare,
    }
}

/// One side has rows that refer to others that the other side has removed or changed.
fn of_references(
    dialect: Dialect,
    rows: &TableRows<'_>,
    facts: [Option<&Facts>; 3],
    all: &HashMap<String, TableRows<'_>>,
    tables: &Tables,
) -> Option<Clash> {
    for reference in facts[1..].iter().flatten().flat_map(|facts| &facts.references) {
        let Some(parent) = all.get(&reference.table) else { continue };
        let is_new = !facts[0].is_some_and(|facts| facts.references.contains(reference));
        for (side, other) in SIDES {
            let is_gone = |line: &Line<'_>| !parent.lines[other].contains(line);
            if !parent.lines[0].iter().any(is_gone) {
                continue;
            }
            let to = match tables[side].get(&reference.table) {
                Some(facts) if reference.to.is_empty() => {
                    facts.unique.iter().find(|unique| unique.is_primary).map_or(&[][..], |key| &key.columns)
                }
                _ => &reference.to,
            };
            let [base, own, others] = [0, side, other].map(|at| &parent.lines[at]);
            let stays = own
                .union(others)
                .filter(|line| !base.contains(*line) || own.contains(*line) && others.contains(*line));
            let values = |line: &str, columns: &[String]| -> Option<Vec<String>> {
                let insert = Insert::read(dialect, line)?;
                Some(insert.of(columns)?.into_iter().map(str::to_owned).collect())
            };
            let there: HashSet<Vec<String>> = stays.filter_map(|(line, _)| values(line, to)).collect();
            // Rows that the other side has in spite of it are those of a reference that it does not know.
            let refers = |line: &&Line<'_>| {
                is_new || !rows.lines[0].contains(*line) && !rows.lines[other].contains(*line)
            };
            let dangles = |(line, _): &Line<'_>| -> bool {
                let Some(values) = values(line, &reference.columns) else { return true };
                let has_null = values.iter().any(|value| value.eq_ignore_ascii_case("null"));
                !has_null && (to.is_empty() || !there.contains(&values))
            };
            if rows.lines[side].iter().filter(|line| refers(line)).any(dangles) {
                return Some(Clash::Refers(format!("table {}", reference.table)));
            }
        }
    }
    None
}
