//! The databases of a process's tests: files in one directory, or in the process's memory.
//!
//! A process holds the lock of a file while it lives, and its databases' names begin with that of the file: where nobody
//! holds the lock they are a dead process's. The operating system gives the lock back whatever becomes of the process.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::catalog::literal;
use super::error::{self, failure};
use super::file::remove;
use super::server::SqliteServer;
use super::template::file_of;
use super::url::{Location, Place};
use crate::driver::{
    BoxFuture, Cloned, DbError, DbErrorClass, TemplateName, Templates as _, TestDatabase, TestDatabases,
};
use crate::error::Result;
use crate::repo::{CreateOptions, DatabaseUrl};

/// The variable that says where the databases are: `file` or `memory`.
const WHERE: &str = "DBSETUP_TEST_SQLITE";
/// How old a file is that its maker has died over.
const ABANDONED: Duration = Duration::from_secs(3600);
/// The databases of this process's tests.
pub(super) struct Databases {
    root: PathBuf,
    digits: String,
    made: AtomicU64,
    in_memory: bool,
    /// A database in memory is there while a connection is open.
    open: Mutex<HashMap<String, SqliteConnection>>,
    /// Templates that this process has made a copy of.
    known: Mutex<HashSet<TemplateName>>,
    /// Whether anything was kept of earlier runs.
    has_kept: bool,
    /// Locked while the process lives.
    _alive: File,
}

/// Returns how sqlx connects to a database of a test: its data need not survive a crash of the machine.
pub(crate) fn connect_options(url: &DatabaseUrl) -> Result<SqliteConnectOptions> {
    let location = Location::parse(url, Path::new(""))?;
    let options = SqliteConnectOptions::new().synchronous(SqliteSynchronous::Off);
    Ok(match location.place {
        Place::File(path) => options.filename(path),
        Place::Named(name) => options.filename(format!("/{name}")).vfs("memdb"),
        Place::Memory => options,
    })
}

fn io(doing: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> DbError {
    move |source| error::file(doing, path, &source)
}

impl Databases {
    /// Opens a directory for tests, and removes what dead processes left there.
    pub(super) fn open(root: &Path) -> std::result::Result<Self, DbError> {
        let in_memory = match std::env::var(WHERE).as_deref() {
            Ok("memory") => true,
            Ok("file" | "") | Err(_) => false,
            Ok(other) => {
                let message = format!("`{WHERE}={}` is neither `file` nor `memory`", other.escape_debug());
                return Err(failure(DbErrorClass::Configuration, message));
            }
        };
        fs::create_dir_all(root).map_err(io("make the directory", root))?;
        remove_dead(root);
        let digits = format!("{:016x}", RandomState::new().build_hasher().finish());
        // Locked before it has the name by which others find it: nobody takes it for a dead process's.
        let (unlocked, named) = (root.join(format!("{digits}.new")), root.join(format!("{digits}.lock")));
        let alive = File::create(&unlocked).map_err(io("make the file", &unlocked))?;
        alive.lock().map_err(io("lock", &unlocked))?;
        fs::rename(&unlocked, &named).map_err(io("name the file", &named))?;
        Ok(Self {
            root: root.to_owned(),
            digits,
            made: AtomicU64::new(0),
            in_memory,
            open: Mutex::default(),
            known: Mutex::default(),
            has_kept: !entries(root, "kept").is_empty(),
            _alive: alive,
        })
    }

    fn file(&self, number: u64) -> TestDatabase {
        let name = format!("{}_{number}.db", self.digits);
        let path = self.root.join(&name);
        TestDatabase { name, url: url_of(&path), path: Some(path) }
    }

    /// Makes a database in memory.
    async fn in_memory(
        &self,
        database: &TestDatabase,
        template: Option<&TemplateName>,
    ) -> std::result::Result<bool, DbError> {
        let failed = |error: sqlx::Error| error::database(&error);
        // Templates are files beside the files that are made from them.
        let template = template.map(|name| file_of(&self.root.join("any.db"), name));
        if template.as_ref().is_some_and(|template| !template.is_file()) {
            return Ok(false);
        }
        let options = SqliteConnectOptions::new().filename(format!("/{}", database.name)).vfs("memdb");
        let connection = options.disable_statement_logging().connect().await.map_err(failed)?;
        self.open.lock().expect("nobody panics while holding it").insert(database.name.clone(), connection);
        if let Some(template) = template {
            let options = SqliteConnectOptions::new().filename(template).disable_statement_logging();
            let mut source = options.connect().await.map_err(failed)?;
            let into = literal(&format!("file:/{}?vfs=memdb", database.name));
            let copied =
                sqlx::raw_sql(AssertSqlSafe(format!("VACUUM INTO {into}"))).execute(&mut source).await;
            let _ = source.close().await;
            copied.map_err(failed)?;
        }
        Ok(true)
    }
}

/// How long ago a file was written.
fn age(path: &Path) -> Option<Duration> {
    SystemTime::now().duration_since(fs::metadata(path).ok()?.modified().ok()?).ok()
}

/// The files of a directory with an ending.
fn entries(directory: &Path, ending: &str) -> Vec<PathBuf> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    found.filter(|path| path.extension().is_some_and(|found| found == ending)).collect()
}

