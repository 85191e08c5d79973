//! A repo of a directory, where nobody reads a manifest.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::DISPOSABLE;
use crate::error::{Error, Kind, Result};
use crate::files::{EntryKind, Files};
use crate::ledger::LedgerKind;
use crate::migration::{Grammar, checksum, first_grammar};
use crate::repo::{DatabaseUrl, Repo, RepoName};

pub(super) fn repo(name: &RepoName, directory: &Path, url: DatabaseUrl, environment: &str) -> Result<Repo> {
    let priv_dir = priv_dir(name, directory)?;
    let mut repo = Repo {
        disposable: DISPOSABLE.contains(&environment),
        display_root: directory.to_path_buf(),
        root: PathBuf::new(),
        ..Repo::plain(name.clone(), priv_dir, url, environment)
    };
    // Not all of it is read: an application that starts reads its files while it connects, and once.
    repo.layout_ledger = first_grammar(&repo).and_then(|grammar| match grammar {
        Grammar::Plain => None,
        Grammar::Diesel => Some(LedgerKind::Diesel),
        Grammar::Refinery => Some(LedgerKind::Refinery),
        Grammar::Dbmate => Some(LedgerKind::Dbmate),
    });
    Ok(repo)
}

/// `priv/<name>`, where there is one, or the directory itself.
fn priv_dir(name: &RepoName, directory: &Path) -> Result<PathBuf> {
    if !directory.is_dir() {
        let what = format!("there is no directory `{}` for repo `{name}`", directory.display());
        return Err(Error::new(Kind::Missing, what)
            .note("it is looked for where the process runs, unless the path is absolute"));
    }
    let inside = directory.join("priv").join(name.as_str());
    Ok(if inside.is_dir() { inside } else { directory.to_path_buf() })
}

/// The checksum of everything below the directory that can be a repo's: names and bytes of its files.
pub(super) fn digest(name: &RepoName, directory: &Path) -> Result<String> {
    let root = priv_dir(name, directory)?;
    let io = |path: &Path, error| Error::io("read", path, error);
    let mut hash = Sha256::new();
    let fixed = ["structure.sql", "structure.floor", "seeds.sql"].map(|name| root.join(name));
    let mut files: Vec<PathBuf> = fixed.into_iter().filter(|path| path.is_file()).collect();
    let lanes = ["migrations", "manual_migrations", "dumped_migrations", "seeds"].map(|name| root.join(name));
    let mut pending: Vec<PathBuf> = lanes.into_iter().filter(|path| path.is_dir()).collect();
    while let Some(next) = pending.pop() {
        for entry in Files::Disk.list(&next).map_err(|error| io(&next, error))? {
            let path = next.join(&entry.name);
            match entry.kind {
                EntryKind::Directory => pending.push(path),
                EntryKind::File => files.push(path),
                // What a link leads to counts as a file, once.
                EntryKind::Link if path.is_file() => files.push(path),
                EntryKind::Link | EntryKind::Other => {}
            }
        }
    }
    files.sort();
    for path in files {
        let shown = path.strip_prefix(&root).unwrap_or(&path);
        let bytes = std::fs::read(&path).map_err(|error| io(&path, error))?;
        for part in [shown.as_os_str().as_encoded_bytes(), &bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    }
    Ok(checksum::hex(&hash.finalize()))
}
