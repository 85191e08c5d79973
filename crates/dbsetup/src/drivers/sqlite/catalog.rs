//! What the database holds, read from `sqlite_schema` and its pragmas.

use super::error::failure;
use super::session::{Open, Rows, Session};
use crate::driver::{DbError, DbErrorClass, FoundTable, LedgerState, Present};
use crate::ledger::{self, AppliedRow, Column, LedgerTable, META_TABLE, PROGRESS_TABLE, Progress};
use crate::sql::Dialect;

/// Returns `text` as a SQL string.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// Returns `name` as a quoted identifier.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns a query of so many columns as one of a single value, which [`scattered`] takes apart again: each row that
/// leaves the connection's thread costs as much as reading dozens of them.
///
/// The order stays: SQLite keeps that of a subquery below an aggregate that depends on it.
pub(super) fn gathered(query: &str, columns: usize) -> String {
    let names: Vec<String> = (0..columns).map(|at| format!("c{at}")).collect();
    let values: Vec<String> = names.iter().map(|name| format!("quote(CAST({name} AS text))")).collect();
    format!(
        "WITH gathered({}) AS ({query}) SELECT group_concat({} || ';', '') FROM gathered",
        names.join(","),
        values.join("||','||")
    )
}

/// Returns the rows of a [`gathered`] query.
pub(super) fn scattered(rows: Rows) -> Rows {
    let text = rows.into_iter().flatten().flatten().next().unwrap_or_default();
    let (mut rows, mut row, mut rest) = (Rows::new(), Vec::new(), &*text);
    while !rest.is_empty() {
        let (value, length) = match rest.strip_prefix('\'') {
            Some(quoted) => {
                // The first quote that no other one follows ends the value.
                let mut end = 0;
                while let Some(at) = quoted[end..].find('\'') {
                    end += at;
                    if !quoted[end + 1..].starts_with('\'') {
                        break;
                    }
                    end += 2;
                }
                (Some(quoted[..end].replace("''", "'")), end + 2)
            }
            None => (None, "NULL".len()),
        };
        row.push(value);
        if rest[length..].starts_with(';') {
            rows.push(std::mem::take(&mut row));
        }
        rest = &rest[length + 1..];
    }
    rows
}

/// The names of the tables behind virtual tables.
pub(super) const SHADOWS: &str =
    "SELECT l.name FROM pragma_table_list AS l WHERE l.schema = 'main' AND l.type = 'shadow'";

/// The condition on `sqlite_schema AS s` that leaves what users made: not SQLite's own, not our tables, and not the
/// tables behind a virtual table, which come and go with it.
pub(super) fn users_own(ledger: Option<&LedgerTable>) -> String {
    let ours: Vec<String> = [META_TABLE, PROGRESS_TABLE]
        .into_iter()
        .chain(ledger.map(|ledger| ledger.name.as_str()))
        .map(|name| literal(&name.to_lowercase()))
        .collect();
    format!(
        "substr(s.name, 1, 7) <> 'sqlite_' AND lower(s.tbl_name) NOT IN ({}) AND s.tbl_name NOT IN ({SHADOWS})",
        ours.join(", ")
    )
}

impl Session {
    /// Returns the tables with one of `names`.
    pub(super) async fn found(&mut self, names: &[String]) -> Result<Vec<FoundTable>, DbError> {
        // Names of tables do not depend on case, and ledgers may be configured schema-qualified.
        let names: Vec<String> = names.iter().map(|name| literal(&name.to_lowercase())).collect();
        let rows = self
            .rows(format!(
                "SELECT s.name, c.name, c.type FROM main.sqlite_schema AS s, pragma_table_info(s.name, 'main') AS c \
                 WHERE s.type = 'table' AND lower(s.name) IN ({}) ORDER BY s.name, c.cid",
                names.join(", ")
            ))
            .await?;
        let mut tables: Vec<FoundTable> = Vec::new();
        for row in rows {
            let [name, column, type_name] = <[Option<String>; 3]>::try_from(row).unwrap_or_default();
            let (name, column) = (name.unwrap_or_default(), column.unwrap_or_default());
            if tables.last().is_none_or(|table| table.name != name) {
                tables.push(FoundTable { schema: None, name, columns: Vec::new(), on_path: true });
            }
            if let Some(table) = tables.last_mut() {
                table.columns.push(Column { name: column, type_name: type_name.unwrap_or_default() });
            }
        }
        Ok(tables)
    }

