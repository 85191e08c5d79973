//! Composite types. Their columns belong to a relation of the same name.
//! <https://www.postgresql.org/docs/current/rowtypes.html>

use std::collections::HashMap;

use super::{
    Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    definition, name, relation,
};

pub const FAMILY: Family = Family { queries, nodes };

/// Schema and name of the collation of a column of a composite type, where it is not its type's own.
pub type Collations = HashMap<(Oid, i32), (Oid, String)>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT a.attrelid, a.attnum, l.collnamespace, l.collname FROM pg_catalog.pg_class c \
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
         JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
         JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation \
         WHERE c.oid >= 16384 AND c.relkind = 'c' AND a.attcollation <> t.typcollation",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let column = (row.oid(), row.number());
    if let Some(collation) = row.named() {
        catalog.composite_collations.insert(column, collation);
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, relation) in &catalog.relations {
        // The relation is a part of the type, not the type of the relation.
        if relation.kind == 'c'
            && let Some(address) = catalog.internal.get(&relation::address(*oid))
            && address.class == class::TYPE
        {
            let key = Key::new(Rank::Type, [catalog.schema_name(relation.schema), &relation.name]);
            let identity = catalog.qualified(relation.schema, &relation.name);
            graph.add(Node::new(*address, key, "TYPE", identity, write).in_schema(relation.schema));
        }
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(relation) = catalog.row_of(step.node.address).map(|row| row.oid) else { return };
    let mut items = Vec::new();
    for column in catalog.columns.get(&relation).into_iter().flatten() {
        let mut item = format!("{} {}", name::quoted(&column.name), column.type_name);
        if let Some((schema, collation)) = catalog.composite_collations.get(&(relation, column.number))
            && writer.on(Feature::CompositeCollation)
        {
            item.push_str(&format!(" COLLATE {}", catalog.qualified(*schema, collation)));
        }
        items.push(item);
    }
    let head = format!("CREATE TYPE {} AS", step.node.identity);
    writer.statement(Feature::CompositeType, definition::block(&head, &items));
}
