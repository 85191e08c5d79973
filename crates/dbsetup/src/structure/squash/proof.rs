//! The new structure, made of a replay and not of a developer's database; and the proof that it makes the same.

use std::collections::HashSet;
use std::time::Instant;

use super::apply::Texts;
use super::{Planned, as_migration};
use crate::driver::{DumpRequest, Fingerprint, LedgerState, Rows, Structure};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::migration::Version;
use crate::migration::baseline::collapse;
use crate::repo::Repo;
use crate::session::Session;
use crate::structure::assemble::assemble;
use crate::structure::difference::differences;
use crate::structure::floor::{Baseline, Floor};
use crate::structure::replay::{self, replay};
use crate::structure::rows::{self, Audit, Kept, Wishes, audit_of};
use crate::structure::{Outcome, code_by, compare, format, in_scratch, loaded, outcome};

/// How many differences are shown.
const SHOWN: usize = 20;
/// What a person has run.
const COMMAND: &str = "dump --move-migrations";

/// What is written, proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proved {
    /// The structure file.
    pub structure: String,
    /// The baseline, and what the floor says of it.
    pub baseline: Option<(String, Baseline)>,
}

impl Proved {
    /// The floor from now on.
    pub fn floor(&self, planned: &Floor) -> Floor {
        let mut floor = planned.clone();
        if let (Some((_, baseline)), Some(last)) = (&self.baseline, floor.squashes.last_mut()) {
            last.baseline = Some(baseline.clone());
        }
        floor
    }

    /// What is written, with the text of the floor.
    pub fn texts<'a>(&'a self, floor: &'a str) -> Texts<'a> {
        let baseline = self.baseline.as_ref().map(|(text, _)| text.as_str());
        Texts { structure: &self.structure, floor, baseline }
    }
}

/// What a replay made.
struct Made {
    /// The database when the newest squashed version had run.
    squashed: Outcome,
    /// What becomes of the rows that were in it then.
    audit: Audit,
    /// Those that are kept.
    kept: Kept,
    /// The structure without the ledger, where a baseline is made of it.
    bare: Option<Structure>,
    /// The same when everything had run that the live database has.
    whole: Fingerprint,
}

/// Returns the text of the new structure file, and of the baseline where there is one, proved.
///
/// # Errors
/// Those of [`super::squash`].
pub(super) async fn structure(session: &mut Session<'_>, planned: &Planned) -> Result<Proved> {
    let start = Instant::now();
    let repo = session.repo();
    // Code of the application has no file, and nothing to do where nothing is.
    let mut code = code_by(repo)?;
    code.extend(planned.state.rows.iter().filter(|row| row.is_code()).map(|row| row.version.clone()));
    let mut recorded = planned.recorded.clone();
    recorded.iter_mut().for_each(|recorded| recorded.retain(|version| !code.contains(version)));
    let (floor, files) = (planned.files.floor.as_ref(), planned.files.clone());
    let mut plan = replay::Plan::new(repo, recorded.as_deref(), floor, files)?.without_code(&code);
    plan.trusted = planned.trusted;
    let command: Vec<&str> = [COMMAND].into_iter().chain(planned.given.iter().map(String::as_str)).collect();
    let command = command.join(" ");
    let dialect = session.server().dialect();
    refuse_protected_server(session).await?;
    plan.to = Some(live_version(planned));
    plan.refuse_beyond(repo, dialect, &planned.agreed, &command).map_err(not_squashed)?;
    session.close().await;
    let made = made(session, planned, &mut plan).await?;
    if let Some(error) = rows::undecided(repo, &made.audit, &command) {
        return Err(error);
    }
    for warning in &made.audit.warnings {
        session.teller().warn(warning.clone(), None);
    }
    plan.to = Some(planned.plan.newest.clone());
    for frozen in plan.frozen(dialect, &made.audit.kept) {
        session.teller().warn(frozen.to_string(), Some(frozen.help()));
    }
    refuse_volatile(session, planned, &mut plan, &made.kept).await?;
    let database = outcome(session, &planned.request).await?;
    refuse_other_rows(session, planned, &database.inspection.state)?;
    refuse_drift(session, planned, &made.whole, &database.fingerprint).await?;
    let proved = text(session, planned, &made)?;
    prove(session, planned, &proved.structure, &made).await?;
    if let Some((text, baseline)) = &proved.baseline {
        prove_baseline(session, planned, text, baseline, &made).await?;
    }
    session.teller().tell(What::Verified {
        facts: made.squashed.fingerprint.facts.len(),
        unread: made.squashed.fingerprint.unread.clone(),
        took: start.elapsed(),
    });
    let now = session.inspect().await?;
    refuse_other_rows(session, planned, &now.state)?;
    session.close().await;
    Ok(proved)
}

