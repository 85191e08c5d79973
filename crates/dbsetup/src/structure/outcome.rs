//! What came of work in a database: everything that another one is compared by.

use super::difference::{Difference, differences};
use crate::driver::{DumpRequest, Fingerprint, Structure};
use crate::error::{Error, Kind, Result};
use crate::session::{Inspection, Session};

/// A database, read as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What its catalogs say.
    pub fingerprint: Fingerprint,
    /// Its structure as the driver writes it, without ledger rows.
    pub structure: Structure,
    /// Its ledger.
    pub inspection: Inspection,
}

/// Reads a database, as far as `request` dumps it. Whatever ledger `request` names, it is the database's own that counts.
///
/// # Errors
/// Those of the driver.
pub async fn outcome(session: &mut Session<'_>, request: &DumpRequest) -> Result<Outcome> {
    let inspection = session.inspect().await?;
    let ledger = inspection.choice.present.ledger.then(|| inspection.choice.table.clone());
    let request = DumpRequest { ledger, ..request.clone() };
    let driver = session.driver().await?;
    let structure = driver.dump(&request).await?;
    let fingerprint = driver.fingerprint(&request).await?;
    Ok(Outcome { fingerprint, structure, inspection })
}

/// Compares what two databases say of themselves; [`Difference::told`] names them.
///
/// # Errors
/// [`Kind::Unsupported`] for servers of two releases, which say the same in different words.
pub fn compare(one: &Fingerprint, other: &Fingerprint) -> Result<Vec<Difference>> {
    if one.server != other.server {
        return Err(Error::new(
            Kind::Unsupported,
            format!(
                "the scratch database is of release {}, and the database of release {}",
                other.server, one.server
            ),
        )
        .help("let `scratch-url` name a server of the same release, or remove it"));
    }
    Ok(differences(one, other))
}
