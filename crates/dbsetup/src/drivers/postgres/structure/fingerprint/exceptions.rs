//! The written list of what two databases of one structure may differ in, each with its reason, as narrow as it can be.

use super::shape::{Means, Shape};
use crate::driver::DumpRequest;

/// Catalogs that hold no structure: data, statistics about data, and what all databases of a server share.
const OUTSIDE: [(&str, &str); 6] = [
    ("pg_largeobject", "data"),
    ("pg_largeobject_metadata", "data: a large object has no name, only a number"),
    ("pg_statistic", "what ANALYZE found in the data"),
    ("pg_statistic_ext_data", "what ANALYZE found in the data"),
    ("pg_subscription_rel", "how far the copying of data has come"),
    ("pg_init_privs", "written by CREATE EXTENSION, for its own members"),
];

/// Columns that say something else than the structure.
///
/// Those that depend on the value stand beside it: `is_exempt` in [`super::facts`], and nameless rows in
/// [`super::names`].
const COLUMNS: [(&str, &str, &str); 38] = [
    ("pg_class", "relfilenode", "the file"),
    ("pg_class", "reltablespace", "where files lie is the server's, not the structure's"),
    ("pg_class", "relpages", "statistics"),
    ("pg_class", "reltuples", "statistics"),
    ("pg_class", "relallvisible", "statistics"),
    ("pg_class", "relallfrozen", "statistics"),
    (
        "pg_class",
        "reltoastrelid",
        "a table keeps it when its last long column goes; its options are compared",
    ),
    ("pg_class", "relhasindex", "a hint that is reset some time after the last index has gone"),
    ("pg_class", "relhasrules", "a hint that is reset some time after the last rule has gone"),
    ("pg_class", "relhastriggers", "a hint that is reset some time after the last trigger has gone"),
    ("pg_class", "relhassubclass", "a hint that is reset some time after the last child has gone"),
    ("pg_class", "relnatts", "counts columns that were dropped"),
    ("pg_class", "relispopulated", "data: a materialized view is loaded without them"),
    ("pg_class", "relrewrite", "a rewrite that is under way"),
    ("pg_class", "relfrozenxid", "transactions"),
    ("pg_class", "relminmxid", "transactions"),
    ("pg_attribute", "attcacheoff", "a place in memory"),
    ("pg_attribute", "attndims", "the server keeps the number of brackets, and prints one pair"),
    ("pg_attribute", "atthasmissing", "how ADD COLUMN spared a rewrite"),
    ("pg_attribute", "attisdropped", "dropped columns are left out"),
    ("pg_attribute", "attmissingval", "how ADD COLUMN spared a rewrite"),
    ("pg_type", "typndims", "the server keeps the number of brackets, and prints one pair"),
    ("pg_type", "typarray", "said by the array's own row"),
    ("pg_index", "indcheckxmin", "transactions"),
    ("pg_rewrite", "ev_qual", "a part of the text of `ev_action`"),
    ("pg_collation", "collversion", "of the operating system's library; refreshed, not structure"),
    (
        "pg_collation",
        "collencoding",
        "CREATE COLLATION takes the database's; only a copy of the engine's own has none",
    ),
    ("pg_extension", "extversion", "CREATE EXTENSION installs what the server has"),
    ("pg_extension", "extconfig", "written by the extension's script"),
    ("pg_extension", "extcondition", "written by the extension's script"),
    ("pg_extension", "extrelocatable", "said by the extension's control file"),
    ("pg_subscription", "subdbid", "the database"),
    ("pg_subscription", "subskiplsn", "how far copying has come"),
    ("pg_subscription", "subenabled", "a structure is loaded without connecting anywhere"),
    ("pg_subscription", "subslotname", "a slot is made when a subscription connects"),
    // Said by what is compared, in other words.
    ("pg_type", "typrelid", "the relation has the same name"),
    ("pg_class", "reltype", "the type has the same name"),
    ("pg_trigger", "tgconstrindid", "said by the constraint"),
];

/// Numbers that count from whatever went before: their rank says the same, among rows that share the columns named.
/// A column that was dropped leaves a gap in them.
pub(super) const RANKS: [(&str, &str, &[&str]); 4] = [
    ("pg_attribute", "attnum", &["attrelid"]),
    ("pg_enum", "enumsortorder", &["enumtypid"]),
    ("pg_inherits", "inhseqno", &["inhrelid"]),
    ("pg_ts_config_map", "mapseqno", &["mapcfg", "maptokentype"]),
];

/// Values that may be a password: compared, and never shown.
const SECRETS: [(&str, &str); 2] = [("pg_user_mapping", "umoptions"), ("pg_subscription", "subconninfo")];

/// Whether a value is compared by its digest.
pub(super) fn is_secret(catalog: &str, column: &str) -> bool {
    SECRETS.contains(&(catalog, column))
}

/// Catalogs that have OIDs and no place in `pg_depend`: their rows are parts of what their first reference names.
pub(super) const PARTS: [&str; 1] = ["pg_enum"];

/// Takes out of `shape` what is not compared.
pub(super) fn apply(shape: &mut Shape, request: &DumpRequest) {
    for catalog in &mut shape.catalogs {
        // Of what all databases share, subscriptions alone belong to one.
        catalog.compared = !catalog.columns.is_empty()
            && (!catalog.shared || catalog.name == "pg_subscription")
            && !OUTSIDE.iter().any(|(name, _)| *name == catalog.name)
            && (request.privileges || catalog.name != "pg_default_acl");
        // What two databases may differ in is no part of a name either; the database itself is all that is left out of
        // the name of a subscription.
        let columns = &catalog.columns;
        catalog.key.retain(|at| !is_listed(&catalog.name, &columns[*at].name));
        for column in &mut catalog.columns {
            let is_listed = is_listed(&catalog.name, &column.name);
            let is_owner = column.means == Means::Object("pg_authid") && column.name.ends_with("owner");
            let is_privilege = column.type_name == "aclitem[]";
            column.compared =
                !is_listed && (request.owners || !is_owner) && (request.privileges || !is_privilege);
        }
    }
    let catalogs = &shape.catalogs;
    let mut unread: Vec<String> = Vec::new();
    for name in std::mem::take(&mut shape.unread) {
        let (catalog_name, column) = name.split_once('.').unwrap_or((&name, ""));
        let Some(catalog) = catalogs.iter().find(|catalog| catalog.name == catalog_name) else { continue };
        let is_outside = OUTSIDE.iter().any(|(outside, _)| *outside == catalog_name)
            || (catalog.shared && catalog_name != "pg_subscription");
        if is_outside || is_listed(catalog_name, column) {
            continue;
        }
        // Nothing of it can be read: it is not `compared`, and that is to be told.
        let told = if catalog.columns.is_empty() { catalog_name } else { &name };
        if unread.last().is_none_or(|last| last != told) {
            unread.push(told.to_owned());
        }
    }
    shape.unread = unread;
}

/// Whether a column stands in the list.
fn is_listed(catalog: &str, column: &str) -> bool {
    COLUMNS.iter().any(|(name, listed, _)| *name == catalog && *listed == column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exception_has_a_reason_and_stands_there_once() {
        let mut seen = std::collections::HashSet::new();
        for (catalog, column, reason) in COLUMNS {
            assert!(!reason.is_empty() && seen.insert((catalog, column)), "{catalog}.{column}");
        }
        assert!(OUTSIDE.iter().all(|(_, reason)| !reason.is_empty()));
    }
}
