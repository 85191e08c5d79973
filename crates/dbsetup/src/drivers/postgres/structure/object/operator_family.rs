//! Families of operator classes, and the members of families that belong to no class: also those that were added to a
//! family of the engine or of an extension.
//! <https://www.postgresql.org/docs/current/catalog-pg-opfamily.html>

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Depend, FIRST_USER_OID, Facts, Family, Feature, Graph, Key, Node, Oid, Query,
    Rank, Step, Writer, class, name,
};

pub const FAMILY: Family = Family { of: &["pg_opfamily", "pg_amop", "pg_amproc"], queries, nodes };

/// A row of `pg_opfamily`.
#[derive(Debug)]
pub struct OperatorFamily {
    pub name: String,
    pub schema: Oid,
    /// The name of its access method.
    pub method: String,
}

pub type OperatorFamilies = HashMap<Oid, OperatorFamily>;

/// A row of `pg_amop` or `pg_amproc`: an operator or a function of a family.
#[derive(Debug)]
pub struct Member {
    pub address: Address,
    pub family: Oid,
    /// The strategy of an operator, the number of a function.
    pub number: i32,
    /// The types that it is for.
    pub types: (String, String),
    /// The operator or function with its types, as statements name it.
    pub name: String,
    /// The operator or function.
    pub target: Address,
    /// The family that sorts by what the operator returns, as statements name it.
    pub sorted_by: Option<String>,
}

pub type Members = HashMap<Address, Member>;

fn queries(_: &Facts) -> Vec<Query> {
    // The engine's own families are read for their names.
    vec![
        Query::new(
            "SELECT f.oid, f.opfname, f.opfnamespace, a.amname FROM pg_catalog.pg_opfamily f \
             JOIN pg_catalog.pg_am a ON a.oid = f.opfmethod",
            take,
        ),
        Query::new(
            "SELECT 2602, o.oid, o.amopfamily, o.amopstrategy, pg_catalog.format_type(o.amoplefttype, NULL), \
             pg_catalog.format_type(o.amoprighttype, NULL), o.amopopr::pg_catalog.regoperator, 2617, \
             o.amopopr, f.opfnamespace, f.opfname FROM pg_catalog.pg_amop o \
             LEFT JOIN pg_catalog.pg_opfamily f ON f.oid = o.amopsortfamily WHERE o.oid >= 16384",
            take_member,
        ),
        Query::new(
            "SELECT 2603, p.oid, p.amprocfamily, p.amprocnum, pg_catalog.format_type(p.amproclefttype, NULL), \
             pg_catalog.format_type(p.amprocrighttype, NULL), p.amproc::pg_catalog.regprocedure, 1255, \
             p.amproc::pg_catalog.oid, NULL, NULL FROM pg_catalog.pg_amproc p WHERE p.oid >= 16384",
            take_member,
        ),
    ]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let family = OperatorFamily { name: row.text(), schema: row.oid(), method: row.text() };
    catalog.operator_families.insert(oid, family);
}

fn take_member(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let member = Member {
        address: row.address(),
        family: row.oid(),
        number: row.number(),
        types: (row.text(), row.text()),
        name: row.text(),
        target: row.address(),
        sorted_by: row.named().map(|(schema, family)| catalog.qualified(schema, &family)),
    };
    catalog.family_members.insert(member.address, member);
}

/// What a member belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// A class of the database, in whose statement it stands.
    Class(Address),
    /// A family of the database alone.
    Family,
    /// An extension, which makes it.
    Extension(Oid),
    /// A family that the engine or an extension makes: it was added later.
    Foreign,
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, family) in &catalog.operator_families {
        if *oid >= FIRST_USER_OID {
            let identity = identity(catalog, family);
            graph.add(
                Node::new(address(*oid), key(catalog, family, None), "OPERATOR FAMILY", identity, write)
                    .in_schema(family.schema),
            );
        }
    }
    for member in catalog.family_members.values() {
        let owner = owner(catalog, member);
        let family = match owner {
            Owner::Class(of) => {
                graph.part(member.address, of);
                continue;
            }
            Owner::Extension(of) => {
                graph.part(member.address, Address::new(class::EXTENSION, of));
                continue;
            }
            Owner::Family | Owner::Foreign => member.family,
        };
        let Some(family) = catalog.operator_families.get(&family) else { continue };
        let key = key(catalog, family, Some(member));
        let node = Node::new(member.address, key, "OPERATOR FAMILY", identity(catalog, family), write_member);
        graph.add(match owner {
            Owner::Family => node.in_schema(family.schema).in_block(address(member.family)),
            _ => node,
        });
    }
}

