//! Which migrations `rollback` undoes, and in which order.

use super::super::assess::{Assessment, Entry, State};
use super::super::set::FileSet;
use super::super::version::Version;
use super::{Plan, Scope, Target, known_version};
use crate::error::{Error, Kind, Result};
use crate::repo::{Lane, Repo};
use crate::structure::floor::Squashed;

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
    let in_scope: Vec<&Entry<'_>> =
        newest_first.into_iter().filter(|entry| is_in_scope(files, scope, entry)).collect();
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
    let squashed = chosen.iter().filter(|entry| entry.squashed.is_some());
    let squashed = squashed.map(|entry| entry.version.clone()).collect();
    Ok(Plan { versions, squashed, applied: found.applied.len(), ..Plan::default() })
}

/// Whether a version is of the lanes or directories that are meant; one that nobody knows anything of always is, and
/// is refused.
fn is_in_scope(files: &FileSet, scope: &Scope, entry: &Entry<'_>) -> bool {
    match (files.known(&entry.version), entry.squashed) {
        (Some(migration), _) => scope.includes(migration),
        (None, Some(squashed)) => scope.directories.is_some() || scope.lanes.include(squashed.lane),
        (None, None) => true,
    }
}

/// What is half applied is newer than everything that could be undone.
fn refuse_half_done(repo: &Repo, found: &Assessment<'_>) -> Result<()> {
    for entry in &found.entries {
        if let State::Interrupted { reverting: false, done, total } = entry.state {
            let version = &entry.version;
            let lane = entry.lane().unwrap_or(Lane::Automatic);
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
    if entry.row.is_some_and(|row| row.absorbed) {
        let text = format!("migration {version} of `{name}` cannot be undone: it is part of the baseline");
        return Err(Error::new(Kind::Missing, text)
            .note("the ledger has one row for everything that was squashed")
            .note("nothing was undone")
            .help("write a new migration that takes it back"));
    }
    // Without a floor nothing would run a migration of the archive again.
    let file = entry.migration.or_else(|| files.archived.get(version).filter(|_| entry.squashed.is_some()));
    let Some(migration) = file else { return Err(without_file(repo, files, entry)) };
    if migration.down.is_none() {
        let error = Error::new(
            Kind::Missing,
            format!("migration {} of `{name}` cannot be undone: it has no down side", migration.shown()),
        )
        .note(migration.place())
        .note("nothing was undone");
        return Err(if entry.squashed.is_some() {
            error
                .note("it was squashed into the structure")
                .help("write a new migration that takes it back, or a down side into the archive")
        } else if migration.code.is_some() {
            error.help("give it one with `CodeMigration::down`, or write a new migration that takes it back")
        } else {
            error.help("write the down side, or a new migration that takes it back")
        });
    }
    Ok(())
}

/// Why a version without a file of a lane, and without one of the archive that counts, stays.
fn without_file(repo: &Repo, files: &FileSet, entry: &Entry<'_>) -> Error {
    let version = &entry.version;
    let undoable = |why: &str| {
        let text = format!("migration {version} of `{}` cannot be undone: {why}", repo.name);
        Error::new(Kind::Missing, text).note("nothing was undone")
    };
    if entry.squashed.is_some() {
        let squashes = files.floor.iter().flat_map(|floor| &floor.squashes);
        let has = |squash: &&Squashed| {
            squash.migrations.iter().any(|squashed| files.version_of(&squashed.version) == *version)
        };
        let release = squashes.rev().find(has).map(Squashed::shown).unwrap_or_default();
        let mut error = undoable("it was squashed into the structure, and its file is not in the archive");
        for problem in &files.archive_problems {
            error = error.note(format!("of the archive: {problem}"));
        }
        return error.help(format!("check out {release} and roll back there, or put its file back"));
    }
    if entry.is_code() {
        return undoable("it is code of the application, which this program does not have")
            .help("roll it back with the application's own release program");
    }
    let error = undoable(&format!("its file is not in {}", repo.place()));
    match files.archived.get(version) {
        Some(archived) => error
            .note(format!("it was squashed into the structure; its file is `{}`", archived.up.path.display()))
            .note("no squash floor names it: nothing would run it again"),
        None => error.help("check out the branch that has it"),
    }
}

fn refuse_needed(repo: &Repo, files: &FileSet, found: &Assessment<'_>, going: &[Version]) -> Result<()> {
    for entry in found.entries.iter().filter(|entry| entry.is_recorded() && !going.contains(&entry.version)) {
        let Some(migration) = files.known(&entry.version) else { continue };
        let needed = migration.requires.iter().filter_map(|wanted| files.parse_version(&wanted.version));
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
