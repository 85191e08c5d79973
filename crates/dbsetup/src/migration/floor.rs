//! How a database stands to the squash floor: what of the squashed migrations it lacks, and where their files are. Pure.

use std::collections::BTreeMap;

use super::assess::{Assessment, differs_in_line_ends_only, recorded_checksum};
use super::plan::{Plan, Scope, Target};
use super::set::FileSet;
use super::version::Version;
use crate::driver::LedgerState;
use crate::error::{Error, Kind, Result};
use crate::ledger::{AppliedRow, LedgerKind, LedgerTable};
use crate::repo::{LedgerSetting, Repo};
use crate::structure::floor::{self, Floor, FloorEntry};

/// How many versions a message names.
const SHOWN: usize = 5;

/// Whether a database has what the structure was squashed from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing was squashed, or everything that was is recorded, or waits in a lane like any other migration.
    #[default]
    Reached,
    /// These are not recorded, and their files are in the archive: they run before anything newer. Sorted by version.
    Behind(Vec<Version>),
    /// Some that are not recorded have no file anywhere.
    Below {
        /// Those with a file in the archive, sorted by version.
        here: Vec<Version>,
        /// Those without a file, sorted by version.
        gone: Vec<Version>,
        /// The squashes that took them away, oldest first: what to check out, and how many of them it has.
        through: Vec<(String, usize)>,
    },
}

/// The verdict on a database, and what deserves a word.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The verdict.
    pub verdict: Verdict,
    /// Whether anything was squashed that the database could lack.
    pub is_known: bool,
    /// Versions that are recorded with another checksum than the one they were squashed with.
    pub changed: Vec<Version>,
    /// Versions that are to run from the archive, and whose files there are not what was squashed.
    pub edited: Vec<Version>,
}

impl Standing {
    /// Every squashed migration that the database lacks, but for those whose file is in a lane.
    pub fn lacking(&self) -> impl Iterator<Item = &Version> {
        let (here, gone): (&[Version], &[Version]) = match &self.verdict {
            Verdict::Reached => (&[], &[]),
            Verdict::Behind(here) => (here, &[]),
            Verdict::Below { here, gone, .. } => (here, gone),
        };
        here.iter().chain(gone)
    }

    /// The squashed migrations that are to run from the archive.
    pub fn behind(&self) -> &[Version] {
        match &self.verdict {
            Verdict::Behind(versions) => versions,
            _ => &[],
        }
    }
}

/// Judges a database by what its ledger says. `files` must be complete for it ([`FileSet::complete`]).
pub fn standing(
    files: &FileSet,
    ledger: &LedgerTable,
    setting: &LedgerSetting,
    state: &LedgerState,
) -> Standing {
    let Some(floor) = &files.floor else { return Standing::default() };
    let rows: BTreeMap<Version, &AppliedRow> =
        state.rows.iter().map(|row| (files.version_of(&row.version), row)).collect();
    let squashed = files.squashed();
    let lacks = |version: &Version| !rows.contains_key(version) && files.find(version).is_none();
    let (here, gone): (Vec<Version>, Vec<Version>) = squashed
        .keys()
        .filter(|version| lacks(version))
        .cloned()
        .partition(|version| files.archived.contains_key(version));
    let verdict = if !gone.is_empty() {
        let lost = |entry: &FloorEntry| gone.contains(&files.version_of(&entry.version));
        let squashes = floor
            .squashes
            .iter()
            .map(|squash| (squash.shown(), squash.migrations.iter().filter(|entry| lost(entry)).count()));
        let through = squashes.filter(|(_, count)| *count > 0).collect();
        Verdict::Below { here, gone, through }
    } else if here.is_empty() {
        Verdict::Reached
    } else {
        Verdict::Behind(here)
    };
    let mut standing = Standing { verdict, is_known: true, ..Standing::default() };
    if floor.ledger != Some(ledger.kind) {
        // Checksums of another ledger cannot be compared.
        return standing;
    }
    for (version, entry) in squashed {
        let Some(expected) = entry.checksum.as_deref() else { continue };
        if let Some(file) = files.archived.get(&version)
            && standing.behind().contains(&version)
            && file.checksum(ledger.kind, ledger.wide, setting) != expected
            && !differs_in_line_ends_only(file, expected, ledger.kind, ledger.wide, setting)
        {
            standing.edited.push(version);
            continue;
        }
        let Some(row) = rows.get(&version) else { continue };
        let Some(recorded) = recorded_checksum(row, ledger, state) else { continue };
        let is_twin = || {
            let archived = files.archived.get(&version);
            archived.is_some_and(|file| {
                differs_in_line_ends_only(file, recorded, ledger.kind, ledger.wide, setting)
            })
        };
        // A file that is back in its lane is compared there.
        if recorded != expected && files.find(&version).is_none() && !is_twin() {
            standing.changed.push(version);
        }
    }
    standing
}

