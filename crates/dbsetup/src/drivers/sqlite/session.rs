//! One connection: its settings, and how text is sent over it.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Connection, Either, Row, SqliteConnection};

use super::error::{self, failure};
use super::hooks::{Hooks, MARK};
use super::lock::Locks;
use super::quick::Alone;
use super::work::Orphan;
use crate::driver::{
    About, BoxFuture, DbError, DbErrorClass, Driver, DumpRequest, Fetched, FilledTable, Fingerprint,
    FoundTable, LedgerState, LockKey, RowsRequest,
};
use crate::driver::{Present, Recovery, ScriptError, SessionOptions, Structure, Work};
use crate::ledger::{Change, LedgerTable};

/// Rows of text.
pub(super) type Rows = Vec<Vec<Option<String>>>;

/// What is open on the connection between two calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Open {
    /// Nothing.
    Nothing,
    /// A transaction of [`Driver::begin`].
    Ours { loading: bool },
    /// A transaction that a script without one began itself.
    Scripts,
}

/// One session of SQLite.
pub(super) struct Session {
    // Dropped first: a statement that still runs is ended, so that its locks go soon.
    pub(super) stopper: Stopper,
    pub(super) connection: SqliteConnection,
    pub(super) hooks: Arc<Hooks>,
    pub(super) about: About,
    pub(super) options: SessionOptions,
    /// How long a statement waits for another writer.
    pub(super) busy_ms: u128,
    pub(super) ledger: Option<LedgerTable>,
    // Dropped last: who waits for the lock finds the database free.
    pub(super) locks: Locks,
    pub(super) open: Open,
    /// The rows without their parents when the open transaction began, where nobody enforces foreign keys.
    pub(super) known: Option<Vec<Orphan>>,
    /// Whether a script may have changed a setting of the session.
    pub(super) touched: bool,
    /// Whether a script without a transaction is at work, which keeps what it has set ([`Driver::keep`]).
    pub(super) keeps: bool,
    /// Whether [`Driver::make_durable`] is still owed.
    pub(super) fresh: bool,
    /// Whether the file is kept from others between transactions.
    pub(super) alone: Alone,
    /// Whether any table may refer to another one. What is not known counts as such.
    pub(super) refers: bool,
    /// Whether a message is on its way. It stays so when its future is dropped.
    pub(super) busy: bool,
}

/// Ends the connection's running statement when the session is dropped.
pub(super) struct Stopper(pub(super) Arc<Hooks>);

impl Drop for Stopper {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Returns the statements that set a session's settings, whatever they were before.
pub(super) fn settings(options: &SessionOptions, fresh: bool, busy_ms: u128) -> String {
    let on = |yes: bool| if yes { "ON" } else { "OFF" };
    format!(
        "PRAGMA busy_timeout={busy_ms};PRAGMA foreign_keys={};PRAGMA synchronous={};PRAGMA query_only={};\
         PRAGMA recursive_triggers=OFF;PRAGMA ignore_check_constraints=OFF;PRAGMA legacy_alter_table=OFF;\
         PRAGMA writable_schema=OFF;PRAGMA case_sensitive_like=OFF;PRAGMA locking_mode=NORMAL;",
        on(options.foreign_keys),
        if fresh { "OFF" } else { "FULL" },
        on(options.read_only),
    )
}

impl Session {
    /// Sends statements as one message. Returns how many were done, with the error if one failed.
    ///
    /// `row` gets each row with the number of statements that were done before it.
    pub(super) async fn run(
        &mut self,
        sql: String,
        row: &mut (dyn FnMut(usize, SqliteRow) + Send),
    ) -> Result<usize, (usize, DbError)> {
        self.ready().await.map_err(|error| (0, error))?;
        self.busy = true;
        let timeout = self.options.statement_timeout;
        self.hooks.give(timeout);
        let mut done = 0;
        let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.connection);
        let outcome = loop {
            match results.try_next().await {
                Ok(Some(Either::Left(_))) => {
                    done += 1;
                    if timeout.is_some() {
                        self.hooks.give(timeout);
                    }
                }
                Ok(Some(Either::Right(found))) => row(done, found),
                Ok(None) => break Ok(done),
                Err(error) => break Err((done, error::database(&error))),
            }
        };
        drop(results);
        self.hooks.give(None);
        self.busy = false;
        outcome
    }

