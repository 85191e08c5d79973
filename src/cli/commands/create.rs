//! `create`

use clap::Args;
use dbsetup::{Result, storage, template};

use crate::cli::context::{Output, Task};
use crate::cli::templates;

/// Create the database of each selected repo.
///
/// A database that is there already is left alone, and that is a success. Where the structure and every migration follow in
/// the same run (`setup`, `reset`), and a template of the same files was kept, the database is made as a copy of it.
#[derive(Debug, Clone, Args)]
pub struct Create {}

impl Create {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        if task.options.dry_run {
            let server = task.session.server();
            let exists = server.exists().await?;
            if exists {
                return Ok(Output::Plan(Vec::new()));
            }
            let shown = server.target().shown.clone();
            let from = match task.recipe {
                Some(recipe) => template::foresee(task.session, recipe).await?,
                None => None,
            };
            return Ok(Output::Plan(vec![templates::planned(&shown, from.as_ref())]));
        }
        match task.recipe {
            Some(recipe) => template::create(task.session, recipe).await?,
            None => storage::create(task.session).await?,
        };
        Ok(Output::Done)
    }
}
