//! Structure loads and seeds: a transaction that stays open from call to call.

use super::catalog::{SHADOWS, quoted};
use super::error::{self, around, failure};
use super::session::{Open, Session, texts};
use crate::driver::{DbError, DbErrorClass, Fetched, ScriptError};
use crate::ledger::Change;

impl Session {
    /// Opens a transaction. While a structure is loaded, foreign keys wait until its end.
    pub(super) async fn begun(&mut self, loading: bool) -> Result<(), DbError> {
        self.settle().await?;
        self.stand_with_others().await?;
        if loading {
            self.touched = true;
            // Inside a transaction it would be ignored.
            self.send("PRAGMA foreign_keys=OFF").await?;
        }
        self.send("BEGIN IMMEDIATE").await?;
        self.open = Open::Ours { loading };
        self.hooks.guard();
        self.known = None;
        if !loading && !self.options.foreign_keys {
            let known = if self.refers { self.broken().await } else { Ok(Vec::new()) };
            match known {
                Ok(known) => self.known = Some(known),
                Err(error) => {
                    // What failed first is what counts.
                    let _ = self.undo().await;
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Sends a batch inside the open transaction. A failure rolls all of it back.
    pub(super) async fn executed(&mut self, script: &str) -> Result<(), ScriptError> {
        if !matches!(self.open, Open::Ours { .. }) {
            return Err(around(no_transaction(), true));
        }
        // Foreign keys are checked at the end whatever the batch says; other settings are set back then.
        self.touched = true;
        self.refers = true;
        match self.run_batch(script).await {
            Err((done, error)) => Err(self.failed(script, Some(done), error).await),
            Ok(_) if self.hooks.saw_rollback() => {
                let error = failure(
                    DbErrorClass::TransactionClosed,
                    "the script ends the transaction that it runs in",
                );
                Err(self.failed(script, None, error).await)
            }
            Ok(_) => Ok(()),
        }
    }

    /// Sends one statement inside the open transaction, and returns what it answers.
    pub(super) async fn fetched(&mut self, statement: &str) -> Result<Fetched, ScriptError> {
        if !matches!(self.open, Open::Ours { .. }) {
            return Err(around(no_transaction(), true));
        }
        self.touched = true;
        self.refers = true;
        // `changes()` is that of the last statement that changed anything: the total tells whether it was this one.
        let batch = format!("SELECT total_changes();{statement}\n;SELECT total_changes(), changes()");
        let mut fetched = Fetched::default();
        let (mut before, mut after, mut broken) = (Vec::new(), Vec::new(), None);
        let outcome = self
            .run(batch, &mut |done, row| match (done, texts(&row)) {
                (_, Err(error)) => broken = Some(error::database(&error)),
                (0, Ok(row)) => before = row,
                (1, Ok(row)) => fetched.rows.push(row),
                (_, Ok(row)) => after = row,
            })
            .await;
        match (outcome, broken) {
            (Err((done, error)), _) => Err(self.failed(statement, done.checked_sub(1), error).await),
            (Ok(_), Some(error)) => Err(self.failed(statement, None, error).await),
            (Ok(_), None) if self.hooks.saw_rollback() => {
                let error = failure(
                    DbErrorClass::TransactionClosed,
                    "the script ends the transaction that it runs in",
                );
                Err(self.failed(statement, None, error).await)
            }
            (Ok(_), None) => {
                if after.first() != before.first() {
                    let changes = after.get(1).and_then(|changes| changes.as_deref()?.parse().ok());
                    fetched.affected = changes.unwrap_or_default();
                }
                Ok(fetched)
            }
        }
    }

    /// Records changes and commits.
    pub(super) async fn committed(&mut self, changes: &[Change]) -> Result<(), ScriptError> {
        let Open::Ours { loading } = self.open else {
            return Err(around(no_transaction(), true));
        };
        let known = match loading {
            true => Some(Vec::new()),
            false => self.known.take(),
        };
        self.finish(known.as_deref(), changes).await?;
        // The work is committed: settings that cannot be set back fail the next call that needs them.
        let _ = self.settle().await;
        Ok(())
    }

    /// Rolls back; harmless without a transaction.
    pub(super) async fn rolled_back(&mut self) -> Result<(), DbError> {
        self.undo().await?;
        self.settle().await
    }

    /// Removes everything, in the open transaction or in one of its own.
    pub(super) async fn emptied(&mut self) -> Result<(), DbError> {
        if self.open == Open::Nothing {
            self.begun(true).await?;
            let result = match self.everything_dropped().await {
                Ok(()) => self.committed(&[]).await.map_err(|error| error.error),
                Err(error) => Err(error),
            };
            if result.is_err() {
                self.rolled_back().await?;
            }
            return result;
        }
        self.everything_dropped().await
    }

    async fn everything_dropped(&mut self) -> Result<(), DbError> {
        // Triggers first, so that nothing fires; virtual tables take the tables behind them along.
        let rows = self
            .rows(format!(
                "SELECT s.type, s.name FROM main.sqlite_schema AS s \
                 WHERE s.type IN ('trigger', 'view', 'table') AND substr(s.name, 1, 7) <> 'sqlite_' \
                 AND s.name NOT IN ({SHADOWS}) \
                 ORDER BY s.type = 'table', s.type = 'view', s.type = 'table' AND s.rootpage <> 0, s.name"
            ))
            .await?;
        // Rows of a parent may go before those of its children.
        let mut sql = "PRAGMA defer_foreign_keys=ON;".to_owned();
        for row in rows {
            let [kind, name] = <[Option<String>; 2]>::try_from(row).unwrap_or_default();
            sql.push_str(&format!(
                "DROP {} main.{};",
                kind.unwrap_or_default(),
                quoted(&name.unwrap_or_default())
            ));
        }
        sql.push_str(
            "DROP TABLE IF EXISTS main.sqlite_stat1;DROP TABLE IF EXISTS main.sqlite_stat4;\
             PRAGMA main.user_version=0;PRAGMA main.application_id=0",
        );
        self.send(sql).await
    }

    /// Makes what was committed without waiting for the disk durable.
    pub(super) async fn durable(&mut self) -> Result<(), DbError> {
        self.settle().await?;
        self.stand_with_others().await?;
        if !self.fresh {
            return Ok(());
        }
        // One commit that waits for the disk brings everything before it there: the file is synced as a whole.
        // Only a change is written, and setting the version to what it is counts as one.
        let facts = self.tables("PRAGMA synchronous=FULL;PRAGMA user_version;PRAGMA journal_mode").await?;
        let [version, journal] =
            [1, 2].map(|at| facts.get(at).and_then(|rows| rows.first()?.first()?.clone()));
        let version = version.unwrap_or_else(|| "0".into());
        let mut sql = format!("BEGIN IMMEDIATE;PRAGMA user_version={version};COMMIT;");
        sql.push_str(match journal.as_deref() {
            Some("wal") => "PRAGMA wal_checkpoint(TRUNCATE)",
            Some("persist") => "PRAGMA journal_mode=DELETE",
            _ => "",
        });
        self.send(sql).await?;
        self.fresh = false;
        self.touched = true;
        self.settle().await?;
        self.locks.sync_directory()
    }
}

/// The error of a caller that has not begun.
fn no_transaction() -> DbError {
    failure(DbErrorClass::TransactionClosed, "no transaction is open in this session")
}
