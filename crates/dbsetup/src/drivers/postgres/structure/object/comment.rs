//! Comments, on objects of every kind and on columns.

use std::collections::HashMap;

use super::extension::Extension;
use super::{Address, Catalog, Cells, Facts, Feature, Node, Query, Writer, class, name};

/// What every new database says of `public`.
const OF_PUBLIC: &str = "standard public schema";

/// The comments of each object: the column's number, 0 for the object itself, and the text.
pub type Comments = HashMap<Address, Vec<(i32, String)>>;

pub fn queries(_: &Facts) -> Vec<Query> {
    // `public` is the one object of the engine that users own. Large objects are data.
    vec![Query::new(
        "SELECT d.classoid, d.objoid, d.objsubid, d.description, \
         CASE d.classoid WHEN 1247 THEN pg_catalog.format_type(d.objoid, NULL) END FROM pg_catalog.pg_description d \
         WHERE d.objoid >= 16384 AND d.classoid <> 2613 OR d.classoid = 2615 AND d.objoid = \
         (SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public')",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let address = row.address();
    let comment = (row.number(), row.text());
    catalog.comments.entry(address).or_default().push(comment);
    catalog.type_names.extend(row.maybe().map(|name| (address.oid, name)));
}

/// An extension sets its comment itself, and only its owner may set another one.
fn write_of_extension(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    let extension = catalog.extensions.get(&node.address.oid);
    match extension.and_then(Extension::changed_comment) {
        Some(Some(text)) => writer
            .statement(Feature::Comment, format!("COMMENT ON {} IS {}", node.noun(), name::literal(text))),
        Some(None) => writer.statement(Feature::NoComment, format!("COMMENT ON {} IS NULL", node.noun())),
        None => {}
    }
}

/// Writes the comments of an object.
pub fn write(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    if node.address.class == class::EXTENSION {
        return write_of_extension(catalog, node, writer);
    }
    let row = catalog.row_of(node.address);
    let own = catalog.comments.get(&node.address).into_iter().flatten();
    // Those on the columns of a composite type hang on its row.
    let of_columns = row
        .filter(|row| *row != node.address)
        .and_then(|row| catalog.comments.get(&row))
        .into_iter()
        .flatten();
    let mut comments: Vec<&(i32, String)> = own.chain(of_columns).collect();
    comments.sort();
    let is_public = node.kind == "SCHEMA" && node.identity == "public";
    if is_public && comments.is_empty() {
        writer.statement(Feature::NoComment, "COMMENT ON SCHEMA public IS NULL");
    }
    for (column, text) in comments {
        if *column == 0 {
            if !(is_public && text == OF_PUBLIC) {
                let statement = format!("COMMENT ON {} IS {}", node.noun(), name::literal(text));
                writer.statement(Feature::Comment, statement);
            }
        } else if let Some(name) = row.and_then(|row| catalog.column_name(row.oid, *column)) {
            let column = format!("{}.{}", node.identity, name::quoted(name));
            let statement = format!("COMMENT ON COLUMN {column} IS {}", name::literal(text));
            writer.statement(Feature::ColumnComment, statement);
        }
    }
}
