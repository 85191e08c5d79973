//! What git says of the files that a squash is about to replace and move.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use dbsetup::repo::Repo;
use dbsetup::structure::floor::Floor;
use dbsetup::structure::squash::{Move, Reference, is_own_file};
use dbsetup::{Error, Kind, Result};

use crate::git::Git;

/// How many files a refusal names.
const SHOWN: usize = 10;

fn git(repo: &Repo) -> Option<Git> {
    let nearest = repo.priv_dir.ancestors().find(|path| path.is_dir());
    Git::around(nearest.unwrap_or(&repo.root))
}

/// Returns what the floor names for whoever needs the files where they ran: the commit, the tag before it, and, for a branch
/// whose commits may be lost when it is merged, where it left the default one.
pub fn reference(repo: &Repo) -> Reference {
    let Some(git) = git(repo) else { return Reference::default() };
    let commit = git.head();
    // Without a tag git describes a commit by its own digits.
    let is_tag = |name: &String| commit.as_ref().is_none_or(|commit| !commit.starts_with(name.as_str()));
    let default = git.default_branch();
    let places = default.iter().flat_map(|name| [format!("origin/{name}"), name.clone()]);
    let base =
        places.filter(|name| git.commit(name).is_some()).find_map(|name| git.merge_base("HEAD", &name));
    Reference {
        release: git.describe().filter(is_tag),
        base: base.filter(|base| commit.as_ref() != Some(base)),
        commit,
    }
}

/// Refuses files that no commit has, ignored ones among `moves` too; returns what deserves a look: the branch, where it is
/// not the default one.
///
/// # Errors
/// [`Kind::Refused`] naming the files and the flag; [`Kind::Program`] when git fails.
pub fn check(
    repo: &Repo,
    moves: &[Move],
    allow_dirty: bool,
    allow_no_vcs: bool,
) -> Result<Option<(String, Option<String>)>> {
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
    paths.extend(directories.map(PathBuf::as_path));
    // What lies elsewhere is not this repository's to know.
    paths.retain(|path| is_inside(&git, path));
    let changes: Vec<String> = if allow_dirty {
        Vec::new()
    } else {
        let is_ours =
            |line: &String| is_own_file(Path::new(line.get(3..).unwrap_or_default().trim_matches('"')));
        let changes = git.changes(&paths)?.into_iter().filter(|line| !is_ours(line));
        let mut changes: Vec<String> = changes.collect();
        if changes.is_empty() {
            // What is ignored is no change, and what is outside of the repository is not looked at above.
            let unknown = unknown(&git, repo, moves)?;
            changes = unknown.iter().map(|path| format!("?? {}", repo.shown(path).display())).collect();
        }
        changes
    };
    if !changes.is_empty() {
        let number = changes.len();
        let verb = if number == 1 { "is" } else { "are" };
        let message =
            format!("`{}` cannot be squashed: {number} of its files {verb} not committed", repo.name);
        let mut error = Error::new(Kind::Refused, message);
        for line in changes.iter().take(SHOWN) {
            error = error.note(line.trim().to_owned());
        }
        if number > SHOWN {
            error = error.note(format!("and {} more", number - SHOWN));
        }
        return Err(error.help("commit them, or go on all the same: `--allow-dirty`"));
    }
    if !allow_dirty {
        refuse_ignored(&git, repo, moves)?;
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

/// Refuses places that git ignores: a commit would take the files away where they were, and have them nowhere.
fn refuse_ignored(git: &Git, repo: &Repo, moves: &[Move]) -> Result<()> {
    let floor = Floor::path(&repo.structure);
    let mut places: Vec<&Path> = vec![&repo.structure, &floor];
    places.extend(moves.iter().map(|moved| moved.to.as_path()));
    places.retain(|path| is_inside(git, path));
    if places.is_empty() {
        return Ok(());
    }
    let ignored = git.ignored(&places)?;
    let Some(first) = ignored.first() else { return Ok(()) };
    let others = match ignored.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("`{}` cannot be squashed: git ignores `{}`{others}", repo.name, first.display());
    Err(Error::new(Kind::Refused, message)
        .note("a commit would have the files nowhere")
        .help("take the pattern out of .gitignore; or go on all the same: `--allow-dirty`"))
}

/// Returns those of the files that a squash moves or replaces that git does not keep.
fn unknown(git: &Git, repo: &Repo, moves: &[Move]) -> Result<Vec<PathBuf>> {
    let floor = Floor::path(&repo.structure);
    let files = [&repo.structure, &floor].into_iter().filter(|path| path.exists());
    let files = files.chain(moves.iter().map(|moved| &moved.from));
    let mut wanted = Vec::new();
    for path in files {
        below(path, &mut wanted).map_err(|error| Error::io("read", &repo.shown(path), error))?;
    }
    let real = |path: &Path| std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
    let mut directories: Vec<PathBuf> = wanted
        .iter()
        .filter_map(|path| path.parent())
        .map(real)
        .filter(|path| is_inside(git, path))
        .collect();
    directories.sort();
    directories.dedup();
    if directories.is_empty() {
        return Ok(wanted);
    }
    let directories: Vec<&Path> = directories.iter().map(PathBuf::as_path).collect();
    let kept: HashSet<PathBuf> =
        git.tracked(&directories)?.into_iter().map(|path| git.root().join(path)).collect();
    // A link is kept as what it is: where it leads to is another file.
    let place = |path: &Path| match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) => real(parent).join(name),
        _ => path.to_path_buf(),
    };
    wanted.retain(|path| !kept.contains(&place(path)));
    Ok(wanted)
}

/// Collects a file, or every file below a directory.
fn below(path: &Path, found: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !std::fs::symlink_metadata(path)?.is_dir() {
        found.push(path.to_path_buf());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        below(&entry?.path(), found)?;
    }
    Ok(())
}

fn is_inside(git: &Git, path: &Path) -> bool {
    let nearest = path.ancestors().find(|path| path.exists());
    nearest.and_then(|path| std::fs::canonicalize(path).ok()).is_some_and(|real| real.starts_with(git.root()))
}
