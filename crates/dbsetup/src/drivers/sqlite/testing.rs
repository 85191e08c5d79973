//! The databases of a process's tests: files in a directory of the process's own, or in its memory.
//!
//! A process holds the lock of a file while it lives, and the file's name is that of its directory: where nobody holds
//! the lock, the directory is a dead process's. The operating system gives the lock back whatever becomes of the process.

use std::collections::HashMap;
use std::fs::{self, File, TryLockError};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use super::catalog::literal;
use super::error::{self, failure};
use super::file::remove;
use super::url::{Location, Place};
use crate::driver::{BoxFuture, DbError, DbErrorClass, Fill, TestDatabase, TestDatabases};
use crate::error::Result;
use crate::repo::{CreateOptions, DatabaseUrl};

/// The variable that says where the databases are: `file` or `memory`.
const WHERE: &str = "DBSETUP_TEST_SQLITE";
/// How long a template is kept that nobody has made a copy of.
const STALE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How often it is noted that a template is still used.
const NOTED: Duration = Duration::from_secs(24 * 3600);
/// How old a file is that its maker has died over.
const ABANDONED: Duration = Duration::from_secs(3600);
/// The pause between two looks at the lock of a template.
const PAUSE: Duration = Duration::from_millis(10);

/// The databases of this process's tests.
pub(super) struct Databases {
    root: PathBuf,
    digits: String,
    made: AtomicU64,
    in_memory: bool,
    /// A database in memory is there while a connection is open.
    open: Mutex<HashMap<String, SqliteConnection>>,
    /// Locked while the process lives.
    _alive: File,
}

/// Returns how sqlx connects to a database of a test: its data need not survive a crash of the machine.
pub(crate) fn connect_options(url: &DatabaseUrl) -> Result<SqliteConnectOptions> {
    let location = Location::parse(url, Path::new(""))?;
    let mut options = SqliteConnectOptions::new().synchronous(SqliteSynchronous::Off);
    if let Place::File(path) = &location.place {
        options = options.filename(path);
    }
    if let Some(vfs) = location.vfs {
        options = options.filename(&location.written).vfs(vfs);
    }
    Ok(options)
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
        fs::create_dir_all(root.join("templates")).map_err(io("make the directory", root))?;
        remove_dead(root);
        let digits = format!("{:016x}", RandomState::new().build_hasher().finish());
        // Locked before it has the name by which others find it: nobody takes it for a dead process's.
        let (unlocked, named) = (root.join(format!("{digits}.new")), root.join(format!("{digits}.lock")));
        let alive = File::create(&unlocked).map_err(io("make the file", &unlocked))?;
        alive.lock().map_err(io("lock", &unlocked))?;
        fs::rename(&unlocked, &named).map_err(io("name the file", &named))?;
        let directory = root.join(&digits);
        fs::create_dir(&directory).map_err(io("make the directory", &directory))?;
        Ok(Self {
            root: root.to_owned(),
            digits,
            made: AtomicU64::new(0),
            in_memory,
            open: Mutex::default(),
            _alive: alive,
        })
    }

    fn template(&self, template: &str) -> PathBuf {
        self.root.join("templates").join(format!("{template}.db"))
    }

    /// Returns a database that is not there yet.
    fn named(&self, in_memory: bool) -> TestDatabase {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        if in_memory {
            let name = format!("dbsetup-test-{}-{number}", self.digits);
            let url = DatabaseUrl::new(format!("sqlite:///{name}?vfs=memdb"));
            return TestDatabase { name, url, path: None };
        }
        let name = format!("{number}.db");
        let path = self.root.join(&self.digits).join(&name);
        TestDatabase { name, url: url_of(&path), path: Some(path) }
    }

    async fn create(
        &self,
        database: &TestDatabase,
        template: Option<&Path>,
    ) -> std::result::Result<bool, DbError> {
        match (&database.path, template) {
            (Some(path), Some(template)) => match fs::copy(template, path) {
                Ok(_) => Ok(true),
                Err(source) if source.kind() == ErrorKind::NotFound && !template.exists() => Ok(false),
                Err(source) => Err(error::file("copy the template to", path, &source)),
            },
            // An empty file is an empty database.
            (Some(path), None) => {
                File::create_new(path).map(|_| true).map_err(io("make the database", path))
            }
            (None, Some(template)) if !template.exists() => Ok(false),
            (None, template) => {
                let failed = |error: sqlx::Error| error::database(&error);
                let filename = format!("/{}", database.name);
                let options = SqliteConnectOptions::new().filename(filename).vfs("memdb");
                let connection = options.disable_statement_logging().connect().await.map_err(failed)?;
                self.open
                    .lock()
                    .expect("nobody panics while holding it")
                    .insert(database.name.clone(), connection);
                if let Some(template) = template {
                    let options = SqliteConnectOptions::new().filename(template).disable_statement_logging();
                    let mut source = options.connect().await.map_err(failed)?;
                    let into = literal(&format!("file:/{}?vfs=memdb", database.name));
                    let copied = sqlx::raw_sql(AssertSqlSafe(format!("VACUUM INTO {into}")))
                        .execute(&mut source)
                        .await;
                    let _ = source.close().await;
                    copied.map_err(failed)?;
                }
                Ok(true)
            }
        }
    }

    /// Makes the template under the lock of its name.
    async fn publish(&self, template: &str, note: &str, fill: Fill<'_>) -> Result<()> {
        let path = self.template(template);
        if path.exists() {
            return Ok(());
        }
        self.remove_stale(note);
        let database = self.named(false);
        let part = database.path.clone().expect("it was asked for a file");
        self.create(&database, None).await?;
        let filled = fill(database).await;
        let published = filled.and_then(|()| {
            write_note(&path, note).map_err(io("write", &path))?;
            // A log that is still beside it would be missing from a copy.
            if part.with_extension("db-wal").exists() {
                let message = "the template is still open: its log is beside it";
                return Err(failure(DbErrorClass::Io, message).into());
            }
            Ok(fs::rename(&part, &path).map_err(io("name the template", &path))?)
        });
        let _ = remove(&part, &part);
        published
    }

    /// Removes templates with the same note that nobody has used for a while.
    fn remove_stale(&self, note: &str) {
        for path in entries(&self.root.join("templates"), "of") {
            let is_ours = fs::read_to_string(&path).is_ok_and(|text| text == note);
            if is_ours && age(&path).is_some_and(|age| age > STALE) {
                for ending in ["db", "lock", "of"] {
                    let _ = fs::remove_file(path.with_extension(ending));
                }
            }
        }
    }
}

