//! Where a setting comes from.

use std::fmt;
use std::path::PathBuf;

use super::place::Place;

/// Where a value comes from. Paths are as a person at the workspace root would type them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable of the process.
    Variable(String),
    /// A variable of `.env` or `.env.<env>`.
    DotEnv { path: PathBuf, variable: String },
    /// A variable of `[env]` in cargo's configuration.
    CargoConfig { path: PathBuf, variable: String },
    /// `package.metadata.dbsetup`.
    Package { manifest: PathBuf, key: String },
    /// `workspace.metadata.dbsetup`.
    Workspace { manifest: PathBuf, key: String },
    /// A file or directory that was found.
    Layout(PathBuf),
    /// Nobody said anything.
    Default,
}

impl Origin {
    pub(super) fn of_place(place: &Place) -> Self {
        let (manifest, key) = (place.shown_file().to_path_buf(), place.key());
        if key.starts_with("workspace.") {
            Self::Workspace { manifest, key }
        } else {
            Self::Package { manifest, key }
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "flag {flag}"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::DotEnv { path, variable } | Self::CargoConfig { path, variable } => {
                write!(f, "{} ({variable})", path.display())
            }
            Self::Package { manifest, key } | Self::Workspace { manifest, key } => {
                write!(f, "{} ({key})", manifest.display())
            }
            Self::Layout(path) => write!(f, "found: {}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// One setting of a repo, for `cargo dbsetup config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The key, as in docs/configuration.md.
    pub key: &'static str,
    /// The value as it would be typed; a URL without its password.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}
