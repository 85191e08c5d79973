//! The native dump: read, compose, prove that nothing was forgotten.

use super::compose::compose;
use super::query::Facts;
use super::read::read;
use super::writer::Refused;
use crate::driver::{DbError, DbErrorClass, DumpRequest, Structure};
use crate::drivers::postgres::error::{advised, own};
use crate::drivers::postgres::session::Session;

/// Returns the structure as text.
pub(super) async fn dump(session: &mut Session, request: &DumpRequest) -> Result<Structure, DbError> {
    let facts = Facts {
        version: session.version,
        owners: request.owners,
        privileges: request.privileges,
        database: session.about.database.clone(),
    };
    let reading = read(session, facts).await?;
    let composed = compose(&reading.catalog, request, None).map_err(|refused| cannot_write(&refused))?;
    Ok(Structure::from(composed.text))
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
