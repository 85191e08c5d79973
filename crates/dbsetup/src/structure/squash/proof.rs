//! The new structure, made of a replay and not of a developer's database; and the proof that it makes the same.

use std::collections::HashSet;

use super::{Planned, replayed};
use crate::driver::{Fingerprint, LedgerState};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::migration::Version;
use crate::session::Session;
use crate::structure::difference::{Difference, differences};
use crate::structure::outcome::{Outcome, outcome};
use crate::structure::replay::replay;
use crate::structure::scratch::{in_scratch, loaded};
use crate::structure::{dump, format, header};

/// How many differences are shown.
const SHOWN: usize = 20;

/// What a replay made.
struct Made {
    /// The database when the newest squashed version had run.
    squashed: Outcome,
    /// The same when everything had run that the live database has.
    whole: Fingerprint,
}

/// Returns the text of the new structure file, proved.
///
/// # Errors
/// Those of [`super::squash`].
pub(super) async fn structure(session: &mut Session<'_>, planned: &Planned) -> Result<String> {
    let start = std::time::Instant::now();
    let repo = session.repo();
    let mut plan = replayed(repo, planned)?;
    let live = live_version(planned);
    session.close().await;
    let request = planned.request.clone();
    let newest = planned.plan.newest.clone();
    let made = in_scratch(session, async move |scratch: &mut Session<'_>| {
        plan.to = Some(newest.clone());
        replay(scratch, &plan).await?;
        let squashed = outcome(scratch, &request).await?;
        let whole = if live > newest {
            plan.to = Some(live);
            replay(scratch, &plan).await?;
            outcome(scratch, &request).await?.fingerprint
        } else {
            squashed.fingerprint.clone()
        };
        Ok(Made { squashed, whole })
    })
    .await
    .map_err(|error| error.note("nothing has been squashed"))?;
    let database = outcome(session, &planned.request).await?;
    refuse_other_rows(session, planned, &database.inspection.state)?;
    refuse_drift(session, planned, &made.whole, &database.fingerprint).await?;
    let text = text(session, planned, &made.squashed)?;
    prove(session, planned, &text, &made.squashed.fingerprint).await?;
    session.teller().tell(What::Verified {
        facts: made.squashed.fingerprint.facts.len(),
        unread: made.squashed.fingerprint.unread.clone(),
        took: start.elapsed(),
    });
    let now = session.inspect().await?;
    refuse_other_rows(session, planned, &now.state)?;
    session.close().await;
    Ok(text)
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
    Err(Error::new(Kind::Locked, format!("migrations of `{name}` ran while it was squashed"))
        .note("nothing has been squashed")
        .help("wait for them to end, then squash again"))
}

/// Refuses a database that is not what its migrations make.
async fn refuse_drift(
    session: &mut Session<'_>,
    planned: &Planned,
    replayed: &Fingerprint,
    live: &Fingerprint,
) -> Result<()> {
    same_release(live, replayed)?;
    // The replay is what counts, and the database what may have drifted.
    let found = differences(replayed, live);
    if found.is_empty() {
        return Ok(());
    }
    if session.driver().await?.fingerprint(&planned.request).await? != *live {
        let name = &session.repo().name;
        return Err(Error::new(
            Kind::Locked,
            format!("the database of `{name}` was changed while it was squashed"),
        )
        .help("wait for whoever changes it, then squash again"));
    }
    let repo = session.repo();
    let message = format!(
        "`{}` cannot be squashed: its database is not what its migrations make: {}",
        repo.name,
        counted(found.len())
    );
    let error = found
        .iter()
        .take(SHOWN)
        .fold(Error::new(Kind::Refused, message), |error, difference| error.note(drift(difference)));
    let error = more(error, found.len());
    Err(error.help(format!(
        "put what the database has besides into a migration; or make the database anew: {}",
        repo.command("reset")
    )))
}

fn counted(number: usize) -> String {
    format!("{number} {}", if number == 1 { "difference" } else { "differences" })
}

fn more(error: Error, number: usize) -> Error {
    match number.saturating_sub(SHOWN) {
        0 => error,
        more => error.note(format!("and {more} more")),
    }
}

/// Words a difference between the replay, which came first, and the database.
fn drift(difference: &Difference) -> String {
    let Difference { catalog, object, property, original, copy } = difference;
    let value = |value: &Option<String>| match value {
        Some(value) => format!("`{}`", value.escape_debug()),
        None => "nothing".to_owned(),
    };
    match property {
        None if copy.is_none() => {
            format!("{catalog} {object}: the migrations make it, and the database lacks it")
        }
        None => format!("{catalog} {object}: no migration makes it, and the database has it"),
        Some(property) => format!(
            "{catalog} {object}: {property} is {} after the migrations, and {} in the database",
            value(original),
            value(copy)
        ),
    }
}

fn same_release(one: &Fingerprint, other: &Fingerprint) -> Result<()> {
    crate::structure::outcome::compare(one, other).map(|_| ())
}

/// Puts the new file together: what the replay made, and the ledger rows of what is squashed as the database has them.
fn text(session: &Session<'_>, planned: &Planned, made: &Outcome) -> Result<String> {
    let dialect = session.server().dialect();
    let parse = |text: &str| planned.files.parse_version(text);
    let squashed: HashSet<Version> =
        planned.plan.floor.entries().filter_map(|entry| parse(&entry.version)).collect();
    let recorded: HashSet<Version> =
        planned.recorded.iter().flatten().filter_map(|version| parse(version)).collect();
    let stays = |version: &Version| planned.files.find(version).is_some() && !squashed.contains(version);
    let mut state = planned.state.clone();
    state.rows.retain(|row| {
        parse(&row.version).is_some_and(|version| {
            squashed.contains(&version) || (recorded.contains(&version) && !stays(&version))
        })
    });
    let rows = format::ledger_rows(dialect, &planned.ledger, &state)?;
    for note in &made.structure.notes {
        session.teller().warn(note.clone(), None);
    }
    let parts = [header::settings(dialect), &made.structure.text, &rows.join("\n")];
    Ok(dump::compose(&format::header(dialect), &header::filters(&planned.request), &parts))
}

/// Loads the new file into a scratch database, and refuses it unless it makes what the replay made.
async fn prove(
    session: &mut Session<'_>,
    planned: &Planned,
    text: &str,
    replayed: &Fingerprint,
) -> Result<()> {
    session.close().await;
    let repo = session.repo();
    let shown = repo.shown(&repo.structure);
    let request = planned.request.clone();
    let copy = in_scratch(session, async move |scratch: &mut Session<'_>| {
        // It came out of a replay just now: it does nothing that was not done there.
        loaded(scratch, text, &shown, true).await?;
        outcome(scratch, &request).await
    })
    .await
    .map_err(|error| error.note("the new structure does not load: nothing has been squashed"))?;
    let found = differences(replayed, &copy.fingerprint);
    if found.is_empty() {
        return Ok(());
    }
    let message = format!(
        "`{}` is not squashed: a database made of its new structure is not what its migrations make: {}",
        repo.name,
        counted(found.len())
    );
    let error = found
        .iter()
        .take(SHOWN)
        .fold(Error::new(Kind::Unsupported, message), |error, difference| error.note(difference.to_string()));
    Err(more(error, found.len())
        .help("leave out what cannot be written, with filters (`--exclude-table`, …)"))
}
