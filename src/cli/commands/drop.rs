//! `drop`

use clap::Args;
use dbsetup::driver::Sessions;
use dbsetup::{Result, storage};

use crate::cli::context::{Output, Task};

/// Drop the database of each selected repo.
///
/// Asks first; without a terminal `--yes` is needed. A database that is missing is a success.
#[derive(Debug, Clone, Args)]
pub struct Drop {
    /// End the sessions of other clients first; otherwise the drop fails while there are any.
    #[arg(long)]
    force_drop: bool,
}

impl Drop {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let server = task.session.server();
        if task.options.dry_run {
            let exists = server.exists().await.map_err(|error| task.session.failure(error))?;
            let line = format!("drop the database {}", server.target().shown);
            return Ok(Output::Plan(if exists { vec![line] } else { Vec::new() }));
        }
        task.session.close().await;
        let sessions = if self.force_drop { Sessions::End } else { Sessions::Keep };
        storage::drop(task.repo, task.session.server(), sessions, &task.session.teller()).await?;
        Ok(Output::Done)
    }
}
