//! Runs a job unit by unit: a script without a transaction, each step recorded, going on where an earlier run stopped.

use std::time::{Duration, Instant};

use super::assess::script_checksum;
use super::job::{Job, Mode, Unit};
use super::run::{Outcome, RECONNECTS, Runner, is_recorded_in};
use super::set::Migration;
use super::trouble::pooled;
use crate::driver::{DbErrorClass, Present, Recovery, Work};
use crate::error::{Error, Kind, Result};
use crate::event::{Direction, What};
use crate::ledger::{Change, LedgerKind, Progress, Took};
use crate::lock;
use crate::session::Inspection;
use crate::sql::{self, Dialect};

/// How far a job without a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// So many units are done and recorded.
    Unit(usize),
    /// Another process has done and recorded all of it.
    ByOther,
}

impl Runner<'_, '_> {
    /// Runs a job unit by unit, each recorded, going on where an earlier run stopped. What its statements set for their
    /// session holds to its end, and no further.
    pub(super) async fn units(
        &mut self,
        job: &Job<'_>,
        units: &[Unit],
        progress: Option<&Progress>,
    ) -> Result<Outcome> {
        // A session that has failed is closed, and has nothing to give back.
        let outcome = self.all_units(job, units, progress).await?;
        self.session.driver().await?.keep(None).await?;
        Ok(outcome)
    }

    async fn all_units(
        &mut self,
        job: &Job<'_>,
        units: &[Unit],
        progress: Option<&Progress>,
    ) -> Result<Outcome> {
        let start = Instant::now();
        let (mut progress, mut reconnects) = (progress.cloned(), 0);
        let mut done = loop {
            match self.begin_units(job, units, progress.as_ref()).await {
                Ok(Some(done)) => break done,
                Ok(None) => return Ok(Outcome::Done),
                Err(error) if error.kind() == Kind::Unreachable && reconnects < RECONNECTS => {
                    reconnects += 1;
                    let (why, attempt) = (error.message().to_owned(), reconnects + 1);
                    self.session.teller().tell(What::Retry { why, attempt });
                    self.reconnect().await?;
                    if self.is_recorded(job).await? {
                        self.forget(job).await?;
                        return Ok(Outcome::Done);
                    }
                    progress = self.progress(job).await?;
                }
                Err(error) => return Err(error),
            }
        };
        self.log(job, &units[done..]);
        if done == units.len() {
            // A file without statements, or one whose last statement a person said to skip: only its record is missing.
            let changes = self.last_changes(job, start.elapsed());
            self.record(&changes).await?;
            return Ok(Outcome::Done);
        }
        while done < units.len() {
            let changes = if done + 1 == units.len() {
                self.last_changes(job, start.elapsed())
            } else {
                vec![Change::SetProgress(progress_of(job, units, done + 1))]
            };
            match self.unit(job, units, done, &changes).await? {
                Reached::Unit(reached) => {
                    if units[done..reached].iter().any(|unit| self.sets_session(job, unit)) {
                        self.keep(job, &units[..reached]).await?;
                    }
                    done = reached;
                }
                Reached::ByOther => {
                    self.forget(job).await?;
                    return Ok(Outcome::ByOther);
                }
            }
            self.session.teller().tell(What::StatementDone {
                version: job.migration.version.as_str().to_owned(),
                done,
                total: units.len(),
            });
        }
        Ok(Outcome::Done)
    }

    /// Records the intent, or finds where an earlier run stopped. Returns how many units are done; nothing where the
    /// job is recorded by now.
    async fn begin_units(
        &mut self,
        job: &Job<'_>,
        units: &[Unit],
        progress: Option<&Progress>,
    ) -> Result<Option<usize>> {
        let ledger = self.ledger.clone();
        let repo = self.session.repo();
        let driver = self.session.driver().await?;
        if let Some(reason) = &driver.about().capabilities.pooled {
            return Err(pooled(repo, job, "runs without a transaction", reason));
        }
        driver.prepare(&ledger, Present { ledger: true, meta: true, progress: true }).await?;
        match progress {
            Some(progress) => {
                let done = self.resume(job, units, progress).await?;
                self.set_again(job, &units[..done.unwrap_or_default()]).await?;
                Ok(done)
            }
            None => {
                self.record(&[Change::SetProgress(progress_of(job, units, 0))]).await?;
                self.keep(job, &[]).await?;
                Ok(Some(0))
            }
        }
    }

