//! Transforms between types and the languages of functions.
//! <https://www.postgresql.org/docs/current/catalog-pg-transform.html>

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name,
};

pub const FAMILY: Family = Family { of: &["pg_transform"], queries, nodes };

/// A row of `pg_transform`. Functions are with their types, as statements name them.
#[derive(Debug)]
pub struct Transform {
    pub data_type: String,
    pub language: String,
    pub from: Option<String>,
    pub to: Option<String>,
}

pub type Transforms = HashMap<Oid, Transform>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT t.oid, pg_catalog.format_type(t.trftype, NULL), l.lanname, \
         CASE WHEN t.trffromsql <> 0 THEN t.trffromsql::pg_catalog.oid::pg_catalog.regprocedure END, \
         CASE WHEN t.trftosql <> 0 THEN t.trftosql::pg_catalog.oid::pg_catalog.regprocedure END \
         FROM pg_catalog.pg_transform t JOIN pg_catalog.pg_language l ON l.oid = t.trflang WHERE t.oid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let transform =
        Transform { data_type: row.text(), language: row.text(), from: row.maybe(), to: row.maybe() };
    catalog.transforms.insert(oid, transform);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, transform) in &catalog.transforms {
        let key = Key::new(Rank::Transform, [transform.data_type.as_str(), &transform.language]);
        let identity = format!("FOR {} LANGUAGE {}", transform.data_type, name::quoted(&transform.language));
        graph.add(Node::new(Address::new(class::TRANSFORM, *oid), key, "TRANSFORM", identity, write));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(transform) = catalog.transforms.get(&step.node.address.oid) else { return };
    let mut items = Vec::new();
    for (feature, item, function) in
        [(Feature::TransformFrom, "FROM", &transform.from), (Feature::TransformTo, "TO", &transform.to)]
    {
        if let Some(function) = function
            && writer.on(feature)
        {
            items.push(format!("{item} SQL WITH FUNCTION {function}"));
        }
    }
    let statement = format!("CREATE {} ({})", step.node.noun(), items.join(", "));
    writer.statement(Feature::Transform, statement);
}
