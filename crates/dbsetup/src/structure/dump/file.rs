//! The file that a dump belongs in: what is in it, and how it is replaced, whole or not at all.

use std::io::Write;
use std::path::Path;
use std::time::Instant;

use super::Dump;
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::files::Files;
use crate::repo::Repo;
use crate::session::Session;
use crate::structure::recorded::recorded_versions;
use crate::structure::{forgets, squash};

/// Returns the text of a file, if it is there.
pub(in crate::structure) fn present(files: Files, path: &Path, shown: &Path) -> Result<Option<String>> {
    // What is no file may have no end, and must not be replaced by one.
    if files.exists(path) && !files.is_file(path) {
        return Err(Error::new(Kind::Configuration, format!("`{}` is not a file", shown.display()))
            .help("name a file, or write to stdout: `-d -`"));
    }
    match files.read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", shown, error)),
    }
}

/// A database that was only just made has nothing to say about a file that others have filled.
fn refuse_to_empty(repo: &Repo, dump: &Dump) -> Result<()> {
    if dump.recorded > 0 || dump.present.is_none() {
        return Ok(());
    }
    let versions = recorded_versions(repo.files, &dump.path, repo.ledger.table.as_deref())?;
    if versions.is_empty() {
        return Ok(());
    }
    let what = format!(
        "the database of `{}` has no migration applied, and `{}` records {}",
        repo.name,
        dump.shown.display(),
        versions.len()
    );
    Err(Error::new(Kind::Missing, what).help(format!("fill the database first: {}", repo.command("setup"))))
}

/// Writes a dump to its file: into a temporary file beside it, to the disk, then in its place. A file that says the
/// same is not touched.
///
/// # Errors
/// [`Kind::Io`]; the old file is whole then.
pub fn write(session: &Session<'_>, dump: &Dump, start: Instant) -> Result<bool> {
    let changed = !dump.is_current();
    if changed {
        refuse_interrupted(session.repo(), &dump.path)?;
        refuse_to_empty(session.repo(), dump)?;
        forgets::refuse_to_forget(session.repo(), dump)?;
        replace(&dump.path, &dump.shown, dump.text.as_bytes())?;
    }
    session.teller().tell(What::Dumped { path: dump.shown.clone(), changed, took: start.elapsed() });
    Ok(changed)
}

/// A structure file that a squash is half done with is the squash's.
fn refuse_interrupted(repo: &Repo, path: &Path) -> Result<()> {
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    if real(path) == real(&repo.structure) { squash::refuse_interrupted(repo) } else { Ok(()) }
}

fn replace(path: &Path, shown: &Path, bytes: &[u8]) -> Result<()> {
    let io = |error| Error::io("write", shown, error);
    // A link stays one: the file that it leads to is replaced.
    let behind = std::fs::canonicalize(path);
    let path = behind.as_deref().unwrap_or(path);
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(io)?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    // A fixed name: what a killed run left behind is replaced by the next one.
    let temporary = directory.join(format!(".{name}.dbsetup-tmp"));
    let written = (|| {
        // Made anew, it is no link that somebody put there to have us write elsewhere.
        match std::fs::remove_file(&temporary) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = std::fs::File::options().write(true).create_new(true).open(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)?;
        // The rename itself is to survive a power cut; not every platform lets a directory be opened.
        if let Ok(directory) = std::fs::File::open(directory) {
            let _ = directory.sync_all();
        }
        Ok(())
    })();
    written.map_err(|error| {
        let _ = std::fs::remove_file(&temporary);
        io(error).note("the old file is untouched")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_write_follows_no_link_of_its_temporary_file() {
        let directory = tempfile::tempdir().unwrap();
        let (path, victim) = (directory.path().join("structure.sql"), directory.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, directory.path().join(".structure.sql.dbsetup-tmp")).unwrap();
        replace(&path, &path, b"new").unwrap();
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        assert!(!path.is_symlink());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_stays_a_link() {
        let directory = tempfile::tempdir().unwrap();
        let (file, link) = (directory.path().join("file.sql"), directory.path().join("link.sql"));
        std::fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("file.sql", &link).unwrap();
        replace(&link, &link, b"new").unwrap();
        assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn a_failed_write_keeps_the_old_file_and_leaves_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("structure.sql");
        std::fs::write(&path, "old").unwrap();
        // A directory in the temporary file's place cannot be opened for writing.
        std::fs::create_dir(directory.path().join(".structure.sql.dbsetup-tmp")).unwrap();
        assert!(replace(&path, &path, b"new").is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        std::fs::remove_dir(directory.path().join(".structure.sql.dbsetup-tmp")).unwrap();
        replace(&path, &path, b"new").unwrap();
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