/// Refuses to run every migration again on a server where a protected database lives, unless somebody has named that
/// server for it.
async fn refuse_protected_server(session: &mut Session<'_>) -> Result<()> {
    let repo = session.repo();
    let is_shared = session.driver().await?.about().capabilities.shared_server;
    if repo.disposable || repo.scratch_url.is_some() || !is_shared {
        return Ok(());
    }
    let message = format!(
        "the migrations of `{}` would be run again on the server of the environment `{}`, which is protected",
        repo.name, repo.environment
    );
    Err(not_squashed(Error::new(Kind::Refused, message)).help(
        "let `scratch-url` name another server of the same release; or squash where the database is disposable, and \
         show that one: `--applied-on`",
    ))
}

/// Replays, and reads the database at the newest squashed version and at the end.
async fn made(session: &mut Session<'_>, planned: &Planned, plan: &mut replay::Plan) -> Result<Made> {
    let live = live_version(planned);
    in_scratch(session, async |scratch| {
        plan.to = Some(planned.plan.newest.clone());
        replay(scratch, plan).await?;
        let squashed = outcome(scratch, &planned.request).await?;
        let (audit, kept) = read_rows(scratch, planned).await?;
        let bare = match &planned.baseline {
            Some(_) => Some(as_migration::structure(scratch, &planned.request, &planned.ledger).await?),
            None => None,
        };
        let whole = if live > planned.plan.newest {
            plan.to = Some(live);
            replay(scratch, plan).await?;
            outcome(scratch, &planned.request).await?.fingerprint
        } else {
            squashed.fingerprint.clone()
        };
        Ok(Made { squashed, audit, kept, bare, whole })
    })
    .await
    .map_err(not_squashed)
}

fn not_squashed(error: Error) -> Error {
    error.note("nothing has been squashed")
}

/// Audits the rows of a scratch database and reads those that are kept; none while some are undecided.
async fn read_rows(scratch: &mut Session<'_>, planned: &Planned) -> Result<(Audit, Kept)> {
    let repo = scratch.repo();
    let driver = scratch.driver().await?;
    let (mut keep, mut drop) = (repo.keep_data.clone(), planned.drop_data.clone());
    if planned.plan.partial {
        // Migrations that stay may make a table that is named already.
        let tables = driver.table_rows(&planned.ledger).await?;
        let schema = driver.about().schema.clone();
        let is_there = |named: &str| rows::is_there(&tables, schema.as_deref(), named);
        keep.retain(|kept| is_there(&kept.table));
        drop.retain(|table| is_there(table));
    }
    let wishes = Wishes { keep: &keep, drop: &drop, request: &planned.request };
    let audit = audit_of(driver, &planned.ledger, &wishes).await?;
    if !audit.undecided.is_empty() {
        return Ok((audit, Kept::default()));
    }
    let kept = Kept::read(driver, &audit).await?;
    Ok((audit, kept))
}

/// Replays once more where rows are kept, and refuses values that are others every time.
async fn refuse_volatile(
    session: &mut Session<'_>,
    planned: &Planned,
    plan: &mut replay::Plan,
    kept: &Kept,
) -> Result<()> {
    if kept.text.is_empty() {
        return Ok(());
    }
    rows::let_the_clock_go_on(Instant::now()).await;
    plan.to = Some(planned.plan.newest.clone());
    let again: Rows = in_scratch(session, async |scratch| {
        replay(scratch, plan).await?;
        Ok(read_rows(scratch, planned).await?.1.rows)
    })
    .await
    .map_err(not_squashed)?;
    let schema = session.driver().await?.about().schema.clone();
    rows::refuse_volatile(session.repo(), &rows::volatile(&kept.rows, &again), schema.as_deref())
}

/// The newest version that the live database has applied.
fn live_version(planned: &Planned) -> Version {
    let applied = planned.state.rows.iter().filter_map(|row| planned.files.parse_version(&row.version));
    applied.chain([planned.plan.newest.clone()]).max().expect("the plan has one")
}

/// Refuses a database whose migrations have run since the squash was planned.
fn refuse_other_rows(session: &Session<'_>, planned: &Planned, state: &LedgerState) -> Result<()> {
    if state.rows == planned.state.rows && state.progress == planned.state.progress {
        return Ok(());
    }
    let name = &session.repo().name;
    let error = Error::new(Kind::Locked, format!("migrations of `{name}` ran while it was squashed"));
    Err(not_squashed(error).help("wait for them to end, then squash again"))
}

/// Refuses a database that is not what its migrations make.
async fn refuse_drift(
    session: &mut Session<'_>,
    planned: &Planned,
    replayed: &Fingerprint,
    live: &Fingerprint,
) -> Result<()> {
    let found = compare(replayed, live)?;
    if found.is_empty() {
        return Ok(());
    }
    let repo = session.repo();
    let now = outcome(session, &planned.request).await?.fingerprint;
    if now != *live {
        let message = format!("the database of `{}` was changed while it was squashed", repo.name);
        return Err(not_squashed(Error::new(Kind::Locked, message))
            .help("wait for whoever changes it, then squash again"));
    }
    let message = format!(
        "`{}` cannot be squashed: its database is not what its migrations make: {}",
        repo.name,
        counted(found.len())
    );
    let told: Vec<String> = found.iter().map(|found| found.told("the replay", "the database")).collect();
    let mut help = "put what the database has besides into a migration".to_owned();
    if repo.disposable {
        help += &format!("; or make the database anew: {}", repo.command("reset"));
    }
    Err(noted(Error::new(Kind::Refused, message), &told).help(help))
}

