//! Columns as lines of the statement that makes their table.

use super::column::Column;
use super::default::Handed;
use super::not_null::{self, NotNull};
use super::relation::Relation;
use super::{Address, Catalog, Feature, Oid, Step, Writer, class, name, relation};

/// Returns the lines of a table's columns.
pub fn lines(catalog: &Catalog, step: &Step<'_>, table: &Relation, writer: &mut Writer) -> Vec<String> {
    let oid = step.node.address.oid;
    let mut lines = Vec::new();
    for column in in_order(catalog, oid) {
        let not_null = catalog.not_null(oid, table, column);
        if !column.is_local && !table.is_partition {
            // The parent has the column; only what the server cannot say afterwards stands here.
            lines.extend(not_null::clause(&not_null, Some(&column.name), writer));
        } else {
            lines.extend(line(catalog, step, table, column, &not_null, writer));
        }
    }
    lines
}

/// Refuses a child of several parents that do not agree about a column: the server makes none. It got there by changes
/// of its parents.
pub fn check_parents(catalog: &Catalog, step: &Step<'_>, table: &Relation, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let parents = catalog.inherits.parents(oid);
    if parents.len() < 2 || table.is_partition {
        return;
    }
    for column in catalog.columns_of(oid) {
        let of_parents: Vec<&Column> =
            parents.iter().filter_map(|parent| catalog.column_named(*parent, &column.name)).collect();
        let differ = |property: fn(&Column) -> char| {
            let mut values = of_parents.iter().map(|column| property(column)).filter(|value| *value != ' ');
            values.next().is_some_and(|first| values.any(|other| other != first))
        };
        let what = if differ(|column| column.storage) {
            "storage"
        } else if differ(|column| column.compression) {
            "compression"
        } else if !column.is_local && catalog.handed_down(oid, &column.name) == Handed::Conflict {
            "default"
        } else {
            continue;
        };
        let why = format!("its parents do not agree about the {what} of its column `{}`", column.name);
        writer.refuse(step.node.noun(), why);
    }
}

/// Returns the line of a column. A column of a typed table has none if it is as the type says.
fn line(
    catalog: &Catalog,
    step: &Step<'_>,
    table: &Relation,
    column: &Column,
    not_null: &NotNull,
    writer: &mut Writer,
) -> Option<String> {
    let oid = step.node.address.oid;
    let is_typed = table.of_type != 0;
    let mut text = name::quoted(&column.name);
    if is_typed {
        text.push_str(" WITH OPTIONS");
    } else {
        text.push_str(&format!(" {}", column.type_name));
        if let Some((schema, collation)) = &column.own_collation
            && writer.on(Feature::ColumnCollation)
        {
            text.push_str(&format!(" COLLATE {}.{}", name::quoted(schema), name::quoted(collation)));
        }
    }
    let mut properties = Vec::new();
    if let Some(default) = catalog.defaults.of(oid, column.number) {
        properties.extend(of_part(catalog, step, Address::new(class::DEFAULT, default), writer));
    } else if !matches!(
        catalog.handed_down(oid, &column.name),
        Handed::Nothing | Handed::Expression(_, true, _)
    ) && writer.on(Feature::NoDefault)
    {
        properties.push("DEFAULT NULL".to_owned());
    }
    if let Some(sequence) = catalog.sequences.of_identity.get(&(oid, column.number)) {
        properties.extend(of_part(catalog, step, relation::address(*sequence), writer));
    }
    properties.extend(not_null::clause(not_null, None, writer));
    if is_typed && properties.is_empty() {
        return None;
    }
    for property in properties {
        text.push(' ');
        text.push_str(&property);
    }
    Some(text)
}

/// Returns the clause of an object that is part of a column, if it is written here.
fn of_part(catalog: &Catalog, step: &Step<'_>, part: Address, writer: &mut Writer) -> Option<String> {
    let node = step.clause(part)?;
    writer.clause(catalog, node)
}

/// Returns the columns in the order that the server will give them: those of the parents first. So that a dump of
/// what is loaded from the file is the same file.
fn in_order(catalog: &Catalog, table: Oid) -> Vec<&Column> {
    let order = names_in_order(catalog, table);
    let columns = catalog.columns_of(table);
    if order.is_empty() || catalog.is_adopted(table) {
        return columns.iter().collect();
    }
    let place = |column: &&Column| order.iter().position(|name| *name == column.name);
    let mut sorted: Vec<&Column> = columns.iter().collect();
    // Own columns keep their order, behind the others.
    sorted.sort_by_key(|column| place(column).unwrap_or(usize::MAX));
    sorted
}

/// Returns the names of the columns that come from parents, as they will stand.
pub fn names_in_order(catalog: &Catalog, table: Oid) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    if catalog.relations.get(&table).is_some_and(|relation| relation.is_partition) {
        return names;
    }
    for parent in catalog.inherits.parents(table) {
        // What the parent has got from its own parents stands first, unless it joined them later.
        let joins = catalog.is_adopted(*parent);
        let inherited = if joins { Vec::new() } else { names_in_order(catalog, *parent) };
        let of_parent = catalog.columns_of(*parent).iter().map(|column| column.name.as_str());
        for name in inherited.into_iter().chain(of_parent) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
