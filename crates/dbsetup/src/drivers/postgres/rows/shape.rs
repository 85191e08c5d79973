//! What has to be known of a table before its rows are read and written.

use super::super::catalog::cell;
use super::super::script::Row;
use super::super::text::{literal as quoted, name};
use super::literal::Style;
use super::shown;
use crate::driver::{Cells, KeepTable, Reference, RowColumn, TableName, TableRows};

/// How rows are ordered by a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sorting {
    /// By its letters, in no language.
    Letters,
    /// As its type orders it.
    Itself,
    /// By the text of the value.
    Text,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub generated: bool,
    pub always_identity: bool,
    pub required: bool,
    /// Its place in the primary key, from 1.
    pub key: Option<usize>,
    pub sorting: Sorting,
    pub style: Style,
    /// Whether it is left to its default.
    pub excepted: bool,
    /// Its place in the query of rows.
    pub place: usize,
}

/// A table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    pub is_partitioned: bool,
    /// Whether a partition of it is on another server.
    pub is_elsewhere: bool,
    pub columns: Vec<Column>,
    /// What lets this session see all rows, to be undone at once.
    pub uncovering: Vec<String>,
    references: Vec<Reference>,
    before: Vec<String>,
    after: Vec<String>,
}

/// The statement that lets a table's owner see all of its rows.
pub fn uncover(table: &str) -> String {
    format!("ALTER TABLE ONLY {table} NO FORCE ROW LEVEL SECURITY")
}

impl Shape {
    /// The columns whose values are written.
    pub fn written(&self) -> Vec<usize> {
        let is_written = |column: &Column| !column.generated && !column.excepted;
        self.columns.iter().enumerate().filter(|(_, column)| is_written(column)).map(|(at, _)| at).collect()
    }

    /// The columns of the primary key, if all of them are written.
    pub fn key(&self) -> Vec<usize> {
        let all = self.columns.iter().filter(|column| column.key.is_some()).count();
        let mut key: Vec<usize> =
            self.written().into_iter().filter(|at| self.columns[*at].key.is_some()).collect();
        key.sort_by_key(|at| self.columns[*at].key);
        if key.len() == all { key } else { Vec::new() }
    }

    /// Returns the table with its rows.
    pub fn with_rows(self, table: TableName, cells: Cells) -> TableRows {
        let written = self.written();
        let key = self.key();
        let key = key.iter().filter_map(|at| written.iter().position(|other| other == at)).collect();
        let names: Vec<String> = written.iter().map(|at| name(&self.columns[*at].name)).collect();
        // <https://www.postgresql.org/docs/current/sql-insert.html>
        let overriding = written.iter().any(|at| self.columns[*at].always_identity);
        let insert = if names.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", shown(&table))
        } else {
            format!(
                "INSERT INTO {} ({}) {}VALUES ",
                shown(&table),
                names.join(", "),
                if overriding { "OVERRIDING SYSTEM VALUE " } else { "" }
            )
        };
        let written = written.into_iter().map(|at| self.columns[at].name.clone()).collect();
        let Self { columns, references, before, after, .. } = self;
        let columns = columns
            .into_iter()
            .map(|Column { name, generated, required, .. }| RowColumn { name, generated, required })
            .collect();
        TableRows { table, columns, written, key, references, insert, before, after, cells }
    }
}

/// A sequence, and the tables whose columns it belongs to or gives numbers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequence {
    pub name: TableName,
    pub start: String,
    pub tables: Vec<TableName>,
}

/// The query of sequences; [`sequences_of`] reads its rows.
pub fn sequences() -> String {
    format!(
        "SELECT n.nspname, c.relname, s.seqstart, tn.nspname, t.relname FROM pg_catalog.pg_sequence s \
         JOIN pg_catalog.pg_class c ON c.oid = s.seqrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         LEFT JOIN (SELECT d.objid AS sequence, {owner} AS oid FROM pg_catalog.pg_depend d \
         WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i') \
         UNION SELECT d.refobjid, {user} FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attrdef a ON a.oid = d.objid \
         WHERE d.classid = 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
         AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass) AS u ON u.sequence = c.oid \
         LEFT JOIN pg_catalog.pg_class t ON t.oid = u.oid LEFT JOIN pg_catalog.pg_namespace tn ON tn.oid = t.relnamespace \
         WHERE c.relpersistence <> 't' AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend e \
         WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e') \
         ORDER BY n.nspname COLLATE \"C\", c.relname COLLATE \"C\"",
        owner = root("d.refobjid"),
        user = root("a.adrelid"),
    )
}

/// The partitioned table of a partition, else the table itself.
fn root(oid: &str) -> String {
    format!("COALESCE(pg_catalog.pg_partition_root({oid})::pg_catalog.oid, {oid})")
}

