//! Types as `pg_type` lists them, but those that come with something else: row types, array types, multiranges.
//! Each kind is written by its own file.
//! <https://www.postgresql.org/docs/current/catalog-pg-type.html>

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Graph, Key, Node, Oid, Query, Rank, Step, Write, Writer, base,
    class, domain, enumeration, in_user_schema, name, range,
};

pub const FAMILY: Family = Family { of: &[], queries, nodes };

/// A row of `pg_type`.
#[derive(Debug)]
pub struct DataType {
    pub name: String,
    pub schema: Oid,
    pub kind: Kind,
}

/// `pg_type.typtype`, and what this kind has.
#[derive(Debug)]
pub enum Kind {
    Base(Box<base::Base>),
    Domain(Box<domain::Domain>),
    Enumeration,
    Range,
    /// Named, and not defined yet: `typisdefined` is false.
    Shell,
    Unknown(char),
}

pub type DataTypes = HashMap<Oid, DataType>;

fn queries(facts: &Facts) -> Vec<Query> {
    // `array_in` is the input function of the array types that the server makes for each type.
    vec![Query::new(
        format!(
            "SELECT t.oid, t.typname, t.typnamespace, t.typtype, t.typisdefined, \
             t.typinput, t.typoutput, t.typreceive, t.typsend, t.typmodin, t.typmodout, t.typanalyze, {}, \
             t.typlen, t.typbyval, t.typalign, t.typstorage, t.typcategory, t.typispreferred, t.typdelim, \
             CASE WHEN t.typelem <> 0 THEN pg_catalog.format_type(t.typelem, NULL) END, t.typcollation <> 0, \
             COALESCE(pg_catalog.pg_get_expr(t.typdefaultbin, 0), t.typdefault), t.typdefaultbin IS NOT NULL, \
             CASE WHEN t.typbasetype <> 0 THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END, \
             t.typnotnull, l.collnamespace, l.collname, \
             t.typdefaultbin::pg_catalog.text IS NOT DISTINCT FROM b.typdefaultbin::pg_catalog.text \
             AND t.typdefault IS NOT DISTINCT FROM b.typdefault FROM pg_catalog.pg_type t \
             LEFT JOIN pg_catalog.pg_type b ON b.oid = t.typbasetype \
             LEFT JOIN pg_catalog.pg_collation l ON l.oid = t.typcollation AND t.typcollation <> b.typcollation \
             WHERE t.oid >= 16384 AND t.typtype NOT IN ('c', 'm') \
             AND t.typinput <> 'pg_catalog.array_in(cstring,oid,integer)'::pg_catalog.regprocedure AND {}",
            facts.either(14, "t.typsubscript", "'-'"),
            in_user_schema("t.typnamespace")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let (own_name, schema, letter, is_defined) = (row.text(), row.oid(), row.letter(), row.flag());
    let base = base::read(row);
    let (default, is_expression) = (row.maybe(), row.flag());
    let default = default.map(|value| if is_expression { value } else { name::literal(&value) });
    let domain = domain::read(row);
    let kind = match letter {
        _ if !is_defined => Kind::Shell,
        'b' => Kind::Base(Box::new(base::Base { default, ..base })),
        'd' => Kind::Domain(Box::new(domain::Domain { default, ..domain })),
        'e' => Kind::Enumeration,
        'r' => Kind::Range,
        letter => Kind::Unknown(letter),
    };
    catalog.types.insert(oid, DataType { name: own_name, schema, kind });
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, data_type) in &catalog.types {
        let (kind, write) = match data_type.kind {
            Kind::Base(_) => ("TYPE", base::write as Write),
            Kind::Domain(_) => ("DOMAIN", domain::write as _),
            Kind::Enumeration => ("TYPE", enumeration::write as _),
            Kind::Range => ("TYPE", range::write as _),
            Kind::Shell => ("TYPE", base::write_shell as _),
            Kind::Unknown(_) => ("TYPE", refuse as _),
        };
        let mut node = Node::new(
            address(*oid),
            key(catalog, data_type),
            kind,
            catalog.qualified(data_type.schema, &data_type.name),
            write,
        )
        .in_schema(data_type.schema);
        node.early = match &data_type.kind {
            Kind::Base(_) => Some(base::write_shell),
            Kind::Range if catalog.ranges.get(oid).is_some_and(|range| range.canonical.is_some()) => {
                Some(base::write_shell)
            }
            Kind::Domain(domain) if domain.own_default().is_some() => Some(domain::write_early),
            _ => None,
        };
        graph.add(node);
    }
}

/// Returns the address of a type.
pub fn address(oid: Oid) -> Address {
    Address::new(class::TYPE, oid)
}

/// The place of a type.
pub fn key(catalog: &Catalog, data_type: &DataType) -> Key {
    Key::new(Rank::Type, [catalog.schema_name(data_type.schema), &data_type.name])
}

fn refuse(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    if let Some(DataType { kind: Kind::Unknown(letter), .. }) = catalog.types.get(&step.node.address.oid) {
        writer.refuse(step.node.noun(), format!("types of the kind `{letter}` are unknown"));
    }
}
