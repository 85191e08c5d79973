//! Which migrations will run, and in which order. Pure: it sees files and ledger rows, never a connection or a clock.

mod down;
mod rows;

use std::collections::VecDeque;
use std::path::PathBuf;

pub use down::down;

use super::assess::{Assessment, Entry};
use super::directive::Requirement;
use super::floor;
use super::set::{FileSet, Migration};
use super::version::Version;
use crate::error::{Error, Kind, Result};
use crate::repo::{Lane, Repo, VersionOrder};

/// Which lanes a command means.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lanes {
    /// The automatic lane.
    #[default]
    Automatic,
    /// The manual lane.
    Manual,
    /// Both.
    All,
}

impl Lanes {
    /// Whether a lane is meant.
    pub fn include(self, lane: Lane) -> bool {
        match self {
            Self::Automatic => lane == Lane::Automatic,
            Self::Manual => lane == Lane::Manual,
            Self::All => true,
        }
    }
}

/// How far to go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Target {
    /// As far as there is.
    #[default]
    All,
    /// Up: to this version. Down: this version and whatever was applied after it.
    To(String),
    /// The same without the version itself.
    ToExclusive(String),
    /// So many migrations.
    Steps(usize),
}

/// What a plan is made for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The lanes, unless directories are given.
    pub lanes: Lanes,
    /// Directories instead of lanes.
    pub directories: Option<Vec<PathBuf>>,
    /// How far.
    pub target: Target,
    /// What about pending migrations that are older than applied ones.
    pub order: VersionOrder,
}

impl Scope {
    fn includes(&self, migration: &Migration) -> bool {
        match &self.directories {
            Some(directories) => directories.contains(&migration.directory),
            None => self.lanes.include(migration.lane),
        }
    }
}

/// Migrations in the order in which they run, and what deserves a word before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Versions in order.
    pub versions: Vec<Version>,
    /// Versions that wait for others, with the version that each waits for.
    pub blocked: Vec<(Version, Requirement)>,
    /// What deserves a look.
    pub warnings: Vec<(String, Option<String>)>,
    /// How many are applied already.
    pub applied: usize,
    /// Those of `versions` that were squashed, and run from the archive.
    pub squashed: Vec<Version>,
}

/// Plans what `migrate` does.
///
/// # Errors
/// [`Kind::Changed`] when an applied file was edited, [`Kind::Undecided`] when a row says that a migration failed or a
/// rollback was interrupted, [`Kind::Missing`] for a version that nobody knows, [`Kind::Configuration`] when strict
/// order is asked for and a pending migration is older than an applied one, [`Kind::BelowFloor`] when the files of
/// squashed migrations that the database lacks are nowhere, [`Kind::Refused`] when the scope leaves such a migration out.
pub fn up(repo: &Repo, files: &FileSet, found: &Assessment<'_>, scope: &Scope) -> Result<Plan> {
    rows::refuse_unclear(repo, found)?;
    floor::refuse_below(repo, files, &found.floor, found.applied.is_empty())?;
    floor::refuse_edited(repo, files, &found.floor)?;
    let mut plan = Plan { applied: found.applied.len(), ..Plan::default() };
    rows::warn_of_rows(repo, found, &mut plan);
    floor::warn_of_changed(repo, files, &found.floor, &mut plan);
    let limit = match &scope.target {
        Target::To(version) | Target::ToExclusive(version) => Some(known_version(files, found, version)?),
        Target::All | Target::Steps(_) => None,
    };
    let exclusive = matches!(scope.target, Target::ToExclusive(_));
    let within = |version: &Version| {
        limit.as_ref().is_none_or(|limit| version < limit || (!exclusive && version == limit))
    };
    let mut wanted: Vec<&Entry<'_>> = found
        .entries
        .iter()
        .filter(|entry| entry.row.is_none())
        .filter(|entry| entry.migration.is_some_and(|migration| scope.includes(migration)))
        .filter(|entry| within(&entry.version))
        .collect();
    // What is in a lane now was tried on a structure that has all that was squashed, whatever its version says. Code cannot
    // be squashed, and has the place in which it was written.
    let newest =
        wanted.iter().filter(|entry| entry.squashed.is_some()).map(|entry| entry.version.clone()).max();
    let is_between =
        |entry: &Entry<'_>| entry.is_code() && newest.as_ref().is_some_and(|newest| entry.version < *newest);
    wanted.sort_by_key(|entry| entry.squashed.is_none() && !is_between(entry));
    let steps = if let Target::Steps(steps) = scope.target { steps } else { usize::MAX };
    arrange(files, found, &wanted, steps, &mut plan)?;
    floor::refuse_gap(repo, files, &found.floor, scope, within, &plan)?;
    let behind = found.floor.behind();
    plan.squashed = plan.versions.iter().filter(|version| behind.contains(version)).cloned().collect();
    check_order(found, scope.order, &mut plan)?;
    Ok(plan)
}

