//! The databases of a process's tests.
//!
//! A process holds an advisory lock while it lives, and the lock's key is in the names of its databases, as with scratch
//! databases: what nobody holds the lock of, and nobody is connected to, is a dead process's. Connections are used again:
//! a process that runs one test opens one.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use tokio::sync::Semaphore;

use super::catalog::cell;
use super::error::{advised, has_code, own};
use super::place::Place;
use super::script::query;
use super::server::{APPLICATION, ask, close, create_statement, drop_from, maintenance, run_creation};
use super::session;
use super::text::{literal, name};
use crate::driver::{
    BoxFuture, Created, DbError, DbErrorClass, Fill, Sessions, TestDatabase, TestDatabases,
};
use crate::error::Result;
use crate::ledger::{META_TABLE, meta_key};
use crate::repo::{CreateOptions, DatabaseUrl};

/// What the names of test databases begin with; 16 hexadecimal digits, `_` and a number follow.
const PREFIX: &str = "dbsetup_test_";
/// What the names of templates begin with.
const TEMPLATE_PREFIX: &str = "dbsetup_template_";
/// What the comment of a database begins with that is left to a person; the test follows.
const KEPT: &str = "kept for the test ";
/// How long a template is kept that nobody has made a copy of.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often it is noted that a template is still used.
const NOTED: Duration = Duration::from_secs(24 * 3600);
/// How many leftovers of dead processes one process removes before its first test.
const LEFTOVERS: usize = 20;
/// How many databases are made and removed at once. The server copies and removes files; more at once are no faster.
const AT_ONCE: usize = 4;

