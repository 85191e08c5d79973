//! `resolve`: corrects the ledger by hand, under the lock.

use std::collections::BTreeMap;

use super::archive::directory_of;
use super::assess::{Assessment, State, assess, recorded_checksum};
use super::plan::Lanes;
use super::set::{FileSet, Migration};
use super::version::Version;
use crate::driver::{Driver, LockKey, Present, Work};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::ledger::{Change, LedgerKind, LedgerTable, NewRow, Progress, Took, meta_key};
use crate::lock;
use crate::record;
use crate::repo::{Lane, Repo};
use crate::session::{Inspection, Session};
use crate::structure::floor::FloorEntry;

/// What to do with a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    /// Record it as applied without running it.
    Applied,
    /// Record everything up to this version as applied: the baseline of an existing database.
    AppliedTo { lanes: Lanes },
    /// Forget that it was applied.
    NotApplied,
    /// Accept the file's present text as what was applied.
    AcceptChecksum,
    /// An interrupted statement did not run: run it next time.
    Retry,
    /// An interrupted statement (counted from 1) did run: go on after it.
    SkipStatement(usize),
}

/// What `resolve` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveRequest {
    /// The version.
    pub version: String,
    /// What to do with it.
    pub resolution: Resolution,
    /// Only tell what would change.
    pub dry_run: bool,
}

/// One correction: the version and what changes, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// The version.
    pub version: String,
    /// What changes.
    pub change: String,
}

