//! The result of a run, and what a test can say about it.

use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

use snapbox::IntoData;

/// How a program ended and what it printed. Assertions chain; a failing one prints everything.
#[derive(Debug, Clone)]
pub struct Run {
    command: String,
    status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

impl Run {
    pub(super) fn new(
        command: String,
        status: ExitStatus,
        stdout: String,
        stderr: String,
        took: Duration,
    ) -> Self {
        Self { command, status, stdout, stderr, took }
    }

    #[track_caller]
    pub fn success(&self) -> &Self {
        self.code(0)
    }

    /// Whether it ended with exit code 0, where a loop counts instead of failing at once.
    pub fn is_success(&self) -> bool {
        self.status.success()
    }

    /// Returns the exit code; none after a signal.
    pub fn exit_code(&self) -> Option<i32> {
        self.status.code()
    }

    /// Expects an exit code.
    #[track_caller]
    pub fn code(&self, code: i32) -> &Self {
        self.check(self.status.code() == Some(code), &format!("exit code {code} expected"))
    }

    /// Expects death by a signal.
    #[cfg(unix)]
    #[track_caller]
    pub fn killed_by(&self, signal: i32) -> &Self {
        use std::os::unix::process::ExitStatusExt as _;
        self.check(self.status.signal() == Some(signal), &format!("signal {signal} expected"))
    }

    #[track_caller]
    pub fn stdout_is(&self, text: &str) -> &Self {
        self.check(self.stdout == text, &format!("stdout expected to be {text:?}"))
    }

    #[track_caller]
    pub fn stdout_contains(&self, text: &str) -> &Self {
        self.check(self.stdout.contains(text), &format!("{text:?} expected in stdout"))
    }

    #[track_caller]
    pub fn stdout_lacks(&self, text: &str) -> &Self {
        self.check(!self.stdout.contains(text), &format!("{text:?} not expected in stdout"))
    }

    #[track_caller]
    pub fn stderr_is(&self, text: &str) -> &Self {
        self.check(self.stderr == text, &format!("stderr expected to be {text:?}"))
    }

    #[track_caller]
    pub fn stderr_contains(&self, text: &str) -> &Self {
        self.check(self.stderr.contains(text), &format!("{text:?} expected in stderr"))
    }

    #[track_caller]
    pub fn stderr_lacks(&self, text: &str) -> &Self {
        self.check(!self.stderr.contains(text), &format!("{text:?} not expected in stderr"))
    }

    /// Expects that `text` (a password) is nowhere in what was printed.
    #[track_caller]
    pub fn hides(&self, text: &str) -> &Self {
        assert!(!text.is_empty(), "an empty text is everywhere");
        self.stdout_lacks(text).stderr_lacks(text)
    }

    /// Compares stdout with a pattern of snapbox: `[..]` is the rest of a line, `...` any lines, durations are
    /// written as `[TIME]`. `SNAPSHOTS=overwrite` rewrites a `str![]` in the test's source.
    #[track_caller]
    pub fn stdout_matches(&self, pattern: impl IntoData) -> &Self {
        self.matches("stdout", &self.stdout, pattern)
    }

    /// As [`Run::stdout_matches`], for stderr.
    #[track_caller]
    pub fn stderr_matches(&self, pattern: impl IntoData) -> &Self {
        self.matches("stderr", &self.stderr, pattern)
    }

    #[track_caller]
    fn matches(&self, stream: &str, actual: &str, pattern: impl IntoData) -> &Self {
        let assert = snapbox::Assert::new().action_env(snapbox::assert::DEFAULT_ACTION_ENV);
        if let Err(error) = assert.try_eq(Some(&stream), hide_times(actual).into_data(), pattern.into_data())
        {
            panic!("{error}\n{self}");
        }
        self
    }

    #[track_caller]
    fn check(&self, holds: bool, expected: &str) -> &Self {
        assert!(holds, "{expected}\n{self}");
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, status, stdout, stderr, took } = self;
        write!(f, "--- {command}\n{status} after {took:.1?}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// Replaces durations ("0.1s", "38 ms") by `[TIME]`.
fn hide_times(text: &str) -> String {
    let duration =
        regex::Regex::new(r"[0-9]+(\.[0-9]+)? ?(ms|s|min)(?-u:\b)").expect("the pattern is constant");
    duration.replace_all(text, "[TIME]").into_owned()
}
