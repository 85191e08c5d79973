//! Reading a database for a dump: one message, one transaction, one snapshot.

use sqlx::postgres::PgRow;

use super::catalog::{self, Catalog};
use super::cells::Cells;
use super::object;
use super::query::{Facts, Query};
use crate::driver::{DbError, DbErrorClass};
use crate::drivers::postgres::error::own;
use crate::drivers::postgres::session::Session;
use crate::drivers::postgres::text::literal;

/// Settings that decide how the server words constants and names, or that would stop the reading halfway. They hold
/// for the transaction.
const SETTINGS: &[(&str, &str)] = &[
    // Every name is qualified, and what is not is the engine's own.
    ("search_path", ""),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, YMD"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("quote_all_identifiers", "off"),
    ("standard_conforming_strings", "on"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    ("client_encoding", "UTF8"),
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    // Thousands of rows make the planner think of compilers and helpers that cost more than they bring.
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
];

/// What a reading brought.
#[derive(Debug)]
pub struct Reading {
    pub catalog: Catalog,
    /// Whether nothing else was written in the whole server meanwhile. The server's own functions that print
    /// definitions look at the newest catalogs, whatever the snapshot.
    pub quiet: bool,
}

/// Reads everything.
pub async fn read(session: &mut Session, facts: Facts) -> Result<Reading, DbError> {
    let queries: Vec<Query> = [catalog::queries(&facts), object::shared_queries(&facts)]
        .into_iter()
        .chain(object::FAMILIES.iter().map(|family| (family.queries)(&facts)))
        .chain([object::decoration_queries(&facts)])
        .flatten()
        .collect();
    let before = opening();
    let mut text = before.join(";\n");
    for query in &queries {
        text.push_str(";\n");
        text.push_str(&query.sql);
    }
    // A new transaction begins behind `COMMIT`, in the same message.
    text.push_str(";\nCOMMIT;\n");
    text.push_str(MOMENT);

    let mut catalog = Catalog::new(facts);
    let (mut first, mut last, mut problem) = (String::new(), String::new(), None);
    let outcome = session
        .stream(text, &mut |statement: usize, row: &PgRow| {
            let mut cells = Cells::new(row);
            match statement.checked_sub(before.len()) {
                Some(index) if index < queries.len() => (queries[index].take)(&mut catalog, &mut cells),
                Some(_) => last = cells.text(),
                None if statement + 1 == before.len() => first = cells.text(),
                None => return,
            }
            if let Some(what) = cells.problem() {
                problem.get_or_insert_with(|| format!("answer {statement}: {what}"));
            }
        })
        .await;
    if let Err(error) = outcome {
        session.abandon().await?;
        return Err(error);
    }
    if let Some(problem) = problem {
        return Err(own(DbErrorClass::Unsupported, format!("the catalogs answer unexpectedly: {problem}")));
    }
    Ok(Reading { catalog, quiet: is_quiet(&first, &last) })
}

/// Which transactions are done.
const MOMENT: &str = "SELECT pg_catalog.txid_current_snapshot()";

/// The statements before the queries; the last one tells the moment.
fn opening() -> Vec<String> {
    let settings: Vec<String> = SETTINGS
        .iter()
        .map(|(name, value)| format!("pg_catalog.set_config({}, {}, true)", literal(name), literal(value)))
        .collect();
    vec![
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
        format!("SELECT {}", settings.join(", ")),
        MOMENT.to_owned(),
    ]
}

/// Whether no transaction that writes was under way at the first moment, and none has ended until the last.
/// A snapshot is `xmin:xmax:those under way`.
/// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT>
fn is_quiet(first: &str, last: &str) -> bool {
    let mut parts = first.split(':');
    let (Some(oldest), Some(next), Some(running)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    oldest == next && running.is_empty() && first == last
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_quiet_when_nothing_was_written_meanwhile() {
        assert!(is_quiet("100:100:", "100:100:"));
        assert!(!is_quiet("100:100:", "100:101:"));
        assert!(!is_quiet("100:103:100,102", "100:103:100,102"));
        assert!(!is_quiet("", ""));
    }
}