/// Corrects the ledger.
///
/// # Errors
/// [`Kind::Missing`] when the version has no file or row that the correction needs; [`Kind::Configuration`] when there
/// is nothing to correct.
pub async fn resolve(session: &mut Session<'_>, request: &ResolveRequest) -> Result<Vec<Resolved>> {
    let result = resolve_and_unlock(session, request).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn resolve_and_unlock(session: &mut Session<'_>, request: &ResolveRequest) -> Result<Vec<Resolved>> {
    let files = FileSet::read(session.repo(), &[])?;
    let seen = session.inspect().await?;
    record::refuse_newer_format(session.repo(), &seen.state)?;
    record::refuse_other_repo(session, &seen)?;
    let ledger = seen.choice.table.clone();
    if request.dry_run {
        return Ok(corrections(session, &files, &seen, request)?.into_iter().map(|(line, _)| line).collect());
    }
    let locks = [Lane::Automatic, Lane::Manual].map(|lane| LockKey { ledger: ledger.clone(), lane });
    lock::acquire_all(session, &locks).await?;
    let inspection = session.inspect().await?;
    let corrections = corrections(session, &files, &inspection, request)?;
    if corrections.is_empty() {
        let change = match &request.resolution {
            Resolution::AppliedTo { .. } => "and all before it are recorded as applied already",
            _ => "is recorded as applied already",
        };
        session.teller().tell(What::Resolved { version: request.version.clone(), change: change.to_owned() });
        lock::release_all(session, &locks).await?;
        return Ok(Vec::new());
    }
    let mut changes = record::first_changes(session.repo(), &ledger, &inspection.state);
    changes.extend(corrections.iter().flat_map(|(_, changes)| changes.clone()));
    let driver: &mut dyn Driver = session.driver().await?;
    driver.use_ledger(&ledger);
    let progress =
        changes.iter().any(|change| matches!(change, Change::SetProgress(_) | Change::ClearProgress { .. }));
    driver.prepare(&ledger, Present { ledger: true, meta: true, progress }).await?;
    driver
        .transact(Work { script: "", changes: &changes, guard: None, lock: None })
        .await
        .map_err(|failure| Error::from(failure.error))?;
    for (line, _) in &corrections {
        session.teller().tell(What::Resolved { version: line.version.clone(), change: line.change.clone() });
    }
    lock::release_all(session, &locks).await?;
    Ok(corrections.into_iter().map(|(line, _)| line).collect())
}

type Correction = (Resolved, Vec<Change>);

fn corrections(
    session: &Session<'_>,
    files: &FileSet,
    inspection: &Inspection,
    request: &ResolveRequest,
) -> Result<Vec<Correction>> {
    let repo = session.repo();
    let ledger = &inspection.choice.table;
    let found = assess(files, ledger, &repo.ledger, &inspection.state);
    let text = &request.version;
    let version = files.parse_version(text).ok_or_else(|| unknown(repo, text))?;
    let entry = found.find(&version);
    let line = |change: &str| Resolved { version: version.to_string(), change: change.to_owned() };
    let squashed = entry.and_then(|entry| entry.squashed);
    let is_absorbed = entry.and_then(|entry| entry.row).is_some_and(|row| row.absorbed);
    if is_absorbed && matches!(request.resolution, Resolution::NotApplied | Resolution::AcceptChecksum) {
        return Err(Error::new(
            Kind::Configuration,
            format!("migration {text} of `{}` has no row of its own: it is part of the baseline", repo.name),
        )
        .help("restore the file of the baseline from version control, if that is what was changed"));
    }
    let with_file = || {
        let lane = entry.and_then(|entry| entry.migration);
        lane.or_else(|| files.known(&version)).ok_or_else(|| unknown(repo, text))
    };
    let with_source = || source_of(files, &version, squashed).ok_or_else(|| unknown(repo, text));
    let stored = || -> Result<String> {
        let row = entry.and_then(|entry| entry.row);
        Ok(row
            .ok_or_else(|| {
                Error::new(Kind::Missing, format!("migration {text} is not applied to `{}`", repo.name))
            })?
            .version
            .clone())
    };
    Ok(match &request.resolution {
        Resolution::Applied => {
            let source = with_source()?;
            let forget = forget_progress(inspection, files, &version);
            if entry.is_some_and(|entry| entry.row.is_some_and(|row| row.success)) {
                // A rollback that was interrupted: the row is still there, and the decision is that it stays.
                if !forget.is_empty() {
                    return Ok(vec![(line("recorded as applied"), forget)]);
                }
                return Ok(Vec::new());
            }
            let replaces = entry.is_some_and(super::assess::Entry::is_recorded);
            let mut changes = recorded(source, ledger, session, files, replaces)?;
            changes.extend(forget);
            vec![(line("recorded as applied"), changes)]
        }
        Resolution::AppliedTo { lanes } => {
            with_source()?;
            let limit = version.clone();
            let mut corrections = Vec::new();
            for (version, source) in baseline(files, &found) {
                if version > limit || !lanes.include(source.lane()) {
                    continue;
                }
                let line =
                    Resolved { version: version.to_string(), change: "recorded as applied".to_owned() };
                let mut changes = recorded(source, ledger, session, files, false)?;
                changes.extend(forget_progress(inspection, files, &version));
                corrections.push((line, changes));
            }
            corrections
        }
        // It was begun and never recorded: to forget it is to forget how far it came.
        Resolution::NotApplied
            if entry.is_some_and(|entry| {
                entry.row.is_none() && matches!(entry.state, State::Interrupted { .. })
            }) =>
        {
            vec![(line("recorded as not applied"), forget_progress(inspection, files, &version))]
        }
        Resolution::NotApplied => {
            let stored = stored()?;
            let beside = format!("{}{stored}", meta_key::CHECKSUM_PREFIX);
            let mut changes = vec![Change::Delete { version: stored.clone() }];
            if inspection.state.meta(&beside).is_some() {
                changes.push(Change::ClearMeta { key: beside });
            }
            if inspection.choice.present.progress {
                changes.push(Change::ClearProgress { version: stored });
            }
            vec![(line("recorded as not applied"), changes)]
        }
        Resolution::AcceptChecksum => {
            let stored = stored()?;
            let unchanged = || Error::new(Kind::Configuration, format!("migration {text} is not changed"));
            if matches!(entry.map(|entry| &entry.state), Some(State::Applied)) {
                return Err(unchanged());
            }
            let checksum = match with_source()? {
                // What was squashed is what counts, whatever became of the archive.
                Source::File(migration) => {
                    let known = squashed.and_then(|squashed| floor_checksum(files, squashed, ledger));
                    known.unwrap_or_else(|| migration.checksum(ledger.kind, ledger.wide, &repo.ledger))
                }
                Source::Floor(squashed) => {
                    floor_checksum(files, squashed, ledger).ok_or_else(|| without_checksum(text))?
                }
            };
            let row = entry.and_then(|entry| entry.row);
            let recorded = row.and_then(|row| recorded_checksum(row, ledger, &inspection.state));
            if recorded == Some(checksum.as_str()) {
                return Err(unchanged());
            }
            let change = if ledger.kind.keeps_checksums() {
                Change::SetChecksum { version: stored, checksum }
            } else {
                Change::SetMeta { key: format!("{}{stored}", meta_key::CHECKSUM_PREFIX), value: checksum }
            };
            vec![(line("its present text is accepted as what was applied"), vec![change])]
        }
        Resolution::Retry => {
            let progress = interrupted(inspection, files, &version, text)?;
            vec![(line("the interrupted statement runs again next time"), vec![retry(progress)])]
        }
        Resolution::SkipStatement(number) => {
            let migration = with_file()?;
            let progress = interrupted(inspection, files, &version, text)?;
            if progress.done + 1 != *number {
                return Err(Error::new(
                    Kind::Configuration,
                    format!(
                        "statement {} of migration {text} is the interrupted one, not {number}",
                        progress.done + 1
                    ),
                ));
            }
            let skipped =
                super::units::progress_after(migration, session.server().dialect(), progress, *number)?;
            vec![(line(&format!("statement {number} counts as run")), vec![Change::SetProgress(skipped)])]
        }
    })
}

/// The change that forgets how far a version had come, where it was interrupted: a person has decided.
fn forget_progress(inspection: &Inspection, files: &FileSet, version: &Version) -> Vec<Change> {
    let interrupted = inspection.state.progress.iter();
    interrupted
        .filter(|progress| files.parse_version(&progress.version).as_ref() == Some(version))
        .map(|progress| Change::ClearProgress { version: progress.version.clone() })
        .collect()
}

/// Marks that a person has decided: the statement is to be run, whatever cannot be proved.
fn retry(progress: &Progress) -> Change {
    Change::SetProgress(Progress { retry: true, ..progress.clone() })
}

fn unknown(repo: &Repo, text: &str) -> Error {
    Error::new(Kind::Missing, format!("there is no migration with version `{text}`"))
        .help(format!("{} lists them", repo.command("status")))
}

fn interrupted<'i>(
    inspection: &'i Inspection,
    files: &FileSet,
    version: &Version,
    text: &str,
) -> Result<&'i Progress> {
    inspection
        .state
        .progress
        .iter()
        .find(|progress| files.parse_version(&progress.version).as_ref() == Some(version))
        .ok_or_else(|| Error::new(Kind::Configuration, format!("migration {text} is not interrupted")))
}