    /// Sends a batch of statements whose rows nobody wants.
    ///
    /// Each answer that somebody waits for costs the connection's thread a call of the system. Here all but the last
    /// are fetched when they are all there; a failure, which ends the answers, is noticed soon enough.
    pub(super) async fn run_batch(&mut self, script: &str) -> Result<(), (usize, DbError)> {
        const SOON: Duration = Duration::from_millis(2);
        self.ready().await.map_err(|error| (0, error))?;
        self.busy = true;
        let timeout = self.options.statement_timeout;
        self.hooks.give(timeout);
        self.hooks.expect_mark();
        let mut done = 0;
        let sql = format!("{script}\n;{MARK}");
        let mut results = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_many(&mut self.connection);
        let mut is_waited_for = timeout.is_some();
        let outcome = loop {
            let next = if is_waited_for {
                results.try_next().await
            } else {
                let now = results.try_poll_next_unpin(&mut Context::from_waker(Waker::noop()));
                let Poll::Ready(next) = now else {
                    is_waited_for = tokio::time::timeout(SOON, self.hooks.reached()).await.is_ok();
                    continue;
                };
                next.transpose()
            };
            match next {
                Ok(Some(Either::Left(_))) => {
                    done += 1;
                    if timeout.is_some() {
                        self.hooks.give(timeout);
                    }
                }
                Ok(Some(Either::Right(_))) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err((done, error::database(&error))),
            }
        };
        drop(results);
        self.hooks.give(None);
        self.busy = false;
        outcome
    }

    /// Ends what the last message may have left running.
    pub(super) async fn ready(&mut self) -> Result<(), DbError> {
        if !self.busy {
            return Ok(());
        }
        // Whoever waited for it has left (a signal, a time limit). Its statement may have hours to go.
        self.hooks.stop();
        let idle = self.connection.ping().await;
        self.hooks.resume();
        idle.map_err(|error| error::database(&error))
    }

    /// Sends statements whose rows nobody wants.
    pub(super) async fn send(&mut self, sql: impl Into<String>) -> Result<(), DbError> {
        self.run(sql.into(), &mut |_, _| {}).await.map(drop).map_err(|(_, error)| error)
    }

    /// Returns the rows of each statement as text.
    pub(super) async fn tables(&mut self, sql: impl Into<String>) -> Result<Vec<Rows>, DbError> {
        let mut tables: Vec<Rows> = Vec::new();
        let mut broken = None;
        let done = self
            .run(sql.into(), &mut |statement, row| {
                tables.resize_with(tables.len().max(statement + 1), Rows::new);
                match texts(&row) {
                    Ok(texts) => tables[statement].push(texts),
                    Err(error) => broken = Some(error::database(&error)),
                }
            })
            .await
            .map_err(|(_, error)| error)?;
        tables.resize_with(tables.len().max(done), Rows::new);
        broken.map_or(Ok(tables), Err)
    }

    /// Returns the rows of one query as text.
    pub(super) async fn rows(&mut self, sql: impl Into<String>) -> Result<Rows, DbError> {
        Ok(self.tables(sql).await?.into_iter().next().unwrap_or_default())
    }

    /// Rolls back. Without a transaction there is nothing to undo.
    pub(super) async fn undo(&mut self) -> Result<(), DbError> {
        self.open = Open::Nothing;
        let result = match self.send("ROLLBACK").await {
            Err(error) if error.message.starts_with("cannot rollback - no") => Ok(()),
            other => other,
        };
        self.hooks.allow();
        result
    }

    /// Makes the session as it was opened, if a script may have changed it.
    pub(super) async fn settle(&mut self) -> Result<(), DbError> {
        if self.open != Open::Nothing {
            return Err(failure(
                DbErrorClass::TransactionClosed,
                "a transaction is still open in this session",
            ));
        }
        if !self.touched || self.keeps {
            return Ok(());
        }
        let attached =
            self.rows("SELECT name FROM pragma_database_list WHERE name NOT IN ('main', 'temp')").await?;
        let mut sql = settings(&self.options, self.fresh, self.busy_ms);
        for name in attached.into_iter().flatten().flatten() {
            sql.push_str(&format!("DETACH {};", super::catalog::quoted(&name)));
        }
        self.send(sql).await?;
        self.alone = Alone::default();
        self.touched = false;
        Ok(())
    }
}

/// Returns a row's values as SQLite converts them to text.
pub(super) fn texts(row: &SqliteRow) -> Result<Vec<Option<String>>, sqlx::Error> {
    (0..row.len()).map(|at| row.try_get_unchecked::<Option<String>, _>(at)).collect()
}

impl Driver for Session {
    fn about(&self) -> &About {
        &self.about
    }

    fn find_tables<'a>(&'a mut self, names: &'a [String]) -> BoxFuture<'a, Result<Vec<FoundTable>, DbError>> {
        Box::pin(self.found(names))
    }

