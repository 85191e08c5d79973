//! What the branch that this one will be merged into already has: the migrations of the merge base. Asks git.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dbsetup::migration::version_in_path;
use dbsetup::repo::Repo;
use dbsetup::sql::Dialect;
use dbsetup::{Error, Kind, Result, structure};

use crate::git::Git;

/// The variable with the name of the branch that a pull request goes to.
/// <https://docs.github.com/actions/reference/workflows-and-actions/variables>
const GITHUB_BASE: &str = "GITHUB_BASE_REF";

/// What is known of the merge base.
#[derive(Debug)]
pub enum Base {
    /// It was found, and read.
    Known(AtBase),
    /// It cannot be told, why, and what would help.
    Unknown { why: String, help: Option<String> },
}

/// The migrations of a repo at the merge base.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AtBase {
    /// What it was asked for by: `origin/main`.
    pub name: String,
    /// Every version of both lanes, of the archive, and of the structure file.
    pub versions: BTreeSet<String>,
    /// The files of lanes that differ from it, absolute.
    pub changed: BTreeSet<PathBuf>,
}

/// Finds the merge base with `wanted`, else with the branch that a pull request goes to, else with the default branch.
///
/// # Errors
/// [`Kind::Configuration`] when there is no commit of the name that was given; [`Kind::Program`] with what git says.
pub fn find(repo: &Repo, dialect: Option<Dialect>, wanted: Option<&str>) -> Result<Base> {
    let unknown = |why: &str, help: Option<&str>| {
        Ok(Base::Unknown { why: why.to_owned(), help: help.map(str::to_owned) })
    };
    let Some(git) = Git::around(&repo.root) else {
        return unknown("the files are not in a git repository, or there is no git", None);
    };
    if git.is_shallow() {
        let help = "fetch the history: `git fetch --unshallow`, or `fetch-depth: 0` for actions/checkout";
        return unknown(
            "this clone is shallow: it does not hold the commits that the branches share",
            Some(help),
        );
    }
    let Some(head) = git.head() else { return unknown("there is no commit yet", None) };
    let of_job = std::env::var(GITHUB_BASE).ok().filter(|name| !name.is_empty());
    let name = match (wanted, of_job.or_else(|| git.default_branch())) {
        (Some(name), _) => name.to_owned(),
        (None, Some(name)) => name,
        (None, None) => {
            return unknown(
                "it is not known which branch others start from",
                Some("name it: `--base BRANCH`"),
            );
        }
    };
    // The remote's branch is what the merge meets; the local one may be old.
    let found = [format!("origin/{name}"), name.clone()]
        .into_iter()
        .find_map(|name| Some((git.commit(&name)?, name)));
    let (commit, name) = match (found, wanted) {
        (Some(found), _) => found,
        (None, Some(wanted)) => {
            return Err(Error::new(
                Kind::Configuration,
                format!("there is no commit `{wanted}` to compare with"),
            )
            .help(format!("fetch it: `git fetch origin {wanted}`")));
        }
        (None, None) => {
            let help = format!("fetch it: `git fetch origin {name}`");
            return unknown(&format!("the branch `{name}` is not in this clone"), Some(&help));
        }
    };
    let Some(base) = git.merge_base(&head, &commit) else {
        return unknown(&format!("this branch has no commit in common with `{name}`"), None);
    };
    read(&git, repo, dialect, &base, name).map(Base::Known)
}

/// Reads what a commit has.
fn read(git: &Git, repo: &Repo, dialect: Option<Dialect>, base: &str, name: String) -> Result<AtBase> {
    let lanes: Vec<&Path> =
        repo.migrations.iter().chain(&repo.manual_migrations).map(PathBuf::as_path).collect();
    let mut versions = BTreeSet::new();
    for directory in lanes.iter().copied().chain(repo.archive.iter().map(PathBuf::as_path)) {
        versions.extend(git.files(base, directory)?.iter().filter_map(|path| version_in_path(path)));
    }
    if let Some(text) = git.show(base, &repo.structure)? {
        let text = String::from_utf8_lossy(&text);
        let dialect = dialect.or_else(|| structure::dialect_of(&text)).unwrap_or(Dialect::Postgres);
        let rows = structure::recorded(dialect, &text, repo.ledger.table.as_deref());
        versions.extend(rows.into_iter().map(|recorded| recorded.row.version));
    }
    let changed = git.differing(base, &lanes)?.into_iter().map(|path| git.root().join(path)).collect();
    Ok(AtBase { name, versions, changed })
}
