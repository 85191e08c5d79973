//! What `create` and `migrate` are going to ask of the files, read while the server drops and copies.

use tokio::task::{JoinHandle, spawn_blocking};

use super::key::{Destination, named_for};
use super::{Recipe, is_allowed};
use crate::driver::TemplateName;
use crate::error::Result;
use crate::migration::FileSet;
use crate::session::Session;

/// Files that are being read by threads of their own.
pub(crate) struct Ahead {
    recipe: Recipe,
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
    let destination = Destination::of(session.server());
    let (named, read) = (repo.clone(), repo.clone());
    session.ahead = Some(Ahead {
        recipe,
        name: Some(spawn_blocking(move || named_for(&named, &destination, recipe).map(|named| named.name))),
        files: Some(spawn_blocking(move || FileSet::read_lanes(&read, &[]))),
    });
}

/// Returns the name of the template, once; `None` where the files cannot be read.
pub(super) async fn name(session: &mut Session<'_>, recipe: Recipe) -> Option<TemplateName> {
    let ahead = session.ahead.as_mut().filter(|ahead| ahead.recipe == recipe)?;
    ahead.name.take()?.await.ok()?.ok()
}

/// Returns the files as they were when the template was looked for; `None` where nobody has read them.
pub(super) async fn files(session: &mut Session<'_>) -> Option<Result<FileSet>> {
    session.ahead.take()?.files?.await.ok()
}
