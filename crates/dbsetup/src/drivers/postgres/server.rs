//! What is done to a server from outside of the database: create, drop, ask, end a session.

use std::pin::pin;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tokio::time::{Instant, sleep, timeout};

use super::catalog::cell;
use super::error::{advised, has_code, own};
use super::place::{Place, check_name};
use super::script::{Row, query};
use super::session;
use super::text::{literal, name};
use crate::driver::{Created, DbError, DbErrorClass, Dropped, Sessions};
use crate::repo::CreateOptions;

/// Databases that every server has: they are where others are made from, and are never dropped.
const FOUNDATIONS: [&str; 3] = ["postgres", "template0", "template1"];
/// How long sessions may take to end, and a template to be free.
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon a server answers that is not busy.
const PROMPTLY: Duration = Duration::from_secs(1);
/// How long sessions that are just saying goodbye are waited for.
const GOODBYES: Duration = Duration::from_millis(300);
/// The pause between two looks at the sessions. `DROP … WITH (FORCE)` pauses for 100 ms.
const PAUSE: Duration = Duration::from_millis(2);
/// What our own sessions outside of the database are called.
pub(super) const APPLICATION: &str = "dbsetup";

/// Sends one message on a connection that is not a session.
pub(super) async fn ask(connection: &mut PgConnection, text: String) -> Result<Vec<Row>, DbError> {
    let mut answers = query(connection, text).await.map_err(|failure| failure.error)?;
    Ok(answers.pop().unwrap_or_default())
}

pub(super) async fn close(connection: PgConnection) {
    // Nobody is left to hear of a failure to say goodbye.
    let _ = connection.close().await;
}

/// What is known of a database that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    There,
    Missing,
    /// A pooler says that it is missing, and does not try again for a while.
    MissingBehindPooler,
}

async fn find(place: &Place) -> Result<Found, DbError> {
    match session::open(place, APPLICATION, &[]).await {
        Ok(connection) => {
            close(connection).await;
            Ok(Found::There)
        }
        Err(error) => match (error.class, error.code.as_deref()) {
            // PgBouncer has one code for all.
            (DbErrorClass::DatabaseMissing, Some("08P01")) => Ok(Found::MissingBehindPooler),
            (DbErrorClass::DatabaseMissing, _) => Ok(Found::Missing),
            // It is there, and this role or nobody may connect to it.
            (_, Some("42501" | "55000")) => Ok(Found::There),
            _ => Err(error),
        },
    }
}

/// Returns whether the database is there, asking it alone.
pub(super) async fn exists(place: &Place) -> Result<bool, DbError> {
    Ok(find(place).await? == Found::There)
}

/// Returns when the server answers.
pub(super) async fn ping(place: &Place) -> Result<(), DbError> {
    exists(place).await.map(drop)
}

/// Connects to where databases are made and dropped from.
pub(super) async fn maintenance(place: &Place, configured: Option<&Place>) -> Result<PgConnection, DbError> {
    maintenance_at(place, configured).await.map(|(connection, _)| connection)
}

/// The same, with the name of the database that it leads to.
async fn maintenance_at<'a>(
    place: &Place,
    configured: Option<&'a Place>,
) -> Result<(PgConnection, &'a str), DbError> {
    if let Some(configured) = configured {
        let opened = session::open(configured, APPLICATION, &[]).await.map_err(|mut error| {
            error.notes.push(format!("this is about `maintenance-url` (database `{}`)", configured.database));
            error
        });
        return opened.map(|connection| (connection, configured.database.as_str()));
    }
    let mut first = None;
    for database in ["postgres", "template1"] {
        if database == place.database {
            continue;
        }
        match session::open(&place.with_database(database), APPLICATION, &[]).await {
            Ok(connection) => return Ok((connection, database)),
            // Another database may still let us in.
            Err(error)
                if error.class == DbErrorClass::DatabaseMissing
                    || matches!(error.code.as_deref(), Some("42501" | "55000" | "28000")) =>
            {
                first.get_or_insert(error);
            }
            Err(error) => return Err(error),
        }
    }
    let error =
        first.unwrap_or_else(|| own(DbErrorClass::Configuration, "there is no other database to work from"));
    Err(advised(error, "name a database that this role may connect to in `maintenance-url`"))
}

