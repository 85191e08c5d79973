//! Indexes of tables and materialized views. Those that keep a constraint are made by it.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Writer, class,
    hanging, inherit, relation,
};

pub const FAMILY: Family = Family { of: &[], queries, nodes };

/// A row of `pg_index`.
#[derive(Debug)]
pub struct Index {
    pub table: Oid,
    pub is_valid: bool,
    pub is_clustered: bool,
    pub is_replica_identity: bool,
    /// As the server words it; nothing for the index of a constraint.
    pub definition: Option<String>,
    /// The columns of one that foreign keys may refer to, sorted; else none.
    pub key: Vec<i32>,
}

/// The indexes that foreign keys use, by table and columns.
pub type IndexesInUse = HashMap<(Oid, Vec<i32>), Vec<Oid>>;

/// All of them.
pub type Indexes = HashMap<Oid, Index>;

impl Catalog {
    /// Returns the index that has to be made before another one of the same columns, since foreign keys use it: they take
    /// the oldest. Nothing where none does, or several do.
    /// <https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-PARMS-REFERENCES>
    pub fn older_twin(&self, index: Oid) -> Option<Oid> {
        let own = self.indexes.get(&index).filter(|own| !own.key.is_empty())?;
        let used = self.indexes_in_use.get(&(own.table, own.key.clone()))?;
        match used.as_slice() {
            [first] if *first != index => Some(*first),
            _ => None,
        }
    }

    /// Remembers which indexes foreign keys use, when all are read.
    pub fn note_indexes_in_use(&mut self) {
        for oid in &self.constraints.referred {
            if let Some(index) = self.indexes.get(oid).filter(|index| !index.key.is_empty()) {
                self.indexes_in_use.entry((index.table, index.key.clone())).or_default().push(*oid);
            }
        }
    }

    /// What stands for an index in the order of the file: the constraint that it keeps, or the index.
    pub fn maker_of_index(&self, index: Oid) -> Address {
        let address = relation::address(index);
        self.internal.get(&address).copied().filter(|of| of.class == class::CONSTRAINT).unwrap_or(address)
    }
}

fn queries(_: &Facts) -> Vec<Query> {
    vec![Query::new(
        "SELECT i.indexrelid, i.indrelid, i.indisvalid AND i.indisready AND i.indislive, i.indisclustered, \
         i.indisreplident, CASE WHEN NOT i.indisprimary AND i.indexrelid NOT IN (SELECT k.conindid \
         FROM pg_catalog.pg_constraint k WHERE k.contype IN ('p', 'u', 'x')) \
         THEN pg_catalog.pg_get_indexdef(i.indexrelid) END, CASE WHEN i.indisunique AND i.indimmediate \
         AND i.indpred IS NULL AND i.indexprs IS NULL THEN ARRAY(SELECT k.attribute FROM pg_catalog.unnest(i.indkey) \
         WITH ORDINALITY k (attribute, place) WHERE k.place <= i.indnkeyatts ORDER BY 1) END \
         FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indrelid \
         WHERE i.indexrelid >= 16384 AND c.relkind IN ('r', 'p', 'm')",
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let oid = row.oid();
    let index = Index {
        table: row.oid(),
        is_valid: row.flag(),
        is_clustered: row.flag(),
        is_replica_identity: row.flag(),
        definition: row.maybe(),
        key: row.numbers(),
    };
    catalog.indexes.insert(oid, index);
}

impl Index {
    /// Whether anything is set on the index itself.
    fn has_properties(&self, catalog: &Catalog, oid: Oid) -> bool {
        self.is_clustered || self.is_replica_identity || !catalog.columns_of(oid).is_empty()
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, index) in &catalog.indexes {
        let (address, table) = (relation::address(*oid), relation::address(index.table));
        // The index of a temporary table is none of a dump's.
        let Some(relation) = catalog.relations.get(oid) else { continue };
        if catalog.is_member(address) {
            graph.part(address, table);
            continue;
        }
        let is_silent = index.is_valid || relation.kind == 'I';
        if index.definition.is_none()
            && is_silent
            && !index.has_properties(catalog, *oid)
            && !catalog.comments.contains_key(&address)
        {
            continue;
        }
        let block = inherit::block(catalog, index.table);
        let key = Key::new(Rank::Index, [catalog.schema_name(relation.schema), relation.name.as_str()]);
        let identity = catalog.qualified(relation.schema, &relation.name);
        let mut node =
            Node::new(address, key, "INDEX", identity, write).in_schema(relation.schema).in_block(block);
        if index.definition.is_some() {
            node.after.extend(inherit::attached(catalog, index.table));
            node.after.extend(hanging::needs(catalog, address, index.table));
            node.after.extend(catalog.older_twin(*oid).map(|twin| catalog.maker_of_index(twin)));
        }
        graph.add(node);
    }
}

fn write(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let (Some(index), Some(relation)) = (catalog.indexes.get(&oid), catalog.relations.get(&oid)) else {
        return;
    };
    let name = &step.node.identity;
    // That of a partitioned table is invalid as long as a partition has none.
    if !index.is_valid && relation.kind != 'I' {
        let why =
            format!("it is invalid, since its making failed: `REINDEX INDEX {name}` or `DROP INDEX {name}`");
        writer.refuse(step.node.noun(), why);
        return;
    }
    match &index.definition {
        Some(definition) => {
            let definition = hanging::if_not_exists(catalog, step.node.address, definition, "INDEX");
            writer.statement(Feature::Index, definition);
        }
        None => writer.nothing_to_make(),
    }
    for column in catalog.columns_of(oid) {
        let text =
            format!("ALTER INDEX {name} ALTER COLUMN {} SET STATISTICS {}", column.number, column.statistics);
        writer.statement(Feature::IndexStatistics, text);
    }
    let (Some(table), index_name) = (catalog.relation_name(index.table), super::name::quoted(&relation.name))
    else {
        return;
    };
    if index.is_clustered {
        let kind = kind(catalog, index.table);
        writer.statement(Feature::Clustered, format!("ALTER {kind} {table} CLUSTER ON {index_name}"));
    }
    if index.is_replica_identity {
        let text = format!("ALTER TABLE ONLY {table} REPLICA IDENTITY USING INDEX {index_name}");
        writer.statement(Feature::ReplicaIdentity, text);
    }
}

fn kind(catalog: &Catalog, table: Oid) -> &'static str {
    match catalog.relations.get(&table) {
        Some(relation) if relation.kind == 'm' => "MATERIALIZED VIEW",
        _ => "TABLE",
    }
}
