//! What an application does when its database cannot be brought up to its files.

use std::fmt;
use std::sync::Arc;

use super::recover;
use super::work::Work;
use crate::driver::BoxFuture;
use crate::error::{Error, Result};

/// What is done when a start-up fails.
#[derive(Clone, Default)]
#[non_exhaustive]
pub enum OnFailure {
    /// The error is returned. What was applied before it stays, as after every failed migration.
    #[default]
    Abort,
    /// The application serves all the same: [`Outcome::Continued`](super::Outcome::Continued) holds the error.
    Continue,
    /// The database is emptied, and everything is tried once more from nothing: for devices and caches whose data can be
    /// had again. Only what emptying may mend leads to it: never a lock that was not obtained, a server that does not
    /// answer, a full disk or a missing right. Refused for a protected environment and where any table of the users' has
    /// rows, unless data loss is accepted; refused always where the database says that it belongs to another environment.
    Recreate {
        /// Rows and protection notwithstanding: everything in the database is lost.
        accept_data_loss: bool,
    },
    /// A copy is made before anything is applied, and put back when that fails. Nothing is copied where nothing is
    /// pending. Whoever writes to the database meanwhile loses what it wrote: open pools after the start-up.
    RestoreBackup {
        /// Whether the application then serves on the database as it was
        /// ([`Outcome::Restored`](super::Outcome::Restored)), also where no copy could be made and nothing was migrated
        /// ([`Outcome::Continued`](super::Outcome::Continued)), or the error is returned.
        ///
        /// It serves only where nothing that it writes from then on is lost again. The error is returned all the same while
        /// the copy of an earlier start that was interrupted may still be put back, while another process keeps a copy or
        /// holds the lock of a migration, and where putting the copy back failed or is not known to be over:
        /// [`OnFailure::hook`] decides otherwise.
        and_continue: bool,
    },
    /// The application decides, see [`OnFailure::hook`].
    Hook(Hook),
}

/// What an application's hook answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Everything is tried again.
    Retry,
    /// The application serves all the same.
    Continue,
    /// The error is returned.
    Abort,
}

/// A function of the application's.
#[derive(Clone)]
pub struct Hook(Arc<Decide>);

type Decide = dyn for<'a> Fn(Failure<'a>) -> BoxFuture<'a, Answer> + Send + Sync;

impl OnFailure {
    /// Lets a function decide. It is asked after each failure, and says itself how often it wants to try again.
    ///
    /// ```
    /// use dbsetup::startup::{Answer, OnFailure};
    ///
    /// let policy = OnFailure::hook(|failure| {
    ///     Box::pin(async move {
    ///         eprintln!("attempt {}: {}", failure.attempt(), failure.error());
    ///         if failure.attempt() == 1 && failure.recreate(true).await.is_ok() {
    ///             return Answer::Retry;
    ///         }
    ///         Answer::Continue
    ///     })
    /// });
    /// # drop(policy);
    /// ```
    pub fn hook<F>(decide: F) -> Self
    where
        F: for<'a> Fn(Failure<'a>) -> BoxFuture<'a, Answer> + Send + Sync + 'static,
    {
        Self::Hook(Hook(Arc::new(decide)))
    }
}

impl Hook {
    pub(super) async fn decide(&self, failure: Failure<'_>) -> Answer {
        (self.0)(failure).await
    }
}

impl fmt::Debug for OnFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Abort => f.write_str("Abort"),
            Self::Continue => f.write_str("Continue"),
            Self::Recreate { accept_data_loss } => {
                f.debug_struct("Recreate").field("accept_data_loss", accept_data_loss).finish()
            }
            Self::RestoreBackup { and_continue } => {
                f.debug_struct("RestoreBackup").field("and_continue", and_continue).finish()
            }
            Self::Hook(_) => f.write_str("Hook(..)"),
        }
    }
}

/// A failed start-up, and what can be done about it.
pub struct Failure<'a> {
    pub(super) error: &'a Error,
    pub(super) attempt: u32,
    pub(super) work: &'a Work<'a>,
}

impl Failure<'_> {
    /// What failed.
    pub fn error(&self) -> &Error {
        self.error
    }

    /// Which attempt it was, counted from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The repo's name.
    pub fn repo(&self) -> &str {
        self.work.repo.name.as_str()
    }

    /// The database, without its password.
    pub fn database(&self) -> String {
        self.work.repo.url.redacted()
    }

    /// Empties the database under the rules of [`OnFailure::Recreate`]. To try again is then the hook's to answer.
    ///
    /// # Errors
    /// [`Kind::Refused`](crate::Kind::Refused), with the reason; those of the database.
    pub async fn recreate(&self, accept_data_loss: bool) -> Result<()> {
        recover::recreate(self.work, self.error, accept_data_loss).await
    }
}

impl fmt::Debug for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure")
            .field("repo", &self.repo())
            .field("attempt", &self.attempt)
            .field("error", &self.error.to_string())
            .finish_non_exhaustive()
    }
}
