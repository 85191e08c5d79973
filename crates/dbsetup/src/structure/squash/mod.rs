//! The squash: years of migrations become a structure file, and their files go to the archive.
//!
//! Everything that can refuse refuses before anything is written. [`plan`] decides from files and ledger rows;
//! [`squash`] makes the new structure of a replay in a scratch database, proves that the replay, the database and a
//! load of the new file are the same, and writes (`apply.rs`).

mod abort;
mod apply;
mod as_migration;
mod disk;
mod evidence;
mod journal;
mod layout;
mod lock;
mod plan;
mod proof;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::time::Instant;

use super::dump::{self, DumpOptions};
use super::floor::Floor;
use super::recorded::recorded_by;
use super::replay::{self, Beyond};
use super::{format, header};
use crate::driver::{DumpRequest, LedgerState};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::ledger::{LedgerTable, meta_key};
use crate::migration::FileSet;
use crate::record;
use crate::repo::Repo;
use crate::session::Session;
use crate::sql::Dialect;
use disk::Disk;

pub use apply::is_own_file;
pub use evidence::{Evidence, Seen};
pub use journal::{is_interrupted, journal_path};
pub(crate) use journal::{refuse_interrupted, warn_of_interruption};
pub use layout::Move;
pub use lock::{Held, hold};
pub use plan::{Plan, Reference};

/// What a squash is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SquashRequest {
    /// The newest version to squash; `None` is all of them.
    pub to: Option<String>,
    /// What the floor names to find the files where they ran.
    pub reference: Reference,
    /// What the structure leaves out or has besides, where it is not to be as in the present file.
    pub dump: DumpOptions,
    /// Whether the present structure file and the migrations may reach beyond the scratch databases of the proof.
    pub trusted: bool,
    /// What of the migrations may reach beyond them besides: what [`beyond`] found and somebody said yes to.
    pub agreed: Vec<Beyond>,
    /// Whether one migration is left in the automatic lane, for what builds databases of migrations alone. Where an
    /// earlier squash has left one it is made anew in any case.
    pub as_migration: bool,
    /// What else the command was given, ready for a shell: a refusal that shows the command again repeats it.
    pub given: Vec<String>,
}

/// A squash that may begin: the database is what its files say.
#[derive(Debug)]
pub struct Planned {
    /// What it does to the files.
    pub plan: Plan,
    request: DumpRequest,
    drop_data: Vec<String>,
    trusted: bool,
    agreed: Vec<Beyond>,
    given: Vec<String>,
    files: FileSet,
    ledger: LedgerTable,
    state: LedgerState,
    /// The versions that the structure file records; `None` without one.
    recorded: Option<Vec<String>>,
    measured: apply::Measured,
    baseline: Option<as_migration::Place>,
}

/// What a squash did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Squashed {
    /// How many migrations went to the archive.
    pub migrations: usize,
    /// How many stay in the lanes.
    pub stay: usize,
    /// The structure file, to show.
    pub structure: PathBuf,
    /// The floor, to show.
    pub floor: PathBuf,
    /// The archive, to show.
    pub archive: PathBuf,
    /// The baseline that was left in a lane, to show.
    pub baseline: Option<PathBuf>,
}

/// Finishes a squash that was interrupted, and returns its newest version; `None` where none was.
///
/// # Errors
/// [`Kind::Undecided`] when somebody has changed its files since; [`Kind::Grammar`] and [`Kind::Io`] of the journal.
pub fn resume(repo: &Repo, _: &Held) -> Result<Option<String>> {
    let Some(journal) = journal::Journal::read(repo)? else { return Ok(None) };
    apply::finish(repo, &journal, &mut Disk::new(&mut |_| Ok(())))?;
    Ok(Some(journal.newest))
}

/// Gives up a squash that was interrupted: every file goes back where it was. Returns the squash's newest version; `None`
/// where none was interrupted.
///
/// # Errors
/// [`Kind::Undecided`] when somebody has changed its files so that one would be lost; [`Kind::Grammar`] and [`Kind::Io`]
/// of the journal.
pub fn abort(repo: &Repo, _: &Held) -> Result<Option<String>> {
    let mut pass = |_: &str| Ok(());
    let mut disk = Disk::new(&mut pass);
    let Some(journal) = journal::Journal::read(repo)? else {
        abort::tidy(repo, &mut disk)?;
        return Ok(None);
    };
    abort::undo(repo, &journal, &mut disk)?;
    Ok(Some(journal.newest))
}

/// Whether there is a migration to be squashed. `to` is the newest version to squash, as a person wrote it.
///
/// # Errors
/// Those of reading the files; a `to` that is no version is left to [`plan`].
pub fn is_due(repo: &Repo, to: Option<&str>) -> Result<bool> {
    let files = FileSet::read(repo, &[])?;
    let to = to.and_then(|to| files.parse_version(to));
    Ok(files.migrations.iter().any(|migration| to.as_ref().is_none_or(|to| migration.version <= *to)))
}

/// Returns the statements of migrations that a squash would run again and that reach beyond its scratch databases.
///
/// # Errors
/// Those of [`replay::Plan::read`].
pub fn beyond(repo: &Repo, dialect: Dialect) -> Result<Vec<Beyond>> {
    Ok(replay::Plan::read(repo)?.beyond(dialect))
}

