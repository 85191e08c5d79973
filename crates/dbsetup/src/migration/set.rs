//! The migrations of a repo: every directory of every lane, merged and sorted as one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::assess::differs_in_line_ends_only;
use super::checksum;
use super::code::CodeMigration;
use super::directive::Requirement;
use super::directory::{self, Directory};
use super::grammar::Grammar;
use super::script::Script;
use super::sums::Sums;
use super::version::Version;
use crate::error::{Error, Kind, Result};
use crate::ledger::{LedgerKind, NewRow, Took};
use crate::repo::{Lane, LedgerSetting, Repo};
use crate::structure::floor::Floor;
use crate::structure::squash;

/// One versioned change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migration {
    /// Its version.
    pub version: Version,
    /// What it is called, as in the file name.
    pub name: String,
    /// Its lane.
    pub lane: Lane,
    /// The last part of its directory's path, recorded in our ledger; [`CODE_SOURCE`](crate::ledger::CODE_SOURCE) of code.
    pub source: String,
    /// Its directory; empty for code, which is in none.
    pub directory: PathBuf,
    /// The grammar of its file.
    pub grammar: Grammar,
    /// Whether refinery's `U` prefix allows it to run out of order.
    pub unordered: bool,
    /// The up side.
    pub up: Script,
    /// The down side, where there is one.
    pub down: Option<Script>,
    /// Versions that must be applied before it.
    pub requires: Vec<Requirement>,
    /// What is run, where it is code of the application and no file. Its scripts hold nothing then, and say its name in place
    /// of a path.
    pub code: Option<Arc<CodeMigration>>,
}

impl Migration {
    /// Where it stands, for messages.
    pub(super) fn place(&self) -> String {
        match &self.code {
            Some(code) => format!("`{}`, which is code", code.name()),
            None => format!("`{}`", self.up.path.display()),
        }
    }

    /// Returns the checksum in a ledger's own form. Ledgers that keep none get ours, which is kept beside them.
    pub fn checksum(&self, kind: LedgerKind, wide: bool, setting: &LedgerSetting) -> String {
        match kind {
            LedgerKind::Sqlx => checksum::sqlx(&self.up.file, &setting.ignored_chars),
            LedgerKind::Refinery => {
                let number =
                    self.version.number().and_then(|number| i64::try_from(number).ok()).unwrap_or_default();
                checksum::refinery(&self.name, number, &self.up.file, wide)
            }
            LedgerKind::Dbsetup | LedgerKind::Diesel | LedgerKind::Dbmate => checksum::ours(&self.up.file),
        }
    }

    /// Returns the row that records it, in the transaction that runs it.
    pub fn row(&self, kind: LedgerKind, wide: bool, setting: &LedgerSetting) -> NewRow {
        NewRow {
            version: self.version.as_str().to_owned(),
            seq: None,
            name: if kind == LedgerKind::Sqlx { self.name.replace('_', " ") } else { self.name.clone() },
            source: self.source.clone(),
            checksum: (kind.keeps_checksums() && self.code.is_none())
                .then(|| self.checksum(kind, wide, setting)),
            took: Took::ThisTransaction,
        }
    }

    /// Version and name as messages write them: `20260101 add users` is `20260101 add_users`.
    pub fn shown(&self) -> String {
        if self.name.is_empty() {
            self.version.to_string()
        } else {
            format!("{} {}", self.version, self.name)
        }
    }
}

/// Every migration of a repo, whatever of it a command will run.
#[derive(Debug, Clone, Default)]
pub struct FileSet {
    /// Sorted by version.
    pub migrations: Vec<Migration>,
    /// Squashed migrations: their files serve databases that have not seen them, and rollbacks.
    pub archived: BTreeMap<Version, Migration>,
    /// What of the archive could not be read, and why. It matters to a database that needs it, and to no other.
    pub archive_problems: Vec<String>,
    /// Whether the archive was read.
    pub has_archive: bool,
    /// What a database must have applied before the structure speaks for it; `None` where nothing was squashed.
    pub floor: Option<Floor>,
    /// The file of the floor's baseline. It is no migration of a lane: what it makes is the structure's.
    pub baseline: Option<Migration>,
    /// Versions that the structure file records, and that neither a lane nor the floor has, as the file writes them: a
    /// floor may have lost lines in a merge, and an archive may be older than floors.
    pub unfloored: Vec<String>,
    /// What deserves a look: text, and what to do.
    pub warnings: Vec<(String, Option<String>)>,
    /// Whether versions are numbers.
    pub numeric: bool,
    /// Directories that `--migrations-path` named, resolved; `None` without one.
    pub given: Option<Vec<PathBuf>>,
    /// Checksums that were computed beforehand.
    pub sums: Sums,
}

