//! Migrates with a copy at hand, and puts it back when that fails.
//!
//! A random text in the database and in its copy says that they belong together: it is written before the copy is made and
//! removed when the run is over. Whoever dies in between leaves both, and the next start goes on with that very copy; a
//! copy without its mark in the database is old, and is never put back.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Instant;

use super::phases::Phase;
use super::report::Outcome;
use super::work::{Done, VERB, Work};
use crate::driver::{Backup, DbErrorClass, LedgerState, Server};
use crate::error::{Error, Kind, Result};
use crate::event::Silent;
use crate::ledger::{Change, meta_key};
use crate::lock;
use crate::migration::current::Standing;
use crate::migration::{MigrateRequest, migrate};
use crate::record;
use crate::session::{Session, explain};

/// What is known before anything is applied.
struct Before {
    /// The versions that are to be applied.
    pending: Vec<String>,
    /// Whether anything is to be done at all.
    owes: bool,
    /// The mark in the database.
    mark: Option<String>,
}

/// Migrates; what fails is put back.
///
/// # Errors
/// Those of migrating, with what became of the database; those of making the copy, with nothing migrated.
pub(super) async fn migrated(work: &Work<'_>, and_continue: bool) -> Result<Done> {
    let Some(before) = before(work).await? else {
        // Nothing is lost with a database that is not there.
        return work.migrated().await;
    };
    let server = (work.open)(work.repo)?;
    let mut backup = permitted(work, &*server).await.map_err(|error| error.note("nothing was migrated"))?;
    let copy = state_of_copy(work, &mut *backup).await?;
    let is_begun = is_begun(&before, copy.as_ref());
    if !before.owes && !is_begun {
        if copy.is_some() || before.mark.is_some() {
            finished(work, &mut *backup).await;
        }
        return work.migrated().await;
    }
    let copy = match copy {
        Some(copy) if is_begun => {
            tracing::warn!(
                repo = work.repo.name.as_str(),
                "an earlier start was interrupted; its copy is kept"
            );
            copy
        }
        _ => copied(work, &mut *backup, &before).await.map_err(|error| error.note("nothing was migrated"))?,
    };
    let error = match work.migrated().await {
        Ok(done) => {
            finished(work, &mut *backup).await;
            return Ok(done);
        }
        Err(error) => error,
    };
    let error = put_back(work, &mut *backup, &copy, error).await?;
    if and_continue {
        return Ok(Done::of(Outcome::Restored(error), Standing::default()));
    }
    Err(error)
}

/// Looks at what is to be done; `None` where there is no database.
async fn before(work: &Work<'_>) -> Result<Option<Before>> {
    let server = (work.open)(work.repo)?;
    // Migrating says all of it again.
    let mut session = Session::with_server(work.repo, &Silent, VERB, server).only_looking();
    let result = async {
        let Some(seen) = session.inspect_if_exists().await? else { return Ok(None) };
        let request = MigrateRequest { dry_run: true, ..MigrateRequest::default() };
        let mark = seen.state.meta(meta_key::BACKUP).map(str::to_owned);
        Ok(Some(match migrate(&mut session, &request).await {
            Ok(report) => Before {
                owes: report.load.is_some() || !report.planned.is_empty() || report.rewrite.is_some(),
                pending: report.planned.into_iter().map(|planned| planned.version).collect(),
                mark,
            },
            // What a run that was interrupted has left is put back; without one the error is migrating's to tell.
            Err(error) if mark.is_none() => return Err(error),
            Err(_) => Before { owes: true, pending: Vec::new(), mark },
        }))
    }
    .await;
    session.close().await;
    result
}

/// Waits for the right to keep a copy.
async fn permitted<'s>(work: &Work<'_>, server: &'s dyn Server) -> Result<Box<dyn Backup + 's>> {
    let start = Instant::now();
    let application = format!("dbsetup {VERB} {}", work.repo.name);
    loop {
        match server.backup(application.clone()).await {
            Ok(Some(backup)) => return Ok(backup),
            Ok(None) if start.elapsed() < work.repo.lock_wait => {
                work.ears.phase(Phase::Waiting);
                tokio::time::sleep(lock::jittered(lock::FIRST_PAUSE * 2)).await;
            }
            Ok(None) => {
                return Err(Error::new(
                    Kind::Locked,
                    format!("another process keeps a copy of the database of `{}`", work.repo.name),
                ));
            }
            Err(error) => return Err(explain(work.repo, server.target(), error)),
        }
    }
}

/// What the copy that is there says.
async fn state_of_copy(work: &Work<'_>, backup: &mut dyn Backup) -> Result<Option<LedgerState>> {
    let Some(copy) = backup.copy().await? else { return Ok(None) };
    let mut session = Session::with_server(work.repo, work.ears, VERB, copy).only_looking();
    let seen = session.inspect().await;
    session.close().await;
    // What cannot be read cannot be put back either: it is as good as none.
    Ok(seen.ok().map(|seen| seen.state))
}

