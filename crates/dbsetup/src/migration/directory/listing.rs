//! The entries of a directory of migrations.

use std::path::{Path, PathBuf};

use super::super::grammar::{self, Named};
use crate::error::{Error, Kind, Result};
use crate::files::EntryKind;
use crate::repo::Repo;

/// Returns the entries by name, and whether each is a directory; refinery's directories are read whole, as refinery
/// does.
pub(super) fn entries(repo: &Repo, path: &Path) -> Result<Vec<(PathBuf, bool)>> {
    let shown = repo.shown(path);
    let mut entries = Vec::new();
    let mut pending = vec![path.to_path_buf()];
    while let Some(next) = pending.pop() {
        let listing =
            repo.files.list(&next).map_err(|error| Error::io("read the directory", &shown, error))?;
        for entry in listing {
            // Hidden entries are never migrations; Emacs' lock files are links that lead nowhere.
            if entry.name.to_string_lossy().starts_with('.') {
                continue;
            }
            let path_of_entry = next.join(&entry.name);
            // The listing itself tells the type on most systems: a thousand files are not worth a thousand questions.
            let is_dir = match entry.kind {
                EntryKind::Link => {
                    refuse_escape(repo, path, &path_of_entry)?;
                    repo.files.is_dir(&path_of_entry)
                }
                kind => kind == EntryKind::Directory,
            };
            if is_dir && holds_refinery_files(repo, &path_of_entry) {
                pending.push(path_of_entry);
            } else {
                entries.push((path_of_entry, is_dir));
            }
        }
    }
    // Comparing paths part by part would cost more than all the rest of the reading.
    entries.sort_unstable_by(|(one, _), (other, _)| one.as_os_str().cmp(other.as_os_str()));
    Ok(entries)
}

/// Whether a directory has entries: what is left of a removed migration often has none, and git does not keep it.
pub(super) fn holds_anything(repo: &Repo, path: &Path) -> bool {
    repo.files.list(path).is_ok_and(|listing| !listing.is_empty())
}

fn holds_refinery_files(repo: &Repo, path: &Path) -> bool {
    repo.files.list(path).is_ok_and(|listing| {
        listing.iter().any(|entry| {
            matches!(
                grammar::read_file_name(&entry.name.to_string_lossy()),
                Named::Refinery { .. } | Named::RefineryRust
            )
        })
    })
}

/// A link that leads out of the directory and out of the repo's own would run what nobody reviewed.
pub(crate) fn refuse_escape(repo: &Repo, directory: &Path, link: &Path) -> Result<()> {
    let real = link.canonicalize().map_err(|error| Error::io("follow the link", &repo.shown(link), error))?;
    let inside = |root: &Path| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    if inside(directory) || inside(&repo.priv_dir) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Configuration,
        format!(
            "`{}` is a link that leaves `{}`",
            repo.shown(link).display(),
            repo.shown(&repo.priv_dir).display()
        ),
    )
    .note(format!("it leads to `{}`", real.display()))
    .help("copy the file into the directory, or configure the directory that holds it"))
}
