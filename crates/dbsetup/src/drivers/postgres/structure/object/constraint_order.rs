//! The order of constraints among tables that inherit from each other: a child that is made after a constraint of its
//! parent has it as one that holds, a child that was there before has it as it is.

use super::constraint::Constraint;
use super::{Address, Catalog, Oid, class, relation};

impl Catalog {
    /// What a child has of its parent's constraint: checks are the same by their name, not-null constraints by the
    /// column's. Nothing if the child declares it as well.
    fn heir(&self, child: Oid, constraint: &Constraint) -> Option<&Constraint> {
        let heir = if constraint.kind == 'n' {
            let column = self.column_name(constraint.relation, *constraint.columns.first()?)?;
            self.constraints.not_null_of(child, self.column_named(child, column)?.number)?.1
        } else {
            let oid = self.constraints.by_name.get(&(child, constraint.name.clone()))?;
            self.constraints.by_oid.get(oid)?
        };
        (!heir.is_local).then_some(heir)
    }
}

/// What has to be there before a constraint of a parent: children, if it does not hold yet, since one that is made later
/// would have it as one that holds; and copies of a foreign key that have names of their own, which it takes over.
pub fn heirs(catalog: &Catalog, oid: Oid, constraint: &Constraint) -> Vec<Address> {
    if constraint.kind == 'f' {
        let copies = catalog.constraints.own_copies.get(&oid);
        return copies.into_iter().flatten().map(|copy| Address::new(class::CONSTRAINT, *copy)).collect();
    }
    if constraint.is_valid || !constraint.is_enforced {
        return Vec::new();
    }
    let waits = |child: &&Oid| {
        let is_partition = catalog.relations.get(*child).is_some_and(|child| child.is_partition);
        !is_partition && catalog.heir(**child, constraint).is_some_and(|heir| !heir.is_valid)
    };
    let children = catalog.inherits.children(constraint.relation);
    children.iter().filter(waits).map(|child| relation::address(*child)).collect()
}

/// The constraints of parents that an inherited one which does not hold yet is made with.
pub fn testators(catalog: &Catalog, constraint: &Constraint) -> Vec<Address> {
    let parents = catalog.inherits.parents(constraint.relation);
    let unproved = parents.iter().filter_map(|parent| catalog.constraints.unproved.get(parent)).flatten();
    let is_testator = |oid: &&Oid| {
        let of_parent = catalog.constraints.by_oid.get(*oid);
        of_parent
            .and_then(|of_parent| catalog.heir(constraint.relation, of_parent))
            .is_some_and(|heir| std::ptr::eq(heir, constraint) && !heir.is_valid)
    };
    unproved.filter(is_testator).map(|oid| Address::new(class::CONSTRAINT, *oid)).collect()
}

/// The constraints of parents that have to be there before a child is made, which has them as ones that hold.
pub fn ancestors(catalog: &Catalog, table: Oid) -> Vec<Address> {
    let unproved = &catalog.constraints.unproved;
    let of_parents =
        catalog.inherits.parents(table).iter().filter_map(|parent| unproved.get(parent)).flatten();
    let before = |oid: &&Oid| {
        let constraint = catalog.constraints.by_oid.get(*oid);
        constraint.and_then(|constraint| catalog.heir(table, constraint)).is_some_and(|heir| heir.is_valid)
    };
    of_parents.filter(before).map(|oid| Address::new(class::CONSTRAINT, *oid)).collect()
}
