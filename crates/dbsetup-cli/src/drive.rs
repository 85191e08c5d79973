//! The loop of a run, whichever program it is of: asks, does one step after the other with the repos of a step side by
//! side, ends the sessions when a signal arrives, and sums up.

use std::pin::pin;
use std::time::{Duration, Instant};

use dbsetup::{Error, Kind, Result};
use futures_util::future::{Either, select};
use futures_util::stream::{self, StreamExt};

use crate::exit;
use crate::sessions::Sessions;
use crate::signals::{Signal, Signals};
use crate::ui::{Ui, notices};

/// Why a run ends before its work is done.
#[derive(Debug)]
pub enum Stop {
    /// Something failed.
    Failed(Error),
    /// A signal arrived.
    Signal(Signal),
    /// Whoever read our output has gone.
    BrokenPipe,
}

impl Stop {
    /// Returns why a run ends when stdout does not take what it is given.
    pub fn of_output(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::BrokenPipe,
            _ => Error::new(Kind::Io, format!("cannot write to stdout: {error}")).because(error).into(),
        }
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// A run, as the loop sees it.
#[expect(async_fn_in_trait, reason = "a run stays on the thread that it was begun on")]
pub trait Run<'a> {
    /// The face.
    fn ui(&self) -> &'a Ui;
    /// Its sessions.
    fn sessions(&mut self) -> &mut Sessions<'a>;
    /// Whether a step is at work in databases.
    fn is_at_work(&self) -> bool;
    /// How many steps it has.
    fn steps(&self) -> usize;
    /// Asks for consent, before the first step.
    ///
    /// # Errors
    /// That there is none.
    async fn ask(&mut self) -> Result<(), Stop>;
    /// Does one step, and keeps account of its failures.
    ///
    /// # Errors
    /// What ends the run.
    async fn step(&mut self, at: usize) -> Result<(), Stop>;
    /// Whether steps after this one run although something has failed.
    fn keeps_going(&self, at: usize) -> bool;
    /// The codes of what has failed so far.
    fn codes(&mut self) -> &mut Vec<u8>;
    /// Tells what came of the whole run.
    fn sum_up(&mut self);
}

/// Runs everything and returns the exit code.
///
/// # Errors
/// What ends the run before its first step, a signal, or stdout that is gone.
pub async fn drive<'a>(mut run: impl Run<'a>, mut signals: Signals) -> Result<u8, Stop> {
    let ui = run.ui();
    let worked = signals.or(work(&mut run)).await;
    ui.settle();
    let worked = match worked {
        Ok(worked) => worked,
        Err(signal) => {
            let at_work = run.is_at_work();
            run.sessions().interrupted(signal, &mut signals, at_work).await;
            return Err(Stop::Signal(signal));
        }
    };
    let closed = signals.or(run.sessions().close()).await.map_err(Stop::Signal)?;
    worked?;
    if let Err(error) = closed {
        let code = told(ui, None, &error);
        run.codes().push(code);
    }
    run.sum_up();
    Ok(exit::combined(run.codes().drain(..)))
}

async fn work<'a>(run: &mut impl Run<'a>) -> Result<(), Stop> {
    let ui = run.ui();
    let work = pin!(async {
        run.ask().await?;
        for at in 0..run.steps() {
            run.step(at).await?;
            if !run.codes().is_empty() && !run.keeps_going(at) {
                break;
            }
        }
        Ok(())
    });
    match select(work, pin!(ui.animate())).await {
        Either::Left((done, _)) => done,
        Either::Right(((), _)) => Ok(()),
    }
}

/// What became of one repo in one step.
pub struct Ended<T> {
    /// The repo's number.
    pub repo: usize,
    /// What it gave back, or the code of its error, which has been told.
    pub result: Result<T, u8>,
    /// How long it took.
    pub took: Duration,
}

/// Works on one repo, and tells its failure; `placed` adds to it what is known of its URL.
pub async fn one<T>(
    repo: usize,
    name: &str,
    ui: &Ui,
    placed: impl FnOnce(Error) -> Error,
    work: impl Future<Output = Result<T>>,
) -> Ended<T> {
    let started = Instant::now();
    let result = notices::of(name, ui, work).await;
    let result = result.map_err(|error| told(ui, Some(name), &placed(error)));
    Ended { repo, result, took: started.elapsed() }
}

/// Works on so many repos side by side, and returns what became of them in their order.
pub async fn side_by_side<T>(
    jobs: usize,
    work: impl IntoIterator<Item = impl Future<Output = Ended<T>>>,
) -> Vec<Ended<T>> {
    let mut ended: Vec<Ended<T>> = stream::iter(work).buffer_unordered(jobs).collect().await;
    ended.sort_by_key(|ended| ended.repo);
    ended
}

/// Tells an error, of a repo or of the run, and returns its code.
pub fn told(ui: &Ui, repo: Option<&str>, error: &Error) -> u8 {
    let code = exit::code(error.kind());
    ui.error(error, repo, code);
    code
}
