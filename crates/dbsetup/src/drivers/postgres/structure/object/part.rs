//! Parts of objects that have something of their own: a comment on the index of a primary key, privileges on the
//! sequence of an identity column.

use std::collections::{BTreeSet, HashMap};

use super::{Address, Catalog, Graph, Key, Node, Step, Writer, cast, class, function, name, rule};
use crate::drivers::postgres::structure::order::Resolver;

/// Parts with something of their own, by the object that they are written with.
pub type Parts = HashMap<Address, Vec<Node>>;

/// Returns the parts that a comment, a label, a privilege or the like is written for.
pub fn all(catalog: &Catalog, graph: &Graph) -> Parts {
    let nodes: BTreeSet<Address> = graph.nodes.iter().map(|node| node.address).collect();
    let hangers: BTreeSet<Address> = catalog
        .comments
        .keys()
        .chain(catalog.security_labels.keys())
        .chain(catalog.privileges.addresses())
        .chain(catalog.extension_needs.keys())
        .copied()
        .filter(|address| !nodes.contains(address) && !catalog.is_member(*address))
        .collect();
    let mut parts = Parts::new();
    if hangers.is_empty() {
        return parts;
    }
    let resolver = Resolver::new(catalog, graph);
    for address in hangers {
        let Some(whole) = resolver.node(address).map(|node| &graph.nodes[node]) else { continue };
        // The columns of a composite type are written with the type.
        if address.class == class::RELATION && whole.address.class == class::TYPE {
            continue;
        }
        parts.entry(whole.address).or_default().push(part(catalog, address, whole));
    }
    for parts in parts.values_mut() {
        parts.sort_by(|a, b| a.key.cmp(&b.key));
    }
    parts
}

fn part(catalog: &Catalog, address: Address, whole: &Node) -> Node {
    let key = |path: &str| Key::new(whole.key.rank, [whole.key.path.as_str(), path]);
    match named(catalog, address) {
        Some((kind, identity)) => {
            let key = key(&format!("{kind} {identity}"));
            Node { schema: whole.schema, ..Node::new(address, key, kind, identity, write_nothing) }
        }
        None => Node::new(address, key(""), NAMELESS, whole.noun(), write_nothing),
    }
}

/// The kind of a part that has something of its own, but no name to speak of it.
const NAMELESS: &str = "PART OF";

/// Refuses a part that nothing can be said of.
pub fn refuse_nameless(part: &Node, writer: &mut Writer) -> bool {
    let is_nameless = part.kind == NAMELESS;
    if is_nameless {
        let why = format!("its part {} has a comment, a label or privileges, and no name", part.address);
        writer.refuse(part.identity.clone(), why);
    }
    is_nameless
}

/// A part is written by what it is a part of.
fn write_nothing(_: &Catalog, _: &Step<'_>, _: &mut Writer) {}

/// Returns how `COMMENT ON` names an object that has no node: kind and identity.
fn named(catalog: &Catalog, address: Address) -> Option<(&'static str, String)> {
    match address.class {
        class::RELATION => {
            let relation = catalog.relations.get(&address.oid)?;
            let kind = match relation.kind {
                'i' | 'I' => "INDEX",
                'S' => "SEQUENCE",
                _ => return None,
            };
            Some((kind, catalog.qualified(relation.schema, &relation.name)))
        }
        class::TYPE => Some(("TYPE", catalog.type_names.get(&address.oid)?.clone())),
        class::FUNCTION => Some(function::identity(catalog, catalog.functions.get(&address.oid)?)),
        class::CAST => Some(("CAST", cast::identity(catalog.casts.get(&address.oid)?))),
        class::CONSTRAINT => {
            let constraint = catalog.constraints.by_oid.get(&address.oid)?;
            let relation = catalog.relation_name(constraint.relation)?;
            Some(("CONSTRAINT", format!("{} ON {relation}", name::quoted(&constraint.name))))
        }
        class::TRIGGER => {
            let trigger = catalog.triggers.rows.get(&address.oid)?;
            let relation = catalog.relation_name(trigger.relation)?;
            Some(("TRIGGER", format!("{} ON {relation}", name::quoted(&trigger.name))))
        }
        class::REWRITE => {
            let view = catalog.relation_name(catalog.internal.get(&address)?.oid)?;
            Some(("RULE", format!("{} ON {view}", name::quoted(rule::OF_VIEW))))
        }
        _ => None,
    }
}
