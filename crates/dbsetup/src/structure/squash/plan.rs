//! What a squash takes away, or why it must not. Pure: it sees files and ledger rows.

use super::layout::{self, Move};
use crate::driver::LedgerState;
use crate::error::{Error, Kind, Result};
use crate::ledger::LedgerTable;
use crate::migration::assess::{Assessment, Entry, State, assess};
use crate::migration::{FileSet, Migration, Version};
use crate::repo::Repo;
use crate::structure::floor::{Floor, FloorEntry, Squashed};

/// How many versions a refusal names of each cause.
const SHOWN: usize = 8;

/// What a plan is made of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Facts<'a> {
    pub repo: &'a Repo,
    pub files: &'a FileSet,
    pub ledger: &'a LedgerTable,
    pub state: &'a LedgerState,
    /// The versions that the structure file records.
    pub recorded: &'a [String],
}

/// What a person can check out to find the files where they ran.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reference {
    /// A tag.
    pub release: Option<String>,
    /// A commit.
    pub commit: Option<String>,
    /// The commit of the default branch that it stands on, where it is another one.
    pub base: Option<String>,
}

/// What a squash does to the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What is squashed now, sorted by version.
    pub taken: Vec<FloorEntry>,
    /// The newest version of it.
    pub newest: Version,
    /// Whether migrations stay in the lanes.
    pub partial: bool,
    /// The floor from now on.
    pub floor: Floor,
    /// What moves, in order.
    pub moves: Vec<Move>,
}

/// Why a version stands in the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cause {
    Pending,
    Changed,
    Interrupted,
    Failed,
    Unknown,
    BelowFloor,
}

/// Decides. `to` is the newest version to squash, as a person wrote it. `None` where nothing is there to be squashed.
///
/// # Errors
/// [`Kind::Refused`] naming every version that stands in the way and what to do about it; [`Kind::Missing`] for a `to`
/// that is no version.
pub(super) fn plan(facts: Facts<'_>, to: Option<&str>, reference: &Reference) -> Result<Option<Plan>> {
    let Facts { repo, files, ledger, state, .. } = facts;
    let found = assess(files, ledger, &repo.ledger, state);
    let to = to.map(|text| target(files, text)).transpose()?;
    let is_taken = |version: &Version| to.as_ref().is_none_or(|to| version <= to);
    let taken: Vec<&Migration> =
        files.migrations.iter().filter(|migration| is_taken(&migration.version)).collect();
    let Some(last) = taken.last().map(|migration| migration.version.clone()) else { return Ok(None) };
    // What was squashed before stays in the structure, however old the files are that are squashed now: a file that came
    // back into its lane, a branch that was merged late.
    let squashed = files.squashed();
    let newest = squashed.last_key_value().map_or(last.clone(), |(version, _)| last.max(version.clone()));
    refuse_unready(facts, &found, &newest)?;
    refuse_needs(files, &taken, &newest)?;
    refuse_between(files, &taken, &newest)?;
    let is_new = |migration: &&&Migration| !squashed.contains_key(&migration.version);
    let entries: Vec<FloorEntry> = taken.iter().map(|migration| entry(facts, migration)).collect();
    let migrations: Vec<FloorEntry> =
        taken.iter().filter(is_new).map(|migration| entry(facts, migration)).collect();
    let mut floor = in_the_ledgers_kind(facts);
    if !migrations.is_empty() {
        floor.squashes.push(Squashed {
            release: reference.release.clone(),
            commit: reference.commit.clone(),
            base: reference.base.clone(),
            migrations,
            baseline: None,
        });
    }
    let partial = taken.len() < files.migrations.len();
    Ok(Some(Plan { taken: entries, newest, partial, floor, moves: layout::moves(repo, &taken)? }))
}

/// Returns the version that `--to` names.
fn target(files: &FileSet, text: &str) -> Result<Version> {
    let version = files.parse_version(text);
    let squashed = files.squashed();
    let known = version.filter(|version| files.find(version).is_some() || squashed.contains_key(version));
    known.ok_or_else(|| {
        let error = Error::new(Kind::Missing, format!("there is no migration with version `{text}`"));
        let newest: Vec<&str> =
            files.migrations.iter().rev().take(3).rev().map(|migration| migration.version.as_str()).collect();
        match newest[..] {
            [] => error,
            _ => error.note(format!("the newest versions are {}", newest.join(", "))),
        }
    })
}

