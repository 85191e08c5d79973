//! Statements that run outside of a transaction, above all indexes that are built concurrently.
//!
//! A `CREATE INDEX CONCURRENTLY` that fails leaves an INVALID index behind, and `IF NOT EXISTS` takes that for the
//! index: <https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY>.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::catalog::cell;
use super::error::{PAST_POOLER, advised, did_nothing, own};
use super::script::{Failed, Message, Row, refuse_copy};
use super::session::Session;
use super::text::{literal, name};
use super::work::outside;
use crate::driver::{DbError, DbErrorClass, Recovery, ScriptError, Work};
use crate::ledger::Change;
use crate::sql::{self, ConcurrentIndex, Dialect, QualifiedName, ReindexTarget};

/// The pause between two looks at somebody else's work.
const PAUSE: Duration = Duration::from_millis(50);
/// How long sessions that wait for our lock are given to settle.
const SETTLING: Duration = Duration::from_secs(30);

/// An index as the catalog has it.
struct Index {
    /// Quoted and qualified.
    name: String,
    valid: bool,
}

/// Returns a name as text that `to_regclass` reads.
fn regclass(object: &QualifiedName) -> String {
    let quoted = match &object.schema {
        Some(schema) => format!("{}.{}", name(schema), name(&object.name)),
        None => name(&object.name),
    };
    format!("pg_catalog.to_regclass({})", literal(&quoted))
}

fn indexes(rows: &[Row]) -> Vec<Index> {
    rows.iter().map(|row| Index { name: cell(row, 0), valid: cell(row, 1) == "t" }).collect()
}

const INDEX: &str = "SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname), \
     i.indisvalid AND i.indisready FROM pg_catalog.pg_class c JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace";

/// How many milliseconds late a busy server may look for a deadlock.
const MARGIN: u64 = 500;

impl Session {
    pub(super) async fn run_statement(
        &mut self,
        statement: &str,
        changes: &[Change],
    ) -> Result<(), ScriptError> {
        if !sql::must_run_alone(Dialect::Postgres, statement) {
            return self.run_work(Work { script: statement, changes, guard: None, lock: None }).await;
        }
        refuse_copy(statement)?;
        if let Some(why) = &self.about.capabilities.pooled {
            let error = own(
                DbErrorClass::Unsupported,
                format!("the statement needs a session of its own, and {why}"),
            );
            return Err(outside(advised(error, PAST_POOLER), true));
        }
        match sql::concurrent_index(statement) {
            Some(ConcurrentIndex::Create { name: None, .. }) => {
                let error = own(
                    DbErrorClass::Unsupported,
                    "an index that is built concurrently needs a name, or nobody could tell whether it was finished",
                );
                Err(outside(advised(error, "write `CREATE INDEX CONCURRENTLY a_name ON …`"), true))
            }
            Some(ConcurrentIndex::Create { name: Some(index), table, .. }) => {
                self.build(statement, &index, &table).await?;
                self.record_alone(changes).await
            }
            _ => {
                self.send_alone(statement).await?;
                self.record_alone(changes).await
            }
        }
    }

    /// Sends one statement as a message of its own, without a limit on lock waits: in a statement of several
    /// transactions a timeout leaves half of it behind.
    async fn send_alone(&mut self, statement: &str) -> Result<(), ScriptError> {
        self.message("SET lock_timeout = 0".into()).await.map_err(|error| outside(error, true))?;
        let result = self.send(statement.to_owned()).await;
        let restored = match &self.connection {
            Some(_) => self.message(self.restoring().join(";\n")).await.map(drop),
            None => Ok(()),
        };
        if let Err(failure) = result {
            let message = Message { before: Vec::new(), script: statement, after: Vec::new() };
            let offset = match message.place(&failure) {
                Failed::Script { offset, .. } => offset,
                Failed::Before(_) | Failed::After(_) => None,
            };
            let undone = did_nothing(&failure.error);
            return Err(ScriptError { offset, statement: Some(0), ..outside(failure.error, undone) });
        }
        restored.map_err(|error| outside(error, false))
    }

