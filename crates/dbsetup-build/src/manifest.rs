//! What a `Cargo.toml` says of a repo's URL, read without cargo: for a test, which has its sources and no time.
//!
//! A manifest that cargo takes may have what is not understood here. That is told with what it concerns, for whoever needs
//! that: a variable may have said it all by then.

use std::path::{Path, PathBuf};

use crate::problem::Problem;
use crate::toml;

/// What the manifests of a package and of its workspace say of one repo; a [`Problem`] where it is not understood.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    /// `url`, as it is written, and the key and file that it stands in.
    pub url: Option<Result<(String, String), Problem>>,
    /// `url-env`: the variable that has the URL.
    pub variable: Option<Result<String, Problem>>,
}

/// Reads what stands in `package.metadata.dbsetup.repos`, then in `workspace.metadata.dbsetup.repos`, of the package in
/// `dir` for the repo of this name; where neither knows the name and the package has one repo only, for that one. Settings
/// of the environment come first. Manifests that are not there say nothing.
pub fn said(dir: &Path, repo: &str, environment: &str) -> Said {
    let own = dir.join("Cargo.toml");
    let workspace = workspace_of(dir);
    let sources = [(Some(own), "package"), (workspace, "workspace")];
    let mut found = Said::default();
    let mut tables = Vec::new();
    let mut only = None;
    for (path, kind) in sources {
        let Some((path, text)) =
            path.and_then(|path| std::fs::read_to_string(&path).ok().map(|text| (path, text)))
        else {
            continue;
        };
        let prefix = format!("{kind}.metadata.dbsetup.repos");
        let names = repos(&text, &prefix);
        let is_it = |name: &&String| name.replace('-', "_") == repo.replace('-', "_");
        let table = |name: &String| (path.clone(), text.clone(), format!("{prefix}.{name}"));
        if let Some(name) = names.iter().find(is_it) {
            tables.push(table(name));
        } else if let ([name], "package") = (&names[..], kind) {
            only = Some(table(name));
        }
    }
    if tables.is_empty() {
        tables.extend(only);
    }
    for of_environment in [true, false] {
        for (path, text, table) in &tables {
            let table = if of_environment { format!("{table}.env.{environment}") } else { table.clone() };
            let shown = path.display().to_string();
            let one = |key: &str| {
                let texts = toml::texts(text, &table, key, &shown).transpose();
                texts.and_then(|texts| texts.map(|texts| texts.into_iter().next()).transpose())
            };
            if found.url.is_none() {
                found.url = one("url").map(|url| url.map(|url| (url, format!("`{table}.url` in `{shown}`"))));
            }
            if found.variable.is_none() {
                found.variable = one("url-env");
            }
        }
    }
    found
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
    let prefix: Vec<&str> = prefix.split('.').collect();
    let mut names: Vec<String> = Vec::new();
    for mut path in toml::entries(text).into_iter().map(|entry| entry.path) {
        if path.len() > prefix.len() && path.iter().zip(&prefix).all(|(one, other)| one == other) {
            let name = path.swap_remove(prefix.len());
            if !names.contains(&name) {
                names.push(name);
            }
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
        let said = said(&project.path().join("app"), repo, environment);
        said.url.map(|url| url.expect("it is understood").0)
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
        let said = said(&project.path().join("app"), "core", "dev");
        assert_eq!(said.variable, Some(Ok("PG".to_owned())));
        let (_, place) = said.url.expect("it is there").expect("it is understood");
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
    fn a_repo_of_the_wanted_name_comes_before_the_only_one_of_the_package() {
        let root = "[workspace]\n[workspace.metadata.dbsetup.repos.log]\nurl = \"of the name\"\n";
        let project = project(root, "[package.metadata.dbsetup.repos.core]\nurl = \"only\"\n");
        assert_eq!(url(&project, "log", "test").as_deref(), Some("of the name"));
        assert_eq!(url(&project, "core", "test").as_deref(), Some("only"));
        assert_eq!(url(&project, "app", "test").as_deref(), Some("only"));
    }

    #[test]
    fn the_test_url_is_found_however_its_table_is_written() {
        for text in [
            "[package.metadata.dbsetup.repos.core]\nurl = \"dev\"\nenv.test = { url = \"t\", lock-timeout = \"5s\" }\n",
            "[package.metadata.dbsetup.repos.core]\nurl = \"dev\"\nenv = { dev = {}, test = { url = \"t\" } }\n",
            "[package.metadata.dbsetup.repos.core]\nurl = \"dev\"\n[package.metadata.dbsetup.repos.core.env]\n\
             test = { url = \"\"\"t\"\"\" }\n",
            "[package.metadata.dbsetup.repos]\ncore = { url = \"dev\", env.test.url = \"t\" }\n\
             [package.metadata.dbsetup.repos.other]\nurl = \"o\"\n",
            "[package.metadata]\ndbsetup.repos = { core = { env.test.url = 't' } }\n",
        ] {
            assert_eq!(url(&project("", text), "core", "test").as_deref(), Some("t"), "{text}");
        }
        let without =
            "[package.metadata.dbsetup.repos.core]\nurl = \"u\"\nenv.test = { lock-timeout = \"5s\" }\n";
        assert_eq!(url(&project("", without), "core", "test").as_deref(), Some("u"));
    }

    #[test]
    fn what_is_not_understood_is_told_with_what_it_concerns() {
        let strange =
            "[package.metadata.dbsetup.repos.core]\nurl-env = \"PG\"\nurl = \"dev\"\nenv.test = 3\n";
        let project = project("", strange);
        let said = said(&project.path().join("app"), "core", "test");
        let problem = said.url.expect("it is there").expect_err("the URL of the test is not the one of dev");
        assert!(problem.message().contains("line 4 of"), "{problem}");
    }
}
