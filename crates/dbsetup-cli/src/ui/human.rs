//! Events as sentences. Pure: a terminal, a pipe and a log get the same words.

use std::time::Duration;

use dbsetup::event::{Direction, Event, What};

use super::duration::{seconds, shown};
use super::text::{block, count, line};

/// How much a sentence matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Only a bar shows it, or `-vv`.
    Detail,
    /// Only `-v` shows it.
    Aside,
    /// Work began: said where no bar shows it, and with `-v`.
    Start,
    /// Success: `--quiet` drops it.
    Success,
    /// Why there was nothing to do: dropped where a whole run is to be quiet.
    Skip,
    /// Why something was not done, or takes its time: never dropped.
    Reason,
    /// Deserves a look: never dropped.
    Warning,
}

/// A sentence about one repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// How much it matters.
    pub weight: Weight,
    /// The sentence. It names the repo where `named`.
    pub text: String,
    /// Whether the repo's name is in it.
    pub named: bool,
    /// What to do about it.
    pub help: Option<String>,
}

/// Returns the sentence of an event.
pub fn sentence(event: &Event) -> Sentence {
    use Weight::{Aside, Detail, Reason, Skip, Start, Success, Warning};
    let repo = &event.repo;
    let named = |weight, text: String| Sentence { weight, text, named: true, help: None };
    let bare = |weight, text: String| Sentence { weight, text, named: false, help: None };
    match &event.what {
        What::Created { target, .. } => {
            named(Success, format!("The database for {repo} has been created ({})", line(target)))
        }
        What::Cloned { target, took, .. } => named(
            Success,
            format!(
                "The database for {repo} has been created from a template in {} ({})",
                shown(*took),
                line(target)
            ),
        ),
        What::TemplateKept { took, .. } => {
            named(Success, format!("A template of the database for {repo} has been kept in {}", shown(*took)))
        }
        What::TemplateThere { .. } => {
            named(Success, format!("A template of the database for {repo} is there already"))
        }
        What::TemplatesRemoved { count: number } => {
            let verb = if *number == 1 { "was" } else { "were" };
            named(Success, format!("{} for {repo} {verb} removed", count(*number, "template")))
        }
        What::TemplateRefused { reason } => {
            named(Aside, format!("No template was used for {repo}: {}", line(reason)))
        }
        What::TemplateNotKept { reason } => {
            named(Aside, format!("No template of the database for {repo} was kept: {}", line(reason)))
        }
        What::TemplateSkipped { reason } => {
            named(Reason, format!("No template of the database for {repo} was made: {}", line(reason)))
        }
        What::AlreadyCreated { target } => {
            named(Success, format!("The database for {repo} has already been created ({})", line(target)))
        }
        What::Dropped { target, sessions, .. } => {
            let ended = match sessions {
                0 => String::new(),
                sessions => format!("; {} ended for it", count_past(*sessions, "session")),
            };
            named(Success, format!("The database for {repo} has been dropped ({}){ended}", line(target)))
        }
        What::AlreadyDropped { target } => {
            named(Success, format!("There is no database for {repo} ({})", line(target)))
        }
        What::Reachable { target, took } => {
            named(Success, format!("The server for {repo} answers ({}) after {}", line(target), shown(*took)))
        }
        What::Unreachable { target, waited, why } => named(
            Reason,
            format!("Waiting for the server for {repo} ({}){}: {}", line(target), so_far(*waited), line(why)),
        ),
        What::LockWaiting { holder, waited } => {
            let holder = holder.as_deref().map_or_else(|| "another run".into(), line);
            named(Reason, format!("Waiting for the lock of {repo}{}: held by {holder}", so_far(*waited)))
        }
        What::LoadStarted { path, bytes } => named(
            Start,
            format!(
                "Loading the structure for {repo} from {} ({})",
                line(&path.display().to_string()),
                size(*bytes)
            ),
        ),
        What::LoadProgress { bytes } => {
            named(Detail, format!("{} of the structure for {repo} sent", size(*bytes)))
        }
        What::Loaded { path, took, .. } => named(
            Success,
            format!(
                "The structure for {repo} has been loaded from {} in {}",
                line(&path.display().to_string()),
                shown(*took)
            ),
        ),
        What::LoadSkipped { reason } => {
            named(Skip, format!("The structure for {repo} was not loaded: {}", line(reason)))
        }
        What::Dumped { path, changed, took } => {
            let path = path.display().to_string();
            let (path, took) = (line(&path), shown(*took));
            named(
                Success,
                if *changed {
                    format!("The structure for {repo} has been dumped to {path} in {took}")
                } else {
                    format!("The structure for {repo} in {path} is up to date")
                },
            )
        }
        What::FiltersKept { path, filters } => {
            let (path, filters) = (path.display().to_string(), filters.join(", "));
            named(
                Success,
                format!("The structure for {repo} keeps the filters of {}: {}", line(&path), line(&filters)),
            )
        }
        What::Verified { facts, unread, took } => {
            let (facts, took) = (count(*facts, "fact"), shown(*took));
            let verified = format!(
                "The structure for {repo} has been verified: a database made of it has the same {facts}"
            );
            let text = if unread.is_empty() {
                format!("{verified} ({took})")
            } else {
                format!(
                    "{verified} ({took}; not compared, because the role may not read it: {})",
                    unread.join(", ")
                )
            };
            named(Success, text)
        }
        What::BehindFloor { count: number, path } => {
            let (number, path) = (count(*number, "migration"), path.display().to_string());
            let runs = if number.starts_with("1 ") { "runs" } else { "run" };
            named(
                Reason,
                format!("{repo} is behind the squash floor: {number} {runs} from {} first", line(&path)),
            )
        }
        What::Squashed { migrations, stay, structure, floor, archive, baseline, took } => {
            let (structure, floor) = (structure.display().to_string(), floor.display().to_string());
            let archive = archive.display().to_string();
            let baseline = baseline.as_ref().map(|path| path.display().to_string());
            let baseline = baseline.map_or_else(String::new, |path| format!("{}, ", line(&path)));
            let stay = match stay {
                0 => String::new(),
                1 => ", 1 stays".to_owned(),
                stay => format!(", {stay} stay"),
            };
            named(
                Success,
                format!(
                    "The structure for {repo} has been squashed: {} moved to {}{stay}, in {}\n   now commit {}, {baseline}{} and \
                     the moved files together",
                    count(*migrations, "migration"),
                    line(&archive),
                    shown(*took),
                    line(&structure),
                    line(&floor)
                ),
            )
        }
        What::SquashGivenUp { newest } => named(
            Reason,
            format!(
                "The interrupted squash of {repo} up to {} has been given up: its files are where they were",
                line(newest)
            ),
        ),
        What::SquashFinished { newest } => named(
            Reason,
            format!(
                "The interrupted squash of {repo} up to {} has been finished: commit its files",
                line(newest)
            ),
        ),
        What::LedgerRewritten { rows, version } => named(
            Reason,
            format!(
                "The ledger of {repo} has been rewritten: {} became the baseline {}",
                count(*rows, "row"),
                line(version)
            ),
        ),
        What::NothingToSquash { applied } => {
            named(Success, format!("There is nothing to squash for {repo} ({applied} applied)"))
        }
        What::MigrationsPlanned { direction, count: number } => {
            let verb = if *direction == Direction::Up { "run" } else { "undo" };
            named(Detail, format!("{} to {verb} for {repo}", count(*number, "migration")))
        }
        What::MigrationStarted { direction, version, name, .. } => {
            let verb = if *direction == Direction::Up { "Running" } else { "Undoing" };
            bare(Start, format!("== {verb} {}", migration(version, name)))
        }
        What::StatementDone { version, done, total } => {
            bare(Detail, format!("   {}: statement {done} of {total} is done", line(version)))
        }
        What::Migrated { direction, version, name, took, .. } => {
            let verb = if *direction == Direction::Up { "Migrated" } else { "Rolled back" };
            bare(Success, format!("== {verb} {} in {}", migration(version, name), seconds(*took)))
        }
        What::AppliedByOther { version, name } => {
            bare(Success, format!("== {} has been applied by another run", migration(version, name)))
        }
        What::NothingToMigrate { direction, applied } => {
            let way = if *direction == Direction::Up { "up" } else { "down" };
            named(Success, format!("Migrations for {repo} are already {way} ({applied} applied)"))
        }
        What::Seeded { path, took } => named(
            Success,
            format!("{repo} has been seeded from {} in {}", line(&path.display().to_string()), shown(*took)),
        ),
        What::SeedSkipped { reason } => named(Skip, format!("{repo} was not seeded: {}", line(reason))),
        What::SeedCommandDone { command, took } => {
            named(Success, format!("{repo} has been seeded by `{}` in {}", line(command), shown(*took)))
        }
        What::FileRun { path, statements, took } => {
            let statements = count(usize::try_from(*statements).unwrap_or(usize::MAX), "statement");
            let path = path.display().to_string();
            named(
                Success,
                format!("{} has been run for {repo}: {statements} in {}", line(&path), shown(*took)),
            )
        }
        What::Statement { sql } => bare(Reason, block(sql.trim_end()).into_owned()),
        What::Resolved { version, change } => bare(Success, format!("{} {}", line(version), line(change))),
        What::EnvironmentRecorded { environment } => named(
            Success,
            format!("The database for {repo} belongs to the environment {} now", line(environment)),
        ),
        What::RepoRecorded { before } => {
            named(Success, format!("The database of {} belongs to {repo} now", line(before)))
        }
        What::Retry { why, attempt } => named(Reason, format!("{repo}: {}; attempt {attempt}", line(why))),
        What::Notice { text } => bare(Aside, format!("   the server says: {}", line(text))),
        What::Warning { text, help } => {
            let help = help.as_deref().map(|help| block(help).into_owned());
            Sentence { help, ..bare(Warning, block(text).into_owned()) }
        }
        other => bare(Detail, format!("{other:?}")),
    }
}

