//! The proof of a structure: a database made of its text says the same of itself as the original does.
//!
//! The text is loaded by the loader that `load` uses, into a scratch database, and what both databases' own catalogs
//! say is compared ([`Driver::fingerprint`], which shares nothing with what writes a structure).

use std::path::Path;
use std::time::Instant;

use super::difference::{Difference, differences};
use super::dump::Dump;
use super::grantor::Trust;
use super::{load, scratch};
use crate::driver::{Driver, DumpRequest, Fingerprint};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::session::Session;

/// How many differences are shown.
const SHOWN: usize = 20;

/// What came of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What differs; nothing is the proof.
    pub differences: Vec<Difference>,
    /// How many facts the database says of itself.
    pub facts: usize,
    /// Catalogs and columns that this role may not read, and that were not compared.
    pub unread: Vec<String>,
}

/// Proves a dump.
///
/// # Errors
/// [`Kind::Unsupported`] naming what differs; [`Kind::Permission`] without the right to make a database; those of loading
/// the text, which point into it. No scratch database is left on any path.
pub async fn verify(session: &mut Session<'_>, dump: &Dump) -> Result<()> {
    let start = Instant::now();
    // The text came out of the database just now: it does nothing that was not done there.
    let found = compare_text(session, &dump.text, &dump.shown, &dump.request, true).await?;
    if found.differences.is_empty() {
        let Comparison { facts, unread, .. } = found;
        session.teller().tell(What::Verified { facts, unread, took: start.elapsed() });
        return Ok(());
    }
    let count = found.differences.len();
    let noun = if count == 1 { "difference" } else { "differences" };
    let mut error = Error::new(
        Kind::Unsupported,
        format!(
            "a database made of the structure of `{}` is not the same: {count} {noun}",
            session.repo().name
        ),
    );
    for difference in found.differences.iter().take(SHOWN) {
        error = error.note(difference.to_string());
    }
    if count > SHOWN {
        error = error.note(format!("and {} more", count - SHOWN));
    }
    Err(error.help("leave out what cannot be written (`--exclude-schema`, `--exclude-table`), or write it another way: `--via`"))
}

/// Loads the text of a structure file (`shown` in messages) into a scratch database, and compares that with the
/// session's own database, as far as `request` dumps it. Nothing is written to the database. Unless the text is
/// `trusted`, what reaches beyond the scratch database is refused.
///
/// # Errors
/// Those of [`verify`], but differences are no error.
pub async fn compare_text(
    session: &mut Session<'_>,
    text: &str,
    shown: &Path,
    request: &DumpRequest,
    trusted: bool,
) -> Result<Comparison> {
    scratch::refuse_pooled(session, "not verified: ").await?;
    let original = session.driver().await?.fingerprint(request).await?;
    let copy = in_scratch(session, text, shown, request, trusted).await;
    let discarded = session.discard_scratch().await;
    let copy = copy?;
    discarded?;
    if original.server != copy.server {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "not verified: the scratch database is of release {}, and the database of release {}",
                copy.server, original.server
            ),
        )
        .help("let `scratch-url` name a server of the same release, or remove it"));
    }
    let found = differences(&original, &copy);
    if !found.is_empty() && session.driver().await?.fingerprint(request).await? != original {
        return Err(Error::new(
            Kind::Locked,
            format!("the database of `{}` was changed while its structure was verified", session.repo().name),
        )
        .help("wait for whoever changes it, then try again"));
    }
    let mut unread = original.unread;
    unread.extend(copy.unread);
    unread.sort();
    unread.dedup();
    Ok(Comparison { differences: found, facts: original.facts.len(), unread })
}

/// Makes a scratch database of the text, and reads what it says of itself.
async fn in_scratch(
    session: &mut Session<'_>,
    text: &str,
    shown: &Path,
    request: &DumpRequest,
    trusted: bool,
) -> Result<Fingerprint> {
    let trust = Trust::of(session.repo().role.as_deref(), trusted);
    let mut driver =
        session.open_scratch().await.map_err(|error| scratch::not_made(error, "not verified: "))?;
    let read = filled(&mut *driver, text, shown, request, trust).await;
    driver.close().await;
    read
}

async fn filled(
    driver: &mut dyn Driver,
    text: &str,
    shown: &Path,
    request: &DumpRequest,
    trust: Trust,
) -> Result<Fingerprint> {
    load::into_scratch(driver, text, shown, trust)
        .await
        .map_err(|error| error.note("not verified: the structure does not load into a scratch database"))?;
    Ok(driver.fingerprint(request).await?)
}
