//! Templates: a database that is ready is kept once, and others are copied from it for as long as the files it was made
//! of stay the same.
//!
//! What a template is made of is in its name ([`key`]): whatever changes the result changes the name, so that nobody ever
//! asks whether one is current. A database that is made from one needs neither structure nor migrations nor any word about
//! itself: the environment that it records is part of the name, too.
//!
//! A template is a cache: what goes wrong with it is told and never fails the work that could have done without.

mod ahead;
mod keep;
mod key;
mod ready;
mod warm;

use std::time::Instant;

use crate::driver::{Cloned, Created, TemplateName};
use crate::error::Result;
use crate::event::What;
use crate::migration::{FileSet, Lanes, MigrateReport, MigrateRequest, Target};
use crate::repo::Repo;
use crate::session::Session;
use crate::storage;
use crate::structure;

pub use ahead::look_ahead;
pub(crate) use ahead::{Ahead, files_ahead};
pub use keep::{Filled, collect, home, is_stale, keep, pays};
pub use key::key;
pub use ready::{Ready, ready};
pub use warm::{Warmed, warm};

/// What is done to an empty database to make it ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// Which migrations are run after the structure was loaded: every pending one of these lanes.
    pub lanes: Lanes,
    /// Whether the SQL seeds of the environment are run, too, as tests want it. Programs never are. Such a template
    /// serves databases of any name, others that of one name alone.
    pub seeds: bool,
}

/// How a session's database came to be, as far as templates are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It was copied: so many migrations are recorded in it, if that is known.
    Template { recipe: Recipe, migrations: Option<u64> },
    /// It was made empty, and is worth keeping as this template once it is ready.
    /// `filled` is how many statements of the structure and how many migrations made it ready, as soon as they have, or
    /// why it is no database to be kept.
    Empty {
        recipe: Recipe,
        name: TemplateName,
        since: Instant,
        filled: Option<std::result::Result<(u64, u64), &'static str>>,
    },
}

/// Whether databases of a repo may be made from templates.
pub fn is_allowed(repo: &Repo) -> bool {
    repo.template && repo.disposable
}

/// Creates the repo's database unless it is there: from a template if there is one for `recipe`, else as
/// [`storage::create`] does.
///
/// # Errors
/// Those of [`storage::create`].
pub async fn create(session: &mut Session<'_>, recipe: Recipe) -> Result<Created> {
    session.origin = None;
    if !is_allowed(session.repo()) {
        return storage::create(session).await;
    }
    // Most often it is there, and then no file has to be read. A server that fails to answer is asked again by
    // `storage`, which explains its answer.
    if !session.is_dropped() {
        match session.server().exists().await {
            Ok(true) => return Ok(storage::found(session)),
            Ok(false) => {}
            Err(_) => return storage::create(session).await,
        }
    }
    let start = Instant::now();
    // Where a drop went before, the files have been read meanwhile.
    look_ahead(session, recipe);
    // A file that cannot be read is told of by whoever runs it.
    let Some(name) = ahead::name(session, recipe).await else {
        return storage::create(session).await;
    };
    let options = storage::options(session.repo());
    match session.server().clone_template(&name, &options).await {
        Ok(Cloned::Now(note)) => {
            session.created_now().await;
            let migrations = note.map(|note| note.migrations);
            session.origin = Some(Origin::Template { recipe, migrations });
            let target = session.server().target().shown.clone();
            let template = name.to_string();
            session.teller().tell(What::Cloned { target, template, took: start.elapsed() });
            return Ok(Created::Now);
        }
        Ok(Cloned::NoTemplate) => {
            let created = storage::create(session).await?;
            if created == Created::Now {
                session.origin = Some(Origin::Empty { recipe, name, since: Instant::now(), filled: None });
            }
            return Ok(created);
        }
        Ok(Cloned::Already) => {}
        Ok(Cloned::Cannot(reason)) => session.teller().tell(What::TemplateRefused { reason }),
        Err(error) => session.teller().tell(What::TemplateRefused { reason: error.message }),
    }
    storage::create(session).await
}

/// Whether the session's database was just copied from a template: its structure is there, and so is what the next
/// `migrate` would run.
pub fn is_copy(session: &Session<'_>) -> bool {
    matches!(session.origin, Some(Origin::Template { .. }))
}

/// Returns how many migrations are applied where `migrate` has nothing to do: the session's database was just copied from
/// a template in which everything of these lanes has been run.
pub(crate) fn is_through(session: &mut Session<'_>, request: &MigrateRequest) -> Option<usize> {
    // Only the first migrate after the copy is known to find nothing.
    let origin = session.origin.take_if(|origin| matches!(origin, Origin::Template { .. }))?;
    match origin {
        Origin::Template { recipe, migrations } if !request.dry_run && runs_all(request, recipe.lanes) => {
            Some(migrations.and_then(|count| usize::try_from(count).ok()).unwrap_or_default())
        }
        _ => None,
    }
}

/// Whether `migrate` of these lanes runs nothing once the structure is loaded, as far as the files tell: the structure
/// file records all of their migrations.
///
/// # Errors
/// Those of reading the files.
pub fn is_recorded(repo: &Repo, lanes: Lanes) -> Result<bool> {
    let recorded = structure::recorded_by(repo)?;
    let files = FileSet::read_lanes(repo, &[])?;
    let is_recorded = |version: &str| recorded.iter().any(|recorded| recorded == version);
    let mut wanted = files.migrations.iter().filter(|migration| lanes.include(migration.lane));
    Ok(wanted.all(|migration| is_recorded(migration.version.as_str())))
}

/// Takes note of what `migrate` did to a database that [`create`] made empty: it is worth keeping if everything of the
/// recipe has been run, and nothing else.
pub(crate) fn note_migrated(session: &mut Session<'_>, request: &MigrateRequest, report: &MigrateReport) {
    let repo = session.repo();
    let from_archive = report
        .planned
        .iter()
        .any(|planned| repo.archive.iter().any(|archive| planned.path.starts_with(repo.shown(archive))));
    let (statements, migrations) = (session.statements, report.done as u64);
    if let Some(Origin::Empty { recipe, filled, .. }) = &mut session.origin
        && !request.dry_run
        && runs_all(request, recipe.lanes)
    {
        *filled = Some(if from_archive {
            Err("squashed migrations were run from the archive")
        } else if !report.blocked.is_empty() {
            Err("a migration waits for another one")
        } else {
            Ok((statements, migrations))
        });
    }
}

/// Whether a request runs everything that is pending in `lanes`.
fn runs_all(request: &MigrateRequest, lanes: Lanes) -> bool {
    request.lanes == lanes
        && request.paths.is_empty()
        && request.target == Target::All
        && !request.no_load
        && !request.strict_order
}

/// Returns the template that [`create`] would use now, without making anything; `None` where it would make an empty
/// database, or finds one.
///
/// # Errors
/// Those of the server.
pub async fn foresee(session: &Session<'_>, recipe: Recipe) -> Result<Option<TemplateName>> {
    if !is_allowed(session.repo()) {
        return Ok(None);
    }
    let Ok(name) = key(session.repo(), session.server(), recipe) else { return Ok(None) };
    let found = session.server().templates().await?;
    Ok(found.iter().any(|template| template.usable && template.name == name).then_some(name))
}

#[cfg(test)]
mod tests;
