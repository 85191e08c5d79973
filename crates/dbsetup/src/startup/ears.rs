//! Hears what happens, remembers it for the report, and passes it on: to the phases, to `tracing`, to the application's
//! own observer.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::phases::{Phase, Phases};
use crate::event::{Event, Observer, What};
use crate::repo::Repo;

/// What was heard.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Heard {
    pub loaded: bool,
    pub applied: Vec<String>,
    pub by_others: bool,
    pub seeded: Vec<PathBuf>,
    pub warnings: Vec<String>,
    /// The version of the migration that began and did not end.
    pub running: Option<String>,
}

/// The observer of a start-up.
pub(super) struct Ears<'a> {
    outer: &'a dyn Observer,
    phases: &'a Phases,
    repo: &'a Repo,
    heard: Mutex<Heard>,
}

impl<'a> Ears<'a> {
    pub(super) fn new(outer: &'a dyn Observer, phases: &'a Phases, repo: &'a Repo) -> Self {
        Self { outer, phases, repo, heard: Mutex::default() }
    }

    /// What was heard so far.
    pub(super) fn heard(&self) -> Heard {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets what was heard of work that is undone, but not which migration failed.
    pub(super) fn forget(&self) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let Heard { warnings, running, .. } = std::mem::take(&mut *heard);
        *heard = Heard { warnings, running, ..Heard::default() };
    }

    /// Forgets the migration that was running: another attempt begins.
    pub(super) fn begin(&self) {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).running = None;
    }

    pub(super) fn phase(&self, phase: Phase) {
        self.phases.set(phase);
    }
}

impl Observer for Ears<'_> {
    fn on(&self, event: &Event) {
        // Whose the commands are that a warning names is said to whoever hears of it.
        if let What::Warning { text, help: Some(help) } = &event.what {
            let explained = self.repo.explained(help);
            if explained != *help {
                let what = What::Warning { text: text.clone(), help: Some(explained) };
                return self.hear(&Event { repo: event.repo.clone(), what });
            }
        }
        self.hear(event);
    }
}

impl Ears<'_> {
    fn hear(&self, event: &Event) {
        let repo = event.repo.as_str();
        {
            let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
            match &event.what {
                What::Loaded { .. } => heard.loaded = true,
                What::MigrationStarted { version, .. } => heard.running = Some(version.clone()),
                What::Migrated { version, .. } => {
                    heard.applied.push(version.clone());
                    heard.running = None;
                }
                What::AppliedByOther { .. } => {
                    heard.by_others = true;
                    heard.running = None;
                }
                What::Seeded { path, .. } => heard.seeded.push(path.clone()),
                What::Warning { text, .. } => heard.warnings.push(text.clone()),
                _ => {}
            }
        }
        match &event.what {
            What::LockWaiting { holder, waited } => {
                self.phase(Phase::Waiting);
                let holder = holder.as_deref().unwrap_or("nobody who is seen");
                tracing::info!(repo, holder, waited = ?waited, "waiting for another run");
            }
            What::Created { target, .. } => tracing::info!(repo, %target, "database created"),
            What::LoadStarted { path, .. } => {
                self.phase(Phase::Loading);
                tracing::info!(repo, path = %path.display(), "loading the structure");
            }
            What::Loaded { path, statements, took } => {
                tracing::info!(repo, path = %path.display(), statements, ?took, "structure loaded");
            }
            What::MigrationStarted { version, name, .. } => {
                self.phase(Phase::Migrating(version.clone()));
                // One that takes an hour looks like a hang to who hears of its end alone.
                tracing::info!(repo, %version, %name, "migrating");
            }
            What::Migrated { version, name, took, .. } => {
                tracing::info!(repo, %version, %name, ?took, "migrated");
            }
            What::AppliedByOther { version, .. } => {
                tracing::info!(repo, %version, "applied by another process");
            }
            What::Seeded { path, took } => tracing::info!(repo, path = %path.display(), ?took, "seeded"),
            What::Retry { why, attempt } => tracing::warn!(repo, %why, attempt, "trying again"),
            What::Warning { text, help } => {
                tracing::warn!(repo, help = help.as_deref().unwrap_or_default(), "{text}");
            }
            What::Notice { text } => tracing::debug!(repo, "{text}"),
            _ => {}
        }
        self.outer.on(event);
    }
}