/// Writes whose a template is. When it was written is when the template was last used.
fn write_note(template: &Path, note: &str) -> std::io::Result<()> {
    File::create(template.with_extension("of"))?.write_all(note.as_bytes())
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
        if File::open(&lock).is_ok_and(|file| file.try_lock().is_ok()) && !is_kept(&lock) {
            let _ = fs::remove_dir_all(lock.with_extension(""));
            let _ = fs::remove_file(&lock);
        }
    }
    for file in entries(root, "new") {
        if age(&file).is_some_and(|age| age > ABANDONED) {
            let _ = fs::remove_file(file);
        }
    }
}

/// Whether a directory holds a database that is left to a person.
fn is_kept(lock: &Path) -> bool {
    !entries(&lock.with_extension(""), "kept").is_empty()
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
    fn engine(&self) -> &'static str {
        "SQLite"
    }

    fn recorded(&self) -> &[String] {
        &[]
    }

    fn connections(&self) -> Option<usize> {
        None
    }

    fn make<'a>(
        &'a self,
        test: &'a str,
        template: Option<&'a str>,
        _options: &'a CreateOptions,
    ) -> BoxFuture<'a, std::result::Result<Option<TestDatabase>, DbError>> {
        Box::pin(async move {
            for kept in kept_of(&self.root, test) {
                let _ = remove(&kept, &kept);
                let _ = fs::remove_file(kept.with_extension("kept"));
            }
            let database = self.named(self.in_memory);
            let template = template.map(|template| self.template(template));
            if let Some(note) = template.as_ref().map(|template| template.with_extension("of"))
                && age(&note).is_some_and(|age| age > NOTED)
            {
                // It is used.
                let _ = File::open(&note).and_then(|file| file.set_modified(SystemTime::now()));
            }
            let made = self.create(&database, template.as_deref()).await?;
            Ok(made.then_some(database))
        })
    }

    fn make_template<'a>(
        &'a self,
        template: &'a str,
        note: &'a str,
        _options: &'a CreateOptions,
        fill: Fill<'a>,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let path = self.template(template).with_extension("lock");
            let lock = File::create(&path).map_err(io("make the file", &path))?;
            loop {
                match lock.try_lock() {
                    Ok(()) => break,
                    Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                    Err(TryLockError::Error(source)) => {
                        return Err(error::file("lock", &path, &source).into());
                    }
                }
            }
            self.publish(template, note, fill).await
        })
    }

    fn remove<'a>(
        &'a self,
        database: &'a TestDatabase,
    ) -> BoxFuture<'a, std::result::Result<(), DbError>> {
        Box::pin(async move {
            if let Some(path) = &database.path {
                return remove(path, path);
            }
            let connection =
                self.open.lock().expect("nobody panics while holding it").remove(&database.name);
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
                let message = format!("a database in memory is gone with its process: `{WHERE}=file` keeps it");
                return Err(failure(DbErrorClass::Unsupported, message));
            };
            let note = path.with_extension("kept");
            fs::write(&note, test).map_err(io("write", &note))
        })
    }
}

/// Databases that were kept of earlier runs of a test.
fn kept_of(root: &Path, test: &str) -> Vec<PathBuf> {
    let directories = entries(root, "lock").into_iter().map(|lock| lock.with_extension(""));
    directories
        .flat_map(|directory| entries(&directory, "kept"))
        .filter(|note| fs::read_to_string(note).is_ok_and(|of| of == test))
        .map(|note| note.with_extension("db"))
        .collect()
}

impl Drop for Databases {
    fn drop(&mut self) {
        // Nothing is in it any more, unless something was kept.
        let _ = fs::remove_dir(self.root.join(&self.digits));
    }
}
