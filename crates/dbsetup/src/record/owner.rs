//! Which repo a database belongs to. A URL that was swapped must not run one repo's migrations on another's database; a
//! repo that was renamed is told from that by its migrations.
//!
//! The name is kept for each ledger table: repos may share a database where each has a schema or a ledger table of its own.

use crate::driver::LedgerState;
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::ledger::{Change, LedgerKind, LedgerTable, meta_key};
use crate::lock;
use crate::migration::assess::{Assessment, State, recorded_checksum};
use crate::migration::{Entry, FileSet, assess::assess};
use crate::repo::{Lane, Repo, RepoName};
use crate::session::{Inspection, Session};

/// What the record alone says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner<'a> {
    /// Nothing, or this repo's name.
    NotOther,
    /// Another repo's name: that of this very ledger, or of another ledger in a database that is not shared on purpose.
    Other { before: &'a str, of_this_ledger: bool },
}

/// Whose a database is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Belongs {
    /// No name is recorded.
    #[default]
    Unrecorded,
    /// This repo's.
    Ours,
    /// It is recorded for this name, and its migrations are this repo's, all that it knows of: the repo was renamed.
    Renamed(String),
    /// It is recorded for this repo, and nothing says that it could be the same one.
    Other(String),
}

/// The key of the record that says whose a ledger is.
pub(super) fn key(ledger: &LedgerTable) -> String {
    format!("{}{}", meta_key::REPO_PREFIX, ledger.name)
}

/// The change that records the repo.
pub(super) fn change(repo: &Repo, ledger: &LedgerTable) -> Change {
    Change::SetMeta { key: key(ledger), value: repo.name.as_str().to_owned() }
}

/// Returns what the record says, before any file is read.
pub(super) fn recorded<'s>(repo: &Repo, ledger: &LedgerTable, state: &'s LedgerState) -> Owner<'s> {
    let is_other = |name: &str| RepoName::new(name) != repo.name;
    if let Some(name) = state.meta(&key(ledger)) {
        return match is_other(name) {
            true => Owner::Other { before: name, of_this_ledger: true },
            false => Owner::NotOther,
        };
    }
    // A ledger table that somebody has chosen shares the database on purpose, whichever of the two wrote first.
    let names =
        state.meta.iter().filter_map(|(key, name)| Some((key.strip_prefix(meta_key::REPO_PREFIX)?, name)));
    let is_default = |table: &str| LedgerKind::ALL.iter().any(|kind| kind.default_table() == table);
    let mut others = names.filter(|(table, name)| is_default(table) && is_other(name));
    match others.next().filter(|_| repo.ledger.table.is_none()) {
        Some((_, before)) => Owner::Other { before, of_this_ledger: false },
        None => Owner::NotOther,
    }
}

/// Returns the name that a database is recorded for, where that is not this repo's, whatever its migrations say.
pub fn recorded_for_other<'s>(repo: &Repo, ledger: &LedgerTable, state: &'s LedgerState) -> Option<&'s str> {
    match recorded(repo, ledger, state) {
        Owner::Other { before, .. } => Some(before),
        Owner::NotOther => None,
    }
}

/// Whether the record names another repo: somebody has to look closely.
pub(crate) fn is_of_other(repo: &Repo, ledger: &LedgerTable, state: &LedgerState) -> bool {
    recorded(repo, ledger, state) != Owner::NotOther
}

/// Returns whose a database is. Files are read only where the record names another repo.
///
/// # Errors
/// Those of the files.
pub fn belongs(repo: &Repo, ledger: &LedgerTable, state: &LedgerState) -> Result<Belongs> {
    judged(repo, ledger, state).map(|(belongs, _)| belongs)
}

/// Returns whose a database is, and what speaks against this repo where something does.
fn judged(repo: &Repo, ledger: &LedgerTable, state: &LedgerState) -> Result<(Belongs, Option<String>)> {
    let (before, of_this_ledger) = match recorded(repo, ledger, state) {
        Owner::NotOther if state.meta(&key(ledger)).is_some() => return Ok((Belongs::Ours, None)),
        Owner::NotOther => return Ok((Belongs::Unrecorded, None)),
        Owner::Other { before, of_this_ledger } => (before.to_owned(), of_this_ledger),
    };
    if state.rows.is_empty() {
        // Nobody has migrated it yet; a structure that was loaded is somebody's all the same.
        let is_empty = [meta_key::LOADED, meta_key::LOADING].iter().all(|mark| state.meta(mark).is_none());
        let renamed = of_this_ledger && is_empty && state.progress.is_empty();
        return Ok((if renamed { Belongs::Renamed(before) } else { Belongs::Other(before) }, None));
    }
    let mut files = FileSet::read(repo, &[])?;
    files.complete(repo, ledger, state)?;
    let found = assess(&files, ledger, &repo.ledger, state);
    if !found.entries.iter().any(|entry| is_proof(entry, ledger, state)) {
        let name = &repo.name;
        let doubt = match state.rows.len() {
            1 => format!("the migration that is applied to it is none of `{name}`"),
            many => format!("none of the {many} migrations that are applied to it is one of `{name}`"),
        };
        return Ok((Belongs::Other(before), Some(doubt)));
    }
    if !of_this_ledger {
        // It has been here all along, beside the other one.
        return Ok((Belongs::Unrecorded, None));
    }
    // Repos that were made of one template share its migrations; what they wrote after that tells them apart.
    Ok(match doubt(repo, &found) {
        None => (Belongs::Renamed(before), None),
        doubt => (Belongs::Other(before), doubt),
    })
}

