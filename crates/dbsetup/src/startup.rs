//! The door for an application that starts: brings its database up to the files that it was built with, or makes sure
//! that somebody has.
//!
//! ```no_run
//! # async fn start(url: &str) -> dbsetup::Result<()> {
//! use dbsetup::{Source, Startup};
//!
//! // Or `Startup::new(&CORE)`, with `static CORE: dbsetup::Embedded = dbsetup::embed!("core");`.
//! let report = Startup::new(Source::directory("core", ".")).url(url).run().await?;
//! println!("{:?}, applied {:?}", report.outcome, report.applied);
//! # Ok(())
//! # }
//! ```
//!
//! It works on a connection of its own, which is closed on every path: after success and failure, when it panics, and
//! when the future is dropped half way. The application's pool is never touched; open it afterwards.

mod address;
mod ears;
mod failure;
mod fast;
mod phases;
mod policy;
mod recover;
mod report;
mod restore;
#[cfg(test)]
mod tests;
mod trace;
mod words;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::Instrument;

pub use address::{ConnectOptions, PostgresOptions};
pub use failure::{Answer, Failure, Hook, OnFailure};
pub use phases::{Phase, Phases};
use policy::Chosen;
pub use policy::{Policy, VARIABLE};
pub use report::{Outcome, Report};

use crate::error::{Error, Kind, Result};
use crate::event::{Observer, Silent};
use crate::migration::CodeMigration;
use crate::migration::current::Standing;
use crate::repo::{DatabaseUrl, Program, Repo};
use crate::source::Source;
use ears::{Ears, Heard};
use words::because;
use work::{Done, Open, Restores, Wishes, Work, open_server};

/// How long the lock of another run is waited for where nothing says it: what waits for an application gives up sooner than
/// a person does.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// What is brought to its database.
enum Origin {
    Source(Source),
    Repo(Box<Repo>),
}

/// A start-up, as it is to be.
#[must_use = "nothing happens before `run`"]
pub struct Startup {
    origin: Origin,
    url: Option<DatabaseUrl>,
    direct_url: Option<DatabaseUrl>,
    environment: Option<String>,
    program: Option<Program>,
    policy: Option<Policy>,
    on_failure: OnFailure,
    wishes: Wishes,
    lock_wait: Option<Duration>,
    observer: Arc<dyn Observer>,
    phases: Phases,
    open: Box<Open>,
}

impl fmt::Debug for Startup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Startup")
            .field("repo", &self.name())
            .field("url", &self.url)
            .field("direct_url", &self.direct_url)
            .field("environment", &self.environment)
            .field("policy", &self.policy)
            .field("on_failure", &self.on_failure)
            .finish_non_exhaustive()
    }
}

impl Startup {
    /// Returns the start-up of a repo whose files are inside the binary, or in a directory.
    pub fn new(source: impl Into<Source>) -> Self {
        Self::from_origin(Origin::Source(source.into()))
    }

    /// Returns the start-up of a repo whose every setting is resolved already.
    pub fn of_repo(repo: Repo) -> Self {
        Self::from_origin(Origin::Repo(Box::new(repo)))
    }

    fn from_origin(origin: Origin) -> Self {
        Self {
            origin,
            url: None,
            direct_url: None,
            environment: None,
            program: None,
            policy: None,
            on_failure: OnFailure::default(),
            wishes: Wishes::default(),
            lock_wait: None,
            observer: Arc::new(Silent),
            phases: Phases::new(),
            open: Box::new(open_server),
        }
    }

    /// The database: a URL, or [`ConnectOptions`].
    pub fn url(mut self, url: impl Into<DatabaseUrl>) -> Self {
        self.url = Some(url.into());
        self
    }

    /// The same database past a pooler: the server's own URL, where [`Startup::url`] is that of a pooler in transaction
    /// mode. Everything is done there.
    pub fn direct_url(mut self, url: impl Into<DatabaseUrl>) -> Self {
        self.direct_url = Some(url.into());
        self
    }

    /// Whose the database is: it is recorded in it, and decides which seeds are run. `prod` where it is not said.
    pub fn environment(mut self, environment: impl Into<String>) -> Self {
        self.environment = Some(environment.into());
        self
    }

    /// Adds a migration that is code of the application.
    pub fn code(mut self, migration: CodeMigration) -> Self {
        self.origin = match self.origin {
            Origin::Source(source) => Origin::Source(source.code(migration)),
            Origin::Repo(mut repo) => {
                repo.code.push(migration);
                Origin::Repo(repo)
            }
        };
        self
    }

