//! What the connection's own thread asks and tells us while it works.
//!
//! A script must not end the transaction that it runs in. SQLite has no probe for that: `SAVEPOINT` outside of a
//! transaction silently opens one. Its commit hook is better than a probe: it is asked before every commit, also those of
//! single statements, and a commit that is not ours is turned into a rollback. Nothing of such a script is kept.

use std::cmp::Ordering as Order;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::task::AtomicWaker;
use sqlx::SqliteConnection;

/// A query without rows that tells [`Hooks::reached`] that everything before it is done: comparing by a collation of
/// ours is how a statement calls us.
pub(super) const MARK: &str = "SELECT 1 WHERE 'a' > 'b' COLLATE dbsetup_mark";

/// A query without rows that stands before a commit of ours in the middle of a message ([`Hooks::expect_each`]).
pub(super) const OURS: &str = "SELECT 1 WHERE 'a' > 'b' COLLATE dbsetup_ours";

/// Virtual machine steps between two looks at the clock.
const STEPS: i32 = 4096;

/// Shared by a session and its connection's thread.
#[derive(Debug)]
pub(super) struct Hooks {
    may_commit: AtomicBool,
    /// Whether every commit has to be announced by [`OURS`].
    each: AtomicBool,
    /// When such commits were made.
    commits: Mutex<Vec<Instant>>,
    rolled_back: AtomicBool,
    stopped: AtomicBool,
    marked: AtomicBool,
    waiting: AtomicWaker,
    /// Milliseconds since `start` after which a statement is ended; 0 is never.
    deadline: AtomicU64,
    start: Instant,
}

impl Hooks {
    /// Sets the hooks of a connection.
    pub(super) async fn install(connection: &mut SqliteConnection) -> Result<Arc<Self>, sqlx::Error> {
        let hooks = Arc::new(Self {
            may_commit: AtomicBool::new(true),
            each: AtomicBool::new(false),
            commits: Mutex::default(),
            rolled_back: AtomicBool::new(false),
            stopped: AtomicBool::new(false),
            marked: AtomicBool::new(false),
            waiting: AtomicWaker::new(),
            deadline: AtomicU64::new(0),
            start: Instant::now(),
        });
        let mut handle = connection.lock_handle().await?;
        let shared = Arc::clone(&hooks);
        handle.set_commit_hook(move || shared.commits());
        let shared = Arc::clone(&hooks);
        handle.set_rollback_hook(move || shared.rolled_back.store(true, Ordering::SeqCst));
        let shared = Arc::clone(&hooks);
        handle.set_progress_handler(STEPS, move || shared.may_go_on());
        let shared = Arc::clone(&hooks);
        handle.create_collation("dbsetup_mark", move |_, _| {
            shared.marked.store(true, Ordering::SeqCst);
            shared.waiting.wake();
            Order::Equal
        })?;
        let shared = Arc::clone(&hooks);
        handle.create_collation("dbsetup_ours", move |_, _| {
            shared.announce();
            Order::Equal
        })?;
        drop(handle);
        Ok(hooks)
    }

    /// Waits for the next [`MARK`].
    pub(super) async fn reached(&self) {
        std::future::poll_fn(|context| {
            self.waiting.register(context.waker());
            if self.marked.swap(false, Ordering::SeqCst) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Forgets the marks so far.
    pub(super) fn expect_mark(&self) {
        self.marked.store(false, Ordering::SeqCst);
    }

    /// Answers SQLite's question whether it may commit.
    fn commits(&self) -> bool {
        if !self.each.load(Ordering::SeqCst) {
            return self.may_commit.load(Ordering::SeqCst);
        }
        let is_ours = self.may_commit.swap(false, Ordering::SeqCst);
        if is_ours {
            self.each_commit(|commits| commits.push(Instant::now()));
        }
        is_ours
    }

    /// Allows the next commit of a message of several, unless what it would keep is not all there, or nobody waits for
    /// it any more.
    fn announce(&self) {
        let is_whole = !self.rolled_back.load(Ordering::SeqCst) && !self.stopped.load(Ordering::Relaxed);
        if self.each.load(Ordering::SeqCst) && is_whole {
            self.may_commit.store(true, Ordering::SeqCst);
        }
    }

    fn each_commit<T>(&self, look: impl FnOnce(&mut Vec<Instant>) -> T) -> T {
        look(&mut self.commits.lock().expect("nobody panics while holding it"))
    }

    /// From now on a commit is refused unless [`OURS`] stands before it, and a rollback is noticed.
    pub(super) fn expect_each(&self) {
        self.guard();
        self.each_commit(Vec::clear);
        self.each.store(true, Ordering::SeqCst);
    }

    /// Returns when the commits since [`Hooks::expect_each`] were allowed, but for the first `known` ones.
    pub(super) fn allowed(&self, known: usize) -> Vec<Instant> {
        self.each_commit(|commits| commits.get(known..).unwrap_or_default().to_vec())
    }

    /// From now on every commit is refused, and a rollback is noticed.
    pub(super) fn guard(&self) {
        self.each.store(false, Ordering::SeqCst);
        self.rolled_back.store(false, Ordering::SeqCst);
        self.may_commit.store(false, Ordering::SeqCst);
    }

    /// From now on commits are ours.
    pub(super) fn allow(&self) {
        self.each.store(false, Ordering::SeqCst);
        self.may_commit.store(true, Ordering::SeqCst);
    }

    /// Whether a transaction was rolled back since [`Hooks::guard`].
    pub(super) fn saw_rollback(&self) -> bool {
        self.rolled_back.load(Ordering::SeqCst)
    }

    /// Gives the statement that runs now so much time.
    pub(super) fn give(&self, timeout: Option<Duration>) {
        let deadline = timeout.map_or(0, |timeout| (self.start.elapsed() + timeout).as_millis().max(1));
        // Half a billion years fit.
        self.deadline.store(u64::try_from(deadline).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Ends the statement that runs: nobody waits for it any more.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Lets statements run again.
    pub(super) fn resume(&self) {
        self.stopped.store(false, Ordering::Relaxed);
    }

    fn may_go_on(&self) -> bool {
        if self.stopped.load(Ordering::Relaxed) {
            return false;
        }
        let deadline = self.deadline.load(Ordering::Relaxed);
        deadline == 0 || self.start.elapsed().as_millis() < u128::from(deadline)
    }
}
