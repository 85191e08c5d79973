//! What no structure file holds, by decision, and why.

/// What it is; the catalogs that hold nothing else, none where it is a part of one or in none; why.
type Outside = (&'static str, &'static [&'static str], &'static str);

/// The whole list.
const OUTSIDE: [Outside; 17] = [
    (
        "rows of tables, also of tables that extensions keep settings in",
        &[],
        "they are data; seeds and backups are for them",
    ),
    ("what a sequence has counted to, and what a materialized view holds", &[], "it follows from data"),
    (
        "large objects, their owners, privileges and comments",
        &["pg_largeobject", "pg_largeobject_metadata"],
        "they are data, and their identifiers are chosen at run time",
    ),
    (
        "statistics of the planner",
        &["pg_statistic", "pg_statistic_ext_data"],
        "the server gathers them from data",
    ),
    (
        "roles and who is a member of which",
        &["pg_auth_members", "pg_authid"],
        "they belong to the server, and differ from one to the next",
    ),
    (
        "databases and settings of databases and roles",
        &["pg_database", "pg_db_role_setting", "pg_parameter_acl"],
        "a file is loaded into a database that exists, under any name",
    ),
    ("tablespaces", &["pg_tablespace"], "they are places on one machine"),
    (
        "replication origins and how far a subscription has come",
        &["pg_replication_origin", "pg_subscription_rel"],
        "they are the state of a replication that runs",
    ),
    (
        "comments and labels of roles, databases and tablespaces",
        &["pg_shdescription", "pg_shseclabel"],
        "what they are about is outside",
    ),
    (
        "which roles the objects of which databases refer to",
        &["pg_shdepend"],
        "the server makes it from owners, privileges and policies",
    ),
    (
        "what languages could be created",
        &["pg_pltemplate"],
        "release 12 alone has it, and it came with the server",
    ),
    (
        "collations in `pg_catalog`",
        &[],
        "`pg_import_system_collations` makes them from what the operating system has",
    ),
    (
        "the version and the owner of an extension",
        &[],
        "a server offers the versions that are installed beside it, and whoever creates it owns it",
    ),
    (
        "how many dimensions an array was declared with",
        &[],
        "the server does not enforce it and does not print it",
    ),
    (
        "subscriptions and user mappings, but for the note that names them",
        &[],
        "they may hold passwords, and name other servers",
    ),
    (
        "columns that users add to a table of an extension or change there, and comments on what it made",
        &[],
        "the server does not tell them from what the extension itself made; they are told",
    ),
    ("temporary objects of sessions", &[], "they end with their sessions"),
];

/// Whether nothing of this catalog is part of a structure.
pub fn is_outside(catalog: &str) -> bool {
    OUTSIDE.iter().any(|(_, catalogs, _)| catalogs.contains(&catalog))
}

#[cfg(test)]
mod tests {
    use super::super::columns::{Class, Table};
    use super::*;

    #[test]
    fn the_table_of_columns_says_the_same() {
        let table = Table::built_in();
        for major in 12..=18 {
            for (catalog, column) in table.expected(major) {
                let class = table.column(major, catalog, column).map(|known| known.class);
                if is_outside(catalog) {
                    assert_eq!(class, Some(Class::Outside), "{catalog}.{column}");
                }
            }
        }
        for (_, catalogs, _) in OUTSIDE {
            for catalog in catalogs {
                assert!((12..=18).any(|major| table.has(major, catalog)), "{catalog}");
            }
        }
    }

    #[test]
    fn a_catalog_whose_columns_are_all_outside_is_outside() {
        let table = Table::built_in();
        for catalog in table.catalogs().filter(|catalog| !is_outside(catalog)) {
            let has_some = (12..=18).any(|major| {
                let of_it = table.expected(major).filter(|(name, _)| *name == catalog);
                let mut known = of_it.filter_map(|(_, column)| table.column(major, catalog, column));
                known.any(|known| known.class != Class::Outside)
            });
            assert!(has_some, "{catalog}");
        }
    }
}
