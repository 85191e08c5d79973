//! What users changed on objects that the engine or an extension makes: owners of the engine's, and privileges.

use std::collections::{BTreeSet, HashMap};

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
};
use super::{owner, privilege};
use crate::drivers::postgres::structure::address::FIRST_USER_OID;

pub const FAMILY: Family = Family { of: &[], queries, nodes };

/// An object of the engine that was given away.
#[derive(Debug)]
pub struct GivenAway {
    pub owner: String,
    /// As `pg_identify_object` says it: `function`.
    kind: String,
    identity: String,
}

pub type AllGivenAway = HashMap<Address, GivenAway>;

/// What was changed; as a mark on the catalog of a node that makes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Owner = 1 << 30,
    Privileges = 1 << 31,
}

/// Returns the address of the node for a change of an object that something else makes.
pub fn change_of(address: Address, change: Change) -> Address {
    Address::new(address.class | change as Oid, address.oid)
}

/// Returns the object that a node changes.
fn changed(node: &Node) -> Address {
    let marks = Change::Owner as Oid | Change::Privileges as Oid;
    Address::new(node.address.class & !marks, node.address.oid)
}

fn queries(facts: &Facts) -> Vec<Query> {
    if !facts.owners {
        return Vec::new();
    }
    // The role 10 made the cluster.
    let condition = |owner: &str| format!("o.oid < 16384 AND o.{owner} <> 10");
    let mut parts: Vec<String> = owner::OWNED
        .iter()
        .map(|(class, catalog, owner)| {
            let public = if *class == class::NAMESPACE { " AND o.nspname <> 'public'" } else { "" };
            let condition = condition(owner);
            format!("SELECT {class} AS class, o.oid, o.{owner} AS owner FROM pg_catalog.{catalog} o WHERE {condition}{public}")
        })
        .collect();
    parts.push(format!(
        "SELECT 1259, o.oid, o.relowner FROM pg_catalog.pg_class o WHERE {} AND o.relkind IN ('r', 'v')",
        condition("relowner")
    ));
    vec![Query::new(
        format!(
            "SELECT o.class, o.oid, pg_catalog.pg_get_userbyid(o.owner), w.type, w.identity FROM ({}) o \
             CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.class, o.oid, 0) w",
            parts.join(" UNION ALL ")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let address = row.address();
    let given_away = GivenAway { owner: row.text(), kind: row.text(), identity: row.text() };
    catalog.given_away.insert(address, given_away);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    let addresses: BTreeSet<Address> =
        catalog.privileges.addresses().chain(catalog.given_away.keys()).copied().collect();
    for address in addresses {
        let extension = catalog.members.get(&address);
        let is_users = address.oid >= FIRST_USER_OID || privilege::is_public(catalog, address);
        if extension.is_none() && is_users {
            continue;
        }
        let given_away = catalog.given_away.get(&address);
        let named = given_away.map(|given| (given.kind.as_str(), given.identity.as_str()));
        let Some((kind, identity)) = named.or_else(|| catalog.privileges.identity(address)) else { continue };
        let node = |change, write| {
            // Privileges follow the owner.
            let key =
                Key::new(Rank::BuiltIn, [kind, identity, if change == Change::Owner { "1" } else { "2" }]);
            Node::new(change_of(address, change), key, statement_kind(kind), identity, write)
        };
        if given_away.is_some() {
            graph.add(node(Change::Owner, write_owner));
        }
        if catalog.privileges.identity(address).is_some() {
            let mut node = node(Change::Privileges, write_privileges);
            node.after = vec![change_of(address, Change::Owner)];
            if let Some(extension) = extension {
                let extension = Address::new(class::EXTENSION, *extension);
                graph.part(node.address, extension);
                node.after.push(extension);
            }
            graph.add(node);
        }
    }
}

/// Kinds of objects as `pg_identify_object` names them and as `ALTER` does, where these are not the same words.
/// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-OBJECT>
const KINDS: [(&str, &str); 17] = [
    ("aggregate", "AGGREGATE"),
    ("collation", "COLLATION"),
    ("conversion", "CONVERSION"),
    ("domain", "DOMAIN"),
    ("foreign-data wrapper", "FOREIGN DATA WRAPPER"),
    ("function", "FUNCTION"),
    ("language", "LANGUAGE"),
    ("operator", "OPERATOR"),
    ("operator class", "OPERATOR CLASS"),
    ("operator family", "OPERATOR FAMILY"),
    ("procedure", "PROCEDURE"),
    ("schema", "SCHEMA"),
    ("sequence", "SEQUENCE"),
    ("text search configuration", "TEXT SEARCH CONFIGURATION"),
    ("text search dictionary", "TEXT SEARCH DICTIONARY"),
    ("type", "TYPE"),
    ("view", "VIEW"),
];

fn statement_kind(kind: &str) -> &'static str {
    KINDS.iter().find(|(own, _)| *own == kind).map_or("TABLE", |(_, words)| words)
}

fn write_owner(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    if let Some(given_away) = catalog.given_away.get(&changed(step.node)) {
        owner::give(step.node, &given_away.owner, Feature::BuiltInOwner, writer);
    }
}

fn write_privileges(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    privilege::write_of_built_in(catalog, step.node, changed(step.node), writer);
}
