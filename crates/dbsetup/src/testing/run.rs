//! How a test runs: its database is made, its function runs on a runtime of its own, what it took is closed, and the
//! database is removed.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::{Arguments, Database, Engine, FromDatabase, house};
use crate::error::Error;

/// How long a test's connections may take to be given back.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a test returns.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    label = "neither `()` nor a `Result`",
    note = "whether the test has failed decides whether its database may be kept"
)]
pub trait Outcome {
    /// Whether the test has passed.
    fn has_passed(&self) -> bool;
}

impl Outcome for () {
    fn has_passed(&self) -> bool {
        true
    }
}

impl<T, E> Outcome for Result<T, E> {
    fn has_passed(&self) -> bool {
        self.is_ok()
    }
}

/// A function that is a test.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no function that `#[dbsetup::test]` can call",
    note = "it takes one value that is made from a database, or the options of a pool and of its connections"
)]
pub trait TestFn {
    /// What it returns.
    type Output;

    /// Runs it with a database.
    fn run(self, arguments: &Arguments) -> Self::Output;
}

impl<A, F> TestFn for fn(A) -> F
where
    A: FromDatabase,
    F: Future,
    F::Output: Outcome,
{
    type Output = F::Output;

    #[track_caller]
    fn run(self, arguments: &Arguments) -> F::Output {
        with_value(arguments, self)
    }
}

impl<A, B, F> TestFn for fn(A, B) -> F
where
    (A, B): FromDatabase,
    F: Future,
    F::Output: Outcome,
{
    type Output = F::Output;

    #[track_caller]
    fn run(self, arguments: &Arguments) -> F::Output {
        with_value(arguments, |(first, second)| self(first, second))
    }
}

/// Runs a test. The attribute calls it.
#[doc(hidden)]
#[track_caller]
pub fn run<T: TestFn>(test: T, arguments: &Arguments) -> T::Output {
    test.run(arguments)
}

/// Runs a test that is not `async`, outside of any runtime. The attribute calls it.
#[doc(hidden)]
#[track_caller]
pub fn run_blocking<T: Outcome>(test: fn(Database) -> T, arguments: &Arguments) -> T {
    let database = make(arguments, None);
    let inner = Arc::clone(&database.0);
    let result = catch_unwind(AssertUnwindSafe(|| test(database)));
    inner.finish(has_passed(&result));
    result.unwrap_or_else(|panic| resume_unwind(panic))
}

/// Runs a future on a runtime of its own. The attribute calls it for a test without a database.
#[doc(hidden)]
pub fn block_on<F: Future>(future: F) -> F::Output {
    runtime().block_on(future)
}

/// Says of a type that a test can take it. The attribute names it where the type stands.
#[doc(hidden)]
pub fn can_be_taken<T: FromDatabase>() {}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a process that runs tests can have a runtime")
}

fn has_passed<T: Outcome>(result: &std::thread::Result<T>) -> bool {
    result.as_ref().is_ok_and(Outcome::has_passed)
}

#[track_caller]
fn fail(error: &Error) -> ! {
    panic!("cannot make the database of this test: {error}")
}

#[track_caller]
fn make(arguments: &Arguments, engine: Option<Engine>) -> Database {
    match Database::for_test(arguments, engine) {
        Ok(database) => database,
        Err(error) => fail(&error),
    }
}

#[track_caller]
fn with_value<A, F>(arguments: &Arguments, test: impl FnOnce(A) -> F) -> F::Output
where
    A: FromDatabase,
    F: Future,
    F::Output: Outcome,
{
    let database = make(arguments, A::engine());
    let inner = Arc::clone(&database.0);
    let runtime = runtime();
    let result = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            match A::from_database(&database).await {
                Ok(value) => test(value).await,
                Err(error) => fail(&error),
            }
        })
    }));
    let passed = has_passed(&result);
    let closed = runtime.block_on(async { tokio::time::timeout(PATIENCE, inner.end()).await });
    // A test that has failed has more to say.
    if closed.is_err() && passed {
        house::say(&format!(
            "test {}: a connection of its pool was not given back within {} s, and is ended now: is it held by a task \
             that still runs, or by something that is never dropped?",
            arguments.test,
            PATIENCE.as_secs()
        ));
    }
    // What the test has spawned ends here, and with it the connections of other clients.
    runtime.shutdown_timeout(PATIENCE);
    drop(database);
    inner.finish(passed);
    result.unwrap_or_else(|panic| resume_unwind(panic))
}
