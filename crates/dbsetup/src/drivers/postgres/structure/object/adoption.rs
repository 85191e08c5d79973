//! Children that are made as tables of their own, and joined with their parents afterwards.
//!
//! The server puts the columns of the parents first when it makes a child. A table that joined its parents later has them
//! where they were, and so has a child whose parent got a column later. The former is written as it happened. The latter
//! cannot be: only a column that is new in the parent is inherited and stands behind the child's own.

use super::{Catalog, Oid, column_definition};

impl Catalog {
    /// Whether a table is written as one that joins its parents later: its columns stand in an order that no child is
    /// made with, and everything that it has of its parents it declares itself.
    pub fn is_adopted(&self, table: Oid) -> bool {
        moves_columns(self, table) && declares_all(self, table)
    }
}

/// Whether the columns of a child would stand in another order if it were made as one.
fn moves_columns(catalog: &Catalog, table: Oid) -> bool {
    let order = column_definition::names_in_order(catalog, table);
    let columns = catalog.columns_of(table).iter().map(|column| column.name.as_str());
    // Its own stand behind those of the parents, in an order of their own.
    !columns.take(order.len()).eq(order)
}

fn declares_all(catalog: &Catalog, table: Oid) -> bool {
    let declares_column = |name: &str| {
        let column = catalog.column_named(table, name);
        column.is_some_and(|column| {
            let not_null = catalog.constraints.not_null_of(table, column.number);
            column.is_local
                && not_null.is_none_or(|(_, constraint)| constraint.is_local && constraint.is_valid)
        })
    };
    let declares_check = |name: &str| {
        let oid = catalog.constraints.by_name.get(&(table, name.to_owned()));
        let constraint = oid.and_then(|oid| catalog.constraints.by_oid.get(oid));
        constraint
            .is_some_and(|constraint| constraint.is_local && constraint.is_valid && constraint.is_enforced)
    };
    let is_typed = catalog.relations.get(&table).is_none_or(|relation| relation.of_type != 0);
    !is_typed
        && catalog.inherits.parents(table).iter().all(|parent| {
            catalog.columns_of(*parent).iter().all(|column| declares_column(&column.name))
                && catalog.constraints.checks_for_children(*parent).all(|check| declares_check(&check.name))
        })
}

/// Returns what a user is told of a child whose columns will stand elsewhere.
pub fn note(catalog: &Catalog, table: Oid, noun: &str) -> Option<String> {
    (moves_columns(catalog, table) && !catalog.is_adopted(table)).then(|| {
        format!(
            "{noun} gets its columns in another order: those of its parents come first when it is made anew"
        )
    })
}
