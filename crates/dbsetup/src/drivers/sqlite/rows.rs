//! Rows that belong to a structure: which tables have any, and what they say.

mod literal;

use std::collections::{BTreeSet, HashMap};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row as _, TypeInfo as _, ValueRef as _};

use super::catalog::{SHADOWS, literal as string, quoted};
use super::error::{advised, failure};
use super::session::Session;
use crate::driver::{
    Cells, DbError, DbErrorClass, FilledTable, KeepTable, Reference, RowColumn, Rows, RowsRequest,
    SequencePosition, TableName, TableRows,
};
use crate::ledger::{LedgerTable, META_TABLE, PROGRESS_TABLE};

/// How long the statement of a row may be: what is longer cannot be loaded.
const LONGEST: usize = 8 * 1024 * 1024;
/// How many tables are counted by one statement. SQLite takes no more than 500 parts.
const COUNTED: usize = 200;

/// A table as the pragmas describe it.
#[derive(Debug, Default)]
struct Shape {
    /// Its name as it was made.
    name: String,
    is_virtual: bool,
    columns: Vec<Column>,
    references: Vec<Reference>,
}

#[derive(Debug)]
struct Column {
    name: String,
    generated: bool,
    required: bool,
    /// Its place in the primary key, from 1; 0 is none.
    key: usize,
    excepted: bool,
}

impl Shape {
    fn written(&self) -> Vec<&Column> {
        self.columns.iter().filter(|column| !column.generated && !column.excepted).collect()
    }

    /// The columns of the primary key among those that are written, if all of them are.
    fn key(&self) -> Vec<usize> {
        let all = self.columns.iter().filter(|column| column.key > 0).count();
        let written = self.written();
        let mut key: Vec<usize> = (0..written.len()).filter(|at| written[*at].key > 0).collect();
        key.sort_by_key(|at| written[*at].key);
        if key.len() == all { key } else { Vec::new() }
    }

    /// The query of the real numbers in it; nothing where no column has a place for any.
    fn reals(&self) -> Option<String> {
        let looks: Vec<String> = self
            .written()
            .iter()
            .map(|column| {
                let name = quoted(&column.name);
                format!("SELECT {name} FROM main.{} WHERE typeof({name}) = 'real'", quoted(&self.name))
            })
            .collect();
        // As many parts as a statement takes, and columns that a table has at most are more.
        let looks: Vec<String> = looks.chunks(COUNTED).map(|chunk| chunk.join(" UNION ALL ")).collect();
        (!looks.is_empty()).then(|| looks.join(";"))
    }

    /// The query of rows: a letter before each value says whether it is text, or stands in SQL as it is. Text by itself is
    /// not quoted there, since it may hold what no statement can, and real numbers are left as they are.
    /// <https://www.sqlite.org/lang_corefunc.html#quote>
    fn select(&self) -> String {
        let written = self.written();
        let values: Vec<String> = written
            .iter()
            .map(|column| {
                let name = quoted(&column.name);
                format!(
                    "CASE typeof({name}) WHEN 'text' THEN 't' || {name} WHEN 'real' THEN {name} \
                     ELSE 'q' || quote({name}) END"
                )
            })
            .collect();
        let key = self.key();
        let places = if key.is_empty() { (0..written.len()).collect() } else { key };
        let order: Vec<String> = places
            .into_iter()
            .map(|at| quoted(&written[at].name))
            // What is equal may not be the same: 1 and 1.0.
            .map(|name| format!("{name} COLLATE BINARY, typeof({name})"))
            .collect();
        let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
        let values = if values.is_empty() { "NULL".to_owned() } else { values.join(", ") };
        format!("SELECT {values} FROM main.{}{order}", quoted(&self.name))
    }
}

/// The condition on `sqlite_schema AS s` that leaves tables of users'.
fn users_tables(ledger: &LedgerTable) -> String {
    let ours: Vec<String> =
        [META_TABLE, PROGRESS_TABLE, ledger.name.as_str()].map(|name| string(&name.to_lowercase())).into();
    format!(
        "s.type = 'table' AND substr(s.name, 1, 7) <> 'sqlite_' AND lower(s.name) NOT IN ({}) \
         AND s.name NOT IN ({SHADOWS})",
        ours.join(", ")
    )
}

