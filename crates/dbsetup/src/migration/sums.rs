//! Checksums of files that were computed before anybody asked for them: while a connection was being made.

use std::collections::BTreeMap;

use super::assess::recorded_checksum;
use super::set::{FileSet, Migration};
use super::version::Version;
use crate::driver::LedgerState;
use crate::ledger::{AppliedRow, LedgerKind, LedgerTable};
use crate::repo::LedgerSetting;

/// The checksums of a file set for the ledger that it most likely has.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    of: Option<LedgerKind>,
    texts: BTreeMap<Version, String>,
}

impl FileSet {
    /// Computes the checksums of all files of the lanes for a kind of ledger.
    pub(crate) fn sum_up(&mut self, ledger: &LedgerTable, setting: &LedgerSetting) {
        let files = self.migrations.iter().filter(|migration| migration.code.is_none());
        let sum = |migration: &Migration| {
            (migration.version.clone(), migration.checksum(ledger.kind, ledger.wide, setting))
        };
        self.sums = Sums { of: Some(ledger.kind), texts: files.map(sum).collect() };
    }
}

impl Sums {
    /// Whether they prove that a file is what was applied. What they do not prove is to be looked at.
    pub(super) fn prove(
        &self,
        migration: &Migration,
        row: &AppliedRow,
        ledger: &LedgerTable,
        state: &LedgerState,
    ) -> bool {
        let sum = self.texts.get(&migration.version).filter(|_| self.of == Some(ledger.kind));
        sum.is_some_and(|sum| recorded_checksum(row, ledger, state) == Some(sum.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::assess::{State, assess};
    use crate::migration::testing::{files, ledger, migration, state};

    #[test]
    fn what_was_summed_up_for_another_ledger_or_says_something_else_proves_nothing() {
        let setting = LedgerSetting::default();
        let mut set = files(&[migration("1", "select 1;"), migration("2", "select 2;")]);
        let mut state = state(&["1", "2"]);
        state.rows[0].checksum = Some(set.migrations[0].checksum(LedgerKind::Sqlx, false, &setting));
        state.rows[1].checksum = Some("00".into());
        let table = ledger(LedgerKind::Sqlx);
        for summed in [LedgerKind::Sqlx, LedgerKind::Dbsetup] {
            set.sum_up(&ledger(summed), &setting);
            let found = assess(&set, &table, &setting, &state);
            assert_eq!(found.entries[0].state, State::Applied, "{summed:?}");
            assert!(matches!(found.entries[1].state, State::Changed { .. }), "{summed:?}");
            let proves = |at: usize| set.sums.prove(&set.migrations[at], &state.rows[at], &table, &state);
            assert_eq!((proves(0), proves(1)), (summed == LedgerKind::Sqlx, false));
        }
    }
}
