//! `run`

use std::path::PathBuf;

use clap::Args;
use dbsetup::{Error, Kind, Result, seed};

use super::shared::Several;
use crate::cli::context::{Output, Task};

/// Run one SQL file, with the same errors and guards as migrations.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// The file, relative to the current directory.
    #[arg(value_name = "FILE.sql")]
    file: PathBuf,

    #[command(flatten)]
    several: Several,
}

impl Run {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        self.several.unless_all(Some("run"))
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let file = std::path::absolute(&self.file).map_err(|error| Error::io("find", &self.file, error))?;
        if !file.is_file() {
            let message = match file.is_dir() {
                true => format!("`{}` is a directory", self.file.display()),
                false => format!("there is no file `{}`", self.file.display()),
            };
            return Err(Error::new(Kind::Missing, message));
        }
        if task.options.dry_run {
            return Ok(Output::Plan(vec![format!("run {}", task.repo.shown(&file).display())]));
        }
        seed::run_file(task.session, &file).await?;
        Ok(Output::Done)
    }
}
