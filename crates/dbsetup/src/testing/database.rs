//! A test's database: what removes it.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::house::{self, House, Made, Wanted};
use super::url::Found;
use super::{Arguments, Engine, origin, url};
use crate::driver::{BoxFuture, TestDatabase};
use crate::error::Result;
use crate::migration::CodeMigration;
use crate::repo::{DatabaseUrl, Repo};
use crate::source::Source;

/// The variable that leaves the database of a failing test to a person.
const KEEP: &str = "DBSETUP_TEST_KEEP";

/// A database that one test has for itself. It is removed when the test ends, or, made by hand, when the value is
/// dropped.
pub struct Database(pub(super) Arc<Inner>);

pub(super) struct Inner {
    house: Arc<House>,
    pub(super) database: TestDatabase,
    test: String,
    kept: AtomicBool,
    gone: AtomicBool,
    /// What is waited for at the end of the test, on its own runtime.
    endings: Mutex<Vec<BoxFuture<'static, ()>>>,
    _permit: Option<tokio::sync::OwnedSemaphorePermit>,
}

/// What a test can take: made from its database.
#[diagnostic::on_unimplemented(
    message = "a test cannot take `{Self}`",
    label = "no type that `#[dbsetup::test]` makes from a database",
    note = "it takes a pool, a pooled connection or options of sqlx 0.9, `dbsetup::testing::Database`, or a type with \
            `dbsetup::testing::FromDatabase`; the features `postgres` and `sqlite` of dbsetup bring their types"
)]
pub trait FromDatabase: Sized {
    /// The engine that it needs; `None` takes the one of the URL.
    fn engine() -> Option<Engine> {
        None
    }

    /// Makes the value, on the runtime of the test.
    ///
    /// # Errors
    /// Those of connecting.
    fn from_database(database: &Database) -> impl Future<Output = Result<Self>>;
}

impl FromDatabase for Database {
    async fn from_database(database: &Database) -> Result<Self> {
        Ok(Self(Arc::clone(&database.0)))
    }
}

impl Database {
    /// Makes a database with the structure and the seeds of `source`, as `#[dbsetup::test]` does, on the server of
    /// `DATABASE_URL`. A blocking function uses [`Database::blocking`].
    ///
    /// # Errors
    /// Those of the files and of the server.
    pub async fn new(source: impl Into<Source>) -> Result<Self> {
        let (found, wanted) = by_hand(source.into())?;
        let made = house::run(House::make(found.clone(), wanted.clone())).await;
        made.map(|made| Self::of(made, wanted.test))
    }

    /// The same for a function that is not `async`.
    ///
    /// # Errors
    /// Those of [`Database::new`].
    pub fn blocking(source: impl Into<Source>) -> Result<Self> {
        let (found, wanted) = by_hand(source.into())?;
        let made = house::wait_for(is_brief(&found.url), House::make(found.clone(), wanted.clone()));
        made.map(|made| Self::of(made, wanted.test))
    }

    /// Makes the database of a test that the attribute describes.
    pub(super) fn for_test(arguments: &Arguments, engine: Option<Engine>) -> Result<Self> {
        let source = origin::find_once(arguments)?;
        let name = source.as_ref().map(|source| source.name().clone());
        let found = url::find_once(name.as_ref(), engine, Path::new(arguments.directory))?;
        let wanted = Wanted {
            test: of_package(arguments.test, arguments.package),
            key: format!("{:?} {source:?} {}", arguments.origin, arguments.directory),
            shares: true,
            source,
            fixtures: arguments.fixtures,
            waits: true,
        };
        let test = wanted.test.clone();
        let made = house::wait_for(is_brief(&found.url), House::make(found.clone(), wanted));
        made.map(|made| Self::of(made, test))
    }

    fn of(made: Made, test: String) -> Self {
        Self(Arc::new(Inner {
            house: made.house,
            database: made.database,
            test,
            kept: AtomicBool::new(false),
            gone: AtomicBool::new(false),
            endings: Mutex::default(),
            _permit: made.permit,
        }))
    }

    /// The URL of the database, with the user, the password and the parameters of the server's own.
    pub fn url(&self) -> &str {
        self.0.database.url.expose()
    }

    /// The name of the database on its server; of a file, the file's.
    pub fn name(&self) -> &str {
        &self.0.database.name
    }

    /// The file, where the database is one.
    pub fn path(&self) -> Option<&Path> {
        self.0.database.path.as_deref()
    }

