//! The one-letter values of the catalogs: kinds, actions, states. A letter that is not known is a kind of which
//! nobody can say how it is written.
//!
//! A letter has never changed its meaning from one release to another, so one list does for all of them: an older
//! server cannot have what came later.

use std::collections::BTreeSet;

use super::catalogs::{Catalog, Catalogs, Column};
use super::columns::Table;
use super::doubt::Doubt;
use super::rows::{self, HIDDEN};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::script::Row;
use crate::drivers::postgres::structure::presence::Empty;

/// Large catalogs, of which the dump reads every row: it looks at their letters while it reads.
const READ_ANYWAY: [&str; 2] = ["pg_attribute", "pg_depend"];

/// The columns of a catalog that hold letters of a known set.
fn columns<'a>(table: &'a Table, major: u32, catalog: &'a Catalog) -> Vec<(&'a Column, &'a str)> {
    catalog
        .columns
        .iter()
        .filter(|column| column.readable && matches!(column.type_name.as_str(), "\"char\"" | "\"char\"[]"))
        .filter_map(|column| {
            let known = table.column(major, &catalog.name, &column.name)?;
            Some((column, known.letters.as_deref()?))
        })
        .collect()
}

/// Returns the query for all combinations of letters: (class, letters with a line end between columns).
pub fn query(table: &Table, catalogs: &Catalogs, empty: &Empty) -> String {
    let parts: Vec<String> = catalogs
        .iter()
        .filter(|catalog| !empty.has(&catalog.name) && !READ_ANYWAY.contains(&catalog.name.as_str()))
        .filter_map(|catalog| {
            let names: Vec<String> = columns(table, catalogs.major, catalog)
                .iter()
                .map(|(column, _)| format!("x.{}", column.name))
                .collect();
            let key = rows::key(catalog)?;
            (!names.is_empty()).then(|| {
                let texts: Vec<String> = names
                    .iter()
                    .map(|name| format!("coalesce({name}::pg_catalog.text, '')"))
                    .collect();
                // One pass over the catalog, whatever the number of columns: few combinations are left.
                format!(
                    "SELECT {}, pg_catalog.concat_ws(E'\\n', {}) FROM (SELECT DISTINCT {} FROM {} x WHERE {}) x",
                    catalog.class,
                    texts.join(", "),
                    names.join(", "),
                    rows::from(catalog),
                    rows::made_by_users(catalog, &key)
                )
            })
        })
        .collect();
    format!("{HIDDEN}{}", parts.join(" UNION ALL "))
}

/// Returns the doubts about letters in the rows of [`query`] that are not known.
pub fn doubts(table: &Table, catalogs: &Catalogs, rows: &[Row]) -> Vec<Doubt> {
    let mut unknown: BTreeSet<(u32, usize, String)> = BTreeSet::new();
    for row in rows {
        let Ok(class) = cell(row, 0).parse::<u32>() else { continue };
        let Some(catalog) = catalogs.iter().find(|catalog| catalog.class == class) else { continue };
        let columns = columns(table, catalogs.major, catalog);
        for (index, ((column, known), value)) in columns.iter().zip(cell(row, 1).split('\n')).enumerate() {
            let values: Vec<&str> = if column.type_name.ends_with("[]") {
                value.trim_matches(['{', '}']).split(',').collect()
            } else {
                vec![value]
            };
            for value in values {
                if !matches!(value, "" | " ") && !known.contains(value) {
                    unknown.insert((class, index, value.to_owned()));
                }
            }
        }
    }
    unknown
        .into_iter()
        .filter_map(|(class, index, letter)| {
            let catalog = catalogs.iter().find(|catalog| catalog.class == class)?;
            let (column, _) = *columns(table, catalogs.major, catalog).get(index)?;
            Some(doubt(catalog, column, &letter, &rows::key(catalog)?))
        })
        .collect()
}

fn doubt(catalog: &Catalog, column: &Column, letter: &str, key: &rows::Key) -> Doubt {
    let literal = crate::drivers::postgres::text::literal(letter);
    let condition = if column.type_name.ends_with("[]") {
        format!("{literal} = ANY (x.{}::pg_catalog.text[])", column.name)
    } else {
        format!("x.{}::pg_catalog.text = {literal}", column.name)
    };
    Doubt {
        what: format!("the letter `{letter}` in `{}.{}`", catalog.name, column.name),
        query: rows::select(catalog, key, &condition),
        is_new: false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogs::catalogs;
    use super::*;

    #[test]
    fn a_letter_that_is_not_known_is_named_with_its_column() {
        let table = Table::parse(
            "pg_class 12-\n  oid derived\n  relkind emitted letters rv\n  relnote emitted free\n\
             pg_proc 12-\n  oid derived\n  proargmodes emitted letters io\n",
        )
        .expect("it reads");
        let all = catalogs(
            19,
            &[
                "pg_class 1259 oid:oid relkind:\"char\" relnote:\"char\"",
                "pg_proc 1255 oid:oid proargmodes:\"char\"[]",
            ],
        );
        let query = query(&table, &all, &Empty::default());
        assert!(query.contains("SELECT DISTINCT x.relkind FROM") && !query.contains("relnote"), "{query}");
        let row = |class: &str, letters: &str| -> Row { vec![Some(class.into()), Some(letters.into())] };
        let rows =
            [row("1259", "r"), row("1259", " "), row("1259", "g"), row("1255", ""), row("1255", "{i,z}")];
        let whats: Vec<String> = doubts(&table, &all, &rows).into_iter().map(|doubt| doubt.what).collect();
        assert_eq!(
            whats,
            ["the letter `z` in `pg_proc.proargmodes`", "the letter `g` in `pg_class.relkind`"]
        );
    }

    #[test]
    fn a_known_set_is_sorted_and_says_no_letter_twice() {
        let table = Table::built_in();
        let mut sets = 0;
        for (catalog, column) in table.expected(18) {
            let known = table.column(18, catalog, column).expect("it is expected");
            let Some(letters) = &known.letters else { continue };
            sets += 1;
            let mut chars: Vec<char> = letters.chars().collect();
            assert!(chars.is_sorted(), "{catalog}.{column}");
            chars.dedup();
            assert_eq!(chars.len(), letters.len(), "{catalog}.{column}");
        }
        assert_eq!(sets, 41);
    }
}
