//! Composite types. Their columns belong to a relation of the same name.
//! <https://www.postgresql.org/docs/current/rowtypes.html>

use super::{
    Catalog, Family, Feature, Graph, Key, Node, Rank, Step, Writer, class, definition, name, relation,
};

pub const FAMILY: Family = Family { of: &[], queries: |_| Vec::new(), nodes };

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
        if let Some((schema, collation)) = &column.own_collation
            && writer.on(Feature::CompositeCollation)
        {
            item.push_str(&format!(" COLLATE {}.{}", name::quoted(schema), name::quoted(collation)));
        }
        items.push(item);
    }
    let head = format!("CREATE TYPE {} AS", step.node.identity);
    writer.statement(Feature::CompositeType, definition::block(&head, &items));
}
