//! Files beside ledger rows: what is applied, pending, changed, missing. Pure.

use std::collections::BTreeMap;

use super::checksum;
use super::directive::Requirement;
use super::floor::{self, Standing};
use super::set::{FileSet, Migration};
use super::version::Version;
use crate::driver::LedgerState;
use crate::ledger::{AppliedRow, LedgerKind, LedgerTable, Progress, meta_key};
use crate::repo::{Lane, LedgerSetting};
use crate::structure::floor::{Floor, FloorEntry};

/// How a migration stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Recorded, and the file says what was run (or nothing tells). Code of the application is never anything else once it
    /// is recorded, also where the code is not known.
    Applied,
    /// Recorded, and the file differs from what was run in line ends only.
    LineEndings,
    /// Recorded, and the file says something else than what was run.
    Changed { recorded: String, now: String },
    /// Recorded, and its file is nowhere in this checkout; `archived` when it was squashed.
    FileMissing { archived: bool },
    /// Recorded as failed (only sqlx does that).
    Failed,
    /// Not recorded.
    Pending,
    /// Not recorded, and it waits for another version that is not applied.
    Blocked { by: Requirement },
    /// Squashed, not recorded, and its file is nowhere in this checkout.
    BelowFloor,
    /// Begun without a transaction and not finished: so many statements are done.
    Interrupted { done: usize, total: usize, reverting: bool },
}

/// One version, as files and ledger see it.
#[derive(Debug, Clone)]
pub struct Entry<'a> {
    /// Its version.
    pub version: Version,
    /// Its file: of a lane, or of the archive where the database lacks a squashed migration.
    pub migration: Option<&'a Migration>,
    /// What the squash floor says of it, unless its file is in a lane.
    pub squashed: Option<&'a FloorEntry>,
    /// Its row, where there is one.
    pub row: Option<&'a AppliedRow>,
    /// How it stands.
    pub state: State,
}

impl Entry<'_> {
    /// Whether the ledger has it.
    pub fn is_recorded(&self) -> bool {
        self.row.is_some()
    }

    /// What it is called, from the file or the ledger.
    pub fn name(&self) -> String {
        match (self.migration, self.row) {
            (Some(migration), _) => migration.name.clone(),
            (None, Some(AppliedRow { name: Some(name), .. })) => name.clone(),
            _ => self.squashed.map(|entry| entry.name.clone()).unwrap_or_default(),
        }
    }

    /// Whether it is code of the application, and no file.
    pub fn is_code(&self) -> bool {
        match self.migration {
            Some(migration) => migration.code.is_some(),
            None => self.row.is_some_and(AppliedRow::is_code),
        }
    }

    /// Its lane, where a file or the floor tells.
    pub fn lane(&self) -> Option<Lane> {
        self.migration.map(|migration| migration.lane).or(self.squashed.map(|entry| entry.lane))
    }
}

/// Everything that is known, sorted by version, with the order of application beside it.
#[derive(Debug, Clone)]
pub struct Assessment<'a> {
    /// Sorted by version.
    pub entries: Vec<Entry<'a>>,
    /// Versions in the order in which they were applied, oldest first.
    pub applied: Vec<Version>,
    /// How the database stands to the squash floor.
    pub floor: Standing,
}

impl<'a> Assessment<'a> {
    /// Returns the entry of a version.
    pub fn find(&self, version: &Version) -> Option<&Entry<'a>> {
        self.entries.binary_search_by(|entry| entry.version.cmp(version)).ok().map(|at| &self.entries[at])
    }

    /// Whether a version is recorded, and not as failed.
    pub fn is_applied(&self, version: &Version) -> bool {
        self.find(version).is_some_and(|entry| entry.row.is_some_and(|row| row.success))
    }
}

/// Compares files with what the ledger says. `files` must be complete for it ([`FileSet::complete`]).
pub fn assess<'a>(
    files: &'a FileSet,
    ledger: &LedgerTable,
    setting: &LedgerSetting,
    state: &'a LedgerState,
) -> Assessment<'a> {
    let parse = |text: &str| files.version_of(text);
    let squashed = files.squashed();
    let standing = floor::standing(files, ledger, setting, state);
    let mut entries: BTreeMap<Version, Entry<'a>> = BTreeMap::new();
    for migration in &files.migrations {
        entries.insert(
            migration.version.clone(),
            Entry {
                version: migration.version.clone(),
                migration: Some(migration),
                squashed: None,
                row: None,
                state: State::Pending,
            },
        );
    }
    for version in standing.lacking() {
        let migration = files.archived.get(version);
        let state = if migration.is_some() { State::Pending } else { State::BelowFloor };
        let squashed = squashed.get(version).copied();
        entries.insert(
            version.clone(),
            Entry { version: version.clone(), migration, squashed, row: None, state },
        );
    }
    let mut applied = Vec::with_capacity(state.rows.len());
    for row in &state.rows {
        let version = parse(&row.version);
        applied.push(version.clone());
        let entry = entries.entry(version.clone()).or_insert_with(|| {
            let squashed = squashed.get(&version).copied();
            let archived = squashed.is_some() || files.archived.contains_key(&version);
            let state = if row.is_code() { State::Applied } else { State::FileMissing { archived } };
            Entry { state, version, migration: None, squashed, row: None }
        });
        entry.row = Some(row);
        if let Some(migration) = entry.migration {
            entry.state = if files.sums.prove(migration, row, ledger, state) {
                State::Applied
            } else {
                compare(migration, row, ledger, setting, state)
            };
        }
        if !row.success {
            entry.state = State::Failed;
        }
    }
    compare_baseline(files, ledger, setting, state, &mut entries);
    for progress in &state.progress {
        interrupt(&mut entries, &parse(&progress.version), progress);
    }
    put_in_order(&mut applied, ledger.kind, &state.rows);
    let recorded: Vec<Version> = applied.clone();
    for entry in entries.values_mut().filter(|entry| entry.state == State::Pending) {
        let waits_for = entry.migration.into_iter().flat_map(|migration| &migration.requires);
        let open = waits_for.into_iter().find(|wanted| !recorded.contains(&parse(&wanted.version)));
        if let Some(by) = open {
            entry.state = State::Blocked { by: by.clone() };
        }
    }
    Assessment { entries: entries.into_values().collect(), applied, floor: standing }
}

