//! The SQL that makes, reads and changes a ledger, for each kind in each dialect.
//!
//! Every name is qualified and quoted, every value is a quoted literal: a statement means the same whatever a
//! migration has done to `search_path` or `standard_conforming_strings`.

use super::{
    AppliedRow, Change, LedgerKind, LedgerTable, META_TABLE, NewRow, PROGRESS_TABLE, Progress, Took,
};
use crate::sql::{self, Dialect};

/// The release that writes rows, recorded in our own ledger.
const TOOL_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Returns a quoted string. No name of a file, server or environment holds a NUL; a setting that does is written with
/// the replacement character rather than cut off.
fn quote_literal(dialect: Dialect, text: &str) -> String {
    sql::quote_literal(dialect, &text.replace('\0', "\u{fffd}")).expect("there is no NUL in it")
}

fn quote_identifier(name: &str) -> String {
    sql::quote_identifier(Dialect::Postgres, &name.replace('\0', "\u{fffd}")).expect("there is no NUL in it")
}

/// Returns `schema.table`, quoted.
fn qualified(ledger: &LedgerTable, table: &str) -> String {
    match &ledger.schema {
        Some(schema) => format!("{}.{}", quote_identifier(schema), quote_identifier(table)),
        None => quote_identifier(table),
    }
}

/// Returns the statement that makes the ledger's table unless it is there.
pub fn create_table(dialect: Dialect, ledger: &LedgerTable) -> String {
    let name = qualified(ledger, &ledger.name);
    let postgres = dialect == Dialect::Postgres;
    let columns = match ledger.kind {
        LedgerKind::Dbsetup if postgres => {
            "version text PRIMARY KEY, seq bigint, name text NOT NULL, source text NOT NULL, checksum text, \
             applied_at timestamp with time zone NOT NULL DEFAULT now(), execution_ms bigint, tool_version text"
        }
        LedgerKind::Dbsetup => {
            "version text PRIMARY KEY NOT NULL, seq integer, name text NOT NULL, source text NOT NULL, checksum text, \
             applied_at text NOT NULL DEFAULT CURRENT_TIMESTAMP, execution_ms integer, tool_version text"
        }
        LedgerKind::Sqlx if postgres => {
            "version BIGINT PRIMARY KEY, description TEXT NOT NULL, installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), \
             success BOOLEAN NOT NULL, checksum BYTEA NOT NULL, execution_time BIGINT NOT NULL"
        }
        LedgerKind::Sqlx => {
            "version BIGINT PRIMARY KEY, description TEXT NOT NULL, \
             installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP, \
             success BOOLEAN NOT NULL, checksum BLOB NOT NULL, execution_time BIGINT NOT NULL"
        }
        LedgerKind::Diesel => {
            "version VARCHAR(50) PRIMARY KEY NOT NULL, run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"
        }
        LedgerKind::Refinery if ledger.wide => {
            "version INT8 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255)"
        }
        LedgerKind::Refinery => {
            "version INT4 PRIMARY KEY, name VARCHAR(255), applied_on VARCHAR(255), checksum VARCHAR(255)"
        }
        LedgerKind::Dbmate if postgres => "version varchar NOT NULL PRIMARY KEY",
        LedgerKind::Dbmate => "version varchar(128) PRIMARY KEY",
    };
    format!("CREATE TABLE IF NOT EXISTS {name} ({columns})")
}

/// Returns the statement that makes [`META_TABLE`] beside the ledger unless it is there.
pub fn create_meta(ledger: &LedgerTable) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (key text PRIMARY KEY NOT NULL, value text NOT NULL)",
        qualified(ledger, META_TABLE)
    )
}

/// Returns the statement that makes [`PROGRESS_TABLE`] beside the ledger unless it is there.
pub fn create_progress(ledger: &LedgerTable) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS {} (version text PRIMARY KEY NOT NULL, reverting text NOT NULL, \
         done integer NOT NULL, total integer NOT NULL, checksum text NOT NULL, retry text NOT NULL)",
        qualified(ledger, PROGRESS_TABLE)
    )
}

