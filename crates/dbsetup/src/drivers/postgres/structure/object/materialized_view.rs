//! Materialized views, without their rows. Their indexes are indexes like others.

use super::{
    Catalog, Facts, Family, Feature, Graph, Key, Node, Query, Rank, Step, Writer, column_property, name,
    relation, table,
};

pub const FAMILY: Family = Family { of: &["pg_rewrite"], queries, nodes };

/// Views and materialized views are read together.
fn queries(_: &Facts) -> Vec<Query> {
    Vec::new()
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, view) in &catalog.relations {
        if view.kind == 'm' {
            let key = Key::new(Rank::MaterializedView, [catalog.schema_name(view.schema), &view.name]);
            let identity = catalog.qualified(view.schema, &view.name);
            let node = Node::new(relation::address(*oid), key, "MATERIALIZED VIEW", identity, write);
            graph.add(node.in_schema(view.schema));
        }
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let (Some(view), Some(definition)) = (catalog.relations.get(&oid), catalog.view_definitions.get(&oid))
    else {
        return writer.refuse(step.node.noun(), "the server does not print it");
    };
    let mut text = format!("CREATE MATERIALIZED VIEW {}", step.node.identity);
    if let Some(method) = &view.method
        && writer.on(Feature::MaterializedViewMethod)
    {
        text.push_str(&format!("\nUSING {}", name::quoted(method)));
    }
    if let Some(parameters) = table::parameters(catalog, view, writer) {
        text.push_str(&format!("\nWITH ({parameters})"));
    }
    text.push_str(&format!(" AS\n{definition}\n WITH NO DATA"));
    writer.statement(Feature::MaterializedView, text);
    column_property::write(catalog, step, "MATERIALIZED VIEW", writer);
    table::write_replica_identity(step, view, writer);
}
