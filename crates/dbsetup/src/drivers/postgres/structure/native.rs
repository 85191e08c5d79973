//! The native dump: read, compose, prove that nothing was forgotten.

use std::time::Duration;

use super::census::{self, Asked, Census};
use super::compose::compose;
use super::feature::Feature;
use super::filter::{self, LEFT_OUT};
use super::guard;
use super::presence::{self, Empty};
use super::query::Facts;
use super::read::{Reading, Since, read};
use super::writer::Refused;
use crate::driver::{DbError, DbErrorClass, DumpRequest, Structure};
use crate::drivers::postgres::catalog::cell;
use crate::drivers::postgres::error::{advised, own};
use crate::drivers::postgres::session::Session;

/// How often the catalogs are read while other sessions change them.
const TRIES: u32 = 6;
/// How long is waited before the second time; longer before each further one.
const PAUSE: Duration = Duration::from_millis(50);

/// Returns the structure as text.
pub(super) async fn dump(session: &mut Session, request: &DumpRequest) -> Result<Structure, DbError> {
    Snapshot::read(session, request).await?.write(session, None).await.map(|(structure, _)| structure)
}

/// What one moment of a database is dumped from.
pub struct Snapshot<'a> {
    request: &'a DumpRequest,
    census: Census,
    reading: Reading,
}

impl<'a> Snapshot<'a> {
    /// Reads everything.
    pub async fn read(session: &mut Session, request: &'a DumpRequest) -> Result<Self, DbError> {
        let facts = Facts {
            version: session.version,
            owners: request.owners,
            privileges: request.privileges,
            empty: Empty::default(),
        };
        let (census, reading) = steady(session, &facts).await?;
        Ok(Self { request, census, reading })
    }

    /// Writes everything but `off`, which only tests leave out; and returns what the schema has of the register.
    pub async fn write(
        &self,
        session: &mut Session,
        off: Option<Feature>,
    ) -> Result<(Structure, Vec<Feature>), DbError> {
        let catalog = &self.reading.catalog;
        let mut notes = filter::idle(catalog, self.request).map_err(|schema| no_schema(&schema))?;
        let composed = compose(catalog, self.request, off).map_err(|refused| cannot_write(&refused))?;
        notes.extend(composed.notes());
        notes.extend({
            let disposition = composed.disposition();
            let writes = |change: &_| composed.writes(change);
            self.census.close(session, &self.reading.census, &disposition, &writes).await?
        });
        let features = composed.features();
        Ok((Structure { text: composed.text, notes, rows_at: composed.rows_at }, features))
    }
}

/// Reads the catalogs until they did not change meanwhile. Where nobody writes, as nearly always, that needs no more
/// than two moments; else the state of the catalogs is compared.
async fn steady(session: &mut Session, facts: &Facts) -> Result<(Census, Reading), DbError> {
    let beforehand = vec![guard::MOMENT.to_owned(), census::enumerate(), presence::query()];
    let answers = session.looks_pinned(beforehand).await?;
    let answer = |index: usize| answers.get(index).map(Vec::as_slice).unwrap_or_default();
    let only = |index: usize| answer(index).first().map(|row| cell(row, 0)).unwrap_or_default();
    let asked = Asked { owners: facts.owners, privileges: facts.privileges };
    let census = Census::new(facts.version / 10_000, answer(1), asked);
    let quick = Facts { empty: Empty::read(&only(2)), ..facts.clone() };
    let questions = census.queries_without(&quick.empty);
    let mut failure = match read(session, quick, &questions, Since::Moment(&only(0))).await {
        Ok(reading) if reading.steady => return Ok((census, reading)),
        Ok(_) => None,
        Err(unread) if unread.may_be_a_race => Some(unread.error),
        Err(unread) => return Err(unread.error),
    };
    // What was seen before the transaction began is not to be relied upon any more.
    let state = guard::state(census.catalogs());
    let questions = census.queries();
    for attempt in 1..TRIES {
        tokio::time::sleep(PAUSE * attempt).await;
        match read(session, facts.clone(), &questions, Since::State(&state)).await {
            Ok(reading) if reading.steady => return Ok((census, reading)),
            Ok(_) => failure = None,
            Err(unread) if unread.may_be_a_race => failure = Some(unread.error),
            Err(unread) => return Err(unread.error),
        }
    }
    let message = "other sessions keep changing the catalogs while the structure is read";
    let mut error = advised(
        own(DbErrorClass::Serialization, message),
        "wait for their data definition to end, then dump again",
    );
    // Were it no race after all, this is what somebody has to know.
    error.notes.extend(failure.map(|failure| format!("the last reading failed: {}", failure.message)));
    Err(error)
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
    // pg_dump would write what cannot be loaded.
    let advice = if refused.iter().all(|refused| refused.why.ends_with(LEFT_OUT)) {
        "leave these out as well, or keep what they need"
    } else {
        "leave them out (`--exclude-schema`, `--exclude-table`, `--exclude-extension`), or pass `--via pg_dump`"
    };
    advised(error, advice)
}

fn count(objects: usize) -> String {
    if objects == 1 { "1 object".to_owned() } else { format!("{objects} objects") }
}
