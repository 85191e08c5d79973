//! What scratch databases tell: whether the structure loads, is what a dump of it says, and is what the migrations make.

use std::path::Path;

use dbsetup::driver::DumpRequest;
use dbsetup::error::Site;
use dbsetup::migration::{FileSet, Lanes};
use dbsetup::repo::Repo;
use dbsetup::session::Session;
use dbsetup::sql::Dialect;
use dbsetup::structure::convergence::{Built, Failed, Faith, Made, Stage, built, is_faithful, replayed};
use dbsetup::structure::replay::Plan;
use dbsetup::structure::{Base, Dump, compare, recorded_by};
use dbsetup::{Error, Kind, Result};

use super::code::Code;
use super::finding::{Finding, Report, Severity};
use super::objects;
use super::offline::Known;
use super::{archive, live, rows};
use crate::ui::{diff, text};

/// How the two sides are called.
pub const STRUCTURE: &str = "the structure file with its pending migrations";
/// The same, where nothing is pending.
pub const STRUCTURE_ALONE: &str = "the structure file";
/// The other side.
const REPLAY: &str = "the replay of all migrations";
/// How many lines of a difference are shown.
const LINES: usize = 30;

/// What is wanted besides.
#[derive(Debug, Clone, Copy)]
pub struct Wishes<'a> {
    /// The database of the URL, too.
    pub live: bool,
    /// The archive, too.
    pub archive: bool,
    /// Whether what a run before has found out counts.
    pub cache: bool,
    /// Whose pending migrations are findings.
    pub lanes: Lanes,
    /// Whether what reaches beyond a scratch database is run all the same.
    pub trusted: bool,
    /// Where cargo builds.
    pub target: &'a Path,
}

/// What was made of the files.
#[derive(Debug)]
pub struct Side {
    /// What the outcomes were read by.
    pub request: DumpRequest,
    /// What structure and pending migrations make, or, without a structure, the replay.
    pub made: Made,
    /// How that is called in messages.
    pub name: &'static str,
    /// Whether nothing was replayed beside it: the structure took the place of its migrations.
    pub stands_alone: bool,
}

/// Tries the files of a repo.
///
/// # Errors
/// What keeps them from being tried.
pub async fn check(
    session: &mut Session<'_>,
    known: &Known,
    wishes: &Wishes<'_>,
    report: &mut Report,
) -> Result<()> {
    let Some(files) = &known.files else {
        report.skip(
            "structure and migrations in scratch databases",
            "the migration files cannot be read",
            None,
        );
        return Ok(());
    };
    let made = if report.findings.iter().any(|finding| finding.code == Code::Conflict) {
        report.skip("structure and migrations in scratch databases", "a merge is unfinished", None);
        None
    } else {
        let made = made(session, known, files, wishes, report).await?;
        archive::check(session, files, made.as_ref(), wishes, report).await?;
        made
    };
    if wishes.live {
        live::check(session, files, made.as_ref(), wishes, report).await?;
    }
    Ok(())
}

