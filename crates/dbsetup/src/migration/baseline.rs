//! A baseline migration and the ledger: one row that stands for those of everything that was squashed. Pure.
//!
//! sqlx wants a file for every row, and a row for every file: after a squash there is one file, the baseline. Its version
//! is that of the *oldest* squashed migration. So whoever still has the old files and meets a database whose rows were
//! replaced finds the first of them changed, and stops before anything is run; with any other version it would run the
//! oldest ones again.
//!
//! In memory the rows come back ([`expand`]): every rule goes on seeing each squashed version as applied. [`rewrite`] is
//! what `migrate` does to a database that still has the old rows, [`collapse`] what a structure file records.

use std::collections::{BTreeMap, BTreeSet};

use super::version::Version;
use crate::driver::LedgerState;
use crate::ledger::{AppliedRow, Change, LedgerKind, NewRow, Took, meta_key};
use crate::structure::floor::{Baseline, Floor};

/// What a baseline is called.
pub const NAME: &str = "baseline";
/// What stands for a checksum that is not known.
const NO_CHECKSUM: &str = "-";

/// The rows of a ledger that become one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewrite {
    /// The version of the baseline.
    pub version: String,
    /// How many rows it replaces; zero where only what they were is to be remembered.
    pub rows: usize,
    /// What is written, in one transaction.
    pub changes: Vec<Change>,
}

/// A migration that a baseline stands for.
struct Absorbed {
    version: String,
    checksum: Option<String>,
    name: Option<String>,
}

/// Puts the rows back that a baseline's row stands for, as the oldest ones. Without such a row nothing changes.
///
/// A branch whose floor does not know the baseline learns from the database itself what its row has replaced.
pub fn expand(floor: Option<&Floor>, kind: LedgerKind, state: &mut LedgerState) {
    if kind != LedgerKind::Sqlx || state.baseline.is_some() {
        return;
    }
    let found = floor.and_then(|floor| known_to(floor, state)).or_else(|| remembered_by(state));
    let Some((at, absorbed)) = found else { return };
    let baseline = state.rows.remove(at);
    let present: BTreeSet<Version> = state.rows.iter().map(|row| version(&row.version)).collect();
    let mut rows: Vec<AppliedRow> = absorbed
        .into_iter()
        .filter(|(version, _)| !present.contains(version))
        .map(|(_, absorbed)| AppliedRow {
            version: absorbed.version,
            name: absorbed.name,
            checksum: absorbed.checksum,
            applied_at: baseline.applied_at.clone(),
            success: true,
            absorbed: true,
            ..AppliedRow::default()
        })
        .collect();
    rows.append(&mut state.rows);
    state.rows = rows;
    state.baseline = Some(baseline);
}

/// The row of a baseline of this floor, and what it stands for.
fn known_to(floor: &Floor, state: &LedgerState) -> Option<(usize, BTreeMap<Version, Absorbed>)> {
    let baselines = floor.squashes.iter().rev().filter_map(|squash| squash.baseline.as_ref());
    let place = |baseline: &Baseline| {
        state.rows.iter().position(|row| {
            row.success
                && version(&row.version) == version(&baseline.version)
                && row.checksum.as_deref() == Some(&baseline.checksum)
        })
    };
    let (at, baseline) = baselines.filter_map(|baseline| Some((place(baseline)?, baseline))).next()?;
    let remembered = remembered(state);
    let absorbed = floor.absorbed(baseline).map(|entry| {
        let key = version(&entry.version);
        let checksum = remembered.get(&key).and_then(|known| known.checksum.clone());
        let absorbed = Absorbed {
            version: plain(&entry.version),
            checksum: checksum.or_else(|| entry.checksum.clone()),
            name: Some(entry.name.replace('_', " ")),
        };
        (key, absorbed)
    });
    Some((at, absorbed.collect()))
}

/// The row that the database itself knows to have replaced others.
fn remembered_by(state: &LedgerState) -> Option<(usize, BTreeMap<Version, Absorbed>)> {
    let remembered = remembered(state);
    let at = state.rows.iter().position(|row| {
        let before = remembered.get(&version(&row.version));
        before.is_some_and(|before| before.checksum.as_deref() != row.checksum.as_deref())
    })?;
    Some((at, remembered))
}

