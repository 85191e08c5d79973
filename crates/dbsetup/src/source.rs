//! What a start-up, a release binary or a test works from: files inside the binary, or a directory. It becomes a
//! [`Repo`] with a URL and an environment.

mod directory;
mod embedded;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use embedded::{Embedded, EmbeddedSettings};

use crate::error::Result;
pub use crate::files::EmbeddedFile;
pub use crate::ledger::LedgerKind;
use crate::migration::CodeMigration;
pub use crate::repo::VersionOrder;
use crate::repo::{DatabaseUrl, Repo, RepoName};
pub use crate::sql::Dialect;

/// Environments whose databases may be dropped where nothing else is configured.
pub const DISPOSABLE: &[&str] = &["dev", "test"];

/// Puts the files of this crate's repo into the binary: the value is an [`Embedded`].
///
/// ```ignore
/// // build.rs: fn main() { dbsetup_build::embed("core"); }
/// static CORE: dbsetup::Embedded = dbsetup::embed!("core");
/// ```
///
/// `embed!()` is for a crate whose build script embeds one repo.
#[macro_export]
macro_rules! embed {
    () => {
        $crate::embed!("")
    };
    ($name:literal) => {{
        // What the build script writes names the library so, whatever the crate calls it.
        #[allow(unused_imports)]
        use $crate::source as __dbsetup;
        include!(concat!(env!("OUT_DIR"), "/dbsetup_", $name, ".rs"))
    }};
}

/// A repo before it has a database: its files, and how they are set up.
#[derive(Clone)]
pub struct Source {
    name: RepoName,
    origin: Origin,
    ledger: Option<LedgerKind>,
    changes: Vec<Change>,
    code: Vec<CodeMigration>,
}

type Change = Arc<dyn Fn(&mut Repo) + Send + Sync>;

#[derive(Debug, Clone)]
enum Origin {
    Embedded(&'static Embedded),
    Directory(PathBuf),
}

impl Source {
    /// Works from files inside the binary.
    pub fn embedded(embedded: &'static Embedded) -> Self {
        Self::new(RepoName::new(embedded.name), Origin::Embedded(embedded))
    }

    /// Works from a directory of this machine: a crate's with `priv/<name>` in it, or the one that has `migrations`,
    /// `structure.sql` and the rest right in it. No manifest is read: settings are those of a repo that configures
    /// nothing, changed by [`Source::with`].
    pub fn directory(name: impl Into<String>, directory: impl Into<PathBuf>) -> Self {
        Self::new(RepoName::new(name), Origin::Directory(directory.into()))
    }

    fn new(name: RepoName, origin: Origin) -> Self {
        Self { name, origin, ledger: None, changes: Vec::new(), code: Vec::new() }
    }

    /// Names the ledger of a database that has none yet; without it a directory's migrations speak for theirs where
    /// only one tool writes them so, and our own is taken for `1_name.sql`.
    #[must_use]
    pub fn ledger(mut self, kind: LedgerKind) -> Self {
        self.ledger = Some(kind);
        self
    }

    /// Changes the repo that [`Source::repo`] returns: a role, schemas, timeouts.
    #[must_use]
    pub fn with(mut self, change: impl Fn(&mut Repo) + Send + Sync + 'static) -> Self {
        self.changes.push(Arc::new(change));
        self
    }

    /// Adds a migration that is code of the application.
    #[must_use]
    pub fn code(mut self, migration: CodeMigration) -> Self {
        self.code.push(migration);
        self
    }

    /// The repo's name.
    pub fn name(&self) -> &RepoName {
        &self.name
    }

    /// The files inside the binary; `None` for a directory.
    pub fn as_embedded(&self) -> Option<&'static Embedded> {
        match self.origin {
            Origin::Embedded(embedded) => Some(embedded),
            Origin::Directory(_) => None,
        }
    }

    /// Whether it was built with debug assertions: by the crate that embeds, or by the library for a directory.
    pub fn debug_assertions(&self) -> bool {
        self.as_embedded().map_or(cfg!(debug_assertions), |embedded| embedded.debug_assertions)
    }

    /// A checksum over everything that the repo is made of, hexadecimal: two with the same have the same files.
    /// That of a directory is another one than that of the same files in a binary.
    ///
    /// # Errors
    /// [`Kind::Io`](crate::Kind::Io) of a directory.
    pub fn content_digest(&self) -> Result<String> {
        match &self.origin {
            Origin::Embedded(embedded) => Ok(embedded.digest.to_owned()),
            Origin::Directory(path) => directory::digest(&self.name, path),
        }
    }

    /// Returns the repo with a database, for `dev`, `test`, `prod` or any other environment.
    ///
    /// A relative SQLite path is relative to the process's current directory, where the application's own pool looks
    /// for it, too.
    ///
    /// # Errors
    /// [`Kind::Configuration`](crate::Kind::Configuration): a setting needs a variable that is not set, or the binary
    /// holds no files for that environment; [`Kind::Missing`](crate::Kind::Missing) without the directory.
    pub fn repo(&self, url: DatabaseUrl, environment: &str) -> Result<Repo> {
        self.repo_that_waits(url, environment, None)
    }

    /// The same with the time that a lock is waited for where neither the binary nor [`Source::with`] says it.
    pub(crate) fn repo_that_waits(
        &self,
        url: DatabaseUrl,
        environment: &str,
        unless_said: Option<Duration>,
    ) -> Result<Repo> {
        let mut repo = match &self.origin {
            Origin::Embedded(embedded) => embedded.repo(url, environment)?,
            Origin::Directory(path) => directory::repo(&self.name, path, url, environment)?,
        };
        if let Some(kind) = self.ledger {
            repo.layout_ledger = Some(kind);
        }
        repo.code.clone_from(&self.code);
        let said = self.as_embedded().and_then(|embedded| embedded.settings_in(environment).lock_wait);
        if let Some(wait) = unless_said.filter(|_| said.is_none()) {
            repo.lock_wait = wait;
        }
        self.changes.iter().for_each(|change| change(&mut repo));
        Ok(repo)
    }
}

impl From<&'static Embedded> for Source {
    fn from(embedded: &'static Embedded) -> Self {
        Self::embedded(embedded)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.name)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

/// The path as it is written in a setting, `/` being what this system writes.
pub(super) fn path(text: &str) -> PathBuf {
    Path::new(text).components().collect()
}

#[cfg(test)]
mod tests;
