//! Materialized views, without their rows. Their indexes are indexes like others.

use super::option::parameters;
use super::{Catalog, Facts, Family, Feature, Graph, Key, Node, Query, Rank, Step, Writer, relation};

pub const FAMILY: Family = Family { queries, nodes };

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
    let (Some(view), Some(definition)) = (catalog.relations.get(&oid), catalog.views.definitions.get(&oid))
    else {
        return writer.refuse(step.node.noun(), "the server does not print it");
    };
    let with = parameters(&view.options, Feature::MaterializedViewOptions, writer);
    writer.statement(
        Feature::MaterializedView,
        format!("CREATE MATERIALIZED VIEW {}{with} AS\n{definition}\n WITH NO DATA", step.node.identity),
    );
}