    /// Which program users of the application have for its database, as errors and warnings are to call it: the release's
    /// own, `.program("bin/db")`. Where it is not said, commands are named without a program, and with a word on whose they
    /// are: there is no `cargo dbsetup` on a server.
    pub fn program(mut self, program: impl Into<Program>) -> Self {
        self.program = Some(program.into());
        self
    }

    /// What is done. Where it is not said, [`Policy::from_env`] says it.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// What is done when that fails. Where it is not said, the error is returned.
    pub fn on_failure(mut self, on_failure: OnFailure) -> Self {
        self.on_failure = on_failure;
        self
    }

    /// Makes the database where it is missing. Without this a missing one is an error: a typo in a URL must not become an
    /// empty, healthy application.
    pub fn create_if_missing(mut self) -> Self {
        self.wishes.create_if_missing = true;
        self
    }

    /// Runs the SQL seeds once in a database that this tool made or found empty: `seeds.sql`, `seeds/*.sql` and those of the
    /// environment, never those of another one. Seed commands are for development and are not run.
    pub fn seed(mut self) -> Self {
        self.wishes.seed = true;
        self
    }

    /// Refuses a database that is ahead of this application, instead of serving it with a warning.
    pub fn strict(mut self) -> Self {
        self.wishes.strict = true;
        self
    }

    /// How long the lock of another run is waited for. Where it is not said: the repo's `lock-wait`, else 60 seconds.
    pub fn lock_wait(mut self, longest: Duration) -> Self {
        self.lock_wait = Some(longest);
        self
    }

    /// Who hears of everything that happens.
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// The handle that shows how far it is.
    pub fn phases(mut self, phases: &Phases) -> Self {
        self.phases = phases.clone();
        self
    }

    #[cfg(test)]
    fn opens(
        mut self,
        open: impl Fn(&Repo) -> Result<Box<dyn crate::driver::Server>> + Send + Sync + 'static,
    ) -> Self {
        self.open = Box::new(open);
        self
    }

    /// Does it.
    ///
    /// # Errors
    /// [`Kind::Configuration`] for settings and `RUN_MIGRATIONS`,
    /// [`Kind::DatabaseMissing`], [`Kind::Locked`],
    /// [`Kind::BelowFloor`], [`Kind::Changed`] and whatever else stops
    /// `migrate`; [`Kind::Check`] where the policy only looks and something is pending;
    /// [`Kind::Refused`] for a database that is ahead when that is not accepted. No connection and no
    /// lock is left.
    pub async fn run(self) -> Result<Report> {
        let phases = self.phases.clone();
        let mut over = Over { phases: &phases, phase: Phase::Failed };
        let span = tracing::info_span!(
            "dbsetup_startup",
            repo = self.name(),
            environment = tracing::field::Empty,
            database = tracing::field::Empty,
            policy = tracing::field::Empty,
        );
        let mut failing = None;
        let result = self.carry_out(&span, &mut failing).instrument(span.clone()).await;
        let told =
            |error: &Error, continues| trace::failed(self.name(), error, failing.as_deref(), continues);
        span.in_scope(|| match &result {
            Ok(report) => {
                over.phase = Phase::Ready;
                if let Some(error) = report.failure() {
                    told(error, true);
                }
                if !matches!(report.outcome, Outcome::Off) {
                    tracing::info!(outcome = report.outcome.as_str(), took = ?report.took, "start-up done");
                }
            }
            Err(error) => told(error, false),
        });
        result
    }

    fn name(&self) -> &str {
        match &self.origin {
            Origin::Source(source) => source.name().as_str(),
            Origin::Repo(repo) => repo.name.as_str(),
        }
    }

