//! Which catalogs and columns a server has, and which of them the role may read.

use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::script::Row;

use super::rows::FIRST_USER_OID;

/// A column of a catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as `format_type` prints it: `oid`, `"char"`, `text[]`.
    pub type_name: String,
    /// Whether the role may select it.
    pub readable: bool,
}

/// A catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Catalog {
    /// Its own identifier, the class of its rows: 1259 is `pg_class`.
    pub class: u32,
    /// Its name.
    pub name: String,
    /// Whether it is one for all databases of the server.
    pub shared: bool,
    /// Its columns in order.
    pub columns: Vec<Column>,
}

impl Catalog {
    /// Returns a column that the role may read.
    pub fn readable(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name == name && column.readable)
    }

    /// Whether it has a column of that name, readable or not.
    pub fn has(&self, name: &str) -> bool {
        self.columns.iter().any(|column| column.name == name)
    }
}

/// The catalogs of a server.
#[derive(Debug, Clone)]
pub struct Catalogs {
    /// The server's major version.
    pub major: u32,
    list: Vec<Catalog>,
}

/// Returns the query for all catalogs and their columns; [`Catalogs::read`] takes its rows.
///
/// A table that an extension keeps in `pg_catalog` is an object like any other, and none of these.
pub fn enumerate() -> String {
    format!(
        "SELECT c.oid, c.relname, c.relisshared, (SELECT pg_catalog.string_agg(pg_catalog.concat(a.attname, ' ', \
         CASE WHEN c.readable OR pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') THEN 'r' ELSE '-' END, \
         ' ', pg_catalog.format_type(a.atttypid, NULL)), ',' ORDER BY a.attnum) FROM pg_catalog.pg_attribute a \
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) FROM (SELECT oid, relname, relisshared, \
         pg_catalog.has_table_privilege(oid, 'SELECT') AS readable FROM pg_catalog.pg_class \
         WHERE relnamespace = 'pg_catalog'::pg_catalog.regnamespace AND relkind = 'r' \
         AND oid < {FIRST_USER_OID} OFFSET 0) c ORDER BY c.relname"
    )
}

impl Catalogs {
    /// Reads the rows of [`enumerate`] on a server of that major version.
    pub fn read(major: u32, rows: &[Row]) -> Self {
        let list = rows
            .iter()
            .map(|row| Catalog {
                class: cell(row, 0).parse().unwrap_or_default(),
                name: cell(row, 1),
                shared: cell(row, 2) == "t",
                // Neither names nor types of catalogs hold a comma.
                columns: cell(row, 3).split(',').filter_map(column).collect(),
            })
            .collect();
        Self { major, list }
    }

    /// The catalogs, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Catalog> {
        self.list.iter()
    }

    /// Returns the catalog of that name.
    #[cfg(test)]
    pub fn get(&self, name: &str) -> Option<&Catalog> {
        self.list.iter().find(|catalog| catalog.name == name)
    }
}

fn column(text: &str) -> Option<Column> {
    let mut words = text.splitn(3, ' ');
    Some(Column {
        name: words.next()?.to_owned(),
        readable: words.next()? == "r",
        type_name: unquoted(words.next()?),
    })
}

/// Where a role or a database has `quote_all_identifiers`, the names of types come in quotes too. `"char"` always does:
/// it is another type than `char`.
fn unquoted(type_name: &str) -> String {
    if type_name.starts_with("\"char\"") { type_name.to_owned() } else { type_name.replace('"', "") }
}

/// Returns catalogs as a server would tell of them, for tests: `pg_class 1259 oid:oid relname:name`.
#[cfg(test)]
pub fn catalogs(major: u32, lines: &[&str]) -> Catalogs {
    let rows: Vec<Row> = lines
        .iter()
        .map(|line| {
            let mut words = line.split(' ');
            let mut word = || words.next().expect("a catalog has a name and a number").to_owned();
            let (name, class) = (word(), word());
            let columns: Vec<String> = words.map(|column| column.replace(':', " r ")).collect();
            vec![Some(class), Some(name), Some("f".into()), Some(columns.join(","))]
        })
        .collect();
    Catalogs::read(major, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_read_with_its_type_and_with_whether_it_may_be_read() {
        let row: Row = ["6100", "pg_subscription", "t", "oid r oid,subconninfo - text,a r double precision"]
            .map(|text| Some(text.to_owned()))
            .into();
        let catalogs = Catalogs::read(15, &[row]);
        let catalog = catalogs.get("pg_subscription").expect("it was read");
        assert_eq!((catalog.class, catalog.shared), (6100, true));
        assert!(catalog.readable("oid").is_some());
        assert!(catalog.has("subconninfo") && catalog.readable("subconninfo").is_none());
        assert_eq!(catalog.columns[2].type_name, "double precision");
    }

    #[test]
    fn a_type_is_the_same_where_all_names_are_quoted() {
        let types =
            [r#"oid r "oid""#, r#"kind r "char""#, "names r text[]", r#"acl r "aclitem"[]"#].map(column);
        let names: Vec<String> = types.into_iter().flatten().map(|column| column.type_name).collect();
        assert_eq!(names, ["oid", r#""char""#, "text[]", "aclitem[]"]);
    }
}
