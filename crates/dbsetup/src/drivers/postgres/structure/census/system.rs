//! What users changed on objects that came with the server: the schema `public` above all.
//!
//! A comment that was taken away leaves no trace, and what a superuser alters in the definition of a built-in object
//! (`ALTER FUNCTION pg_catalog.… COST`, its owner) is the server's set-up and no structure of a database: neither is
//! looked for. Nor are privileges in `information_schema`, of which the server keeps no first state.

use super::catalogs::{Catalog, Catalogs};
use super::outside::is_outside;
use super::rows::{self, FIRST_USER_OID};
use super::{Address, Asked};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::script::Row;
use crate::drivers::postgres::structure::address::class;

/// What of an object was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aspect {
    /// Its owner: of `public` alone, and only when owners are asked for.
    Owner,
    /// Its privileges. Looked for only when privileges are asked for.
    Privileges,
    /// Its comment.
    Comment,
    /// Its security label.
    Label,
}

impl Aspect {
    const ALL: [Self; 4] = [Self::Owner, Self::Privileges, Self::Comment, Self::Label];

    /// As errors say it.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Privileges => "privileges",
            Self::Comment => "comment",
            Self::Label => "security label",
        }
    }
}

/// A change of an object that came with the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SystemChange {
    /// Whose.
    pub address: Address,
    /// The number of the column; 0 is the object itself.
    pub part: i32,
    /// What.
    pub aspect: Aspect,
}

/// The superuser that a server begins with, to whom everything built in belongs.
const FIRST_ROLE: u32 = 10;
/// The role `pg_database_owner`, to whom `public` belongs since release 15.
const DATABASE_OWNER: u32 = 6171;
/// The schema `public` that a database begins with.
const PUBLIC: u32 = 2200;
/// The class of large objects, whose identifiers users may choose.
const LARGE_OBJECT: u32 = 2613;

/// Returns the query for all changes: (aspect, class, identifier, part).
pub fn query(catalogs: &Catalogs, asked: Asked) -> String {
    let mut parts = vec![comments(), labels()];
    let built_in = catalogs.iter().filter(|catalog| !catalog.shared && !is_outside(&catalog.name));
    if asked.owners {
        parts.push(owner_of_public(catalogs.major));
    }
    if asked.privileges {
        parts.extend(built_in.filter_map(privileges));
    }
    parts.join(" UNION ALL ")
}

fn label(aspect: Aspect) -> String {
    format!("'{}'", aspect.noun())
}

/// The comments that came with the server were written by the transactions that made it, of which the one that
/// created PL/pgSQL was the last to write any; later transactions have higher numbers. An extension's comment is compared
/// with its own, and files of old clients set that of PL/pgSQL, and the one of `public`, to what they were.
fn comments() -> String {
    format!(
        "SELECT {}, d.classoid, d.objoid, d.objsubid FROM pg_catalog.pg_description d \
         WHERE d.objoid < {FIRST_USER_OID} AND d.classoid NOT IN ({}, {LARGE_OBJECT}) \
         AND NOT (d.classoid = {} AND d.objoid = {PUBLIC} AND d.description = 'standard public schema') \
         AND d.xmin::pg_catalog.text::pg_catalog.int8 > (SELECT coalesce(pg_catalog.min(made.at), \
         (SELECT n.xmin::pg_catalog.text::pg_catalog.int8 FROM pg_catalog.pg_namespace n \
         WHERE n.nspname = 'information_schema' AND n.oid < {FIRST_USER_OID})) FROM (\
         SELECT l.xmin::pg_catalog.text::pg_catalog.int8 FROM pg_catalog.pg_language l \
         WHERE l.lanname = 'plpgsql' AND l.oid < {FIRST_USER_OID} UNION ALL \
         SELECT p.xmin::pg_catalog.text::pg_catalog.int8 FROM pg_catalog.pg_proc p WHERE p.oid < {FIRST_USER_OID} \
         AND p.proname IN ('plpgsql_call_handler', 'plpgsql_inline_handler', 'plpgsql_validator')) made (at))",
        label(Aspect::Comment),
        class::EXTENSION,
        class::NAMESPACE
    )
}

fn labels() -> String {
    format!(
        "SELECT {}, s.classoid, s.objoid, s.objsubid FROM pg_catalog.pg_seclabel s \
         WHERE s.objoid < {FIRST_USER_OID} AND s.classoid <> {LARGE_OBJECT}",
        label(Aspect::Label)
    )
}

/// The owner of `public`, which is no longer the one that a database begins with.
fn owner_of_public(major: u32) -> String {
    let owner = if major >= 15 { DATABASE_OWNER } else { FIRST_ROLE };
    format!(
        "SELECT {}, {}::pg_catalog.oid, n.oid, 0 FROM pg_catalog.pg_namespace n \
         WHERE n.oid = {PUBLIC} AND n.nspowner <> {owner}",
        label(Aspect::Owner),
        class::NAMESPACE
    )
}

