//! `migrate`

use clap::Args;
use dbsetup::migration::{MigrateRequest, Target};
use dbsetup::{Result, migration};

use super::shared::{Goal, LaneFlag, Paths, Several, planned};
use crate::plan::LOADING;
use crate::task::{Output, Task};

/// Run pending migrations.
///
/// On an empty database with a structure file the structure is loaded first, and that is said. A database that lacks
/// squashed migrations runs them first, from `dumped_migrations/`; where they are gone it is refused with exit code 5.
#[derive(Debug, Clone, Args)]
pub struct Migrate {
    /// Which migrations: those that run on every deploy, those that run on demand, or both.
    #[arg(long, value_enum, default_value = "automatic")]
    lane: LaneFlag,

    #[command(flatten)]
    paths: Paths,

    #[command(flatten)]
    goal: Goal,

    /// Refuse a pending migration that is older than the newest applied one.
    #[arg(long)]
    strict_version_order: bool,

    /// Show every statement before it runs.
    #[arg(long)]
    log_sql: bool,

    /// Do not load the structure into an empty database: run every migration.
    #[arg(long)]
    no_load: bool,

    #[command(flatten)]
    several: Several,
}

impl Migrate {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(self.goal.flag())
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let request = MigrateRequest {
            lanes: self.lane.into(),
            paths: self.paths.migrations_path.clone(),
            target: self.goal.target(Target::All),
            strict_order: self.strict_version_order,
            log_sql: self.log_sql,
            no_load: self.no_load,
            dry_run: task.options.dry_run,
        };
        let report = migration::migrate(task.session, &request).await?;
        if request.dry_run {
            let load = report.load.iter().map(|path| format!("{LOADING} from {}", path.display()));
            let blocked =
                report.blocked.iter().map(|(version, by)| format!("leave {version}, which waits for {by}"));
            let runs = report.planned.iter().map(|migration| planned(migration, task.options.verbose > 0));
            let rewrite = report.rewrite.iter().map(|(rows, version)| {
                let rows =
                    if *rows == 1 { "1 row becomes".to_owned() } else { format!("{rows} rows become") };
                format!("rewrite the ledger: {rows} the baseline {version}")
            });
            return Ok(Output::Plan(load.chain(runs).chain(blocked).chain(rewrite).collect()));
        }
        Ok(Output::Migrated(report.done))
    }
}
