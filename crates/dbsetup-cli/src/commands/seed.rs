//! `seed`

use clap::Args;
use dbsetup::seed::{SeedCommand, SeedRequest};
use dbsetup::{Error, Kind, Result, seed};

use crate::task::{Output, Task};

/// Run the seeds: seeds.sql, seeds/*.sql, seeds/ENVIRONMENT/*.sql, and in a checkout the seed command.
#[derive(Debug, Clone, Args)]
pub struct Seed {
    /// Only a database that was created or loaded and not seeded since.
    #[arg(long)]
    if_new: bool,
}

impl Seed {
    /// Returns the command for a database that was created or loaded and not seeded since.
    pub fn if_new() -> Self {
        Self { if_new: true }
    }

    /// Whether it leaves a database alone that is in use.
    pub fn is_if_new(&self) -> bool {
        self.if_new
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let command = task.repo.seed_command.as_deref().map(|text| command(text, task)).transpose()?;
        let request = SeedRequest { if_new: self.if_new, command, dry_run: task.options.dry_run };
        let report = seed::seed(task.session, &request).await?;
        if report.skipped.is_some() {
            return Ok(Output::of(request.dry_run, None::<String>));
        }
        let files = report.files.iter().map(|file| format!("run {}", task.repo.shown(file).display()));
        let program = task.repo.seed_command.iter().map(|text| format!("run `{text}`"));
        Ok(Output::of(request.dry_run, files.chain(program)))
    }
}

/// Returns the program that seeds, in the crate's directory, with the URLs of all repos.
fn command(text: &str, task: &Task<'_, '_>) -> Result<SeedCommand> {
    let wrong = |why: String| {
        Error::new(
            Kind::Configuration,
            format!("cannot read the `seed-command` of `{}`: {why}", task.repo.name),
        )
    };
    let argv = shell_words::split(text).map_err(|error| wrong(error.to_string()))?;
    if argv.is_empty() {
        return Err(wrong("it is empty".to_owned()));
    }
    Ok(SeedCommand { argv, variables: task.variables.clone(), directory: task.repo.root.clone() })
}
