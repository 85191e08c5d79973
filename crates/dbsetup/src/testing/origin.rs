//! The repo that a test's database has the structure of.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use super::{Arguments, Origin};
use crate::error::{Error, Kind, Result};
use crate::ledger::LedgerKind;
use crate::source::Source;

/// What makes a directory below `priv/` a repo.
const SIGNS: [&str; 5] = ["migrations", "manual_migrations", "structure.sql", "seeds.sql", "seeds"];

/// The same as [`find`], looking at the disk once in a process.
pub(super) fn find_once(arguments: &Arguments) -> Result<Option<Source>> {
    static FOUND: LazyLock<Mutex<HashMap<String, Option<Source>>>> = LazyLock::new(Mutex::default);
    if let Origin::Source(_) = arguments.origin {
        return find(arguments);
    }
    let key = format!("{:?} {}", arguments.origin, arguments.directory);
    let mut found = FOUND.lock().expect("nobody panics while holding it");
    if let Some(found) = found.get(&key) {
        return Ok(found.clone());
    }
    let source = find(arguments)?;
    found.insert(key, source.clone());
    Ok(source)
}

/// Finds what a test's database is filled from; `None` is an empty database.
///
/// # Errors
/// [`Kind::Configuration`] when there is nothing, or several repos and none is named; [`Kind::Missing`] for a
/// directory that is not there.
pub(super) fn find(arguments: &Arguments) -> Result<Option<Source>> {
    let crate_dir = Path::new(arguments.directory);
    match arguments.origin {
        Origin::Empty => Ok(None),
        Origin::Source(source) => Ok(Some(source())),
        Origin::Migrations(directory) => migrations(arguments, crate_dir, directory).map(Some),
        Origin::Repo(name) => named(crate_dir, name).map(Some),
        Origin::Inferred => inferred(arguments, crate_dir).map(Some),
    }
}

fn migrations(arguments: &Arguments, crate_dir: &Path, directory: &str) -> Result<Source> {
    let migrations = crate_dir.join(directory);
    if !migrations.is_dir() {
        return Err(missing(&migrations).help(format!(
            "`migrations = \"{directory}\"` is relative to the package, which is in `{}`",
            crate_dir.display()
        )));
    }
    let home = migrations.parent().unwrap_or(crate_dir).to_owned();
    let source = Source::directory(arguments.package, &home);
    let source = source.with(move |repo| {
        repo.structure = home.join("structure.sql");
        repo.manual_migrations = vec![home.join("manual_migrations")];
        repo.archive = vec![home.join("dumped_migrations")];
        repo.priv_dir.clone_from(&home);
        repo.migrations = vec![migrations.clone()];
    });
    Ok(with_ledger(source, crate_dir))
}

fn named(crate_dir: &Path, name: &str) -> Result<Source> {
    let priv_dir = crate_dir.join("priv").join(name);
    if priv_dir.is_dir() {
        return Ok(Source::directory(name, crate_dir));
    }
    let known: Vec<String> = repos(crate_dir).iter().map(|name| format!("`{name}`")).collect();
    let error = missing(&priv_dir);
    Err(if known.is_empty() { error } else { error.help(format!("this package has {}", known.join(", "))) })
}

fn inferred(arguments: &Arguments, crate_dir: &Path) -> Result<Source> {
    match repos(crate_dir).as_slice() {
        [name] => Ok(Source::directory(name, crate_dir)),
        [] if crate_dir.join("migrations").is_dir() => {
            Ok(with_ledger(Source::directory(arguments.package, crate_dir), crate_dir))
        }
        [] => Err(Error::new(
            Kind::Configuration,
            format!("`{}` has no `priv/<repo>/` and no `migrations/`", crate_dir.display()),
        )
        .help(
            "name the files: `#[dbsetup::test(migrations = \"<directory>\")]`, or `migrations = false` for an empty \
             database",
        )),
        names @ [first, ..] => {
            let shown: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("the package `{}` has several repos: {}", arguments.package, shown.join(", "));
            Err(Error::new(Kind::Configuration, message)
                .help(format!("say which: `#[dbsetup::test(repo = \"{first}\")]`")))
        }
    }
}

