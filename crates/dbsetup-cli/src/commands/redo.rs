//! `redo`

use clap::Args;
use dbsetup::migration::{RollbackRequest, Target};
use dbsetup::{Result, migration};

use super::shared::{LaneFlag, Paths, Several, planned};
use crate::task::{Danger, Output, Task};

/// Undo migrations and run them again; the newest one unless told.
///
/// In a protected environment undoing several is asked about, and undoing all wants the database named:
/// `--allow-protected`.
#[derive(Debug, Clone, Args)]
pub struct Redo {
    /// Which migrations.
    #[arg(long, value_enum, default_value = "all")]
    lane: LaneFlag,

    #[command(flatten)]
    paths: Paths,

    /// Redo this version and what was applied after it.
    #[arg(long, value_name = "VERSION", conflicts_with = "step")]
    to: Option<String>,

    /// Redo so many migrations.
    #[arg(short = 'n', long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    step: u32,

    /// Show every statement before it runs.
    #[arg(long)]
    log_sql: bool,

    #[command(flatten)]
    several: Several,
}

impl Redo {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(Some("redo"))
    }

    pub fn danger(&self) -> Option<Danger> {
        let may_be_several = self.to.is_some() || self.step > 1;
        may_be_several.then(|| Danger::RollBack(Box::new(self.request(true, None))))
    }

    fn request(&self, dry_run: bool, expected: Option<Vec<String>>) -> RollbackRequest {
        RollbackRequest {
            target: self.to.clone().map_or(Target::Steps(self.step as usize), Target::To),
            lanes: self.lane.into(),
            paths: self.paths.migrations_path.clone(),
            log_sql: self.log_sql,
            dry_run,
            redo: true,
            expected,
        }
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let request = self.request(task.options.dry_run, task.expected.take());
        let report = migration::rollback(task.session, &request).await?;
        let lines = report.planned.iter().map(|migration| planned(migration, task.options.verbose > 0));
        Ok(Output::of(request.dry_run, lines))
    }
}