/// Whether a copy belongs to a run that is to be ended now: database and copy have the same mark, and nothing is pending
/// that was not pending then.
fn is_begun(before: &Before, copy: Option<&LedgerState>) -> bool {
    let (Some(mark), Some(copy)) = (&before.mark, copy) else { return false };
    let planned: Vec<&str> = mark.split(' ').nth(1).unwrap_or_default().split(',').collect();
    copy.meta(meta_key::BACKUP) == Some(mark)
        && before.pending.iter().all(|version| planned.contains(&version.as_str()))
}

/// Marks the database and makes the copy.
async fn copied(work: &Work<'_>, backup: &mut dyn Backup, before: &Before) -> Result<LedgerState> {
    backup.discard().await?;
    let mark = format!("{:016x} {}", RandomState::new().build_hasher().finish(), before.pending.join(","));
    marked(work, Some(mark)).await?;
    if let Err(error) = backup.make().await {
        // Without its copy the mark says nothing; it is removed for tidiness.
        let _ = marked(work, None).await;
        let error =
            Error::from(error).note(format!("a copy of the database of `{}` is to be kept", work.repo.name));
        return Err(error);
    }
    let copy = state_of_copy(work, backup).await?;
    copy.ok_or_else(|| Error::new(Kind::Io, "the copy of the database that was just made cannot be read"))
}

/// Sets or removes the mark.
async fn marked(work: &Work<'_>, mark: Option<String>) -> Result<()> {
    let mut session = work.session()?;
    let result = async {
        let seen = session.inspect().await?;
        let key = lock::main_key(&seen.choice.table);
        lock::acquire(&mut session, &key).await?;
        let key_of_mark = meta_key::BACKUP.to_owned();
        let changes = match mark {
            Some(value) => {
                // What the first migration would record is in the copy, so that only migrations make a difference.
                let mut changes = record::first_changes(work.repo, &seen.state);
                changes.push(Change::SetMeta { key: key_of_mark, value });
                changes
            }
            None => vec![Change::ClearMeta { key: key_of_mark }],
        };
        record::write(&mut session, &seen.choice.table, &changes).await?;
        lock::release(&mut session, &key).await
    }
    .await;
    session.close().await;
    result
}

/// Removes mark and copy, in this order: a copy without its mark is never put back. What cannot be removed now, the next
/// start removes.
async fn finished(work: &Work<'_>, backup: &mut dyn Backup) {
    let result = match marked(work, None).await {
        Ok(()) => backup.discard().await.map_err(Error::from),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::warn!(repo = work.repo.name.as_str(), %error, "the copy of the database is still there");
    }
}

/// Puts the copy back where anything was applied, and returns the failure with what became of the database.
async fn put_back(
    work: &Work<'_>,
    backup: &mut dyn Backup,
    copy: &LedgerState,
    error: Error,
) -> Result<Error> {
    if error.kind() == Kind::Locked && error.class().is_none() {
        return Err(
            error.note("another run is at work: its result stays, and the copy is kept for the next start")
        );
    }
    work.ears.phase(Phase::Recovering);
    let kept = "the copy is kept, and put back by the next start that fails";
    let is_as_before = match is_as(work, copy).await {
        Ok(is_as_before) => is_as_before,
        Err(other) => {
            return Err(error.note(format!("the database was not put back: {}", other.message())).note(kept));
        }
    };
    if is_as_before {
        finished(work, backup).await;
        return Ok(error.note("the database is as it was before: nothing was applied"));
    }
    if let Err(other) = backup.put_back().await {
        let error = error.note(format!("the database was not put back: {}", other.message));
        let error = other.notes.iter().fold(error, |error, note| error.note(note.clone()));
        return Err(error.note(kept));
    }
    finished(work, backup).await;
    work.ears.forget();
    tracing::warn!(repo = work.repo.name.as_str(), "the database is as it was before the migrations");
    Ok(error.note("the database is as it was before: its copy was put back"))
}

/// Whether the ledger says what the copy's says: what failed was rolled back, and nothing went before it.
async fn is_as(work: &Work<'_>, copy: &LedgerState) -> Result<bool> {
    let mut session = work.session()?.only_looking();
    let seen = session.inspect().await;
    session.close().await;
    let now = match seen {
        Ok(seen) => seen.state,
        // A database that cannot be read is not as it was.
        Err(error) if error.class() != Some(DbErrorClass::Unreachable) => return Ok(false),
        Err(error) => return Err(error),
    };
    Ok(now.rows == copy.rows && now.meta == copy.meta && now.progress == copy.progress)
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert!(is_begun(&before(Some("a 1,2"), &[]), Some(&state("a 1,2"))));
        assert!(!is_begun(&before(Some("a 1,2"), &["2", "3"]), Some(&state("a 1,2"))), "a newer release");
        assert!(!is_begun(&before(Some("b 1,2"), &["2"]), Some(&state("a 1,2"))), "an older run's copy");
        assert!(!is_begun(&before(None, &["2"]), Some(&state("a 1,2"))), "a run that is over");
        assert!(!is_begun(&before(Some("a 1,2"), &["2"]), None));
    }
}
