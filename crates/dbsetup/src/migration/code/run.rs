//! Runs the code of a migration once, in its transaction; [`Runner`] tries again where that can help.

use std::any::Any;
use std::error::Error as StdError;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Poll;
use std::time::Instant;

use super::super::job::Job;
use super::super::run::Runner;
use super::connection::Failed;
use super::{CodeConnection, CodeMigration, CodeResult, Work};
use crate::driver::{DbError, DbErrorClass, Driver, ScriptError};
use crate::error::{Error, Kind};
use crate::event::{Direction, Teller};
use crate::ledger::Took;

/// How a try failed: what the database says of it, by which it is tried again or not, and what a person reads.
pub(in crate::migration) struct Failure {
    pub script: ScriptError,
    pub told: Option<Error>,
}

impl From<ScriptError> for Failure {
    fn from(script: ScriptError) -> Self {
        Self { script, told: None }
    }
}

impl CodeMigration {
    fn side(&self, direction: Direction) -> &Work {
        match direction {
            Direction::Up => &*self.up,
            Direction::Down => self.down.as_deref().expect("a job is made of a side that is there"),
        }
    }
}

impl Runner<'_, '_> {
    /// Runs a code migration and records it, in one transaction. Whatever ends it early (an error, a panic, a future that
    /// nobody waits for any more) leaves nothing behind.
    pub(in crate::migration) async fn code_once(
        &mut self,
        job: &Job<'_>,
        code: &CodeMigration,
    ) -> Result<(), Failure> {
        let begun = Instant::now();
        let log = self.log_sql.then(|| self.session.teller());
        // While the code runs nobody else has the connection: when this future is dropped it is closed, and the server
        // rolls back.
        let mut driver = self.session.lend().await.map_err(|error| ScriptError::unreachable(&error))?;
        let result = match work(&mut *driver, job, code, log).await {
            Ok(()) => {
                let changes = self.changes(job, Took::Measured(begun.elapsed()));
                driver.commit(&changes).await.map_err(Failure::from)
            }
            Err(failure) => Err(failure),
        };
        if result.is_err() {
            // The first failure is what counts; a rollback that fails too means that the server has done it.
            let _ = driver.rollback().await;
        }
        self.session.give_back(driver);
        result
    }
}

/// Opens the transaction, and runs one side of the code in it.
async fn work(
    driver: &mut dyn Driver,
    job: &Job<'_>,
    code: &CodeMigration,
    log: Option<Teller<'_>>,
) -> Result<(), Failure> {
    driver.begin(false).await.map_err(ScriptError::before)?;
    let dialect = driver.about().dialect;
    let place = &job.script().path;
    let mut connection = CodeConnection::new(driver, place, log);
    let ended = caught(code.side(job.direction), &mut connection).await;
    let failed = connection.end();
    if let (Ok(Ok(())), None) = (&ended, &failed) {
        return Ok(());
    }
    let first = failed.as_ref().map(|failed| failed.told(dialect, place));
    let told = told(job, ended, failed.as_ref(), first);
    let script = match failed {
        Some(Failed { failure, .. }) => failure,
        None => {
            let message = told.message().to_owned();
            let error = DbError { class: DbErrorClass::Statement, message, code: None, notes: Vec::new() };
            ScriptError { error, statement: None, offset: None, rolled_back: true }
        }
    };
    Err(Failure { script, told: Some(told) })
}

/// Runs code to its end, and takes a panic for one.
async fn caught(work: &Work, connection: &mut CodeConnection<'_>) -> Result<CodeResult, Box<dyn Any + Send>> {
    let mut future = std::pin::pin!(async move { work(connection).await });
    std::future::poll_fn(|context| {
        // What a panic leaves half done is rolled back, and neither the future nor its connection is used again.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll.map(Ok),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    })
    .await
}

/// Returns what a person reads: the failure of the code, and of the database where the code does not tell of it. `first` is
/// the first statement that failed.
fn told(
    job: &Job<'_>,
    ended: Result<CodeResult, Box<dyn Any + Send>>,
    failed: Option<&Failed>,
    first: Option<Error>,
) -> Error {
    let shown = job.migration.shown();
    let kind = failed.map_or(Kind::Statement, |failed| failed.failure.error.class.into());
    // Whatever the code makes of a failed statement, that one is the cause.
    let beneath = |mut error: Error| {
        if let Some(first) = &first {
            error = error.note(format!("a statement failed before: {}", first.message()));
        }
        error
    };
    match (ended, first.as_ref()) {
        (Err(panic), _) => {
            beneath(Error::new(kind, format!("migration {shown} panicked: {}", words(&*panic))))
        }
        (Ok(Err(error)), _) => match error.downcast::<Error>() {
            Ok(error) => error.note(format!("in migration {shown}, which is code")),
            Err(error) => {
                let mut result = Error::new(kind, format!("migration {shown} failed: {error}"));
                let (mut cause, mut says_it) = (error.source(), false);
                while let Some(next) = cause {
                    says_it |= next.is::<Error>();
                    result = result.note(format!("caused by: {}", sentence(next)));
                    cause = next.source();
                }
                (if says_it { result } else { beneath(result) }).because(error)
            }
        },
        (Ok(Ok(())), _) => match first {
            Some(first) => first
                .note(format!("in migration {shown}, which is code"))
                .note("the code went on: a statement that fails ends its migration all the same"),
            None => Error::new(kind, format!("migration {shown} failed")),
        },
    }
}

/// An error without its notes, which have their own place.
fn sentence(error: &(dyn StdError + 'static)) -> String {
    match error.downcast_ref::<Error>() {
        Some(error) => match error.site() {
            Some(site) => format!("{} in `{}`", error.message(), site.excerpt.trim()),
            None => error.message().to_owned(),
        },
        None => error.to_string(),
    }
}

/// What a panic says.
fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it does not say why")
}
