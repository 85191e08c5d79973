//! `rollback`

use clap::Args;
use dbsetup::migration::{RollbackRequest, Target};
use dbsetup::{Result, migration};

use super::shared::{Goal, LaneFlag, Paths, Several, planned};
use crate::task::{Danger, Output, Task};

/// Undo migrations, the newest application first; one unless told.
///
/// `--to VERSION` undoes that version and what was applied after it. A version without a down side is refused before
/// anything runs. In a protected environment undoing several is asked about, and undoing all wants the database named:
/// `--allow-protected`. What was squashed is undone from `dumped_migrations/`, and the next `migrate` runs it again.
#[derive(Debug, Clone, Args)]
pub struct Rollback {
    /// Which migrations.
    #[arg(long, value_enum, default_value = "all")]
    lane: LaneFlag,

    #[command(flatten)]
    paths: Paths,

    #[command(flatten)]
    goal: Goal,

    /// Show every statement before it runs.
    #[arg(long)]
    log_sql: bool,

    #[command(flatten)]
    several: Several,
}

impl Rollback {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(Some("rollback"))
    }

    pub fn danger(&self) -> Option<Danger> {
        if self.goal.all {
            return Some(Danger::RollBackAll);
        }
        // One step is what a deploy that went wrong takes back.
        (self.goal.flag().is_some()).then(|| Danger::RollBack(Box::new(self.request(true, None))))
    }

    fn request(&self, dry_run: bool, expected: Option<Vec<String>>) -> RollbackRequest {
        RollbackRequest {
            target: self.goal.target(Target::Steps(1)),
            lanes: self.lane.into(),
            paths: self.paths.migrations_path.clone(),
            log_sql: self.log_sql,
            dry_run,
            redo: false,
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