    /// The test.
    pub fn test(&self) -> &str {
        &self.0.test
    }

    /// Leaves the database to a person, whatever becomes of the test. It is removed when the same test runs again.
    pub fn keep(&self) {
        self.0.kept.store(true, Ordering::Relaxed);
    }

    /// The URL as the library knows it.
    #[cfg_attr(
        not(any(feature = "postgres", feature = "sqlite")),
        expect(dead_code, reason = "no pool, no use")
    )]
    pub(super) fn database_url(&self) -> &DatabaseUrl {
        &self.0.database.url
    }

    /// Waits for `ending` when the test is over, before the database is removed: a pool that is to be closed.
    /// [`FromDatabase::from_database`] calls it.
    pub fn at_end(&self, ending: impl Future<Output = ()> + Send + 'static) {
        self.0.endings.lock().expect("nobody panics while holding it").push(Box::pin(ending));
    }
}

/// Whether a database is made by this process itself.
fn is_brief(url: &DatabaseUrl) -> bool {
    url.scheme() == "sqlite"
}

/// Two packages may have tests of one name.
fn of_package(test: &str, package: &str) -> String {
    if package.is_empty() { test.to_owned() } else { format!("{test} of {package}") }
}

fn by_hand(source: Source) -> Result<(Found, Wanted)> {
    let directory =
        std::env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| ".".into(), std::path::PathBuf::from);
    let found = url::find_once(Some(source.name()), None, &directory)?;
    // The harness names a test's thread after it.
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let test = of_package(&test, &std::env::var("CARGO_PKG_NAME").unwrap_or_default());
    let (key, shares) = key(&source, &source.repo(found.url.clone(), "test")?);
    Ok((found, Wanted { test, key, shares, source: Some(source), fixtures: &[], waits: false }))
}

/// Returns what tells a source from the others of this process, and whether its template may be another's, too. Whatever
/// was changed of it by hand is seen in the repo, but for functions: two of them may have one name.
fn key(source: &Source, repo: &Repo) -> (String, bool) {
    let functions: Vec<usize> = repo.code.iter().map(CodeMigration::address).collect();
    (format!("{source:?} {repo:?} {functions:?}"), functions.is_empty())
}

impl Inner {
    /// Waits for what is to be closed.
    pub(super) async fn end(&self) {
        loop {
            let ending = self.endings.lock().expect("nobody panics while holding it").pop();
            let Some(ending) = ending else { return };
            ending.await;
        }
    }

    /// Removes the database, or leaves it to a person, who hears of it.
    pub(super) fn finish(&self, succeeded: bool) {
        if self.gone.swap(true, Ordering::Relaxed) {
            return;
        }
        let wanted = std::env::var_os(KEEP).is_some_and(|value| !value.is_empty() && value != "0");
        let kept = self.kept.load(Ordering::Relaxed) || (wanted && !succeeded);
        let (house, database, test) = (Arc::clone(&self.house), self.database.clone(), self.test.clone());
        let result = house::wait_for(is_brief(&self.database.url), async move {
            if kept {
                house.databases.keep(&database, &test).await
            } else {
                house.databases.remove(&database).await
            }
        });
        let place = &self.database.url;
        match result {
            Ok(()) if kept => eprintln!("test {}: its database is kept: {place}", self.test),
            Ok(()) => {}
            Err(error) => {
                house::say(&format!(
                    "test {}: its database {place} is still there: {}",
                    self.test, error.message
                ));
            }
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.finish(!std::thread::panicking());
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Database({})", self.0.database.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_functions_of_one_name_share_no_template() {
        let directory = tempfile::tempdir().expect("a directory");
        let files = Source::directory("core", directory.path());
        let source = |sql: &'static str| {
            files.clone().code(CodeMigration::new("1", "fills", move |db| {
                Box::pin(async move { db.execute(sql, &[]).await.map(drop).map_err(Into::into) })
            }))
        };
        let key_of =
            |source: &Source| key(source, &source.repo(DatabaseUrl::new("sqlite:a.db"), "test").unwrap());
        let (one, other) = (source("SELECT 1"), source("SELECT 2"));
        assert_ne!(key_of(&one).0, key_of(&other).0);
        assert_eq!(key_of(&one), key_of(&one.clone()));
        assert!(!key_of(&one).1 && key_of(&files).1);
    }
}
