//! Who inherits from whom, and the attachment of partitions.
//!
//! A partition is made as a table of its own, with all its columns, keys and indexes. Behind the last partition of a
//! tree stands a second block of its root. It attaches the partitions, from the root on, since some properties go one
//! step down with each attachment. Only then come the keys and indexes of partitioned tables: made earlier, each
//! attachment would make an index with a name of the server's choice. Last, the indexes of the partitions are attached
//! by name.

use std::collections::HashMap;

use super::relation::Relation;
use super::{
    Address, Catalog, Cells, Facts, Family, Feature, Graph, Key, Node, Oid, Query, Rank, Step, Write, Writer,
    class, relation,
};

pub const FAMILY: Family = Family { of: &["pg_inherits"], queries, nodes };

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

/// The block in which the keys and indexes of a table stand: its own, or that behind all partitions of its tree.
pub fn block(catalog: &Catalog, table: Oid) -> Address {
    match catalog.relations.get(&table) {
        Some(relation) if relation.kind == 'p' => {
            Address::new(class::PARTITIONED_TABLE, root(catalog, table))
        }
        _ => relation::address(table),
    }
}

/// The partitioned table at the top of a table's tree.
fn root(catalog: &Catalog, table: Oid) -> Oid {
    let mut root = table;
    while catalog.relations.get(&root).is_some_and(|relation| relation.is_partition)
        && let Some(parent) = catalog.inherits.parents(root).first()
    {
        root = *parent;
    }
    root
}

/// What the keys and indexes of a partitioned table need: that all partitions of its tree are attached.
pub fn attached(catalog: &Catalog, table: Oid) -> Option<Address> {
    let is_partitioned = catalog.relations.get(&table).is_some_and(|relation| relation.kind == 'p');
    // The root is no partition, so its own identifier stands for all.
    is_partitioned.then(|| attachment(root(catalog, table)))
}

fn nodes(catalog: &Catalog, graph: &mut Graph) {
    for (oid, relation) in
        catalog.relations.iter().filter(|(_, relation)| relation.kind == 'p' && !relation.is_partition)
    {
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
        graph.add(all_attached(catalog, *oid, relation));
        graph.part(attachment(*oid), table);
    }
    // The keys and indexes of a partition are made before those of the partitioned table.
    for depend in &catalog.depends {
        let is_of_partition = match depend.from.class {
            class::RELATION | class::CONSTRAINT => true,
            // A foreign key makes its triggers.
            class::TRIGGER => {
                catalog.internal.get(&depend.from).is_some_and(|of| of.class == class::CONSTRAINT)
            }
            _ => false,
        };
        if depend.kind == 'P' && is_of_partition {
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
        if of.is_partition && rank == Rank::Attachment {
            node.after.push(attachment(*parent));
        }
        graph.add(node);
    }
}

/// A node that writes nothing: it stands behind the attachments of all partitions of a tree.
fn all_attached(catalog: &Catalog, root: Oid, relation: &Relation) -> Node {
    // Behind all names of tables.
    let key =
        Key::new(Rank::Attachment, ["\u{10ffff}", catalog.schema_name(relation.schema), &relation.name]);
    let identity = catalog.qualified(relation.schema, &relation.name);
    let mut node = Node::new(attachment(root), key, "PARTITIONS OF", identity, |_, _, _| {})
        .in_schema(relation.schema)
        .in_block(block(catalog, root));
    let mut next = vec![root];
    while let Some(table) = next.pop() {
        for partition in catalog.inherits.children(table) {
            node.after.push(attachment(*partition));
            if catalog.relations.get(partition).is_some_and(|relation| relation.kind == 'p') {
                next.push(*partition);
            }
        }
    }
    node
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
