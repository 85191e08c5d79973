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

/// The schema that every new database has.
pub const PUBLIC: &str = "public";

/// Whether the engine makes the schema: in every database, or for a session.
pub fn is_engines(name: &str) -> bool {
    name == "information_schema" || name.starts_with("pg_")
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    if !catalog.schemas.values().any(|schema| schema.name == PUBLIC) {
        graph.add(no_public());
    }
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

/// The address of a schema that is not there; no catalog has the class.
const NO_PUBLIC: Address = Address::new(0, 0);

/// What takes `public` away, before there is anything that could get into it. Never with what is in it: that would be
/// the loader's own tables, and such a file cannot be loaded there.
fn no_public() -> Node {
    // Before all other names.
    let key = Key::new(Rank::Extension, [""]);
    Node::new(NO_PUBLIC, key, "NO SCHEMA", PUBLIC, |_, _, writer| {
        writer.statement(Feature::NoPublic, "DROP SCHEMA IF EXISTS public");
    })
}

/// Whether a node stands for the schema `public` that is not there.
pub fn is_no_public(node: &Node) -> bool {
    node.address == NO_PUBLIC
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    // Every new database has `public`.
    if catalog.schema_name(step.node.address.oid) == PUBLIC {
        writer.nothing_to_make();
    } else {
        writer.statement(Feature::Schema, format!("CREATE SCHEMA {}", step.node.identity));
    }
}