fn entry(facts: Facts<'_>, migration: &Migration) -> FloorEntry {
    FloorEntry {
        lane: migration.lane,
        version: migration.version.as_str().to_owned(),
        checksum: Some(migration.checksum(facts.ledger.kind, facts.ledger.wide, &facts.repo.ledger)),
        // A line of the floor is a line.
        name: migration.name.replace(char::is_control, " ").trim().to_owned(),
    }
}

/// Returns the floor so far with checksums as the present ledger keeps them: a project may have changed its ledger.
fn in_the_ledgers_kind(facts: Facts<'_>) -> Floor {
    let mut floor = facts.files.floor.clone().unwrap_or_default();
    let is_other = floor.ledger.is_some_and(|kind| kind != facts.ledger.kind);
    for entry in floor.squashes.iter_mut().flat_map(|squash| &mut squash.migrations) {
        if is_other || entry.checksum.is_none() {
            let version = facts.files.parse_version(&entry.version);
            let archived = version.and_then(|version| facts.files.archived.get(&version));
            entry.checksum = archived.and_then(|archived| self::entry(facts, archived).checksum);
        }
    }
    floor.ledger = Some(facts.ledger.kind);
    floor
}

/// A migration that stays and is older than one that was squashed would run on top of what came after it.
fn refuse_between(files: &FileSet, taken: &[&Migration], newest: &Version) -> Result<()> {
    let stays = files.migrations.get(taken.len()..).unwrap_or_default();
    let Some(between) = stays.iter().rfind(|migration| migration.version < *newest) else { return Ok(()) };
    Err(Error::new(
        Kind::Refused,
        format!("migration {} would stay, and {newest} was squashed before it", between.shown()),
    )
    .note("nothing has been squashed")
    .help(format!("squash it, too: `--to {}`", between.version)))
}

/// A version that is squashed and needs one that stays would never find it applied.
fn refuse_needs(files: &FileSet, taken: &[&Migration], newest: &Version) -> Result<()> {
    for migration in taken {
        for wanted in &migration.requires {
            let stays = files
                .parse_version(&wanted.version)
                .filter(|version| version > newest && files.find(version).is_some());
            if let Some(version) = stays {
                let message = format!(
                    "migration {} requires {version}, which would not be squashed",
                    migration.shown()
                );
                return Err(Error::new(Kind::Refused, message).help(format!(
                    "squash both: `--to {version}`, or up to a version before {}",
                    migration.version
                )));
            }
        }
    }
    Ok(())
}

/// Refuses a database that is not what its files say: what cannot be told from it must not be written down for good.
fn refuse_unready(facts: Facts<'_>, found: &Assessment<'_>, newest: &Version) -> Result<()> {
    let Facts { repo, files, recorded, .. } = facts;
    let recorded: Vec<Version> = recorded.iter().filter_map(|text| files.parse_version(text)).collect();
    let mut causes: Vec<(Cause, String)> = Vec::new();
    // What is pending may stay pending where it is newer than all that is applied: the rest can be replayed without it.
    let applied = found.entries.iter().rev().find(|entry| entry.is_recorded()).map(|entry| &entry.version);
    let newest = applied.max(Some(newest)).unwrap_or(newest);
    for entry in &found.entries {
        if let Some(cause) = cause(entry, newest, &recorded) {
            causes.push((cause, shown(entry)));
        }
    }
    if causes.is_empty() {
        return Ok(());
    }
    causes.sort();
    Err(refusal(repo, &causes, before_the_first_open(found, newest)))
}