impl FileSet {
    /// Reads every directory of the repo, those in `paths` (relative to the crate, or a bare name under priv), the
    /// squash floor, and the archive.
    ///
    /// # Errors
    /// Those of reading a directory and of [`Floor::read`]; [`Kind::DuplicateVersion`] across directories;
    /// [`Kind::Missing`] when there is no directory at all.
    pub fn read(repo: &Repo, paths: &[PathBuf]) -> Result<Self> {
        let mut set = Self::read_lanes(repo, paths)?;
        set.read_archive(repo)?;
        Ok(set)
    }

    /// The same without the archive, which [`FileSet::complete`] adds for a database that needs it.
    ///
    /// # Errors
    /// Those of [`FileSet::read`].
    pub fn read_lanes(repo: &Repo, paths: &[PathBuf]) -> Result<Self> {
        let given = paths.iter().map(|path| resolve(repo, path)).collect::<Result<Vec<_>>>()?;
        let mut directories: Vec<(PathBuf, Lane)> = Vec::new();
        directories.extend(repo.migrations.iter().map(|path| (path.clone(), Lane::Automatic)));
        directories.extend(repo.manual_migrations.iter().map(|path| (path.clone(), Lane::Manual)));
        for path in &given {
            if !directories.iter().any(|(known, _)| known == path) {
                directories.push((path.clone(), Lane::Automatic));
            }
        }
        let mut set = Self { numeric: true, given: (!paths.is_empty()).then_some(given), ..Self::default() };
        let mut grammar: Option<(Grammar, PathBuf)> = None;
        let mut existing = 0;
        for (path, lane) in &directories {
            if !repo.files.is_dir(path) {
                refuse_missing(repo, path)?;
                continue;
            }
            existing += 1;
            set.add(repo, directory::read(repo, path, *lane)?, path, &mut grammar)?;
        }
        if existing == 0 && repo.code.is_empty() && !repo.files.is_file(&repo.structure) {
            return Err(missing_directory(repo));
        }
        set.migrations.sort_by(|a, b| a.version.cmp(&b.version));
        set.floor = Floor::read(repo)?;
        set.take_baseline(repo);
        if let (None, Some(floor)) = (&grammar, &set.floor) {
            // Everything was squashed.
            set.numeric = floor.ledger != Some(LedgerKind::Diesel);
        }
        set.add_code(repo)?;
        set.refuse_duplicates()?;
        set.unfloored = set.without_floor(repo)?;
        Ok(set)
    }

    /// Takes the code of the application in among the files.
    fn add_code(&mut self, repo: &Repo) -> Result<()> {
        for code in &repo.code {
            self.migrations.push(code.to_migration(repo, self.numeric)?);
        }
        // Stable: what the files of one version are told in is their order.
        self.migrations.sort_by(|a, b| a.version.cmp(&b.version));
        Ok(())
    }

    fn add(
        &mut self,
        repo: &Repo,
        directory: Directory,
        path: &Path,
        grammar: &mut Option<(Grammar, PathBuf)>,
    ) -> Result<()> {
        if let Some(new) = directory.grammar {
            match grammar {
                Some((known, first)) if known.is_numeric() != new.is_numeric() => {
                    return Err(Error::new(
                        Kind::Grammar,
                        format!(
                            "`{}` holds {}, and `{}` holds {}: their versions cannot be sorted as one",
                            repo.shown(first).display(),
                            known.shown(),
                            repo.shown(path).display(),
                            new.shown()
                        ),
                    )
                    .help("use one grammar for all directories of a repo"));
                }
                _ => *grammar = Some((new, path.to_path_buf())),
            }
            self.numeric = new.is_numeric();
        }
        self.migrations.extend(directory.migrations);
        self.warnings.extend(directory.warnings);
        Ok(())
    }

