//! Which catalogs hold anything that users made. Most databases have no operators, casts, publications: what is not
//! there need not be asked for, and a query costs its planning even when it finds nothing.

use std::collections::HashSet;

use super::address::FIRST_USER_OID;
use super::cells;

/// Catalogs, and the column that says whose a row is. Indexes begin with these columns, so that a look is short.
const LOOKED_AT: &[(&str, &str)] = &[
    ("pg_aggregate", "aggfnoid"),
    ("pg_am", "oid"),
    ("pg_amop", "oid"),
    ("pg_amproc", "oid"),
    ("pg_attrdef", "oid"),
    ("pg_cast", "oid"),
    ("pg_collation", "oid"),
    ("pg_constraint", "oid"),
    ("pg_conversion", "oid"),
    ("pg_default_acl", "oid"),
    ("pg_enum", "oid"),
    ("pg_event_trigger", "oid"),
    ("pg_extension", "oid"),
    ("pg_foreign_data_wrapper", "oid"),
    ("pg_foreign_server", "oid"),
    ("pg_foreign_table", "ftrelid"),
    ("pg_inherits", "inhrelid"),
    ("pg_language", "oid"),
    ("pg_opclass", "oid"),
    ("pg_operator", "oid"),
    ("pg_opfamily", "oid"),
    ("pg_partitioned_table", "partrelid"),
    ("pg_policy", "oid"),
    ("pg_proc", "oid"),
    ("pg_publication", "oid"),
    ("pg_publication_rel", "oid"),
    ("pg_range", "rngtypid"),
    ("pg_rewrite", "oid"),
    ("pg_sequence", "seqrelid"),
    ("pg_statistic_ext", "oid"),
    ("pg_transform", "oid"),
    ("pg_trigger", "oid"),
    ("pg_ts_config", "oid"),
    ("pg_ts_dict", "oid"),
    ("pg_ts_parser", "oid"),
    ("pg_ts_template", "oid"),
];

/// Catalogs that were looked at and hold nothing of users.
#[derive(Debug, Clone, Default)]
pub struct Empty(HashSet<&'static str>);

/// The query: one array of truth values.
pub fn query() -> String {
    let looks: Vec<String> = LOOKED_AT
        .iter()
        .map(|(catalog, key)| {
            format!("EXISTS (SELECT FROM pg_catalog.{catalog} x WHERE x.{key} >= {FIRST_USER_OID})")
        })
        .collect();
    format!("SELECT ARRAY[{}]", looks.join(", "))
}

impl Empty {
    /// Reads the answer.
    pub fn read(answer: &str) -> Self {
        let found = cells::array(answer);
        let pairs = LOOKED_AT.iter().zip(&found);
        Self(
            pairs
                .filter(|(_, found)| found.as_deref() == Some("f"))
                .map(|((catalog, _), _)| *catalog)
                .collect(),
        )
    }

    /// Whether a catalog is known to hold nothing of users.
    pub fn has(&self, catalog: &str) -> bool {
        self.0.contains(catalog)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_seen_to_be_empty_is_empty() {
        let mut answer = vec!["t"; LOOKED_AT.len()];
        answer[1] = "f";
        let empty = Empty::read(&format!("{{{}}}", answer.join(",")));
        assert!(empty.has("pg_am") && !empty.has("pg_aggregate") && !empty.has("pg_class"));
        assert!(!Empty::read("").has("pg_am"));
    }
}