async fn is_listed(connection: &mut PgConnection, database: &str) -> Result<bool, DbError> {
    let rows = ask(
        connection,
        format!("SELECT 1 FROM pg_catalog.pg_database WHERE datname = {}", literal(database)),
    )
    .await?;
    Ok(!rows.is_empty())
}

/// Whether another database of the server says that this one is not there; `None` where none answers.
async fn unlisted(place: &Place, configured: Option<&Place>) -> Option<bool> {
    let mut connection = maintenance(place, configured).await.ok()?;
    let listed = is_listed(&mut connection, &place.database).await;
    close(connection).await;
    listed.ok().map(|listed| !listed)
}

/// The error of a pooler that does not tell that a database is missing.
fn hidden(place: &Place) -> DbError {
    let message = format!(
        "the database `{}` does not exist, and what answers is a pooler, through which it cannot be made",
        place.database
    );
    advised(
        own(DbErrorClass::Unsupported, message),
        "name the server itself: the variables `<REPO>_MAINTENANCE_URL` and `<REPO>_DIRECT_URL`, or `maintenance-url` and `direct-url` in Cargo.toml",
    )
}

/// Makes the database.
pub(super) async fn create(
    place: &Place,
    configured: Option<&Place>,
    options: &CreateOptions,
) -> Result<Created, DbError> {
    // Whoever maintains the server says whether it is there, and no pooler has to learn that it is not.
    let listed = match configured {
        Some(_) => unlisted(place, configured).await.map(|unlisted| !unlisted),
        None => None,
    };
    let answer = match listed {
        Some(true) => Ok(Found::There),
        Some(false) => Ok(Found::Missing),
        None => {
            let mut asked = pin!(find(place));
            match timeout(PROMPTLY, &mut asked).await {
                Ok(answer) => answer,
                // A server that is slow answers meanwhile; a pooler keeps whoever wants a missing database waiting.
                Err(_) if unlisted(place, configured).await == Some(true) => {
                    timeout(PROMPTLY, asked).await.unwrap_or(Ok(Found::MissingBehindPooler))
                }
                Err(_) => asked.await,
            }
        }
    };
    match answer {
        Ok(Found::There) => return Ok(Created::Already),
        Ok(Found::Missing) => {}
        Ok(Found::MissingBehindPooler) => return Err(hidden(place)),
        // The role may be made together with the database; who maintains the server sees both.
        Err(error) if error.class == DbErrorClass::Permission && configured.is_some() => {}
        Err(error) => return Err(error),
    }
    let mut connection = maintenance(place, configured).await?;
    let made = create_from(&mut connection, &place.database, options).await;
    close(connection).await;
    made
}

pub(super) async fn create_from(
    connection: &mut PgConnection,
    database: &str,
    options: &CreateOptions,
) -> Result<Created, DbError> {
    let statement = create_statement(connection, database, options).await?;
    run_creation(connection, database, &statement).await
}

/// Runs a `CREATE DATABASE`, again while its template is busy.
pub(super) async fn run_creation(
    connection: &mut PgConnection,
    database: &str,
    statement: &str,
) -> Result<Created, DbError> {
    let deadline = Instant::now() + PATIENCE;
    let mut pause = Duration::from_millis(20);
    loop {
        let error = match ask(connection, statement.to_owned()).await {
            Ok(_) => break,
            Err(error) => error,
        };
        match error.code.as_deref() {
            // Somebody else made it in between: the name is taken, or its row is.
            Some("42P04" | "23505") => return Ok(Created::Already),
            // No right to create databases, and none is needed when somebody else made it.
            Some("42501") if is_listed(connection, database).await? => return Ok(Created::Already),
            Some("42501") => {
                return Err(advised(
                    error,
                    "grant it with `ALTER ROLE … CREATEDB`, or set `maintenance-url`",
                ));
            }
            // Two creations at once copy the same template.
            Some("55006") if Instant::now() + pause < deadline => {
                sleep(pause).await;
                pause = (pause * 2).min(Duration::from_millis(500));
            }
            _ => return Err(error),
        }
    }
    Ok(Created::Now)
}

