//! Schemas.

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name,
};

pub const FAMILY: Family = Family { of: &[], queries, nodes };

/// A row of `pg_namespace`.
#[derive(Debug)]
pub struct Schema {
    pub name: String,
}

fn queries(_: &Facts) -> Vec<Query> {
    // The engine's own are read for their names.
    vec![Query::new("SELECT n.oid, n.nspname FROM pg_catalog.pg_namespace n", take)]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    catalog.schemas.insert(oid, Schema { name: row.text() });
}

/// Whether the engine makes the schema: in every database, or for a session.
fn is_engines(name: &str) -> bool {
    name == "information_schema" || name.starts_with("pg_")
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, schema) in &catalog.schemas {
        if !is_engines(&schema.name) {
            graph.add(node(*oid, schema));
        }
    }
}

fn node(oid: Oid, schema: &Schema) -> Node {
    let key = Key::new(Rank::Schema, [schema.name.as_str()]);
    Node::new(Address::new(class::NAMESPACE, oid), key, "SCHEMA", name::quoted(&schema.name), write)
        .in_schema(oid)
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    // Every new database has `public`.
    if catalog.schema_name(step.node.address.oid) == "public" {
        writer.nothing_to_make();
    } else {
        writer.statement(Feature::Schema, format!("CREATE SCHEMA {}", step.node.identity));
    }
}
