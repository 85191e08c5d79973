//! `migrate`: brings a database up to its files.

use std::collections::HashSet;
use std::path::PathBuf;

use super::assess::assess;
use super::code;
use super::current::ahead;
use super::floor;
use super::job::Job;
use super::plan::{self, Lanes, Plan, Scope, Target};
use super::rewrite::{pending_rewrite, rewrite_ledger, rewrite_locked};
use super::run::{Runner, next_seq};
use super::set::{FileSet, Migration};
use super::version::Version;
use crate::driver::{LockKey, Present, Work};
use crate::error::{Error, Result};
use crate::event::{Direction, What};
use crate::ledger::{Change, LedgerTable, meta_key};
use crate::lock;
use crate::record;
use crate::repo::{Lane, Repo, VersionOrder};
use crate::session::{Inspection, Session};
use crate::sql::Dialect;
use crate::structure;
use crate::structure::squash::warn_of_interruption;
use crate::template;

/// What `migrate` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrateRequest {
    /// Which lanes.
    pub lanes: Lanes,
    /// Directories instead of lanes.
    pub paths: Vec<PathBuf>,
    /// How far.
    pub target: Target,
    /// Strict version order, whatever is configured.
    pub strict_order: bool,
    /// Tell every statement before it runs.
    pub log_sql: bool,
    /// Do not load the structure into an empty database.
    pub no_load: bool,
    /// Only plan.
    pub dry_run: bool,
}

/// A migration that a plan names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// Its version.
    pub version: String,
    /// What it is called.
    pub name: String,
    /// Its lane.
    pub lane: Lane,
    /// Up or down.
    pub direction: Direction,
    /// The file.
    pub path: PathBuf,
    /// What will be sent; nothing of code.
    pub sql: String,
    /// Whether it is code of the application: then `path` is its name.
    pub is_code: bool,
    /// Whether it runs in one transaction.
    pub transactional: bool,
}

impl Planned {
    pub(super) fn of(migration: &Migration, direction: Direction) -> Self {
        let script = match direction {
            Direction::Down => migration.down.as_ref().unwrap_or(&migration.up),
            Direction::Up => &migration.up,
        };
        Self {
            version: migration.version.to_string(),
            name: migration.name.clone(),
            lane: migration.lane,
            direction,
            path: script.path.clone(),
            sql: script.sql().to_owned(),
            transactional: script.transactional,
            is_code: migration.code.is_some(),
        }
    }
}

/// What was planned and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MigrateReport {
    /// The structure file that is loaded first.
    pub load: Option<PathBuf>,
    /// Migrations in order.
    pub planned: Vec<Planned>,
    /// Versions that wait for others.
    pub blocked: Vec<(String, String)>,
    /// Rows of squashed migrations that become the one of the baseline: how many, and its version.
    pub rewrite: Option<(usize, String)>,
    /// Applied versions that no file here knows and that are newer than all that are known: the database is ahead.
    pub ahead: Vec<String>,
    /// How many this run applied or undid.
    pub done: usize,
}

/// Applies what is pending.
///
/// # Errors
/// Those of the files, of planning and of running; whatever fails, no lock is left.
pub async fn migrate(session: &mut Session<'_>, request: &MigrateRequest) -> Result<MigrateReport> {
    let ahead = template::files_ahead(session, request).await;
    match ahead.unwrap_or_else(|| FileSet::read_lanes(session.repo(), &request.paths)) {
        Ok(files) => {
            // A copy has everything that its recipe runs; what there is to say of the files is said all the same.
            if let Some(applied) = template::is_through(session, request) {
                tell_of_files(session, &files);
                session.teller().tell(What::NothingToMigrate { direction: Direction::Up, applied });
                return Ok(MigrateReport::default());
            }
            let report = migrate_files(session, files, request).await?;
            template::note_migrated(session, request, &report);
            Ok(report)
        }
        Err(error) => {
            session.close().await;
            Err(error)
        }
    }
}

/// Applies what is pending of `files`, which need not be those of the repo's directories.
///
/// # Errors
/// Those of planning and of running; whatever fails, no lock is left.
pub async fn migrate_files(
    session: &mut Session<'_>,
    files: FileSet,
    request: &MigrateRequest,
) -> Result<MigrateReport> {
    let result = migrate_and_unlock(session, files, request).await;
    if result.is_err() {
        // Closing gives back every lock, also where the failure left the connection in an unknown state.
        session.close().await;
    }
    result
}