    async fn record_alone(&mut self, changes: &[Change]) -> Result<(), ScriptError> {
        let statements = self.record(changes).map_err(|error| outside(error, false))?;
        if statements.is_empty() {
            return Ok(());
        }
        let result = self.in_one_transaction(statements).await;
        result.map_err(|error| outside(self.in_ledger(error), false))
    }

    async fn build(
        &mut self,
        statement: &str,
        index: &str,
        table: &QualifiedName,
    ) -> Result<(), ScriptError> {
        let before = |error| outside(error, true);
        // What an earlier failure left would make the statement fail, or with `IF NOT EXISTS` pass for the index.
        self.clear_invalid(index, table).await.map_err(before)?;
        self.let_waiters_settle().await.map_err(before)?;
        if let Err(mut error) = self.send_alone(statement).await {
            if self.connection.is_some() {
                match self.clear_invalid(index, table).await {
                    Ok(cleared) => {
                        error.rolled_back = true;
                        error.error.notes.extend(cleared);
                    }
                    Err(left) => {
                        error.error.notes.push(format!("it may be half built: {}", left.message));
                    }
                }
            }
            return Err(error);
        }
        let found = self.index_of(index, table).await.map_err(|error| outside(error, false))?;
        match found {
            Some(found) if found.valid => Ok(()),
            Some(_) => {
                let message = format!("the index `{index}` was built, and is not valid");
                Err(outside(own(DbErrorClass::Statement, message), false))
            }
            // `IF NOT EXISTS` looks at the name alone.
            None => {
                let message = format!("the name `{index}` is taken, and not by an index of `{}`", table.name);
                Err(outside(own(DbErrorClass::Statement, message), true))
            }
        }
    }

    async fn index_of(&mut self, index: &str, table: &QualifiedName) -> Result<Option<Index>, DbError> {
        let rows = self
            .look(format!(
                "{INDEX} WHERE c.relname = {} AND i.indrelid = {}",
                literal(index),
                regclass(table)
            ))
            .await?;
        Ok(indexes(&rows).pop())
    }

    /// Drops an index that is there and not valid, and says so.
    async fn clear_invalid(&mut self, index: &str, table: &QualifiedName) -> Result<Option<String>, DbError> {
        if self.index_of(index, table).await?.is_none_or(|found| found.valid) {
            return Ok(None);
        }
        // It is invalid while somebody builds it, too: whoever does holds this lock on the table until the end.
        self.wait_for_builders(table).await?;
        match self.index_of(index, table).await? {
            Some(found) if !found.valid => {
                self.drop_index(&found.name).await?;
                Ok(Some(format!("the invalid index {} was dropped", found.name)))
            }
            _ => Ok(None),
        }
    }

    async fn drop_index(&mut self, quoted: &str) -> Result<(), DbError> {
        let statement = format!("DROP INDEX CONCURRENTLY IF EXISTS {quoted}");
        self.send_alone(&statement).await.map_err(|error| error.error)
    }

    async fn wait_for_builders(&mut self, table: &QualifiedName) -> Result<(), DbError> {
        loop {
            let rows = self
                .look(format!(
                    "SELECT l.pid FROM pg_catalog.pg_locks l WHERE l.locktype = 'relation' AND l.granted \
                     AND l.relation = {} AND l.mode = 'ShareUpdateExclusiveLock' \
                     AND l.pid <> pg_catalog.pg_backend_pid() AND l.database = \
                     (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
                    regclass(table)
                ))
                .await?;
            if rows.is_empty() {
                return Ok(());
            }
            sleep(PAUSE).await;
        }
    }

