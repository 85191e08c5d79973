//! What an application does about its database when it starts. Pure, but for the one function that reads the variable.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::error::{Error, Kind, Result};

/// The variable that chooses the policy where the application starts.
pub const VARIABLE: &str = "RUN_MIGRATIONS";
/// How long `wait` waits that names no time.
const WAIT: Duration = Duration::from_secs(60);

/// What an application does about its database when it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Bring it up to the files: load the structure into an empty one, apply what is pending of the automatic lane.
    Migrate,
    /// Refuse to start unless that was done already. Nothing is written.
    RequireCurrent,
    /// Wait so long until somebody else has done it: a release command, another node. Nothing is written.
    WaitForCurrent(Duration),
    /// Do not even connect.
    Off,
}

impl Policy {
    /// Returns what `RUN_MIGRATIONS` says: `migrate` or `1`, `require`, `wait` or `wait:60s`, `off` or `0`. Where it is not
    /// set: [`Policy::Off`] in a build with debug assertions, so that no watcher and no editor migrates, else
    /// [`Policy::Migrate`].
    ///
    /// # Errors
    /// [`Kind::Configuration`] for anything else: a policy that nobody meant must not be guessed.
    pub fn from_env() -> Result<Self> {
        Self::from_env_in(cfg!(debug_assertions))
    }

    /// The same for an application that was built with or without debug assertions.
    ///
    /// # Errors
    /// Those of [`Policy::from_env`].
    pub fn from_env_in(debug_assertions: bool) -> Result<Self> {
        Ok(Self::of_variable()?.unwrap_or(Self::unsaid(debug_assertions)))
    }

    /// What the variable says, where it is set.
    pub(super) fn of_variable() -> Result<Option<Self>> {
        // `${RUN_MIGRATIONS:-}` sets it to nothing.
        let value = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        value.map(|value| value.to_string_lossy().parse()).transpose()
    }

    /// What is done where nobody says anything.
    pub(super) fn unsaid(debug_assertions: bool) -> Self {
        if debug_assertions { Self::Off } else { Self::Migrate }
    }
}

/// Who chose a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chosen {
    /// The application's own code.
    InCode,
    /// `RUN_MIGRATIONS`.
    ByVariable,
    /// Nobody.
    ByNobody,
}

impl FromStr for Policy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        match text.split_once(':') {
            None => match text {
                "migrate" | "1" => Some(Self::Migrate),
                "require" => Some(Self::RequireCurrent),
                "wait" => Some(Self::WaitForCurrent(WAIT)),
                "off" | "0" => Some(Self::Off),
                _ => None,
            },
            Some(("wait", time)) => seconds(time).map(Self::WaitForCurrent),
            Some(_) => None,
        }
        .ok_or_else(|| {
            Error::new(
                Kind::Configuration,
                format!("{VARIABLE} is `{}`, which is no policy", text.escape_debug()),
            )
            .help(format!("`{VARIABLE}=migrate` (or `1`), `require`, `wait:60s` or `off` (or `0`)"))
        })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Migrate => f.write_str("migrate"),
            Self::RequireCurrent => f.write_str("require"),
            Self::WaitForCurrent(time) if time.subsec_millis() == 0 => write!(f, "wait:{}s", time.as_secs()),
            Self::WaitForCurrent(time) => write!(f, "wait:{}ms", time.as_millis()),
            Self::Off => f.write_str("off"),
        }
    }
}

/// Reads `90`, `90s`, `5m`, `1h` or `500ms`.
fn seconds(text: &str) -> Option<Duration> {
    let unit = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(unit);
    let number: u64 = number.parse().ok()?;
    let scale = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    number.checked_mul(scale).map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_of_the_variable_is_a_policy() {
        let wait = |millis| Policy::WaitForCurrent(Duration::from_millis(millis));
        for (text, policy) in [
            ("migrate", Policy::Migrate),
            ("1", Policy::Migrate),
            (" migrate\n", Policy::Migrate),
            ("require", Policy::RequireCurrent),
            ("wait", wait(60_000)),
            ("wait:60s", wait(60_000)),
            ("wait:90", wait(90_000)),
            ("wait:5m", wait(300_000)),
            ("wait:1h", wait(3_600_000)),
            ("wait:500ms", wait(500)),
            ("off", Policy::Off),
            ("0", Policy::Off),
        ] {
            assert_eq!(text.parse::<Policy>().expect(text), policy, "{text}");
            assert_eq!(policy.to_string().parse::<Policy>().expect(text), policy, "{policy}");
        }
    }

    #[test]
    fn what_is_no_policy_is_an_error_that_names_them_all() {
        for text in
            ["", "true", "yes", "Migrate", "2", "wait:", "wait:x", "wait:1d", "wait:-1s", "require:1s"]
        {
            let error = text.parse::<Policy>().expect_err(text);
            assert_eq!(error.kind(), Kind::Configuration, "{text}");
            assert!(error.help_text().expect("it helps").contains("wait:60s"), "{error}");
        }
    }
}
