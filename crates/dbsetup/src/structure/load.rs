//! `load`: the structure file into a database that is proved empty. One transaction; without any client program.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use super::format::{self, Author};
use super::grantor::Trust;
use super::scan::{self, NewerSetting, Scan};
use crate::driver::{DbError, Driver, LedgerState, LockKey, Present};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::files::Files;
use crate::ledger::{Change, LedgerTable, meta_key};
use crate::lock;
use crate::migration::{checksum, is_loaded};
use crate::record;
use crate::repo::Lane;
use crate::session::{Inspection, Session};
use crate::sql::Statement;
use crate::sql_file::{Content, SqlFile, Use, makes_schema};
use crate::template;

/// How many relations one transaction may create for each entry of the lock table, in percent.
const LOCK_SHARE: u64 = 80;
/// More objects than one transaction can take away on any server.
const MANY: usize = 1_000_000;
/// How many statements make a transaction where one for all would not fit.
const CHUNK: u64 = 500;

/// What `load` is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadRequest {
    /// Nothing to do is no failure.
    pub skip_if_loaded: bool,
    /// Empty the database first.
    pub force: bool,
    /// Only plan.
    pub dry_run: bool,
    /// The file may reach beyond the database: run programs, read files of the server, change roles.
    pub trusted: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadOutcome {
    /// It was loaded (or would be).
    Loaded { statements: u64 },
    /// It was not, and why.
    Skipped { reason: String },
}

