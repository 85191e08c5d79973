//! `status`

use clap::Args;
use dbsetup::{Result, migration};

use super::shared::Paths;
use crate::cli::context::{Output, Task};

/// Show which migrations are applied, pending, changed, missing or blocked.
///
/// Writes nothing: neither to the database nor to a file.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Exit with 3 when anything but applied migrations is shown.
    #[arg(long)]
    pub check: bool,

    #[command(flatten)]
    paths: Paths,
}

impl Status {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let paths = self.paths.of(task.repo);
        let status = migration::status(task.session, paths.as_deref()).await?;
        Ok(Output::Status(Box::new(status)))
    }
}