/// Puts versions that were recorded at the same moment, as far as the ledger tells moments apart, in the order in which
/// they ran: a database compares versions as text, where 10 comes before 9. `rows` are sorted by the moment.
fn put_in_order(applied: &mut [Version], kind: LedgerKind, rows: &[AppliedRow]) {
    // What a structure brought has no place in our order, whenever it was loaded.
    let moment = |row: &AppliedRow| match kind {
        LedgerKind::Dbsetup => (row.seq, None),
        _ => (row.seq, row.applied_at.clone()),
    };
    let mut start = 0;
    for same in rows.chunk_by(|one, other| moment(one) == moment(other)) {
        applied[start..start + same.len()].sort();
        start += same.len();
    }
}

/// Compares the file of the baseline with its row, if it is the row of this file and not of an older one.
fn compare_baseline<'a>(
    files: &'a FileSet,
    ledger: &LedgerTable,
    setting: &LedgerSetting,
    state: &'a LedgerState,
    entries: &mut BTreeMap<Version, Entry<'a>>,
) {
    let baseline = files.floor.as_ref().and_then(Floor::baseline);
    let (Some(baseline), Some(row), Some(file)) = (baseline, &state.baseline, &files.baseline) else {
        return;
    };
    let Some(entry) = entries.get_mut(&file.version) else { return };
    if row.checksum.as_deref() == Some(&baseline.checksum)
        && let found @ (State::Changed { .. } | State::LineEndings) =
            compare(file, row, ledger, setting, state)
    {
        (entry.state, entry.migration) = (found, Some(file));
    }
}

fn interrupt(entries: &mut BTreeMap<Version, Entry<'_>>, version: &Version, progress: &Progress) {
    if let Some(entry) = entries.get_mut(version) {
        // A row whose progress was not cleared yet is done, unless it is being undone.
        if entry.row.is_none() || progress.reverting {
            entry.state = State::Interrupted {
                done: progress.done,
                total: progress.total,
                reverting: progress.reverting,
            };
        }
    }
}

/// Compares a file with the checksum that was recorded for it.
pub(super) fn compare(
    migration: &Migration,
    row: &AppliedRow,
    ledger: &LedgerTable,
    setting: &LedgerSetting,
    state: &LedgerState,
) -> State {
    if migration.code.is_some() {
        return State::Applied;
    }
    let Some(recorded) = recorded_checksum(row, ledger, state) else { return State::Applied };
    let now = migration.checksum(ledger.kind, ledger.wide, setting);
    if recorded == now {
        return State::Applied;
    }
    if differs_in_line_ends_only(migration, recorded, ledger.kind, ledger.wide, setting) {
        return State::LineEndings;
    }
    State::Changed { recorded: recorded.to_owned(), now }
}

/// Returns the checksum that was recorded with a row, or beside the ledger where it keeps none.
pub(crate) fn recorded_checksum<'s>(
    row: &'s AppliedRow,
    ledger: &LedgerTable,
    state: &'s LedgerState,
) -> Option<&'s str> {
    if ledger.kind.keeps_checksums() {
        return row.checksum.as_deref();
    }
    state.meta(&format!("{}{}", meta_key::CHECKSUM_PREFIX, row.version))
}

/// Whether a peer's checksum is that of the same text with other line ends or byte order mark.
pub(super) fn differs_in_line_ends_only(
    migration: &Migration,
    recorded: &str,
    kind: LedgerKind,
    wide: bool,
    setting: &LedgerSetting,
) -> bool {
    if !matches!(kind, LedgerKind::Sqlx | LedgerKind::Refinery) {
        return false;
    }
    let text = migration.up.file.trim_start_matches('\u{feff}');
    let unix = text.replace("\r\n", "\n");
    let windows = unix.replace('\n', "\r\n");
    [&unix, &windows].into_iter().any(|text| {
        [text.clone(), format!("\u{feff}{text}")].into_iter().any(|text| {
            let mut twin = migration.clone();
            twin.up.file = text.into();
            twin.checksum(kind, wide, setting) == recorded
        })
    })
}

