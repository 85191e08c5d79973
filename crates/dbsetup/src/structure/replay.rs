//! The replay: what a repo's files make of nothing, in a scratch database, by the loader and the migrator that run in the
//! real one.
//!
//! A structure file records the versions that it speaks for. Where it speaks for migrations whose files are in the lanes
//! (a plain `dump`) it would hide the rows that they insert: then everything is run from nothing. Where it took their
//! place (a squash) it is loaded, and the lanes follow.

mod beyond;
mod frozen;

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::floor::Floor;
use super::load::{LoadRequest, load, may_load};
use super::recorded::{code_by, recorded_by};
use super::scratch::in_scratch_only;
use crate::error::{Error, Kind, Result};
use crate::migration::{self, FileSet, Lanes, MigrateRequest, Target, Version};
use crate::repo::Repo;
use crate::session::Session;

pub use beyond::Beyond;
pub use frozen::Frozen;

/// What a replay begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// An empty database: every migration is run, squashed ones from the archive.
    Nothing,
    /// The structure file: the lanes follow it.
    Structure,
}

/// Decides what a replay begins with. `recorded` are the versions that the structure file records; `None` without one.
/// `files` are the lanes and the archive as they were read.
///
/// # Errors
/// [`Kind::Missing`] when migrations must be run whose files are nowhere.
pub fn base(
    repo: &Repo,
    recorded: Option<&[String]>,
    floor: Option<&Floor>,
    files: &FileSet,
) -> Result<Base> {
    let parse = |text: &str| version(files, text);
    let is_live = |text: &String| files.find(&parse(text)).is_some();
    // What `setup` does: the file is loaded, and whatever it does not record is run.
    if recorded.is_some_and(|recorded| !recorded.iter().any(is_live)) {
        return Ok(Base::Structure);
    }
    let nowhere: Vec<String> = needed(recorded.unwrap_or_default(), floor, files)
        .into_iter()
        .filter(|version| files.find(version).is_none() && !files.archived.contains_key(version))
        .map(|version| version.to_string())
        .collect();
    if nowhere.is_empty() {
        return Ok(Base::Nothing);
    }
    let structure = repo.shown(&repo.structure);
    let noun = if nowhere.len() == 1 { "migration" } else { "migrations" };
    // The commit that a squash names is the one before it, which has an older structure: the floor was committed with it.
    let commit = match floor {
        Some(_) => {
            let floor = repo.shown(&Floor::path(&repo.structure));
            format!("$(git log -1 --format=%h -- {})", floor.display())
        }
        None => "COMMIT".to_owned(),
    };
    let error = Error::new(
        Kind::Missing,
        format!("`{}` cannot be replayed: {noun} {} have no file anywhere", repo.name, shortened(&nowhere)),
    )
    .note(match recorded {
        Some(_) => format!(
            "`{}` records them together with migrations that are still in the lanes, whose rows it does not have",
            structure.display()
        ),
        None => format!("there is no `{}` that speaks for them", structure.display()),
    });
    let archive = repo.archive.first().map(|path| repo.shown(path).display().to_string()).unwrap_or_default();
    Err(error.help(format!(
        "put their files back into `{archive}`; or restore the structure of the last squash: `git checkout {commit} -- {}`",
        structure.display()
    )))
}

/// The versions that a database has which was made of everything that there is.
fn needed(recorded: &[String], floor: Option<&Floor>, files: &FileSet) -> BTreeSet<Version> {
    let squashed = floor.into_iter().flat_map(Floor::entries).map(|entry| &entry.version);
    recorded.iter().chain(squashed).map(|text| version(files, text)).collect()
}

fn version(files: &FileSet, text: &str) -> Version {
    files.parse_version(text).unwrap_or_else(|| Version::textual(text))
}

/// The first five of a list.
fn shortened(versions: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = versions[..versions.len().min(SHOWN)].join(", ");
    if versions.len() > SHOWN { format!("{shown} and {} more", versions.len() - SHOWN) } else { shown }
}

/// What is replayed, and how far.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What it begins with.
    pub base: Base,
    /// What is run: the lanes, and from nothing also the squashed migrations.
    pub files: FileSet,
    /// Stops after the last version that is not newer; `None` goes to the end. May be changed between two calls of
    /// [`replay`].
    pub to: Option<Version>,
    /// Whether the structure file may reach beyond the database.
    pub trusted: bool,
    /// The files of the archive among `files`, as they are shown.
    archived: BTreeSet<PathBuf>,
}

impl Plan {
    /// Reads the files of a repo, and plans to run all of them.
    ///
    /// # Errors
    /// Those of reading and of [`base`].
    pub fn read(repo: &Repo) -> Result<Self> {
        let files = FileSet::read(repo, &[])?;
        let code = code_by(repo)?;
        let mut recorded = match repo.files.is_file(&repo.structure) {
            true => Some(recorded_by(repo)?),
            false => None,
        };
        // Code has no file, and nothing to do where nothing is.
        recorded.iter_mut().for_each(|recorded| recorded.retain(|version| !code.contains(version)));
        let plan = Self::new(repo, recorded.as_deref(), Floor::read(repo)?.as_ref(), files)?;
        Ok(plan.without_code(&code))
    }

