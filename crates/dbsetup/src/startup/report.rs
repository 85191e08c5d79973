//! What came of a start-up.

use std::path::PathBuf;
use std::time::Duration;

use crate::error::Error;

/// What came of a start-up that lets the application serve.
#[derive(Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The policy is [`Policy::Off`](super::Policy::Off): nobody has looked.
    Off,
    /// Everything was there.
    NothingToDo,
    /// This process loaded the structure into an empty database, and applied what is newer.
    Loaded,
    /// This process applied migrations.
    Migrated,
    /// Another process did what there was to do while this one looked or waited for its lock.
    DoneByOther,
    /// The database was behind, and somebody brought it up to the files while this process waited for that.
    Waited,
    /// It failed, and [`OnFailure`](super::OnFailure) says that the application serves all the same.
    Continued(Error),
    /// It failed with this error, the database was emptied, and the second attempt succeeded.
    Recreated(Error),
    /// It failed with this error, and the database is as it was before; the application serves all the same.
    Restored(Error),
}

impl Outcome {
    /// The words for it in a log.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NothingToDo => "nothing to do",
            Self::Loaded => "loaded",
            Self::Migrated => "migrated",
            Self::DoneByOther => "done by another process",
            Self::Waited => "waited",
            Self::Continued(_) => "continued after a failure",
            Self::Recreated(_) => "recreated",
            Self::Restored(_) => "restored",
        }
    }
}

/// What a start-up found and did.
#[derive(Debug)]
pub struct Report {
    /// What came of it.
    pub outcome: Outcome,
    /// Whether this process loaded the structure.
    pub loaded: bool,
    /// The versions that this process applied, in order.
    pub applied: Vec<String>,
    /// Applied versions that are newer than all that this application knows: a newer release was here. Not looked for
    /// after a failure.
    pub ahead: Vec<String>,
    /// Pending versions of the manual lane. They are never run at a start.
    pub manual_pending: Vec<String>,
    /// Pending versions of the automatic lane that wait for others, with the version that each waits for.
    pub blocked: Vec<(String, String)>,
    /// The seed files that this process ran.
    pub seeded: Vec<PathBuf>,
    /// What deserves a look: sentences, in order.
    pub warnings: Vec<String>,
    /// How long it took.
    pub took: Duration,
}

impl Report {
    /// Whether the database is newer than this application.
    pub fn is_ahead(&self) -> bool {
        !self.ahead.is_empty()
    }

    /// The failure that the application goes on with, where there was one.
    pub fn failure(&self) -> Option<&Error> {
        match &self.outcome {
            Outcome::Continued(error) | Outcome::Recreated(error) | Outcome::Restored(error) => Some(error),
            _ => None,
        }
    }
}
