//! Rewrites a ledger: the rows of squashed migrations become the one of the baseline, in one transaction.

use super::baseline::{self, Rewrite};
use super::set::FileSet;
use super::up::prepare;
use super::version::Version;
use crate::driver::LedgerState;
use crate::error::Result;
use crate::event::What;
use crate::ledger::{AppliedRow, LedgerTable};
use crate::lock;
use crate::record;
use crate::session::Session;

/// Returns what becomes of the ledger once `planned` is applied. Not before the file of the baseline is there: sqlx wants
/// a file for its row.
pub(super) fn pending_rewrite(
    files: &FileSet,
    ledger: &LedgerTable,
    state: &LedgerState,
    planned: &[Version],
) -> Option<Rewrite> {
    let floor = files.floor.as_ref().filter(|_| files.baseline.is_some())?;
    let mut state = state.clone();
    state.rows.extend(planned.iter().map(|version| AppliedRow {
        version: version.to_string(),
        success: true,
        ..AppliedRow::default()
    }));
    baseline::rewrite(floor, ledger.kind, &state)
}

/// Replaces the rows of squashed migrations by that of the baseline, under the main lock: what is there then counts.
///
/// # Errors
/// Those of the lock and of writing.
pub(super) async fn rewrite_ledger(
    session: &mut Session<'_>,
    files: &FileSet,
    ledger: &LedgerTable,
) -> Result<()> {
    let key = lock::main_key(ledger);
    lock::acquire(session, &key).await?;
    rewrite_locked(session, files, ledger).await?;
    lock::release(session, &key).await
}

/// The same where the lock is held.
///
/// # Errors
/// Those of reading and writing.
pub(super) async fn rewrite_locked(
    session: &mut Session<'_>,
    files: &FileSet,
    ledger: &LedgerTable,
) -> Result<()> {
    let now = session.inspect().await?;
    record::refuse_half_loaded(session.repo(), &now.state)?;
    let rewrite = pending_rewrite(files, &now.choice.table, &now.state, &[]);
    if let Some(Rewrite { version, rows, changes }) = rewrite.filter(|_| now.choice.table == *ledger) {
        prepare(session, &now).await?;
        record::write(session, ledger, &changes).await?;
        if rows > 0 {
            session.teller().tell(What::LedgerRewritten { rows, version });
        }
    }
    Ok(())
}
