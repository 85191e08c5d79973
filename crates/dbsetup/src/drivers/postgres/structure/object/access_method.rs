//! Access methods of tables and indexes, where no extension brings them.
//! <https://www.postgresql.org/docs/current/catalog-pg-am.html>

use std::collections::HashMap;

use super::definition::function;
use super::{
    Address, Catalog, Cells, FIRST_USER_OID, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank,
    Step, Writer, class, name,
};

pub const FAMILY: Family = Family { of: &["pg_am"], queries, nodes };

/// A row of `pg_am`.
#[derive(Debug)]
pub struct AccessMethod {
    pub name: String,
    pub handler: Option<String>,
    /// `i` index, `t` table.
    pub kind: char,
}

pub type AccessMethods = HashMap<Oid, AccessMethod>;

fn queries(_: &Facts) -> Vec<Query> {
    // The engine's own are read for their names.
    vec![Query::new("SELECT a.oid, a.amname, a.amhandler, a.amtype FROM pg_catalog.pg_am a", take)]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let method = AccessMethod { name: row.text(), handler: function(row), kind: row.letter() };
    catalog.access_methods.insert(oid, method);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, method) in &catalog.access_methods {
        if *oid >= FIRST_USER_OID {
            let key = Key::new(Rank::AccessMethod, [method.name.as_str()]);
            let address = Address::new(class::ACCESS_METHOD, *oid);
            graph.add(Node::new(address, key, "ACCESS METHOD", name::quoted(&method.name), write));
        }
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(method) = catalog.access_methods.get(&step.node.address.oid) else { return };
    let kind = match method.kind {
        'i' => "INDEX",
        't' => "TABLE",
        letter => {
            let why = format!("access methods of the kind `{letter}` are unknown");
            return writer.refuse(step.node.noun(), why);
        }
    };
    let handler = method.handler.as_deref().unwrap_or_default();
    writer.statement(
        Feature::AccessMethod,
        format!("CREATE {} TYPE {kind} HANDLER {handler}", step.node.noun()),
    );
}
