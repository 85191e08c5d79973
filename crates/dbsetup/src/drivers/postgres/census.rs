//! The objects that users made, of every kind that the server has: to prove a database empty, and to empty it.

use super::catalog::cell;
use super::error::own;
use super::session::Session;
use super::text::{literal, literals};
use crate::driver::{DbError, DbErrorClass};
use crate::ledger::{LedgerTable, META_TABLE, PROGRESS_TABLE};

/// The first identifier that is not the engine's own, as an OID: with a plain number, an operator that users made for
/// OIDs and numbers would be preferred to the engine's own.
/// <https://www.postgresql.org/docs/current/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT>
const FIRST_USER_OID: &str = "'16384'::pg_catalog.oid";

/// Catalogs whose rows belong to an object that is listed itself, or to whoever set the database up.
const PARTS: [&str; 13] = [
    "pg_attrdef",
    "pg_constraint",
    "pg_enum",
    "pg_trigger",
    "pg_rewrite",
    "pg_policy",
    "pg_amop",
    "pg_amproc",
    "pg_user_mapping",
    "pg_publication_rel",
    "pg_publication_namespace",
    // What extensions consist of is not the user's, and neither are they.
    "pg_extension",
    "pg_default_acl",
];

/// The schema in which `sqlx::test` keeps its list of databases.
pub(super) const SQLX_TEST: &str = "_sqlx_test";

/// An object.
struct Object {
    /// As `DROP` wants it, in lower case: `table`, `materialized view`.
    kind: String,
    /// Quoted and qualified.
    identity: String,
}

impl Session {
    /// Returns up to `limit` objects, schemas last.
    async fn census(&mut self, ledger: Option<&LedgerTable>, limit: usize) -> Result<Vec<Object>, DbError> {
        let own_tables = ledger.map(|ledger| {
            let tables = [ledger.name.as_str(), META_TABLE, PROGRESS_TABLE];
            let schema = ledger.schema.as_deref().unwrap_or("public");
            (schema.to_owned(), literals(tables))
        });
        let catalogs = self.catalogs_in_use(own_tables.as_ref()).await?;
        if catalogs.is_empty() {
            return Ok(Vec::new());
        }
        let mut parts = Vec::new();
        for catalog in &catalogs {
            parts.push(part(catalog, own_tables.as_ref()));
        }
        let query = format!(
            "SELECT found.kind, found.identity FROM (SELECT o.type AS kind, o.identity, found.class \
             FROM ({}) AS found (class, object), pg_catalog.pg_identify_object(found.class, found.object, 0) AS o \
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_depend d WHERE d.classid = found.class \
             AND d.objid = found.object AND d.objsubid = 0 AND d.deptype IN ('e', 'i', 'a', 'P', 'S')) \
             ) found ORDER BY found.class = 'pg_catalog.pg_namespace'::regclass, 1, 2 LIMIT {limit}",
            parts.join(" UNION ALL ")
        );
        let rows = self.look(query).await?;
        Ok(rows.iter().map(|row| Object { kind: cell(row, 0), identity: cell(row, 1) }).collect())
    }

    /// Returns the catalogs that hold anything which is not the engine's own: in a database without any object none,
    /// also where `own` tables are there, which spares a session that has seen no catalog yet most of the work.
    async fn catalogs_in_use(&mut self, own: Option<&(String, String)>) -> Result<Vec<String>, DbError> {
        let catalogs = match catalogs_of(self.version) {
            Some(known) => known,
            // The server itself says which catalogs it has: a kind that a later release adds is counted too.
            None => self.look(with_oid()).await?.iter().map(|row| cell(row, 0)).collect(),
        };
        let columns: Vec<String> = catalogs
            .iter()
            .map(|catalog| match catalog.as_str() {
                // Where our own tables leave a trace.
                "pg_class" | "pg_type" | "pg_namespace" => format!("EXISTS ({})", part(catalog, own)),
                _ => format!("EXISTS (SELECT FROM pg_catalog.{catalog} WHERE oid >= {FIRST_USER_OID})"),
            })
            .collect();
        let rows = self.look(format!("SELECT {}", columns.join(", "))).await?;
        let used = |index: usize| rows.first().is_none_or(|row| cell(row, index) != "f");
        Ok(catalogs.into_iter().enumerate().filter(|(index, _)| used(*index)).map(|(_, name)| name).collect())
    }

    pub(super) async fn objects(
        &mut self,
        ledger: &LedgerTable,
        limit: usize,
    ) -> Result<Vec<String>, DbError> {
        let objects = self.census(Some(ledger), limit).await?;
        Ok(objects.into_iter().map(|object| format!("{} {}", object.kind, object.identity)).collect())
    }

    pub(super) async fn remove_everything(&mut self) -> Result<(), DbError> {
        // A statement that takes other objects along leaves names that are gone by then, hence `IF EXISTS`; and in
        // a transaction of their own a hundred do not fill the lock table.
        let size = if self.open { usize::MAX } else { 100 };
        // Everything goes, `sqlx::test`'s list and our own tables too.
        let mut objects = self.census(None, 1_000_000).await?;
        let extensions = self
            .look(format!(
                "SELECT pg_catalog.quote_ident(extname) FROM pg_catalog.pg_extension WHERE oid >= {FIRST_USER_OID}"
            ))
            .await?;
        objects
            .extend(extensions.iter().map(|row| Object { kind: "extension".into(), identity: cell(row, 0) }));
        // The mark of an unfinished load stands in our own table: it goes when nothing else is left.
        objects.sort_by_key(|object| object.identity.contains(META_TABLE));
        let statements: Vec<String> = objects.iter().map(removal).collect::<Result<_, _>>()?;
        for chunk in statements.chunks(size.min(statements.len()).max(1)) {
            self.in_one_transaction(chunk.to_vec()).await?;
        }
        Ok(())
    }
}

