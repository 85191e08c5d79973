//! Taking the lock: by polling, bounded, telling who holds it.
//!
//! A blocking lock call keeps a snapshot while it waits, and a `CREATE INDEX CONCURRENTLY` of the holder waits for
//! that snapshot: a deadlock. Between two polls we hold nothing.

use std::time::{Duration, Instant};

use crate::driver::{DbErrorClass, LockKey};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::ledger::LedgerTable;
use crate::repo::{Lane, Repo};
use crate::session::Session;

pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Takes a lock, waiting for it as long as the repo allows. Behind a pooler there is none: each transaction takes its
/// own, and this returns at once.
///
/// # Errors
/// [`Kind::Locked`] when it was not obtained in time, naming the holder.
pub async fn acquire(session: &mut Session<'_>, key: &LockKey) -> Result<()> {
    let (limit, teller) = (session.repo().lock_wait, session.teller());
    let start = Instant::now();
    let mut pause = FIRST_PAUSE;
    let mut told = None;
    loop {
        let driver = session.driver().await?;
        if !driver.about().capabilities.session_locks || driver.try_lock(key).await? {
            return Ok(());
        }
        let waited = start.elapsed();
        if told.is_none_or(|at: Instant| at.elapsed() >= TELL_EVERY) || waited >= limit {
            let holder = driver.lock_holder(key).await?;
            if waited >= limit {
                return Err(refused(session.repo(), waited, holder));
            }
            teller.tell(What::LockWaiting { holder, waited });
            told = Some(Instant::now());
        }
        tokio::time::sleep(jittered(pause).min(limit.saturating_sub(waited)).max(Duration::from_millis(1)))
            .await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Gives a lock back.
///
/// # Errors
/// When the session did not hold it any more: then the work may not have been alone.
pub async fn release(session: &mut Session<'_>, key: &LockKey) -> Result<()> {
    release_all(session, std::slice::from_ref(key)).await
}

/// Takes several locks in the given order, which is the same for everybody.
///
/// # Errors
/// Those of [`acquire`].
pub async fn acquire_all(session: &mut Session<'_>, keys: &[LockKey]) -> Result<()> {
    for key in keys {
        acquire(session, key).await?;
    }
    Ok(())
}

/// Gives several locks back.
///
/// # Errors
/// Those of [`release`].
pub async fn release_all(session: &mut Session<'_>, keys: &[LockKey]) -> Result<()> {
    for key in keys.iter().rev() {
        let driver = session.driver().await?;
        if !driver.about().capabilities.session_locks {
            continue;
        }
        match driver.unlock(key).await {
            // The server gave back every lock together with the connection, and had answered all that was sent before.
            Err(error) if error.class == DbErrorClass::ConnectionLost => {
                session.close().await;
                return Ok(());
            }
            result => result?,
        }
    }
    Ok(())
}

/// Returns the key of a ledger's main lock.
pub fn main_key(ledger: &LedgerTable) -> LockKey {
    LockKey { ledger: ledger.clone(), lane: Lane::Automatic }
}

fn refused(repo: &Repo, waited: Duration, holder: Option<String>) -> Error {
    let error = Error::new(
        Kind::Locked,
        format!("the lock of `{}` was not obtained within {:.1} s", repo.name, waited.as_secs_f64()),
    )
    .help(longer(repo));
    match holder {
        Some(holder) => error.note(format!("held by {holder}")),
        None => error.note("nobody is seen to hold it now"),
    }
}

/// Returns what to do about a lock that was not obtained.
pub(crate) fn longer(repo: &Repo) -> &'static str {
    if repo.program.from_application {
        "wait for the other run, or give it longer: `.lock_wait(..)`"
    } else {
        "wait for the other run, or give it longer: `DBSETUP_LOCK_WAIT=10m`"
    }
}

/// Spreads pauses between half and one and a half, so that many waiting nodes do not ask at the same moment.
pub(crate) fn jittered(pause: Duration) -> Duration {
    let nanos = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.subsec_nanos());
    let spread = nanos.wrapping_mul(2_654_435_761).wrapping_add(std::process::id()) % 1000;
    pause / 2 + pause * spread / 1000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::repo;
    use crate::repo::Program;

    #[test]
    fn who_waits_is_told_a_setting_that_is_read() {
        let mut repo = repo();
        let help = |repo: &Repo| refused(repo, Duration::ZERO, None).help_text().map(str::to_owned).unwrap();
        assert!(help(&repo).ends_with("`DBSETUP_LOCK_WAIT=10m`"));
        repo.program = Program::unknown();
        assert!(help(&repo).ends_with("`.lock_wait(..)`"));
    }

    #[test]
    fn pauses_stay_within_half_and_one_and_a_half() {
        for _ in 0..1000 {
            let pause = jittered(Duration::from_millis(100));
            assert!((50..=150).contains(&pause.as_millis()), "{pause:?}");
        }
    }
}
