//! The shape of the catalogs as the server tells it: columns, keys, and which column refers to which catalog.
//!
//! <https://www.postgresql.org/docs/current/catalogs.html>

use std::collections::HashMap;

use super::super::super::catalog::cell;
use super::Row;

/// References between catalogs that a server before release 14 does not tell, and the few that none tells:
/// `catalog referenced column…`, with `relation,number` for the number of a relation's column.
const REFERENCES: &str = include_str!("references.txt");

/// What holds many things, and makes none of them a part of another.
const UMBRELLAS: [Target; 3] = ["pg_authid", "pg_database", "pg_namespace"];

/// All catalogs that are compared or named.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// By name.
    pub catalogs: Vec<Catalog>,
    /// Where a catalog stands, by its OID.
    pub by_oid: HashMap<u32, usize>,
    /// Catalogs and columns (`pg_subscription.subconninfo`) that this role may not read.
    pub unread: Vec<String>,
}

/// A catalog.
#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub oid: u32,
    pub name: String,
    /// Whether all databases of the server share it.
    pub shared: bool,
    pub columns: Vec<Column>,
    /// The columns by which a person knows a row, in the order of the table.
    pub key: Vec<usize>,
    /// The column of the row's own OID.
    pub identifier: Option<usize>,
    /// Whether its rows are compared; others are only named where something refers to them.
    pub compared: bool,
}

/// A column of a catalog.
#[derive(Debug)]
pub(super) struct Column {
    pub name: String,
    pub type_name: String,
    pub means: Means,
    /// Whether it becomes a fact.
    pub compared: bool,
}

/// What the value of a column means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Means {
    /// Itself.
    Plain,
    /// A row of a catalog, which stands there in [`Shape::catalogs`], or one of a shared catalog of that name.
    Object(Target),
    /// The same, several of them.
    Objects(Target),
    /// The number of a column of the relation that another column names.
    Attribute { relation: usize },
    /// The same, several of them.
    Attributes { relation: usize },
    /// A row of the catalog that another column names, and perhaps one of its columns.
    Address { class: usize, part: Option<usize> },
    /// It belongs to an address.
    Part,
    /// An OID of a catalog that nobody tells.
    Somewhere,
}

/// A catalog that is referred to.
pub(super) type Target = &'static str;

impl Catalog {
    /// Returns where a column stands.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// The column that says whose part a row without an OID is: the first reference.
    pub fn owner(&self) -> Option<usize> {
        self.columns.iter().position(|column| matches!(column.means, Means::Address { .. })).or_else(|| {
            self.columns.iter().position(
                |column| matches!(column.means, Means::Object(target) if !UMBRELLAS.contains(&target)),
            )
        })
    }

    /// The column of the schema, for catalogs whose rows stand in one.
    pub fn namespace(&self) -> Option<usize> {
        self.columns.iter().position(|column| column.means == Means::Object("pg_namespace"))
    }
}

impl Shape {
    /// Reads the answers to [`super::queries::shape`].
    pub fn new(columns: &[Row], keys: &[Row], references: &[Row]) -> Self {
        let mut shape = Self::default();
        for row in columns {
            shape.add_column(row);
        }
        for (at, catalog) in shape.catalogs.iter().enumerate() {
            shape.by_oid.insert(catalog.oid, at);
        }
        for row in references {
            let (relation, number) = split_pair(&cell(row, 1));
            shape.refer(&cell(row, 0), &cell(row, 2), relation.as_deref(), &number);
        }
        for line in REFERENCES.lines() {
            let mut words = line.split(' ');
            let (Some(catalog), Some(target)) = (words.next(), words.next()) else { continue };
            for column in words {
                let (relation, number) = split_pair(column);
                shape.refer(catalog, target, relation.as_deref(), &number);
            }
        }
        for catalog in &mut shape.catalogs {
            catalog.find_addresses();
            catalog.choose_key(keys);
        }
        shape
    }

    fn add_column(&mut self, row: &Row) {
        let (name, column) = (cell(row, 1), cell(row, 3));
        if self.catalogs.last().is_none_or(|last| last.name != name) {
            self.catalogs.push(Catalog {
                oid: cell(row, 0).parse().unwrap_or(0),
                name: name.clone(),
                shared: cell(row, 2) == "t",
                ..Catalog::default()
            });
        }
        let Some(catalog) = self.catalogs.last_mut() else { return };
        // A view shows what everyone may know of roles.
        let is_shown = name == "pg_authid" && ["oid", "rolname"].contains(&&*column);
        if cell(row, 6) != "t" && !is_shown {
            self.unread.push(format!("{name}.{column}"));
            return;
        }
        let type_name = cell(row, 5);
        if column == "oid" && type_name == "oid" {
            catalog.identifier = Some(catalog.columns.len());
        }
        let means = if type_name == "oid" { Means::Somewhere } else { Means::Plain };
        catalog.columns.push(Column { name: column, type_name, means, compared: true });
    }

    /// Notes a reference, unless either side is not there.
    fn refer(&mut self, catalog: &str, target: &str, relation: Option<&str>, column: &str) {
        let Some(target) = known(target) else { return };
        let Some(catalog) = self.catalogs.iter_mut().find(|found| found.name == catalog) else { return };
        let Some(at) = catalog.column(column) else { return };
        if let Means::Object(_) | Means::Objects(_) = catalog.columns[at].means {
            return;
        }
        // More than one means an array or a vector, whatever it is made of.
        let type_name = &catalog.columns[at].type_name;
        let several = type_name.ends_with("[]") || type_name.ends_with("vector");
        let means = match (relation.map(|relation| catalog.column(relation)), several) {
            (None, false) => Means::Object(target),
            (None, true) => Means::Objects(target),
            (Some(Some(relation)), false) => Means::Attribute { relation },
            (Some(Some(relation)), true) => Means::Attributes { relation },
            (Some(None), _) => return,
        };
        catalog.columns[at].means = means;
    }
}

