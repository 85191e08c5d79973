//! What the tests of one process share: a thread on which databases are made and removed, and for each server what
//! makes them.
//!
//! A connection lives on the runtime that opened it, and each test has a runtime of its own: what outlives a test has
//! its home here.

use std::collections::HashMap;
use std::future::Future;
use std::io::Write as _;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, Once, mpsc};

use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::{Fixture, fixtures, url};
use crate::driver::{TemplateName, TestDatabase, TestDatabases};
use crate::drivers;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Observer, What};
use crate::migration::Lanes;
use crate::repo::{CreateOptions, DatabaseUrl, Repo};
use crate::session::Session;
use crate::source::{DISPOSABLE, Source};
use crate::storage;
use crate::template::{self, Recipe};

/// How many connections a test's pool may open.
pub(super) const POOL: u32 = 5;
/// How many connections are left to everybody else.
const OTHERS: usize = 10;
/// The runtime on which databases are made and removed.
static RUNTIME: LazyLock<Handle> = LazyLock::new(|| {
    let (sender, receiver) = mpsc::channel();
    std::thread::Builder::new()
        .name("dbsetup test databases".to_owned())
        .spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a process that runs tests can have one more runtime");
            // Whoever asked for it waits.
            let _ = sender.send(runtime.handle().clone());
            runtime.block_on(std::future::pending::<()>());
        })
        .expect("a process that runs tests can have one more thread");
    receiver.recv().expect("the thread sends its handle first of all")
});

/// Waits for `work`, inside of a runtime or outside. It runs on the thread of all tests, unless it is `brief`: what only
/// copies a file is done before another thread has heard of it.
pub(super) fn wait_for<T: Send + 'static>(brief: bool, work: impl Future<Output = T> + Send + 'static) -> T {
    if brief && Handle::try_current().is_err() {
        return RUNTIME.block_on(work);
    }
    let (sender, receiver) = mpsc::sync_channel(1);
    RUNTIME.spawn(async move {
        let _ = sender.send(work.await);
    });
    receiver.recv().expect("the work does not panic")
}

/// The same without keeping the thread from other work.
pub(super) async fn run<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    RUNTIME.spawn(work).await.expect("the work does not panic")
}