fn counted(number: usize) -> String {
    format!("{number} {}", if number == 1 { "difference" } else { "differences" })
}

fn noted(error: Error, told: &[String]) -> Error {
    let error = told.iter().take(SHOWN).fold(error, |error, line| error.note(line.clone()));
    match told.len().saturating_sub(SHOWN) {
        0 => error,
        more => error.note(format!("and {more} more")),
    }
}

/// Puts the new files together: what the replay made, and the ledger rows of what is squashed as the database has them, or
/// the row of the baseline.
fn text(session: &Session<'_>, planned: &Planned, made: &Made) -> Result<Proved> {
    let dialect = session.server().dialect();
    let parse = |text: &str| planned.files.parse_version(text);
    let squashed: HashSet<Version> =
        planned.plan.floor.entries().filter_map(|entry| parse(&entry.version)).collect();
    let recorded: HashSet<Version> =
        planned.recorded.iter().flatten().filter_map(|version| parse(version)).collect();
    let mut state = planned.state.clone();
    // A plain dump has recorded what stays in the lanes, too; what was squashed before there was a floor stays recorded.
    // Code that ran before the newest of them was written for a schema that nobody can make any more.
    let newest = squashed.iter().max();
    state.rows.retain(|row| {
        parse(&row.version).is_some_and(|version| {
            squashed.contains(&version)
                || (row.is_code() && newest.is_some_and(|newest| version <= *newest))
                || (recorded.contains(&version) && planned.files.find(&version).is_none())
        })
    });
    let baseline = planned.baseline.as_ref().zip(made.bare.as_ref());
    let baseline = baseline.map(|(place, bare)| {
        as_migration::text(session.repo(), dialect, &planned.ledger, place, bare, &made.kept.text)
    });
    let mut proved = Proved { structure: String::new(), baseline };
    if proved.baseline.is_some() {
        state = collapse(Some(&proved.floor(&planned.plan.floor)), planned.ledger.kind, &state);
    }
    let rows = format::ledger_rows(dialect, &planned.ledger, &state)?;
    for note in &made.squashed.structure.notes {
        session.teller().warn(note.clone(), None);
    }
    let request = DumpRequest { without_rows: made.audit.without_rows.clone(), ..planned.request.clone() };
    proved.structure =
        assemble(dialect, &request, &made.squashed.structure, &made.kept.text, &rows.join("\n"));
    Ok(proved)
}

/// Loads the new file into a scratch database, and refuses it unless it makes what the replay made.
async fn prove(session: &mut Session<'_>, planned: &Planned, text: &str, made: &Made) -> Result<()> {
    session.close().await;
    let repo = session.repo();
    let shown = repo.shown(&repo.structure);
    let (copy, kept) = in_scratch(session, async |scratch| {
        // It came out of a replay just now: it does nothing that was not done there.
        loaded(scratch, text, &shown, true).await?;
        let copy = outcome(scratch, &planned.request).await?;
        Ok((copy.fingerprint, read_rows(scratch, planned).await?.1))
    })
    .await
    .map_err(|error| not_squashed(error).note("the new structure does not make what the migrations make"))?;
    refuse_copy(repo, "new structure", made, &copy, &kept)
}

/// Runs the baseline in a scratch database as sqlx does, in one transaction with its row, and refuses it unless it makes
/// what the replay made.
async fn prove_baseline(
    session: &mut Session<'_>,
    planned: &Planned,
    text: &str,
    baseline: &Baseline,
    made: &Made,
) -> Result<()> {
    session.close().await;
    let (copy, kept) = in_scratch(session, async |scratch| {
        as_migration::run(scratch, text, baseline).await?;
        let copy = outcome(scratch, &planned.request).await?;
        Ok((copy.fingerprint, read_rows(scratch, planned).await?.1))
    })
    .await
    .map_err(|error| {
        not_squashed(error).note("the baseline migration does not make what the migrations make")
    })?;
    refuse_copy(session.repo(), "baseline migration", made, &copy, &kept)
}

/// Refuses a copy of the replay's database that is another. `what` it was made of.
fn refuse_copy(repo: &Repo, what: &str, made: &Made, copy: &Fingerprint, kept: &Kept) -> Result<()> {
    let found = differences(&made.squashed.fingerprint, copy);
    let name = format!("the {what}");
    let mut told: Vec<String> = found.iter().map(|found| found.told("the replay", &name)).collect();
    told.extend(rows::differences(&made.kept.rows, &kept.rows).iter().map(ToString::to_string));
    if told.is_empty() {
        return Ok(());
    }
    let message = format!(
        "`{}` is not squashed: a database made of its {what} is not what its migrations make: {}",
        repo.name,
        counted(told.len())
    );
    Err(noted(Error::new(Kind::Unsupported, message), &told)
        .help("leave out what cannot be written, with filters (`--exclude-table`, …)"))
}