/// Removes what dead processes left.
fn remove_dead(root: &Path) {
    for lock in entries(root, "lock") {
        // Whoever holds the lock lives.
        if File::open(&lock).is_ok_and(|file| file.try_lock().is_ok()) {
            let databases = of_process(&lock);
            let (kept, left): (Vec<PathBuf>, Vec<PathBuf>) =
                databases.into_iter().partition(|database| note_of(database).is_file());
            for database in &left {
                let _ = remove(database, database);
            }
            if kept.is_empty() {
                let _ = fs::remove_file(&lock);
            }
        }
    }
    for file in entries(root, "new") {
        if age(&file).is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(file);
        }
    }
}

/// The databases of the process that holds or has held a lock.
fn of_process(lock: &Path) -> Vec<PathBuf> {
    let digits = lock.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_its = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&format!("{digits}_")))
    };
    entries(lock.parent().unwrap_or(lock), "db").into_iter().filter(is_its).collect()
}

/// The file that says of which test a database is kept.
fn note_of(database: &Path) -> PathBuf {
    database.with_extension("kept")
}

fn url_of(path: &Path) -> DatabaseUrl {
    let mut text = String::from("sqlite://");
    for c in path.to_string_lossy().chars() {
        match c {
            '?' | '#' | '%' => text.push_str(&format!("%{:02X}", u32::from(c))),
            c => text.push(c),
        }
    }
    DatabaseUrl::new(text)
}

impl TestDatabases for Databases {
    fn recorded(&self) -> &[String] {
        &[]
    }

    fn connections(&self) -> Option<usize> {
        None
    }

    fn reserve(&self) -> TestDatabase {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        if self.in_memory {
            let name = format!("dbsetup-test-{}-{number}", self.digits);
            let url = DatabaseUrl::new(format!("sqlite:///{name}?vfs=memdb"));
            return TestDatabase { name, url, path: None };
        }
        self.file(number)
    }

    fn reserve_file(&self) -> TestDatabase {
        self.file(self.made.fetch_add(1, Ordering::Relaxed))
    }

    fn make<'a>(
        &'a self,
        database: &'a TestDatabase,
        template: Option<&'a TemplateName>,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, std::result::Result<bool, DbError>> {
        Box::pin(async move {
            let Some(path) = &database.path else { return self.in_memory(database, template).await };
            let Some(template) = template else {
                // An empty file is an empty database.
                return File::create_new(path).map(|_| true).map_err(io("make the database", path));
            };
            // A template never changes: it is looked at closely once.
            let is_known = self.known.lock().expect("nobody panics while holding it").contains(template);
            if is_known {
                match fs::copy(file_of(path, template), path) {
                    Ok(_) => return Ok(true),
                    Err(source) if source.kind() == ErrorKind::NotFound => {
                        self.known.lock().expect("nobody panics while holding it").remove(template);
                        return Ok(false);
                    }
                    Err(source) => return Err(error::file("copy the template to", path, &source)),
                }
            }
            let server = SqliteServer::new(&database.url, &self.root)
                .map_err(|error| failure(DbErrorClass::Configuration, error.message().to_owned()))?;
            match server.clone_template(template, options).await? {
                Cloned::Now(_) => {
                    self.known.lock().expect("nobody panics while holding it").insert(template.clone());
                    Ok(true)
                }
                // Whoever makes it otherwise hears why.
                Cloned::NoTemplate | Cloned::Cannot(_) => Ok(false),
                Cloned::Already => {
                    let message = format!("there is a file `{}` already", path.display());
                    Err(failure(DbErrorClass::Statement, message))
                }
            }
        })
    }

    fn remove<'a>(&'a self, database: &'a TestDatabase) -> BoxFuture<'a, std::result::Result<(), DbError>> {
        Box::pin(async move {
            if let Some(path) = &database.path {
                return remove(path, path);
            }
            let connection = self.open.lock().expect("nobody panics while holding it").remove(&database.name);
            match connection {
                Some(connection) => connection.close().await.map_err(|error| error::database(&error)),
                None => Ok(()),
            }
        })
    }

    fn keep<'a>(
        &'a self,
        database: &'a TestDatabase,
        test: &'a str,
    ) -> BoxFuture<'a, std::result::Result<(), DbError>> {
        Box::pin(async move {
            let Some(path) = &database.path else {
                let message =
                    format!("a database in memory is gone with its process: `{WHERE}=file` keeps it");
                return Err(failure(DbErrorClass::Unsupported, message));
            };
            let note = note_of(path);
            fs::write(&note, test).map_err(io("write", &note))
        })
    }

    fn forget<'a>(&'a self, test: &'a str) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            if !self.has_kept {
                return;
            }
            for note in entries(&self.root, "kept") {
                if fs::read_to_string(&note).is_ok_and(|of| of == test) {
                    let database = note.with_extension("db");
                    let _ = remove(&database, &database);
                    let _ = fs::remove_file(note);
                }
            }
        })
    }
}