/// Refuses a database that seems to lack almost everything because the row of a baseline in it is of another text: what
/// it seems to lack would be run again.
pub(super) fn refuse_other_baseline(
    repo: &Repo,
    files: &FileSet,
    found: &Assessment<'_>,
    ledger: LedgerKind,
) -> Result<()> {
    let Some(baseline) = files.floor.as_ref().and_then(Floor::baseline) else { return Ok(()) };
    let version = files.version_of(&baseline.version);
    let row = found.find(&version).and_then(|entry| entry.row).filter(|row| !row.absorbed);
    let checksum = row.and_then(|row| row.checksum.as_deref());
    let (Some(checksum), Some(_), LedgerKind::Sqlx) = (checksum, found.floor.lacking().next(), ledger) else {
        return Ok(());
    };
    let squashed = files.squashed();
    let known = squashed.get(&version).and_then(|entry| entry.checksum.as_deref());
    let original = files.archived.get(&version);
    let is_original = known.is_none_or(|known| known == checksum)
        || original
            .is_some_and(|file| differs_in_line_ends_only(file, checksum, ledger, false, &repo.ledger));
    if is_original {
        return Ok(());
    }
    let is_file =
        files.baseline.as_ref().is_some_and(|file| file.checksum(ledger, false, &repo.ledger) == checksum);
    let error = Error::new(
        Kind::Changed,
        format!("migration {version} of `{}` is applied with a text that nobody here knows", repo.name),
    )
    .note("it is neither that of the baseline migration nor that of the migration that was squashed")
    .note("nothing was run");
    Err(if is_file {
        error
            .note("the file of the baseline says the same, and is not what the squash wrote")
            .help("restore the file from version control, with its line ends: `*.sql text eol=lf` in .gitattributes")
    } else {
        error.help("the database may be of another branch: check out what it was made from")
    })
}

/// Refuses a database that lacks what nobody can run here.
pub(super) fn refuse_below(repo: &Repo, files: &FileSet, standing: &Standing, is_new: bool) -> Result<()> {
    let Verdict::Below { gone, through, .. } = &standing.verdict else { return Ok(()) };
    let name = &repo.name;
    let what = if gone.len() == 1 {
        "a squashed migration whose file is"
    } else {
        "squashed migrations whose files are"
    };
    let mut error = Error::new(
        Kind::BelowFloor,
        format!("the database of `{name}` is below the squash floor: it lacks {what} not here"),
    )
    .note(format!("it lacks {}", named(files, gone)))
    .note("nothing was run");
    for problem in files.archive_problems.iter().take(SHOWN) {
        error = error.note(format!("of the archive: {problem}"));
    }
    let can_load = is_new && repo.files.is_file(&repo.structure);
    let squashed = files.squashed();
    // A branch that was squashed or rebased when it was merged has taken its commits with it.
    if let Some(entry) = gone.first().filter(|_| !can_load).and_then(|version| squashed.get(version)) {
        error = error.note(format!(
            "where a commit that is named is not there any more, the files stood before the floor that lists them: {}",
            floor::before(repo, entry)
        ));
    }
    let releases: Vec<&str> = through.iter().map(|(shown, _)| shown.as_str()).collect();
    let pass = format!(
        "run {} of {}, then come back",
        repo.command("migrate --lane all"),
        releases.join(", then of ")
    );
    let help = if can_load {
        format!("load the structure instead: {}", repo.command("load"))
    } else {
        format!("{pass}; or put the files back into the archive")
    };
    Err(error.help(if is_new { help + &or_baseline(repo, files) } else { help }))
}