    /// Sets the file of the baseline aside. What was squashed under its version is another text.
    fn take_baseline(&mut self, repo: &Repo) {
        let Some(floor) = &self.floor else { return };
        let Some(baseline) = floor.baseline() else { return };
        let own = self.version_of(&baseline.version);
        let original = floor.absorbed(baseline).find(|entry| self.version_of(&entry.version) == own);
        let is_original = |migration: &Migration| {
            let Some(checksum) = original.and_then(|entry| entry.checksum.as_deref()) else { return false };
            migration.checksum(LedgerKind::Sqlx, false, &repo.ledger) == checksum
                || differs_in_line_ends_only(migration, checksum, LedgerKind::Sqlx, false, &repo.ledger)
        };
        let is_it = |migration: &Migration| {
            migration.lane == Lane::Automatic && migration.version == own && !is_original(migration)
        };
        match self.migrations.iter().position(is_it) {
            Some(at) => self.baseline = Some(self.migrations.remove(at)),
            // Until an interrupted squash is finished it is not there yet.
            None if squash::is_interrupted(repo) => {}
            None => self.warnings.push((
                format!(
                    "the baseline migration {} of `{}` is gone: sqlx will miss it",
                    baseline.version, repo.name
                ),
                Some("restore it from version control".to_owned()),
            )),
        }
    }

    fn refuse_duplicates(&self) -> Result<()> {
        match self.migrations.windows(2).find(|pair| pair[0].version == pair[1].version) {
            Some([first, second]) => Err(duplicates(first, second)),
            _ => Ok(()),
        }
    }

    /// Returns the migration of a version.
    pub fn find(&self, version: &Version) -> Option<&Migration> {
        self.migrations
            .binary_search_by(|migration| migration.version.cmp(version))
            .ok()
            .map(|at| &self.migrations[at])
    }

    /// Returns the migration of a version, from a lane or the archive. A file that came back into a lane is the lane's.
    pub fn known(&self, version: &Version) -> Option<&Migration> {
        self.find(version).or_else(|| self.archived.get(version))
    }

    /// Returns the version that a flag, a directive or a ledger row names.
    pub fn parse_version(&self, text: &str) -> Option<Version> {
        Version::parse_like(text, self.numeric)
    }
}

/// The error of one version in two files.
pub(super) fn duplicate(version: &Version, first: &Path, second: &Path) -> Error {
    twins(version, format!("`{}`", first.display()), format!("`{}`", second.display()))
}

/// The error of one version in two migrations, files or code.
pub(super) fn duplicates(first: &Migration, second: &Migration) -> Error {
    twins(&first.version, first.place(), second.place())
}

fn twins(version: &Version, first: String, second: String) -> Error {
    Error::new(Kind::DuplicateVersion, format!("two migrations share version {version}"))
        .note(first)
        .note(second)
        .help("give one of them another version")
}

/// A directory that somebody named and that is not there is a typing error: its migrations would never run. The
/// default ones may be missing, as git keeps no empty directories.
fn refuse_missing(repo: &Repo, path: &Path) -> Result<()> {
    if ["migrations", "manual_migrations"].iter().any(|name| path == repo.priv_dir.join(name)) {
        return Ok(());
    }
    Err(Error::new(
        Kind::Missing,
        format!("there is no migrations directory `{}` for `{}`", repo.shown(path).display(), repo.name),
    )
    .note("it is configured by name")
    .help(format!("mend the name, or make it: mkdir -p {}", repo.shown(path).display())))
}

fn missing_directory(repo: &Repo) -> Error {
    let shown = repo.migrations.first().map(|path| repo.shown(path)).unwrap_or_default();
    Error::new(
        Kind::Missing,
        format!("there is no migrations directory `{}` for `{}`", shown.display(), repo.name),
    )
    .help(format!("an empty directory is enough: mkdir -p {}", shown.display()))
}

/// Returns the directory that `--migrations-path` names: relative to the crate, or a bare name under priv.
fn resolve(repo: &Repo, path: &Path) -> Result<PathBuf> {
    let below_crate = repo.root.join(path);
    let below_priv = repo.priv_dir.join(path);
    if repo.files.is_dir(&below_crate) {
        return Ok(tidy(&below_crate));
    }
    if repo.files.is_dir(&below_priv) {
        return Ok(tidy(&below_priv));
    }
    Err(Error::new(Kind::Missing, format!("there is no migrations directory `{}`", path.display()))
        .note(format!("looked for `{}`", repo.shown(&below_crate).display()))
        .note(format!("looked for `{}`", repo.shown(&below_priv).display())))
}

/// Drops `.` and trailing separators, so that a path compares equal to the configured one.
fn tidy(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}
