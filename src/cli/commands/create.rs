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
        if task.options.dry_run {
            let server = task.session.server();
            let exists = server.exists().await?;
            let line = format!("create the database {}", server.target().shown);
            return Ok(Output::Plan(if exists { Vec::new() } else { vec![line] }));
        }
        storage::create(task.session).await?;
        Ok(Output::Done)
    }
}
