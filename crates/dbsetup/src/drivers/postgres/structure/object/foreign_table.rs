//! What a foreign table has besides what every table has: its server, and options.

use std::collections::HashMap;

use super::{Catalog, Cells, Facts, Family, Graph, Oid, Query};

pub const FAMILY: Family = Family { of: &["pg_foreign_table"], queries, nodes };

/// A row of `pg_foreign_table`.
#[derive(Debug)]
pub struct ForeignTable {
    pub server: String,
    /// `name=value`.
    pub options: Vec<String>,
}

/// All of them.
pub type ForeignTables = HashMap<Oid, ForeignTable>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT f.ftrelid, s.srvname, f.ftoptions FROM pg_catalog.pg_foreign_table f \
         JOIN pg_catalog.pg_foreign_server s ON s.oid = f.ftserver WHERE f.ftrelid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    catalog.foreign_tables.insert(oid, ForeignTable { server: row.text(), options: row.list() });
}

/// The table itself is one of [`super::table`].
fn nodes(_: &Catalog, _: &mut Graph) {}