/// The databases of this process's tests on one server.
pub(super) struct Databases {
    home: Place,
    url: DatabaseUrl,
    engine: String,
    recorded: Vec<String>,
    connections: usize,
    digits: String,
    made: AtomicU64,
    /// Connections that nobody uses just now. Each holds the lock.
    idle: Mutex<Vec<PgConnection>>,
    workers: Semaphore,
    /// Databases that are left to a person: the name and the test.
    kept: Mutex<Vec<(String, String)>>,
    /// Templates and their comments, as far as nothing was noted there since.
    templates: Mutex<Vec<(String, String)>>,
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
             SELECT pg_catalog.current_setting('server_version_num'), pg_catalog.current_setting('max_connections')::int \
             - pg_catalog.current_setting('superuser_reserved_connections')::int; \
             SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database d \
             WHERE d.datname ~ '^{PREFIX}[0-9a-f]{{16}}_[0-9]+$' AND NOT d.datistemplate \
             AND pg_catalog.pg_has_role(d.datdba, 'MEMBER') AND {dead} ORDER BY d.oid; \
             SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relname = {} AND c.relkind IN ('r', 'p'); \
             {}",
            hold(&digits),
            literal(META_TABLE),
            templates(),
        );
        let mut answers = query(&mut connection, opening).await.map_err(|failure| failure.error)?.into_iter();
        let (_, about) = (answers.next(), answers.next().unwrap_or_default());
        let (leftovers, schemas) = (answers.next().unwrap_or_default(), answers.next().unwrap_or_default());
        let templates = answers.next().unwrap_or_default();
        let about = about.first().cloned().unwrap_or_default();
        let version: u32 = cell(&about, 0).parse().unwrap_or_default();
        let mut databases = Self {
            home: place.clone(),
            url: url.clone(),
            engine: format!("PostgreSQL {}", version / 10_000),
            recorded: Vec::new(),
            connections: cell(&about, 1).parse().unwrap_or(100),
            digits,
            made: AtomicU64::new(0),
            idle: Mutex::default(),
            workers: Semaphore::new(AT_ONCE),
            kept: Mutex::default(),
            templates: Mutex::new(templates.iter().map(|row| (cell(row, 0), cell(row, 1))).collect()),
        };
        if is_there {
            for schema in &schemas {
                let table = format!("{}.{}", name(&cell(schema, 0)), name(META_TABLE));
                let said = format!("SELECT value FROM {table} WHERE key = {}", literal(meta_key::ENVIRONMENT));
                let rows = ask(&mut connection, said).await?;
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
        template: Option<&str>,
        options: &CreateOptions,
    ) -> std::result::Result<Option<TestDatabase>, DbError> {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let database = format!("{PREFIX}{}_{number}", self.digits);
        let statement = match template {
            Some(template) => {
                let owner = options.owner.as_deref().map(|owner| format!(" OWNER = {}", name(owner)));
                let owner = owner.unwrap_or_default();
                format!("CREATE DATABASE {} TEMPLATE = {}{owner}", name(&database), name(template))
            }
            None => create_statement(connection, &database, options).await?,
        };
        match run_creation(connection, &database, &statement).await {
            Ok(Created::Now) => {}
            Ok(Created::Already) => {
                let message = format!("there is a database `{database}` already");
                return Err(own(DbErrorClass::Statement, message));
            }
            Err(error) if template.is_some() && has_code(&error, "3D000") => return Ok(None),
            Err(error) => return Err(explained(error)),
        }
        let url = with_database(&self.url, &database);
        Ok(Some(TestDatabase { name: database, url, path: None }))
    }

    /// Notes on a template that it is used, once a day.
    async fn note_use(&self, connection: &mut PgConnection, template: &str) {
        let comment = {
            let mut templates = self.templates.lock().expect("nobody panics while holding it");
            let Some(at) = templates.iter().position(|(name, _)| name == template) else { return };
            templates.swap_remove(at).1
        };
        let Some((note, used)) = read_comment(&comment) else { return };
        if used + NOTED.as_secs() < now() {
            let text = literal(&self::comment(note, now()));
            // Another process may write the very same.
            let _ = ask(connection, format!("COMMENT ON DATABASE {} IS {text}", name(template))).await;
        }
    }

    /// Removes what was kept of earlier runs of `test`.
    async fn forget_kept(&self, connection: &mut PgConnection, test: &str) {
        let mut kept = self.kept.lock().expect("nobody panics while holding it").clone();
        kept.retain(|(_, of)| of == test);
        for (database, _) in &kept {
            // Somebody who looks into it just now keeps it.
            let _ = drop_from(connection, database, Sessions::Keep).await;
        }
        if !kept.is_empty() {
            self.kept.lock().expect("nobody panics while holding it").retain(|(_, of)| of != test);
        }
    }

    /// Makes the template under the lock of its name.
    async fn publish(
        &self,
        connection: &mut PgConnection,
        template: &str,
        note: &str,
        options: &CreateOptions,
        fill: Fill<'_>,
    ) -> Result<()> {
        let listed = format!("SELECT FROM pg_catalog.pg_database WHERE datname = {}", literal(template));
        if !ask(connection, listed).await?.is_empty() {
            return Ok(());
        }
        remove_stale(connection, note).await;
        let made = self.create(connection, None, options).await?;
        let database = made.expect("only a copy can lack its template");
        let filled = fill(database.clone()).await;
        let published = match filled {
            Ok(()) => wait_for_goodbyes_and_rename(connection, &database.name, template, note).await,
            Err(error) => Err(error),
        };
        if published.is_err() {
            let _ = drop_from(connection, &database.name, Sessions::End).await;
        }
        published
    }
}

