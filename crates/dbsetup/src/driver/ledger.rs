//! The port's part about ledgers: which tables there are, what they say, what is locked, and what is recorded with a
//! script.

use crate::ledger::{AppliedRow, Change, Column, LedgerTable, Progress};
use crate::repo::Lane;

/// A table that may be a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTable {
    /// Its schema.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Whether the session's search path finds its schema.
    pub on_path: bool,
}

/// Which of the tables around a ledger exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present {
    /// The ledger itself.
    pub ledger: bool,
    /// [`crate::ledger::META_TABLE`] beside it.
    pub meta: bool,
    /// [`crate::ledger::PROGRESS_TABLE`] beside it.
    pub progress: bool,
}

/// The ledger's state, read in one trip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// Rows, oldest application first.
    pub rows: Vec<AppliedRow>,
    /// The row of a baseline migration, which speaks for those of `rows` that are absorbed. Never read by a driver.
    pub baseline: Option<AppliedRow>,
    /// Our keys and values.
    pub meta: Vec<(String, String)>,
    /// Migrations without a transaction that have begun and not ended.
    pub progress: Vec<Progress>,
}

impl LedgerState {
    /// The value of a meta key.
    pub fn meta(&self, key: &str) -> Option<&str> {
        self.meta.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// What is locked: one lane of one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockKey {
    /// The ledger.
    pub ledger: LedgerTable,
    /// The lane. The automatic lane's lock is the main one.
    pub lane: Lane,
}

/// Which version must (not) be recorded for the work to be done. Checked inside its transaction, because not every
/// engine, and no peer, holds our lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The work applies this version.
    NotApplied(String),
    /// The work undoes this version.
    Applied(String),
}

/// A script and what it changes in the ledger, in one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The script; may be empty.
    pub script: &'a str,
    /// Changes recorded with it.
    pub changes: &'a [Change],
    /// Checked first, inside the transaction.
    pub guard: Option<&'a Guard>,
    /// Behind a pooler: the lock to take inside the transaction.
    pub lock: Option<&'a LockKey>,
}