    /// Waits until every session that waits for our lock has looked for a deadlock already.
    ///
    /// An application in `sqlx::migrate!().run()` waits inside `pg_advisory_lock` and holds a snapshot meanwhile, which a
    /// concurrent build waits for: a deadlock. Each session looks for one once, `deadlock_timeout` after it began to
    /// wait, and ends itself when it finds one. A waiter that has looked before the build begins never looks again, so
    /// that it is our statement that ends, which is cleared away and tried again, and not the application.
    async fn let_waiters_settle(&mut self) -> Result<(), DbError> {
        if self.latest_waiter().await?.is_none() {
            return Ok(());
        }
        let rows = self
            .look("SELECT setting FROM pg_catalog.pg_settings WHERE name = 'deadlock_timeout'".into())
            .await?;
        let settled = rows.first().and_then(|row| cell(row, 0).parse::<u64>().ok()).unwrap_or(1000) + MARGIN;
        // Before release 14 nobody knows since when a session waits.
        let patience = if self.version >= 140_000 { SETTLING } else { Duration::from_millis(settled) };
        let deadline = Instant::now() + patience;
        while Instant::now() < deadline {
            match self.latest_waiter().await? {
                Some(waited) if waited < settled => sleep(PAUSE).await,
                _ => break,
            }
        }
        Ok(())
    }

    pub(super) async fn find_out(&mut self, statement: &str) -> Result<Recovery, DbError> {
        if !sql::must_run_alone(Dialect::Postgres, statement) {
            // It was in one transaction with its progress, which is not there: neither is its effect.
            return Ok(Recovery::RunAgain(None));
        }
        match sql::concurrent_index(statement) {
            Some(ConcurrentIndex::Create { name: Some(index), table, .. }) => {
                // The server may go on for a client that is gone.
                self.wait_for_builders(&table).await?;
                match self.index_of(&index, &table).await? {
                    Some(found) if found.valid => Ok(Recovery::Done),
                    Some(_) => Ok(Recovery::RunAgain(self.clear_invalid(&index, &table).await?)),
                    None => Ok(Recovery::RunAgain(None)),
                }
            }
            Some(ConcurrentIndex::Create { name: None, .. }) => Ok(Recovery::Unknown),
            Some(ConcurrentIndex::Drop { names, .. }) => {
                let mut left = false;
                for dropped in &names {
                    let rows = self.look(format!("SELECT 1 WHERE {} IS NOT NULL", regclass(dropped))).await?;
                    left |= !rows.is_empty();
                }
                Ok(if left { Recovery::RunAgain(None) } else { Recovery::Done })
            }
            Some(ConcurrentIndex::Reindex { target, name }) => self.clear_leftovers(target, name).await,
            _ => {
                Ok(match sql::statement_words(Dialect::Postgres, statement, 1).first().map(String::as_str) {
                    // They do the same thing each time.
                    Some("VACUUM" | "REINDEX" | "CLUSTER" | "ANALYZE") => Recovery::RunAgain(None),
                    _ => Recovery::Unknown,
                })
            }
        }
    }

    /// Drops what an interrupted `REINDEX CONCURRENTLY` left: invalid indexes `…_ccnew` and `…_ccold`.
    async fn clear_leftovers(
        &mut self,
        target: ReindexTarget,
        object: Option<QualifiedName>,
    ) -> Result<Recovery, DbError> {
        let of = match (target, &object) {
            (ReindexTarget::Index, Some(object)) => {
                format!(
                    "i.indrelid = (SELECT indrelid FROM pg_catalog.pg_index WHERE indexrelid = {})",
                    regclass(object)
                )
            }
            (ReindexTarget::Table, Some(object)) => format!("i.indrelid = {}", regclass(object)),
            (ReindexTarget::Schema, Some(object)) => format!("n.nspname = {}", literal(&object.name)),
            _ => "true".to_owned(),
        };
        let rows = self
            .look(format!("{INDEX} WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND {of}"))
            .await?;
        let mut cleared = Vec::new();
        for index in indexes(&rows) {
            self.drop_index(&index.name).await?;
            cleared.push(index.name);
        }
        let note =
            (!cleared.is_empty()).then(|| format!("invalid indexes were dropped: {}", cleared.join(", ")));
        Ok(Recovery::RunAgain(note))
    }
}
