//! Which migrations will run, and in which order. Pure: it sees files and ledger rows, never a connection or a clock.

use std::collections::VecDeque;
use std::path::PathBuf;

use super::assess::{Assessment, Entry, State, short};
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
    pub blocked: Vec<(Version, String)>,
    /// What deserves a look.
    pub warnings: Vec<(String, Option<String>)>,
    /// How many are applied already.
    pub applied: usize,
}

/// Plans what `migrate` does.
///
/// # Errors
/// [`Kind::Changed`] when an applied file was edited, [`Kind::Undecided`] when a row says that a migration failed or a
/// rollback was interrupted, [`Kind::Missing`] for a version that nobody knows, [`Kind::Configuration`] when strict
/// order is asked for and a pending migration is older than an applied one.
pub fn up(repo: &Repo, files: &FileSet, found: &Assessment<'_>, scope: &Scope) -> Result<Plan> {
    refuse_unclear(repo, found)?;
    let mut plan = Plan { applied: found.applied.len(), ..Plan::default() };
    warn_of_rows(repo, found, &mut plan);
    let limit = match &scope.target {
        Target::To(version) | Target::ToExclusive(version) => Some(known_version(files, found, version)?),
        Target::All | Target::Steps(_) => None,
    };
    let exclusive = matches!(scope.target, Target::ToExclusive(_));
    let wanted: Vec<&Entry<'_>> = found
        .entries
        .iter()
        .filter(|entry| entry.row.is_none())
        .filter(|entry| entry.migration.is_some_and(|migration| scope.includes(migration)))
        .filter(|entry| {
            limit
                .as_ref()
                .is_none_or(|limit| entry.version < *limit || (!exclusive && entry.version == *limit))
        })
        .collect();
    let steps = if let Target::Steps(steps) = scope.target { steps } else { usize::MAX };
    arrange(files, found, &wanted, steps, &mut plan)?;
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
            .filter_map(|wanted| files.parse_version(wanted))
            .find_map(|wanted| open.iter().find(|migration| migration.version == wanted))
        {
            if path.contains(&wanted.version) {
                path.push(wanted.version.clone());
                let shown: Vec<String> = path.iter().map(ToString::to_string).collect();
                return Err(Error::new(
                    Kind::Grammar,
                    format!("migrations wait for each other: {}", shown.join(" -> ")),
                )
                .note(format!("`{}`", start.up.path.display()))
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
) -> Result<Option<String>> {
    for wanted in &migration.requires {
        let version = known_version(files, found, wanted)
            .map_err(|error| error.note(format!("`{}` requires it", migration.up.path.display())))?;
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

/// Refuses what must be decided before anything new is applied.
fn refuse_unclear(repo: &Repo, found: &Assessment<'_>) -> Result<()> {
    let name = &repo.name;
    let changed: Vec<_> =
        found.entries.iter().filter(|entry| matches!(entry.state, State::Changed { .. })).collect();
    if let Some(first) = changed.first() {
        let version = &first.version;
        let mut error = Error::new(
            Kind::Changed,
            match changed.len() {
                1 => format!("migration {version} was changed after it was applied to `{name}`"),
                n => format!("{n} migrations were changed after they were applied to `{name}`"),
            },
        );
        for entry in &changed {
            if let (Some(migration), State::Changed { recorded, now }) = (entry.migration, &entry.state) {
                let when = entry.row.and_then(|row| row.applied_at.as_deref()).unwrap_or("an unknown time");
                error = error.note(format!(
                    "`{}` has checksum {}…, {}… was applied at {when}",
                    migration.up.path.display(),
                    short(now),
                    short(recorded)
                ));
            }
        }
        let mut help = format!(
            "put the old text back; or accept the new one, which is not run: {}",
            repo.command(&format!("resolve {version} --accept-checksum"))
        );
        // In this order: what costs nothing first, what costs rows last.
        help += &if found.applied.last() == Some(version) {
            format!("; or undo it with its data and apply it again: {}", repo.command("redo"))
        } else {
            let redo = repo.command(&format!("redo --to {version}"));
            format!(
                "; or undo it and everything that was applied after it, data too, and apply them again: {redo}"
            )
        };
        return Err(error.help(help));
    }
    for entry in &found.entries {
        let version = &entry.version;
        match &entry.state {
            State::Failed => {
                return Err(Error::new(
                    Kind::Undecided,
                    format!("the ledger of `{name}` says that migration {version} failed half way"),
                )
                .help(format!(
                    "look at the database, then {} or {}",
                    repo.command(&format!("resolve {version} --applied")),
                    repo.command(&format!("resolve {version} --not-applied"))
                )));
            }
            State::Interrupted { reverting: true, done, total } => {
                return Err(Error::new(
                    Kind::Undecided,
                    format!("the rollback of migration {version} of `{name}` was interrupted"),
                )
                .note(format!("{done} of its {total} statements are done"))
                .help(match entry.migration {
                    // The newest application may be in the other lane, and is not what was interrupted.
                    Some(migration) => format!(
                        "finish it: {}, or keep it: {}",
                        repo.command(&format!("rollback --lane {}", migration.lane)),
                        repo.command(&format!("resolve {version} --applied"))
                    ),
                    None => "check out the branch that has its file, and finish it: `cargo dbsetup rollback`"
                        .into(),
                }));
            }
            _ => {}
        }
    }
    Ok(())
}

fn warn_of_rows(repo: &Repo, found: &Assessment<'_>, plan: &mut Plan) {
    let name = &repo.name;
    for entry in found.entries.iter().filter(|entry| entry.state == State::LineEndings) {
        if let Some(migration) = entry.migration {
            plan.warnings.push((
                format!(
                    "`{}` differs from what was applied in its line ends only",
                    migration.up.path.display()
                ),
                Some("add `*.sql text eol=lf` to .gitattributes".into()),
            ));
        }
    }
    let missing: Vec<String> = found
        .entries
        .iter()
        .filter(|entry| {
            entry.state == State::FileMissing { archived: false }
                && entry.row.is_some_and(|row| row.seq.is_some())
        })
        .map(|entry| entry.version.to_string())
        .collect();
    // A structure file brings rows whose files were squashed away long ago: dozens of them say nothing new.
    if !missing.is_empty() && missing.len() <= 5 {
        plan.warnings.push((
            format!("`{name}` has applied {} whose file is not in this checkout", missing.join(", ")),
            Some("the database may be ahead of this branch; `cargo dbsetup status` lists them".into()),
        ));
    }
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

/// Plans what `rollback` does: newest application first.
///
/// # Errors
/// Before anything runs: [`Kind::Missing`] for a version that is not applied, whose file is gone, or that has no down
/// side; [`Kind::Refused`] when an applied migration that stays requires one that goes.
pub fn down(repo: &Repo, files: &FileSet, found: &Assessment<'_>, scope: &Scope) -> Result<Plan> {
    let name = &repo.name;
    refuse_half_done(repo, found)?;
    let newest_first: Vec<&Entry<'_>> =
        found.applied.iter().rev().filter_map(|version| found.find(version)).collect();
    let in_scope: Vec<&Entry<'_>> = newest_first
        .into_iter()
        .filter(|entry| entry.migration.is_none_or(|migration| scope.includes(migration)))
        .collect();
    let until = |text: &str| -> Result<usize> {
        let version = known_version(files, found, text)?;
        in_scope
            .iter()
            .position(|entry| entry.version == version)
            .ok_or_else(|| Error::new(Kind::Missing, format!("migration {text} is not applied to `{name}`")))
    };
    let count = match &scope.target {
        Target::All => in_scope.len(),
        Target::To(version) => until(version)? + 1,
        Target::ToExclusive(version) => until(version)?,
        Target::Steps(steps) => *steps,
    };
    let chosen: Vec<&Entry<'_>> = in_scope.into_iter().take(count).collect();
    for entry in &chosen {
        refuse_irreversible(repo, files, entry)?;
    }
    let versions: Vec<Version> = chosen.iter().map(|entry| entry.version.clone()).collect();
    refuse_needed(repo, files, found, &versions)?;
    Ok(Plan { versions, applied: found.applied.len(), ..Plan::default() })
}

/// What is half applied is newer than everything that could be undone.
fn refuse_half_done(repo: &Repo, found: &Assessment<'_>) -> Result<()> {
    for entry in &found.entries {
        if let State::Interrupted { reverting: false, done, total } = entry.state {
            let version = &entry.version;
            let lane = entry.migration.map_or(Lane::Automatic, |migration| migration.lane);
            return Err(Error::new(
                Kind::Undecided,
                format!("migration {version} of `{}` is half applied", repo.name),
            )
            .note(format!("{done} of its {total} statements are done; nothing was undone"))
            .help(format!(
                "finish it: {}; or undo by hand what it did and forget it: {}",
                repo.command(&format!("migrate --lane {lane}")),
                repo.command(&format!("resolve {version} --not-applied"))
            )));
        }
    }
    Ok(())
}

fn refuse_irreversible(repo: &Repo, files: &FileSet, entry: &Entry<'_>) -> Result<()> {
    let name = &repo.name;
    let version = &entry.version;
    let Some(migration) = entry.migration else {
        let error = Error::new(
            Kind::Missing,
            format!("migration {version} of `{name}` cannot be undone: its file is not in this checkout"),
        )
        .note("nothing was undone");
        return Err(match files.archived.get(version) {
            Some(archived) => error.note(format!(
                "it was squashed into the structure; its file is `{}`",
                archived.up.path.display()
            )),
            None => error.help("check out the branch that has it"),
        });
    };
    if migration.down.is_none() {
        return Err(Error::new(
            Kind::Missing,
            format!("migration {} of `{name}` cannot be undone: it has no down side", migration.shown()),
        )
        .note(format!("`{}`", migration.up.path.display()))
        .note("nothing was undone")
        .help("write the down side, or a new migration that takes it back"));
    }
    Ok(())
}

fn refuse_needed(repo: &Repo, files: &FileSet, found: &Assessment<'_>, going: &[Version]) -> Result<()> {
    for entry in found.entries.iter().filter(|entry| entry.is_recorded() && !going.contains(&entry.version)) {
        let Some(migration) = entry.migration else { continue };
        let needed = migration.requires.iter().filter_map(|wanted| files.parse_version(wanted));
        if let Some(needed) = needed.into_iter().find(|needed| going.contains(needed)) {
            return Err(Error::new(
                Kind::Refused,
                format!("migration {needed} cannot be undone: migration {} requires it", migration.shown()),
            )
            .note("nothing was undone")
            .help(format!("undo that one too: {}", repo.command(&format!("rollback --to {needed}")))));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
