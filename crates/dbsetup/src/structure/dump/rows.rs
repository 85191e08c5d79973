//! Which tables' rows a plain dump leaves out.

use super::DumpOptions;
use crate::driver::{DumpRequest, FilledTable, TableName};
use crate::error::Result;
use crate::ledger::LedgerTable;
use crate::session::Session;
use crate::structure::held::{unnamed_rows, unnamed_rows_error};
use crate::structure::rows::{Wishes, audit, is_written};

/// Decides which rows are left out, where anybody named any, and refuses to lose those that the file has now: after a squash
/// they are nowhere else.
pub(super) async fn decide_rows(
    session: &mut Session<'_>,
    options: &DumpOptions,
    request: &mut DumpRequest,
    ledger: &LedgerTable,
    present: &str,
) -> Result<()> {
    let repo = session.repo();
    let dialect = session.server().dialect();
    let unnamed = unnamed_rows(repo, dialect, present);
    if options.drop_data.is_empty() && unnamed.is_empty() {
        return Ok(());
    }
    let driver = session.driver().await?;
    let wishes = Wishes { keep: &repo.keep_data, drop: &options.drop_data, request };
    let tables = driver.table_rows(ledger).await?;
    let audit = audit(&tables, driver.about().schema.as_deref(), &wishes)?;
    let mut lost: Vec<TableName> = tables.iter().map(FilledTable::table).collect();
    lost.retain(|table| {
        unnamed.contains(table)
            && is_written(table, request)
            && !audit.kept.iter().any(|kept| kept.table == *table)
            && !audit.without_rows.contains(&table.shown())
    });
    if !lost.is_empty() {
        return Err(unnamed_rows_error(repo, &lost));
    }
    request.without_rows = audit.without_rows;
    Ok(())
}
