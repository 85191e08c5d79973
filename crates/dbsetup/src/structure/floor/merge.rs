//! Merging what two branches have made of one squash floor: its migrations as a set. Pure.
//!
//! Both branches may have squashed, the same migrations or others: the file that comes of it lists every one of them once,
//! with a commit that has its file. What was squashed before stands first; then what is new on either side, by its newest
//! version, so that it does not matter which side is merged into which.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::{FIRST_LINE, FORMAT, Floor, FloorEntry, Squashed, line};
use crate::error::{Error, Kind, Result};
use crate::migration::Version;

/// What a merge gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merged {
    /// The file, with conflict markers around each migration that needs a decision.
    pub text: String,
    /// The versions that need one; none when the merge is clean.
    pub conflicts: Vec<String>,
}

/// Whether a text is a squash floor, of whatever release.
pub fn is_floor(text: &str) -> bool {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    first.trim_end() == FIRST_LINE || first.starts_with(FORMAT)
}

/// Merges two versions of a floor; `base` is empty where there was no file.
///
/// # Errors
/// Those of [`Floor::read`]; [`Kind::Unsupported`] where the sides do not agree about their ledger or their baseline, which
/// is one for the whole file.
pub fn merge(base: &str, ours: &str, theirs: &str) -> Result<Merged> {
    let parsed = |text: &str, side: &str| match text.trim().is_empty() {
        true => Ok(Floor::default()),
        false => Floor::parse(text, Path::new(side)),
    };
    let (base, ours, theirs) = (parsed(base, "base")?, parsed(ours, "ours")?, parsed(theirs, "theirs")?);
    let ledger = decided(&base.ledger, &ours.ledger, &theirs.ledger)
        .ok_or_else(|| apart("the two sides have changed to different ledgers"))?;
    let baselines = [&base, &ours, &theirs].map(|floor| floor.baseline().cloned());
    decided(&baselines[0], &baselines[1], &baselines[2]).ok_or_else(|| {
        apart("each side has a baseline migration of its own: squash again once they are one")
    })?;
    let entries = [&base, &ours, &theirs].map(of_versions);
    let mut open = BTreeMap::new();
    let mut kept: BTreeMap<&str, &FloorEntry> = BTreeMap::new();
    let versions: BTreeSet<&str> = entries.iter().flat_map(|side| side.keys().copied()).collect();
    for version in versions {
        let [base, ours, theirs] = [0, 1, 2].map(|side: usize| entries[side].get(version).copied());
        match decided(&base, &ours, &theirs) {
            Some(entry) => kept.extend(entry.map(|entry| (version, entry))),
            None => {
                kept.extend(ours.or(theirs).map(|entry| (version, entry)));
                open.insert(version, (ours, theirs));
            }
        }
    }
    let mut merged = Floor { ledger, squashes: Vec::new() };
    for mut squash in in_order(&base, &ours, &theirs) {
        // Two squashes may have taken the same migration away: it is told once.
        let taken = squash.migrations.into_iter().filter_map(|entry| kept.remove(&*entry.version));
        squash.migrations = taken.cloned().collect();
        if !squash.migrations.is_empty() || squash.baseline.is_some() {
            merged.squashes.push(squash);
        }
    }
    let mut text = merged.text();
    for (ours, theirs) in open.values() {
        let shown = ours.or(*theirs).map(line).unwrap_or_default();
        let side = |entry: &Option<&FloorEntry>| entry.map(|entry| line(entry) + "\n").unwrap_or_default();
        let conflict = format!("<<<<<<< ours\n{}=======\n{}>>>>>>> theirs", side(ours), side(theirs));
        text = text.replacen(&format!("\n{shown}\n"), &format!("\n{conflict}\n"), 1);
    }
    Ok(Merged { text, conflicts: open.into_keys().map(str::to_owned).collect() })
}

fn apart(why: &'static str) -> Error {
    Error::new(Kind::Unsupported, why)
}

/// Returns what three versions of a value come to; `None` where both sides have changed it in different ways.
fn decided<T: PartialEq + Clone>(base: &T, ours: &T, theirs: &T) -> Option<T> {
    if ours == theirs || theirs == base {
        Some(ours.clone())
    } else if ours == base {
        Some(theirs.clone())
    } else {
        None
    }
}

fn of_versions(floor: &Floor) -> BTreeMap<&str, &FloorEntry> {
    floor.entries().map(|entry| (entry.version.as_str(), entry)).collect()
}

/// Returns the squashes of all sides: those of the base in their order, as the side that has changed one has it, then the
/// new ones. What a baseline stands for comes before what it does not.
fn in_order(base: &Floor, ours: &Floor, theirs: &Floor) -> Vec<Squashed> {
    let is_same = |one: &Squashed, other: &Squashed| {
        one.migrations.iter().any(|entry| other.migrations.iter().any(|there| there.version == entry.version))
    };
    let mut squashes: Vec<Squashed> = Vec::new();
    for squash in &base.squashes {
        let of = |side: &Floor| side.squashes.iter().find(|one| is_same(one, squash)).cloned();
        let (ours, theirs) = (of(ours), of(theirs));
        // What becomes of each migration is decided by itself.
        let sides = [Some(squash), ours.as_ref(), theirs.as_ref()].into_iter().flatten();
        let migrations = sides.flat_map(|side| side.migrations.iter().cloned()).collect();
        let is_changed = |side: &Squashed| {
            side.release != squash.release
                || side.commit != squash.commit
                || side.base != squash.base
                || side.baseline != squash.baseline
        };
        let changed = [ours, theirs].into_iter().flatten().find(is_changed);
        squashes.push(Squashed { migrations, ..changed.unwrap_or_else(|| squash.clone()) });
    }
    let is_new = |squash: &&Squashed| !base.squashes.iter().any(|known| is_same(known, squash));
    let mut new: Vec<Squashed> = Vec::new();
    for squash in ours.squashes.iter().chain(&theirs.squashes).filter(is_new) {
        let is_of_one_commit = |other: &&mut Squashed| {
            other.commit.is_some() && other.commit == squash.commit && other.baseline == squash.baseline
        };
        match new.iter_mut().find(is_of_one_commit) {
            Some(other) => other.migrations.extend(squash.migrations.iter().cloned()),
            None => new.push(squash.clone()),
        }
    }
    let is_numeric = new
        .iter()
        .flat_map(|squash| &squash.migrations)
        .all(|entry| entry.version.bytes().all(|byte| byte.is_ascii_digit()) && !entry.version.is_empty());
    let version = |entry: &FloorEntry| match is_numeric {
        true => Version::numeric(&entry.version).unwrap_or_else(|| Version::textual(&entry.version)),
        false => Version::textual(&entry.version),
    };
    let newest = |squash: &Squashed| squash.migrations.iter().map(version).max();
    new.iter_mut().for_each(|squash| squash.migrations.sort_by_key(version));
    new.sort_by_cached_key(|squash| (squash.baseline.is_none(), newest(squash), squash.commit.clone()));
    squashes.extend(new);
    squashes
}

#[cfg(test)]
mod tests;
