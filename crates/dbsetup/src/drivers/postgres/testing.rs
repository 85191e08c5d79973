//! The databases of a process's tests.
//!
//! A process holds an advisory lock while it lives, and the lock's key is in the names of its databases, as with scratch
//! databases: what nobody holds the lock of, and nobody is connected to, is a dead process's. Connections are used again:
//! a process that runs one test opens one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::Semaphore;

use super::catalog::cell;
use super::error::{advised, has_code, own};
use super::place::Place;
use super::script::query;
use super::server::{APPLICATION, ask, close, create_statement, drop_from, maintenance, run_creation};
use super::session;
use super::template::clone_on;
use super::text::{literal, name};
use crate::driver::{
    BoxFuture, Cloned, Created, DbError, DbErrorClass, Sessions, TemplateName, TestDatabase, TestDatabases,
};
use crate::error::Result;
use crate::ledger::{META_TABLE, meta_key};
use crate::repo::{CreateOptions, DatabaseUrl};

/// What the names of test databases begin with; 16 hexadecimal digits, `_` and a number follow.
const PREFIX: &str = "dbsetup_test_";
/// What the comment of a database begins with that is left to a person; the test follows.
const KEPT: &str = "kept for the test ";
/// How many leftovers of dead processes one process removes before its first test.
const LEFTOVERS: usize = 20;
/// How many databases are made and removed at once. The server copies and removes files; more at once are no faster.
const AT_ONCE: usize = 4;

/// The databases of this process's tests on one server.
pub(super) struct Databases {
    home: Place,
    url: DatabaseUrl,
    recorded: Vec<String>,
    connections: usize,
    digits: String,
    made: AtomicU64,
    /// Connections that nobody uses just now. Each holds the lock.
    idle: Mutex<Vec<PgConnection>>,
    workers: Semaphore,
    /// Databases that are left to a person: the name and the test.
    kept: Mutex<Vec<(String, String)>>,
}

/// Returns how sqlx connects to what `url` names, for tests: their data need not survive a crash of the server.
pub(crate) fn connect_options(url: &DatabaseUrl, application: &str) -> Result<PgConnectOptions> {
    let place = Place::parse(url)?;
    let mut settings = place.settings.clone();
    settings.extend(place.search_path.clone().map(|path| ("search_path".to_owned(), path)));
    if !settings.iter().any(|(name, _)| name == "synchronous_commit") {
        settings.push(("synchronous_commit".to_owned(), "off".to_owned()));
    }
    let application = place.application.as_deref().unwrap_or(application);
    Ok(place
        .connect_options()
        .application_name(super::text::cut(application, super::place::NAME_LIMIT))
        .options(settings.iter().map(|(name, value)| (name, value))))
}