/// Gives the database its name as a template, closed to everybody: all of it or nothing.
async fn wait_for_goodbyes_and_rename(
    connection: &mut PgConnection,
    database: &str,
    template: &str,
    note: &str,
) -> Result<()> {
    let script = format!(
        "BEGIN; ALTER DATABASE {} RENAME TO {to}; ALTER DATABASE {to} WITH ALLOW_CONNECTIONS false IS_TEMPLATE true; \
         COMMENT ON DATABASE {to} IS {}; COMMIT",
        name(database),
        literal(&comment(note, now())),
        to = name(template),
    );
    // Sessions that have said goodbye may still be there for a moment.
    let others = format!(
        "SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity WHERE datname = {}",
        literal(database)
    );
    for _ in 0..200 {
        if ask(connection, others.clone()).await?.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let renamed = query(connection, script).await.map(drop).map_err(|failure| failure.error);
    if renamed.is_err() {
        let _ = ask(connection, "ROLLBACK".to_owned()).await;
    }
    Ok(renamed?)
}

/// Removes templates with the same note that nobody has used for a while.
async fn remove_stale(connection: &mut PgConnection, note: &str) {
    for row in ask(connection, templates()).await.unwrap_or_default() {
        let (database, comment) = (cell(&row, 0), cell(&row, 1));
        let used = read_comment(&comment).filter(|(of, _)| *of == note).map(|(_, used)| used);
        if used.is_some_and(|used| used + STALE.as_secs() < now()) {
            let open = format!("ALTER DATABASE {} WITH IS_TEMPLATE false", name(&database));
            if ask(connection, open).await.is_ok() {
                let _ = drop_from(connection, &database, Sessions::Keep).await;
            }
        }
    }
}

/// The comment of a template: whose it is, and when it was last used, in seconds since 1970.
fn comment(note: &str, used: u64) -> String {
    format!("template of {note}; used {used}")
}

/// Whose a template with this comment is, and when it was last used.
fn read_comment(comment: &str) -> Option<(&str, u64)> {
    let (note, used) = comment.strip_prefix("template of ")?.rsplit_once("; used ")?;
    Some((note, used.parse().ok()?))
}

/// The query for templates and their comments.
fn templates() -> String {
    format!(
        "SELECT d.datname, pg_catalog.shobj_description(d.oid, 'pg_database') FROM pg_catalog.pg_database d \
         WHERE d.datname LIKE {} AND d.datistemplate AND pg_catalog.pg_has_role(d.datdba, 'MEMBER')",
        literal(&format!("{}%", TEMPLATE_PREFIX.replace('_', "\\_")))
    )
}

/// The statement by which a connection shows that the process lives.
fn hold(digits: &str) -> String {
    format!("SELECT pg_catalog.pg_advisory_lock_shared({})", key(&literal(digits)))
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs())
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
        return advised(error, "tests make databases of their own: `ALTER ROLE … CREATEDB` for the role of the URL");
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
    fn engine(&self) -> &str {
        &self.engine
    }

    fn recorded(&self) -> &[String] {
        &self.recorded
    }

    fn connections(&self) -> Option<usize> {
        Some(self.connections)
    }

    fn make<'a>(
        &'a self,
        test: &'a str,
        template: Option<&'a str>,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, std::result::Result<Option<TestDatabase>, DbError>> {
        Box::pin(async move {
            let _permit = self.workers.acquire().await;
            self.with(async |connection: &mut PgConnection| {
                self.forget_kept(connection, test).await;
                if let Some(template) = template {
                    self.note_use(connection, template).await;
                }
                self.create(connection, template, options).await
            })
            .await
        })
    }

    fn make_template<'a>(
        &'a self,
        template: &'a str,
        note: &'a str,
        options: &'a CreateOptions,
        fill: Fill<'a>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            // The digits of the name are the key of the lock.
            let digits = template.rsplit('_').next().and_then(|hex| hex.get(..16)).unwrap_or("0");
            let key = key(&literal(digits));
            self.with(async |connection: &mut PgConnection| {
                ask(connection, format!("SELECT pg_catalog.pg_advisory_lock({key})")).await?;
                let result = self.publish(connection, template, note, options, fill).await;
                ask(connection, format!("SELECT pg_catalog.pg_advisory_unlock({key})")).await?;
                result
            })
            .await
        })
    }

    fn remove<'a>(
        &'a self,
        database: &'a TestDatabase,
    ) -> BoxFuture<'a, std::result::Result<(), DbError>> {
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

    #[test]
    fn a_template_says_whose_it_is_and_when_it_was_used() {
        assert_eq!(read_comment(&comment("core of /shop; used", 17)), Some(("core of /shop; used", 17)));
        assert_eq!(read_comment("anything"), None);
    }
}
