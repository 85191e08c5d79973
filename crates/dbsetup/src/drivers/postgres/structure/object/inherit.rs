//! Who inherits from whom, and the attachment of partitions.
//!
//! A partition is made as a table of its own, with all its columns, keys and indexes. Behind the last partition stands
//! a second block of the partitioned table: it attaches the partitions, and only then come the keys and indexes of the
//! partitioned table: made earlier, each attachment would make an index with a name of the server's choice. Last, the
//! indexes of the partitions are attached to them by name.

use std::collections::HashMap;

use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Write, Writer,
    class, relation,
};

pub const FAMILY: Family = Family { queries, nodes };

/// `pg_inherits`.
#[derive(Debug, Default)]
pub struct Inherits {
    /// Each child's parents, in their order.
    parents: HashMap<Oid, Vec<Oid>>,
    /// Each partitioned table's partitions, and each partitioned index's.
    partitions: HashMap<Oid, Vec<Oid>>,
    /// Partitions that are being taken out, and stayed halfway.
    leaving: Vec<Oid>,
}

impl Inherits {
    /// The relations that one inherits from, in the order of their inheritance.
    pub fn parents(&self, child: Oid) -> &[Oid] {
        self.parents.get(&child).map_or(&[], Vec::as_slice)
    }

    /// The relations that inherit from one.
    pub fn children(&self, parent: Oid) -> &[Oid] {
        self.partitions.get(&parent).map_or(&[], Vec::as_slice)
    }

    /// Whether a partition is halfway out.
    pub fn is_leaving(&self, partition: Oid) -> bool {
        self.leaving.contains(&partition)
    }
}

fn queries(facts: &Facts) -> Vec<Query> {
    vec![Query::new(
        format!(
            "SELECT i.inhrelid, i.inhparent, {} FROM pg_catalog.pg_inherits i WHERE i.inhrelid >= 16384 \
             ORDER BY i.inhrelid, i.inhseqno",
            facts.either(14, "i.inhdetachpending", "false")
        ),
        take,
    )]
}

fn take(catalog: &mut Catalog, row: &mut Cells<'_>) {
    let (child, parent, is_leaving) = (row.oid(), row.oid(), row.flag());
    catalog.inherits.parents.entry(child).or_default().push(parent);
    catalog.inherits.partitions.entry(parent).or_default().push(child);
    if is_leaving {
        catalog.inherits.leaving.push(child);
    }
}

/// The address of the attachment of a partition, or of a partition's index.
fn attachment(child: Oid) -> Address {
    Address::new(class::INHERITS, child)
}

/// The block in which the keys and indexes of a table stand: its own, or that behind its partitions.
pub fn block(catalog: &Catalog, table: Oid) -> Address {
    match catalog.relations.get(&table) {
        Some(relation) if relation.kind == 'p' => Address::new(class::PARTITIONED_TABLE, table),
        _ => relation::address(table),
    }
}

/// The attachments of a partitioned table's partitions: what must stand before its indexes.
pub fn attachments(catalog: &Catalog, table: Oid) -> Vec<Address> {
    match catalog.relations.get(&table) {
        Some(relation) if relation.kind == 'p' => {
            catalog.inherits.children(table).iter().map(|child| attachment(*child)).collect()
        }
        _ => Vec::new(),
    }
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, relation) in catalog.relations.iter().filter(|(_, relation)| relation.kind == 'p') {
        let (address, table) = (block(catalog, *oid), relation::address(*oid));
        graph.part(address, table);
        if catalog.is_member(table) {
            continue;
        }
        let schema = catalog.schema_name(relation.schema);
        let key = Key::new(Rank::Table, [schema, relation.name.as_str(), "partitions"]);
        let identity = catalog.qualified(relation.schema, &relation.name);
        let mut node =
            Node::new(address, key, "PARTITIONS OF", identity, |_, _, _| {}).in_schema(relation.schema);
        node.after = vec![table];
        graph.add(node);
    }
    // The keys and indexes of a partition are made before those of the partitioned table.
    for depend in &catalog.depends {
        if depend.kind == 'P' && matches!(depend.from.class, class::RELATION | class::CONSTRAINT) {
            graph.cut(depend.from, depend.to);
        }
    }
    for (child, parents) in &catalog.inherits.parents {
        let [parent] = parents.as_slice() else { continue };
        let (Some(of), Some(relation)) = (catalog.relations.get(parent), catalog.relations.get(child)) else {
            continue;
        };
        // Whoever leaves the partition out leaves its attachment out, and an extension attaches what it makes.
        graph.part(attachment(*child), relation::address(*child));
        if catalog.is_member(relation::address(*child)) {
            continue;
        }
        let (rank, table, write): (_, _, Write) = match of.kind {
            'p' => (Rank::Attachment, *parent, write_partition),
            'I' => {
                let Some(index) = catalog.indexes.get(parent) else { continue };
                (Rank::IndexAttachment, index.table, write_index)
            }
            _ => continue,
        };
        let key = Key::new(
            rank,
            [
                catalog.schema_name(of.schema),
                of.name.as_str(),
                catalog.schema_name(relation.schema),
                relation.name.as_str(),
            ],
        );
        let identity = catalog.qualified(relation.schema, &relation.name);
        let mut node = Node::new(attachment(*child), key, "PARTITION", identity, write)
            .in_schema(relation.schema)
            .in_block(block(catalog, table));
        node.after = vec![relation::address(*parent), relation::address(*child)];
        graph.add(node);
    }
}

fn names(catalog: &Catalog, child: Oid) -> Option<(String, String)> {
    let parent = *catalog.inherits.parents(child).first()?;
    Some((catalog.relation_name(parent)?, catalog.relation_name(child)?))
}

fn write_partition(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    let child = step.node.address.oid;
    let Some((parent, name)) = names(catalog, child) else { return };
    if catalog.inherits.is_leaving(child) {
        let why = format!(
            "it is halfway out of {parent}: end that first, `ALTER TABLE {parent} DETACH PARTITION {name} FINALIZE`"
        );
        writer.refuse(step.node.noun(), why);
    }
    let Some(bound) = catalog.relations.get(&child).and_then(|relation| relation.partition_bound.as_deref())
    else {
        writer.refuse(step.node.noun(), "it has no bounds");
        return;
    };
    writer
        .statement(Feature::Partition, format!("ALTER TABLE ONLY {parent} ATTACH PARTITION {name} {bound}"));
}

fn write_index(catalog: &Catalog, step: &Step<'_>, writer: &mut Writer) {
    if let Some((parent, name)) = names(catalog, step.node.address.oid) {
        writer.statement(Feature::IndexPartition, format!("ALTER INDEX {parent} ATTACH PARTITION {name}"));
    }
}
