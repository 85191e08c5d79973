//! Conversions between encodings.
//! <https://www.postgresql.org/docs/current/catalog-pg-conversion.html>

use std::collections::HashMap;

use super::definition::function;
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    in_user_schema, name,
};

pub const FAMILY: Family = Family { of: &["pg_conversion"], queries, nodes };

/// A row of `pg_conversion`.
#[derive(Debug)]
pub struct Conversion {
    pub name: String,
    pub schema: Oid,
    pub from: String,
    pub to: String,
    pub function: Option<String>,
    pub is_default: bool,
}

pub type Conversions = HashMap<Oid, Conversion>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT c.oid, c.conname, c.connamespace, pg_catalog.pg_encoding_to_char(c.conforencoding), \
             pg_catalog.pg_encoding_to_char(c.contoencoding), c.conproc, c.condefault \
             FROM pg_catalog.pg_conversion c WHERE c.oid >= 16384 AND {}",
            in_user_schema("c.connamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let conversion = Conversion {
        name: row.text(),
        schema: row.oid(),
        from: row.text(),
        to: row.text(),
        function: function(row),
        is_default: row.flag(),
    };
    catalog.conversions.insert(oid, conversion);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, conversion) in &catalog.conversions {
        let key = Key::new(Rank::Conversion, [catalog.schema_name(conversion.schema), &conversion.name]);
        let identity = catalog.qualified(conversion.schema, &conversion.name);
        graph.add(
            Node::new(Address::new(class::CONVERSION, *oid), key, "CONVERSION", identity, write)
                .in_schema(conversion.schema),
        );
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(conversion) = catalog.conversions.get(&step.node.address.oid) else { return };
    let default =
        if conversion.is_default && writer.on(Feature::ConversionDefault) { "DEFAULT " } else { "" };
    let statement = format!(
        "CREATE {default}{} FOR {} TO {} FROM {}",
        step.node.noun(),
        name::literal(&conversion.from),
        name::literal(&conversion.to),
        conversion.function.as_deref().unwrap_or_default(),
    );
    writer.statement(Feature::Conversion, statement);
}