async fn migrate_and_unlock(
    session: &mut Session<'_>,
    mut files: FileSet,
    request: &MigrateRequest,
) -> Result<MigrateReport> {
    session.writes_data(false).await;
    let repo = session.repo();
    let teller = session.teller();
    tell_of_files(session, &files);
    let scope = scope(session, &files, request);
    let inspection = if request.dry_run {
        match session.inspect_if_exists().await? {
            Some(inspection) => inspection,
            None => return plan_for_nothing(session, &mut files, &scope, request),
        }
    } else {
        session.inspect().await?
    };
    record::check_before_writing(session, &inspection)?;
    if !request.dry_run {
        record::take_over(session, &inspection).await?;
    }
    let mut report = MigrateReport::default();
    let mut inspection = inspection;
    if !request.no_load && structure::may_load(session, &inspection).await? {
        report.load = Some(repo.shown(&repo.structure));
        if request.dry_run {
            inspection.state.rows.extend(structure::as_rows(&structure::recorded_by(repo)?));
        } else {
            structure::load_into_empty(session, &inspection.choice.table).await?;
            inspection = session.inspect().await?;
        }
    }
    let dialect = session.server().dialect();
    files.complete(repo, &inspection.choice.table, &inspection.state)?;
    let plan = planned(session, &files, &inspection, &scope)?;
    // Of directories that are not the repo's nothing follows about what else there is.
    if request.paths.is_empty() {
        report.ahead = ahead(repo, &files, &inspection.choice, &inspection.state);
    }
    let jobs = jobs(&files, &plan, dialect, &inspection.choice.table)?;
    report.planned = jobs.iter().map(|job| Planned::of(job.migration, Direction::Up)).collect();
    report.blocked = plan.blocked.iter().map(|(version, by)| (version.to_string(), by.to_string())).collect();
    tell_plan(session, &files, &plan);
    let rewrite = pending_rewrite(&files, &inspection.choice.table, &inspection.state, &plan.versions)
        // In a database that is thrown away the rows tell what was run.
        .filter(|_| !session.is_scratch() && (report.load.is_none() || !request.dry_run))
        .filter(|_| request.paths.is_empty() && request.lanes.include(Lane::Automatic));
    report.rewrite = rewrite
        .as_ref()
        .filter(|rewrite| rewrite.rows > 0)
        .map(|rewrite| (rewrite.rows, rewrite.version.clone()));
    if request.dry_run {
        return Ok(report);
    }
    if jobs.is_empty() {
        if rewrite.is_some() {
            rewrite_ledger(session, &files, &inspection.choice.table).await?;
        }
        record::forget_copy(session, &inspection.choice.table, &inspection.state).await?;
        teller.tell(What::NothingToMigrate { direction: Direction::Up, applied: plan.applied });
        session.settle().await?;
        return Ok(report);
    }
    let files = &mut files;
    let wishes = Wishes { log_sql: request.log_sql, rewrites: rewrite.is_some() };
    report.done = apply(session, files, &scope, &plan, &inspection, wishes).await?;
    if rewrite.is_some() {
        rewrite_ledger(session, files, &inspection.choice.table).await?;
        session.settle().await?;
    }
    record::forget_copy(session, &inspection.choice.table, &inspection.state).await?;
    Ok(report)
}

/// Tells what of the files deserves a look, whatever the database says.
fn tell_of_files(session: &Session<'_>, files: &FileSet) {
    warn_of_interruption(session);
    for (text, help) in &files.warnings {
        session.teller().warn(text.clone(), help.clone());
    }
}

/// How a plan is carried out.
#[derive(Debug, Clone, Copy)]
struct Wishes {
    log_sql: bool,
    /// Whether the rows of squashed migrations are to become one.
    rewrites: bool,
}

fn scope(session: &Session<'_>, files: &FileSet, request: &MigrateRequest) -> Scope {
    Scope {
        lanes: request.lanes,
        directories: files.given.clone(),
        target: request.target.clone(),
        order: if request.strict_order { VersionOrder::Strict } else { session.repo().version_order },
    }
}