/// Refuses to run a file of the archive that is not what was squashed: other databases have run another text, and the
/// structure is made of that.
pub(super) fn refuse_edited(repo: &Repo, files: &FileSet, standing: &Standing) -> Result<()> {
    if standing.edited.is_empty() {
        return Ok(());
    }
    let error = Error::new(
        Kind::Changed,
        format!(
            "the database of `{}` lacks squashed migrations whose files were changed since: {}",
            repo.name,
            named(files, &standing.edited)
        ),
    );
    let paths = standing.edited.iter().filter_map(|version| files.archived.get(version)).take(SHOWN);
    let error = paths.fold(error, |error, file| error.note(format!("`{}`", file.up.path.display())));
    Err(error.note("nothing was run").help("restore the files from version control"))
}

/// Refuses a plan that would pass over squashed migrations: what is newer was made for a database that has them.
pub(super) fn refuse_gap(
    repo: &Repo,
    files: &FileSet,
    standing: &Standing,
    scope: &Scope,
    within: impl Fn(&Version) -> bool,
    plan: &Plan,
) -> Result<()> {
    let behind = standing.behind();
    let left: Vec<Version> = behind
        .iter()
        .filter(|version| within(version))
        .filter(|version| !plan.versions.contains(version))
        .cloned()
        .collect();
    let steps = if let Target::Steps(steps) = scope.target { steps } else { usize::MAX };
    // Code that is older than what is left has its place among what was squashed.
    let is_between = |version: &Version| {
        left.first().is_some_and(|first| version < first)
            && files.find(version).is_some_and(|migration| migration.code.is_some())
    };
    let goes_past = plan.versions.len() < steps
        || plan.versions.iter().any(|version| !behind.contains(version) && !is_between(version));
    if left.is_empty() || !goes_past {
        return Ok(());
    }
    let error = Error::new(
        Kind::Refused,
        format!(
            "the database of `{}` is behind the squash floor, and this run leaves out what it lacks",
            repo.name
        ),
    )
    .note(format!("it lacks {}", named(files, &left)))
    .note("nothing was run");
    let code = plan.blocked.iter().find(|(version, by)| by.is_code && left.contains(version));
    if let Some((version, by)) = code {
        return Err(error
            .note(format!("migration {version} waits for {}, which is code of the application", by.version))
            .help("run it with the application: its own start, or its release program"));
    }
    Err(error.help(format!(
        "run both lanes: {}{}",
        repo.command("migrate --lane all"),
        if plan.applied == 0 { or_baseline(repo, files) } else { String::new() }
    )))
}

/// The way out of a database that nothing is recorded in and that was made by other means.
fn or_baseline(repo: &Repo, files: &FileSet) -> String {
    let newest = files.squashed().into_keys().next_back();
    newest.map_or_else(String::new, |newest| {
        let command = repo.command(&format!("resolve --applied --to {newest}"));
        format!("; or, if it was made by other means and has all of this, record it: {command}")
    })
}

/// Says which squashed migrations were recorded with other texts.
pub(super) fn warn_of_changed(repo: &Repo, files: &FileSet, standing: &Standing, plan: &mut Plan) {
    let Some(first) = standing.changed.first() else { return };
    plan.warnings.push((
        format!(
            "`{}` has applied {} with another text than the one that was squashed",
            repo.name,
            named(files, &standing.changed)
        ),
        Some(format!(
            "compare its structure with the file; if they agree, accept it: {}",
            repo.command(&format!("resolve {first} --accept-checksum"))
        )),
    ));
}

/// Names a few versions, and counts the rest.
pub(super) fn named(files: &FileSet, versions: &[Version]) -> String {
    let squashed = files.squashed();
    let one = |version: &Version| match squashed.get(version).map(|entry| entry.name.as_str()) {
        None | Some("") => version.to_string(),
        Some(name) => format!("{version} {name}"),
    };
    let mut shown: Vec<String> = versions.iter().take(SHOWN).map(one).collect();
    if versions.len() > SHOWN {
        shown.push(format!("and {} more", versions.len() - SHOWN));
    }
    shown.join(", ")
}

#[cfg(test)]
mod tests;
