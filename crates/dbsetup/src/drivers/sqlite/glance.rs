//! A look at a ledger in one message, over a connection that is opened for it alone.

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, SqliteConnection};

use futures_util::TryStreamExt;

use super::catalog::{gathered, literal, scattered};
use super::error;
use super::session::{Rows, texts};
use crate::driver::{DbError, FoundTable, Glance, LedgerState};
use crate::ledger::{self, AppliedRow, Column, LedgerTable, META_TABLE, PROGRESS_TABLE};
use crate::sql::Dialect;

/// Looks. A table that is missing, a file that is no database and everything else that is not as usual is for somebody
/// who looks closely.
pub(super) async fn glance(
    options: SqliteConnectOptions,
    table: &LedgerTable,
    names: &[String],
) -> Result<Option<Glance>, DbError> {
    let mut connection = options.connect().await.map_err(|error| error::database(&error))?;
    let answer = read(&mut connection, message(table, names)).await;
    // Nothing can be done about a connection that does not close: its thread has ended with it.
    let _ = connection.close().await;
    Ok(answer.ok().and_then(|answers| understood(answers, table)))
}

/// The message: one transaction, so that rows and marks are of one moment.
fn message(table: &LedgerTable, names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .map(String::as_str)
        .chain([table.name.as_str(), META_TABLE, PROGRESS_TABLE])
        .map(|name| literal(&name.to_lowercase()))
        .collect();
    let find = format!(
        "SELECT s.name, c.name, c.type FROM main.sqlite_schema AS s, pragma_table_info(s.name, 'main') AS c \
         WHERE s.type = 'table' AND lower(s.name) IN ({}) ORDER BY s.name, c.cid",
        names.join(", ")
    );
    // Named as an alias of a subquery has it: three columns of the catalog share two names.
    [
        "BEGIN".to_owned(),
        gathered(&find, 3),
        gathered(&ledger::select_rows(Dialect::Sqlite, table), 7),
        gathered(&ledger::select_meta(table), 2),
        "COMMIT".to_owned(),
    ]
    .join(";")
}

async fn read(connection: &mut SqliteConnection, sql: String) -> Result<Vec<Rows>, sqlx::Error> {
    let mut answers = vec![Rows::new()];
    let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(connection);
    while let Some(answer) = results.try_next().await? {
        match (answer, answers.last_mut()) {
            (Either::Right(row), Some(last)) => last.push(texts(&row)?),
            _ => answers.push(Rows::new()),
        }
    }
    Ok(answers)
}

/// Reads the answers; `None` where they leave a doubt.
fn understood(answers: Vec<Rows>, table: &LedgerTable) -> Option<Glance> {
    let mut answers = answers.into_iter().skip(1).map(scattered);
    let (found, rows, meta) = (answers.next()?, answers.next()?, answers.next()?);
    let mut tables: Vec<FoundTable> = Vec::new();
    for row in found {
        let [name, column, type_name] = <[Option<String>; 3]>::try_from(row).unwrap_or_default();
        let (name, column) = (name?, column.unwrap_or_default());
        if tables.last().is_none_or(|table| table.name != name) {
            tables.push(FoundTable { schema: None, name, columns: Vec::new(), on_path: true });
        }
        let columns = &mut tables.last_mut()?.columns;
        columns.push(Column { name: column, type_name: type_name.unwrap_or_default() });
    }
    tables.iter().any(|found| found.name == table.name).then(|| Glance {
        tables,
        state: LedgerState {
            rows: rows.iter().map(|row| AppliedRow::from_columns(row)).collect(),
            baseline: None,
            meta: meta
                .into_iter()
                .map(|row| {
                    let [key, value] = <[Option<String>; 2]>::try_from(row).unwrap_or_default();
                    (key.unwrap_or_default(), value.unwrap_or_default())
                })
                .collect(),
            progress: Vec::new(),
        },
    })
}
