//! What a structure file must not forget: migrations that were squashed into it are nowhere else.

use std::collections::HashSet;

use super::dump::Dump;
use super::floor::Floor;
use super::recorded::recorded_in;
use crate::error::{Error, Kind, Result};
use crate::ledger::LedgerKind;
use crate::migration::Version;
use crate::repo::Repo;

/// How many versions a message names.
const SHOWN: usize = 5;

/// Refuses to write the repo's structure file from a database that is behind the squash floor: new databases would be
/// made of it, and lack the same.
pub(super) fn refuse_to_forget(repo: &Repo, dump: &Dump) -> Result<()> {
    if dump.path != repo.structure {
        return Ok(());
    }
    let Some(floor) = Floor::read(repo)? else { return Ok(()) };
    let is_numeric = floor.ledger != Some(LedgerKind::Diesel);
    let version =
        |text: &str| Version::parse_like(text, is_numeric).unwrap_or_else(|| Version::textual(text));
    let recorded = recorded_in(&dump.text, repo.ledger.table.as_deref());
    let recorded: HashSet<Version> = recorded.iter().map(|text| version(text)).collect();
    let lost: Vec<&str> = floor
        .entries()
        .map(|entry| entry.version.as_str())
        .filter(|text| !recorded.contains(&version(text)))
        .collect();
    if lost.is_empty() {
        return Ok(());
    }
    let mut shown = lost.iter().take(SHOWN).copied().collect::<Vec<_>>().join(", ");
    if lost.len() > SHOWN {
        shown += &format!(", and {} more", lost.len() - SHOWN);
    }
    Err(Error::new(Kind::Refused, format!("the database of `{}` is behind the squash floor", repo.name))
        .note(format!("it lacks {shown}, and a structure made of it would forget them"))
        .note(format!("`{}` was left as it is", dump.shown.display()))
        .help(format!("run what it lacks: {}", repo.command("migrate --lane all"))))
}
