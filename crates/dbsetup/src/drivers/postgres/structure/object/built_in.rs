//! Privileges that users changed on objects that the engine or an extension makes. Owners of such objects are the
//! server's set-up, and no structure of a database.

use super::{
    Address, Catalog, Facts, Family, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class, privilege,
};
use crate::drivers::postgres::structure::address::FIRST_USER_OID;

pub const FAMILY: Family = Family { of: &[], queries, nodes };

/// They are read with all other privileges.
fn queries(_: &Facts) -> Vec<Query> {
    Vec::new()
}

/// Marks the catalog of a node that makes nothing.
const CHANGE: Oid = 1 << 31;

/// Returns the address of the node for a change of an object that something else makes.
pub fn change_of(address: Address) -> Address {
    Address::new(address.class | CHANGE, address.oid)
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for address in catalog.privileges.addresses().copied() {
        let extension = catalog.members.get(&address);
        let is_users = address.oid >= FIRST_USER_OID || privilege::is_public(catalog, address);
        if extension.is_none() && is_users {
            continue;
        }
        let Some((kind, identity)) = catalog.privileges.identity(address) else { continue };
        let kind = privilege::kind_of(address.class, kind);
        let key = Key::new(Rank::BuiltIn, [kind, identity]);
        let mut node = Node::new(change_of(address), key, kind, identity, write);
        if let Some(extension) = extension {
            let extension = Address::new(class::EXTENSION, *extension);
            graph.part(node.address, extension);
            node.after.push(extension);
        }
        graph.add(node);
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let node = step.node;
    let address = Address::new(node.address.class & !CHANGE, node.address.oid);
    privilege::write_of_built_in(catalog, node, address, writer);
}
