//! The archive of squashed migrations (`dumped_migrations/`): its files serve databases that have not seen them, and
//! rollbacks. Lanes keep the names of their folders below it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::PathBuf;

use super::directory::{Archived, read_archived};
use super::floor;
use super::grammar::Grammar;
use super::script::Script;
use super::set::{FileSet, Migration, duplicate, duplicates};
use super::version::Version;
use crate::driver::LedgerState;
use crate::error::{Error, Result};
use crate::ledger::LedgerTable;
use crate::repo::{Lane, Repo};
use crate::structure::floor::{Floor, FloorEntry, Squashed};
use crate::structure::recorded_versions;

/// A folder of the archive and where its files were before.
struct Folder {
    path: PathBuf,
    /// Folders below it that are none of its.
    others: Vec<PathBuf>,
    directory: PathBuf,
    lane: Lane,
}

impl FileSet {
    /// Adds the archive if a database that says `state` needs it: most have seen all of it, and its thousands of files
    /// are not read for them. Once read it stays; ask again with what is there under the lock.
    ///
    /// # Errors
    /// Those of [`FileSet::read_archive`].
    pub fn complete(&mut self, repo: &Repo, ledger: &LedgerTable, state: &LedgerState) -> Result<()> {
        if self.is_complete(repo, ledger, state) { Ok(()) } else { self.read_archive(repo) }
    }

    /// Whether a database that says `state` needs nothing of the archive that was not read.
    pub(crate) fn is_complete(&self, repo: &Repo, ledger: &LedgerTable, state: &LedgerState) -> bool {
        // A checksum that differs from the floor's may be one of other line ends: the text tells.
        let is_other = || !floor::standing(self, ledger, &repo.ledger, state).changed.is_empty();
        self.has_archive || !(self.asks_for_archive(state) || is_other())
    }

    /// Whether anything but the lanes and the floor is needed to tell how every version stands.
    fn asks_for_archive(&self, state: &LedgerState) -> bool {
        let squashed: HashSet<Version> = self.squashed().into_keys().collect();
        let recorded: HashSet<Version> = state.rows.iter().map(|row| self.version_of(&row.version)).collect();
        // Code has no file in the archive.
        let files = state.rows.iter().filter(|row| !row.is_code());
        let is_strange = || {
            let mut versions = files.map(|row| self.version_of(&row.version));
            versions.any(|version| !squashed.contains(&version) && self.find(&version).is_none())
        };
        !squashed.is_subset(&recorded)
            || !state.progress.is_empty()
            || self.unfloored.iter().any(|version| !recorded.contains(&self.version_of(version)))
            || self.migrations.iter().any(|migration| squashed.contains(&migration.version))
            || is_strange()
    }

    /// Returns every version of the floor; of a version that was squashed twice, the last.
    pub fn squashed(&self) -> BTreeMap<Version, &FloorEntry> {
        let entries = self.floor.iter().flat_map(Floor::entries);
        entries.map(|entry| (self.version_of(&entry.version), entry)).collect()
    }

    /// Returns the version that a ledger names, whatever it is.
    pub(super) fn version_of(&self, text: &str) -> Version {
        self.parse_version(text).unwrap_or_else(|| Version::textual(text))
    }

    /// Reads the archive. What of it cannot be read is kept as a problem: it stops the database that needs it, and
    /// no other.
    ///
    /// # Errors
    /// [`Kind::DuplicateVersion`](crate::Kind::DuplicateVersion) for a version whose files in a lane and in the archive
    /// differ: only a person can tell which one is meant.
    pub fn read_archive(&mut self, repo: &Repo) -> Result<()> {
        self.has_archive = true;
        let mut found = Vec::new();
        let mut downs: Vec<(Version, Script)> = Vec::new();
        for folder in folders(repo) {
            let Archived { migrations, downs: alone, problems } =
                read_archived(repo, &folder.path, &folder.others, &folder.directory, folder.lane);
            found.extend(migrations);
            downs.extend(alone);
            self.archive_problems.extend(problems.iter().map(told));
        }
        if self.migrations.is_empty() && !found.is_empty() {
            // Everything was squashed: the archive alone tells how versions are read.
            self.numeric = found.iter().any(|migration| migration.grammar != Grammar::Diesel);
        }
        let squashed: BTreeMap<Version, Lane> =
            self.squashed().into_iter().map(|(version, entry)| (version, entry.lane)).collect();
        let mut twice = BTreeSet::new();
        for mut migration in found {
            // A project may have changed its grammar since.
            migration.version = self.version_of(migration.version.as_str());
            let version = migration.version.clone();
            if let Some(live) = self.find(&version)
                && live.up.file != migration.up.file
            {
                return Err(duplicates(live, &migration));
            }
            if let Some(lane) = squashed.get(&version) {
                put_into(repo, *lane, &mut migration);
            }
            match self.archived.get(&version) {
                Some(other) => {
                    self.archive_problems.push(told(&duplicate(
                        &version,
                        &other.up.path,
                        &migration.up.path,
                    )));
                    twice.insert(version);
                }
                None => {
                    self.archived.insert(version, migration);
                }
            }
        }
        // Nobody can tell which of two files was run.
        self.archived.retain(|version, _| !twice.contains(version));
        for (version, script) in downs {
            self.take_down(&self.version_of(version.as_str()), script);
        }
        self.complete_floor();
        Ok(())
    }

