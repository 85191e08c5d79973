//! What is set on columns after their table is made.

use super::column::Column;
use super::default::Handed;
use super::relation::Relation;
use super::{Catalog, Feature, Oid, Step, Writer, name, options};

/// Writes the properties of a table's columns, or of a materialized view's. `kind` is `TABLE` or what else the
/// statement says.
pub fn write(catalog: &Catalog, step: &Step<'_>, kind: &str, writer: &mut Writer) {
    let oid = step.node.address.oid;
    let Some(relation) = catalog.relations.get(&oid) else { return };
    let head = |column: &Column| {
        let only = if kind == "MATERIALIZED VIEW" { "" } else { "ONLY " };
        format!("ALTER {kind} {only}{} ALTER COLUMN {}", step.node.identity, name::quoted(&column.name))
    };
    for column in catalog.columns_of(oid) {
        if loses_default(catalog, oid, relation, column) {
            writer.statement(Feature::NoDefault, format!("{} DROP DEFAULT", head(column)));
        }
        if column.has_own_storage && column.storage != ' ' {
            match storage(column.storage) {
                Some(word) => {
                    writer.statement(Feature::ColumnStorage, format!("{} SET STORAGE {word}", head(column)));
                }
                None => unknown(step, column, "storage", column.storage, writer),
            }
        }
        match column.compression {
            ' ' => {}
            'p' | 'l' => {
                let word = if column.compression == 'p' { "pglz" } else { "lz4" };
                writer.statement(
                    Feature::ColumnCompression,
                    format!("{} SET COMPRESSION {word}", head(column)),
                );
            }
            other => unknown(step, column, "compression", other, writer),
        }
        if column.statistics >= 0 {
            let text = format!("{} SET STATISTICS {}", head(column), column.statistics);
            writer.statement(Feature::ColumnStatistics, text);
        }
        if !column.options.is_empty() {
            let text = format!("{} SET ({})", head(column), options::storage("", &column.options));
            writer.statement(Feature::ColumnOption, text);
        }
        if !column.foreign_options.is_empty() {
            let (name, text) = (name::quoted(&column.name), options::foreign(&column.foreign_options));
            let table = &step.node.identity;
            let text = format!("ALTER FOREIGN TABLE ONLY {table} ALTER COLUMN {name} OPTIONS ({text})");
            writer.statement(Feature::ForeignColumnOption, text);
        }
    }
}

/// Whether a column that is not defined here has no default, but its parent's has.
fn loses_default(catalog: &Catalog, table: Oid, relation: &Relation, column: &Column) -> bool {
    !column.is_local
        && !relation.is_partition
        && catalog.defaults.of(table, column.number).is_none()
        && matches!(catalog.handed_down(table, &column.name), Handed::Expression(_, false, _))
}

fn unknown(step: &Step<'_>, column: &Column, what: &str, letter: char, writer: &mut Writer) {
    writer.refuse(
        step.node.noun(),
        format!("the {what} `{letter}` of its column `{}` is not known", column.name),
    );
}

fn storage(letter: char) -> Option<&'static str> {
    Some(match letter {
        'p' => "PLAIN",
        'e' => "EXTERNAL",
        'm' => "MAIN",
        'x' => "EXTENDED",
        _ => return None,
    })
}
