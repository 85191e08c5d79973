//! One call of the program in a clean environment.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use super::{Project, Run, Running};

/// What the program is called with.
#[derive(Debug)]
pub struct Command<'a> {
    project: &'a Project,
    arguments: Vec<String>,
    directory: PathBuf,
    env: Vec<(String, String)>,
    input: Option<String>,
    timeout: Duration,
}

/// What a program needs from the real environment to run at all. Nothing here may change what it says.
const KEPT: [&str; 10] = [
    "PATH",
    "TMPDIR",
    "RUSTUP_TOOLCHAIN",
    "LLVM_PROFILE_FILE",
    "LD_LIBRARY_PATH",
    // Windows.
    "SystemRoot",
    "TEMP",
    "TMP",
    "ComSpec",
    "PATHEXT",
];

impl<'a> Command<'a> {
    #[track_caller]
    pub(super) fn new(project: &'a Project, line: &str) -> Self {
        Self {
            project,
            arguments: shell_words::split(line).expect("the test's command line has its quotes in pairs"),
            directory: project.root(),
            env: project.env.clone(),
            input: None,
            timeout: Duration::from_secs(60),
        }
    }

    /// Adds an argument as it is.
    pub fn arg(mut self, argument: impl Into<String>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Runs in a directory relative to the root.
    pub fn current_dir(mut self, directory: &str) -> Self {
        self.directory = self.project.root().join(directory);
        self
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives the program a pipe with this text as standard input, instead of none.
    pub fn stdin(mut self, text: &str) -> Self {
        self.input = Some(text.to_owned());
        self
    }

    /// Bounds the run; 60 seconds unless told.
    pub fn timeout(mut self, bound: Duration) -> Self {
        self.timeout = bound;
        self
    }

    /// Runs to the end.
    #[track_caller]
    pub fn run(self) -> Run {
        self.spawn().wait()
    }

    /// Starts and comes back at once.
    #[track_caller]
    pub fn spawn(self) -> Running {
        Running::spawn(self.std(), self.shown(), self.input.as_deref(), self.timeout)
    }

    /// Starts on a terminal.
    #[cfg(unix)]
    #[track_caller]
    pub fn terminal(mut self) -> super::terminal::Terminal {
        // The project's and the test's own settings come later, and win.
        self.env.insert(0, ("TERM".to_owned(), "xterm-256color".to_owned()));
        super::terminal::Terminal::start(&self.std(), self.shown(), self.timeout)
    }

    /// Returns the command line as a person would type it, for messages.
    fn shown(&self) -> String {
        let variables = self.env.iter().map(|(name, value)| format!("{name}={} ", shell_words::quote(value)));
        let variables: String = variables.collect();
        format!("{variables}cargo dbsetup {}", shell_words::join(&self.arguments))
    }

    fn std(&self) -> std::process::Command {
        // As cargo calls a plugin: the subcommand's name is the first argument.
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cargo-dbsetup"));
        command.arg("dbsetup").args(&self.arguments).current_dir(&self.directory);
        command.env_clear().envs(clean_environment(self.project));
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// Returns the environment of every program that a test starts: enough for cargo to work without a network, and
/// nothing of the developer's.
pub fn clean_environment(project: &Project) -> Vec<(String, OsString)> {
    let mut env: Vec<(String, OsString)> = KEPT
        .iter()
        .filter_map(|name| std::env::var_os(name).map(|value| ((*name).to_owned(), value)))
        .collect();
    let home = project.home().as_os_str().to_owned();
    env.push(("CARGO".to_owned(), std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())));
    // A cargo home of its own: the developer's config.toml may set variables and a target directory.
    env.push(("CARGO_HOME".to_owned(), project.home().join(".cargo").into()));
    env.push(("CARGO_NET_OFFLINE".to_owned(), "true".into()));
    if let Some(rustup) = rustup_home() {
        // The `rustc` in PATH may be rustup's, which looks for its toolchains under HOME.
        env.push(("RUSTUP_HOME".to_owned(), rustup));
    }
    env.push(("USERPROFILE".to_owned(), home.clone()));
    env.push(("HOME".to_owned(), home));
    env.push(("TERM".to_owned(), "dumb".into()));
    env
}

fn rustup_home() -> Option<OsString> {
    std::env::var_os("RUSTUP_HOME").or_else(|| {
        let rustup = std::env::home_dir()?.join(".rustup");
        rustup.is_dir().then(|| rustup.into())
    })
}
