//! Names of options of relations and columns.
//!
//! A writer prints options as they stand, name and value, so that a new one is not lost. But a server may keep there
//! what is nobody's wish and differs from one database to the next: a name that is not known stops the dump. What an
//! extension's access method or operator class calls its options is the extension's affair, and is printed. Options
//! of foreign tables, servers and dictionaries are free text by design.

use super::doubt::Doubt;
use super::rows::FIRST_USER_OID;
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::script::Row;
use crate::drivers::postgres::structure::address::class::RELATION;
use crate::drivers::postgres::text::literal;

/// Options of tables, materialized views and the storage of their long values.
/// <https://www.postgresql.org/docs/current/sql-createtable.html#SQL-CREATETABLE-STORAGE-PARAMETERS>
const TABLE: [&str; 24] = [
    "autovacuum_analyze_scale_factor",
    "autovacuum_analyze_threshold",
    "autovacuum_enabled",
    "autovacuum_freeze_max_age",
    "autovacuum_freeze_min_age",
    "autovacuum_freeze_table_age",
    "autovacuum_multixact_freeze_max_age",
    "autovacuum_multixact_freeze_min_age",
    "autovacuum_multixact_freeze_table_age",
    "autovacuum_vacuum_cost_delay",
    "autovacuum_vacuum_cost_limit",
    "autovacuum_vacuum_insert_scale_factor",
    "autovacuum_vacuum_insert_threshold",
    "autovacuum_vacuum_max_threshold",
    "autovacuum_vacuum_scale_factor",
    "autovacuum_vacuum_threshold",
    "fillfactor",
    "log_autovacuum_min_duration",
    "parallel_workers",
    "toast_tuple_target",
    "user_catalog_table",
    "vacuum_index_cleanup",
    "vacuum_max_eager_freeze_failure_rate",
    "vacuum_truncate",
];

/// <https://www.postgresql.org/docs/current/sql-createview.html>
const VIEW: [&str; 3] = ["check_option", "security_barrier", "security_invoker"];

/// <https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-STORAGE-PARAMETERS>
const INDEX: [&str; 8] = [
    "autosummarize",
    "buffering",
    "deduplicate_items",
    "fastupdate",
    "fillfactor",
    "gin_pending_list_limit",
    "pages_per_range",
    "vacuum_cleanup_index_scale_factor",
];

/// Of columns of tables; of columns of indexes, where the server's own operator classes take them.
/// <https://www.postgresql.org/docs/current/sql-altertable.html>
/// <https://www.postgresql.org/docs/current/brin.html>
const COLUMN: [&str; 6] = [
    "false_positive_rate",
    "n_distinct",
    "n_distinct_inherited",
    "n_distinct_per_range",
    "siglen",
    "values_per_range",
];

/// What some minor releases keep for a column by themselves, with another number in each database.
pub const VOLATILE: &str = "pg_attver";

/// Where the letter of a relation's kind would stand.
const OF_COLUMN: &str = "column";

/// Columns of relations and of indexes whose operator classes are all the server's own.
fn columns_condition() -> String {
    format!(
        "x.attrelid >= {FIRST_USER_OID} AND x.attoptions IS NOT NULL \
         AND o.option NOT LIKE '{VOLATILE}=%' AND NOT EXISTS (SELECT FROM pg_catalog.pg_index i, \
         pg_catalog.unnest(i.indclass) opclass (oid) WHERE i.indexrelid = x.attrelid \
         AND opclass.oid >= {FIRST_USER_OID})"
    )
}

/// Relations whose access method, if they have one, is the server's own.
fn relations_condition() -> String {
    format!("x.oid >= {FIRST_USER_OID} AND x.reloptions IS NOT NULL AND x.relam < {FIRST_USER_OID}")
}

/// Returns the query for the names that are used: (kind of relation or `column`, name).
pub fn query() -> String {
    let name = "pg_catalog.split_part(o.option, '=', 1)";
    format!(
        "SELECT DISTINCT x.relkind::pg_catalog.text, {name} FROM pg_catalog.pg_class x, \
         pg_catalog.unnest(x.reloptions) o (option) WHERE {} UNION ALL SELECT DISTINCT '{OF_COLUMN}', {name} \
         FROM pg_catalog.pg_attribute x, pg_catalog.unnest(x.attoptions) o (option) WHERE {}",
        relations_condition(),
        columns_condition()
    )
}

/// Returns the doubts about names in the rows of [`query`] that are not known.
pub fn doubts(rows: &[Row]) -> Vec<Doubt> {
    rows.iter()
        .map(|row| (cell(row, 0), cell(row, 1)))
        .filter(|(kind, name)| !is_known(kind, name))
        .map(|(kind, name)| doubt(&kind, &name))
        .collect()
}

fn is_known(kind: &str, name: &str) -> bool {
    match kind {
        "r" | "p" | "m" | "t" => TABLE.contains(&name),
        "v" => VIEW.contains(&name),
        "i" | "I" => INDEX.contains(&name),
        OF_COLUMN => COLUMN.contains(&name),
        _ => false,
    }
}

fn doubt(kind: &str, name: &str) -> Doubt {
    let is_it = format!("pg_catalog.split_part(o.option, '=', 1) = {}", literal(name));
    let (what, query) = if kind == OF_COLUMN {
        let query = format!(
            "SELECT {RELATION}::pg_catalog.oid, pg_catalog.array_agg(DISTINCT x.attrelid) \
             FROM pg_catalog.pg_attribute x, pg_catalog.unnest(x.attoptions) o (option) WHERE {} AND {is_it}",
            columns_condition()
        );
        (format!("the column option `{name}`"), query)
    } else {
        // Where long values are stored is part of a table.
        let query = format!(
            "SELECT {RELATION}::pg_catalog.oid, pg_catalog.array_agg(DISTINCT CASE x.relkind WHEN 't' THEN \
             (SELECT c.oid FROM pg_catalog.pg_class c WHERE c.reltoastrelid = x.oid) ELSE x.oid END) \
             FROM pg_catalog.pg_class x, pg_catalog.unnest(x.reloptions) o (option) \
             WHERE {} AND x.relkind = {} AND {is_it}",
            relations_condition(),
            literal(kind)
        );
        (format!("the storage option `{name}`"), query)
    };
    Doubt { what, query, is_new: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_where_it_belongs_and_nowhere_else() {
        let row = |kind: &str, name: &str| -> Row { vec![Some(kind.into()), Some(name.into())] };
        let rows = [
            row("r", "fillfactor"),
            row("t", "autovacuum_enabled"),
            row("v", "security_invoker"),
            row("v", "fillfactor"),
            row("I", "fastupdate"),
            row("column", "n_distinct"),
            row("column", "pg_attnew"),
            row("S", "fillfactor"),
        ];
        let whats: Vec<String> = doubts(&rows).into_iter().map(|doubt| doubt.what).collect();
        assert_eq!(
            whats,
            [
                "the storage option `fillfactor`",
                "the column option `pg_attnew`",
                "the storage option `fillfactor`"
            ]
        );
    }
}
