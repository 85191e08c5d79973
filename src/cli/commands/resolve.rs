//! `resolve`

use clap::Args;
use dbsetup::migration::{Resolution, ResolveRequest, Subject};
use dbsetup::{Error, Kind, Result, migration};

use super::shared::Several;
use crate::cli::context::{Output, Task};

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

    /// Record that the database belongs to this environment.
    #[arg(long, value_name = "NAME", group = "change", conflicts_with_all = ["version", "to"])]
    environment: Option<String>,

    #[command(flatten)]
    several: Several,
}

impl Resolve {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(Some("resolve"))
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let request = ResolveRequest { resolution: self.resolution()?, dry_run: task.options.dry_run };
        let report = migration::resolve(task.session, &request).await?;
        Ok(Output::of(request.dry_run, report.plan))
    }

    fn resolution(&self) -> Result<Resolution> {
        if let Some(environment) = &self.environment {
            return Ok(Resolution::Environment(environment.clone()));
        }
        let subject = match (&self.version, &self.to) {
            (Some(version), _) => Subject::One(version.clone()),
            (None, Some(version)) => Subject::UpTo(version.clone()),
            (None, None) => {
                return Err(Error::new(Kind::Configuration, "no version is named")
                    .help("give the version, or `--to VERSION` for every version up to it"));
            }
        };
        let one = || match &subject {
            Subject::One(version) => Ok(version.clone()),
            Subject::UpTo(_) => {
                Err(Error::new(Kind::Configuration, "`--to` goes with `--applied` and `--not-applied` only")
                    .help("name one version"))
            }
        };
        Ok(if self.applied {
            Resolution::Applied(subject)
        } else if self.not_applied {
            Resolution::NotApplied(subject)
        } else if self.accept_checksum {
            Resolution::AcceptChecksum(one()?)
        } else if let Some(statement) = self.skip_statement {
            Resolution::SkipStatement(one()?, statement)
        } else {
            Resolution::Retry(one()?)
        })
    }
}
