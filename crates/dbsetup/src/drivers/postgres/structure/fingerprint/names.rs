//! What objects are called, without OIDs: the values of a catalog's own unique key, references in it replaced likewise.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::exceptions::{PARTS, RANKS};
use super::queries::Query;
use super::shape::{Catalog, Means, Shape};
use super::{FIRST_USER_OID, Row};

/// All rows that were read, and what they are called.
pub(super) struct Names<'s> {
    pub shape: &'s Shape,
    /// The rows to compare, a list for each catalog.
    pub rows: Vec<Vec<Row>>,
    /// Rows that are only called by name.
    named: Vec<Vec<Row>>,
    /// By catalog and OID: whether in `named`, and where.
    places: HashMap<(usize, u32), (bool, usize)>,
    /// The names of columns, by relation and number.
    columns: HashMap<(u32, i32), String>,
    /// The element type of each array type that comes with it.
    elements: HashMap<u32, u32>,
    by_name: HashMap<&'s str, usize>,
    known: RefCell<HashMap<(usize, u32), Arc<str>>>,
}

/// Returns the OID that a value says; 0 is none.
pub(super) fn oid(value: Option<&str>) -> u32 {
    value.and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// Returns the items of an array or vector of numbers: `{1,2}`, `1 2`.
pub(super) fn numbers(value: &str) -> impl Iterator<Item = &str> {
    value.trim_matches(['{', '}']).split([',', ' ']).filter(|item| !item.is_empty())
}

impl<'s> Names<'s> {
    pub fn new(shape: &'s Shape) -> Self {
        let count = shape.catalogs.len();
        Self {
            shape,
            rows: vec![Vec::new(); count],
            named: vec![Vec::new(); count],
            places: HashMap::new(),
            columns: HashMap::new(),
            elements: HashMap::new(),
            by_name: shape.catalogs.iter().enumerate().map(|(at, catalog)| (&*catalog.name, at)).collect(),
            known: RefCell::default(),
        }
    }

    /// Takes the answer to a query.
    pub fn learn(&mut self, query: &Query, rows: Vec<Row>) {
        let width = self.shape.catalogs[query.catalog].columns.len();
        if !query.named {
            self.rows[query.catalog] = rows;
            return;
        }
        self.named[query.catalog] = rows
            .into_iter()
            .map(|row| {
                let mut wide = vec![None; width];
                for (at, value) in query.columns.iter().zip(row) {
                    wide[*at] = value;
                }
                wide
            })
            .collect();
    }

    /// Finds every row by its OID and every column by its number, and puts ranks in the place of numbers with gaps.
    pub fn index(&mut self) {
        for (at, catalog) in self.shape.catalogs.iter().enumerate() {
            let Some(identifier) = catalog.identifier else { continue };
            for (named, rows) in [(true, &self.named[at]), (false, &self.rows[at])] {
                for (place, row) in rows.iter().enumerate() {
                    self.places.insert((at, oid(row[identifier].as_deref())), (named, place));
                }
            }
        }
        if let Some(([relation, number, name, dropped], at)) =
            self.columns_of("pg_attribute", ["attrelid", "attnum", "attname", "attisdropped"])
        {
            self.rows[at].retain(|row| row[dropped].as_deref() != Some("t"));
            self.number_columns_of_indexes(at, [relation, number, name]);
            for row in &self.rows[at] {
                let number = row[number].as_deref().and_then(|number| number.parse().ok()).unwrap_or(0);
                let name = row[name].clone().unwrap_or_default();
                self.columns.insert((oid(row[relation].as_deref()), number), name);
            }
            // The engine's own columns are the same in every table.
            self.rows[at].retain(|row| row[number].as_deref().is_some_and(|number| !number.starts_with('-')));
        }
        if let Some(([identifier, array], at)) = self.columns_of("pg_type", ["oid", "typarray"]) {
            for row in &self.rows[at] {
                self.elements.insert(oid(row[array].as_deref()), oid(row[identifier].as_deref()));
            }
            self.elements.remove(&0);
        }
        for (catalog, column, group) in RANKS {
            self.rank(catalog, column, group);
        }
    }

    /// Calls the columns of indexes by their numbers: an index keeps the name that its table's column had when it was made,
    /// and no statement gives it another one.
    fn number_columns_of_indexes(&mut self, attributes: usize, [relation, number, name]: [usize; 3]) {
        let Some(([identifier, kind], at)) = self.columns_of("pg_class", ["oid", "relkind"]) else { return };
        let is_index = |row: &&Row| matches!(row[kind].as_deref(), Some("i" | "I"));
        let indexes: HashSet<u32> =
            self.rows[at].iter().filter(is_index).map(|row| oid(row[identifier].as_deref())).collect();
        for row in &mut self.rows[attributes] {
            if indexes.contains(&oid(row[relation].as_deref())) {
                row[name] = row[number].clone();
            }
        }
    }

    /// Where columns of a catalog stand, and it itself.
    pub fn columns_of<const N: usize>(&self, catalog: &str, names: [&str; N]) -> Option<([usize; N], usize)> {
        let at = *self.by_name.get(catalog)?;
        let mut found = [0; N];
        for (place, name) in found.iter_mut().zip(names) {
            *place = self.shape.catalogs[at].column(name)?;
        }
        Some((found, at))
    }

    fn rank(&mut self, catalog: &str, column: &str, group: &[&str]) {
        let Some(([number], at)) = self.columns_of(catalog, [column]) else { return };
        let group: Vec<usize> =
            group.iter().filter_map(|name| self.shape.catalogs[at].column(name)).collect();
        let mut groups: BTreeMap<Vec<Option<String>>, Vec<(f64, usize)>> = BTreeMap::new();
        for (place, row) in self.rows[at].iter().enumerate() {
            let key = group.iter().map(|column| row[*column].clone()).collect();
            let value = row[number].as_deref().and_then(|value| value.parse().ok()).unwrap_or(0.0);
            groups.entry(key).or_default().push((value, place));
        }
        for mut members in groups.into_values() {
            members.sort_by(|one, other| one.0.total_cmp(&other.0));
            for (rank, (_, place)) in members.into_iter().enumerate() {
                self.rows[at][place][number] = Some((rank + 1).to_string());
            }
        }
    }

    /// Where the catalog of that name stands.
    pub fn catalog(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// The row of an object, as far as it was read.
    pub fn row(&self, catalog: usize, oid: u32) -> Option<&Row> {
        let (named, place) = self.places.get(&(catalog, oid))?;
        Some(if *named { &self.named[catalog][*place] } else { &self.rows[catalog][*place] })
    }

    /// What an object is called.
    pub fn object(&self, catalog: usize, oid: u32) -> Arc<str> {
        if let Some(name) = self.known.borrow().get(&(catalog, oid)) {
            return name.clone();
        }
        let about = &self.shape.catalogs[catalog];
        let name: Arc<str> = match (self.row(catalog, oid), self.elements.get(&oid)) {
            (_, Some(element)) if about.name == "pg_type" => {
                format!("{}[]", self.object(catalog, *element)).into()
            }
            (Some(row), _) => self.called(catalog, row).into(),
            // The engine's own numbers are the same in every database of a release.
            (None, _) if oid < FIRST_USER_OID => format!("{oid} of {}", about.name).into(),
            // This role may not read it.
            (None, _) => format!("a row of {}", about.name).into(),
        };
        self.known.borrow_mut().insert((catalog, oid), name.clone());
        name
    }

    /// What an object of the catalog of that name is called; nothing for none.
    pub fn target(&self, target: &str, oid: u32) -> Option<Arc<str>> {
        if oid == 0 {
            return None;
        }
        Some(match self.catalog(target) {
            Some(catalog) => self.object(catalog, oid),
            None => format!("{oid} of {target}").into(),
        })
    }

    /// What a column of a relation is called: its name, or its number where that is the engine's.
    pub fn column(&self, relation: u32, number: &str) -> String {
        let known = number.parse().ok().and_then(|number| self.columns.get(&(relation, number)));
        known.map_or_else(|| number.to_owned(), |name| quoted(name))
    }

    /// Whether the row's name is the server's choice: made up from its OID, or of the copy of a foreign key that a
    /// partition has, which depends on the order in which partitions came.
    pub fn is_nameless(&self, catalog: &Catalog, row: &Row) -> bool {
        let is = |column: &str, wanted: fn(&str) -> bool| {
            catalog.column(column).and_then(|at| row[at].as_deref()).is_some_and(wanted)
        };
        if catalog.name == "pg_constraint"
            && is("contype", |kind| kind == "f")
            && is("conparentid", |parent| parent != "0")
        {
            return true;
        }
        let Some(own) = catalog.identifier.and_then(|at| row[at].as_deref()) else { return false };
        catalog.key.iter().any(|at| {
            row[*at].as_deref().is_some_and(|name| {
                catalog.columns[*at].type_name == "name"
                    && name.strip_suffix(own).is_some_and(|rest| rest.ends_with('_'))
            })
        })
    }

    /// What a row is called by its key.
    pub fn called(&self, catalog: usize, row: &Row) -> String {
        let about = &self.shape.catalogs[catalog];
        if let Some(toast) = self.toast(about, row) {
            return toast;
        }
        if self.is_nameless(about, row) {
            // Its references are what makes it what it is.
            let parts: Vec<String> = (0..about.columns.len())
                .filter(|at| about.columns[*at].compared && !about.key.contains(at))
                .filter(|at| matches!(about.columns[*at].means, Means::Object(_)))
                .filter_map(|at| self.value(about, row, at))
                .collect();
            let owner = about.owner().and_then(|at| self.value(about, row, at)).unwrap_or_default();
            let parts: Vec<String> = parts.into_iter().filter(|part| *part != owner).collect();
            return format!("{owner} [{}]", parts.join(", "));
        }
        let has_name = about.key.iter().any(|at| about.columns[*at].type_name == "name");
        let (mut schema, mut path, mut types, mut rest) = (None, Vec::new(), Vec::new(), Vec::new());
        for at in &about.key {
            let column = &about.columns[*at];
            let raw = row[*at].as_deref().unwrap_or_default();
            match &column.means {
                Means::Object("pg_namespace") if has_name => {
                    schema = self.value(about, row, *at).filter(|schema| schema != "pg_catalog");
                }
                Means::Object("pg_type") if !PARTS.contains(&&*about.name) => {
                    types.extend(self.value(about, row, *at));
                }
                Means::Objects(target) => {
                    types.extend(
                        numbers(raw)
                            .filter_map(|item| self.target(target, oid(Some(item))))
                            .map(|name| name.to_string()),
                    );
                }
                Means::Plain if column.type_name == "name" => {}
                Means::Plain | Means::Somewhere => rest.push(raw.to_owned()),
                _ => path.extend(self.value(about, row, *at)),
            }
        }
        // The name itself stands behind what it is a part of.
        for at in about.key.iter().filter(|at| about.columns[**at].type_name == "name") {
            path.push(quoted(row[*at].as_deref().unwrap_or_default()));
        }
        let mut name = schema.into_iter().chain(path).collect::<Vec<_>>().join(".");
        if !types.is_empty() || about.name == "pg_proc" {
            name.push_str(&format!("({})", types.join(", ")));
        }
        if !rest.is_empty() {
            name.push_str(&format!(" [{}]", rest.join(", ")));
        }
        name
    }

    /// The number in a toast table's name is its table's OID.
    fn toast(&self, catalog: &Catalog, row: &Row) -> Option<String> {
        Some(format!(
            "{} (its long values)",
            self.object(self.catalog("pg_class")?, toast_owner(catalog, row)?)
        ))
    }

    /// The text of a column's value without OIDs; nothing for none.
    pub fn value(&self, catalog: &Catalog, row: &Row, at: usize) -> Option<String> {
        let raw = row[at].as_deref()?;
        match &catalog.columns[at].means {
            Means::Plain => Some(raw.to_owned()),
            Means::Object(target) => Some(self.target(target, oid(Some(raw)))?.to_string()),
            Means::Objects(target) => {
                let mut items: Vec<String> = numbers(raw)
                    .map(|item| {
                        self.target(target, oid(Some(item)))
                            .map_or_else(|| "-".to_owned(), |name| name.to_string())
                    })
                    .collect();
                // Roles are a set.
                if *target == "pg_authid" {
                    items.sort_unstable();
                }
                Some(items.join(", "))
            }
            Means::Attribute { relation } => Some(self.column(oid(row[*relation].as_deref()), raw)),
            Means::Attributes { relation } => {
                let relation = oid(row[*relation].as_deref());
                Some(numbers(raw).map(|number| self.column(relation, number)).collect::<Vec<_>>().join(", "))
            }
            Means::Address { class, part } => {
                let class = oid(row[*class].as_deref());
                let part = part.and_then(|at| row[at].as_deref()).filter(|part| *part != "0");
                Some(self.address(class, oid(Some(raw)), part))
            }
            Means::Part => None,
            Means::Somewhere => self.somewhere(oid(Some(raw))),
        }
    }

    /// What an object of a catalog, known by its OID, is called, or a column of it.
    fn address(&self, class: u32, object: u32, part: Option<&str>) -> String {
        let Some(catalog) = self.shape.by_oid.get(&class) else { return format!("{object} of {class}") };
        let name = &self.shape.catalogs[*catalog].name;
        let object_name = self.object(*catalog, object);
        match part {
            Some(part) => format!("{name} {object_name}.{}", self.column(object, part)),
            None => format!("{name} {object_name}"),
        }
    }

    /// An OID that may be of any catalog: it is looked for in all of them.
    fn somewhere(&self, oid: u32) -> Option<String> {
        if oid == 0 {
            return None;
        }
        let found = (0..self.shape.catalogs.len()).find(|catalog| self.row(*catalog, oid).is_some());
        Some(match found {
            Some(catalog) if oid >= FIRST_USER_OID => {
                format!("{} {}", self.shape.catalogs[catalog].name, self.object(catalog, oid))
            }
            _ => oid.to_string(),
        })
    }
}

/// Returns the OID of the table whose long values a relation holds.
pub(super) fn toast_owner(catalog: &Catalog, row: &Row) -> Option<u32> {
    if catalog.name != "pg_class" {
        return None;
    }
    let name = row[catalog.column("relname")?].as_deref()?;
    let kind = row[catalog.column("relkind")?].as_deref();
    let rest = name.strip_prefix("pg_toast_").filter(|_| matches!(kind, Some("t" | "i")))?;
    rest.strip_suffix("_index").unwrap_or(rest).parse().ok()
}

/// Returns a name in quotes where it is not a plain word.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if name.chars().all(plain) && name.chars().next().is_some_and(|first| !first.is_ascii_digit()) {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('"', "\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrays_and_vectors_are_lists_of_numbers() {
        assert_eq!(numbers("{1,2}").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(numbers("1 2").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(numbers("{}").count() + numbers("").count(), 0);
    }

    #[test]
    fn names_that_a_person_would_quote_are_quoted() {
        assert_eq!(quoted("users"), "users");
        assert_eq!(quoted("Users"), "\"Users\"");
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(quoted("1a"), "\"1a\"");
    }
}
