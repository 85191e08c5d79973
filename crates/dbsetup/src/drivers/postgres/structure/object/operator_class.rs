//! Operator classes.
//! <https://www.postgresql.org/docs/current/catalog-pg-opclass.html>

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name, operator_family,
};

pub const FAMILY: Family = Family { of: &["pg_opclass"], queries, nodes };

/// A row of `pg_opclass`.
#[derive(Debug)]
pub struct OperatorClass {
    pub name: String,
    pub schema: Oid,
    /// The name of its access method.
    pub method: String,
    pub family: Oid,
    pub data_type: String,
    pub is_default: bool,
    /// The type that an index holds, where that is another one.
    pub storage: Option<String>,
}

pub type OperatorClasses = HashMap<Oid, OperatorClass>;

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT o.oid, o.opcname, o.opcnamespace, a.amname, o.opcfamily, \
         pg_catalog.format_type(o.opcintype, NULL), o.opcdefault, \
         CASE WHEN o.opckeytype <> 0 THEN pg_catalog.format_type(o.opckeytype, NULL) END \
         FROM pg_catalog.pg_opclass o JOIN pg_catalog.pg_am a ON a.oid = o.opcmethod WHERE o.oid >= 16384",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let class = OperatorClass {
        name: row.text(),
        schema: row.oid(),
        method: row.text(),
        family: row.oid(),
        data_type: row.text(),
        is_default: row.flag(),
        storage: row.maybe(),
    };
    catalog.operator_classes.insert(oid, class);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, class) in &catalog.operator_classes {
        let path = [catalog.schema_name(class.schema), &class.name, &class.method];
        let identity =
            format!("{} USING {}", catalog.qualified(class.schema, &class.name), name::quoted(&class.method));
        let address = Address::new(class::OPERATOR_CLASS, *oid);
        graph.add(
            Node::new(address, Key::new(Rank::OperatorClass, path), "OPERATOR CLASS", identity, write)
                .in_schema(class.schema),
        );
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(class) = catalog.operator_classes.get(&step.node.address.oid) else { return };
    let Some(family) = catalog.operator_families.get(&class.family) else {
        return writer.refuse(step.node.noun(), "its operator family is unknown");
    };
    let mut items = Vec::new();
    if let Some(storage) = &class.storage
        && writer.on(Feature::OperatorClassStorage)
    {
        items.push(format!("STORAGE {storage}"));
    }
    let members = operator_family::items_of(catalog, step.node.address);
    if !members.is_empty() && writer.on(Feature::OperatorClassMember) {
        items.extend(members);
    }
    if items.is_empty() {
        // There must be an item, and this one says what holds anyway.
        items.push(format!("STORAGE {}", class.data_type));
    }
    let default = if class.is_default && writer.on(Feature::OperatorClassDefault) { "DEFAULT " } else { "" };
    let statement = format!(
        "CREATE OPERATOR CLASS {}\n    {default}FOR TYPE {} USING {} FAMILY {} AS\n    {}",
        catalog.qualified(class.schema, &class.name),
        class.data_type,
        name::quoted(&class.method),
        catalog.qualified(family.schema, &family.name),
        items.join(",\n    "),
    );
    writer.statement(Feature::OperatorClass, statement);
}