impl Session {
    /// Returns every table of users' with the number of its rows.
    pub(super) async fn filled_tables(&mut self, ledger: &LedgerTable) -> Result<Vec<FilledTable>, DbError> {
        let query = format!(
            "SELECT s.name FROM main.sqlite_schema AS s WHERE {} ORDER BY s.name",
            users_tables(ledger)
        );
        let names: Vec<String> = self.rows(query).await?.into_iter().flatten().flatten().collect();
        let counts: Vec<String> = names
            .chunks(COUNTED)
            .map(|chunk| {
                let counts: Vec<String> =
                    chunk.iter().map(|name| format!("SELECT count(*) FROM main.{}", quoted(name))).collect();
                counts.join(" UNION ALL ")
            })
            .collect();
        if counts.is_empty() {
            return Ok(Vec::new());
        }
        let counts = self.tables(counts.join(";")).await?.into_iter().flatten().flatten();
        let counts = counts.map(|count| count.and_then(|count| count.parse().ok()).unwrap_or_default());
        Ok(names
            .into_iter()
            .zip(counts)
            .map(|(name, rows)| FilledTable { schema: None, name, rows })
            .collect())
    }

    /// Returns the rows of tables, and where their counters stand.
    pub(super) async fn rows_of(&mut self, request: &RowsRequest) -> Result<Rows, DbError> {
        let shapes = self.shapes(&request.kept).await?;
        let mut tables = Vec::new();
        for (kept, shape) in request.kept.iter().zip(shapes) {
            let name = kept.table.shown();
            if shape.columns.is_empty() {
                let what = format!("there is no table `{name}` to keep rows of");
                return Err(failure(DbErrorClass::Configuration, what));
            }
            if shape.is_virtual {
                let what = format!("the rows of the virtual table `{name}` cannot be written");
                let help = "help: leave them out by name, and fill the table in a seed";
                return Err(advised(DbErrorClass::Unsupported, what, help));
            }
            tables.push(self.rows_of_table(shape).await?);
        }
        let sequences = self.counters(request).await?;
        Ok(Rows { tables, sequences })
    }

