//! What is known of every column of every catalog, and what a server has beyond that.
//!
//! A minor release of a server may put something new where it was not before, a major one does: a writer that does
//! not know a column would drop what stands there without a word. So the known ones are a table, `columns.txt`.

use std::collections::BTreeMap;

use super::catalogs::{Catalog, Catalogs, Column};
use super::doubt::Doubt;
use super::outside::is_outside;
use super::rows;

/// The columns of PostgreSQL 12 to 18.
pub const BUILT_IN: &str = include_str!("columns.txt");

/// What a structure file makes of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// It decides a word of the text.
    Emitted,
    /// The server makes it from what is emitted.
    Derived,
    /// It changes while the structure does not.
    Volatile,
    /// It is no part of the structure, by decision.
    Outside,
}

/// The major releases that have something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Majors {
    first: u32,
    /// `None` while no release has dropped it.
    last: Option<u32>,
}

impl Majors {
    fn contains(self, major: u32) -> bool {
        self.first <= major && self.last.is_none_or(|last| major <= last)
    }
}

/// What is known of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    majors: Majors,
    /// What becomes of it.
    pub class: Class,
    /// The values of a column of type `"char"`; `None` where all are welcome.
    pub letters: Option<String>,
    /// Whether the table says that all are welcome.
    #[cfg(test)]
    free: bool,
}

impl Known {
    /// Whether the line tells of letters.
    #[cfg(test)]
    pub fn has_letters(&self) -> bool {
        self.letters.is_some() || self.free || self.class == Class::Outside
    }
}

/// The known columns by catalog and name.
#[derive(Debug)]
pub struct Table {
    catalogs: BTreeMap<String, (Majors, BTreeMap<String, Known>)>,
}

impl Table {
    /// Reads the form of `columns.txt`; an error names the line.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut catalogs: BTreeMap<String, (Majors, BTreeMap<String, Known>)> = BTreeMap::new();
        let mut last: Option<String> = None;
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let wrong = || format!("`{line}` cannot be read");
            let mut words = line.split_whitespace();
            let name = words.next().ok_or_else(wrong)?.to_owned();
            let is_new = match (line.starts_with(' '), &last) {
                (false, _) => {
                    let majors = words.next().and_then(majors).ok_or_else(wrong)?;
                    last = Some(name.clone());
                    catalogs.insert(name, (majors, BTreeMap::new())).is_none()
                }
                (true, Some(catalog)) => {
                    let (whole, columns) = catalogs.get_mut(catalog).ok_or_else(wrong)?;
                    let known = known(*whole, words).ok_or_else(wrong)?;
                    columns.insert(name, known).is_none()
                }
                (true, None) => return Err(wrong()),
            };
            if !is_new {
                return Err(format!("`{line}` stands there twice"));
            }
        }
        Ok(Self { catalogs })
    }

    /// Returns the table of this release.
    pub fn built_in() -> Self {
        Self::parse(BUILT_IN).expect("a test reads the same text")
    }

    /// Returns what is known of a column of a server of that major version.
    pub fn column(&self, major: u32, catalog: &str, column: &str) -> Option<&Known> {
        let (_, columns) = self.catalogs.get(catalog)?;
        columns.get(column).filter(|known| known.majors.contains(major))
    }

    /// Whether a server of that major version has this catalog.
    pub fn has(&self, major: u32, catalog: &str) -> bool {
        self.catalogs.get(catalog).is_some_and(|(majors, _)| majors.contains(major))
    }

    /// Returns the columns that a server of that major version should have.
    #[cfg(test)]
    pub fn expected(&self, major: u32) -> impl Iterator<Item = (&str, &str)> {
        self.catalogs.iter().flat_map(move |(catalog, (_, columns))| {
            columns
                .iter()
                .filter(move |(_, known)| known.majors.contains(major))
                .map(move |(column, _)| (catalog.as_str(), column.as_str()))
        })
    }

    /// The names of the catalogs.
    #[cfg(test)]
    pub fn catalogs(&self) -> impl Iterator<Item = &str> {
        self.catalogs.keys().map(String::as_str)
    }
}

/// Reads `12-` or `12-16`.
fn majors(text: &str) -> Option<Majors> {
    let (first, last) = text.split_once('-')?;
    let last = if last.is_empty() { None } else { Some(last.parse().ok()?) };
    Some(Majors { first: first.parse().ok()?, last })
}

/// Reads what stands behind the name of a column.
fn known<'a>(whole: Majors, words: impl Iterator<Item = &'a str>) -> Option<Known> {
    let mut words = words.peekable();
    let class = match words.next()? {
        "emitted" => Class::Emitted,
        "derived" => Class::Derived,
        "volatile" => Class::Volatile,
        "outside" => Class::Outside,
        _ => return None,
    };
    let majors = match words.peek().copied().and_then(majors) {
        Some(own) => {
            words.next();
            own
        }
        None => whole,
    };
    let word = words.next();
    let letters = match word {
        None | Some("free") => None,
        Some("letters") => Some(words.next()?.to_owned()),
        Some(_) => return None,
    };
    words.next().is_none().then_some(Known {
        majors,
        class,
        letters,
        #[cfg(test)]
        free: word == Some("free"),
    })
}

