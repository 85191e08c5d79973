//! Writing the structure of a database.

mod clean;
mod fingerprint;
mod pg_dump;

use super::error::{advised, own};
use super::place::Place;
use crate::driver::{DbError, DbErrorClass, DumpRequest, Via};

/// Returns the structure as text.
pub(super) async fn dump(
    place: &Place,
    role: Option<&str>,
    version: u32,
    request: &DumpRequest,
) -> Result<String, DbError> {
    if request.via == Some(Via::Native) {
        let error = own(
            DbErrorClass::Unsupported,
            "the structure of PostgreSQL is written by pg_dump in this release",
        );
        return Err(advised(error, "pass `--via pg_dump`"));
    }
    let text = pg_dump::run(place, role, version, request).await?;
    clean::clean(&text)
        .map_err(|error| own(DbErrorClass::Program, format!("pg_dump's text cannot be read: {error}")))
}
