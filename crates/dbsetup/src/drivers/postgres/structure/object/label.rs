//! Security labels, on objects of every kind and on columns.

use std::collections::HashMap;

use super::{Address, Catalog, Cells, Facts, Feature, Node, Query, Writer, name};

/// A row of `pg_seclabel`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// The column's number, 0 for the object itself.
    column: i32,
    provider: String,
    label: String,
}

pub type Labels = HashMap<Address, Vec<Label>>;

pub fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT l.classoid, l.objoid, l.objsubid, l.provider, l.label, \
         CASE l.classoid WHEN 1247 THEN pg_catalog.format_type(l.objoid, NULL) END FROM pg_catalog.pg_seclabel l",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let address = row.address();
    let label = Label { column: row.number(), provider: row.text(), label: row.text() };
    catalog.security_labels.entry(address).or_default().push(label);
    catalog.type_names.extend(row.maybe().map(|name| (address.oid, name)));
}

/// Writes the labels of an object.
pub fn write(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    for (label, columns_of) in sorted(catalog, node) {
        let provider = name::quoted(&label.provider);
        let text = name::literal(&label.label);
        if label.column == 0 {
            let statement = format!("SECURITY LABEL FOR {provider} ON {} IS {text}", node.noun());
            writer.statement(Feature::SecurityLabel, statement);
        } else if let Some(column) = catalog.column_name(columns_of, label.column) {
            let column = format!("{}.{}", node.identity, name::quoted(column));
            let statement = format!("SECURITY LABEL FOR {provider} ON COLUMN {column} IS {text}");
            writer.statement(Feature::ColumnSecurityLabel, statement);
        }
    }
}

/// The labels of an object and of its columns, with the relation that has these.
fn sorted<'a>(catalog: &'a Catalog, node: &Node) -> Vec<(&'a Label, super::Oid)> {
    let row = catalog.row_of(node.address);
    let own = catalog.security_labels.get(&node.address).into_iter().flatten();
    let of_columns = row
        .filter(|row| *row != node.address)
        .and_then(|row| catalog.security_labels.get(&row))
        .into_iter()
        .flatten();
    let columns_of = row.unwrap_or(node.address).oid;
    let mut labels: Vec<_> = own.chain(of_columns).map(|label| (label, columns_of)).collect();
    labels.sort_unstable();
    labels
}
