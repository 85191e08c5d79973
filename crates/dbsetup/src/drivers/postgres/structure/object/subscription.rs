//! Subscriptions are left out: they hold another server's password, and would begin to copy from it.

use std::collections::HashMap;

use super::{Address, Catalog, Cells, Facts, Family, Graph, Oid, Query, class, name};

pub const FAMILY: Family = Family { of: &[], queries, nodes };

/// Their names.
pub type Subscriptions = HashMap<Oid, String>;

fn queries(facts: &Facts) -> Vec<Query> {
    let of_database =
        "(SELECT d.oid FROM pg_catalog.pg_database d WHERE d.datname = pg_catalog.current_database())";
    // The catalog lists those of all databases. Before release 14, not everyone may read the identifier there; the
    // view has it, without the database.
    let from = if facts.since(14) {
        "SELECT s.oid, s.subname FROM pg_catalog.pg_subscription s"
    } else {
        "SELECT DISTINCT v.subid, s.subname FROM pg_catalog.pg_subscription s \
         JOIN pg_catalog.pg_stat_subscription v ON v.subname = s.subname"
    };
    vec![Query::new(format!("{from} WHERE s.subdbid = {of_database}"), take)]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let name = row.text();
    catalog.subscriptions.insert(oid, name);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, subscription) in &catalog.subscriptions {
        let noun = format!("SUBSCRIPTION {}", name::quoted(subscription));
        graph.leave_out(Address::new(class::SUBSCRIPTION, *oid), noun, "its connection may have a password");
    }
}
