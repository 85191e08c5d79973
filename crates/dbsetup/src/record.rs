//! The database's record of itself: which repo and which environment it belongs to, whether its structure was loaded,
//! whether it was seeded. Kept beside the ledger, never dumped.

mod owner;

pub use owner::{Belongs, belongs, recorded_for_other};
pub(crate) use owner::{is_of_other, refuse_other_repo, take_over};

use crate::driver::{LedgerState, Present, Work};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::ledger::{Change, LedgerTable, meta_key};
use crate::lock;
use crate::repo::Repo;
use crate::session::{Inspection, Session};

/// The version of our own tables and files.
pub const FORMAT: &str = "1";

/// Returns the changes that a database's first write brings along: whose it is, and in which format.
pub fn first_changes(repo: &Repo, ledger: &LedgerTable, state: &LedgerState) -> Vec<Change> {
    let set = |key: &str, value: &str| Change::SetMeta { key: key.to_owned(), value: value.to_owned() };
    let mut changes = Vec::new();
    if state.meta(meta_key::FORMAT).is_none() {
        changes.push(set(meta_key::FORMAT, FORMAT));
    }
    if state.meta(meta_key::ENVIRONMENT).is_none() {
        changes.push(set(meta_key::ENVIRONMENT, &repo.environment));
    }
    if state.meta(&owner::key(ledger)).is_none() {
        changes.push(owner::change(repo, ledger));
    }
    changes
}

/// Returns why the database must not be written to by a destructive command: its record names another environment.
pub fn other_environment<'a>(repo: &Repo, state: &'a LedgerState) -> Option<&'a str> {
    state.meta(meta_key::ENVIRONMENT).filter(|recorded| *recorded != repo.environment)
}

/// Refuses what takes data away from a database that belongs to another environment.
///
/// # Errors
/// [`Kind::Refused`].
pub fn refuse_other_environment(repo: &Repo, state: &LedgerState) -> Result<()> {
    let Some(recorded) = other_environment(repo, state) else { return Ok(()) };
    Err(Error::new(
        Kind::Refused,
        format!(
            "the database of `{}` belongs to environment `{recorded}`, and this run is for `{}`",
            repo.name, repo.environment
        ),
    )
    .note("nothing was undone")
    .help(format!(
        "check the URL; if it is right: {}",
        repo.command(&format!("resolve --environment {}", repo.environment))
    )))
}

/// Refuses a format that a newer release wrote and a database of another repo, warns of another environment, and refuses
/// a half-loaded structure.
///
/// # Errors
/// [`Kind::Unsupported`], [`Kind::WrongDatabase`] and [`Kind::PartlyLoaded`].
pub fn check_before_writing(session: &Session<'_>, inspection: &Inspection) -> Result<()> {
    let (repo, state) = (session.repo(), &inspection.state);
    refuse_newer_format(repo, state)?;
    refuse_other_repo(session, inspection)?;
    warn_of_other_environment(session, state);
    refuse_half_loaded(repo, state)
}

/// Warns when the database's record names another environment than this run's.
pub fn warn_of_other_environment(session: &Session<'_>, state: &LedgerState) {
    let repo = session.repo();
    if let Some(recorded) = other_environment(repo, state) {
        session.teller().warn(
            format!(
                "the database of `{}` belongs to environment `{recorded}`, and this run is for `{}`",
                repo.name, repo.environment
            ),
            Some(format!(
                "check the URL; if it is right: {}",
                repo.command(&format!("resolve --environment {}", repo.environment))
            )),
        );
    }
}

/// Refuses to work on a structure that was loaded half way.
///
/// # Errors
/// [`Kind::PartlyLoaded`].
pub fn refuse_half_loaded(repo: &Repo, state: &LedgerState) -> Result<()> {
    if state.meta(meta_key::LOADING).is_none() {
        return Ok(());
    }
    Err(Error::new(
        Kind::PartlyLoaded,
        format!("the structure of `{}` was loaded half way, and the run was interrupted", repo.name),
    )
    .help(format!("load it again: {}", repo.command("load"))))
}

/// Refuses to work on tables of a format that this release does not know.
///
/// # Errors
/// [`Kind::Unsupported`].
pub fn refuse_newer_format(repo: &Repo, state: &LedgerState) -> Result<()> {
    match state.meta(meta_key::FORMAT) {
        Some(format) if format != FORMAT => Err(Error::new(
            Kind::Unsupported,
            format!("the database of `{}` was prepared by a newer release (format {format})", repo.name),
        )
        .help("update cargo-dbsetup and the dbsetup library")),
        _ => Ok(()),
    }
}

/// Records that this run created the database: whose it is, and that it is to be seeded. Under the main lock.
///
/// # Errors
/// Those of connecting and writing.
pub async fn note_creation(session: &mut Session<'_>) -> Result<()> {
    let inspection = session.inspect().await?;
    let ledger = inspection.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    // Another process may have found the new database meanwhile, and have loaded and seeded it.
    let now = session.inspect().await?;
    let is_seeded = now.state.meta(meta_key::SEEDED).is_some();
    let mut changes = first_changes(session.repo(), &ledger, &now.state);
    if !is_seeded {
        changes.push(Change::SetMeta { key: meta_key::UNSEEDED.to_owned(), value: "created".to_owned() });
    }
    if !changes.is_empty() {
        write(session, &ledger, &changes).await?;
    }
    lock::release(session, &key).await
}

