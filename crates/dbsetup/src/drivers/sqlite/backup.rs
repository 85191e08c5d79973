//! A copy of a database beside it, put back by a rename.
//!
//! The copy is made by `VACUUM INTO`, which sees one moment of the database whatever others write to it
//! (<https://www.sqlite.org/lang_vacuum.html>). Until it is whole and on the disk it has another name.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, SqliteConnection};

use super::catalog::literal;
use super::error;
use super::file::exclusive;
use super::lock::{self, Held};
use super::server::SqliteServer;
use crate::driver::{Backup, BoxFuture, DbError, DbErrorClass, Server};

/// The right to keep a copy of a file.
pub(super) struct FileBackup<'a> {
    server: &'a SqliteServer,
    /// The database, links resolved.
    database: PathBuf,
    _lock: Held,
}

/// What SQLite keeps beside a file.
const SIDE_FILES: [&str; 3] = ["-wal", "-shm", "-journal"];

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn remove(path: &Path) -> Result<(), DbError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(error::file("remove", path, &source)),
        _ => Ok(()),
    }
}

/// Makes an empty file that nobody else may read: the rows of a private database must not be there for others, not even
/// for the time that it takes to copy them. `VACUUM INTO` takes an empty file.
fn private(path: &Path) -> Result<(), DbError> {
    let mut options = File::options();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).map(drop).map_err(|source| error::file("create", path, &source))
}

/// Gives a copy the owner, the group and the mode of its original: it may take its place.
#[cfg(unix)]
fn take_after(original: &Path, copy: &Path) -> Result<(), DbError> {
    use std::os::unix::fs::{MetadataExt, chown};

    let of = |path: &Path| fs::metadata(path).map_err(|source| error::file("look at", path, &source));
    let (wanted, made) = (of(original)?, of(copy)?);
    if (wanted.uid(), wanted.gid()) != (made.uid(), made.gid()) {
        let uid = (wanted.uid() != made.uid()).then_some(wanted.uid());
        let gid = (wanted.gid() != made.gid()).then_some(wanted.gid());
        chown(copy, uid, gid).map_err(|source| {
            let mut error = error::file("give the copy the owner of the database to", copy, &source);
            error.notes.push("help: let the owner of the database file run this program".to_owned());
            error
        })?;
    }
    // After the owner: a change of it takes bits away.
    fs::set_permissions(copy, wanted.permissions())
        .and_then(|()| File::open(copy)?.sync_all())
        .map_err(|source| error::file("set the mode of", copy, &source))
}

/// Gives a copy what its original has: here nothing but its directory decides.
#[cfg(not(unix))]
fn take_after(_: &Path, _: &Path) -> Result<(), DbError> {
    Ok(())
}

impl<'a> FileBackup<'a> {
    /// Takes the right, unless somebody else has it.
    pub(super) fn take(
        server: &'a SqliteServer,
        path: &Path,
        application: &str,
    ) -> Result<Option<Self>, DbError> {
        let database = fs::canonicalize(path).map_err(|source| error::file("resolve", path, &source))?;
        let lock = lock::take_named(&beside(&database, "-dbsetup-backup-lock"), application)?;
        Ok(lock.map(|lock| Self { server, database, _lock: lock }))
    }

    fn copy_path(&self) -> PathBuf {
        beside(&self.database, "-dbsetup-backup")
    }

    /// Removes a copy, whole or not, with what SQLite kept beside it.
    fn clear(path: &Path) -> Result<(), DbError> {
        for suffix in SIDE_FILES {
            remove(&beside(path, suffix))?;
        }
        remove(path)
    }

    /// Makes the names of the directory durable.
    fn sync_names(&self) -> Result<(), DbError> {
        match self.database.parent() {
            Some(directory) if cfg!(unix) => File::open(directory)
                .and_then(|directory| directory.sync_all())
                .map_err(|source| error::file("sync", directory, &source)),
            _ => Ok(()),
        }
    }

