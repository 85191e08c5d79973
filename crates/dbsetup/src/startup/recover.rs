//! Empties a database whose migrations failed, where nothing is lost by it or its owner has accepted the loss.

use super::phases::Phase;
use super::policy::Policy;
use super::restore::permitted;
use super::work::Work;
use crate::driver::{DbErrorClass, LockKey, Sessions};
use crate::error::{Error, Kind, Result};
use crate::lock;
use crate::migration::FileSet;
use crate::migration::current::standing;
use crate::record;
use crate::repo::{Lane, Repo};
use crate::session::{Inspection, Session};
use crate::storage;

/// How many tables with rows a message names.
const SHOWN: usize = 5;

/// Whether an emptied database could fare better. A lock, a server or a right that is missing is no reason to lose
/// anything, and neither is a file that does not parse.
pub(super) fn may_mend(error: &Error) -> bool {
    let about_the_database = matches!(
        error.kind(),
        Kind::Statement
            | Kind::Changed
            | Kind::Ledger
            | Kind::Undecided
            | Kind::NotEmpty
            | Kind::PartlyLoaded
            | Kind::BelowFloor
    );
    let passes = matches!(
        error.class(),
        Some(
            DbErrorClass::LockTimeout
                | DbErrorClass::Deadlock
                | DbErrorClass::Serialization
                | DbErrorClass::ConnectionLost
                | DbErrorClass::Full
                | DbErrorClass::LockTableFull
                | DbErrorClass::Cancelled
        )
    );
    about_the_database && !passes
}

/// Empties the database.
///
/// # Errors
/// [`Kind::Refused`], with the reason; those of the database.
pub(super) async fn recreate(work: &Work<'_>, error: &Error, accept_data_loss: bool) -> Result<()> {
    recreated(work, error, accept_data_loss).await.map_err(|refusal| work.worded(refusal))
}

async fn recreated(work: &Work<'_>, error: &Error, accept_data_loss: bool) -> Result<()> {
    let repo = work.repo;
    if work.policy != Policy::Migrate {
        return Err(refused(
            repo,
            &format!("the policy is `{}`, under which nothing is written", work.policy),
        ));
    }
    if !may_mend(error) {
        return Err(refused(repo, "it would not be mended by that"));
    }
    if !accept_data_loss && !repo.disposable {
        let why = format!("environment `{}` is protected", repo.environment);
        return Err(refused(repo, &why).help(ACCEPT));
    }
    work.ears.phase(Phase::Recovering);
    let mut session = work.session()?;
    let result = match empty(&mut session, accept_data_loss).await {
        // What cannot be read cannot be emptied, and says of no row and no environment that it is there.
        Err(error) if accept_data_loss && error.class() == Some(DbErrorClass::Damaged) => {
            make_anew(work, &mut session).await
        }
        result => result,
    };
    session.close().await;
    if result? {
        tracing::warn!(repo = repo.name.as_str(), "the database was emptied, everything is tried once more");
    }
    work.ears.forget();
    Ok(())
}

const ACCEPT: &str = "`OnFailure::Recreate { accept_data_loss: true }` empties it all the same";

fn refused(repo: &Repo, why: &str) -> Error {
    Error::new(Kind::Refused, format!("the database of `{}` was not emptied: {why}", repo.name))
}

/// Empties the database under both locks, and returns whether there was a need to: another process may have mended it.
async fn empty(session: &mut Session<'_>, accept_data_loss: bool) -> Result<bool> {
    let repo = session.repo();
    let seen = session.inspect().await?;
    record::refuse_other_environment(repo, &seen.state)?;
    record::refuse_other_repo(session, &seen)?;
    let ledger = seen.choice.table;
    let keys = [lock::main_key(&ledger), LockKey { ledger: ledger.clone(), lane: Lane::Manual }];
    lock::acquire_all(session, &keys).await?;
    let seen = session.inspect().await?;
    record::refuse_other_environment(repo, &seen.state)?;
    record::refuse_other_repo(session, &seen)?;
    record::refuse_newer_format(repo, &seen.state)?;
    if is_mended(repo, &seen) {
        lock::release_all(session, &keys).await?;
        return Ok(false);
    }
    let driver = session.driver().await?;
    if !accept_data_loss {
        let tables = driver.table_rows(&ledger).await?;
        let filled: Vec<String> =
            tables.iter().filter(|table| table.rows > 0).map(|table| table.table().shown()).collect();
        if !filled.is_empty() {
            let shown = filled[..filled.len().min(SHOWN)].join("`, `");
            let more = if filled.len() > SHOWN { " and others" } else { "" };
            return Err(refused(repo, &format!("there are rows in `{shown}`{more}")).help(ACCEPT));
        }
    }
    driver.empty().await?;
    lock::release_all(session, &keys).await?;
    Ok(true)
}

/// Removes a damaged database and makes an empty one in its place, and returns whether there was a need to. Nobody can take
/// the lock of a database that cannot be read: the right to keep its copy, which is taken beside it, stands for that.
async fn make_anew(work: &Work<'_>, session: &mut Session<'_>) -> Result<bool> {
    session.close().await;
    let server = (work.open)(work.repo)?;
    let alone = permitted(work, &*server).await?;
    // Another process may have made it anew meanwhile, and have filled it.
    match session.inspect().await {
        Err(error) if error.class() == Some(DbErrorClass::Damaged) => {}
        Err(error) => return Err(error),
        Ok(_) => return Ok(false),
    }
    session.close().await;
    storage::drop(session, Sessions::Keep).await?;
    storage::create(session).await?;
    drop(alone);
    Ok(true)
}

/// Whether everything is applied by now.
fn is_mended(repo: &Repo, seen: &Inspection) -> bool {
    let judged = FileSet::read(repo, &[]).and_then(|files| standing(repo, &files, &seen.choice, &seen.state));
    !seen.state.rows.is_empty()
        && record::refuse_half_loaded(repo, &seen.state).is_ok()
        && judged.is_ok_and(|standing| standing.pending.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::DbError;

    #[test]
    fn nothing_is_emptied_for_what_passes_by_itself() {
        let of = |class| {
            let message = "no".to_owned();
            Error::from(DbError { class, message, code: None, notes: Vec::new() })
        };
        assert!(may_mend(&of(DbErrorClass::Statement)));
        for class in [
            DbErrorClass::LockTimeout,
            DbErrorClass::Unreachable,
            DbErrorClass::NotReady,
            DbErrorClass::ConnectionLost,
            DbErrorClass::Full,
            DbErrorClass::Deadlock,
            DbErrorClass::Permission,
            DbErrorClass::ReadOnly,
            DbErrorClass::DatabaseMissing,
            DbErrorClass::Cancelled,
        ] {
            assert!(!may_mend(&of(class)), "{class:?}");
        }
        assert!(may_mend(&Error::new(Kind::Changed, "x")) && !may_mend(&Error::new(Kind::Grammar, "x")));
    }
}
