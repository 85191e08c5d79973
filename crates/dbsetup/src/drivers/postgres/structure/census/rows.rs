//! Which rows of a catalog belong to objects that users made, and which object that is.

use super::catalogs::Catalog;

pub use crate::drivers::postgres::structure::address::FIRST_USER_OID;
use crate::drivers::postgres::structure::address::class;

/// Names what others refer to, once for a whole query: schemas and relations that live as long as a session, and
/// the storage of long values.
pub const HIDDEN: &str = "WITH hidden_schema AS MATERIALIZED (SELECT n.oid FROM pg_catalog.pg_namespace n \
     WHERE n.nspname ~ '^pg_(toast|temp)'), hidden_relation AS MATERIALIZED (SELECT c.oid FROM pg_catalog.pg_class c \
     WHERE c.relpersistence = 't') ";

/// The row of whom a row is a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// The column with the object's identifier, with its class where that is another column.
    column: String,
    class: Class,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Class {
    Fixed(u32),
    Column(&'static str),
}

impl Key {
    /// The identifier as SQL; the catalog goes by the name `x`.
    pub fn column(&self) -> String {
        format!("x.{}::pg_catalog.oid", self.column)
    }

    /// The class as SQL.
    pub fn class(&self) -> String {
        match self.class {
            Class::Fixed(class) => format!("{class}::pg_catalog.oid"),
            Class::Column(column) => format!("x.{column}"),
        }
    }
}

/// Returns whose a catalog's rows are; nothing when that cannot be told or read.
pub fn key(catalog: &Catalog) -> Option<Key> {
    let key = |column: &str, class| {
        catalog.readable(column).map(|column| Key { column: column.name.clone(), class })
    };
    let relation = Class::Fixed(class::RELATION);
    match catalog.name.as_str() {
        "pg_attribute" => key("attrelid", relation),
        "pg_index" => key("indexrelid", relation),
        "pg_inherits" => key("inhrelid", relation),
        "pg_sequence" => key("seqrelid", relation),
        "pg_partitioned_table" => key("partrelid", relation),
        "pg_foreign_table" => key("ftrelid", relation),
        "pg_aggregate" => key("aggfnoid", Class::Fixed(class::FUNCTION)),
        "pg_range" => key("rngtypid", Class::Fixed(class::TYPE)),
        "pg_ts_config_map" => key("mapcfg", Class::Fixed(class::TS_CONFIGURATION)),
        // A label has an identifier and is no object: it goes with its type.
        "pg_enum" => key("enumtypid", Class::Fixed(class::TYPE)),
        "pg_depend" => key("objid", Class::Column("classid")),
        "pg_description" | "pg_seclabel" | "pg_init_privs" => key("objoid", Class::Column("classoid")),
        _ => key("oid", Class::Fixed(catalog.class)).or_else(|| {
            // A catalog of a release that is not known: by custom the first reference is to the owner of the row.
            let first = catalog
                .columns
                .iter()
                .find(|column| column.type_name == "oid" && !column.name.starts_with("class"))?;
            key(&first.name, Class::Fixed(catalog.class))
        }),
    }
}

/// Returns the catalog as it stands behind `FROM`.
pub fn from(catalog: &Catalog) -> String {
    format!("pg_catalog.{}", catalog.name)
}

/// Returns the condition for rows that users made and that outlive a session, where the catalog goes by the name `x`
/// and [`HIDDEN`] stands before the query.
pub fn made_by_users(catalog: &Catalog, key: &Key) -> String {
    // Without a cast, so that the index is used.
    let mut conditions = vec![format!("x.{} >= {FIRST_USER_OID}", key.column)];
    if catalog.name == "pg_namespace" {
        conditions.push("x.oid NOT IN (SELECT h.oid FROM hidden_schema h)".into());
    }
    for column in catalog.columns.iter().filter(|column| column.readable && column.type_name == "oid") {
        if column.name.ends_with("namespace") {
            conditions.push(format!("x.{} NOT IN (SELECT h.oid FROM hidden_schema h)", column.name));
        } else if HANGS_ON_RELATION.contains(&column.name.as_str()) {
            conditions.push(format!("x.{} NOT IN (SELECT h.oid FROM hidden_relation h)", column.name));
        }
    }
    if catalog.shared && catalog.has("subdbid") {
        conditions.push(
            "x.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d \
             WHERE d.datname = pg_catalog.current_database())"
                .into(),
        );
    }
    if catalog.name == "pg_collation" {
        // `pg_import_system_collations` puts them there: they are what the operating system has.
        conditions.push("x.collnamespace <> 'pg_catalog'::pg_catalog.regnamespace".into());
    }
    if catalog.name == "pg_attribute" {
        conditions.push("x.attnum > 0".into());
    }
    conditions.join(" AND ")
}

/// Columns that name the relation of which something is a part.
const HANGS_ON_RELATION: [&str; 5] = ["adrelid", "ev_class", "polrelid", "stxrelid", "tgrelid"];

/// Returns the query for the owners of rows made by users under a condition: (class, array of identifiers), to stand
/// behind [`HIDDEN`].
pub fn select(catalog: &Catalog, key: &Key, condition: &str) -> String {
    let (of_class, column) = (key.class(), key.column());
    // Columns and dependencies of what is hidden are many, and are looked at here alone.
    let hidden = if catalog.class == class::RELATION {
        String::new()
    } else {
        format!(
            " AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE {of_class} = {} AND c.oid = {column} \
             AND (c.relpersistence = 't' OR c.relnamespace IN (SELECT h.oid FROM hidden_schema h)))",
            class::RELATION
        )
    };
    format!(
        "SELECT {of_class}, pg_catalog.array_agg(DISTINCT {column}) FROM {} x WHERE {} AND {condition}{hidden} GROUP BY 1",
        from(catalog),
        made_by_users(catalog, key)
    )
}

#[cfg(test)]
mod tests {
    use super::super::catalogs::catalogs;
    use super::*;

    #[test]
    fn a_row_without_an_identifier_belongs_to_the_object_that_it_names() {
        let all = catalogs(
            19,
            &[
                "pg_aggregate 2600 aggfnoid:regproc aggkind:\"char\"",
                "pg_depend 2608 classid:oid objid:oid",
                "pg_enum 3501 oid:oid enumtypid:oid",
                "pg_new 9000 classoid:oid newobj:oid other:oid",
                "pg_proc 1255 oid:oid pronamespace:oid",
                "pg_strange 9001 note:text",
            ],
        );
        let key = |name: &str| {
            let key = key(all.get(name).expect("it is there"))?;
            Some(format!("{} {}", key.class(), key.column()))
        };
        assert_eq!(key("pg_aggregate").as_deref(), Some("1255::pg_catalog.oid x.aggfnoid::pg_catalog.oid"));
        assert_eq!(key("pg_depend").as_deref(), Some("x.classid x.objid::pg_catalog.oid"));
        assert_eq!(key("pg_enum").as_deref(), Some("1247::pg_catalog.oid x.enumtypid::pg_catalog.oid"));
        assert_eq!(key("pg_new").as_deref(), Some("9000::pg_catalog.oid x.newobj::pg_catalog.oid"));
        assert_eq!(key("pg_proc").as_deref(), Some("1255::pg_catalog.oid x.oid::pg_catalog.oid"));
        assert_eq!(key("pg_strange"), None);
    }
}
