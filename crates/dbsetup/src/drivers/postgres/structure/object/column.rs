//! Columns as `pg_attribute` lists them: of tables, views, composite types. Read once, written with their relation.

use std::collections::HashMap;

use super::{Catalog, Cells, Facts, Oid, Query, in_user_schema};

/// A row of `pg_attribute`. Dropped columns are not among them.
#[derive(Debug)]
pub struct Column {
    pub number: i32,
    pub name: String,
    /// With its modifier, as `format_type` words it.
    pub type_name: String,
    pub not_null: bool,
    /// `a` always, `d` by default, blank for none.
    pub identity: char,
    /// `s` stored, `v` virtual, blank for none.
    pub generated: char,
    /// `p`, `e`, `m`, `x`.
    pub storage: char,
    /// `p` pglz, `l` lz4, blank for the default.
    pub compression: char,
    /// -1 for the default.
    pub statistics: i32,
    /// Whether the storage is not the type's own.
    pub has_own_storage: bool,
    /// The schema and the name of the collation, where it is not the type's own.
    pub own_collation: Option<(String, String)>,
    /// Whether it is declared here; `false` for one that is only inherited.
    pub is_local: bool,
    /// `name=value`, without what the server keeps there for itself.
    pub options: Vec<String>,
    /// Options of a foreign table's column.
    pub foreign_options: Vec<String>,
}

/// The columns of each relation, in order.
pub type Columns = HashMap<Oid, Vec<Column>>;

/// An entry that some minor releases keep in `attoptions` of every column by themselves, with another number in each
/// database.
const VOLATILE_OPTION: &str = "pg_attver=";

pub fn queries(facts: &Facts) -> Vec<Query> {
    // Since release 17 the default of `attstattarget` is NULL. Of the columns of an index, only this can be set.
    vec![Query::new(
        format!(
            "SELECT a.attrelid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), \
             a.attnotnull, a.attidentity, a.attgenerated, a.attstorage, {}, \
             COALESCE(a.attstattarget, -1), a.attislocal, a.attoptions, a.attfdwoptions, \
             a.attstorage <> t.typstorage, CASE WHEN a.attcollation <> t.typcollation THEN \
             (SELECT ARRAY[n.nspname, l.collname] FROM pg_catalog.pg_collation l JOIN pg_catalog.pg_namespace n \
             ON n.oid = l.collnamespace WHERE l.oid = a.attcollation) END \
             FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid \
             LEFT JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
             WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped \
             AND (c.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') \
             OR c.relkind IN ('i', 'I') AND COALESCE(a.attstattarget, -1) >= 0) \
             AND {}",
            facts.either(14, "a.attcompression", "''"),
            in_user_schema("c.relnamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let relation = row.oid();
    let mut column = Column {
        number: row.number(),
        name: row.text(),
        type_name: row.text(),
        not_null: row.flag(),
        identity: row.letter_of("pg_attribute.attidentity", "ad"),
        generated: row.letter_of("pg_attribute.attgenerated", "sv"),
        storage: row.letter_of("pg_attribute.attstorage", "empx"),
        compression: row.letter_of("pg_attribute.attcompression", "lp"),
        statistics: row.number(),
        is_local: row.flag(),
        options: row.list(),
        foreign_options: row.list(),
        has_own_storage: row.flag(),
        own_collation: None,
    };
    if let [schema, name] = row.list().as_slice() {
        column.own_collation = Some((schema.clone(), name.clone()));
    }
    column.options.retain(|option| !option.starts_with(VOLATILE_OPTION));
    catalog.columns.entry(relation).or_default().push(column);
}

impl Catalog {
    /// The name of a relation's column, as it is.
    pub fn column_name(&self, relation: Oid, number: i32) -> Option<&str> {
        self.columns
            .get(&relation)?
            .iter()
            .find(|column| column.number == number)
            .map(|column| column.name.as_str())
    }

    /// The columns of a relation, in order.
    pub fn columns_of(&self, relation: Oid) -> &[Column] {
        self.columns.get(&relation).map_or(&[], Vec::as_slice)
    }

    /// A relation's column of that number.
    pub fn column(&self, relation: Oid, number: i32) -> Option<&Column> {
        self.columns_of(relation).iter().find(|column| column.number == number)
    }

    /// A relation's column of that name.
    pub fn column_named(&self, relation: Oid, name: &str) -> Option<&Column> {
        self.columns_of(relation).iter().find(|column| column.name == name)
    }
}
