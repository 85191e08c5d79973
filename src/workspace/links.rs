//! Refuses symbolic links that lead out of a repo's directories: what runs against a database is what the checkout
//! shows.

use std::path::{Path, PathBuf};

use dbsetup::repo::Repo;
use dbsetup::{Error, Kind, Result};
use walkdir::WalkDir;

/// Checks everything of the repo that lies below its priv directory.
///
/// # Errors
/// [`Kind::Configuration`], naming the link and its target.
pub fn check(repo: &Repo) -> Result<()> {
    let fixed = [repo.structure.clone(), repo.priv_dir.join("seeds.sql"), repo.priv_dir.join("seeds")];
    let lanes = repo.migrations.iter().chain(&repo.manual_migrations).chain(&repo.archive);
    let Ok(home) = repo.priv_dir.canonicalize() else { return Ok(()) };
    for path in fixed.iter().chain(lanes) {
        // A directory elsewhere was written explicitly; its links may stay within it.
        let is_below = path.starts_with(&repo.priv_dir);
        let Some(allowed) = (if is_below { Some(home.clone()) } else { path.canonicalize().ok() }) else {
            continue;
        };
        for entry in WalkDir::new(path).follow_root_links(false).into_iter().flatten() {
            if !entry.path_is_symlink() || (!is_below && entry.depth() == 0) {
                continue;
            }
            let target: PathBuf = std::fs::read_link(entry.path()).unwrap_or_default();
            let leaves = match entry.path().canonicalize() {
                Ok(real) => !real.starts_with(&allowed),
                // Dangling: nothing can be read through it.
                Err(_) => false,
            };
            if leaves {
                return Err(refused(repo, entry.path(), &target));
            }
        }
    }
    Ok(())
}

fn refused(repo: &Repo, link: &Path, target: &Path) -> Error {
    Error::new(
        Kind::Configuration,
        format!(
            "the link `{}` of repo `{}` leaves its directory: it leads to `{}`",
            repo.shown(link).display(),
            repo.name,
            target.display()
        ),
    )
    .help(
        "put the file itself there, or name the directory that it leads to in the configuration of the repo",
    )
}
