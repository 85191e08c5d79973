//! Rows in a structure: those that it keeps, and the ledger's.

use std::collections::{HashMap, HashSet};

use super::facts::{self, Facts};
use super::key::Key;
use super::{Object, Version};
use crate::error::{Error, Kind, Result};
use crate::sql::{self, Dialect, Token, TokenKind};

/// The columns of the ledgers' rows as our dumps write them.
const LEDGERS: [&[&str]; 4] = [
    &["version", "name", "source", "checksum"],
    &["version", "description", "success", "checksum", "execution_time"],
    &["version", "name", "applied_on", "checksum"],
    &["version"],
];

/// The kind of the rows of a table.
pub(super) const ROWS: &str = "rows of";
/// The kind of the states of sequences, which rows have moved on.
const COUNTERS: &str = "counters";

/// Whether the statements of an object are a line each that stands for itself.
pub(super) fn are_lines(key: &Key) -> bool {
    key.kind == ROWS || key.kind == COUNTERS
}

/// An INSERT, as far as it matters.
pub(super) struct Insert {
    table: String,
    is_ledger: bool,
    /// The columns without quotes, as they are compared.
    pub columns: Vec<String>,
    /// The values as they are written, without blanks.
    pub values: Vec<String>,
}

impl Insert {
    pub fn read(dialect: Dialect, statement: &str) -> Option<Self> {
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
        let (mut columns, mut is_ledger) = (Vec::new(), false);
        if open(&token) {
            let inside = tokens.by_ref().take_while(|token| !token.is_punctuation(")"));
            let written: Vec<Token<'_>> = inside.filter(|token| token.text != ",").collect();
            let lowered: Vec<String> = written.iter().map(|token| token.text.to_lowercase()).collect();
            is_ledger = LEDGERS.iter().any(|ledger| lowered == *ledger);
            columns = written.into_iter().map(|token| facts::plain(dialect, token)).collect();
        }
        let mut values = vec![String::new()];
        let mut depth = 0_usize;
        for token in tokens.skip_while(|token| !open(token)).skip(1) {
            match token.text {
                ")" if depth == 0 => break,
                "," if depth == 0 => {
                    values.push(String::new());
                    continue;
                }
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            values.last_mut().expect("there is one from the beginning").push_str(token.text);
        }
        Some(Self { table, is_ledger, columns, values })
    }

    /// Returns the values of columns; nothing where the INSERT has not all of them.
    pub fn of(&self, columns: &[String]) -> Option<Vec<&str>> {
        let value = |column: &String| {
            let at = self.columns.iter().position(|one| one == column)?;
            self.values.get(at).map(String::as_str)
        };
        columns.iter().map(value).collect()
    }

    fn first(&self) -> &str {
        self.values.first().map_or("", String::as_str)
    }
}

/// Returns what a statement is a part of, if it is about rows: those of a table, the states of sequences, what makes
/// way for rows or ends that.
pub(super) fn part(dialect: Dialect, statement: &str) -> Option<Key> {
    let words = sql::statement_words(dialect, statement, 5);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["INSERT", ..] => {
            let insert = Insert::read(dialect, statement)?;
            let is_counter = insert.table.eq_ignore_ascii_case("sqlite_sequence");
            Some(if is_counter { Key::new(COUNTERS, "") } else { Key::new(ROWS, insert.table) })
        }
        ["UPDATE", table, ..] if table.eq_ignore_ascii_case("sqlite_sequence") => {
            Some(Key::new(COUNTERS, ""))
        }
        ["SELECT", ..] if statement.contains("setval") => Some(Key::new(COUNTERS, "")),
        ["SET", "CONSTRAINTS", ..] => Some(Key::new("statement", statement)),
        // What a schema says of its triggers itself, it says without ONLY.
        ["ALTER", "TABLE", "ONLY", ..] => {
            let has = |word: &str| sql::significant(dialect, statement).any(|token| token.is_word(word));
            match () {
                () if has("row") && has("level") && has("no") => Some(Key::new("before rows", "")),
                () if has("row") && has("level") && has("force") => Some(Key::new("after rows", "")),
                () if !has("trigger") && !has("rule") => None,
                () if has("disable") => Some(Key::new("before rows", "")),
                () if has("enable") => Some(Key::new("after rows", "")),
                () => None,
            }
        }
        _ => None,
    }
}