/// Returns what a member belongs to: `pg_depend` knows the class or the family, unless that is the engine's own.
fn owner(catalog: &Catalog, member: &Member) -> Owner {
    let Some(of) = catalog.member_owners.get(&member.address) else {
        return catalog.members.get(&member.target).map_or(Owner::Foreign, |of| Owner::Extension(*of));
    };
    match catalog.members.get(of) {
        Some(extension) if is_extensions(catalog, member, *extension) => Owner::Extension(*extension),
        Some(_) => Owner::Foreign,
        None if of.class == class::OPERATOR_CLASS => Owner::Class(*of),
        None => Owner::Family,
    }
}

/// Notes whether a dependency is that of a member on its class or family.
pub fn depend(catalog: &mut Catalog, depend: &Depend) {
    if matches!(depend.from.class, class::AMOP | class::AMPROC)
        && matches!(depend.to.class, class::OPERATOR_CLASS | class::OPERATOR_FAMILY)
        && matches!(depend.kind, 'a' | 'i')
    {
        catalog.member_owners.insert(depend.from, depend.to);
    }
}

/// Whether a member of an extension's class or family comes with the extension: no catalog says so. It does if what
/// it names is the extension's or the engine's own.
fn is_extensions(catalog: &Catalog, member: &Member, extension: Oid) -> bool {
    member.target.oid < FIRST_USER_OID || catalog.members.get(&member.target) == Some(&extension)
}

fn address(oid: Oid) -> Address {
    Address::new(class::OPERATOR_FAMILY, oid)
}

/// The place of a family, or of a member of it: operators first, each kind by number and types.
fn key(catalog: &Catalog, family: &OperatorFamily, member: Option<&Member>) -> Key {
    let place = member.map(|member| format!("{} {:05}", member.address.class, member.number));
    let path = [catalog.schema_name(family.schema), &family.name, &family.method];
    let of_member = member.map(|member| [&member.types.0, &member.types.1]).into_iter().flatten();
    Key::new(
        Rank::OperatorFamily,
        path.into_iter().chain(place.as_deref()).chain(of_member.map(String::as_str)),
    )
}

fn identity(catalog: &Catalog, family: &OperatorFamily) -> String {
    format!("{} USING {}", catalog.qualified(family.schema, &family.name), name::quoted(&family.method))
}

fn write(_: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    writer.statement(Feature::OperatorFamily, format!("CREATE OPERATOR FAMILY {}", step.node.identity));
}

/// Writes a member that no class brings.
fn write_member(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(member) = catalog.family_members.get(&step.node.address) else { return };
    let feature =
        if owner(catalog, member) == Owner::Family { Feature::LooseMember } else { Feature::ForeignMember };
    writer.statement(feature, format!("ALTER OPERATOR FAMILY {} ADD {}", step.node.identity, item(member)));
}

/// Returns the items that make the members of a class.
pub fn items_of(catalog: &Catalog, class: Address) -> Vec<String> {
    let mut members: Vec<&Member> = catalog
        .family_members
        .values()
        .filter(|member| owner(catalog, member) == Owner::Class(class))
        .collect();
    members.sort_by_key(|member| (member.address.class, member.number, &member.types));
    members.into_iter().map(item).collect()
}

fn item(member: &Member) -> String {
    let (number, name) = (member.number, &member.name);
    match &member.sorted_by {
        _ if member.address.class == class::AMPROC => {
            format!("FUNCTION {number} ({}, {}) {name}", member.types.0, member.types.1)
        }
        Some(family) => format!("OPERATOR {number} {name} FOR ORDER BY {family}"),
        None => format!("OPERATOR {number} {name}"),
    }
}