fn missing(directory: &Path) -> Error {
    Error::new(Kind::Missing, format!("there is no directory `{}`", directory.display()))
}

/// Returns the names of the repos in `priv/`, sorted.
fn repos(crate_dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(crate_dir.join("priv")).into_iter().flatten().flatten();
    let mut directories: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    directories.retain(|directory| SIGNS.iter().any(|sign| directory.join(sign).exists()));
    directories.sort();
    directories.iter().filter_map(|directory| Some(directory.file_name()?.to_str()?.to_owned())).collect()
}

/// Names the ledger of the migrator that the package uses: it may be run in a test, too.
fn with_ledger(source: Source, crate_dir: &Path) -> Source {
    let manifest = std::fs::read_to_string(crate_dir.join("Cargo.toml")).unwrap_or_default();
    match ledger_of(&manifest) {
        Some(kind) => source.ledger(kind),
        None => source,
    }
}

/// The ledger of the first migrator among the dependencies.
fn ledger_of(manifest: &str) -> Option<LedgerKind> {
    let uses = |name: &str| {
        manifest.lines().any(|line| {
            let line = line.trim_start().trim_start_matches("[dependencies.");
            line.strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']))
        })
    };
    [("sqlx", LedgerKind::Sqlx), ("diesel", LedgerKind::Diesel), ("refinery", LedgerKind::Refinery)]
        .into_iter()
        .find_map(|(name, kind)| uses(name).then_some(kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repo::DatabaseUrl;

    fn arguments(directory: &Path, origin: Origin) -> Arguments {
        let directory = directory.to_str().expect("a test's directory is text").to_owned().leak();
        Arguments { test: "app::a_test", directory, package: "app", origin, fixtures: &[] }
    }

    fn package(directories: &[&str]) -> tempfile::TempDir {
        let package = tempfile::tempdir().expect("a directory");
        for directory in directories {
            std::fs::create_dir_all(package.path().join(directory)).expect("it can be made");
        }
        package
    }

    #[test]
    fn the_only_repo_of_a_package_is_found() {
        let package = package(&["priv/core/migrations", "priv/static"]);
        let source = find(&arguments(package.path(), Origin::Inferred)).unwrap().unwrap();
        let repo = source.repo(DatabaseUrl::new("sqlite:a.db"), "test").unwrap();
        assert_eq!(repo.migrations, [package.path().join("priv/core/migrations")]);
    }

    #[test]
    fn several_repos_want_to_be_told_apart() {
        let package = package(&["priv/core/migrations", "priv/log/migrations"]);
        let error = find(&arguments(package.path(), Origin::Inferred)).unwrap_err();
        assert!(error.message().contains("`core`, `log`"), "{error}");
        let error = find(&arguments(package.path(), Origin::Repo("cor"))).unwrap_err();
        assert_eq!(error.help_text(), Some("this package has `core`, `log`"));
        find(&arguments(package.path(), Origin::Repo("log"))).unwrap().unwrap();
    }

    #[test]
    fn a_directory_that_is_named_is_taken_and_its_neighbours_with_it() {
        let package = package(&["db/steps"]);
        std::fs::write(package.path().join("Cargo.toml"), "[dependencies]\nsqlx = \"0.9\"\n").unwrap();
        let source = find(&arguments(package.path(), Origin::Migrations("db/steps"))).unwrap().unwrap();
        let repo = source.repo(DatabaseUrl::new("sqlite:a.db"), "test").unwrap();
        assert_eq!(repo.migrations, [package.path().join("db/steps")]);
        assert_eq!(repo.structure, package.path().join("db/structure.sql"));
        assert_eq!(repo.layout_ledger, Some(LedgerKind::Sqlx));
        assert!(find(&arguments(package.path(), Origin::Migrations("db/none"))).is_err());
        assert!(find(&arguments(package.path(), Origin::Empty)).unwrap().is_none());
    }

    #[test]
    fn a_dependency_is_known_by_its_whole_name() {
        assert_eq!(ledger_of("sqlx-ts = \"1\"\n"), None);
        assert_eq!(ledger_of("sqlx.workspace = true\n"), Some(LedgerKind::Sqlx));
        assert_eq!(ledger_of("[dependencies.diesel]\n"), Some(LedgerKind::Diesel));
    }
}