/// Returns the sequences that [`sequences`] found.
pub fn sequences_of(rows: &[Row]) -> Vec<Sequence> {
    let mut found: Vec<Sequence> = Vec::new();
    for row in rows {
        let name = TableName { schema: Some(cell(row, 0)), name: cell(row, 1) };
        if found.last().is_none_or(|last| last.name != name) {
            found.push(Sequence { name, start: cell(row, 2), tables: Vec::new() });
        }
        let table = cell(row, 4);
        if let (Some(last), false) = (found.last_mut(), table.is_empty()) {
            last.tables.push(TableName { schema: Some(cell(row, 3)), name: table });
        }
    }
    found
}

/// The queries of tables, which [`read`] reads. Each row begins with the number of its table.
pub fn queries(kept: &[KeepTable]) -> [String; 4] {
    let names: Vec<String> = kept
        .iter()
        .enumerate()
        .map(|(at, kept)| {
            let schema = kept.table.schema.as_deref().unwrap_or("public");
            format!("({at}, {}, {})", quoted(schema), quoted(&kept.table.name))
        })
        .collect();
    let with = format!(
        "WITH RECURSIVE kept (nr, oid) AS (SELECT k.nr, c.oid FROM (VALUES {}) AS k (nr, schema, name) \
         JOIN pg_catalog.pg_namespace n ON n.nspname = k.schema::pg_catalog.name \
         JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = k.name::pg_catalog.name \
         WHERE c.relkind IN ('r', 'p')), \
         tree (nr, oid) AS (SELECT kept.nr, kept.oid FROM kept UNION ALL SELECT t.nr, i.inhrelid FROM tree t \
         JOIN pg_catalog.pg_inherits i ON i.inhparent = t.oid JOIN pg_catalog.pg_class c ON c.oid = i.inhrelid \
         WHERE c.relispartition)",
        names.join(", ")
    );
    let tables = format!(
        "{with} SELECT kept.nr, c.relkind = 'p', EXISTS (SELECT FROM tree JOIN pg_catalog.pg_class p ON p.oid = tree.oid \
         WHERE tree.nr = kept.nr AND p.relkind = 'f') FROM kept \
         JOIN pg_catalog.pg_class c ON c.oid = kept.oid"
    );
    // A domain is looked through once: what is behind two of them is ordered by its text.
    let columns = format!(
        "{with} SELECT kept.nr, a.attname, a.attgenerated <> '', a.attidentity = 'a', \
         (a.attnotnull OR t.typnotnull) AND a.attidentity = '' AND NOT a.atthasdef AND t.typdefault IS NULL, \
         pg_catalog.array_position(k.conkey, a.attnum), \
         CASE WHEN b.typnamespace <> 'pg_catalog'::pg_catalog.regnamespace AND b.typtype <> 'e' THEN 't' \
         WHEN a.attcollation <> '0'::pg_catalog.oid THEN 'c' WHEN b.typtype = 'e' OR EXISTS (SELECT FROM pg_catalog.pg_opclass o \
         JOIN pg_catalog.pg_am m ON m.oid = o.opcmethod WHERE m.amname = 'btree' AND o.opcdefault \
         AND o.opcintype = b.oid) THEN 'i' ELSE 't' END, \
         CASE WHEN a.atttypid IN ('pg_catalog.int2'::pg_catalog.regtype, 'pg_catalog.int4'::pg_catalog.regtype, \
         'pg_catalog.int8'::pg_catalog.regtype) THEN 'n' WHEN a.atttypid = 'pg_catalog.bool'::pg_catalog.regtype THEN 'b' END \
         FROM kept JOIN pg_catalog.pg_attribute a ON a.attrelid = kept.oid AND a.attnum > 0 AND NOT a.attisdropped \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         JOIN pg_catalog.pg_type b ON b.oid = COALESCE(NULLIF(t.typbasetype, '0'::pg_catalog.oid), t.oid) \
         LEFT JOIN pg_catalog.pg_constraint k ON k.conrelid = kept.oid AND k.contype = 'p' \
         ORDER BY kept.nr, a.attnum"
    );
    let references = format!(
        "{with} SELECT tree.nr, f.conname, f.condeferrable, n.nspname, r.relname, a.attname, b.attname, f.oid \
         FROM tree JOIN pg_catalog.pg_constraint f ON f.conrelid = tree.oid AND f.contype = 'f' \
         AND f.conparentid = '0'::pg_catalog.oid \
         JOIN pg_catalog.pg_class r ON r.oid = {} JOIN pg_catalog.pg_namespace n ON n.oid = r.relnamespace \
         CROSS JOIN LATERAL pg_catalog.generate_subscripts(f.conkey, 1) AS k (place) \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[k.place] \
         JOIN pg_catalog.pg_attribute b ON b.attrelid = f.confrelid AND b.attnum = f.confkey[k.place] \
         ORDER BY tree.nr, f.conname COLLATE \"C\", f.oid, k.place",
        root("f.confrelid")
    );
    // Rows come in without what fires on them. Before release 15 the triggers of partitions are internal ones, and belong
    // to no constraint, as those of foreign keys do.
    let triggers = format!(
        "{with} SELECT tree.nr, n.nspname, c.relname, 'TRIGGER', t.tgname::pg_catalog.text, t.tgenabled::pg_catalog.text FROM tree \
         JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_trigger t ON t.tgrelid = tree.oid \
         WHERE t.tgtype::pg_catalog.int4 & 4 <> 0 AND t.tgenabled IN ('O', 'A') \
         AND (NOT t.tgisinternal OR t.tgconstraint = '0'::pg_catalog.oid) \
         UNION ALL SELECT tree.nr, n.nspname, c.relname, 'RULE', r.rulename::pg_catalog.text, r.ev_enabled::pg_catalog.text FROM tree \
         JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         JOIN pg_catalog.pg_rewrite r ON r.ev_class = tree.oid WHERE r.ev_type = '3' AND r.ev_enabled IN ('O', 'A') \
         UNION ALL SELECT tree.nr, n.nspname, c.relname, 'FORCE', NULL, \
         CASE WHEN pg_catalog.row_security_active(c.oid) THEN 'a' ELSE 'b' END FROM tree \
         JOIN pg_catalog.pg_class c ON c.oid = tree.oid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
         WHERE c.relforcerowsecurity"
    );
    let attached = format!(
        "SELECT f.* FROM ({triggers}) AS f (nr, schema, name, kind, what, mode) \
         ORDER BY f.nr, f.schema COLLATE \"C\", f.name COLLATE \"C\", f.kind, f.what COLLATE \"C\""
    );
    [tables, columns, references, attached]
}

