//! Runs one job: a migration's script together with its row.

use std::time::{Duration, Instant};

use super::code::Failure;
use super::job::{Job, Mode, Unit};
use super::trouble::pooled;
use super::version::Version;
use crate::driver::{DbErrorClass, Guard, LedgerState, LockKey, ScriptError, Work};
use crate::error::{Error, Kind, Result};
use crate::event::{Direction, Teller, What};
use crate::ledger::{Change, LedgerTable, Progress, Took, meta_key};
use crate::lock;
use crate::repo::Lane;
use crate::session::{Inspection, Session};
use crate::sql::SpanKind;

/// How often a lost connection is opened again for one migration.
pub(super) const RECONNECTS: u32 = 5;
/// How long a server that went away may take to start again.
const RESTART: Duration = Duration::from_secs(60);
const RESTART_PAUSE: Duration = Duration::from_millis(200);

/// What came of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was run and recorded.
    Done,
    /// Another process had recorded it.
    ByOther,
}

/// What a job runs with.
pub struct Runner<'s, 'a> {
    /// The repo's session.
    pub session: &'s mut Session<'a>,
    /// The ledger.
    pub ledger: LedgerTable,
    /// The locks that are held: one for each lane that has something to run.
    pub locks: Vec<LockKey>,
    /// Whether every statement is told before it runs.
    pub log_sql: bool,
    /// The order of application of the next row.
    pub seq: i64,
    /// Whether the database had objects and no migration was recorded when the run began.
    pub is_older: bool,
    /// The versions that were recorded when the run began, as the ledger spells them.
    pub recorded: Vec<String>,
}

/// Returns the order of application that follows what a ledger holds.
pub fn next_seq(state: &LedgerState) -> i64 {
    state.rows.iter().filter_map(|row| row.seq).max().unwrap_or(0) + 1
}

/// Whether a ledger has a job's result. Integer columns lose the leading zeros of a version: rows are compared as
/// versions, not as texts.
pub(super) fn is_recorded_in(state: &LedgerState, job: &Job<'_>) -> bool {
    let version = &job.migration.version;
    let present = state.rows.iter().any(|row| version.is_named_by(&row.version));
    present == (job.direction == Direction::Up)
}

/// Tells that a job starts.
pub(super) fn tell_start(teller: Teller<'_>, job: &Job<'_>) {
    let migration = job.migration;
    teller.tell(What::MigrationStarted {
        direction: job.direction,
        lane: migration.lane,
        version: migration.version.as_str().to_owned(),
        name: migration.name.clone(),
        path: job.script().path.clone(),
    });
}

/// Tells that a job is done and recorded.
pub(super) fn tell_end(teller: Teller<'_>, job: &Job<'_>, took: Duration) {
    let migration = job.migration;
    teller.tell(What::Migrated {
        direction: job.direction,
        lane: migration.lane,
        version: migration.version.as_str().to_owned(),
        name: migration.name.clone(),
        took,
    });
}

impl Runner<'_, '_> {
    /// Runs a job and records it. On an error everything that could be undone is.
    ///
    /// # Errors
    /// [`Kind::Statement`] with the place in the file; [`Kind::Locked`] when a table lock was not obtained within the
    /// repo's patience; [`Kind::Undecided`] when only a person can tell what became of a statement.
    pub async fn run(&mut self, job: &Job<'_>, progress: Option<&Progress>) -> Result<Outcome> {
        tell_start(self.session.teller(), job);
        self.run_started(job, progress).await
    }

    /// The same for a job whose start was told.
    pub(super) async fn run_started(
        &mut self,
        job: &Job<'_>,
        progress: Option<&Progress>,
    ) -> Result<Outcome> {
        let start = Instant::now();
        let outcome = match &job.mode {
            Mode::Message | Mode::Pieces(_) | Mode::Code => self.atomic(job).await?,
            Mode::Units(units) => self.units(job, units, progress).await?,
        };
        self.seq += 1;
        self.session.tell_notices();
        let (teller, migration) = (self.session.teller(), job.migration);
        match outcome {
            Outcome::Done => tell_end(teller, job, start.elapsed()),
            Outcome::ByOther => teller.tell(What::AppliedByOther {
                version: migration.version.to_string(),
                name: migration.name.clone(),
            }),
        }
        Ok(outcome)
    }

