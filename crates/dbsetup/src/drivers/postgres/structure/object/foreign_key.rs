//! Foreign keys of partitioned tables that hold in some of the partitions.

use super::constraint::Constraint;
use super::{Catalog, Feature, Oid, Writer, name};

/// Writes which partitions a foreign key holds in, where it does not hold in all. Since release 18 a partitioned table may
/// have one that is not valid; what is made with it in the partitions is not either.
pub fn validate_copies(catalog: &Catalog, oid: Oid, writer: &mut Writer) {
    let all = &catalog.constraints.by_oid;
    let Some(original) = all.get(&oid) else { return };
    if original.kind != 'f' || original.is_valid || !original.is_enforced {
        return;
    }
    // Those of the same table are for partitions of the table that is referred to.
    let is_copy = |copy: &Constraint| copy.parent == oid && copy.relation != original.relation;
    let copies = all.iter().filter(|(_, copy)| is_copy(copy) && !catalog.is_own_copy(copy));
    let mut copies: Vec<(String, Oid)> =
        copies.filter_map(|(oid, copy)| Some((catalog.relation_name(copy.relation)?, *oid))).collect();
    copies.sort();
    for (table, oid) in copies {
        match all.get(&oid) {
            // It holds in the partitions of the partition as well.
            Some(copy) if copy.is_valid => {
                let name = name::quoted(&copy.name);
                let statement = format!("ALTER TABLE {table} VALIDATE CONSTRAINT {name}");
                writer.statement(Feature::PartitionForeignKeyValid, statement);
            }
            _ => validate_copies(catalog, oid, writer),
        }
    }
}