    /// Sets in a new session what the units that are done had set in theirs.
    async fn set_again(&mut self, job: &Job<'_>, done: &[Unit]) -> Result<()> {
        for unit in done {
            if !self.sets_session(job, unit) {
                continue;
            }
            let text = &job.script().sql()[unit.range.clone()];
            let result = self.session.driver().await?.run_alone(text, &[]).await;
            result.map_err(|failure| Error::from(failure.error).at(job.script().site(unit.range.clone())))?;
        }
        self.keep(job, done).await
    }

    /// Has what the units that are done have set hold for those that follow, blocks among them.
    async fn keep(&mut self, job: &Job<'_>, done: &[Unit]) -> Result<()> {
        let text = |unit: &Unit| job.script().sql()[unit.range.clone()].to_owned();
        let settings: Vec<String> =
            done.iter().filter(|unit| self.sets_session(job, unit)).map(text).collect();
        Ok(self.session.driver().await?.keep(Some(&settings)).await?)
    }

    fn sets_session(&self, job: &Job<'_>, unit: &Unit) -> bool {
        let dialect = self.session.server().dialect();
        !unit.block && sql::sets_session(dialect, &job.script().sql()[unit.range.clone()])
    }

    /// Forgets how far a job came that is recorded by now: a peer that recorded it knows nothing of our progress.
    async fn forget(&mut self, job: &Job<'_>) -> Result<()> {
        self.record(&[Change::ClearProgress { version: job.migration.version.as_str().to_owned() }]).await
    }

    /// What is recorded of a job that was interrupted.
    async fn progress(&mut self, job: &Job<'_>) -> Result<Option<Progress>> {
        let Inspection { state, .. } = self.session.inspect().await?;
        let (version, reverting) = (job.migration.version.as_str(), job.direction == Direction::Down);
        Ok(state.progress.into_iter().find(|p| p.version == version && p.reverting == reverting))
    }

    /// Runs one unit with its record.
    async fn unit(
        &mut self,
        job: &Job<'_>,
        units: &[Unit],
        index: usize,
        changes: &[Change],
    ) -> Result<Reached> {
        let unit = &units[index];
        let text = &job.script().sql()[unit.range.clone()];
        let (mut attempt, start) = (1, Instant::now());
        let patience = self.session.repo().lock_wait;
        loop {
            let driver = self.session.driver().await?;
            let result = if unit.block {
                driver.transact(Work { script: text, changes, guard: None, lock: None }).await
            } else {
                driver.run_alone(text, changes).await
            };
            let Err(failure) = result else { return Ok(Reached::Unit(index + 1)) };
            match failure.error.class {
                DbErrorClass::LedgerConflict => return Ok(Reached::ByOther),
                DbErrorClass::ConnectionLost if attempt <= RECONNECTS => {
                    attempt += 1;
                    self.tell_retry(&failure, attempt);
                    self.reconnect().await?;
                    if let Some(reached) = self.reached(job, index, units.len()).await? {
                        return Ok(reached);
                    }
                    let recovered = self.recovered(job, unit, index).await?;
                    self.set_again(job, &units[..index]).await?;
                    if recovered {
                        self.record(changes).await?;
                        return Ok(Reached::Unit(index + 1));
                    }
                }
                DbErrorClass::Deadlock | DbErrorClass::LockTimeout | DbErrorClass::Serialization
                    if start.elapsed() < patience =>
                {
                    attempt += 1;
                    self.tell_retry(&failure, attempt);
                    // Whoever waits for our lock may be what the statement waits for: let it pass.
                    lock::release_all(self.session, &self.locks).await?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    lock::acquire_all(self.session, &self.locks).await?;
                    if let Some(reached) = self.reached(job, index, units.len()).await? {
                        return Ok(reached);
                    }
                }
                _ => {
                    if failure.rolled_back {
                        // What failed in order is known not to have run: nobody is asked about it.
                        let progress = Progress { retry: true, ..progress_of(job, units, index) };
                        let change = match index {
                            0 => Change::ClearProgress { version: progress.version },
                            _ => Change::SetProgress(progress),
                        };
                        self.record(&[change]).await?;
                    }
                    return Err(self.failed(job, unit.range.clone(), &failure, Some((index, units.len()))));
                }
            }
        }
    }

