//! Range types.
//! <https://www.postgresql.org/docs/current/catalog-pg-range.html>

use std::collections::HashMap;

use super::definition::{Definition, function};
use super::{Catalog, Cells, Facts, Family, Feature, Oid, Query, Step, Writer};

pub const FAMILY: Family = Family { of: &["pg_range"], queries, nodes: |_, _| {} };

/// A row of `pg_range`.
#[derive(Debug)]
pub struct Range {
    pub subtype: String,
    /// The type of sets of such ranges: schema and name. Since release 14.
    pub multirange: Option<(Oid, String)>,
    /// Schema and name, where it is not the subtype's own.
    pub collation: Option<(Oid, String)>,
    /// Schema and name, where it is not the subtype's default.
    pub operator_class: Option<(Oid, String)>,
    pub canonical: Option<String>,
    pub subtype_difference: Option<String>,
}

pub type Ranges = HashMap<Oid, Range>;

fn queries(facts: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT r.rngtypid, pg_catalog.format_type(r.rngsubtype, NULL), m.typnamespace, m.typname, \
             l.collnamespace, l.collname, o.opcnamespace, o.opcname, r.rngcanonical, r.rngsubdiff \
             FROM pg_catalog.pg_range r JOIN pg_catalog.pg_type s ON s.oid = r.rngsubtype \
             LEFT JOIN pg_catalog.pg_type m ON m.oid = {} \
             LEFT JOIN pg_catalog.pg_collation l ON l.oid = r.rngcollation AND r.rngcollation <> s.typcollation \
             LEFT JOIN pg_catalog.pg_opclass o ON o.oid = r.rngsubopc AND NOT o.opcdefault \
             WHERE r.rngtypid >= 16384",
            facts.either(14, "r.rngmultitypid", "0")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let range = Range {
        subtype: row.text(),
        multirange: row.named(),
        collation: row.named(),
        operator_class: row.named(),
        canonical: function(row),
        subtype_difference: function(row),
    };
    catalog.ranges.insert(oid, range);
}

pub fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(range) = catalog.ranges.get(&step.node.address.oid) else {
        return writer.refuse(step.node.noun(), "`pg_range` does not know it");
    };
    let mut definition = Definition::default();
    definition.always("SUBTYPE", &range.subtype);
    // The server makes a name up for the multirange; another one where that is taken.
    let multirange = range.multirange.as_ref().map(|(schema, name)| catalog.qualified(*schema, name));
    let class = range.operator_class.as_ref().map(|(schema, name)| catalog.qualified(*schema, name));
    let collation = range.collation.as_ref().map(|(schema, name)| catalog.qualified(*schema, name));
    for (feature, item, value) in [
        (Feature::RangeMultirange, "MULTIRANGE_TYPE_NAME", multirange.as_deref()),
        (Feature::RangeOperatorClass, "SUBTYPE_OPCLASS", class.as_deref()),
        (Feature::RangeCollation, "COLLATION", collation.as_deref()),
        (Feature::RangeCanonical, "CANONICAL", range.canonical.as_deref()),
        (Feature::RangeSubtypeDifference, "SUBTYPE_DIFF", range.subtype_difference.as_deref()),
    ] {
        definition.given(writer, feature, item, value);
    }
    let head = format!("CREATE TYPE {} AS RANGE", step.node.identity);
    writer.statement(Feature::RangeType, definition.after(&head));
}
