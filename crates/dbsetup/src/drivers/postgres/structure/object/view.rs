//! Views, and the defaults of their columns.

use std::collections::HashMap;

use super::option::parameters;
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    column::Column, in_user_schema, name, relation,
};

pub const FAMILY: Family = Family { queries, nodes };

/// What was read of views.
#[derive(Debug, Default)]
pub struct Views {
    /// The query of each view and materialized view, as the server prints it, without its `;`.
    pub definitions: HashMap<Oid, String>,
    defaults: HashMap<Oid, Default>,
}

/// A row of `pg_attrdef` of a view.
#[derive(Debug)]
struct Default {
    view: Oid,
    column: i32,
    expression: String,
}

fn queries(_: &Facts) -> Vec<Query> {
    let schema = in_user_schema("c.relnamespace");
    vec![
        Query::new(
            format!(
                "SELECT c.oid, pg_catalog.pg_get_viewdef(c.oid) FROM pg_catalog.pg_class c \
                 WHERE c.oid >= 16384 AND c.relkind IN ('v', 'm') AND {schema}"
            ),
            take,
        ),
        Query::new(
            format!(
                "SELECT d.oid, d.adrelid, d.adnum, pg_catalog.pg_get_expr(d.adbin, d.adrelid) \
                 FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attrdef d ON d.adrelid = c.oid \
                 WHERE c.oid >= 16384 AND c.relkind = 'v' AND {schema}"
            ),
            take_default,
        ),
    ]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mut definition = row.text();
    definition.truncate(definition.trim_end_matches(';').len());
    catalog.views.definitions.insert(oid, definition);
}

fn take_default(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let default = Default { view: row.oid(), column: row.number(), expression: row.text() };
    catalog.views.defaults.insert(oid, default);
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
    for (oid, default) in &catalog.views.defaults {
        let Some(view) = catalog.relations.get(&default.view) else { continue };
        let Some(column) = catalog.column_name(default.view, default.column) else { continue };
        let key = Key::new(Rank::View, [catalog.schema_name(view.schema), &view.name, column, "DEFAULT"]);
        let of = catalog.qualified(view.schema, &view.name);
        let identity = format!("{} ON {of}", name::quoted(column));
        let node = Node::new(Address::new(class::DEFAULT, *oid), key, "DEFAULT", identity, write_default);
        graph.add(node.in_schema(view.schema).in_block(relation::address(default.view)));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let (Some(view), Some(definition)) = (catalog.relations.get(&oid), catalog.views.definitions.get(&oid))
    else {
        return writer.refuse(step.node.noun(), "the server does not print it");
    };
    let create = if step.replaces { "CREATE OR REPLACE" } else { "CREATE" };
    let with = parameters(&view.options, Feature::ViewOptions, writer);
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
    let Some(default) = catalog.views.defaults.get(&step.node.address.oid) else { return };
    let (Some(view), Some(column)) =
        (catalog.relation_name(default.view), catalog.column_name(default.view, default.column))
    else {
        return;
    };
    let column = name::quoted(column);
    let statement = format!("ALTER VIEW {view} ALTER COLUMN {column} SET DEFAULT {}", default.expression);
    writer.statement(Feature::ViewDefault, statement);
}

/// The columns of what stands in must have the collations of the view's.
fn collation(column: &Column) -> String {
    match column.collation {
        950 => " COLLATE pg_catalog.\"C\"".to_owned(),
        _ => String::new(),
    }
}
