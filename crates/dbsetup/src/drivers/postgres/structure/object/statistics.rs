//! Extended statistics: what is to be collected, not what was.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    hanging, relation,
};

pub const FAMILY: Family = Family { of: &["pg_statistic_ext"], queries, nodes };

/// A row of `pg_statistic_ext`.
#[derive(Debug)]
pub struct Statistics {
    name: String,
    schema: Oid,
    relation: Oid,
    /// -1 for the default.
    target: i32,
    definition: String,
}

/// All of them.
pub type AllStatistics = HashMap<Oid, Statistics>;

fn queries(facts: &Facts) -> Vec<Query> {
    // Since release 17 the default of the target is NULL; before 13 there was none.
    vec![Query::new(
        format!(
            "SELECT s.oid, s.stxname, s.stxnamespace, s.stxrelid, {}, \
             pg_catalog.pg_get_statisticsobjdef(s.oid) FROM pg_catalog.pg_statistic_ext s WHERE s.oid >= 16384",
            facts.either(13, "COALESCE(s.stxstattarget, -1)", "-1")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let statistics = Statistics {
        name: row.text(),
        schema: row.oid(),
        relation: row.oid(),
        target: row.number(),
        definition: row.text(),
    };
    catalog.statistics.insert(oid, statistics);
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, statistics) in &catalog.statistics {
        let schema = catalog.schema_name(statistics.schema);
        let key = Key::new(Rank::Statistics, [schema, &statistics.name]);
        let identity = catalog.qualified(statistics.schema, &statistics.name);
        let address = Address::new(class::STATISTICS, *oid);
        let mut node = Node::new(address, key, "STATISTICS", identity, write);
        node.after.extend(hanging::needs(catalog, address, statistics.relation));
        graph.add(node.in_schema(statistics.schema).in_block(relation::address(statistics.relation)));
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let Some(statistics) = catalog.statistics.get(&step.node.address.oid) else { return };
    let definition = hanging::if_not_exists(catalog, step.node.address, &statistics.definition, "STATISTICS");
    writer.statement(Feature::Statistics, definition);
    if statistics.target != -1 {
        writer.statement(
            Feature::StatisticsTarget,
            format!("ALTER STATISTICS {} SET STATISTICS {}", step.node.identity, statistics.target),
        );
    }
}