/// Returns why an entry stands in the way; `newest` is the newest version that has to be applied.
fn cause(entry: &Entry<'_>, newest: &Version, recorded: &[Version]) -> Option<Cause> {
    match &entry.state {
        State::Applied | State::LineEndings => None,
        State::FileMissing { archived: true } => None,
        // It was squashed before there were floors, and its file was not kept.
        State::FileMissing { archived: false } if recorded.contains(&entry.version) => None,
        State::FileMissing { archived: false } => Some(Cause::Unknown),
        State::Changed { .. } => Some(Cause::Changed),
        State::Interrupted { .. } => Some(Cause::Interrupted),
        State::Failed => Some(Cause::Failed),
        State::BelowFloor => Some(Cause::BelowFloor),
        State::Pending | State::Blocked { .. } => (entry.version <= *newest).then_some(Cause::Pending),
    }
}

fn shown(entry: &Entry<'_>) -> String {
    let lane = entry.lane().map(|lane| format!(" ({lane})"));
    let name = entry.name();
    let blank = if name.is_empty() { "" } else { " " };
    format!("{}{blank}{name}{}", entry.version, lane.unwrap_or_default())
}

/// Returns the version up to which everything is applied, where only what is newer is pending.
fn before_the_first_open(found: &Assessment<'_>, newest: &Version) -> Option<Version> {
    let is_open = |entry: &&Entry<'_>| matches!(entry.state, State::Pending | State::Blocked { .. });
    let first = found.entries.iter().find(is_open)?.version.clone();
    let applied =
        found.entries.iter().rev().find(|entry| entry.migration.is_some() && entry.version < first)?;
    let is_last = found.entries.iter().filter(|entry| entry.version > first && entry.version <= *newest);
    is_last.clone().all(|entry| is_open(&entry)).then(|| applied.version.clone())
}

fn refusal(repo: &Repo, causes: &[(Cause, String)], before: Option<Version>) -> Error {
    let (mut counted, mut notes, mut help) = (Vec::new(), Vec::new(), Vec::new());
    for group in causes.chunk_by(|one, other| one.0 == other.0) {
        let cause = group[0].0;
        let number = group.len();
        let noun = if number == 1 { "migration" } else { "migrations" };
        let is = if number == 1 { "is" } else { "are" };
        let (what, word, remedy) = match cause {
            Cause::Pending => {
                let mut remedy = format!("run what is pending: {}", repo.command("migrate --lane all"));
                if let Some(before) = &before {
                    remedy += &format!(", or leave it out: `--to {before}`");
                }
                (format!("{is} pending"), "pending", remedy)
            }
            Cause::Changed => (
                if number == 1 {
                    "was changed after it was applied"
                } else {
                    "were changed after they were applied"
                }
                .to_owned(),
                "changed",
                format!(
                    "give a changed file its text back (`git log -p FILE`), or accept it as it is: {}",
                    repo.command("resolve VERSION --accept-checksum")
                ),
            ),
            Cause::Interrupted => (
                format!("{is} half done"),
                "half done",
                format!("finish what is half done: {}", repo.command("migrate --lane all")),
            ),
            Cause::Failed => (
                "failed".to_owned(),
                "failed",
                format!("mend what failed, and run it: {}", repo.command("migrate --lane all")),
            ),
            Cause::Unknown => (
                format!("{is} applied without a file in this checkout"),
                "no file",
                "check out the branch that has the file and roll it back there, or merge that branch"
                    .to_owned(),
            ),
            Cause::BelowFloor => (
                format!("{is} squashed already and not applied here"),
                "not applied here",
                match repo.disposable {
                    true => format!("make the database anew: {}", repo.command("reset")),
                    false => format!("run it: {}", repo.command("migrate --lane all")),
                },
            ),
        };
        counted.push(format!("{number} {noun} {what}"));
        for (_, version) in group.iter().take(SHOWN) {
            notes.push(format!("{word}: {version}"));
        }
        if number > SHOWN {
            notes.push(format!("{word}: and {} more", number - SHOWN));
        }
        if !help.contains(&remedy) {
            help.push(remedy);
        }
    }
    let message = format!("`{}` cannot be squashed: {}", repo.name, counted.join(", "));
    let error = notes.into_iter().fold(Error::new(Kind::Refused, message), Error::note);
    error.help(help.join("; "))
}

#[cfg(test)]
mod tests;
