//! Rows that belong to a structure: which tables have any, and what they say.

mod literal;
mod shape;

use sqlx::Row as _;
use sqlx::postgres::PgRow;

use self::shape::{Shape, Sorting};
use super::catalog::cell;
use super::census::SQLX_TEST;
use super::error::{advised, own};
use super::session::Session;
use super::text::{literal as quoted, literals, name};
use crate::driver::{
    Cells, DbError, DbErrorClass, FilledTable, Rows, RowsRequest, SequencePosition, TableName, TableRows,
};
use crate::ledger::{LedgerTable, META_TABLE, PROGRESS_TABLE};

/// Settings that decide how the server words values, or that would hide rows. They hold for the transaction.
const SETTINGS: [(&str, &str); 12] = [
    ("search_path", ""),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    ("client_encoding", "UTF8"),
    // Rows that a policy hides would be lost without a word: then it is an error.
    ("row_security", "off"),
    ("quote_all_identifiers", "off"),
    ("statement_timeout", "0"),
];

/// How long the statement of a row may be: what is longer cannot be loaded.
const LONGEST: usize = 8 * 1024 * 1024;
/// How many tables are counted, or sequences read, by one statement.
const COUNTED: usize = 200;
/// How many such statements are sent at once.
const AT_ONCE: usize = 5;

impl Session {
    /// Returns every table of users' with the number of its rows.
    pub(super) async fn filled_tables(&mut self, ledger: &LedgerTable) -> Result<Vec<FilledTable>, DbError> {
        let rows = self.looks_pinned(vec![tables(ledger)]).await?.pop().unwrap_or_default();
        let mut found: Vec<FilledTable> = Vec::new();
        let mut parts: Vec<(usize, String)> = Vec::new();
        let mut before = vec!["BEGIN".to_owned()];
        before.extend(self.local_settings());
        for row in &rows {
            let [schema, table, part_schema, part] = [0, 1, 2, 3].map(|at| cell(row, at));
            let is_last = found
                .last()
                .is_some_and(|last| last.schema.as_deref() == Some(&*schema) && last.name == table);
            if !is_last {
                found.push(FilledTable { schema: Some(schema), name: table, rows: 0 });
            }
            if !part.is_empty() {
                let part = format!("{}.{}", name(&part_schema), name(&part));
                if cell(row, 4) == "t" {
                    before.push(shape::uncover(&part));
                }
                parts.push((found.len() - 1, part));
            }
        }
        before.push(settings());
        let queries = parts.chunks(COUNTED).map(|chunk| {
            let counts: Vec<String> =
                chunk.iter().map(|(at, table)| format!("SELECT {at}, count(*) FROM ONLY {table}")).collect();
            counts.join(" UNION ALL ")
        });
        if parts.is_empty() {
            return Ok(found);
        }
        let first = before.len();
        let queries: Vec<String> = queries.collect();
        // What is looked at keeps its place in the server's lock table until the transaction ends.
        for queries in queries.chunks(AT_ONCE) {
            let end = ["ROLLBACK".to_owned()];
            let message: Vec<String> = before.iter().chain(queries).chain(&end).cloned().collect();
            let answers = match self.message(message.join(";\n")).await {
                Ok(answers) => answers,
                Err(error) => {
                    self.abandon().await?;
                    return Err(explained(error));
                }
            };
            for row in answers.into_iter().skip(first).flatten() {
                let at: usize = cell(&row, 0).parse().unwrap_or(usize::MAX);
                if let Some(table) = found.get_mut(at) {
                    table.rows += cell(&row, 1).parse::<u64>().unwrap_or_default();
                }
            }
        }
        Ok(found)
    }

    /// Returns the rows of tables, and where sequences stand.
    pub(super) async fn rows_of(&mut self, request: &RowsRequest) -> Result<Rows, DbError> {
        let mut queries = vec![shape::sequences()];
        if !request.kept.is_empty() {
            queries.extend(shape::queries(&request.kept));
        }
        let mut answers = self.looks_pinned(queries).await?.into_iter();
        let sequences = shape::sequences_of(&answers.next().unwrap_or_default());
        let shapes = shape::read(&request.kept, answers.collect());
        let mut tables = Vec::new();
        for (kept, shape) in request.kept.iter().zip(shapes) {
            let shape = shape.ok_or_else(|| no_table(&kept.table))?;
            if shape.is_elsewhere {
                let what = format!("partitions of `{}` are foreign tables", kept.table.shown());
                let error = own(DbErrorClass::Unsupported, format!("{what}: its rows cannot be kept"));
                return Err(advised(error, "leave its rows out by name"));
            }
            tables.push(self.rows_of_table(&kept.table, shape).await?);
        }
        let sequences = self.positions(request, sequences).await?;
        Ok(Rows { tables, sequences })
    }