/// Returns a checksum short enough for a message.
pub fn short(sum: &str) -> String {
    let digits = sum.strip_prefix("sha256:").unwrap_or(sum);
    digits.chars().take(12).collect()
}

/// Returns the checksum of a script that runs without a transaction, kept with its progress.
pub fn script_checksum(sql: &str) -> String {
    checksum::ours(sql)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::{files, ledger, migration, state};

    fn states(files: &FileSet, state: &LedgerState, kind: LedgerKind) -> Vec<(String, State)> {
        assess(files, &ledger(kind), &LedgerSetting::default(), state)
            .entries
            .into_iter()
            .map(|entry| (entry.version.to_string(), entry.state))
            .collect()
    }

    #[test]
    fn files_without_rows_are_pending_and_rows_without_files_are_missing() {
        let files = files(&[migration("1", "select 1;"), migration("2", "select 2;")]);
        let found = states(&files, &state(&["1", "3"]), LedgerKind::Diesel);
        assert_eq!(
            found,
            [
                ("1".into(), State::Applied),
                ("2".into(), State::Pending),
                ("3".into(), State::FileMissing { archived: false }),
            ]
        );
    }

    #[test]
    fn what_was_recorded_at_once_is_in_the_order_of_versions() {
        let files = files(&[]);
        let order = |kind, rows: &[(&str, Option<i64>, Option<&str>)]| {
            let row = |(version, seq, at): &(&str, Option<i64>, Option<&str>)| AppliedRow {
                version: (*version).to_owned(),
                seq: *seq,
                applied_at: at.map(str::to_owned),
                success: true,
                ..AppliedRow::default()
            };
            let state = LedgerState { rows: rows.iter().map(row).collect(), ..LedgerState::default() };
            let found = assess(&files, &ledger(kind), &LedgerSetting::default(), &state);
            found.applied.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        // As a database sorts text.
        let loaded = [("10", None, Some("a")), ("8", None, Some("a")), ("9", None, Some("b"))];
        assert_eq!(order(LedgerKind::Dbmate, &loaded.map(|(v, ..)| (v, None, None))), ["8", "9", "10"]);
        assert_eq!(order(LedgerKind::Dbsetup, &loaded), ["8", "9", "10"]);
        assert_eq!(order(LedgerKind::Diesel, &loaded), ["8", "10", "9"]);
        let run = [("10", None, None), ("9", None, None), ("12", Some(1), None), ("11", Some(2), None)];
        assert_eq!(order(LedgerKind::Dbsetup, &run), ["9", "10", "12", "11"]);
    }

    #[test]
    fn numeric_twins_meet() {
        let files = files(&[migration("0001", "select 1;")]);
        assert_eq!(states(&files, &state(&["1"]), LedgerKind::Diesel), [("0001".into(), State::Applied)]);
    }

    #[test]
    fn an_edited_file_is_changed_and_other_line_ends_are_not() {
        let files = files(&[migration("1", "select 1;\r\n"), migration("2", "select 2;\n")]);
        let mut state = state(&["1", "2"]);
        state.rows[0].checksum = Some(checksum::sqlx("select 1;\n", &[]));
        state.rows[1].checksum = Some(checksum::sqlx("select 3;\n", &[]));
        let found = states(&files, &state, LedgerKind::Sqlx);
        assert_eq!(found[0].1, State::LineEndings);
        assert!(matches!(found[1].1, State::Changed { .. }), "{found:?}");
    }

    #[test]
    fn a_peer_without_checksums_gets_them_beside_its_ledger() {
        let files = files(&[migration("1", "select 1;")]);
        let mut state = state(&["1"]);
        state.meta.push(("checksum:1".into(), checksum::ours("select 2;")));
        assert!(matches!(states(&files, &state, LedgerKind::Diesel)[0].1, State::Changed { .. }));
    }

    #[test]
    fn a_migration_that_requires_an_open_version_is_blocked() {
        let mut waiting = migration("2", "select 2;");
        waiting.requires = vec!["1".into()];
        let files = files(&[migration("1", "select 1;"), waiting]);
        let found = states(&files, &state(&[]), LedgerKind::Dbsetup);
        assert_eq!(found[1].1, State::Blocked { by: "1".into() });
        assert_eq!(states(&files, &state(&["1"]), LedgerKind::Dbsetup)[1].1, State::Pending);
    }

    #[test]
    fn an_unfinished_migration_is_interrupted() {
        let files = files(&[migration("1", "vacuum;")]);
        let mut state = state(&[]);
        state.progress.push(Progress {
            version: "1".into(),
            reverting: false,
            done: 1,
            total: 3,
            checksum: String::new(),
            retry: false,
        });
        let found = states(&files, &state, LedgerKind::Dbsetup);
        assert_eq!(found[0].1, State::Interrupted { done: 1, total: 3, reverting: false });
    }
}
