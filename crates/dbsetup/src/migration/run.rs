//! Runs one job: a migration's script together with its row.

use std::time::{Duration, Instant};

use super::assess::script_checksum;
use super::job::{Job, Mode, Unit, without_transaction};
use super::lock;
use super::set::Migration;
use super::version::Version;
use crate::driver::{DbErrorClass, Guard, LedgerState, LockKey, Present, Recovery, ScriptError, Work};
use crate::error::{Error, Kind, Result};
use crate::event::{Direction, What};
use crate::failure::failing_range;
use crate::ledger::{Change, LedgerKind, LedgerTable, Progress, Took, meta_key};
use crate::repo::Lane;
use crate::session::{Inspection, Session};
use crate::sql::{Dialect, SpanKind};

/// How often a lost connection is opened again for one migration.
const RECONNECTS: u32 = 5;
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

/// How far a job without a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reached {
    /// So many units are done and recorded.
    Unit(usize),
    /// Another process has done and recorded all of it.
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
    /// The versions that were recorded when the run began, as the ledger spells them.
    pub recorded: Vec<String>,
}

/// Returns the order of application that follows what a ledger holds.
pub fn next_seq(state: &LedgerState) -> i64 {
    state.rows.iter().filter_map(|row| row.seq).max().unwrap_or(0) + 1
}

/// Whether a ledger has a job's result. Integer columns lose the leading zeros of a version: rows are compared as
/// versions, not as texts.
fn is_recorded_in(state: &LedgerState, job: &Job<'_>) -> bool {
    let version = &job.migration.version;
    let present = state.rows.iter().any(|row| version.is_named_by(&row.version));
    present == (job.direction == Direction::Up)
}

impl Runner<'_, '_> {
    /// Runs a job and records it. On an error everything that could be undone is.
    ///
    /// # Errors
    /// [`Kind::Statement`] with the place in the file; [`Kind::Locked`] when a table lock was not obtained within the
    /// repo's patience; [`Kind::Undecided`] when only a person can tell what became of a statement.
    pub async fn run(&mut self, job: &Job<'_>, progress: Option<&Progress>) -> Result<Outcome> {
        let start = Instant::now();
        let migration = job.migration;
        let version = migration.version.as_str();
        let teller = self.session.teller();
        teller.tell(What::MigrationStarted {
            direction: job.direction,
            lane: migration.lane,
            version: version.to_owned(),
            name: migration.name.clone(),
            path: job.script().path.clone(),
        });
        let outcome = match &job.mode {
            Mode::Message | Mode::Pieces(_) => self.atomic(job).await?,
            Mode::Units(units) => self.units(job, units, progress).await?,
        };
        self.seq += 1;
        self.session.tell_notices();
        teller.tell(match outcome {
            Outcome::Done => What::Migrated {
                direction: job.direction,
                lane: migration.lane,
                version: version.to_owned(),
                name: migration.name.clone(),
                took: start.elapsed(),
            },
            Outcome::ByOther => {
                What::AppliedByOther { version: version.to_owned(), name: migration.name.clone() }
            }
        });
        Ok(outcome)
    }

    /// The version as the ledger spells it: a file may have gained or lost zeros since it was applied.
    fn stored(&self, version: &Version) -> String {
        let spelled = self.recorded.iter().find(|text| version.is_named_by(text));
        spelled.map_or_else(|| version.as_str(), String::as_str).to_owned()
    }

