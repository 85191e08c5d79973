//! Names and values as they stand in the SQL that this driver writes.

use crate::ledger::LedgerTable;
use crate::sql::{self, Dialect};

/// Returns a quoted name. Names come from catalogs and checked settings: neither can hold a NUL.
pub(super) fn name(text: &str) -> String {
    sql::quote_identifier(Dialect::Postgres, &text.replace('\0', "\u{fffd}"))
        .unwrap_or_else(|_| "\"\"".into())
}

/// Returns a quoted string.
pub(super) fn literal(text: &str) -> String {
    sql::quote_literal(Dialect::Postgres, &text.replace('\0', "\u{fffd}")).expect("there is no NUL in it")
}

/// Returns `'a', 'b'`; a list that matches nothing when there are none.
pub(super) fn literals<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let list: Vec<String> = texts.into_iter().map(literal).collect();
    if list.is_empty() { "NULL".to_owned() } else { list.join(", ") }
}

/// Returns the quoted, qualified name of a table beside a ledger.
pub(super) fn beside(ledger: &LedgerTable, table: &str) -> String {
    match &ledger.schema {
        Some(schema) => format!("{}.{}", name(schema), name(table)),
        None => name(table),
    }
}

/// Returns `text` cut to at most `limit` bytes at a character.
pub(super) fn cut(text: &str, limit: usize) -> &str {
    let mut end = text.len().min(limit);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