/// Plans for a database that does not exist yet.
fn plan_for_nothing(
    session: &Session<'_>,
    files: &mut FileSet,
    scope: &Scope,
    request: &MigrateRequest,
) -> Result<MigrateReport> {
    let repo = session.repo();
    let choice = crate::choice::choose(repo, &[], None)?;
    let mut inspection = Inspection { choice, state: Default::default() };
    let mut report = MigrateReport::default();
    if !request.no_load && repo.files.is_file(&repo.structure) {
        report.load = Some(repo.shown(&repo.structure));
        inspection.state.rows = structure::as_rows(&structure::recorded_by(repo)?);
    }
    files.complete(repo, &inspection.choice.table, &inspection.state)?;
    let plan = planned(session, files, &inspection, scope)?;
    let jobs = jobs(files, &plan, session.server().dialect(), &inspection.choice.table)?;
    report.planned = jobs.iter().map(|job| Planned::of(job.migration, Direction::Up)).collect();
    report.blocked = plan.blocked.iter().map(|(version, by)| (version.to_string(), by.to_string())).collect();
    Ok(report)
}

fn planned(session: &Session<'_>, files: &FileSet, inspection: &Inspection, scope: &Scope) -> Result<Plan> {
    let repo = session.repo();
    let found = assess(files, &inspection.choice.table, &repo.ledger, &inspection.state);
    floor::refuse_other_baseline(repo, files, &found, inspection.choice.table.kind)?;
    code::refuse_ledger(repo, &found, inspection.choice.table.kind)?;
    plan::up(repo, files, &found, scope)
}

fn jobs<'f>(files: &'f FileSet, plan: &Plan, dialect: Dialect, ledger: &LedgerTable) -> Result<Vec<Job<'f>>> {
    plan.versions
        .iter()
        .filter_map(|version| files.known(version))
        .map(|migration| Job::new(migration, Direction::Up, dialect, ledger.kind))
        .collect()
}

fn tell_plan(session: &Session<'_>, files: &FileSet, plan: &Plan) {
    let teller = session.teller();
    for problem in &files.archive_problems {
        teller.warn(format!("of the archive: {problem}"), None);
    }
    if !plan.squashed.is_empty() {
        let path = archive_of(session.repo(), files, plan);
        teller.tell(What::BehindFloor { count: plan.squashed.len(), path });
    }
    for (text, help) in &plan.warnings {
        teller.warn(text.clone(), help.clone());
    }
    for (version, by) in &plan.blocked {
        let is_elsewhere =
            by.is_code && files.parse_version(&by.version).is_none_or(|by| files.known(&by).is_none());
        if is_elsewhere {
            teller.warn(
                format!(
                    "migration {version} waits for {}, which is code of the application and not applied",
                    by.version
                ),
                Some("run it with the application: its own start, or its release program".to_owned()),
            );
            continue;
        }
        teller.warn(
            format!("migration {version} waits for {}, which is not applied", by.version),
            Some(format!("apply it: {}", session.repo().command("migrate --lane all"))),
        );
    }
}

/// The archive that a plan's first squashed migration is in, as people would type it.
fn archive_of(repo: &Repo, files: &FileSet, plan: &Plan) -> PathBuf {
    let first = plan.squashed.first().and_then(|version| files.known(version));
    let archives = repo.archive.iter().map(|archive| repo.shown(archive));
    let holds = |archive: &PathBuf| first.is_some_and(|first| first.up.path.starts_with(archive));
    archives.clone().find(holds).or_else(|| archives.clone().next()).unwrap_or_default()
}

