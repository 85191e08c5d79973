//! What an application says about its database when something is in the way: in its own settings, and naming no command that
//! may not be there.

use super::policy::{Chosen, Policy, VARIABLE};
use super::work::Work;
use crate::error::{Error, Kind};
use crate::ledger::Progress;
use crate::lock;

const ONLY_LOOKS: &str = "this start-up only looks; nothing was done";
/// How many versions a message names.
const SHOWN: usize = 5;

impl Work<'_> {
    /// Gives an error the help that an application can follow.
    pub(super) fn worded(&self, error: Error) -> Error {
        let error = match error.kind() {
            Kind::Locked if error.class().is_none() && error.help_text().is_none() => {
                error.help(lock::longer(self.repo))
            }
            Kind::DatabaseMissing if !self.wishes.create_if_missing => error.help(self.how_to_make()),
            _ => error,
        };
        match error.help_text().map(|help| self.repo.explained(help)) {
            Some(help) => error.help(help),
            None => error,
        }
    }

    /// What to do about a database that is not there.
    fn how_to_make(&self) -> String {
        let before = match &*self.repo.program.call {
            "" => "make it before the application starts".to_owned(),
            _ => format!("make it before the application starts: {}", self.repo.command("create")),
        };
        match self.policy {
            Policy::Migrate => {
                format!("mend the URL; or let the start-up make it: `.create_if_missing()`; or {before}")
            }
            policy => format!("mend the URL; or {before}: nothing is made under `{policy}`"),
        }
    }

    pub(super) fn not_current(&self, loads: bool, pending: &[String]) -> Error {
        let repo = self.repo;
        let message = match (loads, pending) {
            (true, _) => format!("the database of `{}` is empty: its structure is not loaded", repo.name),
            (false, []) => format!("the ledger of `{}` is to be rewritten for its baseline", repo.name),
            (false, [one]) => {
                format!("the database of `{}` is behind this application: {one} is pending", repo.name)
            }
            (false, many) => format!(
                "the database of `{}` is behind this application: {} migrations are pending",
                repo.name,
                many.len()
            ),
        };
        let error = Error::new(Kind::Check, message);
        let error =
            if pending.len() > 1 { error.note(format!("pending: {}", named(pending))) } else { error };
        error.note(ONLY_LOOKS).help(format!(
            "run the migrations of this release first: {}; or let the application do it: {}",
            repo.command("migrate"),
            self.to_have("migrate", "Migrate")
        ))
    }

    /// A migration that was begun and has not ended, and who is seen to be at it.
    pub(super) fn half_applied(&self, progress: &Progress, holder: Option<String>) -> Error {
        let (repo, version) = (self.repo, &progress.version);
        let message = format!("migration {version} of `{}` is half applied", repo.name);
        let done = format!("{} of its {} statements are done", progress.done, progress.total);
        let error = Error::new(Kind::Check, message).note(done);
        match holder {
            Some(holder) => error.note(format!("{holder} is at it")).note(ONLY_LOOKS).help(format!(
                "wait for that run; or let the application wait: {}",
                self.to_have("wait:10m", "WaitForCurrent(..)")
            )),
            None => error.note("the run that began it was interrupted").note(ONLY_LOOKS).help(format!(
                "finish it: {}; or let the application do it: {}",
                repo.command("migrate"),
                self.to_have("migrate", "Migrate")
            )),
        }
    }

    /// How the application is made to follow another policy: as the present one was chosen.
    fn to_have(&self, value: &str, name: &str) -> String {
        match self.chosen {
            Chosen::InCode => format!("`Policy::{name}`"),
            Chosen::ByVariable | Chosen::ByNobody => format!("`{VARIABLE}={value}`"),
        }
    }
}

/// Adds to a failure why nothing was done about it.
pub(super) fn because(error: Error, refusal: &Error) -> Error {
    let error = error.note(refusal.message().to_owned());
    let error = refusal.notes().iter().fold(error, |error, note| error.note(note.clone()));
    match refusal.help_text() {
        Some(help) if error.help_text().is_none() => error.help(help.to_owned()),
        Some(help) => error.note(help.to_owned()),
        None => error,
    }
}

/// Names a few versions, and counts the rest.
pub(super) fn named(versions: &[String]) -> String {
    let shown = versions[..versions.len().min(SHOWN)].join(", ");
    match versions.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}
