//! What a URL names: making it, removing it, opening a session.
//!
//! The database's file is never opened here but by SQLite: closing any other descriptor of it would drop the locks that
//! this process holds on it (<https://www.sqlite.org/howtocorrupt.html>, 2.2).

use std::fs::{self, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::backup::FileBackup;
use super::catalog::literal;
use super::error::{self, advised, failure};
use super::file::{Found, exclusive, look, remove};
use super::hooks::Hooks;
use super::lock::{self, Locks};
use super::quick::Alone;
use super::scratch::Memory;
use super::session::{Open, Session, Stopper, settings};
use super::url::{Location, Place};
use crate::driver::{
    About, Backup, BoxFuture, Capabilities, Created, DbError, DbErrorClass, Driver, Dropped, Glance, Scratch,
    Server, SessionOptions, Sessions, Target,
};
use crate::error::Result;
use crate::ledger::LedgerTable;
use crate::repo::{CreateOptions, DatabaseUrl};
use crate::sql::Dialect;

/// How many answers may wait to be fetched before the connection's thread does.
const ANSWERS: usize = 1024;
/// How long a statement waits for another writer. Set before anything else is sent.
const BUSY: Duration = Duration::from_secs(30);

/// A SQLite database, not opened.
#[derive(Debug)]
pub struct SqliteServer {
    location: Location,
    target: Target,
    root: PathBuf,
    busy: Duration,
}

/// The encodings of SQLite (<https://www.sqlite.org/pragma.html#pragma_encoding>).
const ENCODINGS: [&str; 6] = ["UTF-8", "UTF8", "UTF-16", "UTF-16le", "UTF-16be", "UTF16"];

impl SqliteServer {
    /// Reads a URL; a relative path starts at `root`. Nothing is opened.
    ///
    /// # Errors
    /// [`crate::Kind::Configuration`] when the URL does not parse.
    pub fn new(url: &DatabaseUrl, root: &Path) -> Result<Self> {
        let location = Location::parse(url, root)?;
        let written: String = location
            .written
            .chars()
            .map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c })
            .collect();
        let database = match &location.place {
            Place::Memory | Place::Named(_) => written.clone(),
            Place::File(path) => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        let target = Target {
            shown: format!("sqlite:{written}"),
            database,
            local: true,
            plain_text_over_network: false,
            address: None,
        };
        Ok(Self { location, target, root: root.to_owned(), busy: BUSY })
    }

    #[cfg(test)]
    pub(super) fn with_busy(mut self, busy: Duration) -> Self {
        self.busy = busy;
        self
    }

    /// Returns the file; memory is refused, because it is gone with the session.
    pub(super) fn file(&self) -> std::result::Result<&Path, DbError> {
        match &self.location.place {
            Place::File(path) => Ok(path),
            Place::Memory | Place::Named(_) => Err(advised(
                DbErrorClass::Unsupported,
                "a database in memory is gone when its session ends",
                "name a file, for example `sqlite:app.db`",
            )),
        }
    }

    /// Returns the file, if the URL lets it be changed.
    pub(super) fn changeable(&self) -> std::result::Result<&Path, DbError> {
        if self.location.read_only || self.location.immutable {
            return Err(failure(
                DbErrorClass::ReadOnly,
                format!("the URL of `{}` says that it is only read", self.target.shown),
            ));
        }
        self.file()
    }

    /// Returns a database in another file.
    pub(super) fn beside(&self, path: PathBuf) -> Self {
        let written = path.display().to_string();
        let database = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let target = Target { shown: format!("sqlite:{written}"), database, ..self.target.clone() };
        let location = Location { place: Place::File(path), written, ..self.location.clone() };
        Self { location, target, root: self.root.clone(), busy: self.busy }
    }

    /// Returns a database in the memory of this process, which the first connection makes.
    pub(super) fn named(name: String, root: &Path) -> Self {
        let shown = ":memory:".to_owned();
        let target = Target {
            shown: format!("sqlite:{shown}"),
            database: shown.clone(),
            local: true,
            plain_text_over_network: false,
            address: None,
        };
        let place = Place::Named(name);
        let location = Location { place, written: shown, read_only: false, immutable: false, vfs: None };
        Self { location, target, root: root.to_owned(), busy: BUSY }
    }

    /// Returns the database in another file.
    pub(super) fn at(&self, path: PathBuf) -> Self {
        let written = path.to_string_lossy().into_owned();
        let target = Target {
            shown: format!("sqlite:{written}"),
            database: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            local: true,
            plain_text_over_network: false,
            address: None,
        };
        let location = Location { place: Place::File(path), written, ..self.location.clone() };
        Self { location, target, root: self.root.clone(), busy: self.busy }
    }

    /// Returns how SQLite opens the database. A file is never made.
    pub(super) fn options(&self) -> SqliteConnectOptions {
        let mut options = SqliteConnectOptions::new()
            .create_if_missing(false)
            .busy_timeout(self.busy)
            .read_only(self.location.read_only)
            .immutable(self.location.immutable)
            .row_buffer_size(ANSWERS)
            .disable_statement_logging();
        match &self.location.place {
            Place::File(path) => options = options.filename(path),
            // What begins with a slash is shared by all connections of the process (<https://www.sqlite.org/src/file/src/memdb.c>).
            Place::Named(name) => options = options.filename(format!("/{name}")).vfs("memdb"),
            Place::Memory => {}
        }
        if let Some(vfs) = &self.location.vfs {
            options = options.vfs(vfs.clone());
        }
        options
    }

    async fn created(&self, wanted: &CreateOptions) -> std::result::Result<Created, DbError> {
        let path = self.changeable()?;
        for (value, name) in
            [(&wanted.collation, "collation"), (&wanted.owner, "owner"), (&wanted.charset, "charset")]
        {
            if let Some(value) = value {
                return Err(failure(
                    DbErrorClass::Configuration,
                    format!("SQLite makes no database with the {name} `{value}`"),
                ));
            }
        }
        if let Some(encoding) = &wanted.encoding
            && !ENCODINGS.iter().any(|known| known.eq_ignore_ascii_case(encoding))
        {
            return Err(failure(
                DbErrorClass::Configuration,
                format!("SQLite has no encoding `{encoding}`, only {}", ENCODINGS.join(", ")),
            ));
        }
        if let Found::File = look(path)? {
            return self.recognised().await;
        }
        let directory = path.parent().unwrap_or(path);
        // A directory of the project is ours to make; one of the machine is rather a typo, or a disk that is not there.
        if Path::new(&self.location.written).is_relative() {
            fs::create_dir_all(directory)
                .map_err(|source| error::file("make the directory", directory, &source))?;
        } else if !directory.is_dir() {
            return Err(advised(
                DbErrorClass::Configuration,
                format!("there is no directory `{}` for the database", directory.display()),
                format!("help: is the path right? if it is: `mkdir -p {}`", directory.display()),
            ));
        }
        if let Some(template) = &wanted.template {
            let template = Location::parse(&DatabaseUrl::new(template.clone()), &self.root);
            let Ok(Location { place: Place::File(template), .. }) = template else {
                return Err(failure(DbErrorClass::Configuration, "the template is no path of a database"));
            };
            return self.copied(&template, path).await;
        }
        // The one step that two processes cannot both do. An empty file is a valid, empty database, so whoever dies
        // after it leaves nothing half made.
        match OpenOptions::new().write(true).create_new(true).open(path) {
            Ok(_) => {}
            Err(source) if source.kind() == ErrorKind::AlreadyExists => {
                look(path)?;
                return self.recognised().await;
            }
            Err(source) => return Err(error::file("make the database", path, &source)),
        }
        let encoding = match &wanted.encoding {
            Some(encoding) => format!("PRAGMA encoding={};", literal(encoding)),
            None => String::new(),
        };
        // A write transaction writes the header, by which the file is known for what it is. The journal stays the
        // rollback journal, SQLite's own default: WAL is a setting of the file that an application or a migration chooses.
        let made = format!("{encoding}BEGIN IMMEDIATE;COMMIT");
        let mut connection = self.options().connect().await.map_err(|error| error::database(&error))?;
        let result = sqlx::raw_sql(AssertSqlSafe(made)).execute(&mut connection).await;
        let _ = connection.close().await;
        result.map(|_| Created::Now).map_err(|error| error::database(&error))
    }

    /// Makes the database as a copy. `VACUUM INTO` reads the template as SQLite does, also while somebody writes to it; the
    /// copy gets its name in one step.
    async fn copied(&self, template: &Path, path: &Path) -> std::result::Result<Created, DbError> {
        let mut part = path.as_os_str().to_owned();
        part.push(format!("-dbsetup-copy-{}", std::process::id()));
        let part = PathBuf::from(part);
        let mut connection = SqliteConnectOptions::new()
            .filename(template)
            .busy_timeout(self.busy)
            .disable_statement_logging()
            .connect()
            .await
            .map_err(|error| {
                let mut error = error::database(&error);
                error.notes.push(format!("the template is `{}`", template.display()));
                error
            })?;
        let _ = fs::remove_file(&part);
        let copy = format!("VACUUM INTO {}", literal(&part.to_string_lossy()));
        let copied = sqlx::raw_sql(AssertSqlSafe(copy)).execute(&mut connection).await;
        let _ = connection.close().await;
        let result = match copied {
            // A link fails where something is; a rename would replace it.
            Ok(_) => match fs::hard_link(&part, path) {
                Ok(()) => Ok(Created::Now),
                Err(source) if source.kind() == ErrorKind::AlreadyExists => Ok(Created::Already),
                Err(source) => Err(error::file("make the database", path, &source)),
            },
            Err(error) => Err(error::database(&error)),
        };
        let _ = fs::remove_file(&part);
        result
    }

    /// Whether the file that is there is a database.
    async fn recognised(&self) -> std::result::Result<Created, DbError> {
        let options = self.options().busy_timeout(Duration::ZERO);
        let mut connection = options.connect().await.map_err(|error| error::database(&error))?;
        let result = sqlx::raw_sql("SELECT count(*) FROM sqlite_schema").execute(&mut connection).await;
        let _ = connection.close().await;
        match result.map_err(|error| error::database(&error)) {
            Ok(_) => Ok(Created::Already),
            // Somebody works in it.
            Err(error) if matches!(error.class, DbErrorClass::LockTimeout | DbErrorClass::NotReady) => {
                Ok(Created::Already)
            }
            Err(error) => Err(error),
        }
    }

    async fn dropped(&self, sessions: Sessions) -> std::result::Result<Dropped, DbError> {
        let path = self.changeable()?;
        let Found::File = look(path)? else {
            return Ok(Dropped::Already);
        };
        // The side files stand beside the file itself, not beside a link to it.
        let real = fs::canonicalize(path).map_err(|source| error::file("resolve", path, &source))?;
        let in_use = |mut error: DbError| {
            if error.class == DbErrorClass::LockTimeout {
                error
                    .notes
                    .insert(0, format!("`{}` was not removed: another process uses it", real.display()));
                if sessions == Sessions::End {
                    error.notes.push("SQLite cannot end the sessions of other processes; stop them".into());
                }
            }
            error
        };
        let locks = lock::take_all(&real, "dbsetup drop").map_err(in_use)?;
        let mut connection = self
            .options()
            .busy_timeout(self.busy.min(Duration::from_secs(2)))
            .connect()
            .await
            .map_err(|error| error::database(&error))?;
        let exclusive = exclusive(&mut connection).await;
        let result = match exclusive {
            Ok(()) => Ok(()),
            // A damaged file, or one that may only be read, is removed all the same.
            Err(error) if error::code_of(&error) & 0xff == 11 || error.class == DbErrorClass::ReadOnly => {
                Ok(())
            }
            Err(error) => Err(in_use(error)),
        };
        // Where an open file cannot be removed it is closed first; a moment is left in which another one may open it.
        if cfg!(not(unix)) || result.is_err() {
            let _ = connection.close().await;
            result?;
            remove(path, &real)?;
        } else {
            let removed = remove(path, &real);
            let _ = connection.close().await;
            removed?;
        }
        drop(locks);
        Ok(Dropped::Now { sessions: 0 })
    }

    async fn connected(&self, options: &SessionOptions) -> std::result::Result<Box<dyn Driver>, DbError> {
        let mut database = None;
        if let Place::File(path) = &self.location.place {
            if let Found::Nothing = look(path)? {
                return Err(failure(
                    DbErrorClass::DatabaseMissing,
                    format!("the database `{}` does not exist", self.target.shown),
                ));
            }
            database = Some(fs::canonicalize(path).map_err(|source| error::file("resolve", path, &source))?);
        }
        let mut connection = self.options().connect().await.map_err(|error| error::database(&error))?;
        let hooks = Hooks::install(&mut connection).await.map_err(|error| error::database(&error))?;
        let busy_ms = self.busy.as_millis();
        let fresh = options.fresh && !options.read_only;
        let opening = format!(
            "{}PRAGMA journal_mode;SELECT sqlite_version();\
             SELECT CAST(count(*) AS text) FROM sqlite_schema WHERE sql LIKE '%references%'",
            settings(options, fresh, busy_ms)
        );
        let mut facts = [const { String::new() }; 3];
        // The last query shows whether the file is a database.
        let rows = sqlx::raw_sql(AssertSqlSafe(opening)).fetch_all(&mut connection).await;
        let rows = rows.map_err(|error| error::database(&error))?;
        for (fact, row) in facts.iter_mut().rev().zip(rows.iter().rev()) {
            *fact = row.try_get_unchecked(0).map_err(|error| error::database(&error))?;
        }
        let [journal, version, references] = facts;
        // Whoever made the database just now knows every script that ran in it.
        let refers = !fresh || references != "0";
        // In WAL mode the log does what this is for, and the mode is the file's own setting.
        if fresh && journal == "delete" {
            let sent = sqlx::raw_sql(FRESH_JOURNAL).execute(&mut connection).await;
            sent.map_err(|error| error::database(&error))?;
        }
        let about = About {
            version: format!("SQLite {version}"),
            dialect: Dialect::Sqlite,
            capabilities: Capabilities {
                session_locks: true,
                transactional_ddl: true,
                session_foreign_keys: true,
                several_transactions: options.fresh,
                templates: database.is_some(),
                native_dump: true,
                words_definitions: false,
                shared_server: false,
                pooled: None,
            },
            schema: None,
            session: None,
            database: self.target.database.clone(),
        };
        Ok(Box::new(Session {
            stopper: Stopper(std::sync::Arc::clone(&hooks)),
            connection,
            hooks,
            about,
            options: options.clone(),
            busy_ms,
            ledger: None,
            locks: Locks::new(database),
            open: Open::Nothing,
            known: None,
            touched: false,
            keeps: false,
            fresh,
            alone: Alone::default(),
            refers,
            busy: false,
        }))
    }
}

