//! Every object that users made, of every kind that the server has.

use super::catalogs::{Catalog, Catalogs};
use super::doubt::oids;
use super::outside::is_outside;
use super::rows::{self, HIDDEN};
use super::{Account, Address};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::script::Row;
use crate::drivers::postgres::structure::presence::Empty;

/// How the objects of a catalog are counted.
#[derive(Debug, PartialEq, Eq)]
enum Way {
    /// By this query.
    Query(String),
    /// Not at all: the role may not read it.
    Unreadable,
    /// They are no objects of their own, or outside.
    Not,
}

fn way(catalog: &Catalog) -> Way {
    let class = catalog.class;
    let is_ours = match catalog.name.as_str() {
        // Labels are counted with their type.
        "pg_enum" => false,
        "pg_subscription" => true,
        name => !catalog.shared && !is_outside(name),
    };
    if !is_ours || !catalog.has("oid") {
        return Way::Not;
    }
    if catalog.readable("oid").is_some() {
        let Some(key) = rows::key(catalog) else { return Way::Unreadable };
        return Way::Query(format!(
            "SELECT {class}::pg_catalog.oid, pg_catalog.array_agg(x.oid) FROM {} x WHERE {}",
            rows::from(catalog),
            rows::made_by_users(catalog, &key)
        ));
    }
    // Views that every role may read show the identifiers of what is closed to it.
    match catalog.name.as_str() {
        "pg_user_mapping" => Way::Query(format!(
            "SELECT {class}, pg_catalog.array_agg(x.umid) FROM pg_catalog.pg_user_mappings x"
        )),
        // The columns that were open before release 14 are the name and the database.
        "pg_subscription" if catalog.readable("subname").is_some() => Way::Query(format!(
            "SELECT {class}, pg_catalog.array_agg(DISTINCT x.subid) FROM pg_catalog.pg_stat_subscription x \
             WHERE x.subname IN (SELECT s.subname FROM pg_catalog.pg_subscription s \
             JOIN pg_catalog.pg_database d ON d.oid = s.subdbid \
             WHERE d.datname = pg_catalog.current_database())"
        )),
        _ => Way::Unreadable,
    }
}

/// Returns the query for all objects: a row a catalog, (class, array of identifiers).
pub fn query(catalogs: &Catalogs, empty: &Empty) -> String {
    let parts: Vec<String> = catalogs
        .iter()
        .filter(|catalog| !empty.has(&catalog.name))
        .filter_map(|catalog| match way(catalog) {
            Way::Query(query) => Some(query),
            Way::Unreadable | Way::Not => None,
        })
        .collect();
    format!("{HIDDEN}{}", parts.join(" UNION ALL "))
}

/// Returns the catalogs whose objects cannot be counted by this role.
pub fn uncounted(catalogs: &Catalogs) -> Vec<&str> {
    catalogs
        .iter()
        .filter(|catalog| way(catalog) == Way::Unreadable)
        .map(|catalog| catalog.name.as_str())
        .collect()
}

/// Reads the rows of [`query`].
pub fn read(rows: &[Row]) -> Vec<Address> {
    let mut objects = Vec::new();
    for row in rows {
        let Ok(class) = cell(row, 0).parse() else { continue };
        objects.extend(oids(&cell(row, 1)).map(|oid| Address { class, oid }));
    }
    objects
}

/// Returns the objects that nobody answers for, in order.
pub fn unaccounted(objects: &[Address], disposition: &Account<'_>) -> Vec<Address> {
    let mut left: Vec<Address> =
        objects.iter().copied().filter(|object| disposition(*object).is_none()).collect();
    left.sort_unstable();
    left
}

#[cfg(test)]
mod tests {
    use super::super::Disposition;
    use super::super::catalogs::catalogs;
    use super::*;

    #[test]
    fn a_catalog_that_is_not_known_is_counted_as_soon_as_it_has_identifiers() {
        let all = catalogs(
            19,
            &[
                "pg_authid 1260 oid:oid",
                "pg_enum 3501 oid:oid enumtypid:oid",
                "pg_inherits 2611 inhrelid:oid",
                "pg_largeobject_metadata 2995 oid:oid",
                "pg_new 9000 oid:oid newnamespace:oid",
            ],
        );
        let query = query(&all, &Empty::default());
        assert_eq!(
            query.matches(" FROM pg_catalog.pg_new x WHERE x.oid >= 16384 AND x.newnamespace").count(),
            1
        );
        for absent in ["pg_authid", "pg_enum", "pg_inherits", "pg_largeobject"] {
            assert!(!query.contains(absent), "{absent} in {query}");
        }
    }

    #[test]
    fn what_is_closed_to_the_role_is_counted_by_a_view_or_named() {
        let row = |class: &str, name: &str, columns: &str| -> Row {
            [class, name, "f", columns].map(|text| Some(text.to_owned())).into()
        };
        let all = Catalogs::read(
            13,
            &[
                row("1255", "pg_proc", "oid - oid"),
                row("1418", "pg_user_mapping", "oid - oid"),
                row("6100", "pg_subscription", "oid - oid,subdbid r oid,subname r name"),
            ],
        );
        let query = query(&all, &Empty::default());
        assert!(query.contains("pg_user_mappings") && query.contains("pg_stat_subscription"), "{query}");
        assert_eq!(uncounted(&all), ["pg_proc"]);
    }

    #[test]
    fn an_object_without_a_disposition_is_left_over() {
        let row: Row = vec![Some("1259".into()), Some("{16385,16384}".into())];
        let none: Row = vec![Some("1255".into()), None];
        let objects = read(&[row, none]);
        assert_eq!(objects.len(), 2);
        let of = |oid| Address { class: 1259, oid };
        let disposition = |object| (object == of(16385)).then_some(Disposition::Part);
        assert_eq!(unaccounted(&objects, &disposition), [of(16384)]);
    }
}
