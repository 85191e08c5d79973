//! A release's own binary: the commands of `cargo dbsetup` that need no checkout, on files that the binary carries.
//!
//! ```no_run
//! # use dbsetup::{Embedded, Source};
//! # fn core() -> Source { Source::directory("core", "priv/core") }
//! fn main() -> std::process::ExitCode {
//!     dbsetup_cli::Release::new().repo(core()).main()
//! }
//! ```

mod args;
mod exit_codes;
mod repos;
mod run;
mod runner;
mod setup;
mod work;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::process::ExitCode;

use dbsetup::repo::Program;
use dbsetup::source::{Embedded, Source};

use crate::exit;

/// The environment of a command line that names none.
pub const DEFAULT_ENVIRONMENT: &str = "prod";

/// A binary that works on the repos of one or several crates.
#[derive(Debug, Clone, Default)]
pub struct Release {
    sources: Vec<Source>,
    call: Option<String>,
    version: Option<String>,
}

impl Release {
    /// Returns one that has no repo yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a repo. They are worked on in the order in which they are added.
    #[must_use]
    pub fn repo(mut self, source: impl Into<Source>) -> Self {
        self.sources.push(source.into());
        self
    }

    /// Says how the program is called in help and messages, as a person types it: `shop db`. Without it: as it was called.
    #[must_use]
    pub fn called(mut self, call: impl Into<String>) -> Self {
        self.call = Some(call.into());
        self
    }

    /// Says what `--version` shows: `env!("CARGO_PKG_VERSION")`.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = Some(version.into());
        self
    }

    /// Runs the command line of the process, and returns its exit code. It has a runtime of its own, on this thread.
    pub fn main(self) -> ExitCode {
        let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
        let call = words.next().filter(|call| !call.is_empty());
        let release = match call {
            Some(call) => self.started_as(&call),
            None => self,
        };
        let words: Vec<String> = words.collect();
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("error: cannot start: {error}");
                return ExitCode::from(exit::FAILED);
            }
        };
        let code = runtime.block_on(release.run(words));
        // A question that nobody answered is no reason to stay.
        runtime.shutdown_background();
        ExitCode::from(code)
    }

    /// Takes the path by which the program was started for its name, unless it has one.
    fn started_as(self, path: &str) -> Self {
        match self.call {
            Some(_) => self,
            // One with a space in it is one word to a shell.
            None => self.called(shell_words::quote(path)),
        }
    }

    /// Runs a command line without the program's name, and returns its exit code. What servers say besides their answers
    /// is heard through `tracing` on this thread: on a runtime of one thread.
    pub async fn run(&self, words: impl IntoIterator<Item = impl Into<String>>) -> u8 {
        let words: Vec<String> = words.into_iter().map(Into::into).collect();
        run::run(self, &words).await
    }

    /// How the program is called.
    fn call(&self) -> &str {
        self.call.as_deref().unwrap_or("release")
    }

    /// What messages say about it.
    fn program(&self) -> Program {
        Program {
            words: Some(args::WORDS),
            environment: Cow::Borrowed(DEFAULT_ENVIRONMENT),
            ..Program::release(self.call().to_owned())
        }
    }
}

/// Runs the command line of the process on embedded repos, and returns its exit code: all of a release binary's `main`.
pub fn release(repos: &[&'static Embedded]) -> ExitCode {
    repos.iter().fold(Release::new(), |release, &repo| release.repo(repo)).main()
}
