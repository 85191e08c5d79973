//! `rollback` and `redo`: undoes migrations, newest application first.

use std::path::PathBuf;

use super::assess::assess;
use super::floor;
use super::job::Job;
use super::plan::{self, Lanes, Plan, Scope, Target};
use super::run::{Outcome, Runner, next_seq};
use super::set::FileSet;
use super::up::Planned;
use super::version::Version;
use crate::driver::LockKey;
use crate::error::{Error, Kind, Result};
use crate::event::{Direction, What};
use crate::ledger::{LedgerTable, Progress};
use crate::lock;
use crate::record;
use crate::repo::{Lane, Repo, VersionOrder};
use crate::session::{Inspection, Session};

/// What `rollback` and `redo` are asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollbackRequest {
    /// Which lanes.
    pub lanes: Lanes,
    /// Directories instead of lanes.
    pub paths: Vec<PathBuf>,
    /// How far.
    pub target: Target,
    /// Apply what was undone again, in the reverse order.
    pub redo: bool,
    /// Tell every statement before it runs.
    pub log_sql: bool,
    /// Only plan.
    pub dry_run: bool,
    /// The only versions that may be undone, where somebody has agreed to these: any other is refused before anything
    /// runs.
    pub expected: Option<Vec<String>>,
}

/// What was planned and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RollbackReport {
    /// Migrations in order: down, then up again for `redo`.
    pub planned: Vec<Planned>,
    /// How many steps were run.
    pub done: usize,
}

/// Undoes migrations, and applies them again for `redo`.
///
/// # Errors
/// Those of the files, of planning (before anything runs) and of running; whatever fails, no lock is left.
pub async fn rollback(session: &mut Session<'_>, request: &RollbackRequest) -> Result<RollbackReport> {
    let result = rollback_and_unlock(session, request).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn rollback_and_unlock(session: &mut Session<'_>, request: &RollbackRequest) -> Result<RollbackReport> {
    session.writes_data(false).await;
    let files = FileSet::read(session.repo(), &request.paths)?;
    let scope = Scope {
        lanes: request.lanes,
        directories: files.given.clone(),
        target: request.target.clone(),
        order: VersionOrder::Any,
    };
    let inspection = session.inspect().await?;
    record::refuse_other_environment(session.repo(), &inspection.state)?;
    record::check_before_writing(session, &inspection)?;
    let plan = planned(session, &files, &inspection, &scope)?;
    if let Some(expected) = &request.expected {
        refuse_other(session.repo(), &plan, |version| {
            expected.iter().any(|known| known == version.as_str())
        })?;
    }
    let ledger = inspection.choice.table.clone();
    let jobs = jobs(session, &files, &plan, &ledger, request.redo)?;
    let mut report = RollbackReport {
        planned: jobs.iter().map(|job| Planned::of(job.migration, job.direction)).collect(),
        done: 0,
    };
    tell_of_floor(session, &files, &plan, request.redo);
    if request.dry_run {
        return Ok(report);
    }
    if jobs.is_empty() {
        session.teller().tell(What::NothingToMigrate { direction: Direction::Down, applied: plan.applied });
        return Ok(report);
    }
    record::take_over(session, &inspection).await?;
    let locks: Vec<LockKey> = [Lane::Automatic, Lane::Manual]
        .into_iter()
        .filter(|lane| jobs.iter().any(|job| job.migration.lane == *lane))
        .map(|lane| LockKey { ledger: ledger.clone(), lane })
        .collect();
    lock::acquire_all(session, &locks).await?;
    // Made again under the lock: another process may have applied or undone something in between.
    let expected = plan;
    let inspection = session.inspect().await?;
    let plan = planned(session, &files, &inspection, &scope)?;
    refuse_other(session.repo(), &plan, |version| expected.versions.contains(version))?;
    report.planned.retain(|planned| plan.versions.iter().any(|version| version.as_str() == planned.version));
    let jobs = self::jobs(session, &files, &plan, &ledger, request.redo)?;
    let down = jobs.iter().filter(|job| job.direction == Direction::Down).count();
    session.teller().tell(What::MigrationsPlanned { direction: Direction::Down, count: down });
    {
        let mut runner = Runner {
            session,
            ledger,
            locks: locks.clone(),
            log_sql: request.log_sql,
            seq: next_seq(&inspection.state),
            is_older: false,
            recorded: inspection.state.rows.iter().map(|row| row.version.clone()).collect(),
        };
        for job in &jobs {
            // What `redo` applies again was applied: nothing of its up side can be half done.
            let progress = progress_of(&inspection, job).filter(|_| job.direction == Direction::Down);
            report.done += usize::from(runner.run(job, progress).await? == Outcome::Done);
        }
    }
    lock::release_all(session, &locks).await?;
    Ok(report)
}

/// A database that goes below the squash floor gets what it loses back from the archive.
fn tell_of_floor(session: &Session<'_>, files: &FileSet, plan: &Plan, redo: bool) {
    if plan.squashed.is_empty() || redo {
        return;
    }
    let repo = session.repo();
    session.teller().warn(
        format!(
            "`{}` goes below the squash floor: the next migrate runs {} again, from the archive",
            repo.name,
            floor::named(files, &plan.squashed)
        ),
        None,
    );
}

/// What nobody was shown is not undone: a migration that another process applied meanwhile is the newest now.
fn refuse_other(repo: &Repo, now: &Plan, is_expected: impl Fn(&Version) -> bool) -> Result<()> {
    let Some(other) = now.versions.iter().find(|version| !is_expected(version)) else {
        return Ok(());
    };
    Err(Error::new(
        Kind::Locked,
        format!("migration {other} was applied by another process meanwhile, and would be undone too"),
    )
    .note("nothing was undone")
    .help(format!("look at {}, then roll back again", repo.command("status"))))
}

fn progress_of<'i>(inspection: &'i Inspection, job: &Job<'_>) -> Option<&'i Progress> {
    let reverting = job.direction == Direction::Down;
    inspection.state.progress.iter().find(|progress| {
        progress.version == job.migration.version.as_str() && progress.reverting == reverting
    })
}

fn planned(session: &Session<'_>, files: &FileSet, inspection: &Inspection, scope: &Scope) -> Result<Plan> {
    let repo = session.repo();
    let found = assess(files, &inspection.choice.table, &repo.ledger, &inspection.state);
    plan::down(repo, files, &found, scope)
}

/// The down side of every planned migration, and for `redo` their up sides in the reverse order.
fn jobs<'f>(
    session: &Session<'_>,
    files: &'f FileSet,
    plan: &Plan,
    ledger: &LedgerTable,
    redo: bool,
) -> Result<Vec<Job<'f>>> {
    let dialect = session.server().dialect();
    let migrations: Vec<_> = plan.versions.iter().filter_map(|version| files.known(version)).collect();
    let mut jobs = Vec::new();
    for migration in &migrations {
        jobs.push(Job::new(migration, Direction::Down, dialect, ledger.kind)?);
    }
    if redo {
        for migration in migrations.iter().rev() {
            jobs.push(Job::new(migration, Direction::Up, dialect, ledger.kind)?);
        }
    }
    Ok(jobs)
}