    fn read_ledger<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        present: Present,
    ) -> BoxFuture<'a, Result<LedgerState, DbError>> {
        Box::pin(self.state_of(ledger, present))
    }

    fn user_objects<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, DbError>> {
        Box::pin(self.objects(ledger, limit))
    }

    /// Files for other engines are refused before anybody asks.
    fn unknown_settings<'a>(&'a mut self, _: &'a [String]) -> BoxFuture<'a, Result<Vec<String>, DbError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn dump<'a>(&'a mut self, request: &'a DumpRequest) -> BoxFuture<'a, Result<Structure, DbError>> {
        Box::pin(self.structure(request))
    }

    fn fingerprint<'a>(
        &'a mut self,
        request: &'a DumpRequest,
    ) -> BoxFuture<'a, Result<Fingerprint, DbError>> {
        Box::pin(self.fingerprint_of(request))
    }

    fn table_rows<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
    ) -> BoxFuture<'a, Result<Vec<FilledTable>, DbError>> {
        Box::pin(self.filled_tables(ledger))
    }

    fn read_rows<'a>(
        &'a mut self,
        request: &'a RowsRequest,
    ) -> BoxFuture<'a, Result<crate::driver::Rows, DbError>> {
        Box::pin(self.rows_of(request))
    }

    fn try_lock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<bool, DbError>> {
        Box::pin(async move { self.locks.try_take(key, &self.options.application) })
    }

    fn unlock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(async move {
            let others = self.stand_with_others().await;
            self.locks.give_back(key).and(others)
        })
    }

    fn lock_holder<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<Option<String>, DbError>> {
        Box::pin(async move { self.locks.holder(key.lane) })
    }

    fn prepare<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        wanted: Present,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(self.prepared(ledger, wanted))
    }

    fn use_ledger(&mut self, ledger: &LedgerTable) {
        self.ledger = Some(ledger.clone());
    }

    fn transact<'a>(&'a mut self, work: Work<'a>) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.transacted(work))
    }

    fn transact_each<'a>(
        &'a mut self,
        works: &'a [Work<'a>],
        done: &'a mut (dyn FnMut(Duration) + Send),
    ) -> BoxFuture<'a, Result<usize, DbError>> {
        Box::pin(self.transacted_each(works, done))
    }

    fn run_alone<'a>(
        &'a mut self,
        statement: &'a str,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.ran_alone(statement, changes))
    }

    fn keep<'a>(&'a mut self, settings: Option<&'a [String]>) -> BoxFuture<'a, Result<(), DbError>> {
        // What a statement has set stays until it is set back; who resumes a script has sent these statements.
        self.keeps = settings.is_some();
        Box::pin(async { Ok(()) })
    }

    fn recover<'a>(&'a mut self, _statement: &'a str) -> BoxFuture<'a, Result<Recovery, DbError>> {
        // A statement that can run in a transaction was in one with its progress: neither is there. The others
        // (VACUUM, PRAGMA, ATTACH, transaction control) do the same when they are run twice.
        Box::pin(async { Ok(Recovery::RunAgain(None)) })
    }

    fn begin(&mut self, loading: bool) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.begun(loading))
    }

    fn execute<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.executed(script))
    }

    fn fetch<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<Fetched, ScriptError>> {
        Box::pin(self.fetched(statement))
    }

    fn copy_begin<'a>(&'a mut self, _statement: &'a str) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(async { Err(no_copy()) })
    }

    fn copy_data<'a>(&'a mut self, _data: &'a [u8]) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(async { Err(no_copy()) })
    }

    fn copy_end(&mut self) -> BoxFuture<'_, Result<u64, ScriptError>> {
        Box::pin(async { Err(no_copy()) })
    }

    fn commit<'a>(&'a mut self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.committed(changes))
    }

    fn rollback(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.rolled_back())
    }

    fn lock_capacity(&mut self) -> BoxFuture<'_, Result<Option<u64>, DbError>> {
        Box::pin(async { Ok(None) })
    }

    fn drop_empty_ledger<'a>(&'a mut self, ledger: &'a LedgerTable) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(self.ledger_dropped(ledger))
    }

    fn empty(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.emptied())
    }

    fn make_durable(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.durable())
    }

    fn take_notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            let Self { stopper, connection, locks, .. } = *self;
            // Nothing can be done about a connection that does not close: its thread has ended with it.
            let _ = connection.close().await;
            drop(locks);
            drop(stopper);
        })
    }
}

/// The answer to COPY, which is PostgreSQL's.
fn no_copy() -> ScriptError {
    error::around(failure(DbErrorClass::Unsupported, "SQLite has no COPY"), false)
}
