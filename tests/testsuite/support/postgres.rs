//! The shared PostgreSQL server, and the guard that gives each test names of its own on it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Row as _, ValueRef as _};
use tokio::runtime::Runtime;

/// Returns the server with a name space of its own, or says aloud that the test is skipped.
///
/// # Panics
/// When there is no server and `CI=true`: a test that silently does not run there proves nothing.
#[track_caller]
pub fn server() -> Option<Server> {
    match std::env::var("DBSETUP_TEST_POSTGRES") {
        Ok(url) if url == "off" => {
            super::skipped("DBSETUP_TEST_POSTGRES=off");
            None
        }
        Ok(url) if !url.is_empty() => Some(Server::new(url)),
        _ => {
            let reason = "no PostgreSQL server (set DBSETUP_TEST_POSTGRES or run ./scripts/test)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
            super::skipped(reason);
            None
        }
    }
}

/// The server, and the databases and roles of one test. They are dropped with the last clone.
#[derive(Debug, Clone)]
pub struct Server(Arc<Names>);

#[derive(Debug)]
struct Names {
    admin_url: String,
    prefix: String,
}

/// A role with its password.
#[derive(Debug, Clone)]
pub struct Role {
    pub name: String,
    pub password: String,
}

impl Server {
    /// Returns another server with a name space of its own.
    pub fn at(admin_url: String) -> Self {
        Self::new(admin_url)
    }

    fn new(admin_url: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Another run on the same server may have had the same process id.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.subsec_micros());
        let prefix = format!("t{}_{clock:x}_{count}_", std::process::id());
        Self(Arc::new(Names { admin_url, prefix }))
    }

    /// Returns the name on the server of what the test calls `name`. May hold `{env}`.
    pub fn name(&self, name: &str) -> String {
        format!("{}{}", self.0.prefix, name.replace('-', "_"))
    }

    /// Returns the superuser's URL of a database over TCP, with the password.
    pub fn url(&self, name: &str) -> String {
        self.0.url_of(&self.name(name))
    }

    /// Returns the URL of a database for `role`.
    pub fn url_as(&self, role: &Role, name: &str) -> String {
        format!("postgres://{}:{}@{}/{}", role.name, role.password, self.address(), self.name(name))
    }

    /// Returns the superuser's URL of a database over the unix socket, where no password is asked. None on a
    /// server that somebody else started.
    pub fn socket_url(&self, name: &str) -> Option<String> {
        let directory = std::env::var("DBSETUP_TEST_POSTGRES_SOCKET").ok()?;
        Some(format!("postgres://postgres@{}/{}?host={directory}", self.address(), self.name(name)))
    }

    /// Returns the URL of the maintenance database, `postgres`.
    pub fn admin_url(&self) -> &str {
        &self.0.admin_url
    }

    /// Returns `host:port`.
    pub fn address(&self) -> &str {
        let (_, rest) = self.0.admin_url.split_once("://").expect("DBSETUP_TEST_POSTGRES is a URL");
        let authority = rest.split(['/', '?']).next().unwrap_or(rest);
        authority.rsplit_once('@').map_or(authority, |(_, address)| address)
    }

    /// Returns the superuser's password, to look for in what the program prints.
    pub fn password(&self) -> &str {
        let (_, rest) = self.0.admin_url.split_once("://").expect("DBSETUP_TEST_POSTGRES is a URL");
        let user = rest.rsplit_once('@').map_or("", |(user, _)| user);
        user.split_once(':').map_or("", |(_, password)| password)
    }

    /// Returns the directory of the server's programs (`pg_dump`), where the run knows it.
    pub fn programs(&self) -> Option<PathBuf> {
        std::env::var_os("DBSETUP_TEST_POSTGRES_BIN").map(PathBuf::from)
    }

    /// Returns a database of this test, which need not exist yet.
    pub fn database(&self, name: &str) -> Database {
        Database { server: self.clone(), name: self.name(name) }
    }

    /// Makes a role that may log in, with `options` as CREATE ROLE takes them (`createdb`).
    #[track_caller]
    pub fn role(&self, name: &str, options: &str) -> Role {
        let role = Role { name: self.name(name), password: format!("secret-{}", self.name(name)) };
        self.execute(&format!("create role {} login password '{}' {options}", role.name, role.password));
        role
    }

    /// Runs a query in the maintenance database, as superuser.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        Session::open(&self.0.admin_url).query(sql)
    }

    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.query(sql);
    }

    /// Returns the number of other sessions in this test's databases.
    #[track_caller]
    pub fn session_count(&self) -> usize {
        let prefix = &self.0.prefix;
        self.query(&format!("select 1 from pg_stat_activity where starts_with(datname, '{prefix}')")).len()
    }
}

impl Names {
    fn url_of(&self, database: &str) -> String {
        let (base, parameters) = match self.admin_url.split_once('?') {
            Some((base, parameters)) => (base, format!("?{parameters}")),
            None => (self.admin_url.as_str(), String::new()),
        };
        let (server, _) = base.rsplit_once('/').expect("DBSETUP_TEST_POSTGRES names a database");
        format!("{server}/{database}{parameters}")
    }

