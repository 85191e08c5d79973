//! Making a template before anybody needs it, in a database that nobody else sees.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::keep::serves;
use super::key::{Named, named};
use super::ready::ready_as;
use super::{Ready, Recipe, is_allowed};
use crate::driver::TemplateName;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, What};
use crate::session::Session;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Warmed {
    /// The template was made.
    Made { name: TemplateName, took: Duration },
    /// It was there.
    There { name: TemplateName },
}

/// Hears why there is no template, and nothing else: the rest is about a database that is none of the user's.
#[derive(Default)]
struct Reasons(Mutex<Option<String>>);

impl Observer for Reasons {
    fn on(&self, event: &Event) {
        if let What::TemplateRefused { reason } | What::TemplateNotKept { reason } = &event.what {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason.clone());
        }
    }
}

/// Makes the template that the repo's files are worth now, unless it is there. The repo's own database is not touched.
///
/// # Errors
/// [`Kind::Refused`] where the repo allows no templates ([`is_allowed`]); [`Kind::Unsupported`] where none can be made,
/// with the reason (a script that asks for its database's name is one); those of making a database ready, which is removed.
pub async fn warm(session: &mut Session<'_>, recipe: Recipe) -> Result<Warmed> {
    let start = Instant::now();
    let repo = session.repo();
    if !is_allowed(repo) {
        let why = if repo.template { "its environment is protected" } else { "`template = false`" };
        return Err(Error::new(Kind::Refused, format!("`{}` has no templates: {why}", repo.name)));
    }
    let Named { name, asks_for_name } = named(repo, session.server(), recipe)?;
    let found = session.server().templates().await?;
    if found.iter().any(|template| template.usable && template.name == name) {
        return Ok(Warmed::There { name });
    }
    if asks_for_name {
        let why = "a script asks for the name of its database, and it would be made under another one";
        return Err(Error::new(
            Kind::Unsupported,
            format!("no template of `{}` can be made: {why}", repo.name),
        )
        .help(format!("`{}` keeps the database that it makes", repo.command("setup"))));
    }
    let workshop = session.server().workshop().await?;
    let reasons = Reasons::default();
    let mut inside = Session::with_server(repo, &reasons, "cache warm", workshop.server());
    let database = serves(session.server(), recipe);
    let made = ready_as(&mut inside, &name, database, recipe).await;
    inside.close().await;
    drop(inside);
    let discarded = workshop.discard().await;
    let made = made.map_err(|error| {
        error.note("it was run in a database of its own, which is removed: nothing else was touched")
    })?;
    discarded?;
    let reason = reasons.0.into_inner().unwrap_or_else(PoisonError::into_inner);
    match (made, reason) {
        (Ready::Built, None) => Ok(Warmed::Made { name, took: start.elapsed() }),
        (Ready::Cloned, _) => Ok(Warmed::There { name }),
        (Ready::WithoutTemplate | Ready::Built, reason) => {
            let why = reason.unwrap_or_else(|| "the files were changed meanwhile".to_owned());
            Err(Error::new(Kind::Unsupported, format!("no template of `{}` can be made: {why}", repo.name)))
        }
    }
}