/// Catalogs whose rows are objects, on every release that is known. A test holds them against servers.
const CATALOGS: [&str; 23] = [
    "pg_am",
    "pg_cast",
    "pg_class",
    "pg_collation",
    "pg_conversion",
    "pg_event_trigger",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_language",
    "pg_largeobject_metadata",
    "pg_namespace",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_proc",
    "pg_publication",
    "pg_statistic_ext",
    "pg_transform",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_type",
];

/// Releases whose catalogs are known: 12 to 18.
const KNOWN: std::ops::Range<u32> = 120_000..190_000;

/// Returns the catalogs of a release (`server_version_num`), if they are known.
pub(super) fn catalogs_of(version: u32) -> Option<Vec<String>> {
    KNOWN.contains(&version).then(|| CATALOGS.map(str::to_owned).into())
}

/// Returns the query of the catalogs whose rows are objects.
pub(super) fn with_oid() -> String {
    format!(
        "SELECT c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
         WHERE a.attname = 'oid' AND a.attnum > 0 AND c.relkind = 'r' AND NOT c.relisshared \
         AND c.relnamespace = 'pg_catalog'::regnamespace AND c.relname NOT IN ({}) ORDER BY c.relname COLLATE \"C\"",
        literals(PARTS)
    )
}

/// Returns the query of one catalog's objects.
fn part(catalog: &str, own: Option<&(String, String)>) -> String {
    let mut conditions = vec![format!("x.oid >= {FIRST_USER_OID}")];
    let in_schema = |column: &str| {
        let mut hidden = "n.nspname ~ '^pg_(toast|temp)'".to_owned();
        if own.is_some() {
            hidden.push_str(&format!(" OR n.nspname = {}", literal(SQLX_TEST)));
        }
        format!("NOT EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.oid = x.{column} AND ({hidden}))")
    };
    match catalog {
        "pg_class" => {
            // Indexes come and go with tables, composite types stand in `pg_type`.
            conditions.push("x.relkind NOT IN ('i', 'I', 't', 'c')".into());
            conditions.push(in_schema("relnamespace"));
            if let Some((schema, tables)) = own {
                conditions.push(format!(
                    "NOT (x.relname IN ({tables}) AND x.relnamespace = (SELECT n.oid FROM pg_catalog.pg_namespace n \
                     WHERE n.nspname = {}))",
                    literal(schema)
                ));
            }
        }
        "pg_type" => {
            // Row types and array types come and go with what they are of.
            conditions.push(
                "(x.typrelid = 0 OR (SELECT c.relkind FROM pg_catalog.pg_class c WHERE c.oid = x.typrelid) = 'c') \
                 AND NOT EXISTS (SELECT FROM pg_catalog.pg_type e WHERE e.typarray = x.oid)"
                    .into(),
            );
            conditions.push(in_schema("typnamespace"));
        }
        "pg_namespace" => {
            let mut hidden = vec!["x.nspname !~ '^pg_(toast|temp)'".to_owned()];
            if let Some((schema, _)) = own {
                hidden.push(format!("x.nspname NOT IN ({}, {})", literal(schema), literal(SQLX_TEST)));
            }
            conditions.extend(hidden);
        }
        _ => {
            let column = match catalog {
                "pg_proc" => Some("pronamespace"),
                "pg_operator" => Some("oprnamespace"),
                "pg_opclass" => Some("opcnamespace"),
                "pg_opfamily" => Some("opfnamespace"),
                "pg_collation" => Some("collnamespace"),
                "pg_conversion" => Some("connamespace"),
                _ => None,
            };
            conditions.extend(column.map(in_schema));
        }
    }
    // The catalog of large objects lists them under the class of their data.
    let class = if catalog == "pg_largeobject_metadata" { "pg_largeobject" } else { catalog };
    format!(
        "SELECT 'pg_catalog.{class}'::regclass::oid, x.oid FROM pg_catalog.{catalog} x WHERE {}",
        conditions.join(" AND ")
    )
}

/// Returns the statement that removes an object and what hangs on it.
fn removal(object: &Object) -> Result<String, DbError> {
    let identity = &object.identity;
    let kind = match object.kind.as_str() {
        "composite type" => "TYPE".to_owned(),
        "statistics object" => "STATISTICS".to_owned(),
        "foreign-data wrapper" => "FOREIGN DATA WRAPPER".to_owned(),
        "large object" => return Ok(format!("SELECT pg_catalog.lo_unlink({identity})")),
        kind if kind.chars().all(|c| c.is_ascii_lowercase() || c == ' ') => kind.to_uppercase(),
        kind => {
            let message = format!("the {kind} {identity} cannot be removed alone: drop the database");
            return Err(own(DbErrorClass::Unsupported, message));
        }
    };
    Ok(format!("DROP {kind} IF EXISTS {identity} CASCADE"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_server_calls_a_kind_is_turned_into_what_drop_calls_it() {
        let removal = |kind: &str, identity: &str| {
            removal(&Object { kind: kind.into(), identity: identity.into() }).expect("the kind is known")
        };
        assert_eq!(removal("materialized view", "a.b"), "DROP MATERIALIZED VIEW IF EXISTS a.b CASCADE");
        assert_eq!(removal("composite type", "a.b"), "DROP TYPE IF EXISTS a.b CASCADE");
        assert_eq!(removal("large object", "7"), "SELECT pg_catalog.lo_unlink(7)");
    }
}
