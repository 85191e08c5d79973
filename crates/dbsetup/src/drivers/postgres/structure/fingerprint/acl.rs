//! Privileges as values that two databases can share: sorted, with the default in the place of nothing.

use super::shape::Catalog;

/// The letters of `acldefault` for catalogs whose objects have privileges from the start, and the column of the owner.
/// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-ACLITEM-FN-TABLE>
const DEFAULTS: [(&str, &str, &str); 7] = [
    ("pg_class", "CASE WHEN x.relkind = 'S' THEN 's' ELSE 'r' END::pg_catalog.\"char\"", "relowner"),
    ("pg_proc", "'f'", "proowner"),
    ("pg_namespace", "'n'", "nspowner"),
    ("pg_type", "'T'", "typowner"),
    ("pg_language", "'l'", "lanowner"),
    ("pg_foreign_data_wrapper", "'F'", "fdwowner"),
    ("pg_foreign_server", "'S'", "srvowner"),
];

/// The expression of a column of privileges. The owner is called so where owners are not compared: the same privileges
/// are then held by whoever loaded the structure.
pub(super) fn value(catalog: &Catalog, column: &str, owners: bool) -> String {
    let default = DEFAULTS.iter().find(|(name, ..)| *name == catalog.name);
    let (list, owner) = match default {
        Some((_, letter, owner)) => (
            format!("coalesce(x.{column}, pg_catalog.acldefault({letter}, x.{owner}))"),
            Some(format!("x.{owner}")),
        ),
        None if catalog.name == "pg_attribute" => (
            format!("x.{column}"),
            Some("(SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid = x.attrelid)".to_owned()),
        ),
        None => (format!("x.{column}"), None),
    };
    let role = |role: &str| {
        let name =
            format!("CASE a.{role} WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(a.{role}) END");
        match &owner {
            Some(owner) if !owners => {
                format!("CASE WHEN a.{role} = {owner} THEN 'the owner' ELSE {name} END")
            }
            _ => name,
        }
    };
    format!(
        "(SELECT pg_catalog.string_agg(item, ', ' ORDER BY item COLLATE pg_catalog.\"C\") FROM (\
         SELECT {} || ' may ' || a.privilege_type || CASE WHEN a.is_grantable THEN ' and grant it' ELSE '' END \
         || ' by ' || {} AS item FROM pg_catalog.aclexplode({list}) a) items)",
        role("grantee"),
        role("grantor")
    )
}
