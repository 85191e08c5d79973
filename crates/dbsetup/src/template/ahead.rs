//! What `create` and `migrate` are going to ask of the files, read while the server drops and copies.

use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::key::{Destination, key, named_for};
use super::{Recipe, is_allowed};
use crate::driver::TemplateName;
use crate::error::Result;
use crate::migration::{FileSet, MigrateRequest};
use crate::session::Session;

/// How old what was read may be: whoever edits a file during a long drop is to find it in the new database.
const FRESH: Duration = Duration::from_secs(5);

/// Files that are being read by a thread of their own.
pub(crate) struct Ahead {
    recipe: Recipe,
    since: Instant,
    name: Option<oneshot::Receiver<Result<TemplateName>>>,
    files: JoinHandle<Result<FileSet>>,
}

/// Begins to read the repo's files for the [`create`](super::create) that follows and its `migrate`. For whoever knows
/// that nothing comes between that writes files. Does nothing where templates are not allowed or this was said before.
pub fn look_ahead(session: &mut Session<'_>, recipe: Recipe) {
    let is_under_way = |ahead: &Ahead| ahead.recipe == recipe && ahead.since.elapsed() < FRESH;
    if !is_allowed(session.repo()) || session.ahead.as_ref().is_some_and(is_under_way) {
        return;
    }
    // SQLite can do without a runtime; nothing is lost but time.
    let Ok(runtime) = Handle::try_current() else { return };
    let (repo, destination) = (session.repo().clone(), Destination::of(session.server()));
    let (named, name) = oneshot::channel();
    let files = runtime.spawn_blocking(move || {
        // The name comes first: a file that is edited in between is then run under the name of its older self, which
        // whoever keeps the template notices, as the name is not that of the files any more.
        let name = named_for(&repo, &destination, recipe).map(|named| named.name);
        // Whoever waited for it may have been cancelled.
        let _ = named.send(name);
        FileSet::read_lanes(&repo, &[])
    });
    session.ahead = Some(Ahead { recipe, since: Instant::now(), name: Some(name), files });
}

/// Returns the name of the template; `None` where the files cannot be read.
pub(super) async fn name(session: &mut Session<'_>, recipe: Recipe) -> Option<TemplateName> {
    let ahead = session.ahead.as_mut();
    let ahead = ahead.filter(|ahead| ahead.recipe == recipe && ahead.since.elapsed() < FRESH);
    match ahead.and_then(|ahead| ahead.name.take()) {
        Some(name) => name.await.ok()?.ok(),
        None => {
            // Files that were read before this name is made are not the ones that it stands for.
            session.ahead = None;
            key(session.repo(), session.server(), recipe).ok()
        }
    }
}

/// Returns the repo's files as they were read a moment ago, for `migrate`; `None` where nobody has, or they are not what
/// is asked for.
pub(crate) async fn files_ahead(
    session: &mut Session<'_>,
    request: &MigrateRequest,
) -> Option<Result<FileSet>> {
    let ahead = session.ahead.take().filter(|ahead| ahead.since.elapsed() < FRESH)?;
    if request.paths.is_empty() { ahead.files.await.ok() } else { None }
}