/// Returns `, 5.0 s so far`; nothing at the start.
fn so_far(waited: Duration) -> String {
    if waited < Duration::from_secs(1) { String::new() } else { format!(", {} so far", shown(waited)) }
}

/// Returns `20201001160835 update_users`.
fn migration(version: &str, name: &str) -> String {
    if name.is_empty() { line(version).into_owned() } else { format!("{} {}", line(version), line(name)) }
}

fn count_past(number: usize, noun: &str) -> String {
    format!("{} {}", count(number, noun), if number == 1 { "was" } else { "were" })
}

/// Returns `312 bytes`, `3.2 KB`, `1.0 MB`.
pub fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => count(usize::try_from(bytes).unwrap_or_default(), "byte"),
        1_000..1_000_000 => format!("{:.1} KB", bytes as f64 / 1e3),
        _ => format!("{:.1} MB", bytes as f64 / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::repo::{Lane, RepoName};

    fn said(what: What) -> (Weight, String) {
        let sentence = sentence(&Event { repo: RepoName::new("core"), what });
        (sentence.weight, sentence.text)
    }

    #[test]
    fn sentences_follow_ectos_words() {
        assert_eq!(
            said(What::Created { target: "sqlite:core_dev.db".into(), took: Duration::ZERO }).1,
            "The database for core has been created (sqlite:core_dev.db)"
        );
        let loaded = What::Loaded {
            path: "priv/core/structure.sql".into(),
            statements: 9,
            took: Duration::from_millis(38),
        };
        assert_eq!(
            said(loaded).1,
            "The structure for core has been loaded from priv/core/structure.sql in 38 ms"
        );
        let migrated = What::Migrated {
            direction: Direction::Up,
            lane: Lane::Automatic,
            version: "20201001160835".into(),
            name: "update_users".into(),
            took: Duration::from_millis(140),
        };
        assert_eq!(said(migrated).1, "== Migrated 20201001160835 update_users in 0.1s");
    }

    #[test]
    fn a_database_behind_the_floor_is_told_what_runs_first() {
        let told = |count| said(What::BehindFloor { count, path: "priv/core/dumped_migrations".into() }).1;
        assert_eq!(
            told(3),
            "core is behind the squash floor: 3 migrations run from priv/core/dumped_migrations first"
        );
        assert!(told(1).contains(": 1 migration runs from "), "{}", told(1));
    }

    #[test]
    fn reasons_are_no_successes() {
        assert_eq!(
            said(What::LoadSkipped { reason: "12 ledger rows are there already".into() }).0,
            Weight::Skip
        );
        assert_eq!(said(What::TemplateSkipped { reason: "`template = false`".into() }).0, Weight::Reason);
        assert_eq!(said(What::AlreadyCreated { target: "x".into() }).0, Weight::Success);
    }

    #[test]
    fn a_name_from_the_server_stays_on_its_line() {
        let what = What::Notice { text: "x\n== Migrated 1 evil".into() };
        assert_eq!(said(what).1, "   the server says: x\\n== Migrated 1 evil");
    }
}