    /// Reads the ledger and our tables beside it, as one moment sees them.
    pub(super) async fn state_of(
        &mut self,
        ledger: &LedgerTable,
        present: Present,
    ) -> Result<LedgerState, DbError> {
        let mut queries = Vec::new();
        for (is_there, query) in [
            (present.ledger, gathered(&ledger::select_rows(Dialect::Sqlite, ledger), 7)),
            (present.meta, gathered(&ledger::select_meta(ledger), 2)),
            (present.progress, gathered(&ledger::select_progress(ledger), 6)),
        ] {
            // A query that finds nothing keeps the places of the others.
            queries.push(if is_there { query } else { "SELECT 1 WHERE 0".to_owned() });
        }
        let alone = self.open == Open::Nothing;
        let mut sql = queries.join(";");
        if alone {
            sql = format!("BEGIN;{sql};COMMIT");
        }
        let tables = match self.tables(sql).await {
            Ok(tables) => tables,
            Err(error) => {
                if alone {
                    self.undo().await?;
                }
                return Err(error);
            }
        };
        let mut tables = tables.into_iter().skip(usize::from(alone));
        let mut next = || scattered(tables.next().unwrap_or_default());
        Ok(LedgerState {
            rows: next().iter().map(|row| AppliedRow::from_columns(row)).collect(),
            baseline: None,
            meta: next()
                .into_iter()
                .map(|row| {
                    let [key, value] = <[Option<String>; 2]>::try_from(row).unwrap_or_default();
                    (key.unwrap_or_default(), value.unwrap_or_default())
                })
                .collect(),
            progress: next().iter().map(|row| Progress::from_columns(row)).collect(),
        })
    }

    /// Returns up to `limit` objects that users made.
    pub(super) async fn objects(
        &mut self,
        ledger: &LedgerTable,
        limit: usize,
    ) -> Result<Vec<String>, DbError> {
        let rows = self
            .rows(format!(
                "SELECT s.type || ' ' || s.name FROM main.sqlite_schema AS s WHERE {} \
                 ORDER BY s.type <> 'table', s.type <> 'view', s.name LIMIT {limit}",
                users_own(Some(ledger))
            ))
            .await?;
        Ok(rows.into_iter().flatten().flatten().collect())
    }

    /// Makes the tables around a ledger that are wanted.
    pub(super) async fn prepared(&mut self, ledger: &LedgerTable, wanted: Present) -> Result<(), DbError> {
        let alone = self.open == Open::Nothing;
        let statements = [
            (alone, "BEGIN IMMEDIATE".to_owned()),
            (wanted.ledger, ledger::create_table(Dialect::Sqlite, ledger)),
            (wanted.meta, ledger::create_meta(ledger)),
            (wanted.progress, ledger::create_progress(ledger)),
            (alone, "COMMIT".to_owned()),
        ];
        let statements = statements.into_iter().filter(|(is_wanted, _)| *is_wanted).map(|(_, sql)| sql);
        let result = self.send(statements.collect::<Vec<_>>().join(";")).await;
        if result.is_err() && alone {
            self.undo().await?;
        }
        result
    }

    /// Removes the ledger's table, which must be empty.
    pub(super) async fn ledger_dropped(&mut self, ledger: &LedgerTable) -> Result<(), DbError> {
        let name = quoted(&ledger.name);
        let alone = self.open == Open::Nothing;
        let begin = if alone { "BEGIN IMMEDIATE;" } else { "" };
        let rows = self.tables(format!("{begin}SELECT count(*) FROM {name}")).await;
        let result = match rows {
            Ok(tables) if tables.iter().flatten().flatten().flatten().any(|count| count != "0") => Err(
                failure(DbErrorClass::LedgerConflict, format!("the ledger `{}` is not empty", ledger.name)),
            ),
            Ok(_) => self.send(format!("DROP TABLE {name}{}", if alone { ";COMMIT" } else { "" })).await,
            Err(error) => Err(error),
        };
        if result.is_err() && alone {
            self.undo().await?;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gathered_rows_are_taken_apart_whatever_is_in_them() {
        let texts = |text: &str| scattered(vec![vec![Some(text.to_owned())]]);
        assert_eq!(scattered(Vec::new()), Rows::new());
        assert_eq!(scattered(vec![vec![None]]), Rows::new());
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(texts("'a',NULL;'','';"), [[some("a"), None], [some(""), some("")]]);
        assert_eq!(texts("'it''s','''';"), [[some("it's"), some("'")]]);
        assert_eq!(texts("'a'';''b',NULL;'NULL',';';"), [[some("a';'b"), None], [some("NULL"), some(";")]]);
        assert_eq!(texts("'grün','\u{1f980}''';"), [[some("grün"), some("\u{1f980}'")]]);
    }

    #[tokio::test]
    async fn what_is_gathered_is_scattered_in_its_order() {
        use sqlx::{Connection, Row};
        let mut connection = sqlx::SqliteConnection::connect("sqlite::memory:").await.expect("it opens");
        let query = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999) \
                     SELECT i, 'it''s ' || i, NULL FROM n ORDER BY (i * 7) % 1000";
        let row = sqlx::query(sqlx::AssertSqlSafe(gathered(query, 3)));
        let row = row.fetch_one(&mut connection).await.expect("it is read");
        let rows = scattered(vec![vec![row.get(0)]]);
        let wanted: Rows = (0..1000)
            .map(|place| (0..1000).find(|i| (i * 7) % 1000 == place).expect("7 and 1000 share no factor"))
            .map(|i| vec![Some(i.to_string()), Some(format!("it's {i}")), None])
            .collect();
        assert_eq!(rows, wanted);
    }
}