/// What a version is recorded from.
#[derive(Debug, Clone, Copy)]
enum Source<'a> {
    /// Its file, in a lane or in the archive.
    File(&'a Migration),
    /// The squash floor alone: the archive is gone.
    Floor(&'a FloorEntry),
}

impl Source<'_> {
    fn lane(self) -> Lane {
        match self {
            Self::File(migration) => migration.lane,
            Self::Floor(squashed) => squashed.lane,
        }
    }
}

fn source_of<'a>(
    files: &'a FileSet,
    version: &Version,
    squashed: Option<&'a FloorEntry>,
) -> Option<Source<'a>> {
    files.known(version).map(Source::File).or(squashed.map(Source::Floor))
}

/// What a baseline records, sorted by version: what is in the lanes, and what was squashed. An archive without a floor
/// holds nothing else.
fn baseline<'a>(files: &'a FileSet, found: &Assessment<'a>) -> Vec<(Version, Source<'a>)> {
    let mut sources: BTreeMap<Version, Source<'a>> = BTreeMap::new();
    for entry in found.entries.iter().filter(|entry| entry.row.is_none()) {
        sources.extend(
            source_of(files, &entry.version, entry.squashed).map(|source| (entry.version.clone(), source)),
        );
    }
    if files.floor.is_none() {
        let archived = files.archived.iter().filter(|(version, _)| found.find(version).is_none());
        sources.extend(archived.map(|(version, migration)| (version.clone(), Source::File(migration))));
    }
    sources.into_iter().collect()
}

/// The floor's checksum of a version, where it is one of this ledger.
fn floor_checksum(files: &FileSet, squashed: &FloorEntry, ledger: &LedgerTable) -> Option<String> {
    let is_own = files.floor.as_ref().is_some_and(|floor| floor.ledger == Some(ledger.kind));
    squashed.checksum.clone().filter(|_| is_own)
}

fn without_checksum(version: &str) -> Error {
    Error::new(
        Kind::Missing,
        format!("migration {version} has no file in this checkout, and the squash floor no checksum of it"),
    )
    .help("put its file back into the archive")
}

/// The row of a version.
fn row_of(
    source: Source<'_>,
    ledger: &LedgerTable,
    session: &Session<'_>,
    files: &FileSet,
) -> Result<(NewRow, Option<String>)> {
    let repo = session.repo();
    match source {
        Source::File(migration) => Ok((
            migration.row(ledger.kind, ledger.wide, &repo.ledger),
            Some(migration.checksum(ledger.kind, ledger.wide, &repo.ledger)),
        )),
        Source::Floor(squashed) => {
            let checksum = floor_checksum(files, squashed, ledger);
            let keeps = ledger.kind.keeps_checksums();
            if keeps && checksum.is_none() {
                return Err(without_checksum(&squashed.version));
            }
            let is_sqlx = ledger.kind == LedgerKind::Sqlx;
            let row = NewRow {
                version: squashed.version.clone(),
                seq: None,
                name: if is_sqlx { squashed.name.replace('_', " ") } else { squashed.name.clone() },
                source: directory_of(repo, squashed.lane)
                    .file_name()
                    .unwrap_or_default()
                    .to_string_lossy()
                    .into_owned(),
                checksum: checksum.clone().filter(|_| keeps),
                took: Took::Nothing,
            };
            Ok((row, checksum))
        }
    }
}

/// The changes that record a version without running it.
fn recorded(
    source: Source<'_>,
    ledger: &LedgerTable,
    session: &Session<'_>,
    files: &FileSet,
    replaces: bool,
) -> Result<Vec<Change>> {
    let (mut row, checksum) = row_of(source, ledger, session, files)?;
    row.took = Took::Nothing;
    let version = row.version.clone();
    let mut changes = Vec::new();
    if replaces {
        changes.push(Change::Delete { version: version.clone() });
    }
    changes.push(Change::Insert(row));
    if let Some(value) = checksum.filter(|_| !ledger.kind.keeps_checksums()) {
        changes.push(Change::SetMeta { key: format!("{}{version}", meta_key::CHECKSUM_PREFIX), value });
    }
    Ok(changes)
}