/// Returns what a database that was this repo's all the time would not have: an applied migration that this repo does not
/// know, or knows otherwise, among those up to its newest; or newer ones that it does not know, while one of its own is
/// pending. A database that is merely ahead is one that a newer release has migrated.
fn doubt(repo: &Repo, found: &Assessment<'_>) -> Option<String> {
    let is_known = |entry: &Entry<'_>| {
        entry.migration.is_some()
            || entry.squashed.is_some()
            || entry.state == State::FileMissing { archived: true }
    };
    let is_strange = |entry: &&Entry<'_>| match entry.state {
        State::Changed { .. } => true,
        _ if found.floor.changed.contains(&entry.version) => true,
        _ => entry.row.is_some_and(|row| !row.is_code()) && !is_known(entry),
    };
    let newest = found.entries.iter().rfind(|entry| is_known(entry)).map(|entry| &entry.version);
    let mut strange = found.entries.iter().filter(is_strange);
    let first = strange.next()?;
    let name = &repo.name;
    if newest.is_some_and(|newest| first.version <= *newest) {
        let version = &first.version;
        return Some(format!(
            "migration {version} that is applied to it is none of `{name}`, though others are"
        ));
    }
    let is_pending = |entry: &&Entry<'_>| {
        matches!(entry.state, State::Pending | State::Blocked { .. }) && entry.lane() == Some(Lane::Automatic)
    };
    let pending = found.entries.iter().find(is_pending)?;
    Some(format!(
        "migration {} of `{name}` is not applied to it, and {}, which is none of `{name}`, is",
        pending.version, first.version
    ))
}

/// Whether an applied migration is one of the repo's files: a checksum says so, or else a version that no two repos have by
/// chance, as `1` is in every repo that counts. `00000000000000` proves nothing: diesel writes the same file into each.
fn is_proof(entry: &Entry<'_>, ledger: &LedgerTable, state: &LedgerState) -> bool {
    let Some(row) = entry.row.filter(|row| row.success) else { return false };
    let is_ours = match entry.state {
        State::Applied | State::LineEndings | State::Interrupted { .. } => {
            entry.migration.is_some() || entry.squashed.is_some()
        }
        State::FileMissing { archived } => archived,
        _ => false,
    };
    let recorded = recorded_checksum(row, ledger, state);
    let has_checksum = match (entry.migration, entry.squashed) {
        (Some(migration), _) => recorded.is_some() && migration.code.is_none(),
        (None, Some(squashed)) => recorded.is_some() && squashed.checksum.as_deref() == recorded,
        (None, None) => false,
    };
    let digits = row.version.chars().filter(char::is_ascii_digit).count();
    is_ours && (has_checksum || digits >= 8) && row.version.contains(|c: char| matches!(c, '1'..='9'))
}

/// Refuses to work on the database of another repo.
///
/// # Errors
/// [`Kind::WrongDatabase`]; those of the files.
pub(crate) fn refuse_other_repo(session: &Session<'_>, inspection: &Inspection) -> Result<()> {
    if session.is_scratch() {
        return Ok(());
    }
    let (repo, ledger, state) = (session.repo(), &inspection.choice.table, &inspection.state);
    match judged(repo, ledger, state)? {
        (Belongs::Other(other), doubt) => Err(refusal(repo, &other, doubt, state, ledger)),
        _ => Ok(()),
    }
}

fn refusal(
    repo: &Repo,
    other: &str,
    doubt: Option<String>,
    state: &LedgerState,
    ledger: &LedgerTable,
) -> Error {
    let name = &repo.name;
    let from = match &repo.url_from {
        _ if repo.direct_url.is_some() => " past the pooler".to_owned(),
        Some(from) => format!(" ({from})"),
        None => String::new(),
    };
    let message = format!("the database that the URL of `{name}`{from} names belongs to the repo `{other}`");
    let error = Error::new(Kind::WrongDatabase, message);
    let error = doubt.into_iter().fold(error, Error::note);
    // With another table a repo whose migrations are here begins with the first one again.
    let sharing = if state.meta(&key(ledger)).is_some() || !state.rows.is_empty() {
        String::new()
    } else {
        format!(
            "; where both are to share it, give `{name}` a table of its own: `ledger.table` in Cargo.toml"
        )
    };
    error.note("nothing was done").help(format!(
        "check the URL; if `{other}` is what `{name}` was called: {}{sharing}",
        repo.command(&format!("resolve --environment {}", repo.environment))
    ))
}

/// Records the new name of a repo that was renamed, and says so; or the name of one that has been here beside another. To be called after [`refuse_other_repo`], by who writes.
///
/// # Errors
/// Those of the lock and of writing.
pub(crate) async fn take_over(session: &mut Session<'_>, seen: &Inspection) -> Result<()> {
    let repo = session.repo();
    if session.is_scratch() || !is_of_other(repo, &seen.choice.table, &seen.state) {
        return Ok(());
    }
    let ledger = seen.choice.table.clone();
    let main = lock::main_key(&ledger);
    lock::acquire(session, &main).await?;
    let now = session.inspect().await?;
    refuse_other_repo(session, &now)?;
    match belongs(repo, &ledger, &now.state)? {
        Belongs::Renamed(before) => {
            super::write(session, &ledger, &[change(repo, &ledger)]).await?;
            session.teller().tell(What::RepoRecorded { before });
        }
        // Beside another one's: with a name of its own it is not looked at so closely again.
        Belongs::Unrecorded => super::write(session, &ledger, &[change(repo, &ledger)]).await?,
        Belongs::Ours | Belongs::Other(_) => {}
    }
    lock::release(session, &main).await
}

#[cfg(test)]
mod tests;