/// Loads the structure file.
///
/// # Errors
/// [`Kind::NotEmpty`] when the database holds objects; [`Kind::Missing`] without the file; [`Kind::Grammar`] for a
/// file that must not run; [`Kind::Statement`] with the place of what failed. Whatever fails, the database is as it
/// was before, and no lock is left.
pub async fn load(session: &mut Session<'_>, request: &LoadRequest) -> Result<LoadOutcome> {
    let result = load_and_unlock(session, request).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

async fn load_and_unlock(session: &mut Session<'_>, request: &LoadRequest) -> Result<LoadOutcome> {
    if request.skip_if_loaded && !request.dry_run && template::is_copy(session) {
        return Ok(skipped(session, "the database was copied from a template".to_owned()));
    }
    let repo = session.repo();
    let path = &repo.structure;
    if request.skip_if_loaded && !repo.files.exists(path) {
        return Ok(skipped(session, format!("there is no file {}", repo.shown(path).display())));
    }
    let author = format::author(repo.files, path, &repo.shown(path), session.server().dialect())?;
    let inspection = if request.dry_run {
        match session.inspect_if_exists().await? {
            Some(inspection) => inspection,
            None => return planned(session, author, request),
        }
    } else {
        session.inspect().await?
    };
    record::refuse_newer_format(repo, &inspection.state)?;
    record::refuse_other_repo(session, &inspection)?;
    record::warn_of_other_environment(session, &inspection.state);
    if let Some(reason) = already_there(&inspection).filter(|_| !request.force) {
        if request.skip_if_loaded {
            return Ok(skipped(session, reason));
        }
        return Err(Error::new(
            Kind::NotEmpty,
            format!("the structure of `{}` is loaded already: {reason}", repo.name),
        )
        .help(format!("empty the database and load it again: {}", repo.command("load --force"))));
    }
    if request.dry_run {
        if !request.force && inspection.state.meta(meta_key::LOADING).is_none() {
            refuse_objects(session, &inspection.choice.table).await?;
        }
        return planned(session, author, request);
    }
    record::take_over(session, &inspection).await?;
    let ledger = inspection.choice.table;
    let keys = keys(&ledger, request.force);
    lock::acquire_all(session, &keys).await?;
    // Another process may have loaded it while this one waited.
    let inspection = session.inspect().await?;
    record::refuse_other_repo(session, &inspection)?;
    if let Some(reason) = already_there(&inspection).filter(|_| !request.force) {
        lock::release_all(session, &keys).await?;
        return Ok(skipped(session, reason));
    }
    let statements = fill(session, &inspection, author, request).await?;
    lock::release_all(session, &keys).await?;
    // What the file set for its own session is not handed on to anything that follows.
    session.close().await;
    Ok(LoadOutcome::Loaded { statements })
}

fn planned(session: &Session<'_>, author: Author, request: &LoadRequest) -> Result<LoadOutcome> {
    let repo = session.repo();
    let found = scan::scan(
        Content::File(repo.files, &repo.structure),
        &repo.shown(&repo.structure),
        session.server().dialect(),
        author,
        Trust::of(repo.role.as_deref(), request.trusted),
    )?;
    Ok(LoadOutcome::Loaded { statements: found.statements })
}

fn skipped(session: &Session<'_>, reason: String) -> LoadOutcome {
    session.teller().tell(What::LoadSkipped { reason: reason.clone() });
    LoadOutcome::Skipped { reason }
}

/// Why there is nothing to load.
fn already_there(inspection: &Inspection) -> Option<String> {
    if inspection.state.meta(meta_key::LOADING).is_some() {
        return None;
    }
    match inspection.state.rows.len() {
        0 if inspection.state.meta(meta_key::LOADED).is_some() => Some("it was loaded before".to_owned()),
        0 => None,
        1 => Some("1 migration is recorded there".to_owned()),
        rows => Some(format!("{rows} migrations are recorded there")),
    }
}

/// Whether `migrate` should load the structure first: there is a file, nothing is recorded, and nothing is there.
///
/// # Errors
/// Those of reading the database.
pub async fn may_load(session: &mut Session<'_>, inspection: &Inspection) -> Result<bool> {
    if is_loaded(inspection) || !session.repo().files.is_file(&session.repo().structure) {
        return Ok(false);
    }
    Ok(objects(session, &inspection.choice.table).await?.is_empty())
}

/// Loads the structure for `migrate`, which has found that [`may_load`].
///
/// # Errors
/// Those of [`load`].
pub async fn load_into_empty(session: &mut Session<'_>, ledger: &LedgerTable) -> Result<()> {
    let repo = session.repo();
    let author = format::author(
        repo.files,
        &repo.structure,
        &repo.shown(&repo.structure),
        session.server().dialect(),
    )?;
    let key = lock::main_key(ledger);
    lock::acquire(session, &key).await?;
    let inspection = session.inspect().await?;
    record::refuse_other_repo(session, &inspection)?;
    if already_there(&inspection).is_none() {
        fill(session, &inspection, author, &LoadRequest::default()).await?;
    }
    lock::release(session, &key).await?;
    session.close().await;
    Ok(())
}

async fn objects(session: &mut Session<'_>, ledger: &LedgerTable) -> Result<Vec<String>> {
    const ENOUGH_TO_SHOW: usize = 10;
    Ok(session.driver().await?.user_objects(ledger, ENOUGH_TO_SHOW).await?)
}

/// Fills the database, under the lock.
async fn fill(
    session: &mut Session<'_>,
    inspection: &Inspection,
    author: Author,
    request: &LoadRequest,
) -> Result<u64> {
    let start = Instant::now();
    let repo = session.repo();
    let (files, path, shown) = (repo.files, repo.structure.clone(), repo.shown(&repo.structure));
    let ledger = inspection.choice.table.clone();
    let dialect = session.server().dialect();
    let reload = inspection.state.meta(meta_key::LOADING).is_some();
    if reload {
        session
            .teller()
            .warn("an earlier load was interrupted half way; it is done again from the start", None);
    } else if !request.force {
        refuse_objects(session, &ledger).await?;
    }
    let trust = Trust::of(session.repo().role.as_deref(), request.trusted);
    let stamp = scan::stamp(files, &path, &shown)?;
    let mut found = scan::scan(Content::File(files, &path), &shown, dialect, author, trust)?;
    for setting in pass_over_unknown(session.driver().await?, &mut found).await? {
        let (name, path, line) = (setting.name, shown.display(), setting.line);
        let text = format!("`SET {name}` in {path}:{line} is passed over: this server does not know it");
        session.teller().warn(text, None);
    }
    let statements = found.all.take();
    session.teller().tell(What::LoadStarted { path: shown.clone(), bytes: stamp.0 });
    let empties = request.force || reload;
    let schema = ledger.schema.as_deref().unwrap_or_default();
    // Emptying takes our own tables along, and with them what they say.
    let state = if empties { &LedgerState::default() } else { &inspection.state };
    let mut changes = record::first_changes(repo, &ledger, state);
    changes.push(Change::SetMeta { key: meta_key::LOADED.into(), value: digest(files, &path, &shown)? });
    changes.push(Change::SetMeta { key: meta_key::UNSEEDED.into(), value: "loaded".into() });
    changes.push(Change::ClearMeta { key: meta_key::LOADING.into() });
    if let Some(begun) = inspection.state.meta(meta_key::SETUP).filter(|_| empties) {
        changes.push(Change::SetMeta { key: meta_key::SETUP.into(), value: begun.into() });
    }
    let driver = session.driver().await?;
    driver.use_ledger(&ledger);
    let meta = Present { ledger: false, meta: true, progress: false };
    let capacity = driver.lock_capacity().await?;
    // What goes takes its place in the lock table beside what comes.
    let going = match capacity {
        Some(_) if empties => driver.user_objects(&ledger, MANY).await?.len() as u64,
        _ => 0,
    };
    let in_one = fits(found.relations + going, capacity);
    if !in_one {
        session.teller().warn(
            format!(
                "{} relations do not fit into one transaction of this server (max_locks_per_transaction); \
                 the structure is loaded in several",
                found.relations
            ),
            None,
        );
        let marker = [Change::SetMeta { key: meta_key::LOADING.into(), value: "1".into() }];
        record::write(session, &ledger, &marker).await?;
        if empties {
            session.driver().await?.empty().await?;
            // The marker went with everything else, and the first part of the load is not to be without it.
            record::write(session, &ledger, &marker).await?;
        }
    }
    let driver = session.driver().await?;
    driver.begin(true).await?;
    if in_one && empties {
        driver.empty().await?;
    } else if inspection.choice.present.ledger && !empties {
        driver.drop_empty_ledger(&ledger).await?;
    }
    if in_one && (empties || !inspection.choice.present.meta) {
        driver.prepare(&ledger, meta).await?;
    }
    let number = AtomicU64::new(0);
    // The ledger's schema was made with the first of our own tables; a dump makes it, too.
    let verdict = |statement: &Statement| {
        Ok(match found.verdict(number.fetch_add(1, Ordering::Relaxed)) {
            Use::Run if makes_schema(dialect, &statement.text, schema) => Use::RunOnce,
            other => other,
        })
    };
    let teller = session.teller();
    let progress = |bytes| teller.tell(What::LoadProgress { bytes });
    let chunk = if in_one { u64::MAX } else { CHUNK };
    let sent = SqlFile {
        content: Content::File(files, &path),
        shown: &shown,
        dialect,
        joins_rows: author == Author::Ours,
    }
    .send(session.driver().await?, statements, &verdict, &progress, chunk)
    .await
    .and_then(|sent| refuse_changed(files, &path, &shown, stamp).map(|()| sent));
    let statements = match sent {
        Ok(sent) => {
            let driver = session.driver().await?;
            driver.commit(&changes).await.map_err(|failure| Error::from(failure.error))?;
            sent
        }
        Err(error) => {
            let undone = in_one && session.driver().await?.rollback().await.is_ok();
            return Err(error.note(if undone {
                "everything was rolled back: the database is as it was before"
            } else {
                "the database is half loaded; loading it again starts from the beginning"
            }));
        }
    };
    session.statements += statements;
    session.tell_notices();
    session.teller().tell(What::Loaded { path: shown, statements, took: start.elapsed() });
    Ok(statements)
}

/// Passes over what another program set for servers newer than this one, and returns it.
async fn pass_over_unknown(driver: &mut dyn Driver, found: &mut Scan) -> Result<Vec<NewerSetting>, DbError> {
    let mut names: Vec<String> = found.newer_settings.iter().map(|setting| setting.name.clone()).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let unknown = driver.unknown_settings(&names).await?;
    Ok(found.pass_over(&unknown))
}

/// Whether so many relations can be made in one transaction.
fn fits(relations: u64, capacity: Option<u64>) -> bool {
    capacity.is_none_or(|slots| relations * 100 <= slots * LOCK_SHARE)
}

/// Loads a text into an empty database that nobody else knows: as [`load`] does, and without its lock and records.
pub(super) async fn into_scratch(
    driver: &mut dyn Driver,
    text: &str,
    shown: &Path,
    trust: Trust,
) -> Result<()> {
    let (dialect, content) = (driver.about().dialect, Content::Text(text));
    let author = format::author_of(text);
    let mut found = scan::scan(content, shown, dialect, author, trust)?;
    pass_over_unknown(driver, &mut found).await?;
    let chunk = if fits(found.relations, driver.lock_capacity().await?) { u64::MAX } else { CHUNK };
    driver.begin(true).await?;
    let statements = found.all.take();
    let number = AtomicU64::new(0);
    let verdict = |_: &Statement| Ok(found.verdict(number.fetch_add(1, Ordering::Relaxed)));
    SqlFile { content, shown, dialect, joins_rows: author == Author::Ours }
        .send(driver, statements, &verdict, &|_| {}, chunk)
        .await?;
    driver.commit(&[]).await.map_err(|failure| Error::from(failure.error))
}

/// What was scanned is what was sent, or nothing of it stays.
fn refuse_changed(
    files: Files,
    path: &Path,
    shown: &Path,
    stamp: (u64, Option<std::time::SystemTime>),
) -> Result<()> {
    if scan::stamp(files, path, shown)? == stamp {
        return Ok(());
    }
    Err(Error::new(Kind::Io, format!("`{}` was changed while it was loaded", shown.display()))
        .help("load it again"))
}

/// The locks of a load: what empties a database waits for the manual lane too.
fn keys(ledger: &LedgerTable, empties: bool) -> Vec<LockKey> {
    let mut keys = vec![lock::main_key(ledger)];
    if empties {
        keys.push(LockKey { ledger: ledger.clone(), lane: Lane::Manual });
    }
    keys
}

async fn refuse_objects(session: &mut Session<'_>, ledger: &LedgerTable) -> Result<()> {
    let objects = objects(session, ledger).await?;
    if objects.is_empty() { Ok(()) } else { Err(not_empty(session, &objects)) }
}

fn not_empty(session: &Session<'_>, objects: &[String]) -> Error {
    let repo = session.repo();
    let mut error = Error::new(
        Kind::NotEmpty,
        format!("the database of `{}` is not empty, and no migration is recorded in it", repo.name),
    );
    for object in objects {
        error = error.note(object.clone());
    }
    error.help(format!(
        "empty it and load the structure: {}; or keep it and record what it has: {}",
        repo.command("load --force"),
        repo.command("resolve --applied --to VERSION")
    ))
}

/// Returns the checksum of the file, kept in the database to tell what was loaded.
fn digest(files: Files, path: &Path, shown: &Path) -> Result<String> {
    use std::io::Read;

    use sha2::Digest;
    let mut file = files.open(path).map_err(|error| Error::io("read", shown, error))?;
    let mut digest = sha2::Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match file.read(&mut buffer).map_err(|error| Error::io("read", shown, error))? {
            0 => return Ok(format!("sha256:{}", checksum::hex(&digest.finalize()))),
            length => digest.update(&buffer[..length]),
        }
    }
}
