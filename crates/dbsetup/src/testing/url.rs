//! Where the server of the tests is: the process's environment, else the nearest `.env` files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use super::Engine;
use crate::error::{Error, Kind, Result};
use crate::repo::{DatabaseUrl, RepoName};

/// The names of the variables, the one that counts most first.
pub(super) fn names(repo: Option<&RepoName>) -> Vec<String> {
    let own = repo.map(RepoName::variable_prefix).into_iter();
    let own =
        own.flat_map(|prefix| [format!("{prefix}_DATABASE_URL_TEST"), format!("{prefix}_DATABASE_URL")]);
    own.chain(["DATABASE_URL_TEST".to_owned(), "DATABASE_URL".to_owned()]).collect()
}

/// The same as [`find`], looking once in a process.
pub(super) fn find_once(
    repo: Option<&RepoName>,
    engine: Option<Engine>,
    directory: &Path,
) -> Result<DatabaseUrl> {
    type Key = (Option<String>, Option<Engine>, PathBuf);
    static FOUND: LazyLock<Mutex<HashMap<Key, DatabaseUrl>>> = LazyLock::new(Mutex::default);
    let key = (repo.map(|name| name.as_str().to_owned()), engine, directory.to_owned());
    let mut found = FOUND.lock().expect("nobody panics while holding it");
    if let Some(url) = found.get(&key) {
        return Ok(url.clone());
    }
    let url = find(repo, engine, directory)?;
    found.insert(key, url.clone());
    Ok(url)
}

/// Returns the URL for tests that want `engine`.
///
/// # Errors
/// [`Kind::Configuration`] when there is none, or it is another engine's.
pub(super) fn find(repo: Option<&RepoName>, engine: Option<Engine>, directory: &Path) -> Result<DatabaseUrl> {
    // A file or the memory of the process: there is nothing to be found.
    if engine == Some(Engine::Sqlite) {
        return Ok(DatabaseUrl::new("sqlite:tests.db"));
    }
    let names = names(repo);
    let of_process = names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()));
    let Some(found) = of_process.or_else(|| in_files(&names, directory)) else {
        if engine.is_none() && cfg!(all(feature = "sqlite", not(feature = "postgres"))) {
            return Ok(DatabaseUrl::new("sqlite:tests.db"));
        }
        return Err(Error::new(Kind::Configuration, "no URL says which server the tests use")
            .note(format!("looked for {} in the environment and in `.env`", list(&names)))
            .help("set `DATABASE_URL`, for example to `postgres://postgres@localhost/postgres`: the tests' databases are made beside that one"));
    };
    let url = DatabaseUrl::new(found);
    let is_postgres = matches!(url.scheme().as_str(), "postgres" | "postgresql");
    if engine == Some(Engine::Postgres) && !is_postgres {
        return Err(Error::new(
            Kind::Configuration,
            format!("the test takes a pool of PostgreSQL, and `{url}` is no URL of PostgreSQL"),
        )
        .help(format!("set {} to a server's URL", list(&names[..1]))));
    }
    // The file that the URL names is the application's; a test has its own.
    Ok(if is_postgres { url } else { DatabaseUrl::new("sqlite:tests.db") })
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Looks into the nearest `.env.test`, then into the nearest `.env`, upwards to the root of the repository.
fn in_files(names: &[String], directory: &Path) -> Option<String> {
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in directory.ancestors() {
        directories.push(directory.to_owned());
        if directory.join(".git").exists() {
            break;
        }
    }
    [".env.test", ".env"].iter().find_map(|file| {
        let path = directories.iter().map(|directory| directory.join(file)).find(|path| path.is_file())?;
        let values: Vec<(String, String)> =
            dotenvy::from_path_iter(path).ok()?.filter_map(std::result::Result::ok).collect();
        names.iter().find_map(|name| {
            let found = values.iter().find(|(key, value)| key == name && !value.is_empty())?;
            Some(found.1.clone())
        })
    })
}

/// Returns the directory for SQLite's files: below the build's target directory, where this program is.
pub(super) fn root() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    // Cargo marks its target directory as one that no backup needs.
    let marked = program.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    match marked.or_else(|| target_of(&program)) {
        Some(target) => target.join("dbsetup").join("tests"),
        // Another account could not write into ours.
        None => std::env::temp_dir().join(format!("dbsetup-tests{}", of_account())),
    }
}

/// The target directory of a program that is where Cargo puts tests, `target/<profile>/deps`: one that was there before
/// Cargo has no mark.
fn target_of(program: &Path) -> Option<&Path> {
    let deps = program.parent().filter(|directory| directory.ends_with("deps"))?;
    deps.parent()?.parent().filter(|target| target.parent().is_some())
}

/// What tells directories of accounts apart, as far as it can be had.
fn of_account() -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let Ok(own) = std::fs::metadata("/proc/self") {
            return format!("-{}", own.uid());
        }
    }
    let name = ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.unwrap_or_default();
    let safe: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    if safe.is_empty() { safe } else { format!("-{safe}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_cargos_builds_is_known_without_its_mark() {
        let target = |program| target_of(Path::new(program));
        assert_eq!(target("/build/debug/deps/app-1f"), Some(Path::new("/build")));
        assert_eq!(target("/usr/bin/app"), None);
        assert_eq!(target("/debug/deps/app"), None);
    }

    #[test]
    fn a_repos_own_variable_comes_first() {
        let core = RepoName::new("core");
        assert_eq!(
            names(Some(&core)),
            ["CORE_DATABASE_URL_TEST", "CORE_DATABASE_URL", "DATABASE_URL_TEST", "DATABASE_URL"]
        );
    }

    #[test]
    fn a_file_is_looked_for_up_to_the_root_of_the_repository() {
        let root = tempfile::tempdir().expect("a directory");
        let inner = root.path().join("project/crates/app");
        std::fs::create_dir_all(&inner).expect("it can be made");
        std::fs::write(root.path().join(".env"), "DATABASE_URL=outside").expect("it can be written");
        std::fs::create_dir(root.path().join("project/.git")).expect("it can be made");
        let names = names(None);
        assert_eq!(in_files(&names, &inner), None);
        std::fs::write(root.path().join("project/.env"), "DATABASE_URL='inside'\n")
            .expect("it can be written");
        assert_eq!(in_files(&names, &inner).as_deref(), Some("inside"));
        std::fs::write(inner.join(".env.test"), "DATABASE_URL=nearer\n").expect("it can be written");
        assert_eq!(in_files(&names, &inner).as_deref(), Some("nearer"));
    }
}
