//! One attempt of a start-up: what each policy looks at and does. The rules are those of the commands.

use std::time::{Duration, Instant};

use futures_util::future::try_join;

use super::ears::{Ears, Heard};
use super::fast;
use super::phases::Phase;
use super::policy::{Chosen, Policy};
use super::report::{Outcome, Report};
use super::restore;
use super::words::named;
use crate::choice;
use crate::driver::{DbErrorClass, Server};
use crate::error::{Error, Kind, Result};
use crate::event::{Observer, Silent, Teller};
use crate::ledger::{Change, LedgerTable, Progress, meta_key};
use crate::lock;
use crate::migration::current::{Standing, ahead, standing};
use crate::migration::{FileSet, MigrateRequest, migrate_files};
use crate::record;
use crate::repo::Repo;
use crate::seed::{SeedRequest, seed};
use crate::session::{Inspection, Session, explain, open, options};
use crate::storage;

/// What our sessions are called.
pub(super) const VERB: &str = "start-up";
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// How a server is opened, without connecting.
pub(super) type Open = dyn Fn(&Repo) -> Result<Box<dyn Server>> + Send + Sync;

/// What is asked for besides the policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Wishes {
    pub create_if_missing: bool,
    pub seed: bool,
    pub strict: bool,
}

/// Everything that an attempt needs.
pub(super) struct Work<'a> {
    pub repo: &'a Repo,
    pub ears: &'a Ears<'a>,
    pub open: &'a Open,
    pub wishes: Wishes,
    pub policy: Policy,
    pub chosen: Chosen,
    /// Whether a copy is put back when migrating fails, and whether the application then serves.
    pub restores: Option<Restores>,
}

/// What follows after a copy was put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Restores {
    pub and_continue: bool,
}

/// What an attempt that succeeded found.
#[derive(Debug)]
pub(super) struct Done {
    pub outcome: Outcome,
    pub ahead: Vec<String>,
    pub manual: Vec<String>,
    pub blocked: Vec<(String, String)>,
}

impl Done {
    pub(super) fn of(outcome: Outcome, standing: Standing) -> Self {
        let Standing { ahead, manual, blocked, .. } = standing;
        Self { outcome, ahead, manual, blocked }
    }

    /// Returns what the application reads of it, with what was heard since `start`.
    pub(super) fn report(self, heard: Heard, start: Instant) -> Report {
        Report {
            outcome: self.outcome,
            loaded: heard.loaded,
            applied: heard.applied,
            ahead: self.ahead,
            manual_pending: self.manual,
            blocked: self.blocked,
            seeded: heard.seeded,
            warnings: heard.warnings,
            took: start.elapsed(),
        }
    }
}

/// Returns how servers are opened outside of tests.
pub(super) fn open_server(repo: &Repo) -> Result<Box<dyn Server>> {
    open(repo)
}

