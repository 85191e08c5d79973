//! A look at a ledger in one message, over a connection that is opened for it alone.

use super::catalog::cell;
use super::place::Place;
use super::script::{self, Row};
use super::session::{self, PROBE};
use super::text::{beside, literal, name};
use crate::driver::{DbError, FoundTable, Glance, LedgerState, SessionOptions};
use crate::ledger::{self, AppliedRow, Column, LedgerTable, META_TABLE, PROGRESS_TABLE};
use crate::sql::Dialect;

/// Statements before those that read.
const HEAD: usize = 4;

/// Looks. Everything that is not as usual (a pooler, a table that is missing, a right that is missing, an old server)
/// is for somebody who looks closely.
pub(super) async fn glance(
    place: &Place,
    options: &SessionOptions,
    table: &LedgerTable,
    names: &[String],
) -> Result<Option<Glance>, DbError> {
    let probe = session::random();
    let mut settings = session::settings(place, options);
    if settings.iter().any(|(_, value)| value.chars().any(|c| c != ' ' && c.is_whitespace())) {
        return Ok(None);
    }
    settings.push((PROBE.to_owned(), probe.clone()));
    let mut connection = match session::open(place, &options.application, &settings).await {
        Ok(connection) => connection,
        // A pooler does not take start-up options.
        Err(error) if error.code.as_deref() == Some("08P01") => return Ok(None),
        Err(error) => return Err(error),
    };
    let answer = script::query(&mut connection, message(options, table, names)).await;
    super::server::close(connection).await;
    Ok(answer.ok().and_then(|answers| understood(&answers, table, &probe)))
}

/// The message: one transaction, so that rows and marks are of one moment.
fn message(options: &SessionOptions, table: &LedgerTable, names: &[String]) -> String {
    let role = match &options.role {
        Some(role) => format!("SET LOCAL ROLE {}", name(role)),
        // Keeps the places of the answers.
        None => "SELECT 1".to_owned(),
    };
    let wanted: Vec<String> = names
        .iter()
        .filter(|other| **other != table.name)
        .map(|other| name(other))
        .chain([beside(table, &table.name), beside(table, META_TABLE), beside(table, PROGRESS_TABLE)])
        .map(|shown| format!("pg_catalog.to_regclass({})", literal(&shown)))
        .collect();
    let ledger = literal(&beside(table, &table.name));
    [
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
        role,
        // The kind of a relation first: a view of that name is not the table.
        format!(
            "SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.version(), \
             pg_catalog.current_setting({}, true), c.relname, \
             (SELECT n.nspname FROM pg_catalog.pg_namespace n WHERE n.oid = c.relnamespace), c.relkind \
             FROM pg_catalog.pg_class c WHERE c.oid IN ({})",
            literal(PROBE),
            wanted.join(", ")
        ),
        format!(
            "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid = pg_catalog.to_regclass({ledger}) AND a.attnum > 0 AND NOT a.attisdropped \
             ORDER BY a.attnum"
        ),
        ledger::select_rows(Dialect::Postgres, table),
        ledger::select_meta(table),
        "COMMIT".to_owned(),
    ]
    .join(";\n")
}

/// Reads the answers; `None` where they leave a doubt.
fn understood(answers: &[Vec<Row>], table: &LedgerTable, probe: &str) -> Option<Glance> {
    let [_, _, relations, columns, rows, meta, ..] = answers else { return None };
    debug_assert_eq!(answers.len(), HEAD + 3, "two reads and the commit");
    let first = relations.first()?;
    let is_known = cell(first, 0).parse::<u32>().is_ok_and(|version| version >= session::OLDEST)
        && cell(first, 1).starts_with("PostgreSQL ")
        && !cell(first, 1).contains("-YB-");
    if !is_known || cell(first, 2) != probe {
        return None;
    }
    let mut tables: Vec<FoundTable> = Vec::new();
    for relation in relations {
        if !matches!(cell(relation, 5).as_str(), "r" | "p") {
            return None;
        }
        let name = cell(relation, 3);
        let columns = if name == table.name {
            columns.iter().map(|row| Column { name: cell(row, 0), type_name: cell(row, 1) }).collect()
        } else {
            Vec::new()
        };
        tables.push(FoundTable { schema: Some(cell(relation, 4)), name, columns, on_path: true });
    }
    Some(Glance {
        tables,
        state: LedgerState {
            rows: rows.iter().map(|row| AppliedRow::from_columns(row)).collect(),
            baseline: None,
            meta: meta.iter().map(|row| (cell(row, 0), cell(row, 1))).collect(),
            progress: Vec::new(),
        },
    })
}
