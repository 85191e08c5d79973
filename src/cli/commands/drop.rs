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
        if task.options.dry_run {
            let server = task.session.server();
            let exists = server.exists().await?;
            let line = format!("drop the database {}", server.target().shown);
            return Ok(Output::Plan(if exists { vec![line] } else { Vec::new() }));
        }
        let sessions = if self.force_drop { Sessions::End } else { Sessions::Keep };
        storage::drop(task.session, sessions).await?;
        Ok(Output::Done)
    }
}
