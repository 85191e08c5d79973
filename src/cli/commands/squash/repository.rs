//! What git says of the files that a squash is about to replace and move.

use std::path::Path;

use dbsetup::repo::Repo;
use dbsetup::structure::floor::Floor;
use dbsetup::structure::squash::{Reference, is_own_file};
use dbsetup::{Error, Kind, Result};

use crate::git::Git;

/// How many files a refusal names.
const SHOWN: usize = 10;

fn git(repo: &Repo) -> Option<Git> {
    let nearest = repo.priv_dir.ancestors().find(|path| path.is_dir());
    Git::around(nearest.unwrap_or(&repo.root))
}

/// Returns what the floor names for whoever needs the files where they ran: the commit, and the tag before it.
pub fn reference(repo: &Repo) -> Reference {
    let Some(git) = git(repo) else { return Reference::default() };
    let commit = git.head();
    // Without a tag git describes a commit by its own digits.
    let is_tag = |name: &String| commit.as_ref().is_none_or(|commit| !commit.starts_with(name.as_str()));
    Reference { release: git.describe().filter(is_tag), commit }
}

/// Refuses files that no commit has; returns what deserves a look: the branch, where it is not the default one.
///
/// # Errors
/// [`Kind::Refused`] naming the files and the flag; [`Kind::Program`] when git fails.
pub fn check(repo: &Repo, allow_dirty: bool, allow_no_vcs: bool) -> Result<Option<(String, Option<String>)>> {
    let Some(git) = git(repo) else {
        if allow_no_vcs {
            return Ok(None);
        }
        let message = format!("`{}` is in no git repository: a squash could not be taken back", repo.name);
        return Err(Error::new(Kind::Refused, message)
            .help("put it under version control, or go on without: `--allow-no-vcs`"));
    };
    let floor = Floor::path(&repo.structure);
    let mut paths: Vec<&Path> = vec![&repo.priv_dir, &repo.structure, &floor];
    let directories = repo.migrations.iter().chain(&repo.manual_migrations).chain(&repo.archive);
    paths.extend(directories.map(std::path::PathBuf::as_path));
    // What lies elsewhere is not this repository's to know.
    paths.retain(|path| is_inside(&git, path));
    let changes: Vec<String> = if allow_dirty {
        Vec::new()
    } else {
        let is_ours =
            |line: &String| is_own_file(Path::new(line.get(3..).unwrap_or_default().trim_matches('"')));
        git.changes(&paths)?.into_iter().filter(|line| !is_ours(line)).collect()
    };
    if !changes.is_empty() {
        let number = changes.len();
        let noun = if number == 1 { "file is" } else { "files are" };
        let message = format!("`{}` cannot be squashed: {number} of its {noun} not committed", repo.name);
        let mut error = Error::new(Kind::Refused, message);
        for line in changes.iter().take(SHOWN) {
            error = error.note(line.trim().to_owned());
        }
        if number > SHOWN {
            error = error.note(format!("and {} more", number - SHOWN));
        }
        return Err(error.help("commit them, or go on all the same: `--allow-dirty`"));
    }
    Ok(match (git.branch(), git.default_branch()) {
        (Some(branch), Some(default)) if branch != default => Some((
            format!("`{}` is squashed on the branch `{branch}`, not on `{default}`", repo.name),
            Some(format!(
                "migrations that reach `{default}` meanwhile stay in their lanes, and follow the structure"
            )),
        )),
        (None, _) => Some((format!("`{}` is squashed while no branch is checked out", repo.name), None)),
        _ => None,
    })
}

fn is_inside(git: &Git, path: &Path) -> bool {
    let nearest = path.ancestors().find(|path| path.exists());
    nearest.and_then(|path| std::fs::canonicalize(path).ok()).is_some_and(|real| real.starts_with(git.root()))
}