    /// Reads where sequences stand.
    async fn positions(
        &mut self,
        request: &RowsRequest,
        mut sequences: Vec<shape::Sequence>,
    ) -> Result<Vec<SequencePosition>, DbError> {
        // A dropped table's begins anew, unless a kept table takes numbers from it, too.
        let is_kept = |table: &TableName| request.kept.iter().any(|kept| kept.table == *table);
        sequences.retain(|sequence| {
            sequence.tables.iter().any(is_kept)
                || !sequence.tables.iter().any(|table| request.dropped.contains(table))
        });
        if sequences.is_empty() {
            return Ok(Vec::new());
        }
        let queries: Vec<String> = sequences
            .chunks(COUNTED)
            .enumerate()
            .map(|(chunk, sequences)| {
                let looks: Vec<String> = (chunk * COUNTED..)
                    .zip(sequences)
                    .map(|(at, sequence)| {
                        format!("SELECT {at}, last_value, is_called FROM {}", shown(&sequence.name))
                    })
                    .collect();
                looks.join(" UNION ALL ")
            })
            .collect();
        let mut positions = Vec::new();
        let mut rows = Vec::new();
        for queries in queries.chunks(AT_ONCE) {
            rows.extend(self.looks_pinned(queries.to_vec()).await?.into_iter().flatten());
        }
        for row in rows {
            let [at, value, called] = [0, 1, 2].map(|at| cell(&row, at));
            let Some(sequence) = at.parse::<usize>().ok().and_then(|at| sequences.get(at)) else { continue };
            let is_called = called == "t";
            // Rows whose numbers are left to the default take some of them while they are put in.
            let is_used = sequence
                .tables
                .iter()
                .any(|table| request.kept.iter().any(|kept| kept.table == *table && !kept.except.is_empty()));
            if value != sequence.start || is_called || is_used {
                positions.push(SequencePosition {
                    sequence: sequence.name.shown(),
                    statement: format!(
                        "SELECT pg_catalog.setval({}, {value}, {is_called})",
                        quoted(&shown(&sequence.name))
                    ),
                });
            }
        }
        positions.sort_by(|a, b| a.sequence.cmp(&b.sequence));
        Ok(positions)
    }

    /// Reads the rows of a table, in one message.
    async fn rows_of_table(&mut self, table: &TableName, shape: Shape) -> Result<TableRows, DbError> {
        let written = shape.written();
        let mut cells = Cells::new(written.len());
        let mut statements = vec!["BEGIN".to_owned()];
        statements.extend(self.local_settings());
        statements.extend(shape.uncovering.iter().cloned());
        statements.push(settings());
        let first = statements.len();
        statements.push(select(table, &shape));
        statements.push("ROLLBACK".to_owned());
        let mut problem = None;
        let outcome = self
            .stream(statements.join(";\n"), &mut |statement: usize, row: &PgRow| {
                if statement != first || problem.is_some() {
                    return;
                }
                let mut length = 0;
                let pushed = cells.push(|column, text| {
                    let start = text.len();
                    let column = written[column];
                    let value = value(row, shape.columns[column].place).map_err(|what| {
                        format!("`{}.{}` {what}", table.shown(), shape.columns[column].name)
                    })?;
                    literal::write(value, shape.columns[column].style, text);
                    length += text.len() - start;
                    Ok::<_, String>(())
                });
                if length > LONGEST {
                    problem.get_or_insert_with(|| {
                        format!("a row of `{}` takes {} MB", table.shown(), length / 1_000_000)
                    });
                }
                if let Err(what) = pushed {
                    problem.get_or_insert(what);
                }
            })
            .await;
        if let Err(error) = outcome {
            self.abandon().await?;
            return Err(explained(error));
        }
        if let Some(problem) = problem {
            let error = own(DbErrorClass::Unsupported, format!("{problem}, and cannot be written as a row"));
            return Err(advised(
                error,
                "leave the rows of the table out, or keep all but that column (`except`)",
            ));
        }
        Ok(shape.with_rows(table.clone(), cells))
    }
}