impl Work<'_> {
    /// Opens a session, not connected.
    pub(super) fn session(&self) -> Result<Session<'_>> {
        let session = Session::with_server(self.repo, self.ears, VERB, (self.open)(self.repo)?);
        // Whoever keeps a copy says himself when it is over.
        Ok(if self.restores.is_some() { session.keeps_copy() } else { session })
    }

    /// Does what the policy says.
    pub(super) async fn attempt(&self) -> Result<Done> {
        self.attempt_once().await.map_err(|error| self.worded(error))
    }

    async fn attempt_once(&self) -> Result<Done> {
        match self.policy {
            Policy::Off => Ok(Done::of(Outcome::Off, Standing::default())),
            Policy::Migrate => match self.glanced().await? {
                Some(done) => Ok(done),
                None => match self.restores {
                    Some(Restores { and_continue }) => restore::migrated(self, and_continue).await,
                    None => self.migrated().await,
                },
            },
            Policy::RequireCurrent => match self.glanced().await? {
                Some(done) => Ok(done),
                None => self.looked(self.ears).await,
            },
            Policy::WaitForCurrent(limit) => self.waited(limit).await,
        }
    }

    /// Returns what one message shows, if it leaves no doubt that there is nothing to do.
    async fn glanced(&self) -> Result<Option<Done>> {
        let repo = self.repo;
        let server = (self.open)(repo)?;
        let guess = choice::guess(repo, server.dialect());
        let (options, names) = (options(repo, VERB), choice::names(repo));
        // Files are read and summed up while the server is on its way. What is wrong with them is told first, as it would
        // be one after the other.
        let glance = async { Ok(server.glance(&options, &guess, &names).await) };
        let (glance, files) = try_join(glance, read(repo, &guess)).await?;
        match glance {
            Ok(Some(glance)) => {
                let standing = fast::beyond_doubt(repo, &files, &guess, glance, self.wishes.seed);
                Ok(standing.map(|standing| Done::of(Outcome::NothingToDo, standing)))
            }
            Ok(None) => Ok(None),
            // It may be made now.
            Err(error) if error.class == DbErrorClass::DatabaseMissing => Ok(None),
            Err(error) => Err(explain(repo, server.target(), error)),
        }
    }

    /// Brings the database up to its files.
    pub(super) async fn migrated(&self) -> Result<Done> {
        let mut session = self.session()?;
        let result = self.migrate_in(&mut session).await;
        session.close().await;
        result
    }

    async fn migrate_in(&self, session: &mut Session<'_>) -> Result<Done> {
        let repo = self.repo;
        if self.wishes.create_if_missing {
            storage::create(session).await?;
        }
        let mut files = FileSet::read_lanes(repo, &[])?;
        let seen = session.inspect().await?;
        // What is said of its migrations makes no sense where they are not ours.
        record::refuse_other_repo(session, &seen)?;
        files.complete(repo, &seen.choice.table, &seen.state)?;
        let ahead = ahead(repo, &files, &seen.choice, &seen.state);
        self.tell_ahead(session.teller(), &ahead)?;
        if self.wishes.seed {
            note_emptiness(session, &seen).await?;
        }
        let report = migrate_files(session, files.clone(), &MigrateRequest::default()).await?;
        if self.wishes.seed {
            self.ears.phase(Phase::Seeding);
            seed(session, &SeedRequest { if_new: true, ..SeedRequest::default() }).await?;
        }
        let now = session.inspect().await?;
        files.complete(repo, &now.choice.table, &now.state)?;
        let standing = standing(repo, &files, &now.choice, &now.state)?;
        introduce(session, &now).await;
        let heard = self.ears.heard();
        let had_work = report.load.is_some() || !report.planned.is_empty();
        let outcome = if heard.loaded {
            Outcome::Loaded
        } else if !heard.applied.is_empty() {
            Outcome::Migrated
        } else if had_work || heard.by_others {
            Outcome::DoneByOther
        } else {
            Outcome::NothingToDo
        };
        Ok(Done::of(outcome, Standing { ahead, ..standing }))
    }

    /// Says that the database is newer than this application, or refuses it.
    fn tell_ahead(&self, teller: Teller<'_>, ahead: &[String]) -> Result<()> {
        if ahead.is_empty() {
            return Ok(());
        }
        let name = &self.repo.name;
        let text = format!(
            "the database of `{name}` is ahead of this application: it has {}, newer than all that is known here",
            named(ahead)
        );
        if self.wishes.strict {
            return Err(Error::new(Kind::Refused, text)
                .note("strict start-up is asked for; nothing was done")
                .help("start the release that the database was migrated for"));
        }
        teller.warn(text, Some("a newer release was here; nothing is undone".into()));
        Ok(())
    }

    /// Looks whether the database is what [`Work::migrated`] would leave. Nothing is written.
    async fn looked(&self, observer: &dyn Observer) -> Result<Done> {
        let server = (self.open)(self.repo)?;
        let mut session = Session::with_server(self.repo, observer, VERB, server).only_looking();
        let result = self.look_in(&mut session).await;
        session.close().await;
        result
    }

    async fn look_in(&self, session: &mut Session<'_>) -> Result<Done> {
        let repo = self.repo;
        let mut files = FileSet::read_lanes(repo, &[])?;
        let seen = session.inspect().await?;
        let request = MigrateRequest { dry_run: true, ..MigrateRequest::default() };
        let owed = migrate_files(session, files.clone(), &request).await?;
        let versions: Vec<String> = owed.planned.iter().map(|planned| planned.version.clone()).collect();
        let is_owed = |progress: &&Progress| !progress.reverting && versions.contains(&progress.version);
        if let Some(half) = seen.state.progress.iter().find(is_owed) {
            let holder = session.driver().await?.lock_holder(&lock::main_key(&seen.choice.table)).await?;
            return Err(self.half_applied(half, holder));
        }
        if owed.load.is_some() || !versions.is_empty() || owed.rewrite.is_some() {
            return Err(self.not_current(owed.load.is_some(), &versions));
        }
        files.complete(repo, &seen.choice.table, &seen.state)?;
        let standing = standing(repo, &files, &seen.choice, &seen.state)?;
        self.tell_ahead(session.teller(), &standing.ahead)?;
        Ok(Done::of(Outcome::NothingToDo, standing))
    }

    /// Looks until the database is current.
    async fn waited(&self, limit: Duration) -> Result<Done> {
        let start = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut has_waited = false;
        loop {
            let left = limit.saturating_sub(start.elapsed());
            // Of a database that is looked at many times each warning is heard once, at the end.
            let look = async {
                match self.glanced().await? {
                    Some(done) => Ok(done),
                    None => self.looked(&Silent).await,
                }
            };
            // A server that does not answer must not make a short wait a long one.
            let looked = tokio::time::timeout(left.max(Duration::from_secs(1)), look).await;
            let error = match looked {
                Ok(Ok(done)) => {
                    self.tell_ahead(Teller::new(&self.repo.name, self.ears), &done.ahead)?;
                    let outcome = if has_waited { Outcome::Waited } else { done.outcome };
                    return Ok(Done { outcome, ..done });
                }
                Ok(Err(error)) if !mends_itself(&error) => return Err(error),
                Ok(Err(error)) => error,
                Err(_) => Error::new(Kind::Unreachable, "the database does not answer"),
            };
            let waited = start.elapsed();
            if waited >= limit {
                return Err(error.note(format!("waited for {:.1} s", waited.as_secs_f64())));
            }
            if !std::mem::replace(&mut has_waited, true) {
                self.ears.phase(Phase::Waiting);
                tracing::info!(
                    repo = self.repo.name.as_str(),
                    why = error.message(),
                    "waiting for the database"
                );
            }
            tokio::time::sleep(lock::jittered(pause).min(limit - waited)).await;
            pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        }
    }
}