    /// Returns the versions that the structure file records and that neither a lane nor the floor has, where there is
    /// an archive that may have them.
    pub(super) fn without_floor(&self, repo: &Repo) -> Result<Vec<String>> {
        if !repo.archive.iter().any(|path| repo.files.is_dir(path)) {
            return Ok(Vec::new());
        }
        let squashed = self.squashed();
        let mut recorded = recorded_versions(repo.files, &repo.structure, repo.ledger.table.as_deref())?;
        recorded.retain(|text| {
            let version = self.version_of(text);
            !squashed.contains_key(&version) && self.find(&version).is_none()
        });
        Ok(recorded)
    }

    /// Takes what the structure records and the archive has for squashed, though the floor does not say so: a database
    /// that lacks it would never get it.
    fn complete_floor(&mut self) {
        let entry = |text: &String| {
            let archived = self.archived.get(&self.version_of(text))?;
            Some(FloorEntry {
                lane: archived.lane,
                version: archived.version.as_str().to_owned(),
                checksum: None,
                name: archived.name.clone(),
            })
        };
        let mut migrations: Vec<FloorEntry> = self.unfloored.iter().filter_map(entry).collect();
        if migrations.is_empty() {
            return;
        }
        migrations.sort_by_key(|entry| self.version_of(&entry.version));
        let floor = self.floor.get_or_insert_default();
        floor.squashes.push(Squashed { migrations, ..Squashed::default() });
    }

    /// A down side alone: a move was interrupted between the two sides, and the up side is still in its lane.
    fn take_down(&mut self, version: &Version, script: Script) {
        let live = self.migrations.iter_mut().find(|migration| migration.version == *version);
        match live.or(self.archived.get_mut(version)) {
            Some(migration) => {
                migration.down.get_or_insert(script);
            }
            None => self.archive_problems.push(format!(
                "`{}` is the down side of version {version}, which has no up side",
                script.path.display()
            )),
        }
    }
}

/// Returns the directories that squashed migrations are in, as far as they are there: those of the lanes below each
/// archive, and the archives.
pub fn archive_folders(repo: &Repo) -> Vec<PathBuf> {
    folders(repo).into_iter().map(|folder| folder.path).collect()
}

/// The folders of every archive that are there: those of the lanes, then the archive itself.
fn folders(repo: &Repo) -> Vec<Folder> {
    let mut lanes: Vec<(PathBuf, Lane)> = Vec::new();
    lanes.extend(repo.migrations.iter().map(|path| (path.clone(), Lane::Automatic)));
    lanes.extend(repo.manual_migrations.iter().map(|path| (path.clone(), Lane::Manual)));
    // What the lanes are called where nothing is configured, as they may have been when they were squashed.
    for (name, lane) in [("migrations", Lane::Automatic), ("manual_migrations", Lane::Manual)] {
        lanes.push((repo.priv_dir.join(name), lane));
    }
    let mut folders: Vec<Folder> = Vec::new();
    for archive in &repo.archive {
        let first = folders.len();
        for (directory, lane) in &lanes {
            let Some(name) = directory.file_name() else { continue };
            let path = archive.join(name);
            if repo.files.is_dir(&path) && !folders.iter().any(|folder| folder.path == path) {
                folders.push(Folder { path, others: Vec::new(), directory: directory.clone(), lane: *lane });
            }
        }
        if repo.files.is_dir(archive) {
            let directory = directory_of(repo, Lane::Automatic);
            let others = folders[first..].iter().map(|folder| folder.path.clone()).collect();
            folders.push(Folder { path: archive.clone(), others, directory, lane: Lane::Automatic });
        }
    }
    folders
}

/// Where new files of a lane stand.
pub(super) fn directory_of(repo: &Repo, lane: Lane) -> PathBuf {
    let (configured, name) = match lane {
        Lane::Automatic => (&repo.migrations, "migrations"),
        Lane::Manual => (&repo.manual_migrations, "manual_migrations"),
    };
    configured.first().cloned().unwrap_or_else(|| repo.priv_dir.join(name))
}

/// The floor knows the lane; a folder only suggests it.
fn put_into(repo: &Repo, lane: Lane, migration: &mut Migration) {
    if migration.lane == lane {
        return;
    }
    migration.lane = lane;
    migration.directory = directory_of(repo, lane);
    migration.source = migration.directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
}

/// An error of a file that may never be needed, as one line.
fn told(error: &Error) -> String {
    let mut text = error.message().to_owned();
    if let Some(site) = error.site() {
        text = format!("`{}:{}`: {text}", site.path.display(), site.at.line);
    }
    for note in error.notes() {
        text += &format!("; {note}");
    }
    text
}

#[cfg(test)]
mod tests;