/// Loads, dumps, migrates, replays and compares. Returns what came of it, where something did.
async fn made(
    session: &mut Session<'_>,
    known: &Known,
    files: &FileSet,
    wishes: &Wishes<'_>,
    report: &mut Report,
) -> Result<Option<Side>> {
    let repo = session.repo();
    if known.structure.is_none() && repo.structure.is_file() {
        report.skip(
            "structure and migrations in scratch databases",
            "the structure file cannot be used",
            None,
        );
        return Ok(None);
    }
    let dialect = session.server().dialect();
    if !stays(repo, dialect, &Plan::after_structure(files.clone()), wishes, report) {
        return Ok(None);
    }
    let name = if is_current(repo, files) { STRUCTURE_ALONE } else { STRUCTURE };
    let mut request = DumpRequest::default();
    let mut side = None;
    if known.structure.is_some() {
        match built(session, files, wishes.trusted).await? {
            Err(failed) => report.take("structure loads", [unloadable(repo, failed)]),
            Ok(built) => {
                report.take("structure loads", []);
                if known.is_ours {
                    faithful(session, &built, report).await?;
                }
                request = built.dump.request;
                match built.made {
                    Ok(made) => {
                        let request = request.clone();
                        side = Some(Side { request, made, name, stands_alone: false });
                    }
                    Err(failed) => {
                        if let Some(finding) = fails(failed, report) {
                            report.take("pending migrations run", [finding]);
                        }
                    }
                }
            }
        }
    }
    let plan = match Plan::read(repo) {
        Ok(plan) => plan,
        // What is told of files already is not told again.
        Err(error)
            if error.kind() == Kind::Missing
                && !report.findings.iter().any(|finding| finding.code == Code::FileMissing) =>
        {
            let shown = repo.shown(&repo.structure);
            report.take("replay of all migrations", [Finding::of(Code::Unreplayable, error).file(shown)]);
            return Ok(side);
        }
        Err(error) => {
            let help = error.help_text().map(str::to_owned);
            report.skip("replay of all migrations", error.message().to_owned(), help);
            return Ok(side);
        }
    };
    // The structure took the place of what was squashed: the replay begins with it, and has been made above.
    if plan.base == Base::Structure {
        if let Some(side) = &mut side {
            side.stands_alone = true;
            rows::of_structure(repo, dialect, known.structure.as_deref(), &side.made.content, report);
        }
        return Ok(side);
    }
    if !stays(repo, dialect, &plan, wishes, report) {
        return Ok(side);
    }
    let Some(replay) = replay(session, &plan, &request, report).await? else { return Ok(side) };
    let Some(side) = side else {
        return Ok(known.structure.is_none().then_some(Side {
            request,
            made: replay,
            name: REPLAY,
            stands_alone: false,
        }));
    };
    let differences = compare(&replay.outcome.fingerprint, &side.made.outcome.fingerprint)?;
    report.take(
        "structure and replay",
        objects::findings(repo, Code::Divergence, &differences, (REPLAY, name)),
    );
    rows::check(session, &plan, &request, (&side.made.content, replay.content), report).await?;
    Ok(Some(side))
}

/// Whether a plan does nothing outside of its scratch database, or may. Tells what reaches beyond.
pub fn stays(repo: &Repo, dialect: Dialect, plan: &Plan, wishes: &Wishes<'_>, report: &mut Report) -> bool {
    let found = if wishes.trusted { Vec::new() } else { plan.beyond(dialect) };
    if found.is_empty() {
        return true;
    }
    let findings = found.into_iter().map(|beyond| {
        let message = format!("{} reaches beyond the scratch database that it is replayed in", beyond.what);
        Finding::new(Code::ReplayBeyond, message)
            .about(beyond.what)
            .at(beyond.site)
            .note("nothing was replayed")
            .help(format!(
                "run it all the same, if it may be done once more on that server: {}",
                repo.command("check --trust-file")
            ))
    });
    report.take("replay within scratch databases", findings);
    false
}

/// Runs every migration from nothing. Returns nothing where that fails, and tells why.
async fn replay(
    session: &mut Session<'_>,
    plan: &Plan,
    request: &DumpRequest,
    report: &mut Report,
) -> Result<Option<Made>> {
    match replayed(session, plan, request).await? {
        Ok(replay) => {
            report.take("migrations run from nothing", []);
            Ok(Some(replay))
        }
        Err(failed) => {
            let finding = fails(failed, report);
            // A pending migration fails on both ways.
            let is_told =
                |finding: &Finding| report.findings.iter().any(|other| is_same(&other.error, &finding.error));
            if let Some(finding) = finding.filter(|finding| !is_told(finding)) {
                report.take("migrations run from nothing", [finding]);
            }
            Ok(None)
        }
    }
}

/// Whether the structure file records every migration.
fn is_current(repo: &Repo, files: &FileSet) -> bool {
    let recorded = recorded_by(repo).unwrap_or_default();
    let recorded: Vec<_> = recorded.iter().filter_map(|version| files.parse_version(version)).collect();
    files.migrations.iter().all(|migration| recorded.contains(&migration.version))
}