/// Reads the files of the lanes and sums them up for a ledger, on a thread of its own: a runtime of one thread has its hands
/// free for the connection.
async fn read(repo: &Repo, ledger: &LedgerTable) -> Result<FileSet> {
    let (repo, ledger) = (repo.clone(), ledger.clone());
    let reading = move || {
        let mut files = FileSet::read_lanes(&repo, &[])?;
        files.sum_up(&ledger, &repo.ledger);
        Ok(files)
    };
    // Without a runtime, which SQLite can do without, nothing is lost but time.
    let Ok(runtime) = tokio::runtime::Handle::try_current() else { return reading() };
    match runtime.spawn_blocking(reading).await {
        Ok(files) => files,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::new(Kind::Io, "the runtime ends while files are read")),
        },
    }
}

/// Whether somebody else may be about to mend it: whoever creates, loads and migrates, or a server that starts.
fn mends_itself(error: &Error) -> bool {
    matches!(
        error.kind(),
        Kind::Check
            | Kind::Unreachable
            | Kind::DatabaseMissing
            | Kind::PartlyLoaded
            | Kind::Locked
            | Kind::Ledger
            | Kind::Undecided
            | Kind::Statement
    )
}

/// Records that an empty database without a structure file is new, so that it is seeded once. A structure's load records
/// that itself.
async fn note_emptiness(session: &mut Session<'_>, seen: &Inspection) -> Result<()> {
    let says_nothing = |seen: &Inspection| {
        let marks = [meta_key::LOADED, meta_key::LOADING, meta_key::SEEDED, meta_key::UNSEEDED];
        seen.state.rows.is_empty() && !marks.iter().any(|mark| seen.state.meta(mark).is_some())
    };
    if session.repo().files.is_file(&session.repo().structure) || !says_nothing(seen) {
        return Ok(());
    }
    let ledger = &seen.choice.table;
    let key = lock::main_key(ledger);
    lock::acquire(session, &key).await?;
    // Another process may have begun while this one waited.
    let now = session.inspect().await?;
    if says_nothing(&now) && session.driver().await?.user_objects(ledger, 1).await?.is_empty() {
        let mut changes = record::first_changes(session.repo(), ledger, &now.state);
        changes.push(Change::SetMeta { key: meta_key::UNSEEDED.into(), value: "empty".into() });
        record::write(session, ledger, &changes).await?;
    }
    lock::release(session, &key).await
}

/// Records whose a database is that somebody else's tool made, so that the next start sees it at a glance. It is no
/// failure when that cannot be done: nothing depends on it.
async fn introduce(session: &mut Session<'_>, now: &Inspection) {
    let changes = record::first_changes(session.repo(), &now.choice.table, &now.state);
    if changes.is_empty() || !now.choice.present.ledger {
        return;
    }
    let ledger = &now.choice.table;
    let key = lock::main_key(ledger);
    let result = async {
        // Whoever holds the lock records it.
        if session.driver().await?.try_lock(&key).await? {
            record::write(session, ledger, &changes).await?;
            lock::release(session, &key).await?;
        }
        Ok::<(), Error>(())
    };
    if let Err(error) = result.await {
        tracing::debug!(repo = session.repo().name.as_str(), %error, "the database is not marked as ours");
        session.close().await;
    }
}
