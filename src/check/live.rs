//! The database of the URL: how its migrations stand, and whether its schema is what they make.

use dbsetup::Result;
use dbsetup::migration::{FileSet, State, Status, StatusRow, status};
use dbsetup::repo::Repo;
use dbsetup::session::Session;
use dbsetup::structure::convergence::{applied_in, built, drift};
use dbsetup::structure::floor::{Floor, Squashed, before};
use dbsetup::structure::recorded_by;

use super::code::Code;
use super::finding::{Finding, Report, Severity};
use super::objects;
use super::scratch::{Side, Wishes};

/// How the database is called.
const LIVE: &str = "the database";
/// What was not compared where there is nothing to compare with.
const DRIFT: &str = "schema of the database";

/// Looks at the database.
///
/// # Errors
/// Those of the database.
pub async fn check(
    session: &mut Session<'_>,
    files: &FileSet,
    made: Option<&Side>,
    wishes: &Wishes<'_>,
    report: &mut Report,
) -> Result<()> {
    let repo = session.repo();
    let found = status(session).await?;
    if !found.exists {
        let target = session.server().target().shown.clone();
        let finding =
            Finding::new(Code::LiveMissing, format!("the database of `{}` does not exist", repo.name))
                .about(&target)
                .note(format!("`--live` looks at {target}"))
                .help(format!("make it: {}; or leave `--live` away", repo.command("setup")));
        report.take("migrations of the database", [finding]);
        return Ok(());
    }
    report.take("migrations of the database", standing(repo, &found, wishes));
    if found.half_loaded {
        report.skip(DRIFT, "the structure was loaded half way", None);
        return Ok(());
    }
    compared(session, files, made, wishes.trusted, report).await
}

/// Returns what is not as it should be with the migrations.
fn standing(repo: &Repo, status: &Status, wishes: &Wishes<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if status.half_loaded {
        found.push(
            Finding::new(Code::HalfLoaded, format!("the structure of `{}` was loaded half way", repo.name))
                .help(format!("load it again: {}", repo.command("load --force"))),
        );
    }
    found.extend(status.rows.iter().filter_map(|row| of_row(repo, row, wishes)));
    found
}

fn of_row(repo: &Repo, row: &StatusRow, wishes: &Wishes<'_>) -> Option<Finding> {
    let named = format!("{} {}", row.version, row.name);
    let named = named.trim_end();
    let is_asked_for = row.lane.is_none_or(|lane| wishes.lanes.include(lane));
    let severity = if is_asked_for { Severity::Fail } else { Severity::Info };
    let lane = row.lane.map_or("", |lane| lane.as_str());
    let migrate = |lane: &str| match lane {
        "manual" => repo.command("migrate --lane manual"),
        _ => repo.command("migrate"),
    };
    let finding = match &row.state {
        State::Applied | State::LineEndings | State::FileMissing { archived: true } => return None,
        State::Pending => Finding::new(Code::Pending, format!("migration {named} ({lane}) is pending"))
            .severity(severity)
            .help(format!("run it: {}", migrate(lane))),
        State::Blocked { by } => {
            Finding::new(Code::Blocked, format!("migration {named} ({lane}) waits for {by}"))
                .severity(severity)
                .help(match by.is_code {
                    true => format!("run {} first, with the application: it is code of it", by.version),
                    false => format!("run {by} first: {}", repo.command("migrate --lane all")),
                })
        }
        State::Changed { recorded, now } => {
            let short = dbsetup::migration::assess::short;
            Finding::new(Code::LiveChanged, format!("migration {named} was changed after it was applied"))
                .note(format!("the database recorded {}, and the file is {}", short(recorded), short(now)))
                .help(format!(
                    "restore the file, and put the change into a new migration; or accept it: {}",
                    repo.command(&format!("resolve {} --accept-checksum", row.version))
                ))
        }
        State::FileMissing { archived: false } => Finding::new(
            Code::LiveFileMissing,
            format!("migration {named} is applied, and its file is nowhere"),
        )
        .help("check out the branch that it comes from, and roll it back there; or bring the file here"),
        State::Interrupted { done, total, .. } => Finding::new(
            Code::Interrupted,
            format!("migration {named} was interrupted after {done} of {total} statements"),
        )
        .help(format!("go on with it: {}", repo.command("migrate --lane all"))),
        State::BelowFloor => below(repo, named),
        State::Failed => Finding::new(Code::Interrupted, format!("migration {named} is recorded as failed"))
            .help(format!("look at it: {}", repo.command("status"))),
    };
    let finding = finding.about(&row.version);
    Some(match &row.path {
        Some(path) => finding.file(path),
        None => finding,
    })
}

/// Returns the finding of a squashed migration that nobody can run here.
fn below(repo: &Repo, named: &str) -> Finding {
    let floor = Floor::read(repo).ok().flatten().unwrap_or_default();
    let has = |squash: &&Squashed| {
        squash.migrations.iter().any(|entry| named.split(' ').next() == Some(entry.version.as_str()))
    };
    let through =
        floor.squashes.iter().find(has).map_or_else(|| Squashed::default().shown(), Squashed::shown);
    let finding = Finding::new(
        Code::BelowFloor,
        format!("the database lacks squashed migration {named}, whose file is nowhere"),
    )
    .help(format!("run {} of {through} first, then come back", repo.command("migrate --lane all")));
    let entry = floor.entries().find(|entry| named.split(' ').next() == Some(entry.version.as_str()));
    match entry {
        Some(entry) => finding.note(format!(
            "where that commit is not there any more, the file stood before the floor that lists it: {}",
            before(repo, entry)
        )),
        None => finding,
    }
}

/// Compares the schema with what the applied migrations make.
async fn compared(
    session: &mut Session<'_>,
    files: &FileSet,
    made: Option<&Side>,
    trusted: bool,
    report: &mut Report,
) -> Result<()> {
    let repo = session.repo();
    let Some(made) = made else {
        report.skip(DRIFT, "there is nothing to compare it with", None);
        return Ok(());
    };
    let rows = session.inspect().await?.state.rows;
    let recorded = if repo.structure.is_file() { recorded_by(repo)? } else { Vec::new() };
    let Some(applied) = applied_in(files, &recorded, &rows) else {
        let help = format!("run them first: {}", repo.command("migrate --lane all"));
        report.skip(DRIFT, "it lacks migrations that the structure holds", Some(help));
        return Ok(());
    };
    let is_complete = applied.migrations.len() == files.migrations.len();
    let other;
    let (outcome, name) = if is_complete {
        (&made.made.outcome, made.name)
    } else if !repo.structure.is_file() {
        report.skip(DRIFT, "migrations are pending, and there is no structure to begin with", None);
        return Ok(());
    } else {
        match built(session, &applied, trusted).await? {
            Ok(built) => match built.made {
                Ok(made) => {
                    other = made.outcome;
                    (&other, "the structure file with the migrations that it has applied")
                }
                Err(failed) => {
                    report.skip(DRIFT, failed.error.message().to_owned(), None);
                    return Ok(());
                }
            },
            Err(failed) => {
                report.skip(DRIFT, failed.error.message().to_owned(), None);
                return Ok(());
            }
        }
    };
    let differences = drift(session, outcome, &made.request).await?;
    report.take(DRIFT, objects::findings(repo, Code::Drift, &differences, (name, LIVE)));
    Ok(())
}