/// Returns the query of all rows, seven text columns in the order of [`AppliedRow::from_columns`], oldest application first.
pub fn select_rows(dialect: Dialect, ledger: &LedgerTable) -> String {
    // In `ORDER BY` a bare name is that of an output column, which a cast has made a text: `10` before `9`.
    let name = format!("{} AS l", qualified(ledger, &ledger.name));
    let hex = match dialect {
        Dialect::Postgres => "pg_catalog.encode(checksum, 'hex')",
        _ => "lower(hex(checksum))",
    };
    match ledger.kind {
        LedgerKind::Dbsetup => format!(
            "SELECT version, CAST(seq AS text), name, source, checksum, CAST(applied_at AS text), 'true' \
             FROM {name} ORDER BY l.seq IS NOT NULL, l.seq, l.version"
        ),
        LedgerKind::Sqlx => format!(
            "SELECT CAST(version AS text), NULL, description, NULL, {hex}, CAST(installed_on AS text), \
             CASE WHEN success THEN 'true' ELSE 'false' END FROM {name} ORDER BY l.installed_on, l.version"
        ),
        LedgerKind::Diesel => format!(
            "SELECT version, NULL, NULL, NULL, NULL, CAST(run_on AS text), 'true' FROM {name} ORDER BY l.run_on, l.version"
        ),
        LedgerKind::Refinery => format!(
            "SELECT CAST(version AS text), NULL, name, NULL, checksum, applied_on, 'true' FROM {name} \
             ORDER BY l.applied_on, l.version"
        ),
        LedgerKind::Dbmate => {
            format!("SELECT version, NULL, NULL, NULL, NULL, NULL, 'true' FROM {name} ORDER BY l.version")
        }
    }
}

/// The same query, its rows in no order: to sort them costs a session that has only just begun as much as to read them.
pub fn unsorted(query: &str) -> &str {
    query.rsplit_once(" ORDER BY ").map_or(query, |(query, _)| query)
}

impl AppliedRow {
    /// Puts rows of our own ledger in the order of [`select_rows`]; those that were recorded at once by their versions' text.
    pub fn sort_ours(rows: &mut [Self]) {
        rows.sort_by(|one, other| {
            let key = |row: &'_ Self| (row.seq.is_some(), row.seq);
            key(one).cmp(&key(other)).then_with(|| one.version.cmp(&other.version))
        });
    }

    /// Returns the row that [`select_rows`] read as text columns.
    pub fn from_columns(columns: &[Option<String>]) -> Self {
        let text = |index: usize| columns.get(index).cloned().flatten();
        Self {
            version: text(0).unwrap_or_default(),
            seq: text(1).and_then(|seq| seq.parse().ok()),
            name: text(2),
            source: text(3),
            checksum: text(4),
            applied_at: text(5),
            success: text(6).as_deref() != Some("false"),
            absorbed: false,
        }
    }
}

/// Returns the query of [`META_TABLE`]: key, value.
pub fn select_meta(ledger: &LedgerTable) -> String {
    format!("SELECT key, value FROM {} ORDER BY key", qualified(ledger, META_TABLE))
}

/// Returns the query of [`PROGRESS_TABLE`]: version, reverting, done, total, checksum, retry.
pub fn select_progress(ledger: &LedgerTable) -> String {
    format!(
        "SELECT version, reverting, CAST(done AS text), CAST(total AS text), checksum, retry FROM {} ORDER BY version",
        qualified(ledger, PROGRESS_TABLE)
    )
}

impl Progress {
    /// Returns the row that [`select_progress`] read as text columns.
    pub fn from_columns(columns: &[Option<String>]) -> Self {
        let text = |index: usize| columns.get(index).cloned().flatten().unwrap_or_default();
        Self {
            version: text(0),
            reverting: text(1) == "true",
            done: text(2).parse().unwrap_or(0),
            total: text(3).parse().unwrap_or(0),
            checksum: text(4),
            retry: text(5) == "true",
        }
    }
}

