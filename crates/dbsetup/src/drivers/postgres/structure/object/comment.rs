//! Comments, on objects of every kind and on columns.

use std::collections::HashMap;

use super::{Address, Catalog, Cells, Facts, Feature, Node, Query, Writer, class, name};

/// What every new database says of `public`.
const OF_PUBLIC: &str = "standard public schema";

/// The comments of each object: the column's number, 0 for the object itself, and the text.
pub type Comments = HashMap<Address, Vec<(i32, String)>>;

pub fn queries(_: &Facts) -> Vec<Query> {
    // `public` is the one object of the engine that users own.
    vec![Query::new(
        "SELECT d.classoid, d.objoid, d.objsubid, d.description FROM pg_catalog.pg_description d \
         WHERE d.objoid >= 16384 OR d.classoid = 2615 AND d.objoid = \
         (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public')",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let address = row.address();
    let comment = (row.number(), row.text());
    catalog.comments.entry(address).or_default().push(comment);
}

/// Writes the comments of an object.
pub fn write(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    // Only the extension's owner may set it, and the extension sets it itself.
    if node.address.class == class::EXTENSION {
        return;
    }
    let mut comments: Vec<&(i32, String)> =
        catalog.comments.get(&node.address).into_iter().flatten().collect();
    comments.sort();
    for (column, text) in comments {
        let text = name::literal(text);
        if *column == 0 {
            if !(node.kind == "SCHEMA" && node.identity == "public" && text == name::literal(OF_PUBLIC)) {
                writer.statement(Feature::Comment, format!("COMMENT ON {} IS {text}", node.noun()));
            }
        } else if let Some(name) = catalog.column_name(catalog.row_of(node.address), *column) {
            let column = format!("{}.{}", node.identity, name::quoted(name));
            writer.statement(Feature::ColumnComment, format!("COMMENT ON COLUMN {column} IS {text}"));
        }
    }
}