/// How a database is written that can be made again. The journal is kept, in a file: a transaction that is killed half
/// way is still rolled back. Ending it with a blank header costs less than removing it for
/// every commit.
const FRESH_JOURNAL: &str = "PRAGMA journal_mode=PERSIST";

impl Server for SqliteServer {
    fn target(&self) -> &Target {
        &self.target
    }

    fn dialect(&self) -> Dialect {
        Dialect::Sqlite
    }

    fn exists(&self) -> BoxFuture<'_, std::result::Result<bool, DbError>> {
        Box::pin(async {
            match &self.location.place {
                Place::Memory | Place::Named(_) => Ok(true),
                Place::File(path) => Ok(matches!(look(path)?, Found::File)),
            }
        })
    }

    fn create<'a>(
        &'a self,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, std::result::Result<Created, DbError>> {
        Box::pin(self.created(options))
    }

    fn drop(&self, sessions: Sessions) -> BoxFuture<'_, std::result::Result<Dropped, DbError>> {
        Box::pin(self.dropped(sessions))
    }

    fn ping(&self) -> BoxFuture<'_, std::result::Result<(), DbError>> {
        // The server is this process.
        Box::pin(async { Ok(()) })
    }

    fn connect<'a>(
        &'a self,
        options: &'a SessionOptions,
    ) -> BoxFuture<'a, std::result::Result<Box<dyn Driver>, DbError>> {
        Box::pin(self.connected(options))
    }

    fn glance<'a>(
        &'a self,
        _options: &'a SessionOptions,
        ledger: &'a LedgerTable,
        names: &'a [String],
    ) -> BoxFuture<'a, std::result::Result<Option<Glance>, DbError>> {
        Box::pin(async move {
            match &self.location.place {
                // A file that is not there is for the session to tell of.
                Place::File(path) if matches!(look(path)?, Found::File) => {
                    super::glance::glance(self.options(), ledger, names).await
                }
                _ => Ok(None),
            }
        })
    }

    fn backup<'a>(
        &'a self,
        application: String,
    ) -> BoxFuture<'a, std::result::Result<Option<Box<dyn Backup + 'a>>, DbError>> {
        let taken = self.changeable().and_then(|path| FileBackup::take(self, path, &application));
        let taken = taken.map(|backup| backup.map(|backup| Box::new(backup) as Box<dyn Backup + 'a>));
        Box::pin(std::future::ready(taken))
    }

    fn end_session<'a>(&'a self, _session: &'a str) -> BoxFuture<'a, std::result::Result<(), DbError>> {
        // A session ends with its connection; what it left open, the next one rolls back.
        Box::pin(async { Ok(()) })
    }

    fn scratch<'a>(
        &'a self,
        _elsewhere: Option<&'a DatabaseUrl>,
        _owner: Option<&'a str>,
    ) -> BoxFuture<'a, std::result::Result<Box<dyn Scratch>, DbError>> {
        Box::pin(async {
            let memory = Memory::new(&self.root).await?;
            Ok(Box::new(memory) as Box<dyn Scratch>)
        })
    }

    #[cfg(feature = "testing")]
    fn test_databases(
        &self,
    ) -> BoxFuture<'_, std::result::Result<std::sync::Arc<dyn crate::driver::TestDatabases>, DbError>> {
        Box::pin(async {
            let databases = super::testing::Databases::open(&self.root)?;
            Ok(std::sync::Arc::new(databases) as std::sync::Arc<dyn crate::driver::TestDatabases>)
        })
    }
}
