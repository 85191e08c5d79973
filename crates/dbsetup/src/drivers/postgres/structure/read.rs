//! Reading a database for a dump: one message, one transaction, one snapshot.

use sqlx::postgres::PgRow;

use super::catalog::{self, Catalog};
use super::cells::Cells;
use super::guard;
use super::object;
use super::query::{Facts, Query};
use crate::driver::{DbError, DbErrorClass};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::error::{advised, own};
use crate::drivers::postgres::script::{Row, texts};
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
    ("idle_in_transaction_session_timeout", "0"),
    // Thousands of rows make the planner think of compilers and helpers that cost more than they bring.
    ("jit", "off"),
    ("max_parallel_workers_per_gather", "0"),
];

/// What a reading brought.
#[derive(Debug)]
pub struct Reading {
    pub catalog: Catalog,
    /// The answers to the census's queries.
    pub census: Vec<Vec<Row>>,
    /// Whether it can be proved that no catalog changed meanwhile.
    pub steady: bool,
}

/// A reading that failed.
#[derive(Debug)]
pub struct Unread {
    pub error: DbError,
    /// Whether an object that went away meanwhile can be the reason.
    pub may_be_a_race: bool,
}

/// What the server answers when an object goes away between a query and the function that prints its definition.
const GONE: [&str; 7] = ["XX000", "42P01", "42703", "42704", "42883", "3F000", "42P17"];

impl From<DbError> for Unread {
    fn from(error: DbError) -> Self {
        let may_be_a_race = error.code.as_deref().is_some_and(|code| GONE.contains(&code));
        Self { error, may_be_a_race }
    }
}

/// Since when nothing must have changed.
#[derive(Debug, Clone, Copy)]
pub enum Since<'a> {
    /// An earlier [`guard::MOMENT`]: then nobody may have written anything.
    Moment(&'a str),
    /// The beginning of the reading, by the query of [`guard::state`]: then others may write, as long as they do not
    /// change the catalogs.
    State(&'a str),
}

/// Reads everything. `census` are further queries, which are answered row by row.
pub async fn read(
    session: &mut Session,
    facts: Facts,
    census: &[String],
    since: Since<'_>,
) -> Result<Reading, Unread> {
    let queries: Vec<Query> = [
        catalog::queries(&facts),
        object::shared_queries(&facts),
        object::queries(&facts),
        object::decoration_queries(&facts),
    ]
    .into_iter()
    .flatten()
    .collect();
    let moment = match since {
        Since::Moment(_) => guard::MOMENT,
        Since::State(query) => query,
    };
    let before = opening(&facts, moment);
    let mut text = before.join(";\n");
    for query in queries.iter().map(|query| &query.sql).chain(census) {
        text.push_str(";\n");
        text.push_str(query);
    }
    // A new transaction begins behind `COMMIT`, in the same message.
    text.push_str(";\nCOMMIT;\n");
    text.push_str(moment);

    let mut catalog = Catalog::new(facts);
    let mut counted: Vec<Vec<Row>> = vec![Vec::new(); census.len()];
    let (mut first, mut last, mut problem) = (String::new(), String::new(), None);
    let outcome = session
        .stream(text, &mut |statement: usize, row: &PgRow| {
            let of_census = statement.checked_sub(before.len() + queries.len());
            if let Some(rows) = of_census.and_then(|index| counted.get_mut(index)) {
                rows.push(texts(row));
                return;
            }
            let mut cells = Cells::new(row);
            match statement.checked_sub(before.len()) {
                Some(index) if index < queries.len() => {
                    (queries[index].take)(&mut catalog, &mut cells);
                    catalog.unknown.extend(cells.take_unknown());
                }
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
        let error = match error.class {
            DbErrorClass::LockTimeout => locked(session, error).await,
            _ => in_words(session, error).await,
        };
        return Err(error.into());
    }
    if let Some(problem) = problem {
        let error = own(DbErrorClass::Unsupported, format!("the catalogs answer unexpectedly: {problem}"));
        return Err(Unread { error, may_be_a_race: true });
    }
    catalog.adopt_parts();
    catalog.arrange();
    let steady = match since {
        Since::Moment(first) => guard::is_quiet(first, &last),
        Since::State(_) => first == last,
    };
    Ok(Reading { catalog, census: counted, steady })
}

/// What the server answers when its text cannot be had as UTF-8: it is none in a database whose encoding does not say what
/// bytes mean, or has a character that is none there.
const NOT_UTF8: [&str; 2] = ["22021", "22P05"];

/// Says what the server means by bytes that are wrong.
async fn in_words(session: &mut Session, error: DbError) -> DbError {
    if !error.code.as_deref().is_some_and(|code| NOT_UTF8.contains(&code)) {
        return error;
    }
    let query = "SELECT pg_catalog.current_setting('server_encoding')";
    let rows = session.look(query.to_owned()).await.unwrap_or_default();
    let encoding = rows.first().map(|row| cell(row, 0)).unwrap_or_default();
    let message = format!(
        "the encoding of the database is {encoding}, and a name or a text in its catalogs is not UTF-8: {}",
        error.message
    );
    let explained = DbError { message, ..error };
    advised(
        explained,
        "rename or write anew what holds these bytes (names, comments, bodies of functions); or move to a database that \
         is made with `encoding = \"UTF8\"`",
    )
}

/// Says who holds the lock that was waited for: what the server prints of a table needs the table.
async fn locked(session: &mut Session, error: DbError) -> DbError {
    let query = "SELECT l.relation::pg_catalog.regclass, l.pid, a.application_name FROM pg_catalog.pg_locks l \
                 LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid WHERE l.granted \
                 AND l.mode = 'AccessExclusiveLock' AND l.relation >= '16384'::pg_catalog.oid AND l.pid <> pg_catalog.pg_backend_pid() \
                 AND l.database = (SELECT d.oid FROM pg_catalog.pg_database d \
                 WHERE d.datname = pg_catalog.current_database()) ORDER BY 2, 1 LIMIT 10";
    // Whoever held it may be done by now.
    let rows = session.look(query.to_owned()).await.unwrap_or_default();
    let holders = rows.iter().map(|row| {
        let application = Some(cell(row, 2)).filter(|name| !name.is_empty());
        let application = application.map(|name| format!(" ({name})")).unwrap_or_default();
        format!("the process {}{application} holds the lock of `{}`", cell(row, 1), cell(row, 0))
    });
    let mut notes: Vec<String> = holders.collect();
    notes.extend(error.notes);
    let message = format!("somebody keeps a table locked that the structure is read from: {}", error.message);
    advised(DbError { message, notes, ..error }, "wait for it to end, or set a longer `lock-timeout`")
}

/// The statements before the queries; the last one tells the moment.
fn opening(facts: &Facts, moment: &str) -> Vec<String> {
    // What only newer servers know.
    let newer = facts.since(17).then_some(&("transaction_timeout", "0"));
    let settings: Vec<String> = SETTINGS
        .iter()
        .chain(newer)
        .map(|(name, value)| format!("pg_catalog.set_config({}, {}, true)", literal(name), literal(value)))
        .collect();
    vec![
        "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned(),
        format!("SELECT {}", settings.join(", ")),
        moment.to_owned(),
    ]
}
