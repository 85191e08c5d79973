//! What differs between the kept rows of two databases. Pure.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::volatile::short;
use crate::driver::{Rows, TableName, TableRows};

/// A row that two databases do not have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowDifference {
    /// The second one has it alone. Its key, or all of it.
    Added { table: TableName, row: String },
    /// The first one has it alone.
    Removed { table: TableName, row: String },
    /// A value of it differs.
    Changed { table: TableName, row: String, column: String, from: String, to: String },
    /// A table or its columns differ; the structure's own differences say how.
    Shape { table: TableName },
    /// A sequence stands elsewhere; nothing is where it begins.
    Sequence { sequence: String, from: String, to: String },
}

impl fmt::Display for RowDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Added { table, row } => write!(f, "`{}`: the row {row} is new", table.shown()),
            Self::Removed { table, row } => write!(f, "`{}`: the row {row} is gone", table.shown()),
            Self::Changed { table, row, column, from, to } => {
                write!(f, "`{}`: the row {row} has {column} {from}, now {to}", table.shown())
            }
            Self::Shape { table } => write!(f, "`{}`: its kept columns are others", table.shown()),
            Self::Sequence { sequence, from, to } => {
                let said = |statement: &str| {
                    let what = if statement.is_empty() { "at its beginning" } else { statement };
                    what.to_owned()
                };
                write!(f, "the sequence `{sequence}`: {}, now {}", said(from), said(to))
            }
        }
    }
}

/// Compares kept rows: tables by name, rows by their key, or as a whole where they have none.
pub fn differences(from: &Rows, to: &Rows) -> Vec<RowDifference> {
    let mut found = Vec::new();
    let names: BTreeSet<&TableName> = from
        .tables
        .iter()
        .chain(&to.tables)
        .filter(|table| !table.cells.is_empty())
        .map(|table| &table.table)
        .collect();
    for name in names {
        let of = |rows: &'_ Rows| rows.tables.iter().position(|table| table.table == *name);
        match (of(from).map(|at| &from.tables[at]), of(to).map(|at| &to.tables[at])) {
            (Some(ours), Some(theirs)) if ours.written == theirs.written => rows(ours, theirs, &mut found),
            (Some(ours), None) => all(ours, &mut found, |table, row| RowDifference::Removed { table, row }),
            (None, Some(theirs)) => all(theirs, &mut found, |table, row| RowDifference::Added { table, row }),
            _ => found.push(RowDifference::Shape { table: name.clone() }),
        }
    }
    let sequences: BTreeSet<&String> =
        from.sequences.iter().chain(&to.sequences).map(|sequence| &sequence.sequence).collect();
    for name in sequences {
        let of = |rows: &Rows| {
            let own = rows.sequences.iter().filter(|sequence| sequence.sequence == *name);
            own.map(|sequence| sequence.statement.clone()).next_back().unwrap_or_default()
        };
        let (from, to) = (of(from), of(to));
        if from != to {
            found.push(RowDifference::Sequence { sequence: name.clone(), from, to });
        }
    }
    found
}

fn all(table: &TableRows, found: &mut Vec<RowDifference>, make: impl Fn(TableName, String) -> RowDifference) {
    found.extend((0..table.cells.len()).map(|row| make(table.table.clone(), shown(table, row))));
}

