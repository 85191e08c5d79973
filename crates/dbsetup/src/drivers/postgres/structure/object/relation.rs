//! Relations as `pg_class` lists them: read once, written by the family of each kind.

use std::collections::HashMap;

use super::{Address, Catalog, Cells, Facts, Oid, Query, class, in_user_schema};

/// A row of `pg_class`.
#[derive(Debug)]
pub struct Relation {
    pub name: String,
    pub schema: Oid,
    /// `r` table, `p` partitioned table, `v` view, `m` materialized view, `f` foreign table, `S` sequence,
    /// `c` composite type, `i` index, `I` partitioned index.
    pub kind: char,
    /// `p` permanent, `u` unlogged.
    pub persistence: char,
    /// Storage parameters as `name=value`.
    pub options: Vec<String>,
    /// The composite type that a typed table is of.
    pub of_type: Oid,
    pub is_partition: bool,
    pub row_security: bool,
    pub force_row_security: bool,
    /// `d` default, `n` nothing, `f` full, `i` an index.
    pub replica_identity: char,
    /// The name of the access method, where it is not the one that every server has.
    pub method: Option<String>,
    /// The TOAST table, 0 for none.
    pub toast: Oid,
    /// The name of the type that a typed table is of, qualified.
    pub of_type_name: Option<String>,
    /// What a partitioned table is partitioned by: `RANGE (a, b)`.
    pub partition_key: Option<String>,
    /// What a partition holds: `FOR VALUES IN (1)`, `DEFAULT`.
    pub partition_bound: Option<String>,
}

/// All of them.
pub type Relations = HashMap<Oid, Relation>;

/// The access method of tables that every server has.
const HEAP: Oid = 2;

pub fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relpersistence, c.reloptions, c.reloftype, \
             c.relispartition, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, \
             CASE WHEN c.relkind IN ('r', 'm') AND c.relam NOT IN (0, {HEAP}) OR c.relkind = 'p' AND c.relam <> 0 THEN \
             (SELECT m.amname FROM pg_catalog.pg_am m WHERE m.oid = c.relam) END, \
             c.reltoastrelid, \
             CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END, \
             CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END, \
             CASE WHEN c.relispartition THEN pg_catalog.pg_get_expr(c.relpartbound, c.oid) END \
             FROM pg_catalog.pg_class c WHERE c.oid >= 16384 \
             AND CASE WHEN c.relkind = 't' THEN c.reloptions IS NOT NULL ELSE {} END",
            in_user_schema("c.relnamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let relation = Relation {
        name: row.text(),
        schema: row.oid(),
        kind: row.letter(),
        persistence: row.letter(),
        options: row.list(),
        of_type: row.oid(),
        is_partition: row.flag(),
        row_security: row.flag(),
        force_row_security: row.flag(),
        replica_identity: row.letter(),
        method: row.maybe(),
        toast: row.oid(),
        of_type_name: row.maybe(),
        partition_key: row.maybe(),
        partition_bound: row.maybe(),
    };
    // Of a TOAST table only its parameters are of interest.
    if relation.kind == 't' {
        catalog.toast_options.insert(oid, relation.options);
    } else {
        catalog.relations.insert(oid, relation);
    }
}

impl Catalog {
    /// The quoted, qualified name of a relation.
    pub fn relation_name(&self, relation: Oid) -> Option<String> {
        let relation = self.relations.get(&relation)?;
        Some(self.qualified(relation.schema, &relation.name))
    }
}

/// Returns the address of a relation.
pub fn address(oid: Oid) -> Address {
    Address::new(class::RELATION, oid)
}
