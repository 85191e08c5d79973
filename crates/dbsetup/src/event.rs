//! What happens, told while it happens. The library never prints: a terminal, a log or a health check listens.

use std::path::PathBuf;
use std::time::Duration;

use crate::repo::{Lane, RepoName};

/// Hears of every event of a run. Called between statements: it must not block.
pub trait Observer: Send + Sync {
    /// Called once for each event, in order for each repo.
    fn on(&self, event: &Event);
}

/// An observer that does not listen.
#[derive(Debug, Clone, Copy, Default)]
pub struct Silent;

impl Observer for Silent {
    fn on(&self, _: &Event) {}
}

/// Something that happened to one repo.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The repo that it happened to.
    pub repo: RepoName,
    /// What happened.
    pub what: What,
}

/// Whether a migration is applied or undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The up side.
    Up,
    /// The down side.
    Down,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum What {
    /// The database was created; `target` names it without a password.
    Created { target: String, took: Duration },
    /// The database was created as a copy of a template, and is as ready as that one; `template` is what the template
    /// was made of, in 24 hexadecimal digits.
    Cloned { target: String, template: String, took: Duration },
    /// The database, ready, was kept as a template for others like it.
    TemplateKept { template: String, took: Duration },
    /// There was such a template already.
    TemplateThere { template: String },
    /// So many templates were removed.
    TemplatesRemoved { count: usize },
    /// No template was used, and why; the database was made without.
    TemplateRefused { reason: String },
    /// The database, ready, was not kept as a template, and why.
    TemplateNotKept { reason: String },
    /// Nobody tried to make a template that was asked for, and why.
    TemplateSkipped { reason: String },
    /// The database was there already.
    AlreadyCreated { target: String },
    /// The database was dropped; `sessions` of other clients were ended for it.
    Dropped { target: String, sessions: usize, took: Duration },
    /// There was no database to drop.
    AlreadyDropped { target: String },
    /// The server answers.
    Reachable { target: String, took: Duration },
    /// The server does not answer yet.
    Unreachable { target: String, waited: Duration, why: String },
    /// Another run holds the lock; said once at the start and every five seconds.
    LockWaiting { holder: Option<String>, waited: Duration },
    /// A structure load began: `bytes` to read.
    LoadStarted { path: PathBuf, bytes: u64 },
    /// So much of the structure file has been sent.
    LoadProgress { bytes: u64 },
    /// The structure was loaded.
    Loaded { path: PathBuf, statements: u64, took: Duration },
    /// The structure was not loaded, and why.
    LoadSkipped { reason: String },
    /// The structure was written (`changed`), or found to be the same as the file.
    Dumped { path: PathBuf, changed: bool, took: Duration },
    /// The structure is written with the filters that the file at `path` names, because no others were asked for.
    FiltersKept { path: PathBuf, filters: Vec<String> },
    /// The structure was loaded into a scratch database, which said the same `facts` as the original. `unread` is what of
    /// the catalogs the role may not read, and was not compared.
    Verified { facts: usize, unread: Vec<String>, took: Duration },
    /// Migrations were squashed: how many, how many `stay` in their lanes, and what now stands where.
    Squashed {
        migrations: usize,
        stay: usize,
        structure: PathBuf,
        floor: PathBuf,
        archive: PathBuf,
        baseline: Option<PathBuf>,
        took: Duration,
    },
    /// A squash that was interrupted is finished; `newest` is the newest version that it took.
    SquashFinished { newest: String },
    /// A squash that was interrupted is given up, and its files are where they were; `newest` is the newest version of it.
    SquashGivenUp { newest: String },
    /// No migration is there to be squashed; so many are applied.
    NothingToSquash { applied: usize },
    /// The database lacks squashed migrations: `count` of them are run first, from the archive at `path`.
    BehindFloor { count: usize, path: PathBuf },
    /// So many rows of squashed migrations have become the one of the baseline.
    LedgerRewritten { rows: usize, version: String },
    /// Migrations are about to run: how many.
    MigrationsPlanned { direction: Direction, count: usize },
    /// A migration began.
    MigrationStarted { direction: Direction, lane: Lane, version: String, name: String, path: PathBuf },
    /// A statement of a migration without a transaction is done: `done` of `total`.
    StatementDone { version: String, done: usize, total: usize },
    /// A migration is applied (or undone) and recorded.
    Migrated { direction: Direction, lane: Lane, version: String, name: String, took: Duration },
    /// Another process applied this migration while this one waited.
    AppliedByOther { version: String, name: String },
    /// There was nothing to apply or undo.
    NothingToMigrate { direction: Direction, applied: usize },
    /// A seed file was run.
    Seeded { path: PathBuf, took: Duration },
    /// Seeds were not run, and why.
    SeedSkipped { reason: String },
    /// A seed command was run.
    SeedCommandDone { command: String, took: Duration },
    /// One SQL file was run.
    FileRun { path: PathBuf, statements: u64, took: Duration },
    /// A statement that is about to run, when they were asked for.
    Statement { sql: String },
    /// The ledger was changed by hand.
    Resolved { version: String, change: String },
    /// The database's record of its environment was changed.
    EnvironmentRecorded { environment: String },
    /// The database's record of its repo was changed: it was `before`'s.
    RepoRecorded { before: String },
    /// Work is tried again: why, and the number of the next attempt.
    Retry { why: String, attempt: u32 },
    /// The server said something.
    Notice { text: String },
    /// Something deserves a look, and what to do about it.
    Warning { text: String, help: Option<String> },
}

/// An observer bound to one repo.
#[derive(Clone, Copy)]
pub struct Teller<'a> {
    repo: &'a RepoName,
    observer: &'a dyn Observer,
}

impl<'a> Teller<'a> {
    /// Binds `observer` to `repo`.
    pub fn new(repo: &'a RepoName, observer: &'a dyn Observer) -> Self {
        Self { repo, observer }
    }

    /// Tells what happened.
    pub fn tell(&self, what: What) {
        self.observer.on(&Event { repo: self.repo.clone(), what });
    }

    /// Tells a warning.
    pub fn warn(&self, text: impl Into<String>, help: Option<String>) {
        self.tell(What::Warning { text: text.into(), help });
    }
}
