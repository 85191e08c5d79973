//! Provisional shape until the branch is merged.
use dbsetup::Result;
use dbsetup::repo::Repo;

use std::path::PathBuf;

/// What the command line selects.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub manifest_path: Option<PathBuf>,
    pub repos: Vec<String>,
    pub packages: Vec<String>,
    pub workspace: bool,
    pub exclude: Vec<String>,
    pub no_dotenv: bool,
    pub database_url: Option<String>,
    pub offline: bool,
    pub locked: bool,
    pub frozen: bool,
}
/// A setting and where it comes from.
#[derive(Debug, Clone)]
pub struct Origin {
    pub key: String,
    pub value: String,
    pub origin: String,
}
/// A repo, settings resolved.
#[derive(Debug, Clone)]
pub struct ResolvedRepo {
    pub repo: Repo,
    pub origins: Vec<Origin>,
}
/// The workspace.
#[derive(Debug, Default)]
pub struct Workspace {
    pub root: PathBuf,
    pub aliases: Vec<Alias>,
}
impl Workspace {
    pub fn discover(_: &Request) -> Result<Self> {
        Ok(Self::default())
    }
    pub fn repos(&self, _: &Request, _env: &str) -> Result<Vec<ResolvedRepo>> {
        Ok(Vec::new())
    }
}
/// An alias of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    pub name: String,
    pub environment: Option<String>,
    pub steps: Vec<String>,
}
impl Alias {
    pub fn error(&self, message: impl Into<String>) -> dbsetup::Error {
        dbsetup::Error::new(dbsetup::Kind::Configuration, message.into())
    }
    pub fn step_error(&self, _: usize, message: impl Into<String>) -> dbsetup::Error {
        self.error(message)
    }
}
pub fn is_cargo_failure(_: &dbsetup::Error) -> bool {
    false
}
