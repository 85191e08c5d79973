//! Work in a scratch database, by the same loader and migrator as in the real one: they see a [`Session`], whose server
//! is that one database.

use std::path::Path;
use std::sync::Arc;

use super::grantor::Trust;
use super::load;
use crate::driver::{
    BoxFuture, Created, DbError, DbErrorClass, Driver, Dropped, Scratch, Server, SessionOptions, Sessions,
    Target, Templates,
};
use crate::error::{Error, Kind, Result};
use crate::event::{Observer, Silent};
use crate::ledger::LedgerTable;
use crate::repo::{CreateOptions, DatabaseUrl, Repo, VersionOrder};
use crate::session::Session;
use crate::sql::Dialect;

/// Makes a scratch database like the session's own, hands a session on it to `work`, and removes it on every path. Its
/// ledger is, or will be, of the same kind and in the same table as the original's. Nothing is told.
///
/// # Errors
/// Those of `work`; [`Kind::Permission`] without the right to make a database; [`Kind::Pooled`] behind a pooler; those
/// of removing it.
pub async fn in_scratch<T>(
    session: &mut Session<'_>,
    work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T>,
) -> Result<T> {
    in_scratch_heard(session, &Silent, work).await
}

/// The same, telling what happens in it.
///
/// # Errors
/// Those of [`in_scratch`].
pub async fn in_scratch_heard<T>(
    session: &mut Session<'_>,
    observer: &dyn Observer,
    work: impl AsyncFnOnce(&mut Session<'_>) -> Result<T>,
) -> Result<T> {
    let ledger = match session.inspect_if_exists().await {
        Ok(found) => found.map(|inspection| inspection.choice.table),
        // Where scratch databases are made elsewhere, as in CI, nobody has to answer at the URL.
        Err(error) if error.kind() == Kind::Unreachable && session.repo().scratch_url.is_some() => None,
        Err(error) => return Err(error),
    };
    if ledger.is_some() {
        refuse_pooled(session, "").await?;
    }
    let repo = pinned(session.repo(), ledger.as_ref());
    let dialect = session.server().dialect();
    let scratch = session.make_scratch().await.map_err(|error| not_made(error, ""))?;
    let server = Box::new(ScratchServer { scratch, dialect });
    // Whoever drops this future leaves the database to the session, which knows of it.
    let mut inside = Session::with_scratch(&repo, observer, "replay", server, ledger);
    let result = work(&mut inside).await;
    inside.close().await;
    drop(inside);
    let discarded = session.discard_scratch().await;
    let result = result?;
    discarded.map(|()| result)
}

/// Loads the text of a structure file (`shown` in messages) into a scratch database. Unless it is `trusted`, what reaches
/// beyond the database is refused.
///
/// # Errors
/// Those of the text, which point into it.
pub async fn loaded(scratch: &mut Session<'_>, text: &str, shown: &Path, trusted: bool) -> Result<()> {
    let trust = Trust::of(scratch.repo().role.as_deref(), trusted);
    let result = load::into_scratch(scratch.driver().await?, text, shown, trust).await;
    // What the text set for its own session is not handed on to anything that follows.
    scratch.close().await;
    result.map_err(in_scratch_only)
}

/// Says of a text that did not load where it was loaded.
pub(super) fn in_scratch_only(error: Error) -> Error {
    error.note("it was loaded into a scratch database, which is removed: nothing else was touched")
}

/// The repo of a scratch database: the ledger is decided, nobody is waited for, and nothing comes before or after.
fn pinned(repo: &Repo, ledger: Option<&LedgerTable>) -> Repo {
    let mut repo = repo.clone();
    if let Some(ledger) = ledger {
        repo.ledger.kind = Some(ledger.kind);
        repo.ledger.table = Some(ledger.shown());
    }
    repo.seed_command = None;
    repo.dump_after_migrate = false;
    repo.version_order = VersionOrder::Any;
    repo.statement_timeout = None;
    repo
}

/// Refuses a session through which no scratch database can be used. `so` begins the message.
pub(super) async fn refuse_pooled(session: &mut Session<'_>, so: &str) -> Result<()> {
    match session.driver().await?.about().capabilities.pooled.clone() {
        Some(why) => {
            Err(Error::new(Kind::Pooled, format!("{so}a scratch database needs a session of its own"))
                .note(why)
                .help(session.repo().past_pooler()))
        }
        None => Ok(()),
    }
}

/// Returns the error of a scratch database that cannot be had. `so` begins the message.
pub(super) fn not_made(mut error: DbError, so: &str) -> Error {
    let why = match error.class {
        DbErrorClass::Permission => "no right to make a scratch database",
        _ => "no scratch database can be made",
    };
    error.message = format!("{so}{why}: {}", error.message);
    error.into()
}

/// A scratch database as a server that has it and no other.
struct ScratchServer {
    scratch: Arc<dyn Scratch>,
    dialect: Dialect,
}

/// The answer to what is never done to a scratch database.
fn refused<T: Send + 'static>(what: &str) -> BoxFuture<'static, Result<T, DbError>> {
    let message = format!("a scratch database is not {what}");
    let error = DbError { class: DbErrorClass::Refused, message, code: None, notes: Vec::new() };
    Box::pin(async move { Err(error) })
}

/// Nothing is copied from what is thrown away, nor into it.
impl Templates for ScratchServer {}

impl Server for ScratchServer {
    fn target(&self) -> &Target {
        self.scratch.target()
    }

    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn exists(&self) -> BoxFuture<'_, Result<bool, DbError>> {
        Box::pin(async { Ok(true) })
    }

    fn create<'a>(&'a self, _: &'a CreateOptions) -> BoxFuture<'a, Result<Created, DbError>> {
        refused("created again")
    }

    fn drop(&self, _: Sessions) -> BoxFuture<'_, Result<Dropped, DbError>> {
        refused("dropped but by its maker")
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async { Ok(()) })
    }

    fn connect<'a>(&'a self, options: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>> {
        self.scratch.connect(options)
    }

    /// Sessions end with the database.
    fn end_session<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(async { Ok(()) })
    }

    fn scratch<'a>(
        &'a self,
        _: Option<&'a DatabaseUrl>,
        _: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn Scratch>, DbError>> {
        refused("the model of another one")
    }
}
