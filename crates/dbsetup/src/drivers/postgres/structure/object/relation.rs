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
    /// The access method, 0 for kinds without one.
    pub access_method: Oid,
    /// 0 is the database's default.
    pub tablespace: Oid,
}

/// All of them.
pub type Relations = HashMap<Oid, Relation>;

pub fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relpersistence, c.reloptions, c.reloftype, \
             c.relispartition, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relam, c.reltablespace \
             FROM pg_catalog.pg_class c WHERE c.oid >= 16384 AND c.relkind <> 't' AND {}",
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
        access_method: row.oid(),
        tablespace: row.oid(),
    };
    catalog.relations.insert(oid, relation);
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
