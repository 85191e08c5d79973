//! The repo that a test's database has the structure of, as it stands on disk.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Arguments, Origin};
use crate::error::{Error, Kind, Result};
use crate::ledger::LedgerKind;
use crate::repo::{CreateOptions, DatabaseUrl, LedgerSetting, Repo, RepoName, VersionOrder};

/// What makes a directory below `priv/` a repo.
const SIGNS: [&str; 5] = ["migrations", "manual_migrations", "structure.sql", "seeds.sql", "seeds"];

/// Where the files of a repo are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub name: RepoName,
    pub crate_dir: PathBuf,
    pub priv_dir: PathBuf,
    pub migrations: PathBuf,
}

/// Finds the files for a test; `None` is an empty database.
///
/// # Errors
/// [`Kind::Configuration`] when there are none, or several repos and none is named.
pub(super) fn find(arguments: &Arguments) -> Result<Option<Place>> {
    let crate_dir = Path::new(arguments.directory);
    match arguments.origin {
        Origin::Empty => Ok(None),
        Origin::Migrations(directory) => {
            let migrations = crate_dir.join(directory);
            if !migrations.is_dir() {
                return Err(missing(&migrations).help(format!(
                    "`migrations = \"{directory}\"` is relative to the package, which is in `{}`",
                    crate_dir.display()
                )));
            }
            let priv_dir = migrations.parent().unwrap_or(crate_dir).to_owned();
            let name = RepoName::new(arguments.package);
            Ok(Some(Place { name, crate_dir: crate_dir.to_owned(), priv_dir, migrations }))
        }
        Origin::Repo(name) => {
            let priv_dir = crate_dir.join("priv").join(name);
            if !priv_dir.is_dir() {
                let known: Vec<String> =
                    repos(crate_dir).iter().map(|place| format!("`{}`", place.name)).collect();
                let error = missing(&priv_dir);
                return Err(match known.as_slice() {
                    [] => error,
                    known => error.help(format!("this package has {}", known.join(", "))),
                });
            }
            Ok(Some(below_priv(crate_dir, &priv_dir)))
        }
        Origin::Inferred => {
            let mut found = repos(crate_dir);
            match found.len() {
                0 => Err(Error::new(
                    Kind::Configuration,
                    format!("`{}` has no `priv/<repo>/` and no `migrations/`", crate_dir.display()),
                )
                .help("name the files: `#[dbsetup::test(migrations = \"<directory>\")]`, or `migrations = false` for an empty database")),
                1 => Ok(found.pop()),
                _ => {
                    let names: Vec<String> = found.iter().map(|place| format!("`{}`", place.name)).collect();
                    Err(Error::new(
                        Kind::Configuration,
                        format!("the package `{}` has several repos: {}", arguments.package, names.join(", ")),
                    )
                    .help(format!("say which: `#[dbsetup::test(repo = \"{}\")]`", found[0].name)))
                }
            }
        }
    }
}

fn missing(directory: &Path) -> Error {
    Error::new(Kind::Missing, format!("there is no directory `{}`", directory.display()))
}

fn below_priv(crate_dir: &Path, priv_dir: &Path) -> Place {
    Place {
        name: RepoName::new(priv_dir.file_name().unwrap_or_default().to_string_lossy()),
        crate_dir: crate_dir.to_owned(),
        migrations: priv_dir.join("migrations"),
        priv_dir: priv_dir.to_owned(),
    }
}

/// Returns the repos of a package, by name.
fn repos(crate_dir: &Path) -> Vec<Place> {
    let entries = std::fs::read_dir(crate_dir.join("priv")).into_iter().flatten().flatten();
    let mut directories: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    directories.retain(|directory| SIGNS.iter().any(|sign| directory.join(sign).exists()));
    directories.sort();
    let mut found: Vec<Place> =
        directories.iter().map(|directory| below_priv(crate_dir, directory)).collect();
    if found.is_empty() && crate_dir.join("migrations").is_dir() {
        let name = crate_dir.file_name().unwrap_or_default().to_string_lossy();
        found.push(Place {
            name: RepoName::new(name),
            crate_dir: crate_dir.to_owned(),
            priv_dir: crate_dir.to_owned(),
            migrations: crate_dir.join("migrations"),
        });
    }
    found
}

/// The ledger that the package's own migrator keeps, which may be run in a test, too.
fn ledger_of(place: &Place) -> Option<LedgerKind> {
    if place.migrations == place.priv_dir.join("migrations")
        && place.priv_dir.parent().is_some_and(|parent| parent.ends_with("priv"))
    {
        return None;
    }
    let manifest = std::fs::read_to_string(place.crate_dir.join("Cargo.toml")).ok()?;
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

/// Returns the repo of a database with the structure of `place`.
pub(super) fn repo(place: &Place, url: &DatabaseUrl) -> Repo {
    Repo {
        name: place.name.clone(),
        environment: "test".to_owned(),
        disposable: true,
        display_root: place.crate_dir.clone(),
        root: place.crate_dir.clone(),
        url: url.clone(),
        direct_url: None,
        maintenance_url: None,
        scratch_url: None,
        structure: place.priv_dir.join("structure.sql"),
        migrations: vec![place.migrations.clone()],
        manual_migrations: vec![place.priv_dir.join("manual_migrations")],
        archive: vec![place.priv_dir.join("dumped_migrations")],
        priv_dir: place.priv_dir.clone(),
        ledger: LedgerSetting::default(),
        layout_ledger: ledger_of(place),
        create: CreateOptions::default(),
        role: None,
        schemas: Vec::new(),
        seed_command: None,
        keep_data: Vec::new(),
        template: true,
        version_order: VersionOrder::Any,
        lock_wait: Duration::from_secs(60),
        lock_timeout: Duration::from_secs(10),
        statement_timeout: None,
        dump_after_migrate: false,
    }
}
