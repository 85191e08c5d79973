//! Keeps two runs from squashing one repo at once: a file beside the structure that one of them locks. Repos whose
//! structures share a directory do not wait for each other. It says which process that is.

use std::fs::{File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::repo::Repo;

/// The right to squash a repo, from before its files are read until they are written. What a killed run leaves is a file
/// that nobody has locked, which the next one takes over.
#[derive(Debug)]
pub struct Held {
    /// `None` where the file system cannot lock, or nothing can be written there, which whoever writes is told then.
    _lock: Option<Lock>,
}

#[derive(Debug)]
struct Lock {
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

/// Keeps other runs from squashing a repo.
///
/// # Errors
/// [`Kind::Locked`] when another run is at it, naming its process.
pub fn hold(repo: &Repo) -> Result<Held> {
    lock(repo).map(|lock| Held { _lock: lock })
}

fn lock(repo: &Repo) -> Result<Option<Lock>> {
    let path = path(&repo.structure);
    let taken = || {
        let holder = std::fs::read_to_string(&path).ok().and_then(|text| holder(&text));
        let by = holder.map_or_else(String::new, |process| format!(" (process {process})"));
        Error::new(Kind::Locked, format!("another run{by} squashes `{}`", repo.name))
            .note("nothing has been done")
            .help("wait until it has ended, then look at what it has done: `git status`")
    };
    let Ok(file) = File::options().write(true).create(true).truncate(false).open(&path) else {
        return Ok(None);
    };
    match file.try_lock() {
        Ok(()) if is_in_place(&file, &path) => {
            // A name for messages: whether it can be written decides nothing.
            let _ = file.set_len(0).and_then(|()| writeln!(&file, "{}", std::process::id()));
            Ok(Some(Lock { path, _file: file }))
        }
        Ok(()) | Err(TryLockError::WouldBlock) => Err(taken()),
        Err(TryLockError::Error(_)) => {
            let _ = std::fs::remove_file(&path);
            Ok(None)
        }
    }
}

/// Returns the process that a lock's file names.
fn holder(text: &str) -> Option<u32> {
    text.trim().parse().ok()
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
        let one = hold(&repo("a.sql")).unwrap();
        let other = hold(&repo("b.sql")).unwrap();
        let error = hold(&repo("a.sql")).unwrap_err();
        assert_eq!(error.kind(), Kind::Locked);
        if cfg!(unix) {
            let holder = format!("(process {})", std::process::id());
            assert!(error.message().contains(&holder), "{error}");
        }
        drop((one, other));
        std::fs::write(path(&repo("a.sql").structure), "left by a run that was killed").unwrap();
        drop(hold(&repo("a.sql")).unwrap());
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
