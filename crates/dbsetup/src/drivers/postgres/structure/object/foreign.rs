//! Foreign-data wrappers and servers. User mappings are left out: their options are passwords.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    name, options,
};

pub const FAMILY: Family = Family { of: &["pg_foreign_data_wrapper", "pg_foreign_server"], queries, nodes };

/// A row of `pg_foreign_data_wrapper`.
#[derive(Debug)]
struct Wrapper {
    name: String,
    /// Qualified and quoted.
    handler: Option<String>,
    validator: Option<String>,
    options: Vec<String>,
}

/// A row of `pg_foreign_server`.
#[derive(Debug)]
struct Server {
    name: String,
    wrapper: String,
    kind: Option<String>,
    version: Option<String>,
    options: Vec<String>,
}

/// A row of `pg_user_mappings`.
#[derive(Debug)]
struct Mapping {
    server: String,
    /// Nothing for everyone.
    user: Option<String>,
}

#[derive(Debug, Default)]
pub struct ForeignObjects {
    wrappers: HashMap<Oid, Wrapper>,
    servers: HashMap<Oid, Server>,
    mappings: HashMap<Oid, Mapping>,
}

fn queries(_: &Facts) -> Vec<Query> {
    vec![
        Query::new(
            "SELECT w.oid, w.fdwname, NULLIF(w.fdwhandler, 0)::pg_catalog.regproc, \
             NULLIF(w.fdwvalidator, 0)::pg_catalog.regproc, w.fdwoptions \
             FROM pg_catalog.pg_foreign_data_wrapper w WHERE w.oid >= 16384",
            take_wrapper,
        ),
        Query::new(
            "SELECT s.oid, s.srvname, w.fdwname, s.srvtype, s.srvversion, s.srvoptions \
             FROM pg_catalog.pg_foreign_server s JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid = s.srvfdw",
            take_server,
        ),
        // Everyone may read this view, but not the catalog.
        Query::new(
            "SELECT m.umid, m.srvname, CASE WHEN m.umuser <> 0 THEN m.usename END \
             FROM pg_catalog.pg_user_mappings m",
            take_mapping,
        ),
    ]
}

fn take_wrapper(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let wrapper =
        Wrapper { name: row.text(), handler: row.maybe(), validator: row.maybe(), options: row.list() };
    catalog.foreign.wrappers.insert(oid, wrapper);
}

fn take_server(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let server = Server {
        name: row.text(),
        wrapper: row.text(),
        kind: row.maybe(),
        version: row.maybe(),
        options: row.list(),
    };
    catalog.foreign.servers.insert(oid, server);
}

fn take_mapping(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let mapping = Mapping { server: row.text(), user: row.maybe() };
    catalog.foreign.mappings.insert(oid, mapping);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, wrapper) in &catalog.foreign.wrappers {
        let key = Key::new(Rank::ForeignDataWrapper, [wrapper.name.as_str()]);
        let address = Address::new(class::FOREIGN_DATA_WRAPPER, *oid);
        let identity = name::quoted(&wrapper.name);
        graph.add(Node::new(address, key, "FOREIGN DATA WRAPPER", identity, write_wrapper));
    }
    for (oid, server) in &catalog.foreign.servers {
        let key = Key::new(Rank::ForeignServer, [server.name.as_str()]);
        let address = Address::new(class::FOREIGN_SERVER, *oid);
        graph.add(Node::new(address, key, "SERVER", name::quoted(&server.name), write_server));
    }
    for (oid, mapping) in &catalog.foreign.mappings {
        let user = mapping.user.as_deref().map_or_else(|| "PUBLIC".to_owned(), name::quoted);
        let noun = format!("USER MAPPING FOR {user} SERVER {}", name::quoted(&mapping.server));
        graph.leave_out(Address::new(class::USER_MAPPING, *oid), noun, "its options may be passwords");
    }
}

fn write_wrapper(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(wrapper) = catalog.foreign.wrappers.get(&step.node.address.oid) else { return };
    let mut text = format!("CREATE FOREIGN DATA WRAPPER {}", step.node.identity);
    if let Some(handler) = &wrapper.handler
        && writer.on(Feature::ForeignDataWrapperHandler)
    {
        text.push_str(&format!(" HANDLER {handler}"));
    }
    if let Some(validator) = &wrapper.validator
        && writer.on(Feature::ForeignDataWrapperValidator)
    {
        text.push_str(&format!(" VALIDATOR {validator}"));
    }
    if !wrapper.options.is_empty() && writer.on(Feature::ForeignDataWrapperOptions) {
        text.push_str(&format!(" OPTIONS ({})", options::foreign(&wrapper.options)));
    }
    writer.statement(Feature::ForeignDataWrapper, text);
}

fn write_server(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(server) = catalog.foreign.servers.get(&step.node.address.oid) else { return };
    let mut text = format!("CREATE SERVER {}", step.node.identity);
    if let Some(kind) = &server.kind
        && writer.on(Feature::ForeignServerType)
    {
        text.push_str(&format!(" TYPE {}", name::literal(kind)));
    }
    if let Some(version) = &server.version
        && writer.on(Feature::ForeignServerVersion)
    {
        text.push_str(&format!(" VERSION {}", name::literal(version)));
    }
    text.push_str(&format!(" FOREIGN DATA WRAPPER {}", name::quoted(&server.wrapper)));
    if !server.options.is_empty() && writer.on(Feature::ForeignServerOptions) {
        text.push_str(&format!(" OPTIONS ({})", options::foreign(&server.options)));
    }
    writer.statement(Feature::ForeignServer, text);
}
