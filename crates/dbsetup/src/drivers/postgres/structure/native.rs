//! The native dump: read, compose, prove that nothing was forgotten.

use super::census::{self, Asked, Census};
use super::compose::compose;
use super::filter;
use super::guard;
use super::query::Facts;
use super::read::{Reading, read};
use super::writer::Refused;
use crate::driver::{DbError, DbErrorClass, DumpRequest, Structure};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::error::{advised, own};
use crate::drivers::postgres::session::Session;

/// How often the catalogs are read while other sessions change them.
const TRIES: u32 = 4;

/// Returns the structure as text.
pub(super) async fn dump(session: &mut Session, request: &DumpRequest) -> Result<Structure, DbError> {
    let facts = Facts {
        version: session.version,
        owners: request.owners,
        privileges: request.privileges,
        database: session.about.database.clone(),
    };
    let catalogs = session.look(census::enumerate()).await?;
    let asked = Asked { owners: request.owners, privileges: request.privileges };
    let census = Census::new(session.version / 10_000, &catalogs, asked);
    let reading = steady(session, &facts, &census.queries()).await?;
    let idle = filter::idle(&reading.catalog, request).map_err(|schema| no_schema(&schema))?;
    let composed = compose(&reading.catalog, request, None).map_err(|refused| cannot_write(&refused))?;
    let mut notes = idle;
    notes.extend(composed.notes());
    notes.extend({
        let disposition = composed.disposition();
        census.close(session, &reading.census, &disposition, &|change| composed.writes(change)).await?
    });
    Ok(Structure { text: composed.text, notes })
}

/// Reads the catalogs until they did not change meanwhile. Where nobody writes, as nearly always, that needs no more
/// than two moments; else the state of the catalogs is compared.
async fn steady(session: &mut Session, facts: &Facts, census: &[String]) -> Result<Reading, DbError> {
    let mut guard = None;
    let mut failure = None;
    for _ in 0..TRIES {
        match read(session, facts.clone(), census, guard.as_deref()).await {
            Ok(reading) if reading.steady => return Ok(reading),
            Ok(_) => failure = None,
            Err(unread) if unread.may_be_a_race => failure = Some(unread.error),
            Err(unread) => return Err(unread.error),
        }
        if guard.is_none() {
            let rows = session.look(guard::CATALOGS.to_owned()).await?;
            let catalogs: Vec<String> = rows.iter().map(|row| cell(row, 0)).collect();
            guard = Some(guard::state(catalogs.iter().map(String::as_str)));
        }
    }
    Err(failure.unwrap_or_else(|| {
        let message = "other sessions keep changing the catalogs while the structure is read";
        advised(
            own(DbErrorClass::Serialization, message),
            "wait for their data definition to end, then dump again",
        )
    }))
}

fn no_schema(pattern: &str) -> DbError {
    let error = own(DbErrorClass::Configuration, format!("there is no schema `{pattern}` to write"));
    advised(error, "see `--schema`, or the lines `-- only:` at the head of the file")
}

/// How many objects a message names.
const SHOWN: usize = 20;

fn cannot_write(refused: &[Refused]) -> DbError {
    let mut error = own(DbErrorClass::Unsupported, format!("{} cannot be written", count(refused.len())));
    error
        .notes
        .extend(refused.iter().take(SHOWN).map(|refused| format!("{}: {}", refused.noun, refused.why)));
    if refused.len() > SHOWN {
        error.notes.push(format!("… and {} more", refused.len() - SHOWN));
    }
    advised(
        error,
        "leave them out (`--exclude-schema`, `--exclude-table`, `--exclude-extension`), or pass `--via pg_dump`",
    )
}

fn count(objects: usize) -> String {
    if objects == 1 { "1 object".to_owned() } else { format!("{objects} objects") }
}
