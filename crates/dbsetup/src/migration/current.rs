//! Whether a database has what its files ask of it, and what of it the files do not know. Pure.

use super::assess::{Assessment, Entry, State, assess};
use super::floor;
use super::plan::{self, Lanes, Scope};
use super::rewrite::pending_rewrite;
use super::set::FileSet;
use super::version::Version;
use crate::choice::Choice;
use crate::driver::LedgerState;
use crate::error::Result;
use crate::repo::{Lane, Repo};

/// How a database stands to its files, as an application that starts wants to know it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Pending migrations of the automatic lane that can run now, in order.
    pub pending: Vec<String>,
    /// Pending migrations of the automatic lane that wait for others, with the version that each waits for.
    pub blocked: Vec<(String, String)>,
    /// Pending migrations of the manual lane.
    pub manual: Vec<String>,
    /// Applied versions that no file here knows and that are newer than all that are known: the database is ahead.
    pub ahead: Vec<String>,
    /// Whether rows of the ledger are to become the one of a baseline.
    pub rewrites: bool,
    /// Whether anything deserves a word.
    pub warns: bool,
}

impl Standing {
    /// Whether nothing is to be done and nothing to be said.
    pub(crate) fn is_quiet(&self) -> bool {
        self.pending.is_empty()
            && self.blocked.is_empty()
            && self.ahead.is_empty()
            && !self.rewrites
            && !self.warns
    }
}

/// Judges a database by what its ledger says. `files` must be complete for it.
///
/// # Errors
/// Those of [`plan::up`].
pub(crate) fn standing(
    repo: &Repo,
    files: &FileSet,
    choice: &Choice,
    state: &LedgerState,
) -> Result<Standing> {
    let found = assess(files, &choice.table, &repo.ledger, state);
    floor::refuse_other_baseline(repo, files, &found, choice.table.kind)?;
    let scope = Scope { lanes: Lanes::Automatic, order: repo.version_order, ..Scope::default() };
    let plan = plan::up(repo, files, &found, &scope)?;
    Ok(Standing {
        pending: plan.versions.iter().map(ToString::to_string).collect(),
        blocked: plan.blocked.iter().map(|(version, by)| (version.to_string(), by.to_string())).collect(),
        manual: manual(&found),
        ahead: ahead_of(files, &found),
        rewrites: pending_rewrite(files, &choice.table, state, &plan.versions).is_some(),
        warns: !plan.warnings.is_empty() || !files.archive_problems.is_empty(),
    })
}

/// Returns the applied versions that a database is ahead by. `files` must be complete for it.
pub(crate) fn ahead(repo: &Repo, files: &FileSet, choice: &Choice, state: &LedgerState) -> Vec<String> {
    ahead_of(files, &assess(files, &choice.table, &repo.ledger, state))
}

fn manual(found: &Assessment<'_>) -> Vec<String> {
    let open = found.entries.iter().filter(|entry| entry.lane() == Some(Lane::Manual) && entry.row.is_none());
    open.map(|entry| entry.version.to_string()).collect()
}

fn ahead_of(files: &FileSet, found: &Assessment<'_>) -> Vec<String> {
    let recorded: Vec<Version> = files.unfloored.iter().map(|text| files.version_of(text)).collect();
    // Of code that nobody has registered here nothing is known but its row.
    let is_unknown = |entry: &Entry<'_>| {
        matches!(entry.state, State::FileMissing { archived: false })
            || (entry.migration.is_none() && entry.is_code())
    };
    let known = found.entries.iter().filter(|entry| !is_unknown(entry)).map(|entry| &entry.version);
    let newest = known.chain(&recorded).chain(files.archived.keys()).max();
    let ahead = found
        .entries
        .iter()
        .filter(|entry| is_unknown(entry) && newest.is_none_or(|newest| entry.version > *newest));
    ahead.map(|entry| entry.version.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::Present;
    use crate::ledger::LedgerKind;
    use crate::migration::testing::{files, ledger, migration, repo, state};

    fn judged(versions: &[&str], applied: &[&str]) -> Standing {
        let migrations: Vec<_> = versions.iter().map(|version| migration(version, "select 1;")).collect();
        let choice = Choice {
            table: ledger(LedgerKind::Dbsetup),
            present: Present { ledger: true, meta: true, progress: false },
        };
        standing(&repo(), &files(&migrations), &choice, &state(applied)).unwrap()
    }

    #[test]
    fn a_database_is_ahead_by_what_is_newer_than_every_file() {
        let standing = judged(&["1", "3"], &["1", "2", "3", "4", "10"]);
        assert_eq!(standing.ahead, ["4", "10"]);
        assert!(standing.pending.is_empty() && !standing.is_quiet());
        assert_eq!(judged(&[], &["7"]).ahead, ["7"]);
        assert!(judged(&["1"], &["1"]).is_quiet());
    }

    #[test]
    fn what_waits_in_the_manual_lane_is_named_and_stops_nothing() {
        let mut manual = migration("2", "select 2;");
        manual.lane = Lane::Manual;
        let mut waits = migration("3", "select 3;");
        waits.requires = vec!["2".into()];
        let choice = Choice { table: ledger(LedgerKind::Dbsetup), present: Present::default() };
        let set = files(&[migration("1", "select 1;"), manual, waits]);
        let standing = standing(&repo(), &set, &choice, &state(&["1"])).unwrap();
        assert_eq!((standing.manual, standing.pending), (vec!["2".to_owned()], Vec::new()));
        assert_eq!(standing.blocked, [("3".to_owned(), "2".to_owned())]);
    }
}