/// Returns the `CREATE DATABASE` for `options`.
pub(super) async fn create_statement(
    connection: &mut PgConnection,
    database: &str,
    options: &CreateOptions,
) -> Result<String, DbError> {
    for (what, value) in [("template", &options.template), ("owner", &options.owner)] {
        if let Some(value) = value {
            check_name(what, value).map_err(|message| own(DbErrorClass::Configuration, message))?;
        }
    }
    if options.charset.is_some() && options.encoding.is_none() {
        return Err(own(DbErrorClass::Configuration, "`charset` is MySQL's word: set `encoding`"));
    }
    let mut template = options.template.clone();
    if template.is_none() && (options.encoding.is_some() || options.collation.is_some()) {
        // Another encoding or collation than the template's can be had from `template0` alone.
        let rows = ask(
            connection,
            "SELECT pg_catalog.pg_encoding_to_char(encoding), datcollate, datctype \
             FROM pg_catalog.pg_database WHERE datname = 'template1'"
                .into(),
        )
        .await?;
        let has = |index: usize, wanted: &Option<String>| {
            wanted
                .as_ref()
                .is_none_or(|wanted| rows.first().is_some_and(|row| same(&cell(row, index), wanted)))
        };
        if !(has(0, &options.encoding) && has(1, &options.collation) && has(2, &options.collation)) {
            template = Some("template0".to_owned());
        }
    }
    let mut statement = format!("CREATE DATABASE {}", name(database));
    let mut add = |word: &str, value: String| statement.push_str(&format!(" {word} = {value}"));
    if let Some(owner) = &options.owner {
        add("OWNER", name(owner));
    }
    if let Some(template) = &template {
        add("TEMPLATE", name(template));
    }
    if let Some(encoding) = &options.encoding {
        add("ENCODING", literal(encoding));
    }
    if let Some(collation) = &options.collation {
        add("LC_COLLATE", literal(collation));
        add("LC_CTYPE", literal(collation));
    }
    Ok(statement)
}

