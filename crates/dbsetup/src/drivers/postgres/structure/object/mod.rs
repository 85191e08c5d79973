//! The families of objects, a file each: what they read, and what they write.

pub mod access_method;
pub mod adoption;
pub mod aggregate;
pub mod base;
pub mod built_in;
pub mod cast;
pub mod collation;
pub mod column;
pub mod column_definition;
pub mod column_property;
pub mod comment;
pub mod composite;
pub mod constraint;
pub mod constraint_order;
pub mod conversion;
pub mod data_type;
pub mod default;
pub mod default_privileges;
mod definition;
pub mod domain;
pub mod enumeration;
pub mod event_trigger;
pub mod extension;
pub mod extension_need;
pub mod foreign;
mod foreign_key;
pub mod foreign_table;
pub mod function;
pub mod hanging;
pub mod index;
pub mod inherit;
pub mod label;
pub mod language;
pub mod materialized_view;
pub mod not_null;
pub mod operator;
pub mod operator_class;
pub mod operator_family;
pub mod options;
pub mod owner;
pub mod part;
pub mod policy;
pub mod privilege;
pub mod publication;
pub mod range;
pub mod relation;
pub mod rule;
pub mod schema;
pub mod sequence;
pub mod statistics;
pub mod subscription;
pub mod table;
pub mod text_search;
pub mod transform;
pub mod trigger;
mod values;
pub mod view;

// What every family needs.
pub use super::address::{Address, FIRST_USER_OID, Oid, class};
pub use super::catalog::{Catalog, Depend};
pub use super::cells::Cells;
pub use super::feature::Feature;
pub(super) use super::name;
pub use super::node::{Graph, Key, Node, Rank, Step, Write};
pub use super::query::{Facts, Query, in_user_schema};
pub use super::writer::Writer;
use part::Parts;

/// A family of objects.
pub struct Family {
    /// The catalogs that it lives in: where users have no row in any of them, it asks nothing. None: it always asks.
    pub of: &'static [&'static str],
    /// What it asks the catalogs.
    pub queries: fn(&Facts) -> Vec<Query>,
    /// Its objects. Members of extensions may be among them: they are left out later.
    pub nodes: fn(&Catalog, &mut Graph),
}

/// Every family that has objects of its own. A new kind of object is a file, and a line here.
pub const FAMILIES: &[Family] = &[
    schema::FAMILY,
    extension::FAMILY,
    hanging::FAMILY,
    table::FAMILY,
    foreign_table::FAMILY,
    inherit::FAMILY,
    default::FAMILY,
    constraint::FAMILY,
    index::FAMILY,
    sequence::FAMILY,
    access_method::FAMILY,
    language::FAMILY,
    collation::FAMILY,
    data_type::FAMILY,
    enumeration::FAMILY,
    domain::FAMILY,
    composite::FAMILY,
    range::FAMILY,
    function::FAMILY,
    aggregate::FAMILY,
    operator::FAMILY,
    operator_family::FAMILY,
    operator_class::FAMILY,
    cast::FAMILY,
    transform::FAMILY,
    conversion::FAMILY,
    text_search::FAMILY,
    foreign::FAMILY,
    view::FAMILY,
    materialized_view::FAMILY,
    trigger::FAMILY,
    rule::FAMILY,
    policy::FAMILY,
    statistics::FAMILY,
    publication::FAMILY,
    subscription::FAMILY,
    built_in::FAMILY,
    default_privileges::FAMILY,
    event_trigger::FAMILY,
];

/// The queries of all families, without those that have nothing to ask.
pub fn queries(facts: &Facts) -> Vec<Query> {
    let asks =
        |family: &&Family| family.of.is_empty() || !family.of.iter().all(|catalog| facts.empty.has(catalog));
    FAMILIES.iter().filter(asks).flat_map(|family| (family.queries)(facts)).collect()
}

/// The queries that several families share.
pub fn shared_queries(facts: &Facts) -> Vec<Query> {
    [relation::queries, column::queries].iter().flat_map(|queries| queries(facts)).collect()
}

/// The queries of what objects of every kind can have: comments, labels, owners, privileges.
pub fn decoration_queries(facts: &Facts) -> Vec<Query> {
    [comment::queries, label::queries, owner::queries, privilege::queries]
        .iter()
        .flat_map(|queries| queries(facts))
        .collect()
}

/// Writes what hangs on an object of any kind and on its parts, after the object itself.
pub fn decorate(catalog: &Catalog, node: &Node, parts: &Parts, writer: &mut Writer) {
    extension_need::write(catalog, node, writer);
    owner::write(catalog, node, writer);
    comment::write(catalog, node, writer);
    label::write(catalog, node, writer);
    privilege::write(catalog, node, writer);
    for part in parts.get(&node.address).into_iter().flatten() {
        if !part::refuse_nameless(part, writer) {
            extension_need::write(catalog, part, writer);
            comment::write(catalog, part, writer);
            label::write(catalog, part, writer);
            privilege::write(catalog, part, writer);
        }
    }
}

/// Writes what belongs to the database as a whole, at the very end.
pub fn finish(_: &Catalog, _: &Graph, _: &mut Writer) {}