/// The value of a column that the server has put into text.
fn value(row: &PgRow, place: usize) -> Result<Option<&str>, String> {
    let value = row.try_get_raw(place).map_err(|error| format!("is not read ({error})"))?;
    if sqlx::ValueRef::is_null(&value) {
        return Ok(None);
    }
    value.as_str().map(Some).map_err(|_| "holds text that is not UTF-8".to_owned())
}

fn no_table(table: &TableName) -> DbError {
    own(DbErrorClass::Configuration, format!("there is no table `{}` to keep rows of", table.shown()))
}

/// Says what to do about rows that nobody is shown.
fn explained(error: DbError) -> DbError {
    // What the server answers where `row_security` is off and a policy would hide something.
    if error.code.as_deref() == Some("42501") && error.message.contains("row-level security") {
        return advised(error, "let `scratch-url` connect as a role that bypasses row-level security");
    }
    error
}

/// A quoted and qualified name.
fn shown(table: &TableName) -> String {
    match &table.schema {
        Some(schema) => format!("{}.{}", name(schema), name(&table.name)),
        None => name(&table.name),
    }
}

/// The statement that makes the settings of a transaction.
fn settings() -> String {
    let settings = SETTINGS
        .map(|(name, value)| format!("pg_catalog.set_config({}, {}, true)", quoted(name), quoted(value)));
    format!("SELECT {}", settings.join(", "))
}

/// The query of tables and of what holds their rows: itself, or partitions.
fn tables(ledger: &LedgerTable) -> String {
    format!(
        "WITH RECURSIVE tree (root, part) AS (\
         SELECT c.oid, c.oid FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't' \
         AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', {sqlx_test}) \
         AND NOT (c.relname IN ({own}) AND n.nspname = {schema}) \
         AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
         AND d.objid = c.oid AND d.deptype = 'e') \
         UNION ALL \
         SELECT t.root, i.inhrelid FROM tree t JOIN pg_catalog.pg_inherits i ON i.inhparent = t.part \
         JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid WHERE c.relispartition) \
         SELECT n.nspname, c.relname, CASE p.relkind WHEN 'r' THEN pn.nspname END, \
         CASE p.relkind WHEN 'r' THEN p.relname END, p.relforcerowsecurity AND pg_catalog.row_security_active(p.oid) FROM tree t \
         JOIN pg_catalog.pg_class c ON c.oid = t.root JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_class p ON p.oid = t.part JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace \
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
        sqlx_test = quoted(SQLX_TEST),
        own = literals([ledger.name.as_str(), META_TABLE, PROGRESS_TABLE]),
        schema = quoted(ledger.schema.as_deref().unwrap_or("public")),
    )
}

/// The query of a table's rows: each value as its type's output function words it, which its input function takes back.
/// <https://www.postgresql.org/docs/current/functions-string.html#FUNCTIONS-STRING-FORMAT>
fn select(table: &TableName, shape: &Shape) -> String {
    let text = |name: &str| format!("pg_catalog.format('%s', x.{name})");
    let mut values = Vec::new();
    let mut order = Vec::new();
    let keyed = shape.key();
    for at in shape.written() {
        let column = &shape.columns[at];
        let quoted = name(&column.name);
        // `IS NULL` is true of a composite value whose fields all are.
        values.push(format!("CASE pg_catalog.num_nulls(x.{quoted}) WHEN 0 THEN {} END", text(&quoted)));
        let sorting = match column.sorting {
            Sorting::Letters => format!("x.{quoted} COLLATE pg_catalog.\"C\""),
            Sorting::Itself => format!("x.{quoted}"),
            Sorting::Text => format!("{} COLLATE pg_catalog.\"C\"", text(&quoted)),
        };
        if keyed.is_empty() || keyed.contains(&at) {
            order.push((column.key.unwrap_or_default(), sorting));
        }
    }
    order.sort_by_key(|(place, _)| *place);
    let mut order: Vec<String> = order.into_iter().map(|(_, sorting)| sorting).collect();
    if keyed.is_empty() {
        // What is equal may be worded differently: 1.0 and 1.00.
        let texts = shape.written().into_iter().map(|at| name(&shape.columns[at].name));
        order.extend(texts.map(|name| format!("{} COLLATE pg_catalog.\"C\"", text(&name))));
    }
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let only = if shape.is_partitioned { "" } else { "ONLY " };
    let values = if values.is_empty() { String::new() } else { values.join(", ") };
    format!("SELECT {values} FROM {only}{} AS x{order}", shown(table))
}
