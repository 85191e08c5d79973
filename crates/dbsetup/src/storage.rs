//! Databases themselves: making, removing, waiting for them.

use std::time::{Duration, Instant};

use crate::driver::{Created, DbErrorClass, Dropped, Sessions};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::record;
use crate::repo::{CreateOptions, Repo};
use crate::session::Session;

/// Creates the repo's database unless it is there, and records whose it is.
///
/// # Errors
/// [`Kind::Permission`] when the role may not create databases and it is missing; those of the server.
pub async fn create(session: &mut Session<'_>) -> Result<Created> {
    let result = create_and_record(session).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

/// Returns how a repo's database is made.
pub(crate) fn options(repo: &Repo) -> CreateOptions {
    let mut options = repo.create.clone();
    // The role that owns what migrations make is to find a database that it may make them in.
    options.owner = options.owner.or_else(|| repo.role.clone());
    options
}

async fn create_and_record(session: &mut Session<'_>) -> Result<Created> {
    let start = Instant::now();
    let repo = session.repo();
    let options = options(repo);
    let created = session.server().create(&options).await.map_err(|error| {
        let refused = matches!(error.code.as_deref(), Some("28P01" | "28000"));
        let denied = error.class == DbErrorClass::Permission && !refused;
        let target = &session.server().target().shown;
        let result = Error::from(error).note(format!("creating the database for `{}` ({target})", repo.name));
        if refused && result.help_text().is_none() {
            result.help("the server refuses the login: check user and password, and what `pg_hba.conf` of the server lets in")
        } else if denied && result.help_text().is_none() {
            result.help("grant the role CREATEDB, or set `maintenance-url` to a role that has it")
        } else {
            result
        }
    })?;
    let target = session.server().target().shown.clone();
    match created {
        Created::Now => {
            session.created_now().await;
            record::note_creation(session).await?;
            session.teller().tell(What::Created { target, took: start.elapsed() });
        }
        Created::Already => return Ok(found(session)),
    }
    Ok(created)
}

/// Says that the database is there.
pub(crate) fn found(session: &Session<'_>) -> Created {
    let target = session.server().target().shown.clone();
    session.teller().tell(What::AlreadyCreated { target });
    Created::Already
}

/// Drops the repo's database; missing is success.
///
/// # Errors
/// When other sessions use it and may not be ended; those of the server.
pub async fn drop(session: &mut Session<'_>, sessions: Sessions) -> Result<Dropped> {
    let start = Instant::now();
    session.close().await;
    let dropped = session.server().drop(sessions).await.map_err(|error| {
        let target = &session.server().target().shown;
        Error::from(error).note(format!("dropping the database of `{}` ({target})", session.repo().name))
    })?;
    // What was not found here may be found by its own URL: a pooler has names of its own.
    if matches!(dropped, Dropped::Now { .. }) {
        session.dropped_now();
    }
    let target = session.server().target().shown.clone();
    session.teller().tell(match dropped {
        Dropped::Now { sessions } => What::Dropped { target, sessions, took: start.elapsed() },
        Dropped::Already => What::AlreadyDropped { target },
    });
    Ok(dropped)
}

/// Waits until the server answers; the database itself may be missing.
///
/// # Errors
/// [`Kind::Unreachable`] when it does not within `timeout`; at once for what waiting does not mend, like a wrong
/// password.
pub async fn wait(session: &mut Session<'_>, timeout: Duration) -> Result<()> {
    const PAUSE: Duration = Duration::from_millis(250);
    const TELL_EVERY: Duration = Duration::from_secs(5);
    let start = Instant::now();
    let target = session.server().target().shown.clone();
    let mut told: Option<Instant> = None;
    loop {
        let left = timeout.saturating_sub(start.elapsed()).max(Duration::from_millis(100));
        let why = match tokio::time::timeout(left, session.server().ping()).await {
            Ok(Ok(())) => {
                session.teller().tell(What::Reachable { target, took: start.elapsed() });
                return Ok(());
            }
            Ok(Err(error)) => {
                if !matches!(
                    error.class,
                    DbErrorClass::Unreachable | DbErrorClass::NotReady | DbErrorClass::ConnectionLost
                ) {
                    return Err(error.into());
                }
                error.message
            }
            Err(_) => "it does not answer".to_owned(),
        };
        let waited = start.elapsed();
        if waited >= timeout {
            return Err(Error::new(
                Kind::Unreachable,
                format!("{target} did not answer within {:.0} s", timeout.as_secs_f64()),
            )
            .note(why)
            .help(if session.repo().program.knows("config") {
                format!(
                    "is the server running, and is the URL right? {} shows it",
                    session.repo().command("config")
                )
            } else {
                "is the server running, and is the URL right?".to_owned()
            }));
        }
        if told.is_none_or(|at| at.elapsed() >= TELL_EVERY) {
            session.teller().tell(What::Unreachable { target: target.clone(), waited, why });
            told = Some(Instant::now());
        }
        tokio::time::sleep(PAUSE.min(timeout - waited)).await;
    }
}
