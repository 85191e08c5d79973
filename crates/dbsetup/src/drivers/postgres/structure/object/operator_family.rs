//! Families of operator classes, and the members of families that belong to no class: also those that were added to a
//! family of the engine or of an extension.
//! <https://www.postgresql.org/docs/current/catalog-pg-opfamily.html>

use std::collections::{BTreeSet, HashMap};

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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Owner {
    /// A class or family of the database.
    Own(Address),
    /// A class, family or operator of an extension, which makes it.
    Extension(Oid),
    /// Nothing that is written: a family of the engine or of an extension.
    Foreign(Oid),
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, family) in &catalog.operator_families {
        if *oid >= FIRST_USER_OID {
            let identity = identity(catalog, family);
            graph.add(
                Node::new(address(*oid), key(catalog, family, ""), "OPERATOR FAMILY", identity, write)
                    .in_schema(family.schema),
            );
        }
    }
    let mut foreign = BTreeSet::new();
    for member in catalog.family_members.values() {
        match owner(catalog, member) {
            Owner::Own(of) => graph.part(member.address, of),
            Owner::Extension(of) => graph.part(member.address, Address::new(class::EXTENSION, of)),
            Owner::Foreign(family) => {
                foreign.insert(family);
            }
        }
    }
    for oid in foreign {
        let members = members(catalog, Owner::Foreign(oid));
        let (Some(family), Some((first, rest))) =
            (catalog.operator_families.get(&oid), members.split_first())
        else {
            continue;
        };
        let identity = identity(catalog, family);
        let key = key(catalog, family, "members");
        graph.add(Node::new(first.address, key, "OPERATOR FAMILY", identity, write_foreign));
        for member in rest {
            graph.part(member.address, first.address);
        }
    }
}

/// Returns what a member belongs to: `pg_depend` knows the class or the family, unless that is the engine's own.
fn owner(catalog: &Catalog, member: &Member) -> Owner {
    let Some(of) = catalog.member_owners.get(&member.address) else {
        return match catalog.members.get(&member.target) {
            Some(extension) => Owner::Extension(*extension),
            None => Owner::Foreign(member.family),
        };
    };
    match catalog.members.get(of) {
        Some(extension) if is_extensions(catalog, member, *extension) => Owner::Extension(*extension),
        Some(_) => Owner::Foreign(member.family),
        None => Owner::Own(*of),
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

/// Returns the members of an owner: operators first, each kind by number and types.
fn members(catalog: &Catalog, of: Owner) -> Vec<&Member> {
    let mut members: Vec<&Member> =
        catalog.family_members.values().filter(|member| owner(catalog, member) == of).collect();
    members.sort_by_key(|member| (member.address.class, member.number, &member.types, &member.name));
    members
}

fn address(oid: Oid) -> Address {
    Address::new(class::OPERATOR_FAMILY, oid)
}

fn key(catalog: &Catalog, family: &OperatorFamily, what: &str) -> Key {
    let path = [catalog.schema_name(family.schema), &family.name, &family.method, what];
    Key::new(Rank::OperatorFamily, path)
}

fn identity(catalog: &Catalog, family: &OperatorFamily) -> String {
    format!("{} USING {}", catalog.qualified(family.schema, &family.name), name::quoted(&family.method))
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    writer.statement(Feature::OperatorFamily, format!("CREATE OPERATOR FAMILY {}", step.node.identity));
    write_members(step, &members(catalog, Owner::Own(step.node.address)), Feature::LooseMember, writer);
}

/// Writes what was added to a family that something else makes.
fn write_foreign(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    if let Some(member) = catalog.family_members.get(&step.node.address) {
        write_members(step, &members(catalog, Owner::Foreign(member.family)), Feature::ForeignMember, writer);
    }
}

fn write_members(step: &Step<'_>, members: &[&Member], feature: Feature, writer: &mut Writer) {
    if !members.is_empty() {
        let items = items(members).join(",\n    ");
        writer.statement(feature, format!("ALTER OPERATOR FAMILY {} ADD\n    {items}", step.node.identity));
    }
}

/// Returns the items that make the members of a class.
pub fn items_of(catalog: &Catalog, class: Address) -> Vec<String> {
    items(&members(catalog, Owner::Own(class)))
}

fn items(members: &[&Member]) -> Vec<String> {
    members
        .iter()
        .map(|member| {
            let (number, name) = (member.number, &member.name);
            match &member.sorted_by {
                _ if member.address.class == class::AMPROC => {
                    format!("FUNCTION {number} ({}, {}) {name}", member.types.0, member.types.1)
                }
                Some(family) => format!("OPERATOR {number} {name} FOR ORDER BY {family}"),
                None => format!("OPERATOR {number} {name}"),
            }
        })
        .collect()
}
