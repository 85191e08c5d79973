//! `diff`: what has changed in the schema from one commit to another, told from the structure files alone.

mod report;

use std::path::Path;

use clap::Args;
use dbsetup::structure::objects;
use dbsetup::{Error, Kind, Result};

use crate::cli::args::Format;
use crate::cli::context::{Output, Selected};
use crate::git::Git;
use report::{Found, Report};

/// Show what has changed in the schema between two commits, without any database.
///
/// The structure files are compared object by object. `A..B` is from A to B, `A...B` from their common ancestor to B,
/// `A` from A to the files as they are now, and nothing at all from the last commit to the files as they are now.
#[derive(Debug, Clone, Args)]
pub struct Diff {
    /// Commits, branches or tags: `main..HEAD`, `main...HEAD`, `v1.2`.
    #[arg(value_name = "RANGE")]
    range: Option<String>,

    /// Write Markdown, for a comment on a pull request.
    #[arg(long)]
    markdown: bool,
}

/// Where a version of a file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Side {
    /// A commit, as it was named.
    Commit(String),
    /// The newest common ancestor of two.
    Base(String, String),
    /// The file as it is.
    WorkTree,
}

impl Diff {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let (old, new) = sides(self.range.as_deref().unwrap_or_default());
        let mut reports = Vec::with_capacity(selected.repos.len());
        for resolved in &selected.repos {
            let repo = resolved.files();
            let (git, path) = Git::of_file(&repo.structure).ok_or_else(|| {
                let what = format!("the files of `{}` are in no git repository", repo.name);
                Error::new(Kind::Configuration, what).help("`dump --check` compares with the database")
            })?;
            let versions = (old.read(&git, &path)?, new.read(&git, &path)?);
            let shown = repo.shown(&repo.structure);
            reports.push(Report {
                repo: repo.name.to_string(),
                path: shown.display().to_string(),
                notes: notes((&old, versions.0.is_some()), (&new, versions.1.is_some())),
                found: compare(versions.0.as_deref(), versions.1.as_deref()),
            });
        }
        let title = format!("{old} to {new}");
        let text = if selected.options.format == Some(Format::Json) {
            report::json(&reports)
        } else if self.markdown {
            report::markdown(&reports, &title)
        } else {
            report::human(&reports)
        };
        Ok(Output::Data { event: "", text })
    }
}

/// Reads a range as git's commands do: a side that is left out is HEAD.
fn sides(range: &str) -> (Side, Side) {
    let commit = |name: &str| Side::Commit(if name.is_empty() { "HEAD" } else { name }.to_owned());
    if let Some((one, other)) = range.split_once("...") {
        let [one, other] = [one, other].map(|name| if name.is_empty() { "HEAD" } else { name }.to_owned());
        return (Side::Base(one, other.clone()), Side::Commit(other));
    }
    match range.split_once("..") {
        Some((one, other)) => (commit(one), commit(other)),
        None => (commit(range), Side::WorkTree),
    }
}

impl Side {
    /// Returns what the file says there; `None` where it is not. `path` is from the root of the work tree.
    fn read(&self, git: &Git, path: &Path) -> Result<Option<String>> {
        let commit = |name: &str| {
            git.commit(name).ok_or_else(|| {
                let what = format!("git knows no commit `{name}`");
                let error = Error::new(Kind::Configuration, what);
                if git.is_shallow() {
                    error.note("this clone is shallow").help("get the rest: `git fetch --unshallow`")
                } else {
                    error.help("see `git log --all --oneline`; name a range as `main..HEAD`")
                }
            })
        };
        let bytes = match self {
            Self::Commit(name) => git.show(&commit(name)?, path)?,
            Self::Base(one, other) => {
                let base = git.merge_base(&commit(one)?, &commit(other)?).ok_or_else(|| {
                    let what = format!("`{one}` and `{other}` have no commit in common");
                    Error::new(Kind::Configuration, what)
                        .help("in a shallow clone: `git fetch --unshallow`; or compare the two: `A..B`")
                })?;
                git.show(&base, path)?
            }
            Self::WorkTree => {
                let path = git.root().join(path);
                match std::fs::read(&path) {
                    Ok(bytes) => Some(bytes),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(error) => return Err(Error::io("read", &path, error)),
                }
            }
        };
        Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
    }
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Commit(name) => f.write_str(name),
            Self::Base(one, other) => write!(f, "the common ancestor of {one} and {other}"),
            Self::WorkTree => f.write_str("the work tree"),
        }
    }
}

/// Says where the file is not.
fn notes(old: (&Side, bool), new: (&Side, bool)) -> Vec<String> {
    let absent = |(side, is_there): (&Side, bool)| {
        (!is_there).then(|| match side {
            Side::WorkTree => "the file is not in the work tree".to_owned(),
            side => format!("the file is not in {side}"),
        })
    };
    [absent(old), absent(new)].into_iter().flatten().collect()
}

fn compare(old: Option<&str>, new: Option<&str>) -> Found {
    if old == new {
        return Found::Nothing;
    }
    let parse = |text: Option<&str>| text.map(objects::parse).transpose();
    match (parse(old), parse(new)) {
        (Ok(old), Ok(new)) => match objects::changes(old.as_ref(), new.as_ref()) {
            changes if changes.is_empty() => Found::Nothing,
            changes => Found::Objects(changes),
        },
        (Err(error), _) | (_, Err(error)) => Found::Lines {
            why: error.message().to_owned(),
            old: old.unwrap_or_default().to_owned(),
            new: new.unwrap_or_default().to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_git_reads_them() {
        let commit = |name: &str| Side::Commit(name.to_owned());
        assert_eq!(sides(""), (commit("HEAD"), Side::WorkTree));
        assert_eq!(sides("main"), (commit("main"), Side::WorkTree));
        assert_eq!(sides("main..topic"), (commit("main"), commit("topic")));
        assert_eq!(sides("main.."), (commit("main"), commit("HEAD")));
        assert_eq!(sides("...topic"), (Side::Base("HEAD".into(), "topic".into()), commit("topic")));
    }
}
