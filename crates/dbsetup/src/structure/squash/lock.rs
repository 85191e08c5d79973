//! Keeps two runs from squashing one repo at once: a file beside the structure that one of them locks. Repos whose
//! structures share a directory do not wait for each other.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::repo::Repo;

/// Held while a squash is written. What a killed run leaves is an empty file, which the next one takes over.
#[derive(Debug)]
pub(super) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Drop for Lock {
    fn drop(&mut self) {
        // While it is locked: who opened it meanwhile finds that it is no longer the one in place.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn path(structure: &Path) -> PathBuf {
    let stem = structure.file_stem().unwrap_or_default().to_string_lossy();
    structure.with_file_name(format!(".{stem}.dbsetup-lock"))
}

/// Locks the structure of a repo; `None` where the file system cannot lock, or nothing can be written there, which
/// whoever writes is told then.
///
/// # Errors
/// [`Kind::Locked`] when another run is at it.
pub(super) fn lock(repo: &Repo) -> Result<Option<Lock>> {
    let path = path(&repo.structure);
    let taken = || {
        Error::new(Kind::Locked, format!("another run squashes `{}`", repo.name))
            .help("wait until it has ended")
    };
    let Ok(file) = File::options().write(true).create(true).truncate(false).open(&path) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) if is_in_place(&file, &path) => Ok(Some(Lock { path, _file: file })),
        Ok(()) | Err(TryLockError::WouldBlock) => Err(taken()),
        Err(TryLockError::Error(_)) => {
            let _ = std::fs::remove_file(&path);
            Ok(None)
        }
    }
}

/// Whether the file that was locked is the one that others find.
#[cfg(unix)]
fn is_in_place(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let (Ok(locked), Ok(there)) = (file.metadata(), std::fs::symlink_metadata(path)) else { return false };
    (locked.dev(), locked.ino()) == (there.dev(), there.ino())
}

#[cfg(not(unix))]
fn is_in_place(_: &File, path: &Path) -> bool {
    path.is_file()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_that_share_a_directory_do_not_wait_for_each_other() {
        let directory = tempfile::tempdir().unwrap();
        let repo =
            |file: &str| Repo { structure: directory.path().join(file), ..crate::migration::testing::repo() };
        let one = lock(&repo("a.sql")).unwrap().unwrap();
        let other = lock(&repo("b.sql")).unwrap().unwrap();
        assert_eq!(lock(&repo("a.sql")).unwrap_err().kind(), Kind::Locked);
        drop((one, other));
        drop(lock(&repo("a.sql")).unwrap().unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
