//! The statements: what is asked, in two messages.

use super::FIRST_USER_OID;
use super::shape::{Catalog, Column, Means, Shape};
use super::{acl, exceptions};
use crate::driver::DumpRequest;

/// A statement that returns rows of a catalog.
#[derive(Debug)]
pub(super) struct Query {
    /// Where the catalog stands in [`Shape::catalogs`].
    pub catalog: usize,
    pub text: String,
    /// The columns that it returns.
    pub columns: Vec<usize>,
    /// Whether its rows are only what others are called by, and not compared.
    pub named: bool,
}

/// What decides the text of a value that the server prints; without it two sessions print one default in two ways.
const SETTINGS: [(&str, &str); 9] = [
    // Everything that is not the engine's own is printed with its schema.
    ("search_path", ""),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("quote_all_identifiers", "off"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
];

/// The statements that open the transaction: one moment, nothing written.
pub(super) fn begin(local: &[String]) -> Vec<String> {
    let mut statements = vec!["BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned()];
    statements.extend(local.iter().cloned());
    statements
}

/// The schemas of the search path; then catalogs with their columns, their unique keys, and their references.
pub(super) fn shape(version: u32) -> Vec<String> {
    let catalogs = format!(
        "c.relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND c.relkind = 'r' AND c.oid < {FIRST_USER_OID}"
    );
    let settings: Vec<String> = SETTINGS
        .iter()
        .map(|(name, value)| format!("pg_catalog.set_config('{name}', '{value}', true)"))
        .collect();
    let mut statements = vec![
        // Read before the path is set: a name without a schema is looked for there.
        format!(
            "SELECT pg_catalog.unnest(path) FROM (SELECT pg_catalog.current_schemas(false) AS path, {}) s",
            settings
                .iter()
                .enumerate()
                .map(|(at, setting)| format!("{setting} AS s{at}"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        format!(
            "SELECT c.oid, c.relname, c.relisshared, a.attname, a.attnum, \
             pg_catalog.format_type(a.atttypid, NULL), pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') \
             FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid \
             WHERE {catalogs} AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum"
        ),
        format!(
            "SELECT i.indrelid, (SELECT pg_catalog.string_agg(a.attname, ',') FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid = i.indexrelid) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c \
             ON c.oid = i.indrelid WHERE {catalogs} AND i.indisunique"
        ),
    ];
    statements.push(if version >= 140_000 {
        "SELECT fktable, fkcols, pktable FROM pg_catalog.pg_get_catalog_foreign_keys()".to_owned()
    } else {
        "SELECT WHERE false".to_owned()
    });
    statements
}

/// The rows: of the user's objects with all their columns, of the engine's own with what they are called by.
pub(super) fn rows(shape: &Shape, request: &DumpRequest) -> Vec<Query> {
    let mut queries = Vec::new();
    for (at, catalog) in shape.catalogs.iter().enumerate() {
        if catalog.compared {
            let columns: Vec<usize> = (0..catalog.columns.len()).collect();
            let values = values(catalog, &columns, request);
            let text =
                format!("SELECT {values} FROM pg_catalog.{} x WHERE {}", catalog.name, of_users(catalog));
            queries.push(Query { catalog: at, text, columns, named: false });
        }
        queries.extend(called(shape, at, request));
    }
    queries
}

/// The rows of a catalog whose names alone are wanted.
fn called(shape: &Shape, at: usize, request: &DumpRequest) -> Option<Query> {
    let catalog = &shape.catalogs[at];
    let (from, condition) = match catalog.name.as_str() {
        // The passwords beside them are nobody's to read; the view hides them.
        "pg_authid" => {
            return Some(pair(at, catalog, "SELECT oid, rolname FROM pg_catalog.pg_roles", "rolname"));
        }
        "pg_tablespace" => ("pg_tablespace", "true".to_owned()),
        "pg_database" => {
            let query = "SELECT oid, 'this database' FROM pg_catalog.pg_database \
                         WHERE datname = pg_catalog.current_database()";
            return Some(pair(at, catalog, query, "datname"));
        }
        name if catalog.identifier.is_some() && is_referred_to(shape, name) => {
            (name, format!("x.oid < {FIRST_USER_OID}"))
        }
        _ => return None,
    };
    let mut columns: Vec<usize> = catalog.identifier.into_iter().collect();
    columns.extend(&catalog.key);
    let values = values(catalog, &columns, request);
    Some(Query {
        catalog: at,
        text: format!("SELECT {values} FROM pg_catalog.{from} x WHERE {condition}"),
        columns,
        named: true,
    })
}

/// A query for an identifier and a name.
fn pair(at: usize, catalog: &Catalog, text: &str, name: &str) -> Query {
    let columns = catalog.identifier.into_iter().chain(catalog.column(name)).collect();
    Query { catalog: at, text: text.to_owned(), columns, named: true }
}

/// Whether a column of any catalog names rows of this one.
fn is_referred_to(shape: &Shape, name: &str) -> bool {
    shape.catalogs.iter().flat_map(|catalog| &catalog.columns).any(
        |column| matches!(column.means, Means::Object(target) | Means::Objects(target) if target == name),
    )
}

/// The condition that a row is, or belongs to, something that users made.
fn of_users(catalog: &Catalog) -> String {
    // `public` is there from the start, and is the user's to change.
    const PUBLIC: &str = "(SELECT n.oid FROM pg_catalog.pg_namespace n WHERE n.nspname = 'public')";
    let owner = || catalog.owner().map(|at| &catalog.columns[at]);
    match (catalog.name.as_str(), catalog.identifier) {
        ("pg_namespace", _) => format!("x.oid >= {FIRST_USER_OID} OR x.nspname = 'public'"),
        // A shared catalog tells of other databases, too.
        ("pg_subscription", _) => "x.subdbid = (SELECT d.oid FROM pg_catalog.pg_database d \
                                   WHERE d.datname = pg_catalog.current_database())"
            .to_owned(),
        (_, Some(_)) => format!("x.oid >= {FIRST_USER_OID}"),
        (_, None) => match owner() {
            Some(Column { name, means: Means::Address { class, .. }, .. }) => {
                let class = &catalog.columns[*class].name;
                let public = format!(
                    "x.{class} = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND x.{name} = {PUBLIC}"
                );
                format!("x.{name} >= {FIRST_USER_OID} OR ({public})")
            }
            Some(column) => format!("x.{}::pg_catalog.oid >= {FIRST_USER_OID}", column.name),
            None => "true".to_owned(),
        },
    }
}

fn values(catalog: &Catalog, columns: &[usize], request: &DumpRequest) -> String {
    columns.iter().map(|at| value(catalog, *at, request)).collect::<Vec<_>>().join(", ")
}

/// The expression of a column's value, as text without OIDs other than those of references.
fn value(catalog: &Catalog, at: usize, request: &DumpRequest) -> String {
    let column = &catalog.columns[at];
    let name = &column.name;
    // Columns that were dropped are known by theirs, and left out.
    let needed = catalog.key.contains(&at) || catalog.identifier == Some(at) || name == "attisdropped";
    if !column.compared && !needed && matches!(column.means, Means::Plain) {
        return "NULL".to_owned();
    }
    if exceptions::is_secret(&catalog.name, name) {
        return format!(
            "pg_catalog.encode(pg_catalog.sha256(pg_catalog.convert_to(x.{name}::pg_catalog.text, 'UTF8')), 'hex')"
        );
    }
    match column.type_name.as_str() {
        "pg_node_tree" => tree(catalog, name),
        "aclitem[]" => acl::value(catalog, name, request.owners),
        type_name if type_name.starts_with("reg") => format!("x.{name}::pg_catalog.oid"),
        // The order of options has no meaning, and `pg_attver` counts the changes of a column.
        "text[]" if name.ends_with("options") => format!(
            "(SELECT pg_catalog.array_agg(o ORDER BY o COLLATE pg_catalog.\"C\") \
             FROM pg_catalog.unnest(x.{name}) o WHERE o NOT LIKE 'pg\\_attver=%')"
        ),
        _ => format!("x.{name}"),
    }
}

/// The text of a node tree. One that is not known here is printed as an expression of the relation that the row names.
fn tree(catalog: &Catalog, name: &str) -> String {
    match (catalog.name.as_str(), name) {
        // Not expressions: queries, and conditions on two rows.
        ("pg_rewrite", "ev_action") => "pg_catalog.pg_get_ruledef(x.oid)".to_owned(),
        ("pg_trigger", "tgqual") => {
            "CASE WHEN x.tgqual IS NOT NULL THEN pg_catalog.pg_get_triggerdef(x.oid) END".to_owned()
        }
        ("pg_proc", "prosqlbody") => {
            "CASE WHEN x.prosqlbody IS NOT NULL THEN pg_catalog.pg_get_function_sqlbody(x.oid) END".to_owned()
        }
        (catalog_name, _) => {
            let relation = match catalog_name {
                "pg_class" => "x.oid",
                // The first reference is the index itself.
                "pg_index" => "x.indrelid",
                _ => &catalog
                    .columns
                    .iter()
                    .find(|column| column.means == Means::Object("pg_class"))
                    .map_or_else(|| "0".to_owned(), |column| format!("x.{}", column.name)),
            };
            format!("pg_catalog.pg_get_expr(x.{name}, {relation})")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(name: &str, columns: &[(&str, &str, Means)]) -> Catalog {
        Catalog {
            name: name.into(),
            columns: columns
                .iter()
                .map(|(name, type_name, means)| Column {
                    name: (*name).into(),
                    type_name: (*type_name).into(),
                    means: means.clone(),
                    compared: true,
                })
                .collect(),
            ..Catalog::default()
        }
    }

    #[test]
    fn a_tree_that_nobody_knows_is_printed_as_an_expression_of_the_rows_relation() {
        let catalog = catalog(
            "pg_new",
            &[("newrelid", "oid", Means::Object("pg_class")), ("newtree", "pg_node_tree", Means::Plain)],
        );
        let request = DumpRequest::default();
        assert_eq!(value(&catalog, 1, &request), "pg_catalog.pg_get_expr(x.newtree, x.newrelid)");
        assert_eq!(of_users(&catalog), "x.newrelid::pg_catalog.oid >= 16384");
    }
}