    /// The version as the ledger spells it: a file may have gained or lost zeros since it was applied.
    pub(super) fn stored(&self, version: &Version) -> String {
        let spelled = self.recorded.iter().find(|text| version.is_named_by(text));
        spelled.map_or_else(|| version.as_str(), String::as_str).to_owned()
    }

    /// The changes that record a job.
    pub(super) fn changes(&self, job: &Job<'_>, took: Took) -> Vec<Change> {
        let migration = job.migration;
        let version = match job.direction {
            Direction::Up => migration.version.as_str().to_owned(),
            Direction::Down => self.stored(&migration.version),
        };
        let beside = format!("{}{version}", meta_key::CHECKSUM_PREFIX);
        let setting = &self.session.repo().ledger;
        let keeps = self.ledger.kind.keeps_checksums();
        match job.direction {
            Direction::Up => {
                let mut row = migration.row(self.ledger.kind, self.ledger.wide, setting);
                row.took = took;
                // Lanes run side by side: what takes long asks at its end how far the order has come meanwhile. The
                // many short ones count by themselves, which spares each of them a look at the whole ledger.
                let is_long = matches!(job.mode, Mode::Units(_) | Mode::Code);
                let is_short = migration.lane == Lane::Automatic && !is_long;
                row.seq = is_short.then_some(self.seq);
                let mut changes = vec![Change::Insert(row)];
                if !keeps {
                    let value = migration.checksum(self.ledger.kind, self.ledger.wide, setting);
                    changes.push(Change::SetMeta { key: beside, value });
                }
                changes
            }
            Direction::Down => {
                let mut changes = vec![Change::Delete { version }];
                if !keeps {
                    changes.push(Change::ClearMeta { key: beside });
                }
                changes
            }
        }
    }

    /// What is checked before the script runs. Under the lock the primary key of the ledger is enough on the way up,
    /// and costs nothing; without it somebody else's work is to be seen before ours begins.
    fn guard(&self, job: &Job<'_>, locked: bool) -> Option<Guard> {
        let version = &job.migration.version;
        match job.direction {
            Direction::Up if locked => None,
            Direction::Up => Some(Guard::NotApplied(version.as_str().to_owned())),
            Direction::Down => Some(Guard::Applied(self.stored(version))),
        }
    }

    /// Whether the ledger has the job's result already. Asked after a connection was lost.
    pub(super) async fn is_recorded(&mut self, job: &Job<'_>) -> Result<bool> {
        let Inspection { state, .. } = self.session.inspect().await?;
        Ok(is_recorded_in(&state, job))
    }

