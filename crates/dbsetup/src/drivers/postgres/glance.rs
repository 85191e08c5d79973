//! A look at a ledger in one message, over a connection that is opened for it alone.

use super::catalog::cell;
use super::place::Place;
use super::script::{self, Row};
use super::session::{self, PROBE};
use super::text::{beside, literal, name};
use crate::driver::{DbError, FoundTable, Glance, LedgerState, SessionOptions};
use crate::ledger::{self, AppliedRow, Column, LedgerKind, LedgerTable, META_TABLE, PROGRESS_TABLE};
use crate::sql::Dialect;

/// Answers before those that say where the tables are.
const FACTS: usize = 3;
/// Answers behind those, where the path says which schema is meant.
const LATER: usize = 3;

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
    let others = others(table, names);
    let head = 1 + usize::from(options.role.is_some());
    Ok(answer.ok().and_then(|answers| understood(answers.get(head..)?, table, &others, &probe)))
}

/// The tables besides ledger and marks: one of them leaves a doubt.
fn others<'n>(table: &LedgerTable, names: &'n [String]) -> Vec<&'n str> {
    let is_other = |name: &&str| ![table.name.as_str(), META_TABLE, PROGRESS_TABLE].contains(name);
    names.iter().map(String::as_str).filter(is_other).chain([PROGRESS_TABLE]).collect()
}

/// Whether the rows are proof enough of the ledger's shape: they name all the columns that make one ours.
fn proves_its_shape(table: &LedgerTable) -> bool {
    table.kind == LedgerKind::Dbsetup
}

/// The message: one transaction, so that rows and marks are of one moment. The session is new, and its caches are empty: each
/// catalog that is read as a table, and each order, would cost it as much as the ledger. Functions find the same in less.
fn message(options: &SessionOptions, table: &LedgerTable, names: &[String]) -> String {
    let found = |shown: &str| format!("pg_catalog.to_regclass({})", literal(shown));
    let mut facts = vec![
        "pg_catalog.current_setting('server_version_num')".to_owned(),
        "pg_catalog.version()".to_owned(),
        format!("pg_catalog.current_setting({}, true)", literal(PROBE)),
    ];
    // The kind of a relation, too: a view of that name is not the table.
    for shown in [beside(table, &table.name), beside(table, META_TABLE)] {
        let identity = format!(
            "(pg_catalog.pg_identify_object('pg_catalog.pg_class'::pg_catalog.regclass, {}, 0))",
            found(&shown)
        );
        facts.extend([format!("{identity}.type"), format!("{identity}.schema")]);
    }
    facts.extend(others(table, names).into_iter().map(|other| {
        let shown = if other == PROGRESS_TABLE { beside(table, other) } else { name(other) };
        format!("{} IS NOT NULL", found(&shown))
    }));
    if table.schema.is_none() {
        facts.extend(later_on_the_path(&table.name));
    }
    let rows = ledger::select_rows(Dialect::Postgres, table);
    let mut statements = vec!["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned()];
    statements.extend(options.role.as_ref().map(|role| format!("SET LOCAL ROLE {}", name(role))));
    statements.push(format!("SELECT {}", facts.join(", ")));
    if proves_its_shape(table) {
        statements.push(ledger::unsorted(&rows).to_owned());
    } else {
        statements.push(format!(
            "SELECT a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod) FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid = {} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
            found(&beside(table, &table.name))
        ));
        statements.push(rows);
    }
    statements.push(ledger::unsorted(&ledger::select_meta(table)).to_owned());
    statements.push("COMMIT".to_owned());
    statements.join(";\n")
}

/// Whether the tables of this name in the schemas that come later on the path are what the name means, and whether there are
/// more such schemas than are looked at. `to_regclass` sees the first of several; and an order over the schemas would cost
/// three times as much.
fn later_on_the_path(table: &str) -> [String; LATER] {
    let schema = |at: usize| format!("(pg_catalog.current_schemas(false))[{at}]");
    let is_meant = |at: usize| {
        let one = format!("pg_catalog.quote_ident({})", schema(at));
        let shown = format!("pg_catalog.textcat({one}, {})", literal(&format!(".{}", name(table))));
        format!("pg_catalog.pg_table_is_visible(pg_catalog.to_regclass({shown}))")
    };
    [is_meant(2), is_meant(3), format!("{} IS NULL", schema(4))]
}

/// Reads the answers from the facts on; `None` where they leave a doubt.
fn understood(answers: &[Vec<Row>], table: &LedgerTable, others: &[&str], probe: &str) -> Option<Glance> {
    let (facts, columns, rows, meta) = match answers {
        [facts, rows, meta, _commit] if proves_its_shape(table) => (facts, None, rows, meta),
        [facts, columns, rows, meta, _commit] => (facts, Some(columns), rows, meta),
        _ => return None,
    };
    let facts = facts.first()?;
    let is_known = cell(facts, 0).parse::<u32>().is_ok_and(|version| version >= session::OLDEST)
        && cell(facts, 1).starts_with("PostgreSQL ")
        && !cell(facts, 1).contains("-YB-");
    // Each of several ledgers might be the one.
    let later = if table.schema.is_none() { LATER } else { 0 };
    let behind = FACTS + 4 + others.len();
    let is_one_of_several = (behind..behind + later).any(|at| cell(facts, at) == "f");
    if !is_known || cell(facts, 2) != probe || is_one_of_several {
        return None;
    }
    let mut tables: Vec<FoundTable> = Vec::new();
    for (named, at) in [table.name.as_str(), META_TABLE].into_iter().zip((FACTS..).step_by(2)) {
        if cell(facts, at) != "table" {
            return None;
        }
        let schema = Some(without_quotes(&cell(facts, at + 1)));
        tables.push(FoundTable { schema, name: named.to_owned(), columns: Vec::new(), on_path: true });
    }
    let column = |name: String, type_name: String| Column { name, type_name };
    tables[0].columns = match columns {
        Some(columns) => columns.iter().map(|row| column(cell(row, 0), cell(row, 1))).collect(),
        None => OUR_COLUMNS.map(|name| column(name.to_owned(), String::new())).into(),
    };
    let there = others.iter().zip(FACTS + 4..).filter(|(_, at)| cell(facts, *at) == "t");
    tables.extend(there.map(|(other, _)| FoundTable {
        schema: None,
        name: (*other).to_owned(),
        columns: Vec::new(),
        on_path: true,
    }));
    let mut rows: Vec<AppliedRow> = rows.iter().map(|row| AppliedRow::from_columns(row)).collect();
    if proves_its_shape(table) {
        AppliedRow::sort_ours(&mut rows);
    }
    let mut meta: Vec<(String, String)> = meta.iter().map(|row| (cell(row, 0), cell(row, 1))).collect();
    meta.sort();
    let state = LedgerState { rows, baseline: None, meta, progress: Vec::new() };
    Some(Glance { tables, state })
}

/// The columns that the rows of our own ledger have proved.
const OUR_COLUMNS: [&str; 6] = ["version", "seq", "name", "source", "checksum", "applied_at"];

/// Returns a name that `pg_identify_object` quotes where it has to be.
fn without_quotes(shown: &str) -> String {
    match shown.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None => shown.to_owned(),
    }
}
