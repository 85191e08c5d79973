//! What ledger rows and files say before anything new is applied: what must be decided first, what deserves a word.

use super::super::assess::{Assessment, State, short};
use super::super::version::Version;
use super::Plan;
use crate::error::{Error, Kind, Result};
use crate::repo::Repo;

/// Refuses what must be decided before anything new is applied.
pub(super) fn refuse_unclear(repo: &Repo, found: &Assessment<'_>) -> Result<()> {
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
        let help = remedies(repo, found, version);
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
                .help(match entry.lane() {
                    // The newest application may be in the other lane, and is not what was interrupted.
                    Some(lane) => format!(
                        "finish it: {}, or keep it: {}",
                        repo.command(&format!("rollback --lane {lane}")),
                        repo.command(&format!("resolve {version} --applied"))
                    ),
                    None => format!(
                        "check out the branch that has its file, and finish it: {}",
                        repo.command("rollback")
                    ),
                }));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns what can be done about a file that was changed after it was applied, what costs nothing first, and what costs
/// rows last: those for databases alone that may be dropped.
fn remedies(repo: &Repo, found: &Assessment<'_>, version: &Version) -> String {
    let mut help = format!(
        "put the old text back, and write a new migration for the change; or accept the new text, which is not run: {}",
        repo.command(&format!("resolve {version} --accept-checksum"))
    );
    if !repo.disposable {
        return help;
    }
    // Everything that was applied after it goes with it.
    let from = found.applied.iter().position(|applied| applied == version);
    let undone = &found.applied[from.unwrap_or(found.applied.len())..];
    let has_way_back = |version: &Version| {
        let migration = found.find(version).and_then(|entry| entry.migration);
        migration.is_some_and(|migration| migration.down.is_some())
    };
    match undone {
        [only] if has_way_back(only) => {
            help += &format!("; or undo it with its data and apply it again: {}", repo.command("redo"));
        }
        [_, _, ..] if undone.iter().all(has_way_back) => {
            let redo = repo.command(&format!("redo --to {version}"));
            help += &format!(
                "; or undo it and everything that was applied after it, data too, and apply them again: {redo}"
            );
        }
        _ => {}
    }
    help + &format!("; or make the database anew: {}", repo.command("reset"))
}

/// Says what deserves a look and stops nothing.
pub(super) fn warn_of_rows(repo: &Repo, found: &Assessment<'_>, plan: &mut Plan) {
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
            format!("`{name}` has applied {} whose file is not in {}", missing.join(", "), repo.place()),
            Some(if repo.files.is_embedded() {
                format!("the database may be ahead of this release; {} lists them", repo.command("status"))
            } else {
                format!("the database may be ahead of this branch; {} lists them", repo.command("status"))
            }),
        ));
    }
}
