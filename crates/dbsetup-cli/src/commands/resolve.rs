//! `resolve`

use clap::Args;
use dbsetup::migration::{Resolution, ResolveRequest};
use dbsetup::repo::is_name;
use dbsetup::session::Session;
use dbsetup::{Error, Kind, Result, migration, record};

use super::shared::{LaneFlag, Several};
use crate::task::{Danger, Output, Task};

/// Correct what the database records about migrations, without running them.
///
/// `resolve --applied --to VERSION` is the baseline of a database that was there before its migrations.
#[derive(Debug, Clone, Args)]
#[command(group = clap::ArgGroup::new("change").required(true))]
pub struct Resolve {
    /// The version that is meant.
    #[arg(value_name = "VERSION")]
    version: Option<String>,

    /// Mean every version up to this one.
    #[arg(long, value_name = "VERSION", conflicts_with = "version")]
    to: Option<String>,

    /// Which lanes `--to` is about.
    #[arg(long, value_enum, default_value = "all", requires = "to")]
    lane: LaneFlag,

    /// Record it as applied.
    #[arg(long, group = "change")]
    applied: bool,

    /// Record it as not applied.
    #[arg(long, group = "change")]
    not_applied: bool,

    /// Record the file as it is now as what was run.
    #[arg(long, group = "change")]
    accept_checksum: bool,

    /// Go on with a migration that was interrupted: run its statement again.
    #[arg(long, group = "change")]
    retry: bool,

    /// Go on with a migration that was interrupted: this statement of it is done.
    #[arg(long, value_name = "N", group = "change")]
    skip_statement: Option<usize>,

    /// Record that the database belongs to this environment, and to the repo.
    ///
    /// Where the database belongs to a protected environment, this asks as `drop` does.
    #[arg(long, value_name = "NAME", group = "change", conflicts_with_all = ["version", "to"], value_parser = environment_name)]
    environment: Option<String>,

    #[command(flatten)]
    several: Several,
}

impl Resolve {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(Some("resolve"))
    }

    pub fn danger(&self) -> Option<Danger> {
        self.environment.as_ref().map(|_| Danger::Unprotect)
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let dry_run = task.options.dry_run;
        if let Some(environment) = &self.environment {
            let mut plan = vec![format!("record the environment {environment}")];
            if dry_run {
                plan.extend(taken_over(task.session).await?);
            } else {
                record::set_environment(task.session, environment).await?;
            }
            return Ok(Output::of(dry_run, plan));
        }
        let (version, resolution) = self.resolution()?;
        let request = ResolveRequest { version, resolution, dry_run };
        let resolved = migration::resolve(task.session, &request).await?;
        Ok(Output::of(
            dry_run,
            resolved.iter().map(|one| format!("change version {}: {}", one.version, one.change)),
        ))
    }

    fn resolution(&self) -> Result<(String, Resolution)> {
        if let Some(version) = &self.to {
            if !self.applied {
                return Err(Error::new(Kind::Configuration, "`--to` goes with `--applied` alone")
                    .help("name one version"));
            }
            return Ok((version.clone(), Resolution::AppliedTo { lanes: self.lane.into() }));
        }
        let version = self.version.clone().ok_or_else(|| {
            Error::new(Kind::Configuration, "no version is named")
                .help("name one, or `--applied --to VERSION` for every version up to it")
        })?;
        let resolution = if self.applied {
            Resolution::Applied
        } else if self.not_applied {
            Resolution::NotApplied
        } else if self.accept_checksum {
            Resolution::AcceptChecksum
        } else if let Some(statement) = self.skip_statement {
            Resolution::SkipStatement(statement)
        } else {
            Resolution::Retry
        };
        Ok((version, resolution))
    }
}

/// What recording the repo takes from another one.
async fn taken_over(session: &mut Session<'_>) -> Result<Option<String>> {
    let repo = session.repo();
    let Some(seen) = session.inspect_if_exists().await? else { return Ok(None) };
    let before = record::recorded_for_other(repo, &seen.choice.table, &seen.state);
    Ok(before.map(|before| format!("record the repo {}, and no longer {before}", repo.name)))
}

/// Takes what `--env` takes.
fn environment_name(text: &str) -> Result<String, String> {
    if is_name(text) { Ok(text.to_owned()) } else { Err("use letters, digits, `-` and `_`".to_owned()) }
}
