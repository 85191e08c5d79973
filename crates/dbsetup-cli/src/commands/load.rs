//! `load`

use clap::Args;
use dbsetup::structure::{LoadOutcome, LoadRequest};
use dbsetup::{Result, structure};

use crate::task::{Danger, Output, Task};
use crate::ui::text;

/// Load the structure file into an empty database.
///
/// The database is proved empty first: nothing is ever loaded on top of something else.
#[derive(Debug, Clone, Args)]
pub struct Load {
    /// Skip, and say why, when a structure was loaded or migrations were run already, or there is no structure file.
    #[arg(long)]
    skip_if_loaded: bool,

    /// Empty the database first. That is asked for, and a protected database has to be named: `--allow-protected`.
    #[arg(long, conflicts_with = "skip_if_loaded")]
    force: bool,

    /// Run what reaches beyond the database too: functions in C, untrusted languages, programs, files of the server.
    ///
    /// Only for a file whose author may do on the server whatever you may.
    #[arg(long)]
    trust_file: bool,
}

impl Load {
    /// Returns the command that loads where nothing has been loaded.
    pub fn unless_loaded() -> Self {
        Self { skip_if_loaded: true, force: false, trust_file: false }
    }

    pub fn danger(&self) -> Option<Danger> {
        self.force.then_some(Danger::Empty)
    }

    /// Whether it leaves a database alone that is ready, and has no other wishes.
    pub fn is_plain(&self) -> bool {
        self.skip_if_loaded && !self.trust_file
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        let dry_run = task.options.dry_run;
        let request = LoadRequest {
            skip_if_loaded: self.skip_if_loaded,
            force: self.force,
            dry_run,
            trusted: self.trust_file,
        };
        let outcome = structure::load(task.session, &request).await?;
        let path = task.repo.shown(&task.repo.structure);
        let emptied = if self.force { "empty the database and " } else { "" };
        Ok(Output::of(
            dry_run,
            match outcome {
                LoadOutcome::Loaded { statements } => Some(format!(
                    "{emptied}load {} ({})",
                    path.display(),
                    text::count(statements as usize, "statement")
                )),
                LoadOutcome::Skipped { .. } => None,
            },
        ))
    }
}