    /// Takes code of the application that is not here for applied: what waits for it runs. `code` are versions that are
    /// known to be code, besides those that a migration calls so.
    #[must_use]
    pub fn without_code(mut self, code: &[String]) -> Self {
        let files = &self.files;
        let code: BTreeSet<Version> = code.iter().map(|text| version(files, text)).collect();
        let here: BTreeSet<Version> =
            files.migrations.iter().map(|migration| migration.version.clone()).collect();
        let numeric = files.numeric;
        for migration in &mut self.files.migrations {
            migration.requires.retain(|wanted| {
                let Some(version) = Version::parse_like(&wanted.version, numeric) else { return true };
                here.contains(&version) || !(wanted.is_code || code.contains(&version))
            });
        }
        self
    }

    /// Plans for files that were read. Pure.
    ///
    /// # Errors
    /// Those of [`base`].
    pub fn new(
        repo: &Repo,
        recorded: Option<&[String]>,
        floor: Option<&Floor>,
        mut files: FileSet,
    ) -> Result<Self> {
        let base = base(repo, recorded, floor, &files)?;
        let mut archived = BTreeSet::new();
        if base == Base::Nothing {
            for version in needed(recorded.unwrap_or_default(), floor, &files) {
                if let Some(migration) = files.archived.remove(&version)
                    && files.find(&version).is_none()
                {
                    archived.insert(migration.up.path.clone());
                    let at = files.migrations.partition_point(|other| other.version < version);
                    files.migrations.insert(at, migration);
                }
            }
        }
        Ok(Self { base, files, to: None, trusted: false, archived })
    }

    /// Plans as the caller has decided.
    pub(super) fn with(base: Base, files: FileSet) -> Self {
        Self { base, files, to: None, trusted: false, archived: BTreeSet::new() }
    }

    /// The newest version that is run; `None` where there is none.
    fn last(&self) -> Option<&Version> {
        let versions = self.files.migrations.iter().map(|migration| &migration.version);
        versions.rev().find(|version| self.reaches(version))
    }

    /// Whether the plan goes as far as a version.
    fn reaches(&self, version: &Version) -> bool {
        self.to.as_ref().is_none_or(|to| version <= to)
    }

    /// Says of a failed migration that it was no more than a replay.
    fn explained(&self, repo: &Repo, error: Error) -> Error {
        let is_named = |path: &&PathBuf| {
            let shown = format!("`{}`", path.display());
            error.site().is_some_and(|site| site.path == **path)
                || error.notes().iter().any(|note| note.contains(&shown))
        };
        let rotten = self.archived.iter().find(is_named).cloned();
        let begun = match self.base {
            Base::Nothing => "an empty scratch database",
            Base::Structure => "a scratch database made of the structure file",
        };
        let error = error.note(format!(
            "it was run in {begun}, which is removed: the database of `{}` is untouched",
            repo.name
        ));
        match rotten {
            Some(path) => error
                .note(format!("`{}` was squashed: the archive has rotted", path.display()))
                .help("restore the file from version control; or mend it until it runs where nothing else is"),
            None => error.help(
                "make the file run where nothing but the migrations before it has been: what it needs, one of them makes",
            ),
        }
    }
}

/// Replays in a scratch database: loads the base unless something is there already, then runs both lanes, sorted
/// as one, as far as the plan goes. Called again it goes on from there.
///
/// # Errors
/// Those of loading and migrating, with the place in the file; [`Kind::Configuration`] when a migration waits for one that
/// is not run.
pub async fn replay(scratch: &mut Session<'_>, plan: &Plan) -> Result<()> {
    let repo = scratch.repo();
    if plan.base == Base::Structure {
        let inspection = scratch.inspect().await?;
        if may_load(scratch, &inspection).await? {
            let request = LoadRequest { trusted: plan.trusted, ..LoadRequest::default() };
            load(scratch, &request).await.map_err(in_scratch_only)?;
        }
    }
    let Some(last) = plan.last() else { return Ok(()) };
    let request = MigrateRequest {
        lanes: Lanes::All,
        target: Target::To(last.to_string()),
        no_load: true,
        ..MigrateRequest::default()
    };
    let report = migration::migrate_files(scratch, plan.files.clone(), &request)
        .await
        .map_err(|error| plan.explained(repo, error))?;
    let Some((version, by)) = report.blocked.first() else { return Ok(()) };
    let error = Error::new(
        Kind::Configuration,
        format!("migration {version} of `{}` waits for {by}, which the replay does not run", repo.name),
    );
    Err(match &plan.to {
        Some(to) => error.help(format!("go further than {to}, or stop before {version}")),
        None => error.help(format!("put the file of {by} back")),
    })
}

#[cfg(test)]
mod tests;