    /// How far the job is recorded beyond a unit: asked whenever the lock was out of our hands for a while, because
    /// whoever had it may have gone on with the same migration, or ended it.
    async fn reached(&mut self, job: &Job<'_>, index: usize, total: usize) -> Result<Option<Reached>> {
        let Inspection { state, .. } = self.session.inspect().await?;
        let (version, reverting) = (job.migration.version.as_str(), job.direction == Direction::Down);
        let progress = state.progress.iter().find(|p| p.version == version && p.reverting == reverting);
        if is_recorded_in(&state, job) {
            // Our own record takes the progress along, and ends the last unit: anything else was somebody else's.
            let is_ours = progress.is_none() && index + 1 == total;
            return Ok(Some(if is_ours { Reached::Unit(total) } else { Reached::ByOther }));
        }
        Ok(progress.filter(|progress| progress.done > index).map(|progress| Reached::Unit(progress.done)))
    }

    /// Finds where an earlier run stopped, and what became of the statement that was in flight. Nothing is left to do
    /// when that was the last one.
    async fn resume(&mut self, job: &Job<'_>, units: &[Unit], progress: &Progress) -> Result<Option<usize>> {
        let version = job.migration.version.as_str();
        let done = progress.done.min(units.len());
        if progress_of(job, units, done).checksum != progress.checksum || progress.done > units.len() {
            return Err(Error::new(
                Kind::Undecided,
                format!("migration {version} was edited after {} of its statements ran", progress.done),
            )
            .note(format!("`{}`", job.script().path.display()))
            .help(format!(
                "put the old text of these statements back and run it again, or {}",
                self.session.repo().command(&format!("resolve {version} --applied"))
            )));
        }
        if done < units.len() && !progress.retry && self.recovered(job, &units[done], done).await? {
            if done + 1 == units.len() {
                let mut changes = self.changes(job, Took::Nothing);
                changes.push(Change::ClearProgress { version: version.to_owned() });
                self.record(&changes).await?;
                return Ok(None);
            }
            self.record(&[Change::SetProgress(progress_of(job, units, done + 1))]).await?;
            return Ok(Some(done + 1));
        }
        if progress.retry {
            // The decision is about the try that is over: what becomes of the next one is to be proved again.
            self.record(&[Change::SetProgress(progress_of(job, units, done))]).await?;
        }
        Ok(Some(done))
    }

    /// Finds out whether a unit that was in flight had its effect.
    async fn recovered(&mut self, job: &Job<'_>, unit: &Unit, index: usize) -> Result<bool> {
        if unit.block {
            return Ok(false);
        }
        let text = &job.script().sql()[unit.range.clone()];
        match self.session.driver().await?.recover(text).await? {
            Recovery::Done => Ok(true),
            Recovery::RunAgain(note) => {
                if let Some(note) = note {
                    self.session.teller().warn(note, None);
                }
                Ok(false)
            }
            Recovery::Unknown => {
                let version = job.migration.version.as_str();
                Err(Error::new(
                    Kind::Undecided,
                    format!(
                        "migration {version} was interrupted, and nothing proves whether this statement ran"
                    ),
                )
                .at(job.script().site(unit.range.clone()))
                .help(format!(
                    "look at the database, then {} to run it, or {} when it has run",
                    self.session.repo().command(&format!("resolve {version} --retry")),
                    self.session.repo().command(&format!("resolve {version} --skip-statement {}", index + 1))
                )))
            }
        }
    }

    /// The changes that record a job unit by unit with its last one.
    fn last_changes(&self, job: &Job<'_>, took: Duration) -> Vec<Change> {
        let mut changes = self.changes(job, Took::Measured(took));
        changes.push(Change::ClearProgress { version: job.migration.version.as_str().to_owned() });
        changes
    }
}

/// Progress after `done` units. Its checksum is over these units alone, so that the rest of the file can be mended.
fn progress_of(job: &Job<'_>, units: &[Unit], done: usize) -> Progress {
    let sql = job.script().sql();
    let ran: Vec<&str> = units[..done].iter().map(|unit| &sql[unit.range.clone()]).collect();
    Progress {
        version: job.migration.version.as_str().to_owned(),
        reverting: job.direction == Direction::Down,
        done,
        total: units.len(),
        checksum: script_checksum(&ran.join(";\n")),
        retry: false,
    }
}

/// Returns the progress after `done` units of the side that was interrupted.
///
/// # Errors
/// When its file does not parse any more.
pub(super) fn progress_after(
    migration: &Migration,
    dialect: Dialect,
    progress: &Progress,
    done: usize,
) -> Result<Progress> {
    let direction = if progress.reverting { Direction::Down } else { Direction::Up };
    let job = Job::new(migration, direction, dialect, LedgerKind::Sqlx)?;
    match &job.mode {
        Mode::Units(units) if done <= units.len() => Ok(progress_of(&job, units, done)),
        _ => Err(Error::new(Kind::Undecided, format!("`{}` was edited since", job.script().path.display()))),
    }
}