/// Puts pending migrations in order: by version, but never before what they require.
fn arrange(
    files: &FileSet,
    found: &Assessment<'_>,
    wanted: &[&Entry<'_>],
    steps: usize,
    plan: &mut Plan,
) -> Result<()> {
    let mut open: VecDeque<&Migration> = wanted.iter().filter_map(|entry| entry.migration).collect();
    while plan.versions.len() < steps {
        let mut ready = None;
        for (at, migration) in open.iter().enumerate() {
            if unmet(files, found, migration, plan)?.is_none() {
                ready = Some(at);
                break;
            }
        }
        let Some(next) = ready.and_then(|at| open.remove(at)) else { break };
        plan.versions.push(next.version.clone());
    }
    refuse_cycle(files, open.make_contiguous())?;
    if plan.versions.len() < steps {
        for migration in open {
            if let Some(by) = unmet(files, found, migration, plan)? {
                plan.blocked.push((migration.version.clone(), by));
            }
        }
    }
    Ok(())
}

/// Refuses migrations that wait for each other: none of them would ever run.
fn refuse_cycle(files: &FileSet, open: &[&Migration]) -> Result<()> {
    for start in open {
        let mut path = vec![start.version.clone()];
        let mut next = *start;
        while let Some(wanted) = next
            .requires
            .iter()
            .filter_map(|wanted| files.parse_version(&wanted.version))
            .find_map(|wanted| open.iter().find(|migration| migration.version == wanted))
        {
            if path.contains(&wanted.version) {
                path.push(wanted.version.clone());
                let shown: Vec<String> = path.iter().map(ToString::to_string).collect();
                return Err(Error::new(
                    Kind::Grammar,
                    format!("migrations wait for each other: {}", shown.join(" -> ")),
                )
                .note(start.place())
                .help("take one `-- requires:` away"));
            }
            path.push(wanted.version.clone());
            next = wanted;
        }
    }
    Ok(())
}

/// Returns the first version that a migration requires and that is neither applied nor planned before it.
fn unmet(
    files: &FileSet,
    found: &Assessment<'_>,
    migration: &Migration,
    plan: &Plan,
) -> Result<Option<Requirement>> {
    for wanted in &migration.requires {
        let version = match known_version(files, found, &wanted.version) {
            Ok(version) => version,
            // This program does not know the code: another one runs it.
            Err(_) if wanted.is_code => return Ok(Some(wanted.clone())),
            Err(error) => {
                let help =
                    format!("if it is code of the application: `-- requires: code:{}`", wanted.version);
                return Err(error.note(format!("{} requires it", migration.place())).help(help));
            }
        };
        if !found.is_applied(&version) && !plan.versions.contains(&version) {
            return Ok(Some(wanted.clone()));
        }
    }
    Ok(None)
}

/// Returns a version that a person wrote, if a file, a row or the archive has it.
fn known_version(files: &FileSet, found: &Assessment<'_>, text: &str) -> Result<Version> {
    files
        .parse_version(text)
        .filter(|version| found.find(version).is_some() || files.archived.contains_key(version))
        .ok_or_else(|| {
            let newest: Vec<String> =
                found.entries.iter().rev().take(3).rev().map(|entry| entry.version.to_string()).collect();
            let error = Error::new(Kind::Missing, format!("there is no migration with version `{text}`"));
            if newest.is_empty() {
                error
            } else {
                error.note(format!("the newest versions are {}", newest.join(", ")))
            }
        })
}

/// Compares planned migrations with the newest applied one of their lane.
fn check_order(found: &Assessment<'_>, order: VersionOrder, plan: &mut Plan) -> Result<()> {
    if order == VersionOrder::Any {
        return Ok(());
    }
    for lane in [Lane::Automatic, Lane::Manual] {
        let in_lane = |entry: &&Entry<'_>| entry.migration.is_some_and(|migration| migration.lane == lane);
        let newest = found
            .entries
            .iter()
            .filter(in_lane)
            .filter(|entry| entry.is_recorded())
            .map(|e| &e.version)
            .max();
        let Some(newest) = newest else { continue };
        let older: Vec<&Version> = plan
            .versions
            .iter()
            .filter(|version| found.find(version).as_ref().is_some_and(in_lane))
            // What was squashed cannot have another version any more.
            .filter(|version| !plan.squashed.contains(version))
            .filter(|version| found.find(version).and_then(|e| e.migration).is_some_and(|m| !m.unordered))
            .filter(|version| *version < newest)
            .collect();
        let Some(first) = older.first() else { continue };
        let text = format!("migration {first} is pending, and the newer {newest} is applied already");
        if order == VersionOrder::Strict {
            return Err(Error::new(Kind::Configuration, text)
                .note("strict version order is asked for; nothing was run")
                .help("give it a version that is newer than all applied ones"));
        }
        plan.warnings.push((text, None));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