/// Whether two spellings name one encoding or locale: `UTF8` and `utf-8`.
fn same(one: &str, other: &str) -> bool {
    let folded = |text: &str| -> String {
        text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    folded(one) == folded(other)
}

/// Removes the database, and returns the connection to where that was done, if it may stay open.
pub(super) async fn drop_database(
    place: &Place,
    configured: Option<&Place>,
    sessions: Sessions,
) -> Result<(Dropped, Option<PgConnection>), DbError> {
    if FOUNDATIONS.contains(&place.database.as_str()) {
        return Err(own(DbErrorClass::Refused, format!("`{}` is never dropped", place.database)));
    }
    let (mut connection, database) = maintenance_at(place, configured).await?;
    let dropped = drop_from(&mut connection, &place.database, sessions).await;
    // What databases are copied from is not to be kept busy.
    if dropped.is_ok() && database != "template1" {
        return dropped.map(|dropped| (dropped, Some(connection)));
    }
    close(connection).await;
    dropped.map(|dropped| (dropped, None))
}

pub(super) async fn drop_from(
    connection: &mut PgConnection,
    database: &str,
    sessions: Sessions,
) -> Result<Dropped, DbError> {
    // The server ends its own vacuum workers when a database is dropped.
    let from = format!(
        "FROM pg_catalog.pg_database d LEFT JOIN pg_catalog.pg_stat_activity a ON a.datid = d.oid \
         AND a.pid <> pg_catalog.pg_backend_pid() AND coalesce(a.backend_type, '') <> 'autovacuum worker' \
         WHERE d.datname = {}",
        literal(database)
    );
    let deadline = Instant::now() + if sessions == Sessions::End { PATIENCE } else { GOODBYES };
    let mut ended = std::collections::BTreeSet::new();
    loop {
        let look = match sessions {
            Sessions::Keep => format!("SELECT a.pid, a.application_name {from}"),
            Sessions::End => {
                format!("SELECT a.pid, a.application_name, pg_catalog.pg_terminate_backend(a.pid) {from}")
            }
        };
        let mut rows = ask(connection, look).await?;
        if rows.is_empty() {
            return Ok(Dropped::Already);
        }
        // A database that nobody is connected to has a row all the same.
        rows.retain(|row| !cell(row, 0).is_empty());
        if rows.is_empty() {
            match ask(connection, format!("DROP DATABASE {}", name(database))).await {
                Ok(_) => return Ok(Dropped::Now { sessions: ended.len() }),
                Err(error) if has_code(&error, "3D000") => return Ok(Dropped::Already),
                // Somebody connected in between.
                Err(error) if has_code(&error, "55006") && Instant::now() < deadline => {}
                Err(error) => return Err(error),
            }
        } else if Instant::now() >= deadline {
            return Err(in_use(database, &rows, sessions));
        } else if sessions == Sessions::End {
            ended.extend(rows.iter().map(|row| cell(row, 0)));
        }
        sleep(PAUSE).await;
    }
}

fn in_use(database: &str, rows: &[Row], sessions: Sessions) -> DbError {
    let mut names: Vec<String> = rows
        .iter()
        .map(|row| match cell(row, 1) {
            application if application.is_empty() => format!("pid {}", cell(row, 0)),
            application => format!("{} (pid {})", application.escape_debug(), cell(row, 0)),
        })
        .collect();
    names.sort();
    let noun = if rows.len() == 1 { "session is" } else { "sessions are" };
    let message = format!("{} other {noun} connected to `{database}`: {}", rows.len(), names.join(", "));
    let error = DbError { code: Some("55006".into()), ..own(DbErrorClass::Statement, message) };
    match sessions {
        Sessions::Keep => advised(error, "close them, or end them with `drop --force-drop`"),
        Sessions::End => advised(error, "they come back as fast as they are ended: stop that program first"),
    }
}

/// Ends one of our own sessions, named by its process and application, and returns when it is gone.
pub(super) async fn end_session(place: &Place, session: &str) -> Result<(), DbError> {
    let (pid, application) = session.split_once(' ').unwrap_or((session, ""));
    let pid: u32 = pid.parse().map_err(|_| {
        own(DbErrorClass::Configuration, format!("`{}` names no session", session.escape_debug()))
    })?;
    let mut connection = session::open(place, APPLICATION, &[]).await?;
    let it = format!(
        "FROM pg_catalog.pg_stat_activity WHERE pid = {pid} AND application_name = {} \
         AND pid <> pg_catalog.pg_backend_pid()",
        literal(application)
    );
    let deadline = Instant::now() + PATIENCE;
    // The process may belong to somebody else by now: the name is looked at each time.
    let result = loop {
        match ask(&mut connection, format!("SELECT pg_catalog.pg_terminate_backend(pid) {it}")).await {
            Ok(rows) if rows.is_empty() => break Ok(()),
            Ok(_) if Instant::now() < deadline => sleep(PAUSE).await,
            Ok(_) => {
                break Err(own(DbErrorClass::Unsupported, format!("the session {pid} does not end")));
            }
            Err(error) => break Err(error),
        }
    };
    close(connection).await;
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_an_encoding_are_one() {
        assert!(same("UTF8", "utf-8"));
        assert!(same("C.UTF-8", "C.utf8"));
        assert!(!same("UTF8", "SQL_ASCII"));
    }

    #[test]
    fn sessions_that_stand_in_the_way_are_counted_and_named() {
        let row = |pid: &str, name: &str| vec![Some(pid.to_owned()), Some(name.to_owned())];
        let error = in_use("core", &[row("7", "psql"), row("8", "")], Sessions::Keep);
        assert_eq!(error.message, "2 other sessions are connected to `core`: pid 8, psql (pid 7)");
        assert!(error.notes[0].contains("--force-drop"));
    }
}