/// Returns whether a first setup is to be done here: no migration was ever run, or an earlier one began and did not get
/// to its end. Its beginning is recorded unless this is a `dry_run`, so that whoever comes after an interruption knows.
///
/// # Errors
/// Those of connecting and writing.
pub async fn begin_setup(session: &mut Session<'_>, dry_run: bool) -> Result<bool> {
    let result = begin_setup_and_unlock(session, dry_run).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn begin_setup_and_unlock(session: &mut Session<'_>, dry_run: bool) -> Result<bool> {
    let is_begun = |state: &LedgerState| state.meta(meta_key::SETUP).is_some();
    // A missing database is for the next step to refuse.
    let Some(seen) = session.inspect_if_exists().await? else { return Ok(true) };
    refuse_newer_format(session.repo(), &seen.state)?;
    refuse_other_repo(session, &seen)?;
    if is_begun(&seen.state) || !seen.state.rows.is_empty() || dry_run {
        return Ok(is_begun(&seen.state) || seen.state.rows.is_empty());
    }
    let ledger = seen.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    // Another process may have done it all meanwhile.
    let now = session.inspect().await?;
    let is_new = is_begun(&now.state) || now.state.rows.is_empty();
    if is_new && !is_begun(&now.state) && !is_strange(session, &now.state, &ledger).await? {
        let mut changes = first_changes(session.repo(), &ledger, &now.state);
        changes.push(Change::SetMeta { key: meta_key::SETUP.to_owned(), value: "begun".to_owned() });
        write(session, &ledger, &changes).await?;
    }
    lock::release(session, &key).await?;
    Ok(is_new)
}

/// Whether a structure would be refused here: there are objects that no load of ours has made. Nothing of ours is to be
/// left behind in such a database.
async fn is_strange(session: &mut Session<'_>, state: &LedgerState, ledger: &LedgerTable) -> Result<bool> {
    let repo = session.repo();
    let is_ours = [meta_key::LOADED, meta_key::LOADING].iter().any(|mark| state.meta(mark).is_some());
    if is_ours || !repo.files.is_file(&repo.structure) {
        return Ok(false);
    }
    Ok(!session.driver().await?.user_objects(ledger, 1).await?.is_empty())
}

/// Records that the first setup is done, where one was begun.
///
/// # Errors
/// Those of connecting and writing.
pub async fn end_setup(session: &mut Session<'_>) -> Result<()> {
    let result = end_setup_and_unlock(session).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn end_setup_and_unlock(session: &mut Session<'_>) -> Result<()> {
    let inspection = session.inspect().await?;
    if inspection.state.meta(meta_key::SETUP).is_none() {
        return Ok(());
    }
    let ledger = inspection.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    write(session, &ledger, &[Change::ClearMeta { key: meta_key::SETUP.to_owned() }]).await?;
    lock::release(session, &key).await
}

/// Records another environment, and that the database is this repo's.
///
/// # Errors
/// Those of connecting and writing.
pub async fn set_environment(session: &mut Session<'_>, environment: &str) -> Result<()> {
    let result = set_environment_and_unlock(session, environment).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn set_environment_and_unlock(session: &mut Session<'_>, environment: &str) -> Result<()> {
    let inspection = session.inspect().await?;
    refuse_newer_format(session.repo(), &inspection.state)?;
    let ledger = inspection.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    let owner = owner::change(session.repo(), &ledger);
    let mut changes = first_changes(session.repo(), &ledger, &inspection.state);
    changes.retain(|change| {
        *change != owner && !matches!(change, Change::SetMeta { key, .. } if key == meta_key::ENVIRONMENT)
    });
    changes.push(Change::SetMeta { key: meta_key::ENVIRONMENT.to_owned(), value: environment.to_owned() });
    changes.push(owner);
    write(session, &ledger, &changes).await?;
    lock::release(session, &key).await?;
    session.teller().tell(What::EnvironmentRecorded { environment: environment.to_owned() });
    if let Some(before) = recorded_for_other(session.repo(), &ledger, &inspection.state) {
        session.teller().tell(What::RepoRecorded { before: before.to_owned() });
    }
    Ok(())
}

/// Takes the mark of a copy away that an interrupted start has left: after a run that succeeded the database serves, and
/// the copy is old. Costs nothing where `state`, what was read before that run, has no mark.
///
/// # Errors
/// Those of connecting and writing.
pub(crate) async fn forget_copy(
    session: &mut Session<'_>,
    ledger: &LedgerTable,
    state: &LedgerState,
) -> Result<()> {
    if state.meta(meta_key::BACKUP).is_none() || !session.forgets_copy() {
        return Ok(());
    }
    let key = lock::main_key(ledger);
    lock::acquire(session, &key).await?;
    write(session, ledger, &[Change::ClearMeta { key: meta_key::BACKUP.to_owned() }]).await?;
    lock::release(session, &key).await
}

/// Writes to our tables beside the ledger, which are made when they are missing. Under the main lock.
///
/// # Errors
/// Those of the database.
pub async fn write(session: &mut Session<'_>, ledger: &LedgerTable, changes: &[Change]) -> Result<()> {
    let driver = session.driver().await?;
    driver.use_ledger(ledger);
    driver.prepare(ledger, Present { ledger: false, meta: true, progress: false }).await?;
    driver
        .transact(Work { script: "", changes, guard: None, lock: None })
        .await
        .map_err(|failure| Error::from(failure.error))
}