/// Reads the answers to [`queries`]. What is no table is `None`.
pub fn read(kept: &[KeepTable], answers: Vec<Vec<Row>>) -> Vec<Option<Shape>> {
    let mut shapes: Vec<Option<Shape>> = vec![None; kept.len()];
    let mut answers = answers.into_iter();
    let mut next = || answers.next().unwrap_or_default();
    let number = |row: &Row| cell(row, 0).parse::<usize>().unwrap_or(usize::MAX);
    for row in next() {
        if let Some(shape) = shapes.get_mut(number(&row)) {
            *shape = Some(Shape {
                is_partitioned: cell(&row, 1) == "t",
                is_elsewhere: cell(&row, 2) == "t",
                ..Shape::default()
            });
        }
    }
    for row in next() {
        let Some((shape, kept)) =
            shapes.get_mut(number(&row)).and_then(Option::as_mut).zip(kept.get(number(&row)))
        else {
            continue;
        };
        let name = cell(&row, 1);
        let is = |at: usize| cell(&row, at) == "t";
        let mut column = Column {
            generated: is(2),
            always_identity: is(3),
            required: is(4),
            key: cell(&row, 5).parse().ok(),
            sorting: match &*cell(&row, 6) {
                "c" => Sorting::Letters,
                "i" => Sorting::Itself,
                _ => Sorting::Text,
            },
            style: match &*cell(&row, 7) {
                "n" => Style::Bare,
                "b" => Style::Boolean,
                _ => Style::String,
            },
            excepted: kept.except.contains(&name),
            name,
            place: 0,
        };
        column.place = shape.written().len();
        shape.columns.push(column);
    }
    let mut last = None;
    for row in next() {
        let Some(shape) = shapes.get_mut(number(&row)).and_then(Option::as_mut) else { continue };
        let this = (cell(&row, 0), cell(&row, 7));
        if last.as_ref() != Some(&this) {
            shape.references.push(Reference {
                constraint: cell(&row, 1),
                columns: Vec::new(),
                to: TableName { schema: Some(cell(&row, 3)), name: cell(&row, 4) },
                to_columns: Vec::new(),
                deferrable: cell(&row, 2) == "t",
            });
            last = Some(this);
        }
        if let Some(reference) = shape.references.last_mut() {
            reference.columns.push(cell(&row, 5));
            reference.to_columns.push(cell(&row, 6));
        }
    }
    for row in next() {
        let Some(shape) = shapes.get_mut(number(&row)).and_then(Option::as_mut) else { continue };
        let table = shown(&TableName { schema: Some(cell(&row, 1)), name: cell(&row, 2) });
        let (kind, what) = (cell(&row, 3), name(&cell(&row, 4)));
        if kind == "FORCE" {
            // The owner of a table is only held to its policies where that is forced.
            shape.before.push(uncover(&table));
            if cell(&row, 5) == "a" {
                shape.uncovering.push(uncover(&table));
            }
            shape.after.push(format!("ALTER TABLE ONLY {table} FORCE ROW LEVEL SECURITY"));
            continue;
        }
        let always = if cell(&row, 5) == "A" { "ALWAYS " } else { "" };
        shape.before.push(format!("ALTER TABLE ONLY {table} DISABLE {kind} {what}"));
        shape.after.push(format!("ALTER TABLE ONLY {table} ENABLE {always}{kind} {what}"));
    }
    shapes
}