/// Returns the doubts about columns and catalogs that are not in the table.
pub fn doubts(table: &Table, catalogs: &Catalogs) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    for catalog in inside(table, catalogs) {
        if !table.has(catalogs.major, &catalog.name) {
            // Rows with an identifier are objects: they are counted as such.
            if !catalog.has("oid") {
                doubts.extend(new_catalog(catalog));
            }
            continue;
        }
        let unknown = |column: &&Column| table.column(catalogs.major, &catalog.name, &column.name).is_none();
        doubts
            .extend(catalog.columns.iter().filter(unknown).filter_map(|column| new_column(catalog, column)));
    }
    doubts
}

/// Returns what is not in the table and cannot be looked into either: closed to the role, or of all databases.
pub fn unseen(table: &Table, catalogs: &Catalogs) -> Vec<String> {
    let major = catalogs.major;
    let mut unseen: Vec<String> = catalogs
        .iter()
        .filter(|catalog| {
            !table.has(major, &catalog.name) && (catalog.shared || rows::key(catalog).is_none())
        })
        .map(|catalog| catalog.name.clone())
        .collect();
    for catalog in inside(table, catalogs).filter(|catalog| table.has(major, &catalog.name)) {
        let closed = catalog.columns.iter().filter(|column| {
            let is_seen = column.readable && rows::key(catalog).is_some();
            !is_seen && table.column(major, &catalog.name, &column.name).is_none()
        });
        unseen.extend(closed.map(|column| format!("{}.{}", catalog.name, column.name)));
    }
    unseen
}

/// The catalogs that may hold something of the structure.
fn inside<'a>(table: &'a Table, catalogs: &'a Catalogs) -> impl Iterator<Item = &'a Catalog> {
    catalogs.iter().filter(move |catalog| {
        // A catalog of all databases that is not known says nothing of this one.
        !is_outside(&catalog.name) && (!catalog.shared || table.has(catalogs.major, &catalog.name))
    })
}

fn new_catalog(catalog: &Catalog) -> Option<Doubt> {
    let key = rows::key(catalog)?;
    Some(Doubt {
        what: format!("the catalog `{}`", catalog.name),
        query: rows::select(catalog, &key, "true"),
        is_new: true,
    })
}

/// Values that mean nothing where the built-in rows do not all have one and the same.
const NOTHING: &str = "'', '0', 'f', 'false', '{}', '-'";

fn new_column(catalog: &Catalog, column: &Column) -> Option<Doubt> {
    let key = rows::key(catalog)?;
    if !column.readable {
        return None;
    }
    let value = format!("x.\"{}\"::pg_catalog.text", column.name);
    // Rows that came with the server were made by nobody's wish: what all of them have is what there was before.
    let usual = format!(
        "(SELECT CASE WHEN pg_catalog.count(*) = pg_catalog.count(b.v) AND pg_catalog.min(b.v) = pg_catalog.max(b.v) \
         THEN ARRAY[pg_catalog.min(b.v)] WHEN pg_catalog.count(b.v) = 0 AND pg_catalog.count(*) > 0 \
         THEN ARRAY[NULL::pg_catalog.text] ELSE ARRAY[NULL, {NOTHING}] END \
         FROM (SELECT {value} FROM {} x WHERE {} < {}) b (v))",
        rows::from(catalog),
        key.column(),
        rows::FIRST_USER_OID
    );
    // `array_position` takes NULL for a value like any other.
    let condition = format!("pg_catalog.array_position({usual}, {value}) IS NULL");
    Some(Doubt {
        what: format!("the column `{}.{}`", catalog.name, column.name),
        query: rows::select(catalog, &key, &condition),
        is_new: true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_read_and_its_lines_are_in_order() {
        let table = Table::parse(BUILT_IN).expect("it reads");
        let names: Vec<&str> = BUILT_IN
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .map(str::trim_end)
            .collect();
        let catalogs: Vec<&&str> = names.iter().filter(|line| !line.starts_with(' ')).collect();
        assert!(catalogs.is_sorted(), "{catalogs:?}");
        for block in names.split(|line| !line.starts_with(' ')) {
            assert!(block.iter().is_sorted_by_key(|line| line.split_whitespace().next()), "{block:?}");
        }
        assert_eq!(table.expected(12).count(), 567);
        assert_eq!(table.expected(18).count(), 601);
    }

    #[test]
    fn a_line_that_stands_there_twice_or_means_nothing_is_refused() {
        for wrong in [
            "pg_a 12-\n  b emitted\n  b derived",
            "pg_a 12-\npg_a 12-",
            "  b emitted",
            "pg_a",
            "pg_a 12-\n  b",
            "pg_a 12-\n  b emitted letters",
            "pg_a 12-\n  b emitted 13- letters ab c",
            "pg_a 12-\n  b printed",
        ] {
            assert!(Table::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_column_is_known_to_the_releases_that_have_it() {
        let table = Table::built_in();
        let known = |major, column| table.column(major, "pg_collation", column).is_some();
        assert!(known(12, "collname") && known(19, "collname"));
        assert!(!known(14, "colliculocale") && known(16, "colliculocale"));
        // A name that comes back means something else.
        assert!(!known(17, "colliculocale"));
        assert!(!table.has(12, "pg_parameter_acl") && table.has(15, "pg_parameter_acl"));
        let letters = |column| table.column(18, "pg_class", column).and_then(|known| known.letters.clone());
        assert_eq!(letters("relreplident").as_deref(), Some("dfin"));
        assert_eq!(letters("relname"), None);
    }
}
