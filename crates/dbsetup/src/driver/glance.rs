//! What one message shows of a database: enough to see that there is nothing to do.

use super::{FoundTable, LedgerState};

/// A ledger as one message shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// The ledger that was asked for, with columns enough to tell whose it is, the marks beside it, and the names of other
    /// tables that were asked for and are there.
    pub tables: Vec<FoundTable>,
    /// What the ledger and [`crate::ledger::META_TABLE`] say. Progress is not read: where its table is among
    /// [`Glance::tables`], somebody has to look closely.
    pub state: LedgerState,
}