/// Returns where the rows of the ledger begin: those of the table of the last INSERT, where it has a ledger's columns.
///
/// # Errors
/// [`Kind::Grammar`] where anything else stands below them.
pub(super) fn ledger_at(dialect: Dialect, statements: &[&str]) -> Result<usize> {
    let inserts: Vec<_> = statements.iter().map(|statement| Insert::read(dialect, statement)).collect();
    let last = inserts.iter().rev().flatten().next().filter(|insert| insert.is_ledger);
    let Some(ledger) = last.map(|insert| &insert.table) else { return Ok(statements.len()) };
    let is_row = |insert: &Option<Insert>| {
        insert.as_ref().is_some_and(|insert| insert.is_ledger && insert.table == *ledger)
    };
    let at = inserts.iter().position(is_row).unwrap_or(statements.len());
    match inserts[at..].iter().position(|insert| !is_row(insert)) {
        None => Ok(at),
        Some(beyond) => {
            let line = statements[at + beyond].lines().next().unwrap_or_default();
            let what =
                format!("a statement stands among the rows of the ledger that is none of them: {line}");
            Err(Error::new(Kind::Grammar, what).help("write the file again: `cargo dbsetup dump`"))
        }
    }
}

/// Reads a row of the ledger.
pub(super) fn version(dialect: Dialect, statement: &str, text: &str) -> Option<Version> {
    let insert = Insert::read(dialect, statement)?;
    Some(Version { version: insert.first().trim_matches('\'').to_owned(), text: text.to_owned() })
}

/// The lines of each version, with what tells them apart.
pub(super) struct Keyed<'a> {
    pub lines: [Vec<(Key, &'a str)>; 3],
    /// Whether rows have no key and stand for themselves: another row and a changed one are the same then.
    pub are_whole: bool,
}

/// Returns the lines of an object with what tells them apart: the values of a row in the columns of a key that the table
/// has in all versions; without one its first value, where every row of the table has another one in each version; else
/// the whole row; of a counter, its name.
pub(super) fn keyed<'a>(
    dialect: Dialect,
    key: &Key,
    versions: [Option<&'a Object>; 3],
    tables: [Option<&Facts>; 3],
) -> Keyed<'a> {
    let none: &[String] = &[];
    let lines = versions.map(|object| object.map_or(none, |object| &object.statements));
    let inserts = lines.map(|lines| lines.iter().map(|line| Insert::read(dialect, line)).collect::<Vec<_>>());
    let columns = inserts.iter().flatten().flatten().next().map(|insert| insert.columns.as_slice());
    // In the order ours, theirs, base: a side knows the table.
    let tables = [tables[1], tables[2], tables[0].filter(|_| versions[0].is_some())];
    let known = columns.and_then(|columns| Facts::key(&tables, columns));
    let values = |by: Option<&[String]>| {
        inserts.each_ref().map(|inserts| {
            let value = |insert: &Option<Insert>| {
                let Some(insert) = insert else { return String::new() };
                let values = by.and_then(|columns| insert.of(columns));
                values.map_or_else(|| insert.first().to_owned(), |values| values.join(", "))
            };
            inserts.iter().map(value).collect::<Vec<_>>()
        })
    };
    let tells_apart = |values: &[Vec<String>; 3]| {
        values.iter().all(|values| {
            let mut seen = HashSet::new();
            values.iter().all(|value| seen.insert(value))
        })
    };
    let by_key = known.map(|columns| values(Some(columns))).filter(tells_apart);
    let firsts = by_key.unwrap_or_else(|| values(None));
    let is_key = tells_apart(&firsts);
    let of = |line: &str, first: &str| {
        if key.kind == COUNTERS {
            let mut tokens = sql::significant(dialect, line);
            let name = tokens.find(|token| token.kind == TokenKind::String).map_or(line, |token| token.text);
            let verb = line.split_whitespace().next().unwrap_or_default();
            return Key::new("counter", format!("{name} ({verb})"));
        }
        if is_key { Key::new("row", format!("{first} of {}", key.name)) } else { Key::new("row", line) }
    };
    let mut keyed = [const { Vec::new() }; 3];
    for (keyed, (lines, firsts)) in keyed.iter_mut().zip(lines.into_iter().zip(&firsts)) {
        let mut seen: HashMap<Key, usize> = HashMap::new();
        for (line, first) in lines.iter().zip(firsts) {
            let key = of(line, first);
            let times = seen.entry(key.clone()).or_default();
            *times += 1;
            keyed.push((if *times > 1 { key.numbered(*times) } else { key }, line.as_str()));
        }
    }
    Keyed { lines: keyed, are_whole: !is_key && key.kind == ROWS }
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