/// The catalogs that references may name, so that they need no text of their own.
fn known(target: &str) -> Option<Target> {
    const TARGETS: [&str; 26] = [
        "pg_am",
        "pg_attribute",
        "pg_authid",
        "pg_class",
        "pg_collation",
        "pg_constraint",
        "pg_conversion",
        "pg_database",
        "pg_event_trigger",
        "pg_extension",
        "pg_foreign_data_wrapper",
        "pg_foreign_server",
        "pg_language",
        "pg_namespace",
        "pg_opclass",
        "pg_operator",
        "pg_opfamily",
        "pg_proc",
        "pg_publication",
        "pg_statistic_ext",
        "pg_subscription",
        "pg_tablespace",
        "pg_trigger",
        "pg_ts_config",
        "pg_ts_dict",
        "pg_type",
    ];
    const MORE: [&str; 3] = ["pg_ts_parser", "pg_ts_template", "pg_cast"];
    TARGETS.into_iter().chain(MORE).find(|known| *known == target)
}

/// Splits `{adrelid,adnum}` or `adrelid,adnum` into the relation's column and the number's; one alone is the latter.
fn split_pair(text: &str) -> (Option<String>, String) {
    let text = text.trim_matches(['{', '}']);
    match text.split_once(',') {
        Some((relation, number)) => (Some(relation.to_owned()), number.to_owned()),
        None => (None, text.to_owned()),
    }
}

impl Catalog {
    /// Finds what tells its catalog in another column: `classid, objid, objsubid` and their like.
    fn find_addresses(&mut self) {
        for (class, object, part) in [
            ("classid", "objid", "objsubid"),
            ("refclassid", "refobjid", "refobjsubid"),
            ("classoid", "objoid", "objsubid"),
        ] {
            let (Some(class), Some(object)) = (self.column(class), self.column(object)) else { continue };
            let part = self.column(part);
            self.columns[object].means = Means::Address { class, part };
            for at in [Some(class), part].into_iter().flatten() {
                self.columns[at].means = Means::Part;
            }
        }
    }

    /// Chooses the unique index that names a row: one with a name in it, else the shortest.
    fn choose_key(&mut self, keys: &[Row]) {
        let mut best: Option<(bool, usize, Vec<usize>)> = None;
        for row in keys.iter().filter(|row| cell(row, 0).parse() == Ok(self.oid)) {
            let names = cell(row, 1);
            let Some(columns) =
                names.split(',').map(|name| self.column(name)).collect::<Option<Vec<usize>>>()
            else {
                continue;
            };
            if self.identifier.is_some_and(|identifier| columns.contains(&identifier)) {
                continue;
            }
            let nameless = !columns.iter().any(|at| self.columns[*at].type_name == "name");
            let mut columns = columns;
            columns.sort_unstable();
            let candidate = (nameless, columns.len(), columns);
            if best.as_ref().is_none_or(|best| candidate < *best) {
                best = Some(candidate);
            }
        }
        self.key = best.map(|(_, _, columns)| columns).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(cells: &[&str]) -> Row {
        cells.iter().map(|cell| Some((*cell).to_owned())).collect()
    }

    #[test]
    fn references_are_read_from_the_server_and_from_the_table() {
        let columns = [
            row(&["1", "pg_constraint", "f", "oid", "1", "oid", "t"]),
            row(&["1", "pg_constraint", "f", "conname", "2", "name", "t"]),
            row(&["1", "pg_constraint", "f", "conrelid", "3", "oid", "t"]),
            row(&["1", "pg_constraint", "f", "confdelsetcols", "4", "smallint[]", "t"]),
            row(&["1", "pg_constraint", "f", "connew", "5", "oid", "t"]),
            row(&["1", "pg_constraint", "f", "consecret", "6", "text", "f"]),
            row(&["2", "pg_depend", "f", "classid", "1", "oid", "t"]),
            row(&["2", "pg_depend", "f", "objid", "2", "oid", "t"]),
        ];
        let keys = [row(&["1", "oid"]), row(&["1", "conrelid,conname"])];
        let references = [row(&["pg_constraint", "{connew}", "pg_type"])];
        let shape = Shape::new(&columns, &keys, &references);
        let constraint = &shape.catalogs[0];
        let means: Vec<&Means> = constraint.columns.iter().map(|column| &column.means).collect();
        assert_eq!(
            means,
            [
                &Means::Somewhere,
                &Means::Plain,
                &Means::Object("pg_class"),
                &Means::Attributes { relation: 2 },
                &Means::Object("pg_type")
            ]
        );
        assert_eq!((constraint.identifier, &*constraint.key), (Some(0), &[1, 2][..]));
        assert_eq!(shape.unread, ["pg_constraint.consecret"]);
        assert_eq!(shape.catalogs[1].columns[1].means, Means::Address { class: 0, part: None });
    }

    #[test]
    fn every_catalog_of_the_table_may_be_referred_to() {
        for line in REFERENCES.lines() {
            let target = line.split(' ').nth(1).expect("a line names its target");
            assert!(known(target).is_some(), "{line}");
        }
    }
}