/// Says what somebody should know although the test passes. The harness keeps what is printed by a test that does.
pub(super) fn say(text: &str) {
    // Nothing can be told to a reader who closed the stream.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// What makes the databases on one server.
pub(super) struct House {
    pub databases: Arc<dyn TestDatabases>,
    url: DatabaseUrl,
    room: Option<Arc<Semaphore>>,
    /// The templates that this process has made or found, by what they are of.
    templates: Mutex<HashMap<String, Arc<OnceCell<Arc<Template>>>>>,
}

/// A template, and what it is made of.
struct Template {
    /// `None` where each database is made of the files.
    name: Option<TemplateName>,
    source: Source,
    create: CreateOptions,
    /// Held by the test that makes it.
    alone: tokio::sync::Mutex<()>,
}

/// What is done to an empty database.
const RECIPE: Recipe = Recipe { lanes: Lanes::All, seeds: true };

type Houses = Mutex<HashMap<String, Arc<OnceCell<Result<Arc<House>>>>>>;

/// Returns the same error for another test.
fn again(error: &Error) -> Error {
    let same = Error::new(error.kind(), error.message().to_owned());
    let same = error.notes().iter().fold(same, |same, note| same.note(note.clone()));
    match error.help_text() {
        Some(help) => same.help(help.to_owned()),
        None => same,
    }
}

/// What a test's database is to be.
#[derive(Clone)]
pub(super) struct Wanted {
    /// The test, and its package: what was kept of it is known by that.
    pub test: String,
    /// What tells one source from another within the process.
    pub key: String,
    /// Whether another process, and another source of this one, may have the same template.
    pub shares: bool,
    /// What it is filled from; `None` is nothing.
    pub source: Option<Source>,
    /// What is run on top.
    pub fixtures: &'static [Fixture],
    /// Whether it waits until the server has connections for it.
    pub waits: bool,
}

/// A database, and what keeps others from being too many.
pub(super) struct Made {
    pub house: Arc<House>,
    pub database: TestDatabase,
    pub permit: Option<OwnedSemaphorePermit>,
}

impl House {
    /// Returns the house of a server, which is opened once in a process.
    async fn of(url: &DatabaseUrl) -> Result<Arc<Self>> {
        static HOUSES: LazyLock<Houses> = LazyLock::new(Houses::default);
        let cell = Arc::clone(
            HOUSES
                .lock()
                .expect("nobody panics while holding it")
                .entry(url.expose().to_owned())
                .or_default(),
        );
        let opened = cell.get_or_try_init(|| async {
            match Self::open(url).await {
                Ok(house) => Ok(Ok(Arc::new(house))),
                // It may have room for the next test.
                Err(error) if error.message().contains("(53300)") => Err(error),
                // Hundreds of tests need not wait for the same answer.
                Err(error) => Ok(Err(error)),
            }
        });
        match opened.await? {
            Ok(house) => Ok(Arc::clone(house)),
            Err(error) => Err(again(error)),
        }
    }

    async fn open(url: &DatabaseUrl) -> Result<Self> {
        let server = drivers::open(url, &url::root(), None)?;
        let databases = server.test_databases().await.map_err(|error| {
            Error::from(error).note(format!("opening {} for tests", server.target().shown))
        })?;
        let tests =
            databases.connections().map(|limit| (limit.saturating_sub(OTHERS) / (POOL as usize + 1)).max(1));
        Ok(Self {
            databases,
            url: url.clone(),
            room: tests.map(|tests| Arc::new(Semaphore::new(tests))),
            templates: Mutex::default(),
        })
    }

    /// Refuses the server of a database that is there for more than to be tried things on.
    fn refuse_protected(&self, source: Option<&Source>) -> Result<()> {
        // Those are the same for nearly everybody, and every test asks.
        let is_open = |environment: &str| {
            DISPOSABLE.contains(&environment)
                || source.is_some_and(|source| {
                    source.repo(self.url.clone(), environment).is_ok_and(|repo| repo.disposable)
                })
        };
        match self.databases.recorded().iter().find(|name| !is_open(name)) {
            None => Ok(()),
            Some(recorded) => Err(Error::new(
                Kind::Refused,
                format!(
                    "`{}` names a database of environment `{recorded}`, and tests stay away from its server",
                    self.url
                ),
            )
            .help(format!(
                "let the URL of the tests name another server; where `{recorded}` may be lost, add it to \
                 `disposable-environments`"
            ))),
        }
    }

    /// Makes a database.
    ///
    /// # Errors
    /// Those of the files and of the server.
    pub(super) async fn make(found: url::Found, wanted: Wanted) -> Result<Made> {
        // What goes wrong later is no matter of the URL.
        let house = Self::of(&found.url).await.map_err(|error| found.explain(error))?;
        house.refuse_protected(wanted.source.as_ref())?;
        let permit = match &house.room {
            Some(room) if wanted.waits => Arc::clone(room).acquire_owned().await.ok(),
            _ => None,
        };
        let database = house.database(&wanted).await?;
        if !wanted.fixtures.is_empty() {
            let source = wanted.source.clone().unwrap_or_else(|| Source::directory("test", "."));
            let repo = repo(&source, &database.url)?;
            if let Err(error) = fixtures::run(&repo, wanted.fixtures).await {
                // The failure is what there is to be told.
                let _ = house.databases.remove(&database).await;
                return Err(error);
            }
        }
        Ok(Made { house, database, permit })
    }

    async fn database(&self, wanted: &Wanted) -> Result<TestDatabase> {
        self.databases.forget(&wanted.test).await;
        let database = self.databases.reserve();
        let Some(source) = &wanted.source else {
            self.databases.make(&database, None, &CreateOptions::default()).await?;
            return Ok(database);
        };
        let template = self.template(wanted, source).await?;
        let Some(name) = &template.name else { return self.build(&template).await };
        if self.databases.make(&database, Some(name), &template.create).await? {
            return Ok(database);
        }
        // One test of this process looks for the template and makes it; the others copy it then.
        let alone = template.alone.lock().await;
        if self.databases.make(&database, Some(name), &template.create).await? {
            return Ok(database);
        }
        let built = self.build(&template).await;
        drop(alone);
        built
    }

    /// Returns the template for a source, which is read once in a process.
    async fn template(&self, wanted: &Wanted, source: &Source) -> Result<Arc<Template>> {
        let cell = Arc::clone(
            self.templates
                .lock()
                .expect("nobody panics while holding it")
                .entry(wanted.key.clone())
                .or_default(),
        );
        cell.get_or_try_init(|| async {
            let repo = repo(source, &self.url)?;
            let name = if wanted.shares { name(&repo, &self.databases)? } else { None };
            let create = storage::options(&repo);
            Ok(Arc::new(Template {
                name,
                source: source.clone(),
                create,
                alone: tokio::sync::Mutex::default(),
            }))
        })
        .await
        .cloned()
    }

    /// Makes a database of the files, and a template for the next ones where that can be had.
    async fn build(&self, template: &Template) -> Result<TestDatabase> {
        let database = self.databases.reserve_file();
        let mut repo = repo(&template.source, &database.url)?;
        repo.template &= template.name.is_some();
        let hearer = Refusals::default();
        let mut session = Session::new(&repo, &hearer, "test")?;
        let made = template::ready(&mut session, RECIPE).await;
        session.close().await;
        if let Err(error) = made {
            // The failure is what there is to be told.
            let _ = self.databases.remove(&database).await;
            return Err(error.note(format!("filling a database for tests of `{}`", repo.name)));
        }
        hearer.tell(&repo);
        Ok(database)
    }
}

/// Returns the template's name; `None` where each database is made of the files.
fn name(repo: &Repo, databases: &Arc<dyn TestDatabases>) -> Result<Option<TemplateName>> {
    if !template::is_allowed(repo) {
        return Ok(None);
    }
    let of = |database: TestDatabase| {
        let server = drivers::open(&database.url, &repo.root, None)?;
        template::key(repo, &*server, RECIPE)
    };
    let (one, other) = (of(databases.reserve())?, of(databases.reserve())?);
    // A script that asks for the name of its database makes each of them another one.
    Ok((one == other).then_some(one))
}

/// Hears why no template can be used or made, and says it once in a process: every test is slower for it.
#[derive(Default)]
struct Refusals(Mutex<Option<String>>);

impl Observer for Refusals {
    fn on(&self, event: &Event) {
        if let What::TemplateRefused { reason } | What::TemplateNotKept { reason } = &event.what {
            *self.0.lock().expect("nobody panics while holding it") = Some(reason.clone());
        }
    }
}

impl Refusals {
    fn tell(&self, repo: &Repo) {
        static SAID: Once = Once::new();
        if let Some(reason) = self.0.lock().expect("nobody panics while holding it").take() {
            SAID.call_once(|| {
                say(&format!(
                    "tests of {}: each database is filled anew, for there is no template: {reason}",
                    repo.name
                ));
            });
        }
    }
}

/// Returns the repo of a test's database.
fn repo(source: &Source, url: &DatabaseUrl) -> Result<Repo> {
    let mut repo = source.repo(url.clone(), "test")?;
    if !repo.disposable {
        return Err(Error::new(
            Kind::Refused,
            format!("databases of `{}` in environment `test` are protected", repo.name),
        )
        .help("add `test` to `disposable-environments`"));
    }
    repo.root = Path::new("").to_owned();
    // Where a source leads past its URL, it leads to the application's database.
    (repo.direct_url, repo.maintenance_url, repo.scratch_url) = (None, None, None);
    // So is the engine of that one: a test may have a file where the application has a server.
    repo.engine = None;
    Ok(repo)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_leads_no_test_past_its_own_database() {
        let directory = tempfile::tempdir().expect("a directory");
        let elsewhere = || Some(DatabaseUrl::new("postgres://app@live/core"));
        let source = Source::directory("core", directory.path()).with(move |repo| {
            (repo.direct_url, repo.maintenance_url, repo.scratch_url) =
                (elsewhere(), elsewhere(), elsewhere());
            repo.engine = Some(crate::sql::Dialect::Postgres);
        });
        let repo = repo(&source, &DatabaseUrl::new("sqlite:test.db")).unwrap();
        assert_eq!(repo.engine, None);
        assert_eq!((repo.direct_url, repo.maintenance_url, repo.scratch_url), (None, None, None));
    }
}
