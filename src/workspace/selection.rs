//! Which repos a command is about: `--repo`, `-p`, `--workspace`, `--exclude`, and the directory that it runs in.

use std::path::Path;

use dbsetup::repo::RepoName;
use dbsetup::{Error, Kind, Result};

use super::manifest::nearest;
use super::metadata::Member;
use super::{Request, Workspace};

/// What a selection sees of a repo.
pub struct Selectable<'a> {
    /// Its name.
    pub name: &'a RepoName,
    /// The package that owns it.
    pub package: Option<&'a str>,
}

impl Workspace {
    /// Returns the indexes of the selected repos, in their order.
    ///
    /// # Errors
    /// [`Kind::Configuration`]: an unknown repo or package, `--exclude` without `--workspace`, nothing selected.
    pub(super) fn select(&self, request: &Request, repos: &[Selectable<'_>]) -> Result<Vec<usize>> {
        self.check_packages(request)?;
        for name in &request.repos {
            if !repos.iter().any(|repo| *repo.name == RepoName::new(name)) {
                return Err(unknown_repo(name, repos));
            }
        }
        let here = self.member_of(request);
        let selected: Vec<usize> = (0..repos.len())
            .filter(|&index| {
                let repo = &repos[index];
                let owned_by =
                    |names: &[String]| repo.package.is_some_and(|own| names.iter().any(|name| name == own));
                let by_package = if !request.packages.is_empty() {
                    owned_by(&request.packages)
                } else if request.workspace || !request.repos.is_empty() {
                    true
                } else {
                    here.is_none_or(|member| repo.package == Some(&member.name))
                };
                let named = request.repos.iter().any(|name| *repo.name == RepoName::new(name));
                by_package && !owned_by(&request.exclude) && (request.repos.is_empty() || named)
            })
            .collect();
        if selected.is_empty() {
            return Err(self.nothing_selected(request, here, repos));
        }
        Ok(selected)
    }

    /// Returns the member that the command runs in; `None` at the root, where everything is meant.
    fn member_of(&self, request: &Request) -> Option<&Member> {
        let dir = match request.manifest() {
            Some(manifest) => manifest.parent().unwrap_or(Path::new("")).to_path_buf(),
            None => request.current_dir.clone(),
        };
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let (dir, root) = (real(&dir), real(&self.root));
        let inside = self.members.iter().map(|member| (real(&member.dir), member));
        let (home, member) = inside
            .filter(|(home, _)| dir.starts_with(home))
            .max_by_key(|(home, _)| home.components().count())?;
        (home != root).then_some(member)
    }

    fn check_packages(&self, request: &Request) -> Result<()> {
        if !request.exclude.is_empty() && !request.workspace {
            return Err(Error::new(
                Kind::Configuration,
                "`--exclude` can only be used together with `--workspace`",
            ));
        }
        for name in request.packages.iter().chain(&request.exclude) {
            if !self.members.iter().any(|member| member.name == *name) {
                let names: Vec<&str> = self.members.iter().map(|member| member.name.as_str()).collect();
                let error = Error::new(Kind::Configuration, format!("no package `{name}` in the workspace"));
                return Err(match nearest(name, &names) {
                    Some(near) => error.help(format!("did you mean `{near}`?")),
                    None => error.help(format!("the packages are {}", listed(&names))),
                });
            }
        }
        Ok(())
    }

    fn nothing_selected(&self, request: &Request, here: Option<&Member>, repos: &[Selectable<'_>]) -> Error {
        let names: Vec<&str> = repos.iter().map(|repo| repo.name.as_str()).collect();
        let message = if !request.packages.is_empty() {
            format!(
                "no repo belongs to {}",
                listed(&request.packages.iter().map(String::as_str).collect::<Vec<_>>())
            )
        } else if let (Some(member), false, true) = (here, request.workspace, request.repos.is_empty()) {
            format!("the package `{}` owns no repo", member.name)
        } else {
            "no repo is left to work on".to_owned()
        };
        Error::new(Kind::Configuration, message)
            .note(format!("the workspace has {}", listed(&names)))
            .help("name one with --repo, or pass --workspace")
    }
}

fn unknown_repo(name: &str, repos: &[Selectable<'_>]) -> Error {
    let names: Vec<&str> = repos.iter().map(|repo| repo.name.as_str()).collect();
    let error = Error::new(Kind::Configuration, format!("no repo is called `{name}`"));
    match nearest(name, &names) {
        Some(near) => error.help(format!("did you mean `{near}`?")),
        None => error.help(format!("the repos are {}", listed(&names))),
    }
}

/// Returns names in backticks, with commas.
pub fn listed(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