impl Databases {
    /// Opens a server for tests.
    pub(super) async fn open(place: &Place, url: &DatabaseUrl) -> std::result::Result<Self, DbError> {
        let (mut connection, is_there) = match session::open(place, APPLICATION, &[]).await {
            Ok(connection) => (connection, true),
            Err(error) if error.class == DbErrorClass::DatabaseMissing => {
                (maintenance(place, None).await.map_err(full)?, false)
            }
            Err(error) => return Err(full(error)),
        };
        let digits = session::random();
        let dead = format!(
            "NOT EXISTS (SELECT FROM pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1 \
             AND ((l.classid::int8 << 32) | l.objid::int8) = {}) \
             AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.datid = d.oid)",
            key("pg_catalog.substr(d.datname, 14, 16)")
        );
        let opening = format!(
            "{}; \
             SELECT pg_catalog.current_setting('max_connections')::int \
             - pg_catalog.current_setting('superuser_reserved_connections')::int; \
             SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database d \
             WHERE d.datname ~ '^{PREFIX}[0-9a-f]{{16}}_[0-9]+$' AND NOT d.datistemplate \
             AND pg_catalog.pg_has_role(d.datdba, 'MEMBER') AND {dead} ORDER BY d.oid; \
             SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = {} AND c.relkind IN ('r', 'p')",
            hold(&digits),
            literal(META_TABLE)
        );
        let mut answers = query(&mut connection, opening).await.map_err(|failure| failure.error)?.into_iter();
        let (_, about) = (answers.next(), answers.next().unwrap_or_default());
        let (leftovers, schemas) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
        let about = about.first().cloned().unwrap_or_default();
        let mut databases = Self {
            home: place.clone(),
            url: url.clone(),
            recorded: Vec::new(),
            connections: cell(&about, 0).parse().unwrap_or(100),
            digits,
            made: AtomicU64::new(0),
            idle: Mutex::default(),
            workers: Semaphore::new(AT_ONCE),
            kept: Mutex::default(),
        };
        if is_there {
            for schema in &schemas {
                let table = format!("{}.{}", name(&cell(schema, 0)), name(META_TABLE));
                let said =
                    format!("SELECT value FROM {table} WHERE key = {}", literal(meta_key::ENVIRONMENT));
                let rows = ask(&mut connection, said).await.map_err(|mut error| {
                    error.notes.push(format!("looking whose database `{}` is", place.database));
                    error
                })?;
                databases.recorded.extend(rows.iter().map(|row| cell(row, 0)));
            }
        }
        let mut dead = Vec::new();
        for row in &leftovers {
            match cell(row, 1).strip_prefix(KEPT) {
                Some(test) => {
                    databases
                        .kept
                        .get_mut()
                        .expect("nobody else has it yet")
                        .push((cell(row, 0), test.to_owned()));
                }
                None => dead.push(cell(row, 0)),
            }
        }
        for database in dead.iter().take(LEFTOVERS) {
            // Whatever keeps one from going is not this process's business.
            let _ = drop_from(&mut connection, database, Sessions::Keep).await;
        }
        databases.idle.get_mut().expect("nobody else has it yet").push(connection);
        Ok(databases)
    }

    /// Runs `work` on a connection of our own.
    async fn with<T, E: From<DbError>>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        let mut connection = self.take().await?;
        let result = work(&mut connection).await;
        // Whether it is still of use is looked at when it is used again.
        self.idle.lock().expect("nobody panics while holding it").push(connection);
        result
    }

    async fn take(&self) -> std::result::Result<PgConnection, DbError> {
        loop {
            let found = self.idle.lock().expect("nobody panics while holding it").pop();
            let Some(mut connection) = found else { break };
            match ask(&mut connection, "SELECT 1".to_owned()).await {
                Ok(_) => return Ok(connection),
                // The server was started anew, or somebody ended it.
                Err(_) => close(connection).await,
            }
        }
        let opened = match session::open(&self.home, APPLICATION, &[]).await {
            Err(error) if error.class == DbErrorClass::DatabaseMissing => maintenance(&self.home, None).await,
            other => other,
        };
        let mut connection = opened.map_err(full)?;
        ask(&mut connection, hold(&self.digits)).await?;
        Ok(connection)
    }

    async fn create(
        &self,
        connection: &mut PgConnection,
        database: &str,
        template: Option<&TemplateName>,
        options: &CreateOptions,
    ) -> std::result::Result<bool, DbError> {
        let already = || {
            let message = format!("there is a database `{database}` already");
            Err(own(DbErrorClass::Statement, message))
        };
        let Some(template) = template else {
            let statement = create_statement(connection, database, options).await?;
            return match run_creation(connection, database, &statement).await.map_err(explained)? {
                Created::Now => Ok(true),
                Created::Already => already(),
            };
        };
        match clone_on(connection, database, template, options).await? {
            Cloned::Now(_) => Ok(true),
            // Whoever makes it otherwise hears why.
            Cloned::NoTemplate | Cloned::Cannot(_) => Ok(false),
            Cloned::Already => already(),
        }
    }
}

/// The statement by which a connection shows that the process lives.
fn hold(digits: &str) -> String {
    format!("SELECT pg_catalog.pg_advisory_lock_shared({})", key(&literal(digits)))
}

/// The expression of the lock's key for 16 hexadecimal digits.
fn key(digits: &str) -> String {
    format!("('x' || {digits})::bit(64)::int8")
}

/// Says of a server that has no connection left what helps.
fn full(error: DbError) -> DbError {
    if !has_code(&error, "53300") {
        return error;
    }
    advised(
        error,
        "more tests run at once than `max_connections` of the server allows: run fewer (`cargo test -- --test-threads 4`, \
         `test-threads` of nextest), or start the server with a higher `max_connections`",
    )
}

