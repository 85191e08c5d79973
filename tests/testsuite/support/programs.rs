//! Programs besides the plugin, in the same clean environment, which find the plugin as a user's shell does.

use std::path::Path;
use std::time::Duration;

use super::command::clean_environment;
use super::{Project, Run, Running};

/// Runs a line of a workflow or a document by the shell at the project's root; `cargo dbsetup` is what was built.
#[track_caller]
pub fn run_shell(project: &Project, line: &str, env: &[(String, String)]) -> Run {
    let mut command = if cfg!(windows) {
        let mut command = std::process::Command::new("cmd");
        command.args(["/C", line]);
        command
    } else {
        let mut command = std::process::Command::new("sh");
        command.args(["-euc", line]);
        command
    };
    let plugin =
        Path::new(env!("CARGO_BIN_EXE_cargo-dbsetup")).parent().expect("a program is in a directory");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path =
        std::env::join_paths(std::iter::once(plugin.to_path_buf()).chain(std::env::split_paths(&path)));
    command.current_dir(project.root()).env_clear().envs(clean_environment(project));
    command.env("PATH", path.expect("directories of a PATH have no separator in them"));
    command.env("CARGO_TARGET_DIR", project.root().join("target"));
    command.envs(env.iter().map(|(name, value)| (name, value)));
    Running::spawn(command, line.to_owned(), None, Duration::from_secs(120)).wait()
}
