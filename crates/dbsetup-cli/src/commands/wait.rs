//! `wait`

use std::time::Duration;

use clap::Args;
use dbsetup::{Result, storage};

use super::shared::duration;
use crate::task::{Output, Task};

/// Wait until the server of each selected repo answers; its database may be missing.
#[derive(Debug, Clone, Args)]
pub struct Wait {
    /// How long to wait: `500ms`, `60s`, `5m`.
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration)]
    timeout: Duration,
}

impl Wait {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        if task.options.dry_run {
            let server = task.session.server();
            return Ok(Output::Plan(vec![format!("wait for {}", server.target().shown)]));
        }
        storage::wait(task.session, self.timeout).await?;
        Ok(Output::Done)
    }
}