/// Whether two failures are one: the same migration failed on both ways.
fn is_same(one: &Error, other: &Error) -> bool {
    one.message() == other.message() && one.site() == other.site()
}

fn unloadable(repo: &Repo, failed: Failed) -> Finding {
    let shown = repo.shown(&repo.structure);
    let error = match failed.stage {
        Stage::Dump => failed.error.note("the structure was loaded, and cannot be written again"),
        _ => failed.error,
    };
    Finding::of(Code::StructureUnloadable, error).file(shown)
}

/// Returns the finding of a migration that does not run. Where it was changed since it ran, that is found already: what
/// comes of it is a note there.
pub fn fails(failed: Failed, report: &mut Report) -> Option<Finding> {
    let is_cause = |finding: &&mut Finding| {
        let path = finding.error.site().map(|site| &site.path);
        matches!(finding.code, Code::Changed | Code::FloorChanged)
            && path.is_some_and(|path| is_about(&failed.error, path))
    };
    let Some(cause) = report.findings.iter_mut().find(is_cause) else {
        return Some(Finding::of(Code::ReplayFails, failed.error));
    };
    if failed.error.kind() == Kind::Changed {
        return None;
    }
    let place = failed.error.site().map_or_else(String::new, |site| format!(" (line {})", site.at.line));
    let error = std::mem::replace(&mut cause.error, Error::new(Kind::Check, String::new()));
    cause.error = error.note(format!("as it is now it does not run{place}: {}", failed.error.message()));
    None
}

/// Whether an error names a file, by its place or in its notes.
pub fn is_about(error: &Error, path: &Path) -> bool {
    let shown = format!("`{}`", path.display());
    error.site().is_some_and(|site| site.path == path)
        || error.notes().iter().any(|note| note.contains(&shown))
}

/// Checks that the file is what a dump of it writes.
async fn faithful(session: &mut Session<'_>, built: &Built, report: &mut Report) -> Result<()> {
    let (repo, dump) = (session.repo(), &built.dump);
    let finding = match is_faithful(session, built).await? {
        Faith::Same => None,
        Faith::Worded(statements) => Some(
            Finding::new(
                Code::StructureEdited,
                format!(
                    "`{}` words {} otherwise than this server, and means the same",
                    dump.shown.display(),
                    text::listed(statements.iter().map(String::as_str))
                ),
            )
            .severity(Severity::Info)
            .file(&dump.shown),
        ),
        Faith::Differs => Some(edited(repo, dump)),
    };
    report.take("structure as a dump writes it", finding);
    Ok(())
}

/// Returns the finding of a file that says something else than what comes of it, with the way from one to the other.
fn edited(repo: &Repo, dump: &Dump) -> Finding {
    let present = dump.present.as_deref().unwrap_or_default();
    let same: usize = present
        .split_inclusive('\n')
        .zip(dump.text.split_inclusive('\n'))
        .take_while(|(present, new)| present == new)
        .map(|(line, _)| line.len())
        .sum();
    let width = present[same..].lines().next().map_or(0, str::len);
    let shown = dump.shown.display();
    let difference =
        diff::unified((&shown.to_string(), present), ("a dump of it once it is loaded", &dump.text));
    let lines = difference.lines().count();
    let mut excerpt: String = difference.split_inclusive('\n').take(LINES).collect();
    if lines > LINES {
        excerpt += &format!("… and {} more lines\n", lines - LINES);
    }
    Finding::new(Code::StructureEdited, format!("`{shown}` was edited by hand, merged badly, or is stale"))
        .at(Site::in_text(&dump.shown, present, same..same + width))
        .note(format!("once it is loaded, a dump writes something else\n{}", excerpt.trim_end()))
        .help(format!(
            "put the change into a migration, and write the file again: {}, then {}",
            repo.command("reset"),
            repo.command("dump")
        ))
}
