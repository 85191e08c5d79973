//! Migrations that are code of the application: what SQL cannot say, in its place between the SQL files.
//!
//! They run as the files do: in the order of their versions, under the lock, in one transaction with their row of the
//! ledger, whose source is [`CODE_SOURCE`]. That row is how a program without the code (the plugin) knows what they are.

mod connection;
mod run;

use std::error::Error as StdError;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use connection::CodeConnection;
pub(super) use run::Failure;

use super::assess::Assessment;
use super::directive::Requirement;
use super::grammar::Grammar;
use super::script::Script;
use super::set::Migration;
use super::version::Version;
use crate::driver::BoxFuture;
use crate::error::{Error, Kind, Result};
use crate::ledger::{CODE_SOURCE, LedgerKind};
use crate::repo::{Lane, Repo};

/// What the code of a migration returns: any error fails it.
pub type CodeResult = std::result::Result<(), Box<dyn StdError + Send + Sync>>;

/// One side of a code migration.
type Work = dyn for<'c, 'd> Fn(&'c mut CodeConnection<'d>) -> BoxFuture<'c, CodeResult> + Send + Sync;

/// A migration that is written in Rust.
///
/// ```
/// use dbsetup::migration::CodeMigration;
///
/// let backfill = CodeMigration::new("20260101000000", "backfill_slugs", |db| {
///     Box::pin(async move {
///         for row in db.fetch("SELECT id, title FROM posts WHERE slug IS NULL", &[]).await? {
///             let slug = row[1].as_deref().unwrap_or_default().to_lowercase().replace(' ', "-");
///             db.execute("UPDATE posts SET slug = $1 WHERE id = $2", &[Some(&slug), row[0].as_deref()]).await?;
///         }
///         Ok(())
///     })
/// });
/// assert_eq!(backfill.version(), "20260101000000");
/// ```
///
/// The code may be run more than once before it is recorded: again from its beginning after a lock that was not obtained in
/// time, a deadlock, or a connection that was lost. What it did to the database before is rolled back each time; what it did
/// elsewhere is not. So it must touch nothing but the database, and that through the connection that it is handed.
#[derive(Clone)]
pub struct CodeMigration {
    version: String,
    name: String,
    lane: Lane,
    requires: Vec<Requirement>,
    up: Arc<Work>,
    down: Option<Arc<Work>>,
}

impl CodeMigration {
    /// Returns a migration of the automatic lane. `version` is written as the files write theirs, and sorted with them.
    pub fn new<F>(version: impl Into<String>, name: impl Into<String>, up: F) -> Self
    where
        F: for<'c, 'd> Fn(&'c mut CodeConnection<'d>) -> BoxFuture<'c, CodeResult> + Send + Sync + 'static,
    {
        Self {
            version: version.into(),
            name: name.into(),
            lane: Lane::Automatic,
            requires: Vec::new(),
            up: Arc::new(up),
            down: None,
        }
    }

    /// Adds what undoes it. Without it `rollback` refuses the migration by name.
    #[must_use]
    pub fn down<F>(mut self, down: F) -> Self
    where
        F: for<'c, 'd> Fn(&'c mut CodeConnection<'d>) -> BoxFuture<'c, CodeResult> + Send + Sync + 'static,
    {
        self.down = Some(Arc::new(down));
        self
    }

    /// Where its function is: that of another one is elsewhere, as long as both are there.
    #[cfg(feature = "testing")]
    pub(crate) fn address(&self) -> usize {
        Arc::as_ptr(&self.up).cast::<()>() as usize
    }

    /// Puts it into a lane.
    #[must_use]
    pub fn lane(mut self, lane: Lane) -> Self {
        self.lane = lane;
        self
    }

    /// Adds a version that must be applied before it, as `-- requires: VERSION` does in a file.
    #[must_use]
    pub fn requires(mut self, version: impl Into<String>) -> Self {
        self.requires.push(Requirement::from(version.into().as_str()));
        self
    }