    fn drop_all(&self) -> sqlx::Result<()> {
        let mut session = Session::try_open(&self.admin_url)?;
        let prefix = &self.prefix;
        let names = format!("select datname from pg_database where starts_with(datname, '{prefix}')");
        for row in session.try_query(&names)? {
            let name = row[0].replace('"', "\"\"");
            let literal = row[0].replace('\'', "''");
            self.drop_subscriptions(&mut session, &row[0], &literal)?;
            // A template cannot be dropped, and a new session could come between the two statements.
            session
                .try_query(&format!("alter database \"{name}\" is_template false allow_connections false"))?;
            session.try_query(&format!(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{literal}'"
            ))?;
            // Its sessions take a moment to end; releases before 14 cannot wait for that themselves. One that stays makes
            // the drop fail, which says so.
            let left = format!("select 1 from pg_stat_activity where datname = '{literal}'");
            let deadline = Instant::now() + Duration::from_secs(10);
            while !session.try_query(&left)?.is_empty() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(5));
            }
            session.try_query(&format!("drop database if exists \"{name}\""))?;
        }
        let roles = format!("select rolname from pg_roles where starts_with(rolname, '{prefix}')");
        for row in session.try_query(&roles)? {
            session.try_query(&format!("drop role if exists \"{}\"", row[0].replace('"', "\"\"")))?;
        }
        Ok(())
    }
}

impl Names {
    /// A database with a subscription cannot be dropped, and one that is tied to a slot of another server cannot be
    /// dropped either.
    fn drop_subscriptions(&self, session: &mut Session, database: &str, literal: &str) -> sqlx::Result<()> {
        let subscriptions = session.try_query(&format!(
            "select quote_ident(subname) from pg_subscription s join pg_database d on d.oid = s.subdbid \
             where d.datname = '{literal}'"
        ))?;
        if subscriptions.is_empty() {
            return Ok(());
        }
        let mut inside = Session::try_open(&self.url_of(database))?;
        for row in subscriptions {
            let name = &row[0];
            for statement in [
                format!("alter subscription {name} disable"),
                format!("alter subscription {name} set (slot_name = none)"),
                format!("drop subscription {name}"),
            ] {
                inside.try_query(&statement)?;
            }
        }
        Ok(())
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        if let Err(error) = self.drop_all() {
            // The test has its own verdict; leftovers are no reason to change it.
            eprintln!("the databases of {} could not be dropped: {error}", self.prefix);
        }
    }
}

/// One database on the server.
#[derive(Debug, Clone)]
pub struct Database {
    server: Server,
    name: String,
}

impl Database {
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn url(&self) -> String {
        self.server.0.url_of(&self.name)
    }

    #[track_caller]
    pub fn exists(&self) -> bool {
        let sql = format!("select 1 from pg_database where datname = '{}'", self.name);
        !self.server.query(&sql).is_empty()
    }

    #[track_caller]
    pub fn create(&self) {
        self.server.execute(&format!("create database \"{}\"", self.name));
    }

    /// Opens a connection that stays, for transactions and locks.
    #[track_caller]
    pub fn session(&self) -> Session {
        Session::open(&self.url())
    }

    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        self.session().query(sql)
    }

    #[track_caller]
    pub fn execute(&self, sql: &str) {
        self.session().execute(sql);
    }
}

/// An open connection.
pub struct Session {
    runtime: Runtime,
    connection: PgConnection,
}

impl Session {
    #[track_caller]
    pub fn open(url: &str) -> Self {
        match Self::try_open(url) {
            Ok(session) => session,
            Err(error) => panic!("cannot connect: {error}"),
        }
    }

    pub fn try_open(url: &str) -> sqlx::Result<Self> {
        let runtime = runtime();
        let options: PgConnectOptions = url.parse()?;
        let connection = runtime.block_on(options.connect())?;
        Ok(Self { runtime, connection })
    }

    /// Returns the rows of all statements in `sql`, every value as text, null as `NULL`.
    #[track_caller]
    pub fn query(&mut self, sql: &str) -> Vec<Vec<String>> {
        match self.try_query(sql) {
            Ok(rows) => rows,
            Err(error) => panic!("{error}\nin: {sql}"),
        }
    }

    pub fn try_query(&mut self, sql: &str) -> sqlx::Result<Vec<Vec<String>>> {
        let rows =
            self.runtime.block_on(sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(&mut self.connection))?;
        Ok(rows.iter().map(texts).collect())
    }

    #[track_caller]
    pub fn execute(&mut self, sql: &str) {
        self.query(sql);
    }
}

// A simple query's answer is text for every type.
fn texts(row: &PgRow) -> Vec<String> {
    (0..row.len())
        .map(|column| {
            let value = row.try_get_raw(column).expect("the column is within the row");
            if value.is_null() {
                return "NULL".to_owned();
            }
            value.as_str().expect("a simple query answers in text").to_owned()
        })
        .collect()
}

/// Makes the runtime of one connection.
pub(super) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the process may have one more")
}
