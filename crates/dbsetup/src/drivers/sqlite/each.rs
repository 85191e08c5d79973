//! Many short scripts into a database that this run created, as one message.
//!
//! Each has a transaction of its own, as if it were sent alone: what a crash leaves, and what a deferred foreign key says,
//! is the same. What is spared are the changes of threads, two a script, which cost more than most scripts do.
//!
//! A commit in the middle of a message has nobody outside who looks before it: the hooks do, on the connection's thread.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection};

use super::catalog::{literal, quoted};
use super::hooks::OURS;
use super::quick::{Alone, SHORT};
use super::session::{Open, Session};
use super::work::Reach;
use crate::driver::{DbError, Work};
use crate::ledger::Change;

/// How long a caller waits to hear of a commit.
const SOON: Duration = Duration::from_millis(20);

/// Returns the version that a script records, if it does nothing but that.
fn recorded_version<'w>(work: &Work<'w>) -> Option<&'w str> {
    let insert = |change: &'w Change| match change {
        Change::Insert(row) => Some(row.version.as_str()),
        _ => None,
    };
    work.changes.iter().find_map(insert).filter(|_| work.guard.is_none() && work.lock.is_none())
}

/// What the caller has heard of.
struct Told<'d> {
    count: usize,
    longest: Duration,
    /// When the last one ended.
    last: Instant,
    done: &'d mut (dyn FnMut(Duration) + Send),
}

impl Told<'_> {
    /// Tells of the next commits.
    fn of(&mut self, commits: &[Instant]) {
        for commit in commits {
            let took = commit.saturating_duration_since(self.last);
            self.longest = self.longest.max(took);
            self.last = *commit;
            self.count += 1;
            (self.done)(took);
        }
    }
}

impl Session {
    /// Runs scripts one after the other, each in a transaction. Returns how many are done.
    pub(super) async fn transacted_each(
        &mut self,
        works: &[Work<'_>],
        done: &mut (dyn FnMut(Duration) + Send),
    ) -> Result<usize, DbError> {
        self.settle().await?;
        let mut text = String::new();
        let mut count = 0;
        for work in works {
            let reach = Reach::of(work.script);
            if !self.takes_company(work, &reach) {
                break;
            }
            let changes = self.recorded(work.changes).await?;
            if count > 0 {
                text.push_str(&format!("{OURS};COMMIT;"));
            }
            text.push_str(&format!("BEGIN IMMEDIATE;{}{}{changes}", work.script, reach.ending()));
            self.refers |= reach.refers;
            count += 1;
        }
        let works = &works[..count];
        if count < 2 {
            return Ok(0);
        }
        if self.alone == Alone::NotYet {
            self.alone = Alone::Soon;
        }
        self.stand_alone().await?;
        let mut told = Told { count: 0, longest: Duration::ZERO, last: Instant::now(), done };
        if self.sent_each(text, &mut told).await? {
            if told.longest > SHORT {
                // The work is done and recorded; a file that cannot be given back fails what comes next.
                let _ = self.stand_with_others().await;
            }
            return Ok(works.len());
        }
        self.undo().await?;
        // What was allowed last may be what failed: a disk can be full.
        if let Some((last, sure)) = self.hooks.allowed(told.count).split_last() {
            told.of(sure);
            if let Some(version) = recorded_version(&works[told.count])
                && self.has(version).await?
            {
                told.of(&[*last]);
            }
        }
        Ok(told.count)
    }

    /// Sends transactions, of which the last one is open at the end of the text, and commits it. Returns whether all of
    /// it was done.
    async fn sent_each(&mut self, text: String, told: &mut Told<'_>) -> Result<bool, DbError> {
        self.ready().await?;
        self.busy = true;
        self.open = Open::Ours { loading: false };
        self.hooks.expect_each();
        let hooks = Arc::clone(&self.hooks);
        let mut sent = pin!(self.connection.begin_with(AssertSqlSafe(text)));
        let result = loop {
            match tokio::time::timeout(SOON, &mut sent).await {
                Ok(result) => break result,
                Err(_) => {
                    // What follows a commit in the message comes after it: all but the last one are made.
                    if let [sure @ .., _] = &hooks.allowed(told.count)[..] {
                        told.of(sure);
                    }
                }
            }
        };
        let is_done = match result {
            // Dropped, it is rolled back.
            Ok(_) if hooks.saw_rollback() => false,
            Ok(transaction) => {
                let before = hooks.allowed(told.count);
                hooks.allow();
                let is_done = transaction.commit().await.is_ok();
                if is_done {
                    told.of(&before);
                    told.of(&[Instant::now()]);
                }
                is_done
            }
            Err(_) => false,
        };
        self.busy = false;
        if is_done {
            self.open = Open::Nothing;
        }
        Ok(is_done)
    }

    /// Whether the ledger has a version.
    async fn has(&mut self, version: &str) -> Result<bool, DbError> {
        let ledger = quoted(&self.ledger_in_use()?.name);
        let rows =
            self.rows(format!("SELECT 1 FROM main.{ledger} WHERE version = {}", literal(version))).await?;
        Ok(!rows.is_empty())
    }

    /// Whether a script takes the quick way, and nobody has to look at anything before its commit.
    fn takes_company(&self, work: &Work<'_>, reach: &Reach) -> bool {
        let refers = self.refers || reach.refers;
        let checked = refers && reach.rows && !self.options.foreign_keys;
        !checked && recorded_version(work).is_some() && self.may_be_quick(*work, reach)
    }
}