    async fn connection(&self) -> Result<SqliteConnection, DbError> {
        self.server.options().connect().await.map_err(|error| error::database(&error))
    }

    async fn copied(&self) -> Result<(), DbError> {
        let (copy, part) = (self.copy_path(), beside(&self.database, "-dbsetup-backup-part"));
        Self::clear(&part)?;
        let result = match private(&part) {
            Ok(()) => self.write(&part).await.and_then(|()| take_after(&self.database, &part)),
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            // The room that it took is given back: a disk may be full.
            let _ = Self::clear(&part);
            return Err(error);
        }
        fs::rename(&part, &copy).map_err(|source| error::file("rename", &part, &source))?;
        self.sync_names()
    }

    async fn write(&self, part: &Path) -> Result<(), DbError> {
        let mut connection = self.connection().await?;
        let text = format!("VACUUM INTO {}", literal(&part.to_string_lossy()));
        let copied = sqlx::raw_sql(AssertSqlSafe(text)).execute(&mut connection).await;
        let mode = match copied {
            Ok(_) => sqlx::raw_sql("PRAGMA journal_mode").fetch_one(&mut connection).await,
            Err(error) => Err(error),
        };
        let _ = connection.close().await;
        let mode: String =
            mode.and_then(|row| row.try_get_unchecked(0)).map_err(|error| error::database(&error))?;
        // The mode is the file's own setting, and the only one that a copy made in this way has not.
        if mode == "wal" {
            let options = self.server.options().filename(part);
            let mut connection = options.connect().await.map_err(|error| error::database(&error))?;
            let set = sqlx::raw_sql("PRAGMA journal_mode=WAL").execute(&mut connection).await;
            let _ = connection.close().await;
            set.map_err(|error| error::database(&error))?;
        }
        let synced = File::options().write(true).open(part).and_then(|file| file.sync_all());
        synced.map_err(|source| error::file("sync", part, &source))
    }

    async fn restored(&self) -> Result<(), DbError> {
        let copy = self.copy_path();
        let in_use = |mut error: DbError| {
            if error.class == DbErrorClass::LockTimeout {
                let note = format!("`{}` was not put back: another process uses it", self.database.display());
                error.notes.insert(0, note);
            }
            error
        };
        let locks = lock::take_all(&self.database, "dbsetup start-up").map_err(in_use)?;
        let mut connection = self.connection().await?;
        // A file that cannot be read any more is replaced all the same.
        match exclusive(&mut connection).await {
            Err(error) if error::code_of(&error) & 0xff != 11 => {
                let _ = connection.close().await;
                return Err(in_use(error));
            }
            _ => {}
        }
        // Where an open file cannot be replaced it is closed first.
        let mut connection = Some(connection);
        if cfg!(not(unix))
            && let Some(connection) = connection.take()
        {
            let _ = connection.close().await;
        }
        // Everything is in the file itself by now; what stays beside it would be taken for the copy's.
        let replaced = SIDE_FILES
            .iter()
            .flat_map(|suffix| [beside(&self.database, suffix), beside(&copy, suffix)])
            .try_for_each(|path| remove(&path))
            .and_then(|()| {
                fs::rename(&copy, &self.database).map_err(|source| error::file("rename", &copy, &source))
            })
            .and_then(|()| self.sync_names());
        if let Some(connection) = connection {
            let _ = connection.close().await;
        }
        drop(locks);
        replaced
    }
}

impl Backup for FileBackup<'_> {
    fn copy(&mut self) -> BoxFuture<'_, Result<Option<Box<dyn Server>>, DbError>> {
        let copy = self.copy_path();
        let found = copy.is_file().then(|| Box::new(self.server.at(copy)) as Box<dyn Server>);
        Box::pin(std::future::ready(Ok(found)))
    }

    fn make(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.copied())
    }

    fn put_back(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.restored())
    }

    fn discard(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async {
            Self::clear(&beside(&self.database, "-dbsetup-backup-part"))?;
            Self::clear(&self.copy_path())?;
            self.sync_names()
        })
    }
}
