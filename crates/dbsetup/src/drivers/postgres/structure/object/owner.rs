//! Owners, where they are wanted: the role must exist wherever the file is loaded.

use std::collections::HashMap;

use super::{Address, Catalog, Cells, Facts, Feature, Node, Query, Writer, class, name};

/// Owners by name.
#[derive(Debug, Default)]
pub struct Owners {
    of: HashMap<Address, String>,
    /// The owner of what the engine made.
    pub engine: String,
}

/// The owner of `public` in every new database since release 15.
const OF_PUBLIC: &str = "pg_database_owner";

/// The catalogs whose objects have owners: their identifier, name, and column.
const OWNED: [(u32, &str, &str); 16] = [
    (class::FUNCTION, "pg_proc", "proowner"),
    (class::TYPE, "pg_type", "typowner"),
    (class::NAMESPACE, "pg_namespace", "nspowner"),
    (class::OPERATOR, "pg_operator", "oprowner"),
    (class::OPERATOR_CLASS, "pg_opclass", "opcowner"),
    (class::OPERATOR_FAMILY, "pg_opfamily", "opfowner"),
    (class::COLLATION, "pg_collation", "collowner"),
    (class::CONVERSION, "pg_conversion", "conowner"),
    (class::LANGUAGE, "pg_language", "lanowner"),
    (class::FOREIGN_DATA_WRAPPER, "pg_foreign_data_wrapper", "fdwowner"),
    (class::FOREIGN_SERVER, "pg_foreign_server", "srvowner"),
    (class::PUBLICATION, "pg_publication", "pubowner"),
    (class::EVENT_TRIGGER, "pg_event_trigger", "evtowner"),
    (class::TS_DICTIONARY, "pg_ts_dict", "dictowner"),
    (class::TS_CONFIGURATION, "pg_ts_config", "cfgowner"),
    (class::STATISTICS, "pg_statistic_ext", "stxowner"),
];

pub fn queries(facts: &Facts) -> Vec<Query> {
    // The role 10 made the cluster.
    let engine = "SELECT 0 AS class, 0::pg_catalog.oid AS oid, 10::pg_catalog.oid AS owner";
    if !facts.owners {
        let of_engine =
            format!("SELECT o.class, o.oid, pg_catalog.pg_get_userbyid(o.owner) FROM ({engine}) o");
        return if facts.privileges { vec![Query::new(of_engine, take)] } else { Vec::new() };
    }
    // The owners of indexes, row types and the like are those of what they belong to.
    let mut parts = vec![
        engine.to_owned(),
        "SELECT 2615, n.oid, n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public'".to_owned(),
        "SELECT 1259, c.oid, c.relowner FROM pg_catalog.pg_class c \
         WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')"
            .to_owned(),
    ];
    if has_own_multiranges(facts) {
        parts.push(format!(
            "SELECT {MULTIRANGE}, r.rngtypid, t.typowner FROM pg_catalog.pg_range r \
             JOIN pg_catalog.pg_type t ON t.oid = r.rngmultitypid WHERE r.rngtypid >= 16384"
        ));
    }
    parts.extend(OWNED.map(|(class, catalog, column)| {
        format!("SELECT {class}, o.oid, o.{column} FROM pg_catalog.{catalog} o WHERE o.oid >= 16384")
    }));
    let union = parts.join(" UNION ALL ");
    vec![Query::new(
        format!("SELECT o.class, o.oid, pg_catalog.pg_get_userbyid(o.owner) FROM ({union}) o"),
        take,
    )]
}

/// The catalog of ranges: the owner of a range's multirange stands under it.
const MULTIRANGE: u32 = 3541;

/// Whether a multirange can have another owner than its range: since release 17 it follows the range.
fn has_own_multiranges(facts: &Facts) -> bool {
    facts.since(14) && !facts.since(17)
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let address = row.address();
    let owner = row.text();
    if address.class == 0 {
        catalog.owners.engine = owner;
    } else {
        catalog.owners.of.insert(address, owner);
    }
}

/// Writes the owner of an object.
pub fn write(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    let Some(owner) = catalog.owners.of.get(&node.address) else { return };
    if node.kind == "SCHEMA" && node.identity == "public" {
        let usual = if catalog.facts.since(15) { OF_PUBLIC } else { &catalog.owners.engine };
        if owner == usual {
            return;
        }
    }
    // A sequence goes to a new owner together with the table whose column owns it.
    let goes_along =
        || catalog.is_table(catalog.sequences.by_oid.get(&node.address.oid)?.owner?.relation).then_some(());
    if node.address.class == class::RELATION && goes_along().is_some() {
        return;
    }
    writer.statement(Feature::Owner, format!("ALTER {} OWNER TO {}", node.noun(), name::quoted(owner)));
    give_multirange(catalog, node, writer);
}

/// Newer servers refuse what older ones need, and a file may meet both.
fn give_multirange(catalog: &Catalog, node: &Node, writer: &mut Writer) {
    let range = || catalog.ranges.get(&node.address.oid)?.multirange.as_ref();
    let owner = catalog.owners.of.get(&Address::new(MULTIRANGE, node.address.oid));
    if let (class::TYPE, Some(owner), Some((schema, multirange))) = (node.address.class, owner, range()) {
        let (multirange, owner) = (catalog.qualified(*schema, multirange), name::quoted(owner));
        let statement = format!(
            "DO {}",
            name::literal(&format!(
                "BEGIN IF current_setting('server_version_num')::integer < 170000 THEN \
                 ALTER TYPE {multirange} OWNER TO {owner}; END IF; END"
            ))
        );
        writer.statement(Feature::Owner, statement);
    }
}