fn rows(ours: &TableRows, theirs: &TableRows, found: &mut Vec<RowDifference>) {
    let key = if ours.key == theirs.key { &ours.key[..] } else { &[] };
    // Rows that are equal as a whole are told apart by their number.
    let index = |table: &TableRows| {
        let mut rows: HashMap<Vec<String>, Vec<usize>> = HashMap::new();
        for row in 0..table.cells.len() {
            let value = |column: &usize| table.cells.get(row, *column).to_owned();
            let value = if key.is_empty() {
                table.cells.row(row).map(str::to_owned).collect()
            } else {
                key.iter().map(value).collect()
            };
            rows.entry(value).or_default().push(row);
        }
        rows
    };
    let (first, second) = (index(ours), index(theirs));
    let table = ours.table.clone();
    let mut changes: Vec<(usize, RowDifference)> = Vec::new();
    for (value, rows) in &first {
        let others = second.get(value).map(Vec::as_slice).unwrap_or_default();
        for (at, row) in rows.iter().enumerate() {
            let Some(other) = others.get(at) else {
                changes.push((*row, RowDifference::Removed { table: table.clone(), row: shown(ours, *row) }));
                continue;
            };
            for (column, (from, to)) in ours.cells.row(*row).zip(theirs.cells.row(*other)).enumerate() {
                if from != to {
                    let column = ours.written[column].clone();
                    let (from, to) = (short(from), short(to));
                    let row_shown = shown(ours, *row);
                    changes.push((
                        *row,
                        RowDifference::Changed { table: table.clone(), row: row_shown, column, from, to },
                    ));
                }
            }
        }
    }
    for (value, rows) in &second {
        let known = first.get(value).map(Vec::len).unwrap_or_default();
        for row in rows.iter().skip(known) {
            changes.push((*row, RowDifference::Added { table: table.clone(), row: shown(theirs, *row) }));
        }
    }
    changes.sort_by_cached_key(|(row, change)| (*row, change.to_string()));
    found.extend(changes.into_iter().map(|(_, change)| change));
}

/// A row as a message shows it: its key, else the beginning of it.
fn shown(table: &TableRows, row: usize) -> String {
    let value =
        |column: usize| format!("{} = {}", table.written[column], short(table.cells.get(row, column)));
    if table.key.is_empty() {
        return short(&format!("({})", table.cells.row(row).collect::<Vec<_>>().join(", ")));
    }
    table.key.iter().map(|column| value(*column)).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::driver::{Cells, SequencePosition};

    /// Rows of the table `public.t`, whose first column is the key.
    pub fn rows(all: &[&[&str]]) -> Rows {
        let width = all.first().map_or(1, |row| row.len());
        let mut cells = Cells::new(width);
        for row in all {
            cells
                .push(|column, text| {
                    text.push_str(row[column]);
                    Ok::<_, std::convert::Infallible>(())
                })
                .unwrap();
        }
        let written: Vec<String> = (0..3.max(width)).map(|at| format!("c{at}")).take(width).collect();
        let table = TableRows {
            table: TableName { schema: Some("public".into()), name: "t".into() },
            columns: Vec::new(),
            key: vec![0],
            references: Vec::new(),
            insert: String::new(),
            before: Vec::new(),
            after: Vec::new(),
            written,
            cells,
        };
        Rows { tables: vec![table], sequences: Vec::new() }
    }

    fn said(from: &Rows, to: &Rows) -> Vec<String> {
        differences(from, to).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn rows_are_compared_by_their_key() {
        let from = rows(&[&["1", "'a'"], &["2", "'b'"], &["3", "'c'"]]);
        let to = rows(&[&["2", "'b'"], &["3", "'d'"], &["4", "'e'"]]);
        assert_eq!(
            said(&from, &to),
            [
                "`public.t`: the row c0 = 1 is gone",
                "`public.t`: the row c0 = 3 has c1 'c', now 'd'",
                "`public.t`: the row c0 = 4 is new",
            ]
        );
        assert!(said(&from, &from).is_empty());
    }

    #[test]
    fn rows_without_a_key_are_counted() {
        let without_key = |all: &[&[&str]]| {
            let mut rows = rows(all);
            rows.tables[0].key.clear();
            rows
        };
        let from = without_key(&[&["1", "2"], &["1", "2"]]);
        let to = without_key(&[&["1", "2"], &["1", "3"]]);
        assert_eq!(
            said(&from, &to),
            ["`public.t`: the row (1, 2) is gone", "`public.t`: the row (1, 3) is new"]
        );
    }

    #[test]
    fn tables_and_sequences_are_compared_too() {
        let mut to = rows(&[&["1"]]);
        to.sequences.push(SequencePosition { sequence: "public.s".into(), statement: "setval 3".into() });
        assert_eq!(
            said(&Rows::default(), &to),
            ["`public.t`: the row c0 = 1 is new", "the sequence `public.s`: at its beginning, now setval 3"]
        );
        assert_eq!(
            said(&rows(&[&["1", "2"]]), &rows(&[&["1"]])),
            ["`public.t`: its kept columns are others"]
        );
    }
}
