//! Values that are others every time: two replays of the same migrations tell them. Pure.
//!
//! What changes slower than by the second, or with whoever runs it (`current_date`, `current_user`), is the same in both and
//! is not found.

use std::time::{Duration, Instant};

use super::audit::setting;
use crate::driver::{Rows, TableName, TableRows};
use crate::error::{Error, Kind, Result};
use crate::repo::{KeepData, Repo};

/// A column that differs between two replays, or a table whose rows do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Volatile {
    /// The table.
    pub table: TableName,
    /// The column; `None` when rows are more or others, and no column alone says why.
    pub column: Option<String>,
    /// A value of the first replay, as it stands in SQL.
    pub first: String,
    /// What the second one has in its place.
    pub second: String,
}

/// Waits until a clock that counts whole seconds has gone on since `then`, the end of the first replay: a second one at
/// once would insert the same `CURRENT_TIMESTAMP` (SQLite) again.
pub async fn let_the_clock_go_on(then: Instant) {
    const TICK: Duration = Duration::from_millis(1010);
    tokio::time::sleep(TICK.saturating_sub(then.elapsed())).await;
}

/// Compares the kept rows of two replays.
pub fn volatile(first: &Rows, second: &Rows) -> Vec<Volatile> {
    let mut found = Vec::new();
    for ours in &first.tables {
        let theirs = second.tables.iter().find(|theirs| theirs.table == ours.table);
        let of = |column: Option<String>, first: String, second: String| Volatile {
            table: ours.table.clone(),
            column,
            first,
            second,
        };
        let rows = |table: &TableRows| format!("{} rows", table.cells.len());
        let theirs = match theirs {
            Some(theirs) if theirs.cells == ours.cells && theirs.written == ours.written => continue,
            Some(theirs) if theirs.cells.len() == ours.cells.len() && theirs.written == ours.written => {
                theirs
            }
            theirs => {
                found.push(of(None, rows(ours), theirs.map_or_else(|| "no table".to_owned(), rows)));
                continue;
            }
        };
        let before = found.len();
        for (at, column) in ours.written.iter().enumerate() {
            // A key that changes brings the rows into another order: each column's values are compared by themselves.
            let (a, b) = (sorted(ours, at), sorted(theirs, at));
            if let Some((a, b)) = a.into_iter().zip(b).find(|(a, b)| a != b) {
                found.push(of(Some(column.clone()), a.to_owned(), b.to_owned()));
            }
        }
        if found.len() == before {
            let row = (0..ours.cells.len()).find(|row| ours.cells.row(*row).ne(theirs.cells.row(*row)));
            let line = |table: &TableRows| {
                row.map(|row| table.cells.row(row).collect::<Vec<_>>().join(", ")).unwrap_or_default()
            };
            found.push(of(None, line(ours), line(theirs)));
        }
    }
    found
}

fn sorted(table: &TableRows, column: usize) -> Vec<&str> {
    let mut values: Vec<&str> = (0..table.cells.len()).map(|row| table.cells.get(row, column)).collect();
    values.sort_unstable();
    values
}

/// Refuses rows that are others with every replay: a structure that holds them would never be the same twice.
///
/// # Errors
/// [`Kind::Refused`] naming each column with an example, and the setting that leaves them to their defaults.
pub fn refuse_volatile(repo: &Repo, found: &[Volatile], schema: Option<&str>) -> Result<()> {
    if found.is_empty() {
        return Ok(());
    }
    let mut error = Error::new(
        Kind::Refused,
        format!(
            "migrations of `{}` insert other values each time they run, and the rows are to be kept",
            repo.name
        ),
    );
    let mut kept = repo.keep_data.clone();
    for volatile in found {
        let shown = volatile.table.shown();
        let what = match &volatile.column {
            Some(column) => format!("`{shown}.{column}`"),
            None => format!("`{shown}`"),
        };
        error = error.note(format!(
            "{what}: {} the first time, {} the second",
            short(&volatile.first),
            short(&volatile.second)
        ));
        let Some(column) = &volatile.column else { continue };
        let is = |kept: &&mut KeepData| {
            kept.table.eq_ignore_ascii_case(&shown)
                || kept.table.eq_ignore_ascii_case(&volatile.table.name)
                    && volatile.table.schema.as_deref() == schema
        };
        match kept.iter_mut().find(is) {
            Some(kept) => kept.except.push(column.clone()),
            None => kept.push(KeepData { table: shown, except: vec![column.clone()] }),
        }
    }
    Err(error.help(if kept == repo.keep_data {
        "have the migration insert constant values, in a constant order".to_owned()
    } else {
        format!(
            "leave these columns to their defaults, in Cargo.toml below [package.metadata.dbsetup.repos.{}]: `{}`; \
             or have the migration insert constant values",
            repo.name,
            setting(&kept)
        )
    }))
}

/// A value as far as a message shows it.
pub(super) fn short(value: &str) -> String {
    const LONGEST: usize = 60;
    match value.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &value[..end]),
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::difference::tests::rows;
    use super::*;
    use crate::migration::testing::repo;

    #[test]
    fn a_column_that_differs_is_named_with_both_values() {
        let first = rows(&[&["1", "'a'", "'10:00'"], &["2", "'b'", "'10:00'"]]);
        let second = rows(&[&["1", "'a'", "'11:00'"], &["2", "'b'", "'11:00'"]]);
        let found = volatile(&first, &second);
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].column.as_deref(), &*found[0].first, &*found[0].second),
            (Some("c2"), "'10:00'", "'11:00'")
        );
        assert!(volatile(&first, &first).is_empty());
    }

    #[test]
    fn a_key_that_changes_hides_no_other_column_and_accuses_none() {
        let first = rows(&[&["'a1'", "'x'", "1"], &["'b2'", "'y'", "2"]]);
        let second = rows(&[&["'0c'", "'y'", "2"], &["'f0'", "'x'", "1"]]);
        let found = volatile(&first, &second);
        assert_eq!(found.iter().map(|found| found.column.as_deref()).collect::<Vec<_>>(), [Some("c0")]);
        // Values that change places between rows are no column's alone.
        let turned = rows(&[&["'a1'", "'y'", "1"], &["'b2'", "'x'", "2"]]);
        assert_eq!(volatile(&first, &turned)[0].column, None);
        assert_eq!(volatile(&first, &rows(&[]))[0].first, "2 rows");
    }

    #[test]
    fn the_refusal_brings_the_setting() {
        let mut repo = repo();
        repo.keep_data = vec![KeepData { table: "t".into(), except: vec!["old".into()] }];
        let found = volatile(&rows(&[&["1", "'a'"]]), &rows(&[&["1", "'b'"]]));
        let error = refuse_volatile(&repo, &found, Some("public")).unwrap_err();
        assert_eq!(error.kind(), Kind::Refused);
        let help = error.help_text().unwrap();
        assert!(help.contains("`keep-data = [{ table = \"t\", except = [\"old\", \"c1\"] }]`"), "{help}");
        assert!(error.to_string().contains("`public.t.c1`: 'a' the first time, 'b' the second"), "{error}");
    }
}
