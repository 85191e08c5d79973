//! Migrates with a copy at hand, and puts it back when that fails.
//!
//! A random text in the database and in its copy says that they belong together: it is written before the copy is made and
//! removed when the run is over. Whoever dies in between leaves both, and the next start goes on with that very copy; a
//! copy without its mark in the database is old, and is never put back.

mod judge;

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Instant;

use judge::{Became, Before, Failed, became, is_begun, is_interruption, is_no_database};

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

/// Migrates; what fails is put back.
///
/// # Errors
/// Those of migrating, with what became of the database; those of making the copy, with nothing migrated.
pub(super) async fn migrated(work: &Work<'_>, and_continue: bool) -> Result<Done> {
    match kept(work).await {
        Ok(done) => Ok(done),
        Err(Failed { error, outcome: Some(outcome) }) if and_continue => {
            Ok(Done::of(outcome(error), Standing::default()))
        }
        Err(Failed { error, .. }) => Err(error),
    }
}

async fn kept(work: &Work<'_>) -> std::result::Result<Done, Failed> {
    if before(work).await?.is_none() {
        // Nothing is lost with a database that is not there.
        return Ok(work.migrated().await?);
    }
    let server = (work.open)(work.repo)?;
    let mut backup = match permitted(work, &*server).await {
        Ok(backup) => backup,
        // Whoever has the right may be about to put its copy back.
        Err(error) if error.kind() == Kind::Locked => return Err(error.note("nothing was migrated").into()),
        Err(error) => return Err(unpermitted(work, error).await),
    };
    // Whoever had the right meanwhile may have done everything: what was seen before is worth nothing now.
    let Some(before) = before(work).await? else { return Ok(work.migrated().await?) };
    let copy = match state_of_copy(work, &mut *backup).await {
        Ok(copy) => copy,
        Err(error) => return Err(Failed::untouched(error, before.mark.as_ref())),
    };
    if !before.owes {
        // Nothing is owed: whatever was begun has ended well, and the application may have served since.
        let is_tidy = (copy.is_none() && before.mark.is_none()) || finished(work, &mut *backup).await;
        return work.migrated().await.map_err(|error| {
            let is_untouched = is_tidy && work.ears.heard().applied.is_empty();
            Failed { error, outcome: is_untouched.then_some(Outcome::Continued as fn(Error) -> Outcome) }
        });
    }
    let copy = match copy {
        Some(copy) if is_begun(&before, Some(&copy)) => {
            tracing::warn!(
                repo = work.repo.name.as_str(),
                "an earlier start was interrupted; its copy is kept"
            );
            copy
        }
        _ => copied(work, &mut *backup, &before).await?,
    };
    let error = match work.migrated().await {
        Ok(done) => {
            finished(work, &mut *backup).await;
            return Ok(done);
        }
        Err(error) => error,
    };
    let error = put_back(work, &mut *backup, &copy, error).await?;
    Err(Failed { error, outcome: Some(Outcome::Restored) })
}

/// A failure to get the right to keep a copy.
async fn unpermitted(work: &Work<'_>, error: Error) -> Failed {
    match before(work).await {
        Ok(Some(before)) => Failed::untouched(error, before.mark.as_ref()),
        Ok(None) => Failed::untouched(error, None),
        Err(_) => error.note("nothing was migrated").into(),
    }
}

/// Looks at what is to be done; `None` where there is no database.
async fn before(work: &Work<'_>) -> std::result::Result<Option<Before>, Failed> {
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
            // What a run that was interrupted has left is put back.
            Err(error) if mark.is_some() && is_interruption(&error, &seen.state) => {
                Before { owes: true, pending: Vec::new(), mark }
            }
            // Any other error is migrating's to tell: it may be there since long after that run.
            Err(error) => return Err(Failed::untouched(error, mark.as_ref())),
        }))
    }
    .await;
    session.close().await;
    result
}