    /// The changes that record a job.
    fn changes(&self, job: &Job<'_>, took: Took) -> Vec<Change> {
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
                let is_short = migration.lane == Lane::Automatic && !matches!(job.mode, Mode::Units(_));
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
    async fn is_recorded(&mut self, job: &Job<'_>) -> Result<bool> {
        let Inspection { state, .. } = self.session.inspect().await?;
        Ok(is_recorded_in(&state, job))
    }

    /// Takes the lock again on a new connection. A server that crashed or was restarted is waited for.
    async fn reconnect(&mut self) -> Result<()> {
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
        if matches!(job.mode, Mode::Pieces(_))
            && let Some(reason) = &self.session.driver().await?.about().capabilities.pooled
        {
            return Err(pooled(job, "holds COPY data", reason));
        }
        self.log(job, &[]);
        loop {
            let failure = match self.atomic_once(job).await {
                Ok(()) => return Ok(Outcome::Done),
                Err(failure) => failure,
            };
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
                    return Err(self.failed(job, 0..job.script().sql().len(), &failure, None));
                }
            }
        }
    }

    fn tell_retry(&self, failure: &ScriptError, attempt: u32) {
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

    /// Runs a job unit by unit, each recorded, going on where an earlier run stopped.
    async fn units(&mut self, job: &Job<'_>, units: &[Unit], progress: Option<&Progress>) -> Result<Outcome> {
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
                Reached::Unit(reached) => done = reached,
                Reached::ByOther => return Ok(Outcome::ByOther),
            }
            self.session.teller().tell(What::StatementDone {
                version: job.migration.version.as_str().to_owned(),
                done,
                total: units.len(),
            });
        }
        Ok(Outcome::Done)
    }

    /// The changes that record a job unit by unit with its last one.
    fn last_changes(&self, job: &Job<'_>, took: Duration) -> Vec<Change> {
        let mut changes = self.changes(job, Took::Measured(took));
        changes.push(Change::ClearProgress { version: job.migration.version.as_str().to_owned() });
        changes
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
        let driver = self.session.driver().await?;
        if let Some(reason) = &driver.about().capabilities.pooled {
            return Err(pooled(job, "runs without a transaction", reason));
        }
        driver.prepare(&ledger, Present { ledger: true, meta: true, progress: true }).await?;
        match progress {
            Some(progress) => self.resume(job, units, progress).await,
            None => {
                self.record(&[Change::SetProgress(progress_of(job, units, 0))]).await?;
                Ok(Some(0))
            }
        }
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
                    if self.recovered(job, unit, index).await? {
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
        if is_recorded_in(&state, job) {
            // Before the last unit it cannot have been us.
            return Ok(Some(if index + 1 == total { Reached::Unit(total) } else { Reached::ByOther }));
        }
        let (version, reverting) = (job.migration.version.as_str(), job.direction == Direction::Down);
        let progress = state.progress.iter().find(|p| p.version == version && p.reverting == reverting);
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

    /// Records changes alone.
    async fn record(&mut self, changes: &[Change]) -> Result<()> {
        let driver = self.session.driver().await?;
        let work = Work { script: "", changes, guard: None, lock: None };
        driver.transact(work).await.map_err(|failure| Error::from(failure.error))
    }

    fn log(&self, job: &Job<'_>, units: &[Unit]) {
        if !self.log_sql {
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

    /// Returns the error of a script: where, why, what was undone, what next. `within` is the unit, with its index and
    /// the number of all, of a script without a transaction.
    fn failed(
        &self,
        job: &Job<'_>,
        range: std::ops::Range<usize>,
        failure: &ScriptError,
        within: Option<(usize, usize)>,
    ) -> Error {
        let script = job.script();
        let text = &script.sql()[range.clone()];
        let repo = self.session.repo();
        let dialect = self.session.server().dialect();
        let mut error = Error::from(failure.error.clone());
        if failure.error.class == DbErrorClass::TransactionClosed {
            error = Error::new(Kind::Statement, "the migration ended the transaction that it ran in")
                .note(format!("`{}`", script.path.display()));
        }
        match failing_range(dialect, text, failure) {
            Some(at) => error = error.at(script.site(range.start + at.start..range.start + at.end)),
            None if crate::sql::mentions_identifier(dialect, text, &self.ledger.name) => {
                error = Error::new(
                    Kind::Ledger,
                    format!("migration {} changes the ledger `{}`, and cannot be recorded in it", job.migration.shown(), self.ledger.shown()),
                )
                .note(sentence_of(failure))
                .help(format!(
                    "keep the ledger of `{}` in a table that no migration touches: ledger = {{ kind = \"{}\", table = \"dbsetup_migrations\" }}",
                    repo.name, self.ledger.kind
                ));
            }
            None => error = error.note(format!("in `{}`", script.path.display())),
        }
        let fix = if failure.error.class == DbErrorClass::InsideTransaction && script.transactional {
            without_transaction(job.migration.grammar, job.direction)
        } else {
            "fix the file"
        };
        let again = match job.direction {
            Direction::Up if job.migration.lane == Lane::Manual => {
                format!("{fix} and run {} again", repo.command("migrate --lane manual"))
            }
            Direction::Up => format!("{fix} and run {} again", repo.command("migrate")),
            Direction::Down => format!("{fix} and run {} again", repo.command("rollback")),
        };
        let undone = match within {
            _ if failure.error.class == DbErrorClass::ConnectionLost => {
                "whether it was committed is not known; the next run finds out".to_owned()
            }
            None if failure.rolled_back => "the whole migration was rolled back".to_owned(),
            None => "what ran before the transaction ended was kept, and is not recorded".to_owned(),
            Some((index, total)) => {
                format!("{index} of {total} statements were run and are recorded; it goes on from there")
            }
        };
        let error = error.note(undone);
        if error.help_text().is_some() { error } else { error.help(again) }
    }
}

fn sentence_of(failure: &ScriptError) -> String {
    failure.error.message.clone()
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

fn pooled(job: &Job<'_>, what: &str, reason: &str) -> Error {
    Error::new(
        Kind::Pooled,
        format!("`{}` {what} and needs a session of its own", job.script().path.display()),
    )
    .note(reason.to_owned())
    .help("name a way past the pooler: direct-url = \"postgres://…\" for this repo")
}
