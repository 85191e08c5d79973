//! `status`

use clap::Args;
use dbsetup::{Result, migration};

use super::shared::LaneFlag;
use crate::task::{Output, Task};

/// Show which migrations are applied, pending, changed, missing or blocked.
///
/// Writes nothing: neither to the database nor to a file.
#[derive(Debug, Clone, Args)]
pub struct Status {
    /// Exit with 3 when anything but applied migrations is shown.
    #[arg(long)]
    check: bool,

    /// Which lanes `--check` is about.
    #[arg(long, value_enum, default_value = "all")]
    lane: LaneFlag,
}

impl Status {
    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let status = migration::status(task.session).await?;
        let current = !self.check || status.is_current(self.lane.into());
        Ok(Output::Status { status: Box::new(status), current })
    }
}
