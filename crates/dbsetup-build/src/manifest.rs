//! What a `Cargo.toml` says of a repo's URL, read without cargo: for a test, which has its sources and no time.
//!
//! As much TOML is understood as people write there: tables with a header, keys with dots, strings. What cargo makes of the
//! rest is not worth a parser in everyone's tests.

use std::path::{Path, PathBuf};

use crate::problem::Problem;
use crate::toml::{self, unquoted};

/// What the manifests of a package and of its workspace say of one repo.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `url`, as it is written, and the key and file that it stands in.
    pub url: Option<(String, String)>,
    /// `url-env`: the variable that has the URL.
    pub variable: Option<String>,
}

/// Reads what stands in `package.metadata.dbsetup.repos`, then in `workspace.metadata.dbsetup.repos`, of the package in
/// `dir` for the repo of this name; where the package has one repo only, for that one. Settings of the environment come
/// first. Manifests that are not there say nothing.
///
/// # Errors
/// A [`Problem`] with the line that is not understood.
pub fn said(dir: &Path, repo: &str, environment: &str) -> Result<Said, Problem> {
    let own = dir.join("Cargo.toml");
    let workspace = workspace_of(dir);
    let sources = [(Some(own), "package"), (workspace, "workspace")];
    let mut found = Said::default();
    let mut tables = Vec::new();
    for (path, kind) in sources {
        let Some((path, text)) =
            path.and_then(|path| std::fs::read_to_string(&path).ok().map(|text| (path, text)))
        else {
            continue;
        };
        let prefix = format!("{kind}.metadata.dbsetup.repos");
        let names = repos(&text, &prefix);
        let is_it = |name: &&String| name.replace('-', "_") == repo.replace('-', "_");
        let only = || names.first().filter(|_| kind == "package" && names.len() == 1);
        if let Some(name) = names.iter().find(is_it).or_else(only) {
            tables.push((path, text, format!("{prefix}.{name}")));
        }
    }
    for of_environment in [true, false] {
        for (path, text, table) in &tables {
            let table = if of_environment { format!("{table}.env.{environment}") } else { table.clone() };
            let shown = path.display().to_string();
            let one = |key: &str| -> Result<Option<String>, Problem> {
                Ok(toml::texts(text, &table, key, &shown)?.and_then(|texts| texts.into_iter().next()))
            };
            if found.url.is_none() {
                found.url = one("url")?.map(|url| (url, format!("`{table}.url` in `{shown}`")));
            }
            if found.variable.is_none() {
                found.variable = one("url-env")?;
            }
        }
    }
    Ok(found)
}

/// Returns the manifest of the workspace that a directory is in.
fn workspace_of(dir: &Path) -> Option<PathBuf> {
    let manifests = dir.ancestors().map(|dir| dir.join("Cargo.toml"));
    manifests.into_iter().find(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().any(|line| line.trim_start().starts_with("[workspace"))
    })
}

/// Returns the repos that have tables, each once, in their order.
fn repos(text: &str, prefix: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for line in text.lines() {
        let Some(header) = line.trim_start().strip_prefix('[').and_then(|line| line.split(']').next()) else {
            continue;
        };
        let parts: Vec<&str> = header.split('.').map(unquoted).collect();
        let depth = prefix.split('.').count();
        if parts.len() > depth
            && parts[..depth].join(".") == prefix
            && !names.iter().any(|name| name == parts[depth])
        {
            names.push(parts[depth].to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(root: &str, member: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::create_dir_all(directory.path().join("app")).expect("it can be made");
        std::fs::write(directory.path().join("Cargo.toml"), root).expect("it can be written");
        std::fs::write(directory.path().join("app/Cargo.toml"), member).expect("it can be written");
        directory
    }

    fn url(project: &tempfile::TempDir, repo: &str, environment: &str) -> Option<String> {
        let said = said(&project.path().join("app"), repo, environment).expect("it is understood");
        said.url.map(|(url, _)| url)
    }

    #[test]
    fn the_package_comes_before_the_workspace_and_an_environment_before_both() {
        let project = project(
            "[workspace]\nmembers = [\"app\"]\n[workspace.metadata.dbsetup.repos.core]\nurl = \"w\"\n\
             env.test.url = \"wt\"\n[workspace.metadata.dbsetup.repos.other]\nurl = \"o\"\n",
            "[package]\nname = \"app\"\n\n[package.metadata.dbsetup.repos.core] # ours\nurl = 'p'\nurl-env = \"PG\"\n\
             [package.metadata.dbsetup.repos.\"core\".env.prod]\nurl = \"pp\"\n",
        );
        assert_eq!(url(&project, "core", "dev").as_deref(), Some("p"));
        assert_eq!(url(&project, "core", "test").as_deref(), Some("wt"));
        assert_eq!(url(&project, "core", "prod").as_deref(), Some("pp"));
        let said = said(&project.path().join("app"), "core", "dev").expect("it is understood");
        assert_eq!(said.variable.as_deref(), Some("PG"));
        let (_, place) = said.url.expect("it is there");
        assert!(place.starts_with("`package.metadata.dbsetup.repos.core.url` in `"), "{place}");
    }

    #[test]
    fn the_only_repo_of_a_package_is_meant_whatever_it_is_called() {
        let one = "[package.metadata.dbsetup.repos.core-data]\nurl = \"p\"\n";
        assert_eq!(url(&project("", one), "app", "test").as_deref(), Some("p"));
        assert_eq!(url(&project("", one), "core_data", "test").as_deref(), Some("p"));
        let two = format!("{one}[package.metadata.dbsetup.repos.log]\nurl = \"l\"\n");
        assert_eq!(url(&project("", &two), "app", "test"), None);
        assert_eq!(url(&project("", ""), "app", "test"), None);
    }

    #[test]
    fn what_is_not_understood_is_named() {
        let inline = "[package.metadata.dbsetup.repos.core]\nenv.test = { url = \"x\" }\n";
        let project = project("", inline);
        let problem = said(&project.path().join("app"), "core", "test").expect_err("it is an inline table");
        assert!(problem.message().contains("line 2 of"), "{problem}");
    }
}
