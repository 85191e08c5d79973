//! What a start-up that keeps a copy makes of what it sees: whose copy it is, what became of the database, whether the
//! application may serve after a failure. Pure.

use super::super::report::Outcome;
use crate::driver::{DbErrorClass, LedgerState};
use crate::error::{Error, Kind};
use crate::ledger::meta_key;

/// What is known before anything is applied.
pub(super) struct Before {
    /// The versions that are to be applied.
    pub pending: Vec<String>,
    /// Whether anything is to be done at all.
    pub owes: bool,
    /// The mark in the database.
    pub mark: Option<String>,
}

/// A failure.
pub(super) struct Failed {
    pub error: Error,
    /// What it is where the application serves all the same; `None` where the database is not what it was, or where a later
    /// start would put an older state over what is written from now on.
    pub outcome: Option<fn(Error) -> Outcome>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, outcome: None }
    }
}

impl Failed {
    /// A failure before anything was applied, of a database with or without the mark of another run.
    pub(super) fn untouched(error: Error, mark: Option<&String>) -> Self {
        let outcome: Option<fn(Error) -> Outcome> = match mark {
            None => Some(Outcome::Continued),
            Some(_) => None,
        };
        Self { error: error.note("nothing was migrated"), outcome }
    }
}

/// Whether an error says that what was read is damaged, or no database at all.
pub(super) fn is_no_database(error: &Error) -> bool {
    // SQLITE_NOTADB, <https://www.sqlite.org/rescode.html#notadb>.
    error.class() == Some(DbErrorClass::Damaged)
        || (error.class() == Some(DbErrorClass::Configuration) && error.message().ends_with("(26)"))
}

/// Whether an error of planning is what a run leaves that dies in the middle.
pub(super) fn is_interruption(error: &Error, state: &LedgerState) -> bool {
    matches!(error.kind(), Kind::Undecided | Kind::PartlyLoaded) || !state.progress.is_empty()
}

/// Whether a copy belongs to a run that is to be ended now: database and copy have the same mark, and nothing is pending
/// that was not pending then.
pub(super) fn is_begun(before: &Before, copy: Option<&LedgerState>) -> bool {
    let (Some(mark), Some(copy)) = (&before.mark, copy) else { return false };
    let planned: Vec<&str> = mark.split(' ').nth(1).unwrap_or_default().split(',').collect();
    copy.meta(meta_key::BACKUP) == Some(mark)
        && before.pending.iter().all(|version| planned.contains(&version.as_str()))
}

/// What the database has become since its copy was made.
pub(super) enum Became {
    /// Its ledger says what the copy's says: what failed was rolled back, and nothing went before it.
    Same,
    /// A run of another process has migrated it to its end, and has taken the mark away.
    Migrated,
    /// Anything else.
    Other,
}

/// Compares a database with its copy.
pub(super) fn became(now: &LedgerState, copy: &LedgerState) -> Became {
    let is_same = now.rows == copy.rows && now.meta == copy.meta && now.progress == copy.progress;
    match (is_same, now.meta(meta_key::BACKUP)) {
        (true, _) => Became::Same,
        (false, None) => Became::Migrated,
        (false, Some(_)) => Became::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Progress;

    #[test]
    fn only_what_an_interrupted_run_leaves_makes_a_plan_without_a_plan() {
        let clean = LedgerState::default();
        let begun = LedgerState {
            progress: vec![Progress {
                version: "2".into(),
                reverting: false,
                done: 1,
                total: 2,
                checksum: String::new(),
                retry: false,
            }],
            ..LedgerState::default()
        };
        for kind in [Kind::Undecided, Kind::PartlyLoaded] {
            assert!(is_interruption(&Error::new(kind, "x"), &clean));
        }
        for kind in [Kind::Changed, Kind::Grammar, Kind::BelowFloor, Kind::Io] {
            assert!(!is_interruption(&Error::new(kind, "x"), &clean), "{kind:?}");
        }
        assert!(is_interruption(&Error::new(Kind::Changed, "x"), &begun));
    }

    #[test]
    fn a_copy_is_gone_on_with_when_mark_and_plan_are_those_of_its_run() {
        let state = |mark: &str| LedgerState {
            meta: vec![(meta_key::BACKUP.into(), mark.into())],
            ..LedgerState::default()
        };
        let before = |mark: Option<&str>, pending: &[&str]| Before {
            pending: pending.iter().map(|version| (*version).to_owned()).collect(),
            owes: !pending.is_empty(),
            mark: mark.map(str::to_owned),
        };
        assert!(is_begun(&before(Some("a 1,2"), &["1", "2"]), Some(&state("a 1,2"))));
        assert!(is_begun(&before(Some("a 1,2"), &["2"]), Some(&state("a 1,2"))));
        assert!(!is_begun(&before(Some("a 1,2"), &["2", "3"]), Some(&state("a 1,2"))), "a newer release");
        assert!(!is_begun(&before(Some("b 1,2"), &["2"]), Some(&state("a 1,2"))), "an older run's copy");
        assert!(!is_begun(&before(None, &["2"]), Some(&state("a 1,2"))), "a run that is over");
        assert!(!is_begun(&before(Some("a 1,2"), &["2"]), None));
    }
}