    async fn shapes(&mut self, kept: &[KeepTable]) -> Result<Vec<Shape>, DbError> {
        let mut shapes: Vec<Shape> = kept.iter().map(|_| Shape::default()).collect();
        if kept.is_empty() {
            return Ok(shapes);
        }
        let names: Vec<String> = kept
            .iter()
            .enumerate()
            .map(|(at, kept)| format!("({at}, {})", string(&kept.table.name.to_lowercase())))
            .collect();
        let with = format!(
            "WITH kept(nr, folded) AS (VALUES {}), t(nr, name, sql) AS (SELECT k.nr, s.name, s.sql FROM kept AS k \
             JOIN main.sqlite_schema AS s ON s.type = 'table' AND lower(s.name) = k.folded) ",
            names.join(", ")
        );
        // A key of one INTEGER column is the row's number, and the engine gives one where there is none.
        let columns = format!(
            "{with} SELECT t.nr, t.name, l.type = 'virtual', c.name, c.hidden IN (2, 3), \
             c.\"notnull\" AND c.dflt_value IS NULL \
             AND NOT (c.pk = 1 AND upper(c.type) = 'INTEGER' AND l.wr = 0 \
             AND (SELECT count(*) FROM pragma_table_info(t.name, 'main') AS p WHERE p.pk > 0) = 1), c.pk FROM t \
             JOIN pragma_table_xinfo(t.name, 'main') AS c JOIN pragma_table_list AS l \
             ON l.schema = 'main' AND l.name = t.name WHERE c.hidden <> 1 ORDER BY t.nr, c.cid"
        );
        let references = format!(
            "{with} SELECT t.nr, f.id, coalesce(p.name, f.\"table\"), f.\"from\", coalesce(f.\"to\", \
             (SELECT k.name FROM pragma_table_info(f.\"table\", 'main') AS k WHERE k.pk = f.seq + 1)) \
             FROM t JOIN pragma_foreign_key_list(t.name, 'main') AS f \
             LEFT JOIN main.sqlite_schema AS p ON p.type = 'table' AND lower(p.name) = lower(f.\"table\") \
             ORDER BY t.nr, f.id DESC, f.seq"
        );
        let mut answers = self.tables(format!("{columns};{references}")).await?.into_iter();
        let text = |row: &[Option<String>], at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        for row in answers.next().unwrap_or_default() {
            let at = text(&row, 0).parse().unwrap_or(usize::MAX);
            let Some((shape, kept)) = shapes.get_mut(at).zip(kept.get(at)) else { continue };
            shape.name = text(&row, 1);
            shape.is_virtual = text(&row, 2) == "1";
            let name = text(&row, 3);
            shape.columns.push(Column {
                generated: text(&row, 4) == "1",
                required: text(&row, 5) == "1",
                key: text(&row, 6).parse().unwrap_or_default(),
                excepted: kept.except.iter().any(|except| except.eq_ignore_ascii_case(&name)),
                name,
            });
        }
        let mut last = None;
        for row in answers.next().unwrap_or_default() {
            let Some(shape) = shapes.get_mut(text(&row, 0).parse().unwrap_or(usize::MAX)) else { continue };
            let this = (text(&row, 0), text(&row, 1));
            if last.as_ref() != Some(&this) {
                shape.references.push(Reference {
                    constraint: format!("the foreign key to {}", text(&row, 2)),
                    columns: Vec::new(),
                    to: TableName { schema: None, name: text(&row, 2) },
                    to_columns: Vec::new(),
                    // Nothing is looked at before the end of a load.
                    deferrable: true,
                });
                last = Some(this);
            }
            if let Some(reference) = shape.references.last_mut() {
                reference.columns.push(text(&row, 3));
                reference.to_columns.push(text(&row, 4));
            }
        }
        Ok(shapes)
    }