    /// Returns the repo with every setting resolved.
    fn repo(&self) -> Result<Repo> {
        let mut repo = match (&self.origin, &self.url) {
            (Origin::Source(source), Some(url)) => {
                let environment = self.environment.as_deref().unwrap_or("prod");
                // Whoever hands a URL over means that database: no variable of this process leads elsewhere.
                source.repo_that_waits(url.clone(), environment, Some(LOCK_WAIT))?
            }
            (Origin::Source(source), None) => {
                let message = format!("nothing says where the database of `{}` is", source.name());
                return Err(Error::new(Kind::Configuration, message).help("name it: `.url(..)`"));
            }
            (Origin::Repo(repo), url) => {
                let mut repo = Repo::clone(repo);
                if let Some(url) = url {
                    // The others belong to the URL that is replaced.
                    repo.url = url.clone();
                    repo.url_from = None;
                    (repo.direct_url, repo.maintenance_url) = (None, None);
                }
                if let Some(environment) = self.environment.as_ref().filter(|name| **name != repo.environment)
                {
                    // Which environments are disposable was asked for another one.
                    repo.environment.clone_from(environment);
                    repo.disposable = false;
                    repo.engine = None;
                }
                repo
            }
        };
        repo.direct_url = self.direct_url.clone().or(repo.direct_url);
        repo.lock_wait = self.lock_wait.unwrap_or(repo.lock_wait);
        repo.program = match &self.program {
            Some(program) => Program { from_application: true, ..program.clone() },
            None if repo.program == Program::default() => Program::unknown(),
            None => Program { from_application: true, ..repo.program },
        };
        Ok(repo)
    }

    /// Returns what is done, and who says so.
    fn policy_or_variable(&self) -> Result<(Policy, Chosen)> {
        if let Some(policy) = self.policy {
            return Ok((policy, Chosen::InCode));
        }
        if let Some(policy) = Policy::of_variable()? {
            return Ok((policy, Chosen::ByVariable));
        }
        let debug_assertions = match &self.origin {
            Origin::Source(source) => source.debug_assertions(),
            Origin::Repo(_) => cfg!(debug_assertions),
        };
        Ok((Policy::unsaid(debug_assertions), Chosen::ByNobody))
    }

    /// Does it; `failing` becomes the version of the migration that failed.
    async fn carry_out(&self, span: &tracing::Span, failing: &mut Option<String>) -> Result<Report> {
        let start = Instant::now();
        let (policy, chosen) = self.policy_or_variable()?;
        span.record("policy", tracing::field::display(policy));
        self.phases.set(Phase::Starting);
        if policy == Policy::Off {
            trace::off(self.name(), chosen);
            return Ok(Done::of(Outcome::Off, Standing::default()).report(Heard::default(), start));
        }
        let repo = self.repo()?;
        let ears = Ears::new(&*self.observer, &self.phases, &repo);
        span.record("environment", repo.environment.as_str());
        span.record("database", repo.url.redacted().as_str());
        let restores = match self.on_failure {
            OnFailure::RestoreBackup { and_continue } => Some(Restores { and_continue }),
            _ => None,
        };
        let work = Work {
            repo: &repo,
            ears: &ears,
            open: &*self.open,
            wishes: self.wishes,
            policy,
            chosen,
            restores,
        };
        let done = self.attempts(&work, failing).await?;
        Ok(done.report(ears.heard(), start))
    }

    /// Tries as often as the failure policy says; `failing` becomes the version of the migration that failed last.
    async fn attempts(&self, work: &Work<'_>, failing: &mut Option<String>) -> Result<Done> {
        let mut attempt = 1;
        let mut first: Option<Error> = None;
        loop {
            work.ears.begin();
            let result = work.attempt().await;
            let running = work.ears.heard().running;
            // An attempt that succeeds after another one has no part in why that failed.
            if result.is_err() || running.is_some() {
                *failing = running;
            }
            let error = match result {
                Ok(done) => {
                    return Ok(match first {
                        Some(error) => Done { outcome: Outcome::Recreated(error), ..done },
                        None => done,
                    });
                }
                Err(error) => error,
            };
            let continued = |error| Ok(Done::of(Outcome::Continued(error), Standing::default()));
            match &self.on_failure {
                OnFailure::Abort | OnFailure::RestoreBackup { .. } => return Err(error),
                OnFailure::Continue => return continued(error),
                OnFailure::Recreate { accept_data_loss } => {
                    if first.is_some() {
                        return Err(error.note("the database was emptied before, and everything tried again"));
                    }
                    if work.policy != Policy::Migrate {
                        return Err(error);
                    }
                    if let Err(refusal) = recover::recreate(work, &error, *accept_data_loss).await {
                        return Err(because(error, &refusal));
                    }
                    first = Some(error);
                }
                OnFailure::Hook(hook) => match hook.decide(Failure { error: &error, attempt, work }).await {
                    Answer::Retry => {}
                    Answer::Continue => return continued(error),
                    Answer::Abort => return Err(error),
                },
            }
            attempt += 1;
        }
    }
}

/// Says that the start-up is over, also when its future is dropped half way or panics.
struct Over<'a> {
    phases: &'a Phases,
    phase: Phase,
}

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.phases.set(std::mem::take(&mut self.phase));
    }
}
