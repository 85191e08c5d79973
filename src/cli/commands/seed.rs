//! `seed`

use clap::Args;
use dbsetup::seed::SeedRequest;
use dbsetup::{Result, seed};

use crate::cli::context::{Output, Task};

/// Run the seeds: seeds.sql, seeds/*.sql, seeds/<env>/*.sql, then the seed command.
#[derive(Debug, Clone, Args)]
pub struct Seed {
    /// Only a database that was created or loaded and not seeded since.
    #[arg(long)]
    if_new: bool,
}

impl Seed {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let request = SeedRequest { if_new: self.if_new, dry_run: task.options.dry_run };
        let report = seed::seed(task.session, &request).await?;
        Ok(Output::of(request.dry_run, report.plan))
    }
}
