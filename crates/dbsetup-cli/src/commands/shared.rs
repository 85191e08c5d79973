//! Flags that several commands share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use dbsetup::event::Direction;
use dbsetup::migration::{Lanes, Planned, Target};

/// Which migrations a command is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LaneFlag {
    /// `migrations/`: safe to run on every deploy.
    Automatic,
    /// `manual_migrations/`: run on demand.
    Manual,
    /// Both, sorted as one.
    All,
}

impl From<LaneFlag> for Lanes {
    fn from(flag: LaneFlag) -> Self {
        match flag {
            LaneFlag::Automatic => Self::Automatic,
            LaneFlag::Manual => Self::Manual,
            LaneFlag::All => Self::All,
        }
    }
}

/// Where migrations are looked for.
#[derive(Debug, Clone, Default, Args)]
pub struct Paths {
    /// Take migrations from this directory instead, relative to the crate (inside a release: as it was in the crate), or a bare name under its priv directory; may be given several times.
    #[arg(long, value_name = "PATH", action = ArgAction::Append)]
    pub migrations_path: Vec<PathBuf>,
}

/// How far to go.
#[derive(Debug, Clone, Default, Args)]
#[group(multiple = false)]
pub struct Goal {
    /// Go as far as this version and include it.
    #[arg(long, value_name = "VERSION")]
    pub to: Option<String>,

    /// Go as far as this version and leave it out.
    #[arg(long, value_name = "VERSION")]
    pub to_exclusive: Option<String>,

    /// Go so many migrations.
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub step: Option<u32>,

    /// Go all the way.
    #[arg(long)]
    pub all: bool,
}

impl Goal {
    /// The target; `unless_told` where no flag names one.
    pub fn target(&self, unless_told: Target) -> Target {
        match self {
            Self { to: Some(version), .. } => Target::To(version.clone()),
            Self { to_exclusive: Some(version), .. } => Target::ToExclusive(version.clone()),
            Self { step: Some(count), .. } => Target::Steps(*count as usize),
            Self { all: true, .. } => Target::All,
            _ => unless_told,
        }
    }

    /// The flag that names a version or a number of them.
    pub fn flag(&self) -> Option<&'static str> {
        match self {
            Self { to: Some(_), .. } => Some("--to"),
            Self { to_exclusive: Some(_), .. } => Some("--to-exclusive"),
            Self { step: Some(_), .. } => Some("--step"),
            _ => None,
        }
    }
}

/// For commands that mean one repo.
#[derive(Debug, Clone, Default, Args)]
pub struct Several {
    /// Do it in every selected repo, although the command speaks of one.
    #[arg(long)]
    pub all_repos: bool,
}

impl Several {
    /// Returns `what` unless every repo is meant.
    pub fn unless_all(&self, what: Option<&'static str>) -> Option<&'static str> {
        what.filter(|_| !self.all_repos)
    }
}

/// Returns what a dry run says of a migration, with its SQL where that is asked for.
pub fn planned(migration: &Planned, with_sql: bool) -> String {
    let verb = match migration.direction {
        Direction::Up => "run",
        Direction::Down => "undo",
    };
    let mut line = format!("{verb} {} {} ({})", migration.version, migration.name, migration.lane);
    if !migration.transactional {
        line += ", without a transaction";
    }
    if migration.is_code {
        line += ", which is code";
    } else if with_sql {
        line += &format!("\n{}", migration.sql.trim_end());
    }
    line
}

/// Parses `90`, `90s`, `500ms`, `2m`, `1h`.
///
/// # Errors
/// A sentence for clap.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 =
        number.parse().map_err(|_| "expected a number and a unit, for example `60s`".to_owned())?;
    let milliseconds = match unit {
        "ms" => 1,
        "" | "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        other => return Err(format!("unknown unit `{other}`; use ms, s, m or h")),
    };
    let total = number.checked_mul(milliseconds).ok_or("the duration is too long")?;
    Ok(Duration::from_millis(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units_and_seconds_are_the_default() {
        assert_eq!(duration("90"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "s", "-1s", "1d", "99999999999999999999h", "9999999999999999999h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
