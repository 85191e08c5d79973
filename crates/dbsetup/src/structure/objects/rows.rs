//! The rows below the schema: those that a structure keeps, and the ledger's.

use std::collections::{HashMap, HashSet};

use super::key::Key;
use super::{Row, Version};
use crate::error::{Error, Kind, Result};
use crate::sql::{self, Dialect, Token};

/// The columns of the ledgers' rows as our dumps write them.
const LEDGERS: [&[&str]; 4] = [
    &["version", "name", "source", "checksum"],
    &["version", "description", "success", "checksum", "execution_time"],
    &["version", "name", "applied_on", "checksum"],
    &["version"],
];

pub(super) fn is_insert(dialect: Dialect, statement: &str) -> bool {
    sql::significant(dialect, statement).next().is_some_and(|token| token.is_word("insert"))
}

/// An INSERT, as far as it matters.
struct Insert {
    table: String,
    is_ledger: bool,
    first: String,
}

impl Insert {
    fn read(dialect: Dialect, statement: &str) -> Option<Self> {
        let mut tokens = sql::significant(dialect, statement);
        if !tokens.next()?.is_word("insert") || !tokens.next()?.is_word("into") {
            return None;
        }
        let open = |token: &Token<'_>| token.is_punctuation("(");
        let mut table = String::new();
        let mut token = tokens.next()?;
        while !open(&token) && !token.is_word("values") && !token.is_word("overriding") {
            table.push_str(token.text);
            token = tokens.next()?;
        }
        let mut columns = Vec::new();
        if open(&token) {
            let inside = tokens.by_ref().take_while(|token| !token.is_punctuation(")"));
            columns.extend(inside.filter(|token| token.text != ",").map(|token| token.text.to_lowercase()));
        }
        let mut values = tokens.skip_while(|token| !open(token)).skip(1);
        let value = values.by_ref().take_while(|token| !matches!(token.text, "," | ")"));
        let first = value.map(|token| token.text).collect::<String>();
        let is_ledger = LEDGERS.iter().any(|ledger| columns == *ledger);
        Some(Self { table, is_ledger, first })
    }
}

/// Reads what stands below the schema: a statement, its text in the file, whether a blank line is above it.
///
/// The ledger is the table of the last INSERT, where that has a ledger's columns.
///
/// # Errors
/// [`Kind::Grammar`] where a statement has no business there.
pub(super) fn read(dialect: Dialect, data: &[(&str, &str, bool)]) -> Result<(Vec<Row>, Vec<Version>)> {
    let inserts: Vec<_> = data.iter().map(|(statement, ..)| Insert::read(dialect, statement)).collect();
    let last = inserts.iter().rev().flatten().next();
    let ledger = last.filter(|insert| insert.is_ledger).map(|insert| insert.table.clone());
    let (mut rows, mut versions) = (Vec::new(), Vec::new());
    for ((statement, text, apart), insert) in data.iter().zip(inserts) {
        let (text, apart) = ((*text).to_owned(), *apart);
        match insert {
            Some(insert) if insert.is_ledger && ledger.as_ref() == Some(&insert.table) => {
                versions.push(Version { version: insert.first.trim_matches('\'').to_owned(), text, apart });
            }
            _ if !versions.is_empty() => return Err(misplaced(statement, "the rows of the ledger")),
            Some(Insert { table, first, .. }) => rows.push(Row { table, first, text, apart }),
            None => {
                rows.push(Row { table: String::new(), first: state_of(dialect, statement)?, text, apart });
            }
        }
    }
    Ok((rows, versions))
}

/// Returns what tells a statement between the rows from others: what it sets, without the value.
fn state_of(dialect: Dialect, statement: &str) -> Result<String> {
    let words = sql::statement_words(dialect, statement, 1);
    if !matches!(words.first().map(String::as_str), Some("SELECT" | "UPDATE" | "DELETE")) {
        return Err(misplaced(statement, "the rows"));
    }
    let tokens: Vec<_> = sql::significant(dialect, statement).map(|token| token.text).collect();
    // `SELECT pg_catalog.setval('s', 7)`: the sequence, not its state.
    let until = tokens.iter().position(|text| matches!(*text, "," | "=")).unwrap_or(tokens.len());
    Ok(tokens[..until].join(" "))
}

fn misplaced(statement: &str, above: &str) -> Error {
    let line = statement.lines().next().unwrap_or_default();
    Error::new(Kind::Grammar, format!("a statement stands below {above} that is none of them: {line}"))
        .help("write the file again: `cargo dbsetup dump`")
}

/// Returns rows with what tells them apart: the first value, where every row of the table has another one in each
/// version; else the whole row.
pub(super) fn keyed(versions: [&[Row]; 3]) -> [Vec<(Key, &Row)>; 3] {
    let mut repeated: HashSet<&str> = HashSet::new();
    for rows in versions {
        let mut seen = HashSet::new();
        repeated
            .extend(rows.iter().filter(|row| !seen.insert((&row.table, &row.first))).map(|row| &*row.table));
    }
    versions.map(|rows| {
        let mut seen = HashMap::new();
        rows.iter()
            .map(|row| {
                let key = match row.table.as_str() {
                    "" => Key::new("statement", row.first.as_str()),
                    table if repeated.contains(table) => Key::new("row", row.text.as_str()),
                    table => Key::new("row", format!("{} of {table}", row.first)),
                };
                let times = seen.entry(key.clone()).and_modify(|times| *times += 1).or_insert(1_usize);
                (if *times > 1 { key.numbered(*times) } else { key }, row)
            })
            .collect()
    })
}

/// Whether new rows of two sides stand in this order: by their first values in one table, else ours come first.
pub(super) fn in_order(ours: &Key, theirs: &Key) -> bool {
    let (Some((one, table)), Some((other, other_table))) =
        (ours.name.split_once(" of "), theirs.name.split_once(" of "))
    else {
        return true;
    };
    match (one.parse::<i64>(), other.parse::<i64>()) {
        _ if table != other_table => true,
        (Ok(one), Ok(other)) => one < other,
        _ => one < other,
    }
}
