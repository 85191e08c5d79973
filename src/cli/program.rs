//! Programs in aliases: `$ cargo test`. No shell takes part.

use std::path::Path;
use std::process::Stdio;

use dbsetup::{Error, Kind, Result};

use crate::ui::text;
use crate::workspace::ProgramVariables;

/// Runs a program to its end, in `directory`, with the environment and every repo's URL in its variables.
///
/// # Errors
/// [`Kind::Program`] when it cannot be started or fails.
pub async fn run(
    words: &[String],
    directory: &Path,
    variables: &ProgramVariables,
    stdout_is_ours: bool,
) -> Result<()> {
    let (name, arguments) =
        words.split_first().ok_or_else(|| Error::new(Kind::Program, "no program is named"))?;
    let shown = text::line(&shell_words::join(words)).into_owned();
    let mut command = tokio::process::Command::new(name);
    command.args(arguments).current_dir(directory).envs(variables.iter()).kill_on_drop(true);
    if stdout_is_ours {
        command.stdout(Stdio::from(std::io::stderr()));
    }
    let status = command.status().await.map_err(|error| {
        Error::new(Kind::Program, format!("cannot start `{shown}`: {error}"))
            .help("no shell takes part: write `$ sh -c '…'` for pipes and variables")
            .because(error)
    })?;
    if status.success() {
        return Ok(());
    }
    Err(Error::new(
        Kind::Program,
        match status.code() {
            Some(code) => format!("`{shown}` failed with exit code {code}"),
            None => format!("`{shown}` was ended by a signal"),
        },
    ))
}
