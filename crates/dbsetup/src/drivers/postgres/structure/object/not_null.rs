//! Not-null constraints: objects since release 18, before that a property of the column.

use super::column::Column;
use super::constraint::Constraint;
use super::relation::Relation;
use super::{Catalog, Feature, Oid, Step, Writer, name};

/// The longest name that the server keeps, in bytes.
const LONGEST: usize = 63;

/// Returns the name that the server gives to the not-null constraint of a column: the longer one of both names is
/// cut until all fits.
/// <https://www.postgresql.org/docs/current/sql-createtable.html>
pub fn default_name(table: &str, column: &str) -> String {
    const SUFFIX: &str = "_not_null";
    let (mut first, mut second) = (table.len(), column.len());
    // One byte for the blank between them.
    while first + second + 1 + SUFFIX.len() > LONGEST {
        if first > second {
            first -= 1;
        } else {
            second -= 1;
        }
    }
    format!("{}_{}{SUFFIX}", clipped(table, first), clipped(column, second))
}

/// Returns at most so many bytes of a text, and no half character.
fn clipped(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or_default()]
}

/// How a column of a table gets its not-null constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotNull {
    /// It has none, or an inherited one that is as the parent's.
    Nothing,
    /// In the definition of the column, or in a line of its own for a column that is not defined here: with a name
    /// where the server would choose another one.
    Clause { name: Option<String>, no_inherit: bool },
    /// A statement after the table: a column that is not defined here, and a name that the server chooses.
    Set,
    /// A statement after the table: the parent's column must not be null, this one may.
    Drop,
}

impl Catalog {
    /// Decides about a column of a table.
    pub fn not_null(&self, table: Oid, relation: &Relation, column: &Column) -> NotNull {
        let is_printed = column.is_local || relation.is_partition;
        let of_parents = || {
            self.inherits
                .parents(table)
                .iter()
                .filter_map(|parent| self.column_named(*parent, &column.name))
                .any(|column| column.not_null)
        };
        let inherits = !relation.is_partition && !self.is_adopted(table) && of_parents();
        if !self.facts.since(18) {
            return match (column.not_null, inherits) {
                (true, false) if is_printed => NotNull::Clause { name: None, no_inherit: false },
                (true, false) => NotNull::Set,
                (false, true) => NotNull::Drop,
                _ => NotNull::Nothing,
            };
        }
        let Some((_, constraint)) = self.constraints.not_null_of(table, column.number) else {
            return NotNull::Nothing;
        };
        let is_stated = constraint.is_local || relation.is_partition;
        if !is_stated || !constraint.is_valid {
            return NotNull::Nothing;
        }
        let is_default = constraint.name == default_name(&relation.name, &column.name)
            && !self.constraints.is_shared(relation, constraint)
            && !inherits;
        match is_default {
            true if !is_printed && !constraint.no_inherit => NotNull::Set,
            _ => NotNull::Clause {
                name: (!is_default).then(|| constraint.name.clone()),
                no_inherit: constraint.no_inherit,
            },
        }
    }
}

/// Returns the clause, with the name of the column where it does not stand in the column's definition.
pub fn clause(not_null: &NotNull, column: Option<&str>, writer: &mut Writer) -> Option<String> {
    let NotNull::Clause { name, no_inherit } = not_null else { return None };
    if !writer.on(Feature::NotNull) {
        return None;
    }
    let mut text = String::new();
    if let Some(name) = name
        && writer.on(Feature::NotNullName)
    {
        text = format!("CONSTRAINT {} ", name::quoted(name));
    }
    text.push_str("NOT NULL");
    if let Some(column) = column {
        text.push_str(&format!(" {}", name::quoted(column)));
    }
    if *no_inherit && writer.on(Feature::NotNullNoInherit) {
        text.push_str(" NO INHERIT");
    }
    Some(text)
}

/// Writes what is not part of the table's statement.
pub fn write(catalog: &Catalog, step: &Step<'_>, table: Oid, relation: &Relation, writer: &mut Writer) {
    for column in catalog.columns_of(table) {
        let (feature, what) = match catalog.not_null(table, relation, column) {
            NotNull::Set => (Feature::NotNull, "SET"),
            NotNull::Drop => (Feature::Nullable, "DROP"),
            _ => continue,
        };
        let (table, column) = (&step.node.identity, name::quoted(&column.name));
        writer.statement(feature, format!("ALTER TABLE ONLY {table} ALTER COLUMN {column} {what} NOT NULL"));
    }
}

/// Returns the statement that adds a constraint which does not hold for what is there already.
pub fn addition(catalog: &Catalog, constraint: &Constraint) -> Option<String> {
    let table = catalog.relation_name(constraint.relation)?;
    let column = name::quoted(catalog.column_name(constraint.relation, *constraint.columns.first()?)?);
    let inherit = if constraint.no_inherit { " NO INHERIT" } else { "" };
    let valid = if constraint.is_valid { "" } else { " NOT VALID" };
    let name = name::quoted(&constraint.name);
    Some(format!("ALTER TABLE {table} ADD CONSTRAINT {name} NOT NULL {column}{inherit}{valid}"))
}

/// Writes the constraint of a column of an extension's table, which may have one: no statement has a name for it then.
pub fn set(catalog: &Catalog, step: &Step<'_>, constraint: &Constraint, writer: &mut Writer) {
    let table = catalog.relations.get(&constraint.relation);
    let column = constraint.columns.first().and_then(|at| catalog.column_name(constraint.relation, *at));
    let (Some(table), Some(column)) = (table, column) else { return };
    if constraint.name != default_name(&table.name, column) || constraint.no_inherit || !constraint.is_valid {
        return writer
            .refuse(step.node.noun(), "it is on a table of an extension, and not as the server makes it");
    }
    let (table, column) = (catalog.qualified(table.schema, &table.name), name::quoted(column));
    writer
        .statement(Feature::NotNull, format!("ALTER TABLE ONLY {table} ALTER COLUMN {column} SET NOT NULL"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_name_is_cut_where_the_server_cuts_it() {
        assert_eq!(default_name("users", "name"), "users_name_not_null");
        let (table, column) = ("t".repeat(40), "c".repeat(30));
        // 53 bytes are left for both: the longer one loses first.
        assert_eq!(default_name(&table, &column), format!("{}_{}_not_null", "t".repeat(27), "c".repeat(26)));
        assert_eq!(default_name(&"t".repeat(60), "c"), format!("{}_c_not_null", "t".repeat(52)));
        let umlauts = default_name(&"ä".repeat(31), "cc");
        assert_eq!(umlauts, format!("{}_cc_not_null", "ä".repeat(25)));
    }
}