/// Returns the statement that adds a row.
pub fn insert_row(dialect: Dialect, ledger: &LedgerTable, row: &NewRow) -> String {
    let name = qualified(ledger, &ledger.name);
    let literal = |text: &str| quote_literal(dialect, text);
    let version = literal(&row.version);
    let checksum = row.checksum.as_deref().unwrap_or_default();
    match ledger.kind {
        LedgerKind::Dbsetup => format!(
            "INSERT INTO {name} (version, seq, name, source, checksum, execution_ms, tool_version) \
             VALUES ({version}, {}, {}, {}, {}, {}, {})",
            row.seq.map_or_else(
                || format!("(SELECT coalesce(max(seq), 0) + 1 FROM {name})"),
                |seq| seq.to_string()
            ),
            literal(&row.name),
            literal(&row.source),
            row.checksum.as_deref().map_or("NULL".to_owned(), literal),
            milliseconds(dialect, row.took),
            literal(TOOL_VERSION),
        ),
        LedgerKind::Sqlx => format!(
            "INSERT INTO {name} (version, description, success, checksum, execution_time) \
             VALUES ({}, {}, TRUE, {}, {})",
            version_literal(dialect, ledger, &row.version),
            literal(&row.name),
            bytes(dialect, checksum),
            nanoseconds(dialect, row.took),
        ),
        LedgerKind::Diesel | LedgerKind::Dbmate => format!("INSERT INTO {name} (version) VALUES ({version})"),
        LedgerKind::Refinery => format!(
            "INSERT INTO {name} (version, name, applied_on, checksum) VALUES ({}, {}, {}, {})",
            version_literal(dialect, ledger, &row.version),
            literal(&row.name),
            rfc3339_now(dialect),
            literal(checksum),
        ),
    }
}

/// Returns our measure of time: whole milliseconds, or NULL.
fn milliseconds(dialect: Dialect, took: Took) -> String {
    match (took, dialect) {
        (Took::Measured(took), _) => took.as_millis().to_string(),
        (Took::ThisTransaction, Dialect::Postgres) => since_transaction_start(1_000),
        _ => "NULL".to_owned(),
    }
}

/// Returns sqlx's measure of time: nanoseconds, or -1 for a time that was not measured.
fn nanoseconds(dialect: Dialect, took: Took) -> String {
    match (took, dialect) {
        (Took::Measured(took), _) => took.as_nanos().to_string(),
        (Took::ThisTransaction, Dialect::Postgres) => since_transaction_start(1_000_000_000),
        _ => "-1".to_owned(),
    }
}

/// In PostgreSQL `now()` is when the transaction began.
fn since_transaction_start(per_second: u64) -> String {
    format!(
        "CAST(pg_catalog.date_part('epoch', pg_catalog.clock_timestamp() - pg_catalog.now()) * {per_second} AS bigint)"
    )
}

/// Returns a binary literal of text in hexadecimal.
fn bytes(dialect: Dialect, hex: &str) -> String {
    match dialect {
        // `decode` needs no backslash, so `standard_conforming_strings` cannot change its meaning.
        Dialect::Postgres => format!("pg_catalog.decode('{hex}', 'hex')"),
        _ => format!("X'{hex}'"),
    }
}

/// Returns the expression of the current time as refinery reads it back: RFC 3339, UTC.
fn rfc3339_now(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => {
            "pg_catalog.to_char(pg_catalog.clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"000Z\"')"
        }
        _ => "strftime('%Y-%m-%dT%H:%M:%f000000Z', 'now')",
    }
}

/// Returns the statement that removes the row of a version.
pub fn delete_row(dialect: Dialect, ledger: &LedgerTable, version: &str) -> String {
    format!(
        "DELETE FROM {} WHERE version = {}",
        qualified(ledger, &ledger.name),
        version_literal(dialect, ledger, version)
    )
}

/// Returns a version as a literal of its column's type.
pub(super) fn version_literal(dialect: Dialect, ledger: &LedgerTable, version: &str) -> String {
    match ledger.kind {
        // Integer columns. A version that is none (a directory of diesel's before a ledger of sqlx's) is quoted, and
        // refused by the server.
        LedgerKind::Sqlx | LedgerKind::Refinery if version.parse::<i64>().is_ok() => version.to_owned(),
        _ => quote_literal(dialect, version),
    }
}

