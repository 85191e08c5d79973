//! What the tests of one process share: a thread on which databases are made and removed, and for each server what
//! makes them.
//!
//! A connection lives on the runtime that opened it, and each test has a runtime of its own: what outlives a test has
//! its home here.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex, mpsc};

use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

use super::{fixtures, template, url};
use crate::driver::{TestDatabase, TestDatabases};
use crate::drivers;
use crate::error::{Error, Kind, Result};
use crate::repo::{CreateOptions, DatabaseUrl, Repo};
use crate::source::Source;
use super::Fixture;

/// How many connections a test's pool may open.
pub(super) const POOL: u32 = 5;
/// How many connections are left to everybody else.
const OTHERS: usize = 10;
/// Environments whose databases are there to be tried things on.
const OPEN: [&str; 2] = ["dev", "test"];

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

/// Runs `work` on the thread of all tests and waits for it, inside of a runtime or outside.
pub(super) fn wait_for<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
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

/// What makes the databases on one server.
pub(super) struct House {
    pub databases: Arc<dyn TestDatabases>,
    url: DatabaseUrl,
    room: Option<Arc<Semaphore>>,
    /// The templates that this process has made or found, by what they are of.
    templates: Mutex<HashMap<String, Arc<OnceCell<Template>>>>,
}

/// A template's name, and what it is made of.
#[derive(Clone)]
struct Template {
    name: String,
    source: Source,
    create: CreateOptions,
}

type Houses = Mutex<HashMap<String, Arc<OnceCell<Arc<House>>>>>;

/// What a test's database is to be.
#[derive(Clone)]
pub(super) struct Wanted {
    /// The test.
    pub test: String,
    /// What tells one source from another within the process.
    pub key: String,
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
        cell.get_or_try_init(|| async { Self::open(url).await.map(Arc::new) }).await.cloned()
    }

    async fn open(url: &DatabaseUrl) -> Result<Self> {
        let server = drivers::open(url, &url::root(), None)?;
        let databases = server.test_databases().await.map_err(|error| {
            Error::from(error).note(format!("opening {} for tests", server.target().shown))
        })?;
        if let Some(recorded) = databases.recorded().iter().find(|name| !OPEN.contains(&name.as_str())) {
            return Err(Error::new(
                Kind::Refused,
                format!("`{url}` names a database of environment `{recorded}`, and tests stay away from its server"),
            )
            .help("let the URL of the tests name another server"));
        }
        let tests = databases.connections().map(|limit| (limit.saturating_sub(OTHERS) / (POOL as usize + 1)).max(1));
        Ok(Self {
            databases,
            url: url.clone(),
            room: tests.map(|tests| Arc::new(Semaphore::new(tests))),
            templates: Mutex::default(),
        })
    }

    /// Makes a database.
    ///
    /// # Errors
    /// Those of the files and of the server.
    pub(super) async fn make(url: DatabaseUrl, wanted: Wanted) -> Result<Made> {
        let house = Self::of(&url).await?;
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
        let Some(source) = &wanted.source else {
            let made = self.databases.make(&wanted.test, None, &CreateOptions::default()).await?;
            return Ok(made.expect("only a copy can lack its template"));
        };
        let template = self.template(wanted, source).await?;
        // It may be removed by somebody who cleans up, just now.
        for _ in 0..3 {
            let name = Some(template.name.as_str());
            if let Some(made) = self.databases.make(&wanted.test, name, &template.create).await? {
                return Ok(made);
            }
            self.make_template(&template).await?;
        }
        Err(Error::new(Kind::Missing, format!("the template `{}` is removed again and again", template.name)))
    }

    /// Returns the template for a source, which is read once in a process.
    async fn template(&self, wanted: &Wanted, source: &Source) -> Result<Template> {
        let cell = Arc::clone(
            self.templates
                .lock()
                .expect("nobody panics while holding it")
                .entry(wanted.key.clone())
                .or_default(),
        );
        cell.get_or_try_init(|| async {
            let repo = repo(source, &self.url)?;
            let name = template::name(source, &repo, self.databases.engine())?;
            Ok(Template { name, source: source.clone(), create: repo.create })
        })
        .await
        .cloned()
    }

    async fn make_template(&self, template: &Template) -> Result<()> {
        let note = format!("{} of {}", template.source.name(), program());
        let source = template.source.clone();
        let fill = Box::new(move |database: TestDatabase| {
            Box::pin(async move { template::fill(&repo(&source, &database.url)?).await }) as crate::driver::BoxFuture<'_, _>
        });
        self.databases.make_template(&template.name, &note, &template.create, fill).await.map_err(|error| {
            error.note(format!("filling the template for tests of `{}`", template.source.name()))
        })
    }
}

/// Whose templates these are: the same files in another checkout are the same templates.
fn program() -> String {
    let package = std::env::var("CARGO_PKG_NAME").unwrap_or_default();
    if package.is_empty() { "a test".to_owned() } else { package }
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
    Ok(repo)
}
