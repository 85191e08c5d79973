//! `migrate`

use clap::Args;
use dbsetup::migration::{Lanes, MigrateRequest, Target};
use dbsetup::{Result, migration};

use super::shared::{Goal, LaneFlag, Paths, Several, planned};
use crate::plan::LOADING;
use crate::task::{Output, Task};
use crate::ui::text;

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
    how: Manner,
}

/// How migrations are run, whichever they are.
#[derive(Debug, Clone, Default, Args)]
pub struct Manner {
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
    /// Returns the command for these lanes.
    pub fn of(lane: LaneFlag, how: Manner) -> Self {
        Self { lane, how }
    }

    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.how.several.unless_all(self.how.goal.flag())
    }

    /// The lanes of which it runs everything; `None` where it has other wishes.
    pub fn plain_lanes(&self) -> Option<Lanes> {
        let is_plain = self.how.paths.migrations_path.is_empty()
            && self.how.goal.target(Target::All) == Target::All
            && !self.how.strict_version_order
            && !self.how.log_sql
            && !self.how.no_load;
        is_plain.then(|| self.lane.into())
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let request = MigrateRequest {
            lanes: self.lane.into(),
            paths: self.how.paths.migrations_path.clone(),
            target: self.how.goal.target(Target::All),
            strict_order: self.how.strict_version_order,
            log_sql: self.how.log_sql,
            no_load: self.how.no_load,
            dry_run: task.options.dry_run,
        };
        let report = migration::migrate(task.session, &request).await?;
        tell_ahead(task, &report.ahead);
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

/// Says that a newer release, or another branch, has migrated the database: it is served as it is.
fn tell_ahead(task: &Task<'_, '_>, ahead: &[String]) {
    const SHOWN: usize = 5;
    if ahead.is_empty() {
        return;
    }
    let mut versions = text::listed(ahead.iter().take(SHOWN).map(String::as_str));
    if ahead.len() > SHOWN {
        versions += &format!(" and {} more", ahead.len() - SHOWN);
    }
    let (name, place) = (&task.repo.name, task.repo.place());
    task.session.teller().warn(
        format!("the database of `{name}` is ahead of {place}: it has {versions}, newer than all that is known here"),
        Some(format!("nothing of it is undone; see {}", task.repo.command("status"))),
    );
}
