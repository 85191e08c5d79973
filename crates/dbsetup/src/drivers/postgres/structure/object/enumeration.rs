//! Enumerations.
//! <https://www.postgresql.org/docs/current/catalog-pg-enum.html>

use std::collections::HashMap;

use super::{Address, Catalog, Cells, Facts, Family, Feature, Graph, Oid, Query, Step, Writer, class};
use super::{data_type, definition, name};

pub const FAMILY: Family = Family { of: &["pg_enum"], queries, nodes };

/// The labels of each enumeration, in their order, each with its own identifier.
pub type Labels = HashMap<Oid, Vec<(Oid, String)>>;

fn queries(_: &Facts) -> Vec<Query> {
    // The sort order is a number with fractions, after labels have been put between others: only its order counts.
    vec![Query::new(
        "SELECT e.enumtypid, e.oid, e.enumlabel FROM pg_catalog.pg_enum e WHERE e.enumtypid >= 16384 \
         ORDER BY e.enumtypid, e.enumsortorder",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let enumeration = row.oid();
    catalog.labels.entry(enumeration).or_default().push((row.oid(), row.text()));
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (enumeration, labels) in &catalog.labels {
        for (label, _) in labels {
            graph.part(Address::new(class::ENUM, *label), data_type::address(*enumeration));
        }
    }
}

pub fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let mut items = Vec::new();
    for (_, label) in catalog.labels.get(&step.node.address.oid).into_iter().flatten() {
        if writer.on(Feature::EnumLabel) {
            items.push(name::literal(label));
        }
    }
    let head = format!("CREATE TYPE {} AS ENUM", step.node.identity);
    writer.statement(Feature::EnumType, definition::block(&head, &items));
}