/// Waits for the right to keep a copy.
pub(super) async fn permitted<'s>(work: &Work<'_>, server: &'s dyn Server) -> Result<Box<dyn Backup + 's>> {
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

/// What the copy that is there says; `None` where there is none, or one that is no database: such a one can never be put
/// back.
///
/// # Errors
/// Whatever else keeps it from being read: it may be the only state that is whole.
async fn state_of_copy(work: &Work<'_>, backup: &mut dyn Backup) -> Result<Option<LedgerState>> {
    let Some(copy) = backup.copy().await? else { return Ok(None) };
    let mut session = Session::with_server(work.repo, work.ears, VERB, copy).only_looking();
    let seen = session.inspect().await;
    session.close().await;
    match seen {
        Ok(seen) => Ok(Some(seen.state)),
        Err(error) if is_no_database(&error) => Ok(None),
        Err(error) => Err(error.note(format!(
            "the copy of the database of `{}` cannot be read now; the copy is kept",
            work.repo.name
        ))),
    }
}

/// Marks the database and makes the copy. An older copy is removed before, also that of a run that was interrupted when
/// more is pending by now than in that run: a newer release begins with what it finds.
async fn copied(
    work: &Work<'_>,
    backup: &mut dyn Backup,
    before: &Before,
) -> std::result::Result<LedgerState, Failed> {
    let untouched = |error, mark: Option<&String>| Failed::untouched(error, mark);
    backup.discard().await.map_err(|error| untouched(error.into(), before.mark.as_ref()))?;
    let mark = format!("{:016x} {}", RandomState::new().build_hasher().finish(), before.pending.join(","));
    if let Err(error) = marked(work, Some(mark.clone())).await {
        // It may have been written all the same; without a copy it says nothing.
        return Err(untouched(error, None));
    }
    if let Err(error) = backup.make().await {
        // Without its copy the mark says nothing; it is removed for tidiness.
        let _ = marked(work, None).await;
        let error =
            Error::from(error).note(format!("a copy of the database of `{}` is to be kept", work.repo.name));
        return Err(untouched(error, None));
    }
    let error = match state_of_copy(work, backup).await {
        Ok(Some(copy)) => return Ok(copy),
        Ok(None) => Error::new(Kind::Io, "the copy of the database that was just made cannot be read"),
        Err(error) => error,
    };
    // Nothing was applied: the copy is worth nothing, and must not be put back later.
    let left = if finished(work, backup).await { None } else { Some(&mark) };
    Err(untouched(error, left))
}

/// Sets or removes the mark.
async fn marked(work: &Work<'_>, mark: Option<String>) -> Result<()> {
    let mut session = work.session()?;
    let result = async {
        let seen = session.inspect().await?;
        if mark.is_some() {
            // A new name is in the copy, too: it is none of the differences that a migration makes.
            record::take_over(&mut session, &seen).await?;
        }
        let key = lock::main_key(&seen.choice.table);
        lock::acquire(&mut session, &key).await?;
        let key_of_mark = meta_key::BACKUP.to_owned();
        let changes = match mark {
            Some(value) => {
                // What the first migration would record is in the copy, so that only migrations make a difference.
                let mut changes = record::first_changes(work.repo, &seen.choice.table, &seen.state);
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
/// start removes. Returns whether the mark is gone.
async fn finished(work: &Work<'_>, backup: &mut dyn Backup) -> bool {
    let unmarked = marked(work, None).await;
    let is_unmarked = unmarked.is_ok();
    let result = match unmarked {
        Ok(()) => backup.discard().await.map_err(Error::from),
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        tracing::warn!(repo = work.repo.name.as_str(), %error, "the copy of the database is still there");
    }
    is_unmarked
}

/// Puts the copy back where anything was applied, and returns the failure with what became of the database.
async fn put_back(
    work: &Work<'_>,
    backup: &mut dyn Backup,
    copy: &LedgerState,
    error: Error,
) -> Result<Error> {
    if error.kind() == Kind::Locked && error.class().is_none() {
        let error = match work.ears.heard().applied.as_slice() {
            [] => error,
            applied => error.note(format!("this run had applied before: {}", applied.join(", "))),
        };
        return Err(error
            .note("another run is at work: what is there stays, and the copy is kept for the next start"));
    }
    work.ears.phase(Phase::Recovering);
    let kept = "the copy is kept, and put back by the next start that fails";
    match since_copy(work, copy).await {
        Ok(Became::Other) => {}
        Ok(Became::Same) => {
            return if finished(work, backup).await {
                Ok(error.note("the database is as it was before: nothing was applied"))
            } else {
                Err(error.note("nothing was applied; the copy is still there"))
            };
        }
        Ok(Became::Migrated) => {
            finished(work, backup).await;
            return Err(error.note("another run has migrated the database meanwhile: its result stays"));
        }
        Err(other) => {
            return Err(error.note(format!("the database was not put back: {}", other.message())).note(kept));
        }
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

async fn since_copy(work: &Work<'_>, copy: &LedgerState) -> Result<Became> {
    let mut session = work.session()?.only_looking();
    let seen = session.inspect().await;
    session.close().await;
    let now = match seen {
        Ok(seen) => seen.state,
        // A database that cannot be read is not as it was.
        Err(error) if error.class() != Some(DbErrorClass::Unreachable) => return Ok(Became::Other),
        Err(error) => return Err(error),
    };
    Ok(became(&now, copy))
}