/// Returns the statements that make a change. Tables that they need exist.
pub fn record(dialect: Dialect, ledger: &LedgerTable, change: &Change) -> Vec<String> {
    let literal = |text: &str| quote_literal(dialect, text);
    match change {
        Change::Insert(row) => vec![insert_row(dialect, ledger, row)],
        Change::Delete { version } => vec![delete_row(dialect, ledger, version)],
        Change::SetChecksum { version, checksum } => vec![format!(
            "UPDATE {} SET checksum = {} WHERE version = {}",
            qualified(ledger, &ledger.name),
            if ledger.kind == LedgerKind::Sqlx { bytes(dialect, checksum) } else { literal(checksum) },
            version_literal(dialect, ledger, version)
        )],
        Change::SetMeta { key, value } => vec![format!(
            "INSERT INTO {} (key, value) VALUES ({}, {}) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            qualified(ledger, META_TABLE),
            literal(key),
            literal(value)
        )],
        Change::ClearMeta { key } => {
            vec![format!("DELETE FROM {} WHERE key = {}", qualified(ledger, META_TABLE), literal(key))]
        }
        Change::SetProgress(progress) => vec![
            format!(
                "DELETE FROM {} WHERE version = {}",
                qualified(ledger, PROGRESS_TABLE),
                literal(&progress.version)
            ),
            format!(
                "INSERT INTO {} (version, reverting, done, total, checksum, retry) \
                 VALUES ({}, '{}', {}, {}, {}, '{}')",
                qualified(ledger, PROGRESS_TABLE),
                literal(&progress.version),
                progress.reverting,
                progress.done,
                progress.total,
                literal(&progress.checksum),
                progress.retry
            ),
        ],
        Change::ClearProgress { version } => vec![format!(
            "DELETE FROM {} WHERE version = {}",
            qualified(ledger, PROGRESS_TABLE),
            literal(version)
        )],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn table(kind: LedgerKind, schema: Option<&str>) -> LedgerTable {
        LedgerTable { kind, schema: schema.map(Into::into), name: kind.default_table().into(), wide: false }
    }

    #[test]
    fn rows_without_an_order_are_sorted_as_the_database_does() {
        let ours = table(LedgerKind::Dbsetup, Some("a ORDER BY b"));
        let query = select_rows(Dialect::Postgres, &ours);
        assert!(unsorted(&query).ends_with("FROM \"a ORDER BY b\".\"schema_migrations\" AS l"), "{query}");
        let row = |version: &str, seq| AppliedRow { version: version.into(), seq, ..AppliedRow::default() };
        let mut rows = [row("1", Some(2)), row("3", Some(1)), row("9", None), row("2", None)];
        AppliedRow::sort_ours(&mut rows);
        assert_eq!(rows.map(|row| row.version), ["2", "9", "3", "1"]);
    }

    fn row() -> NewRow {
        NewRow {
            version: "7".into(),
            seq: Some(1),
            name: "it's".into(),
            source: "migrations".into(),
            checksum: Some("ab12".into()),
            took: Took::Measured(Duration::from_millis(3)),
        }
    }

    #[test]
    fn values_are_quoted_and_names_qualified() {
        let sql = insert_row(Dialect::Postgres, &table(LedgerKind::Dbsetup, Some("app")), &row());
        assert!(sql.starts_with("INSERT INTO \"app\".\"schema_migrations\" "), "{sql}");
        assert!(sql.contains("'it''s'"), "{sql}");
    }

    #[test]
    fn sqlx_rows_carry_bytes_and_nanoseconds() {
        let sql = insert_row(Dialect::Sqlite, &table(LedgerKind::Sqlx, None), &row());
        assert_eq!(
            sql,
            "INSERT INTO \"_sqlx_migrations\" (version, description, success, checksum, execution_time) \
             VALUES (7, 'it''s', TRUE, X'ab12', 3000000)"
        );
    }

    #[test]
    fn a_version_that_is_no_number_is_quoted_in_an_integer_column() {
        let odd = NewRow { version: "1); DROP TABLE a; --".into(), ..row() };
        for kind in [LedgerKind::Sqlx, LedgerKind::Refinery] {
            let sql = insert_row(Dialect::Sqlite, &table(kind, None), &odd);
            assert!(sql.contains("('1); DROP TABLE a; --', "), "{sql}");
            assert!(
                delete_row(Dialect::Sqlite, &table(kind, None), &odd.version)
                    .ends_with("'1); DROP TABLE a; --'")
            );
        }
    }

    #[test]
    fn rows_without_a_measured_time_say_so_as_sqlx_does() {
        let unmeasured = NewRow { took: Took::Nothing, ..row() };
        assert!(insert_row(Dialect::Postgres, &table(LedgerKind::Sqlx, None), &unmeasured).ends_with("-1)"));
    }
}
