//! The quick way of a small script into a database that this run created.
//!
//! A message costs two changes of threads, and each statement of it another one for its answer. Here the transaction with
//! everything in it is one call of SQLite with one answer, and its commit another. Such a call does not tell which
//! statement failed: what fails is rolled back, and done once more the slow way, which tells. That is no loss where a
//! database is new and nothing in it takes long.
//!
//! While short scripts follow each other the file is locked for us alone, which spares each transaction to lock it and
//! to look for somebody else's journal. Nobody is kept waiting for that longer than [`ALONE`] and the script that runs then.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection};

use super::error;
use super::session::{Open, Session};
use super::work::{Reach, guard_query};
use crate::driver::{DbError, DbErrorClass, ScriptError, Work};
use crate::ledger::Change;

/// How long the file is kept from other processes. Whoever waits for SQLite's lock waits longer.
const ALONE: Duration = Duration::from_millis(500);
/// What takes longer gains nothing by it.
pub(super) const SHORT: Duration = Duration::from_millis(5);

/// Whether this session keeps the file for itself between transactions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Alone {
    /// It has run no script since it was opened, or since the lock was given back.
    #[default]
    NotYet,
    /// It has run one: another one is likely.
    Soon,
    /// It does.
    Since(Instant),
    /// It did for long enough: what is still to be done takes its time.
    NoMore,
}

impl Session {
    /// Whether a script may take the quick way.
    pub(super) fn may_be_quick(&self, work: Work<'_>, reach: &Reach) -> bool {
        let is_progress =
            |change: &Change| matches!(change, Change::SetProgress(_) | Change::ClearProgress { .. });
        let is_plain = reach.is_closed && !reach.session && !reach.foreign_keys_off;
        self.fresh
            && is_plain
            && self.options.statement_timeout.is_none()
            && !work.changes.iter().any(is_progress)
    }

    /// Runs a script and records its changes; `None` where that has to be done the slow way, for whatever reason.
    pub(super) async fn quickly(&mut self, work: Work<'_>, reach: &Reach) -> Option<Result<(), ScriptError>> {
        if !self.may_be_quick(work, reach) {
            return None;
        }
        let changes = self.recorded(work.changes).await.ok()?;
        let guard = match work.guard {
            Some(guard) => guard_query(self.ledger.as_ref()?, guard),
            None => String::new(),
        };
        self.stand_alone().await.ok()?;
        let text = format!("BEGIN IMMEDIATE;{guard}{}{}{changes}", work.script, reach.ending());
        let start = Instant::now();
        match self.sent_whole(text).await {
            Ok(true) => {
                if start.elapsed() > SHORT {
                    // The work is done and recorded; a file that cannot be given back fails what comes next.
                    let _ = self.stand_with_others().await;
                }
                Some(Ok(()))
            }
            Ok(false) => {
                self.undo().await.ok()?;
                None
            }
            // Waiting once more would take as long once more.
            Err(error) if error.class == DbErrorClass::LockTimeout => {
                Some(Err(self.failed("", None, error).await))
            }
            Err(_) => {
                self.undo().await.ok()?;
                None
            }
        }
    }

    /// Sends a transaction as one call and commits it. Returns whether it was ours all the way.
    async fn sent_whole(&mut self, text: String) -> Result<bool, DbError> {
        self.ready().await?;
        self.busy = true;
        self.open = Open::Ours { loading: false };
        self.hooks.guard();
        let result = match self.connection.begin_with(AssertSqlSafe(text)).await {
            // Dropped, it is rolled back.
            Ok(_) if self.hooks.saw_rollback() => Ok(false),
            Ok(transaction) => {
                self.hooks.allow();
                transaction.commit().await.map(|()| true)
            }
            Err(error) => Err(error),
        };
        self.busy = false;
        if let Ok(true) = result {
            self.open = Open::Nothing;
        }
        result.map_err(|error| error::database(&error))
    }

    /// Takes the file for this session alone, or gives it back, as it is time for.
    pub(super) async fn stand_alone(&mut self) -> Result<(), DbError> {
        match self.alone {
            Alone::NotYet => self.alone = Alone::Soon,
            Alone::Soon => {
                self.send("PRAGMA locking_mode=EXCLUSIVE").await?;
                self.alone = Alone::Since(Instant::now());
            }
            Alone::Since(start) if start.elapsed() > ALONE => {
                self.stand_with_others().await?;
                self.alone = Alone::NoMore;
            }
            Alone::Since(_) | Alone::NoMore => {}
        }
        Ok(())
    }

    /// Lets others at the file again.
    pub(super) async fn stand_with_others(&mut self) -> Result<(), DbError> {
        if let Alone::Since(_) = std::mem::take(&mut self.alone) {
            // The mode changes at the end of the next transaction.
            self.send(
                "PRAGMA locking_mode=NORMAL;SELECT count(*) FROM (SELECT 1 FROM main.sqlite_schema LIMIT 1)",
            )
            .await?;
        }
        Ok(())
    }
}
