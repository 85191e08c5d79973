//! `create`

use clap::Args;
use dbsetup::{Result, storage};

use crate::cli::context::{Output, Task};

/// Create the database of each selected repo.
///
/// A database that is there already is left alone, and that is a success.
#[derive(Debug, Clone, Args)]
pub struct Create {}

impl Create {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let server = task.session.server();
        if task.options.dry_run {
            let exists = server.exists().await.map_err(|error| task.session.failure(error))?;
            let line = format!("create the database {}", server.target().shown);
            return Ok(Output::Plan(if exists { Vec::new() } else { vec![line] }));
        }
        task.session.close().await;
        storage::create(task.repo, task.session.server(), &task.session.teller()).await?;
        Ok(Output::Done)
    }
}