fn explained(error: DbError) -> DbError {
    if error.class == DbErrorClass::Permission {
        let mut error = error;
        error.notes.retain(|note| !note.starts_with("help: "));
        return advised(
            error,
            "tests make databases of their own: `ALTER ROLE … CREATEDB` for the role of the URL",
        );
    }
    error
}

/// Returns the URL of another database of the same server.
fn with_database(url: &DatabaseUrl, database: &str) -> DatabaseUrl {
    let text = url.expose();
    let (head, parameters) = text.split_once('?').map_or((text, None), |(head, tail)| (head, Some(tail)));
    let start = head.find("://").map_or(0, |at| at + 3);
    let end = head[start..].find('/').map_or(head.len(), |at| start + at);
    let parameters: Vec<&str> = parameters
        .into_iter()
        .flat_map(|text| text.split('&'))
        .filter(|pair| !pair.starts_with("dbname="))
        .collect();
    let parameters = if parameters.is_empty() { String::new() } else { format!("?{}", parameters.join("&")) };
    DatabaseUrl::new(format!("{}/{database}{parameters}", &head[..end]))
}

impl TestDatabases for Databases {
    fn recorded(&self) -> &[String] {
        &self.recorded
    }

    fn connections(&self) -> Option<usize> {
        Some(self.connections)
    }

    fn reserve(&self) -> TestDatabase {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let name = format!("{PREFIX}{}_{number}", self.digits);
        let url = with_database(&self.url, &name);
        TestDatabase { name, url, path: None }
    }

    fn make<'a>(
        &'a self,
        database: &'a TestDatabase,
        template: Option<&'a TemplateName>,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, std::result::Result<bool, DbError>> {
        Box::pin(async move {
            let _permit = self.workers.acquire().await;
            self.with(async |connection: &mut PgConnection| {
                self.create(connection, &database.name, template, options).await
            })
            .await
        })
    }

    fn remove<'a>(&'a self, database: &'a TestDatabase) -> BoxFuture<'a, std::result::Result<(), DbError>> {
        Box::pin(async move {
            if !database.name.starts_with(PREFIX) {
                let message = format!("`{}` is no database of a test", database.name);
                return Err(own(DbErrorClass::Refused, message));
            }
            let _permit = self.workers.acquire().await;
            self.with(async |connection: &mut PgConnection| {
                drop_from(connection, &database.name, Sessions::End).await.map(drop)
            })
            .await
        })
    }

    fn keep<'a>(
        &'a self,
        database: &'a TestDatabase,
        test: &'a str,
    ) -> BoxFuture<'a, std::result::Result<(), DbError>> {
        Box::pin(async move {
            let text = literal(&format!("{KEPT}{test}"));
            let note = format!("COMMENT ON DATABASE {} IS {text}", name(&database.name));
            self.with(async |connection: &mut PgConnection| ask(connection, note).await.map(drop)).await
        })
    }

    fn forget<'a>(&'a self, test: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let of_test: Vec<String> = {
                let mut kept = self.kept.lock().expect("nobody panics while holding it");
                kept.extract_if(.., |(_, of)| of == test).map(|(name, _)| name).collect()
            };
            if of_test.is_empty() {
                return;
            }
            // Somebody who looks into one just now keeps it.
            let _ = self
                .with(async |connection: &mut PgConnection| {
                    for database in &of_test {
                        drop_from(connection, database, Sessions::Keep).await?;
                    }
                    Ok::<(), DbError>(())
                })
                .await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_database_is_named_in_the_url_and_all_else_stays() {
        let changed = |url: &str| with_database(&DatabaseUrl::new(url), "t").expose().to_owned();
        assert_eq!(changed("postgres://a:b@h:1/app?sslmode=require"), "postgres://a:b@h:1/t?sslmode=require");
        assert_eq!(changed("postgres://h"), "postgres://h/t");
        assert_eq!(changed("postgres:///app?host=/run&dbname=x"), "postgres:///t?host=/run");
        assert_eq!(changed("postgres://u@?host=/run"), "postgres://u@/t?host=/run");
    }
}
