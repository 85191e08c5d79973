//! Views, and the defaults of their columns.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    column::Column, in_user_schema, name, options, relation, values,
};

pub const FAMILY: Family = Family { of: &["pg_rewrite"], queries, nodes };

/// The query of each view and materialized view, as the server prints it, without its `;`.
pub type Definitions = HashMap<Oid, String>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c \
             WHERE c.oid >= 16384 AND c.relkind IN ('v', 'm') AND {}",
            in_user_schema("c.relnamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut definition = row.text();
    definition.truncate(definition.trim_end_matches(';').len());
    catalog.view_definitions.insert(oid, values::as_loaded(definition));
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, view) in &catalog.relations {
        if view.kind == 'v' {
            let key = Key::new(Rank::View, [catalog.schema_name(view.schema), &view.name]);
            let identity = catalog.qualified(view.schema, &view.name);
            let node = Node::new(relation::address(*oid), key, "VIEW", identity, write);
            graph.add(Node { early: Some(write_early), ..node.in_schema(view.schema) });
        }
    }
    for (oid, default) in &catalog.defaults.by_oid {
        let Some(view) = catalog.relations.get(&default.relation).filter(|view| view.kind == 'v') else {
            continue;
        };
        let Some(column) = catalog.column_name(default.relation, default.column) else { continue };
        let key = Key::new(Rank::View, [catalog.schema_name(view.schema), &view.name, column, "DEFAULT"]);
        let of = catalog.qualified(view.schema, &view.name);
        let identity = format!("{} ON {of}", name::quoted(column));
        let node = Node::new(Address::new(class::DEFAULT, *oid), key, "DEFAULT", identity, write_default);
        graph.add(node.in_schema(view.schema).in_block(relation::address(default.relation)));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let (Some(view), Some(definition)) = (catalog.relations.get(&oid), catalog.view_definitions.get(&oid))
    else {
        return writer.refuse(step.node.noun(), "the server does not print it");
    };
    let create = if step.replaces { "CREATE OR REPLACE" } else { "CREATE" };
    let with = if !view.options.is_empty() && writer.on(Feature::ViewOptions) {
        format!(" WITH ({})", options::storage("", &view.options))
    } else {
        String::new()
    };
    writer.statement(Feature::View, format!("{create} VIEW {}{with} AS\n{definition}", step.node.identity));
}

/// A view of nulls with the same columns, for what the view itself needs.
fn write_early(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let columns = catalog.columns.get(&step.node.address.oid).map_or(&[][..], Vec::as_slice);
    let columns: Vec<String> = columns
        .iter()
        .map(|column| {
            let collation = collation(column);
            format!("\n    NULL::{}{collation} AS {}", column.type_name, name::quoted(&column.name))
        })
        .collect();
    let statement = format!("CREATE VIEW {} AS\n SELECT{}", step.node.identity, columns.join(","));
    writer.statement(Feature::View, statement);
}

fn write_default(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(default) = catalog.defaults.by_oid.get(&step.node.address.oid) else { return };
    let (Some(view), Some(column)) =
        (catalog.relation_name(default.relation), catalog.column_name(default.relation, default.column))
    else {
        return;
    };
    let column = name::quoted(column);
    let statement = format!("ALTER VIEW {view} ALTER COLUMN {column} SET DEFAULT {}", default.expression);
    writer.statement(Feature::ViewDefault, statement);
}

/// The columns of what stands in must have the collations of the view's.
fn collation(column: &Column) -> String {
    let Some((schema, collation)) = &column.own_collation else { return String::new() };
    format!(" COLLATE {}.{}", name::quoted(schema), name::quoted(collation))
}
