//! What `create` and `migrate` are going to ask of the files, read while the server drops and copies.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::key::{Destination, key, named_for};
use super::{Recipe, is_allowed};
use crate::driver::TemplateName;
use crate::error::Result;
use crate::migration::{FileSet, MigrateRequest};
use crate::session::Session;

/// How old what was read may be: whoever edits a file in the middle of a run is not to wonder for long.
const FRESH: Duration = Duration::from_secs(5);

/// Files that are being read by threads of their own.
pub(crate) struct Ahead {
    recipe: Recipe,
    since: Instant,
    name: Option<JoinHandle<Result<TemplateName>>>,
    files: Option<JoinHandle<Result<FileSet>>>,
}

/// Begins to read the repo's files for the [`create`](super::create) that follows and its `migrate`. For whoever knows
/// that nothing comes between that writes files. Does nothing where templates are not allowed or this was said before.
pub fn look_ahead(session: &mut Session<'_>, recipe: Recipe) {
    let repo = session.repo();
    if !is_allowed(repo) || session.ahead.as_ref().is_some_and(|ahead| ahead.recipe == recipe) {
        return;
    }
    // SQLite can do without a runtime; nothing is lost but time.
    let Ok(runtime) = Handle::try_current() else { return };
    let destination = Destination::of(session.server());
    let (named, read) = (repo.clone(), repo.clone());
    session.ahead = Some(Ahead {
        recipe,
        since: Instant::now(),
        name: Some(
            runtime.spawn_blocking(move || named_for(&named, &destination, recipe).map(|named| named.name)),
        ),
        files: Some(runtime.spawn_blocking(move || FileSet::read_lanes(&read, &[]))),
    });
}

/// Returns the name of the template; `None` where the files cannot be read.
pub(super) async fn name(session: &mut Session<'_>, recipe: Recipe) -> Option<TemplateName> {
    let ahead = session.ahead.as_mut().filter(|ahead| ahead.recipe == recipe);
    match ahead.and_then(|ahead| ahead.name.take()) {
        Some(name) => name.await.ok()?.ok(),
        None => key(session.repo(), session.server(), recipe).ok(),
    }
}

/// Returns the repo's files as they were read a moment ago, for `migrate`; `None` where nobody has, or they are not what
/// is asked for.
pub(crate) async fn files_ahead(
    session: &mut Session<'_>,
    request: &MigrateRequest,
) -> Option<Result<FileSet>> {
    let ahead = session.ahead.take().filter(|ahead| ahead.since.elapsed() < FRESH)?;
    if request.paths.is_empty() { ahead.files?.await.ok() } else { None }
}