/// The versions whose rows were replaced, as the database remembers them.
fn remembered(state: &LedgerState) -> BTreeMap<Version, Absorbed> {
    let keys = state.meta.iter();
    keys.filter_map(|(key, value)| {
        let text = key.strip_prefix(meta_key::SQUASHED_PREFIX)?;
        let checksum = (value != NO_CHECKSUM).then(|| value.clone());
        Some((version(text), Absorbed { version: text.to_owned(), checksum, name: None }))
    })
    .collect()
}

/// Returns what makes the rows of a database the single one of the floor's last baseline; `None` where that is done, or
/// where the database lacks some of what the baseline stands for. `state` is expanded.
pub fn rewrite(floor: &Floor, kind: LedgerKind, state: &LedgerState) -> Option<Rewrite> {
    let baseline = floor.baseline().filter(|_| kind == LedgerKind::Sqlx)?;
    let rows: BTreeMap<Version, &AppliedRow> =
        state.rows.iter().filter(|row| row.success).map(|row| (version(&row.version), row)).collect();
    let squashed: BTreeSet<Version> = floor.absorbed(baseline).map(|entry| version(&entry.version)).collect();
    let is_begun = state.progress.iter().any(|progress| squashed.contains(&version(&progress.version)));
    if is_begun || !squashed.iter().all(|version| rows.contains_key(version)) {
        return None;
    }
    let squashed: Vec<&AppliedRow> = squashed.iter().map(|version| rows[version]).collect();
    let is_there =
        state.baseline.as_ref().is_some_and(|row| row.checksum.as_deref() == Some(&baseline.checksum));
    let delete = |row: &AppliedRow| Change::Delete { version: row.version.clone() };
    let mut changes: Vec<Change> =
        squashed.iter().filter(|row| !row.absorbed).map(|row| delete(row)).collect();
    let mut replaced = changes.len();
    if !is_there {
        if let Some(older) = &state.baseline {
            changes.push(delete(older));
            replaced += 1;
        }
        changes.push(Change::Insert(row(baseline)));
    }
    for row in squashed {
        let key = format!("{}{}", meta_key::SQUASHED_PREFIX, plain(&row.version));
        let value = row.checksum.clone().unwrap_or_else(|| NO_CHECKSUM.to_owned());
        if state.meta(&key) != Some(&value) {
            changes.push(Change::SetMeta { key, value });
        }
    }
    let version = baseline.version.clone();
    (!changes.is_empty()).then_some(Rewrite { version, rows: replaced, changes })
}

/// Returns the rows that a structure file records: those of the last baseline instead of what it stands for. Rows that
/// lack some of that are returned as they are. `state` is expanded.
pub fn collapse(floor: Option<&Floor>, kind: LedgerKind, state: &LedgerState) -> LedgerState {
    let mut state = state.clone();
    state.baseline = None;
    let baseline =
        floor.filter(|_| kind == LedgerKind::Sqlx).and_then(|floor| Some((floor, floor.baseline()?)));
    let Some((floor, baseline)) = baseline else { return state };
    let squashed: BTreeSet<Version> = floor.absorbed(baseline).map(|entry| version(&entry.version)).collect();
    let is_squashed = |row: &AppliedRow| row.success && squashed.contains(&version(&row.version));
    let there: BTreeSet<Version> =
        state.rows.iter().filter(|row| is_squashed(row)).map(|row| version(&row.version)).collect();
    if there.len() == squashed.len() {
        state.rows.retain(|row| !is_squashed(row));
        let NewRow { version, name, checksum, .. } = row(baseline);
        let name = Some(name);
        state.rows.insert(0, AppliedRow { version, name, checksum, success: true, ..AppliedRow::default() });
    }
    state
}

/// The row of a baseline.
fn row(baseline: &Baseline) -> NewRow {
    NewRow {
        version: plain(&baseline.version),
        seq: None,
        name: NAME.to_owned(),
        source: String::new(),
        checksum: Some(baseline.checksum.clone()),
        took: Took::Nothing,
    }
}

/// sqlx's versions are integers.
fn version(text: &str) -> Version {
    Version::numeric(text).unwrap_or_else(|| Version::textual(text))
}

/// A version as an integer column gives it back.
fn plain(text: &str) -> String {
    version(text).number().map_or_else(|| text.to_owned(), |number| number.to_string())
}

#[cfg(test)]
mod tests;