    /// Takes the lock again on a new connection. A server that crashed or was restarted is waited for.
    pub(super) async fn reconnect(&mut self) -> Result<()> {
        let (start, mut told) = (Instant::now(), false);
        let patience = RESTART.min(self.session.repo().lock_wait);
        loop {
            self.session.close().await;
            match lock::acquire_all(self.session, &self.locks).await {
                Ok(()) => break,
                Err(error) if error.kind() == Kind::Unreachable && start.elapsed() < patience => {
                    if !std::mem::replace(&mut told, true) {
                        self.session.teller().tell(What::Unreachable {
                            target: self.session.server().target().shown.clone(),
                            waited: start.elapsed(),
                            why: error.message().to_owned(),
                        });
                    }
                    tokio::time::sleep(RESTART_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        let ledger = self.ledger.clone();
        self.session.driver().await?.use_ledger(&ledger);
        Ok(())
    }

    /// Runs a job in one transaction, again and again while only a lock is in its way.
    async fn atomic(&mut self, job: &Job<'_>) -> Result<Outcome> {
        let start = Instant::now();
        let patience = self.session.repo().lock_wait;
        let (mut attempt, mut reconnects) = (1, 0);
        // COPY data take several messages, and the lock of one message would not hold for the others.
        let what = match &job.mode {
            Mode::Pieces(_) => Some("holds COPY data"),
            Mode::Code => Some("is code"),
            Mode::Message | Mode::Units(_) => None,
        };
        let repo = self.session.repo();
        if let Some(what) = what
            && let Some(reason) = &self.session.driver().await?.about().capabilities.pooled
        {
            return Err(pooled(repo, job, what, reason));
        }
        self.log(job, &[]);
        loop {
            let result = match (&job.mode, &job.migration.code) {
                (Mode::Code, Some(code)) => self.code_once(job, code).await,
                _ => self.atomic_once(job).await.map_err(Failure::from),
            };
            let Err(Failure { script: failure, told }) = result else { return Ok(Outcome::Done) };
            match failure.error.class {
                DbErrorClass::LedgerConflict => return Ok(Outcome::ByOther),
                DbErrorClass::ConnectionLost if reconnects < RECONNECTS => {
                    reconnects += 1;
                    self.tell_retry(&failure, reconnects + 1);
                    self.reconnect().await?;
                    // The connection may have died between the commit and its answer.
                    if self.is_recorded(job).await? {
                        return Ok(Outcome::Done);
                    }
                }
                DbErrorClass::LockTimeout | DbErrorClass::Deadlock | DbErrorClass::Serialization
                    if start.elapsed() < patience =>
                {
                    attempt += 1;
                    self.tell_retry(&failure, attempt);
                    tokio::time::sleep(Duration::from_millis(100 * u64::from(attempt.min(20)))).await;
                }
                _ => {
                    // A peer that takes no lock may have applied it meanwhile: then the script failed for that.
                    if failure.rolled_back && matches!(self.is_recorded(job).await, Ok(true)) {
                        return Ok(Outcome::ByOther);
                    }
                    return Err(match &job.migration.code {
                        Some(_) => self.code_failed(job, &failure, told),
                        None => self.failed(job, 0..job.script().sql().len(), &failure, None),
                    });
                }
            }
        }
    }

    pub(super) fn tell_retry(&self, failure: &ScriptError, attempt: u32) {
        self.session.teller().tell(What::Retry { why: failure.error.message.clone(), attempt });
    }

    async fn atomic_once(&mut self, job: &Job<'_>) -> Result<(), ScriptError> {
        let changes = self.changes(job, Took::ThisTransaction);
        // Behind a pooler each transaction takes the lock of its own lane.
        let lock = self.locks.iter().find(|lock| lock.lane == job.migration.lane).cloned();
        let (free, locked) = (self.guard(job, false), self.guard(job, true));
        let script = job.script();
        let driver = self.session.driver().await.map_err(|error| ScriptError::unreachable(&error))?;
        let Mode::Pieces(spans) = &job.mode else {
            let holds = driver.about().capabilities.session_locks;
            let (lock, guard) = if holds { (None, locked) } else { (lock.as_ref(), free) };
            let guard = guard.as_ref();
            return driver.transact(Work { script: script.sql(), changes: &changes, guard, lock }).await;
        };
        driver.begin(false).await.map_err(ScriptError::before)?;
        let result = async {
            for (index, span) in spans.iter().enumerate() {
                let text = &script.sql()[span.range.clone()];
                let shifted = |mut failure: ScriptError| {
                    failure.statement = Some(index);
                    failure.offset = failure.offset.map(|offset| offset + span.range.start);
                    failure
                };
                match &span.kind {
                    SpanKind::Copy { data } => {
                        driver.copy_begin(text).await.map_err(shifted)?;
                        driver.copy_data(&script.sql().as_bytes()[data.clone()]).await.map_err(shifted)?;
                        driver.copy_end().await.map_err(shifted)?;
                    }
                    SpanKind::Statement => driver.execute(text).await.map_err(shifted)?,
                    SpanKind::Meta(_) => {}
                }
            }
            driver.commit(&changes).await
        }
        .await;
        if result.is_err() {
            // The first failure is what counts; a rollback that fails too means that the server has done it.
            let _ = driver.rollback().await;
        }
        result
    }

    /// Records changes alone.
    pub(super) async fn record(&mut self, changes: &[Change]) -> Result<()> {
        let driver = self.session.driver().await?;
        let work = Work { script: "", changes, guard: None, lock: None };
        driver.transact(work).await.map_err(|failure| Error::from(failure.error))
    }

    pub(super) fn log(&self, job: &Job<'_>, units: &[Unit]) {
        // The statements of code are told when it sends them.
        if !self.log_sql || job.mode == Mode::Code {
            return;
        }
        let sql = job.script().sql();
        let tell = |text: &str| self.session.teller().tell(What::Statement { sql: text.trim().to_owned() });
        if matches!(job.mode, Mode::Units(_)) {
            units.iter().for_each(|unit| tell(&sql[unit.range.clone()]));
        } else {
            tell(sql);
        }
    }
}
