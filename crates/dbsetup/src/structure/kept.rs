//! Kept rows of a plain dump: they come from a replay of what the database has applied, whatever is in it itself.

use std::collections::BTreeSet;
use std::time::Instant;

use super::replay::{Plan, replay};
use super::rows::{Audit, Kept, Wishes, audit_of, let_the_clock_go_on, refuse_volatile, volatile};
use super::scratch::in_scratch;
use crate::driver::DumpRequest;
use crate::error::Result;
use crate::ledger::AppliedRow;
use crate::migration::Version;
use crate::session::Session;

/// Returns the rows that `keep-data` names, as the migrations in `applied` insert them into a database where nothing else
/// was. `present` is the structure's text before: rows that it has already, word for word, were the same in an earlier
/// replay; others are replayed twice, so that no value that is another one every time gets into it. Unless they are
/// `trusted`, files that reach beyond the scratch database are refused.
///
/// # Errors
/// Those of the replay, of [`audit_of`], [`Kept::read`] and [`refuse_volatile`].
pub(super) async fn kept_rows(
    session: &mut Session<'_>,
    request: &DumpRequest,
    applied: &[AppliedRow],
    present: Option<&str>,
    trusted: bool,
) -> Result<(Audit, Kept)> {
    let repo = session.repo();
    let mut plan = Plan::read(repo)?;
    let files = &plan.files;
    let version =
        |text: &String| files.parse_version(text).unwrap_or_else(|| Version::textual(text.as_str()));
    let applied: BTreeSet<Version> =
        applied.iter().filter(|row| row.success).map(|row| version(&row.version)).collect();
    plan.files.migrations.retain(|migration| applied.contains(&migration.version));
    plan.trusted = trusted;
    plan.refuse_beyond(repo, session.server().dialect(), &[], "dump")?;
    let wishes = Wishes { keep: &repo.keep_data, drop: &[], request };
    let (audit, kept) = replayed(session, &plan, &wishes).await?;
    let done = Instant::now();
    for warning in &audit.warnings {
        session.teller().warn(warning.clone(), None);
    }
    for frozen in plan.frozen(session.server().dialect(), &audit.kept) {
        session.teller().warn(frozen.to_string(), Some(frozen.help()));
    }
    let is_known = present.is_some_and(|present| present.contains(kept.text.trim()));
    if !kept.text.is_empty() && !is_known {
        let_the_clock_go_on(done).await;
        let (_, again) = replayed(session, &plan, &wishes).await?;
        let schema = session.driver().await?.about().schema.clone();
        refuse_volatile(repo, &volatile(&kept.rows, &again.rows), schema.as_deref())?;
    }
    Ok((audit, kept))
}

async fn replayed(session: &mut Session<'_>, plan: &Plan, wishes: &Wishes<'_>) -> Result<(Audit, Kept)> {
    in_scratch(session, async |scratch| {
        replay(scratch, plan).await?;
        let ledger = scratch.inspect().await?.choice.table;
        let driver = scratch.driver().await?;
        let audit = audit_of(driver, &ledger, wishes).await?;
        let kept = Kept::read(driver, &audit).await?;
        Ok((audit, kept))
    })
    .await
}