    /// Its version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The lane that it is in.
    pub fn its_lane(&self) -> Lane {
        self.lane
    }

    /// Whether it can be undone.
    pub fn has_down(&self) -> bool {
        self.down.is_some()
    }

    /// Returns it as one of a repo's migrations, with scripts that hold nothing.
    ///
    /// # Errors
    /// [`Kind::Grammar`] when its version is none among the files' ones.
    pub(super) fn to_migration(&self, repo: &Repo, numeric: bool) -> Result<Migration> {
        // diesel reads no dashes.
        let text = if numeric { self.version.clone() } else { self.version.replace('-', "") };
        let version = Version::parse_like(&text, numeric).filter(|version| !version.as_str().is_empty());
        let Some(version) = version else {
            return Err(Error::new(
                Kind::Grammar,
                format!("the code migration `{}` of `{}` has no version", self.name, repo.name),
            )
            .note(format!("`{}` is none: versions are numbers of at most 18 digits", self.version))
            .help("give it one like those of the files: `20260101000000`"));
        };
        let shown = PathBuf::from(format!("{}_{} (code)", self.version, self.name));
        let script = Script::whole(shown, "".into(), true);
        Ok(Migration {
            version,
            name: self.name.clone(),
            lane: self.lane,
            source: CODE_SOURCE.to_owned(),
            directory: PathBuf::new(),
            grammar: if numeric { Grammar::Plain } else { Grammar::Diesel },
            unordered: false,
            down: self.down.is_some().then(|| script.clone()),
            up: script,
            requires: self.requires.clone(),
            code: Some(Arc::new(self.clone())),
        })
    }
}

impl fmt::Debug for CodeMigration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeMigration")
            .field("version", &self.version)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// Equal by version and name: what two functions do cannot be compared.
impl PartialEq for CodeMigration {
    fn eq(&self, other: &Self) -> bool {
        (&self.version, &self.name) == (&other.version, &other.name)
    }
}

impl Eq for CodeMigration {}

/// Refuses code migrations that are to run where the ledger has no place to say what they are.
///
/// # Errors
/// [`Kind::Unsupported`], with what the ledger's own tool would do.
pub(super) fn refuse_ledger(repo: &Repo, found: &Assessment<'_>, ledger: LedgerKind) -> Result<()> {
    let open = found.entries.iter().filter(|entry| entry.row.is_none());
    let mut code = open.filter_map(|entry| entry.migration).filter(|migration| migration.code.is_some());
    let Some(first) = code.next() else { return Ok(()) };
    let Some(why) = refusal(ledger) else { return Ok(()) };
    Err(Error::new(
        Kind::Unsupported,
        format!(
            "migration {} of `{}` is code, which the ledger of {ledger} cannot record",
            first.shown(),
            repo.name
        ),
    )
    .note(why)
    .note("nothing was run")
    .help("write it in SQL; or keep this repo's ledger in our own table: ledger = \"schema_migrations\""))
}

/// Why a ledger has no place for code, if it has none: what the tool that it is of does with a version without a file,
/// and whether a row could say what it is.
fn refusal(ledger: LedgerKind) -> Option<&'static str> {
    match ledger {
        LedgerKind::Dbsetup => None,
        LedgerKind::Sqlx => Some(
            "sqlx stops at a recorded version that has no file (`VersionMissing`), and would run nothing any more",
        ),
        LedgerKind::Refinery => Some(
            "refinery stops at a recorded version that has no file (`missing migration`), and would run nothing any more",
        ),
        LedgerKind::Diesel => Some(
            "diesel's rows hold a version and nothing else: no other program could tell that it is code, and `diesel migration revert` fails at it",
        ),
        LedgerKind::Dbmate => Some(
            "dbmate's rows hold a version and nothing else: no other program could tell that it is code, and `dbmate rollback` fails at it",
        ),
    }
}

/// Compiles what the documentation shows.
#[cfg(doctest)]
#[doc = include_str!("../../../../docs/code-migrations.md")]
struct Documented;

#[cfg(test)]
mod tests;