/// The letter by which `acldefault` knows the objects of a catalog.
/// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-ACLITEM-FN-TABLE>
fn default_of(catalog: &str) -> Option<(&'static str, &'static str)> {
    Some(match catalog {
        "pg_attribute" => ("c", "10"),
        "pg_class" => ("r", "x.relowner"),
        "pg_foreign_data_wrapper" => ("F", "x.fdwowner"),
        "pg_foreign_server" => ("S", "x.srvowner"),
        "pg_language" => ("l", "x.lanowner"),
        "pg_namespace" => ("n", "x.nspowner"),
        "pg_proc" => ("f", "x.proowner"),
        "pg_type" => ("T", "x.typowner"),
        _ => return None,
    })
}

fn privileges(catalog: &Catalog) -> Option<String> {
    let (letter, owner) = default_of(&catalog.name)?;
    let acl = catalog.columns.iter().find(|column| column.readable && column.type_name == "aclitem[]")?;
    let acl = &acl.name;
    let (of_class, object, part) = match catalog.name.as_str() {
        "pg_attribute" => (class::RELATION, "x.attrelid", "x.attnum"),
        _ => (catalog.class, "x.oid", "0"),
    };
    let schema = catalog.columns.iter().find(|column| column.readable && column.name.ends_with("namespace"));
    let schema = match (schema, catalog.class) {
        (Some(schema), _) => Some(format!("x.{}", schema.name)),
        (None, class::NAMESPACE) => Some("x.oid".to_owned()),
        _ => None,
    };
    let elsewhere = schema.map_or_else(String::new, |schema| {
        format!(
            " AND {schema} NOT IN (SELECT n.oid FROM pg_catalog.pg_namespace n \
             WHERE n.nspname = 'information_schema')"
        )
    });
    // NULL stands for the default. Grants and revokes change the order of what stays the same.
    let sorted = |acl: &str| {
        format!(
            "ARRAY(SELECT e::pg_catalog.text FROM pg_catalog.unnest(coalesce({acl}, \
             pg_catalog.acldefault('{letter}', {owner}))) e ORDER BY 1)"
        )
    };
    Some(format!(
        "SELECT {}, {of_class}::pg_catalog.oid, {object}, {part} FROM {} x LEFT JOIN pg_catalog.pg_init_privs i \
         ON i.classoid = {of_class} AND i.objoid = {object} AND i.objsubid = {part} \
         WHERE {object} < {FIRST_USER_OID}{elsewhere} AND CASE WHEN x.{acl} IS DISTINCT FROM i.initprivs \
         THEN {} IS DISTINCT FROM {} END",
        label(Aspect::Privileges),
        rows::from(catalog),
        sorted(&format!("x.{acl}")),
        sorted("i.initprivs")
    ))
}

/// Reads the rows of [`query`], in order.
pub fn read(rows: &[Row]) -> Vec<SystemChange> {
    let mut changes: Vec<SystemChange> = rows
        .iter()
        .filter_map(|row| {
            let noun = cell(row, 0);
            Some(SystemChange {
                aspect: Aspect::ALL.into_iter().find(|aspect| aspect.noun() == noun)?,
                address: Address { class: cell(row, 1).parse().ok()?, oid: cell(row, 2).parse().ok()? },
                part: cell(row, 3).parse().ok()?,
            })
        })
        .collect();
    changes.sort_unstable();
    changes
}

#[cfg(test)]
mod tests {
    use super::super::catalogs::catalogs;
    use super::*;

    #[test]
    fn owners_and_privileges_cost_nothing_unless_asked_for() {
        let all = catalogs(15, &["pg_namespace 2615 oid:oid nspowner:oid nspacl:aclitem[]"]);
        let plain = query(&all, Asked::default());
        assert!(!plain.contains("nspowner") && !plain.contains("nspacl"), "{plain}");
        let owners = query(&all, Asked { owners: true, privileges: false });
        assert!(owners.contains("n.oid = 2200 AND n.nspowner <> 6171"), "{owners}");
        let privileges = query(&all, Asked { owners: false, privileges: true });
        assert!(privileges.contains("acldefault('n', x.nspowner)"), "{privileges}");
    }

    #[test]
    fn a_change_is_read_with_its_part() {
        let row: Row = ["security label", "1259", "1260", "3"].map(|text| Some(text.to_owned())).into();
        let change =
            SystemChange { address: Address { class: 1259, oid: 1260 }, part: 3, aspect: Aspect::Label };
        assert_eq!(read(&[row]), [change]);
    }
}
