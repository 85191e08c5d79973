//! The database's files on disk.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use sqlx::SqliteConnection;

use super::error::{self, failure};
use crate::driver::{DbError, DbErrorClass};

/// What stands at the database's path.
pub(super) enum Found {
    Nothing,
    File,
}

/// Returns what stands at the database's path; what is no file is an error.
pub(super) fn look(path: &Path) -> Result<Found, DbError> {
    let odd = |what: &str| {
        Err(failure(DbErrorClass::Configuration, format!("`{}` is {what}, not a database", path.display())))
    };
    match fs::metadata(path) {
        Ok(found) if found.is_file() => Ok(Found::File),
        Ok(found) if found.is_dir() => odd("a directory"),
        Ok(_) => odd("no regular file"),
        Err(_) if path.is_symlink() => odd("a symbolic link that leads nowhere"),
        Err(source) if source.kind() == ErrorKind::NotFound => Ok(Found::Nothing),
        Err(source) if source.kind() == ErrorKind::NotADirectory => odd("below a file"),
        Err(source) => Err(error::file("look at", path, &source)),
    }
}

/// Gets the file for us alone. In WAL mode every open session is seen by that, else those that read or write just now.
pub(super) async fn exclusive(connection: &mut SqliteConnection) -> Result<(), DbError> {
    // Leaving WAL mode brings what its log holds into the file, and needs everybody else to be gone.
    let sql = "PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=DELETE;BEGIN EXCLUSIVE;SELECT count(*) FROM sqlite_schema";
    sqlx::raw_sql(sql).execute(connection).await.map(drop).map_err(|error| error::database(&error))
}

/// Removes a database's files. The side files go first: a log that stays behind would be read into the next database
/// of that name.
pub(super) fn remove(path: &Path, real: &Path) -> Result<(), DbError> {
    let beside = |suffix: &str| {
        let mut path = real.as_os_str().to_owned();
        path.push(suffix);
        PathBuf::from(path)
    };
    let files = [beside("-wal"), beside("-shm"), beside("-journal"), real.to_owned(), path.to_owned()];
    for file in files {
        match fs::remove_file(&file) {
            Err(source) if source.kind() != ErrorKind::NotFound => {
                return Err(error::file("remove", &file, &source));
            }
            _ => {}
        }
    }
    Ok(())
}