/// Plans a squash; `None` where no migration is there to be squashed. Writes nothing.
///
/// # Errors
/// [`Kind::Refused`] naming every version that stands in the way, and a file where one is to go; those of reading the
/// files, the structure's filters, the floor and the database.
pub async fn plan(session: &mut Session<'_>, request: &SquashRequest) -> Result<Option<Planned>> {
    let repo = session.repo();
    repo.refuse_embedded("squash")?;
    let shown = repo.shown(&repo.structure);
    let present = dump::present(repo.files, &repo.structure, &shown)?;
    format::refuse_newer(present.as_deref().unwrap_or_default(), &shown)?;
    let named = present.as_deref().filter(|_| !request.dump.no_filters).unwrap_or_default();
    let mut in_file = header::read(named, &shown)?;
    if request.dump.no_filters {
        in_file.without_rows = header::without_rows(present.as_deref().unwrap_or_default());
    }
    let (dump, kept) = request.dump.request(in_file);
    header::check(&dump)?;
    let files = FileSet::read(repo, &[])?;
    let recorded = match &present {
        Some(_) => Some(recorded_by(repo)?),
        None => None,
    };
    let inspection = session.inspect().await?;
    record::refuse_newer_format(repo, &inspection.state)?;
    record::refuse_other_repo(session, &inspection)?;
    if inspection.state.meta(meta_key::LOADING).is_some() {
        record::check_before_writing(session, &inspection)?;
    }
    let (choice, state) = (inspection.choice, inspection.state);
    let facts = plan::Facts {
        repo,
        files: &files,
        ledger: &choice.table,
        state: &state,
        recorded: recorded.as_deref().unwrap_or_default(),
    };
    let Some(plan) = plan::plan(facts, request.to.as_deref(), &request.reference)? else {
        session.teller().tell(What::NothingToSquash { applied: state.rows.len() });
        return Ok(None);
    };
    if !kept.is_empty() {
        session.teller().tell(What::FiltersKept { path: shown, filters: kept });
    }
    let baseline = as_migration::place(facts, &plan, request.as_migration)?;
    let measured = apply::measure(repo, &plan.moves, baseline.as_ref().map(|place| place.path.as_path()))?;
    Ok(Some(Planned {
        plan,
        request: DumpRequest { ledger: Some(choice.table.clone()), ..dump },
        drop_data: request.dump.drop_data.clone(),
        trusted: request.trusted,
        agreed: request.agreed.clone(),
        given: request.given.clone(),
        ledger: choice.table,
        files,
        state,
        recorded,
        measured,
        baseline,
    }))
}

impl Planned {
    /// The ledger of the database.
    pub fn ledger(&self) -> &LedgerTable {
        &self.ledger
    }

    /// The file of the baseline that is left in the automatic lane; `None` without one.
    pub fn baseline(&self) -> Option<&std::path::Path> {
        self.baseline.as_ref().map(|place| place.path.as_path())
    }

    /// Refuses what a deployed database has not run.
    ///
    /// # Errors
    /// [`Kind::Refused`] listing what each of them lacks.
    pub fn refuse_unseen(&self, repo: &Repo, evidence: &[Evidence]) -> Result<()> {
        evidence::refuse_unseen(repo, &self.files, &self.ledger, &self.plan.taken, evidence)
    }
}

/// Tries a squash: replays and proves, and writes nothing.
///
/// # Errors
/// Those of [`squash`] until something is written.
pub async fn rehearse(session: &mut Session<'_>, planned: &Planned) -> Result<()> {
    let result = proof::structure(session, planned).await;
    session.close().await;
    result.map(|_| ())
}

/// Squashes: replays, proves, writes. Whoever calls it has held the repo since before it was planned.
///
/// # Errors
/// [`Kind::Refused`] naming what differs between the database and a replay of its migrations; those of the replay, with
/// the place in a file; [`Kind::Unsupported`] when the new structure does not make the same database;
/// [`Kind::Locked`] when migrations run meanwhile. Nothing is written then.
pub async fn squash(session: &mut Session<'_>, planned: Planned, _: &Held) -> Result<Squashed> {
    let start = Instant::now();
    let result = proof::structure(session, &planned).await;
    let proved = match result {
        Ok(proved) => proved,
        Err(error) => {
            session.close().await;
            return Err(error);
        }
    };
    let repo = session.repo();
    // Where the file system cannot lock, another run may have come here first.
    if is_interrupted(repo) {
        return Err(Error::new(Kind::Locked, format!("another run has begun to squash `{}`", repo.name))
            .help("wait until it has ended; or finish it, if it was interrupted: run this command again"));
    }
    let Planned { plan, measured, files, baseline, .. } = planned;
    let mut disk_gate = |_: &str| Ok(());
    let floor = proved.floor(&plan.floor).text();
    let written = apply::commit(
        repo,
        plan.newest.as_str(),
        proved.texts(&floor),
        &measured,
        &mut Disk::new(&mut disk_gate),
    );
    if let Err(error) = written {
        if is_interrupted(repo) {
            return Err(error.note("the squash has begun: run the command again to finish it"));
        }
        for path in apply::leftovers(repo, baseline.as_ref().map(|place| place.path.as_path())) {
            let _ = std::fs::remove_file(path);
        }
        return Err(error);
    }
    let squashed = Squashed {
        migrations: plan.taken.len(),
        stay: files.migrations.len() - plan.taken.len(),
        structure: repo.shown(&repo.structure),
        floor: repo.shown(&Floor::path(&repo.structure)),
        archive: repo.archive.first().map(|archive| repo.shown(archive)).unwrap_or_default(),
        baseline: baseline.map(|place| repo.shown(&place.path)),
    };
    session.teller().tell(What::Squashed {
        migrations: squashed.migrations,
        stay: squashed.stay,
        structure: squashed.structure.clone(),
        floor: squashed.floor.clone(),
        archive: squashed.archive.clone(),
        baseline: squashed.baseline.clone(),
        took: start.elapsed(),
    });
    Ok(squashed)
}