    async fn rows_of_table(&mut self, shape: Shape) -> Result<TableRows, DbError> {
        let names: Vec<String> = shape.written().iter().map(|column| column.name.clone()).collect();
        let mut cells = Cells::new(names.len());
        let mut problem = None;
        let said = format!("`{}`", shape.name);
        let reals = self.reals_of(&shape).await?;
        self.run(shape.select(), &mut |_, row| {
            if problem.is_some() {
                return;
            }
            let mut length = 0;
            let pushed = cells.push(|column, to| {
                let start = to.len();
                let value =
                    row.try_get_raw(column).map_err(|error| format!("{said} is not read ({error})"))?;
                if value.type_info().name() == "REAL" {
                    let value: f64 = row.try_get_unchecked(column).map_err(|error| error.to_string())?;
                    to.push_str(reals.get(&value.to_bits()).ok_or_else(|| {
                        format!("`{}.{}` holds the number {value:e}", shape.name, names[column])
                    })?);
                    return Ok(());
                }
                let value: Option<&str> = row.try_get_unchecked(column).map_err(|_| {
                    format!("`{}.{}` holds text that is not UTF-8", shape.name, names[column])
                })?;
                let value = value.unwrap_or_default();
                match value.strip_prefix('t') {
                    Some(text) if text.contains('\0') => {
                        return Err(format!(
                            "`{}.{}` holds text with a NUL character",
                            shape.name, names[column]
                        ));
                    }
                    Some(text) => literal::text(text, to),
                    None => to.push_str(value.strip_prefix('q').unwrap_or("NULL")),
                }
                length += to.len() - start;
                Ok::<_, String>(())
            });
            if length > LONGEST {
                problem = Some(format!("a row of {said} takes {} MB", length / 1_000_000));
            }
            if let Err(what) = pushed {
                problem = Some(what);
            }
        })
        .await
        .map_err(|(_, error)| error)?;
        if let Some(problem) = problem {
            let what = format!("{problem}, and cannot be written as a row");
            let help = "help: leave the rows of the table out, or keep all but that column (`except`)";
            return Err(advised(DbErrorClass::Unsupported, what, help));
        }
        let key = shape.key();
        let list: Vec<String> = names.iter().map(|name| quoted(name)).collect();
        let table = TableName { schema: None, name: shape.name.clone() };
        let insert = if list.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", quoted(&table.name))
        } else {
            format!("INSERT INTO {} ({}) VALUES ", quoted(&table.name), list.join(", "))
        };
        let columns = shape
            .columns
            .into_iter()
            .map(|Column { name, generated, required, .. }| RowColumn { name, generated, required })
            .collect();
        let references = shape.references;
        // The structure says that triggers come after the rows.
        let (before, after) = (Vec::new(), Vec::new());
        Ok(TableRows { table, columns, written: names, key, references, insert, before, after, cells })
    }

    /// Returns how each real number of a table is written, by its bits: with the fewest digits that this engine reads as the
    /// same number again. Its reading of numbers is not exact to the last bit.
    async fn reals_of(&mut self, shape: &Shape) -> Result<HashMap<u64, String>, DbError> {
        let mut known = HashMap::new();
        let Some(query) = shape.reals() else { return Ok(known) };
        let mut left: BTreeSet<u64> = self.numbers(query).await?.into_iter().map(f64::to_bits).collect();
        for digits in [Some(None), Some(Some(16)), Some(Some(17)), Some(Some(19)), None] {
            let write =
                |value| digits.map_or_else(|| literal::product(value), |digits| literal::real(value, digits));
            let written: Vec<(u64, String)> =
                left.iter().map(|bits| (*bits, write(f64::from_bits(*bits)))).collect();
            for chunk in written.chunks(1000) {
                let values: Vec<String> = chunk.iter().map(|(_, text)| format!("({text})")).collect();
                let query = format!("SELECT column1 FROM (VALUES {})", values.join(","));
                for ((bits, text), read) in chunk.iter().zip(self.numbers(query).await?) {
                    if read.to_bits() == *bits {
                        left.remove(bits);
                        known.insert(*bits, text.clone());
                    }
                }
            }
        }
        Ok(known)
    }

    /// Returns the first column of queries' rows as real numbers.
    async fn numbers(&mut self, query: String) -> Result<Vec<f64>, DbError> {
        let mut numbers = Vec::new();
        let mut hear = |_: usize, row: SqliteRow| {
            numbers.push(row.try_get_unchecked::<f64, _>(0).unwrap_or(f64::NAN));
        };
        self.run(query, &mut hear).await.map_err(|(_, error)| error)?;
        Ok(numbers)
    }

    /// Reads the counters of tables with AUTOINCREMENT.
    /// <https://www.sqlite.org/autoinc.html>
    async fn counters(&mut self, request: &RowsRequest) -> Result<Vec<SequencePosition>, DbError> {
        let query = "SELECT 1 FROM main.sqlite_schema WHERE name = 'sqlite_sequence'";
        if self.rows(query).await?.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .rows(
                "SELECT q.name, q.seq FROM main.sqlite_sequence AS q JOIN main.sqlite_schema AS s \
                 ON s.type = 'table' AND s.name = q.name ORDER BY q.name",
            )
            .await?;
        let mut positions = Vec::new();
        for row in rows {
            let [name, seq] = <[Option<String>; 2]>::try_from(row).unwrap_or_default();
            let (Some(name), Some(seq)) = (name, seq) else { continue };
            if !seq.bytes().all(|byte| byte.is_ascii_digit()) || seq == "0" {
                continue;
            }
            let is = |table: &TableName| table.name.eq_ignore_ascii_case(&name);
            if request.dropped.iter().any(is) {
                continue;
            }
            // A row that is put in makes the counter's; without one there is none.
            positions.push(SequencePosition {
                sequence: name.clone(),
                statement: format!(
                    "INSERT INTO sqlite_sequence (name, seq) SELECT {name}, {seq} \
                     WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = {name})",
                    name = string(&name)
                ),
            });
            positions.push(SequencePosition {
                sequence: name.clone(),
                statement: format!("UPDATE sqlite_sequence SET seq = {seq} WHERE name = {}", string(&name)),
            });
        }
        Ok(positions)
    }
}