/// Applies a plan, one stretch of migrations of the same lane after the other. Each stretch runs under its lane's lock
/// alone, where the plan is made again from what is there then: a manual migration of two hours stops no deploy.
async fn apply(
    session: &mut Session<'_>,
    files: &mut FileSet,
    scope: &Scope,
    expected: &Plan,
    seen: &Inspection,
    wishes: Wishes,
) -> Result<usize> {
    let dialect = session.server().dialect();
    let mut ledger = seen.choice.table.clone();
    if !(seen.choice.present.ledger && seen.choice.present.meta) {
        prepare_under_main_lock(session, &ledger, files, expected).await?;
    }
    let mut scope = scope.clone();
    let mut expected = expected.versions.clone();
    let (mut done, mut told) = (0, false);
    while let Some(lane) = expected.first().and_then(|version| files.known(version)).map(|first| first.lane) {
        let key = LockKey { ledger: ledger.clone(), lane };
        lock::acquire(session, &key).await?;
        let inspection = session.inspect().await?;
        record::refuse_half_loaded(session.repo(), &inspection.state)?;
        record::refuse_other_repo(session, &inspection)?;
        // Another process may have undone meanwhile what is in the archive only.
        files.complete(session.repo(), &inspection.choice.table, &inspection.state)?;
        let files: &FileSet = files;
        let plan = planned(session, files, &inspection, &scope)?;
        tell_of_others(session, &expected, &plan);
        let in_lane =
            |version: &&Version| files.known(version).is_some_and(|migration| migration.lane == lane);
        let is_own_lock = inspection.choice.table == ledger;
        let stretch: Vec<Version> =
            plan.versions.iter().take_while(in_lane).filter(|_| is_own_lock).cloned().collect();
        let jobs = jobs(files, &Plan { versions: stretch.clone(), ..Plan::default() }, dialect, &ledger)?;
        expected = plan.versions[stretch.len()..].to_vec();
        if !jobs.is_empty() {
            prepare(session, &inspection).await?;
            if !std::mem::replace(&mut told, true) {
                let count = plan.versions.len();
                session.teller().tell(What::MigrationsPlanned { direction: Direction::Up, count });
            }
            let has_rows = !inspection.state.rows.is_empty();
            let is_older = !has_rows && !session.driver().await?.user_objects(&ledger, 1).await?.is_empty();
            let mut runner = Runner {
                session: &mut *session,
                ledger: ledger.clone(),
                locks: vec![key.clone()],
                log_sql: wishes.log_sql,
                seq: next_seq(&inspection.state),
                is_older,
                recorded: Vec::new(),
            };
            done += runner.run_all(&jobs, &inspection.state.progress).await?;
            if wishes.rewrites && lane == Lane::Automatic {
                // Whoever waits for this lock is to find its row: an application that looks now stops otherwise.
                rewrite_locked(session, files, &ledger).await?;
            }
            session.settle().await?;
        }
        lock::release(session, &key).await?;
        // Whoever was faster may have made another ledger: its lock is the one to take.
        ledger = inspection.choice.table;
        if let Target::Steps(steps) = &mut scope.target {
            *steps -= stretch.len().min(*steps);
        }
    }
    if !told {
        let applied = session.inspect().await?.state.rows.len();
        session.teller().tell(What::NothingToMigrate { direction: Direction::Up, applied });
    }
    Ok(done)
}

/// Makes the ledger and what stands beside it under the main lock, whatever the lane that runs first.
async fn prepare_under_main_lock(
    session: &mut Session<'_>,
    ledger: &LedgerTable,
    files: &FileSet,
    expected: &Plan,
) -> Result<()> {
    let first = expected.versions.first().and_then(|version| files.known(version));
    if first.is_none_or(|migration| migration.lane == Lane::Automatic) {
        // The first stretch holds that lock and makes them.
        return Ok(());
    }
    let main = lock::main_key(ledger);
    lock::acquire(session, &main).await?;
    let now = session.inspect().await?;
    prepare(session, &now).await?;
    lock::release(session, &main).await
}

/// Tells which expected migrations another process applied meanwhile.
fn tell_of_others(session: &Session<'_>, expected: &[Version], now: &Plan) {
    let left: HashSet<_> = now.versions.iter().collect();
    for version in expected.iter().filter(|version| !left.contains(version)) {
        session.teller().tell(What::AppliedByOther { version: version.to_string(), name: String::new() });
    }
}

/// Makes the ledger and the database's record of itself.
pub(super) async fn prepare(session: &mut Session<'_>, inspection: &Inspection) -> Result<()> {
    let ledger = &inspection.choice.table;
    let present = inspection.choice.present;
    let changes: Vec<Change> = record::first_changes(session.repo(), ledger, &inspection.state);
    let driver = session.driver().await?;
    driver.use_ledger(ledger);
    if !present.ledger || !present.meta {
        driver.prepare(ledger, Present { ledger: true, meta: true, progress: false }).await?;
    }
    if changes.is_empty() {
        return Ok(());
    }
    driver
        .transact(Work { script: "", changes: &changes, guard: None, lock: None })
        .await
        .map_err(|failure| Error::from(failure.error))
}

/// Whether rows or a marker say that the structure is there.
pub(crate) fn is_loaded(inspection: &Inspection) -> bool {
    !inspection.state.rows.is_empty() || inspection.state.meta(meta_key::LOADED).is_some()
}
