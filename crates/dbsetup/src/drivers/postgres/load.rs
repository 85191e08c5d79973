//! A transaction of several messages: structure loads, seeds, COPY.

use super::copy::{Copy, Step};
use super::error::{has_code, in_session, is_about, own};
use super::script::{Failed, Message, refuse_copy};
use super::session::Session;
use super::text::literal;
use super::work::outside;
use crate::driver::{DbError, DbErrorClass, Fetched, ScriptError};
use crate::ledger::Change;

/// The error of a script that closed our transaction.
pub(super) fn closed() -> DbError {
    let message = "the script ended the transaction that it ran in";
    DbError { code: Some("25P01".into()), ..own(DbErrorClass::TransactionClosed, message) }
}

impl Session {
    pub(super) async fn begin_transaction(&mut self, loading: bool) -> Result<(), DbError> {
        let mut statements = vec!["BEGIN".to_owned()];
        statements.extend(self.local_settings());
        if loading {
            // Bodies may speak of what comes later in the file; foreign keys that can wait do.
            statements.push("SELECT pg_catalog.set_config('check_function_bodies', 'off', true)".into());
            statements.push("SET CONSTRAINTS ALL DEFERRED".into());
            if self.version >= 170_000 {
                // Only a superuser may, and only there is the setting known.
                statements.push(
                    "SELECT CASE WHEN pg_catalog.current_setting('is_superuser') = 'on' \
                     THEN pg_catalog.set_config('event_triggers', 'off', true) END"
                        .into(),
                );
            }
        }
        let result = self.message(statements.join(";\n")).await;
        self.open = result.is_ok();
        if result.is_err() && self.connection.is_some() {
            self.message("ROLLBACK".into()).await?;
        }
        result.map(drop)
    }

    /// Returns the names that are no setting of the server.
    pub(super) async fn without_settings(&mut self, names: &[String]) -> Result<Vec<String>, DbError> {
        let names: Vec<String> = names.iter().map(|name| format!("({})", literal(name))).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self
            .look(format!(
                "SELECT asked.name FROM (VALUES {}) AS asked (name) \
                 WHERE pg_catalog.current_setting(asked.name, true) IS NULL",
                names.join(", ")
            ))
            .await?;
        Ok(rows.into_iter().filter_map(|row| row.into_iter().next().flatten()).collect())
    }

    pub(super) async fn run_batch(&mut self, script: &str) -> Result<(), ScriptError> {
        self.run_and_keep(script).await.map(drop)
    }

    /// Runs a script inside the open transaction, and returns what its first statement answers.
    pub(super) async fn run_and_keep(&mut self, script: &str) -> Result<Fetched, ScriptError> {
        refuse_copy(script)?;
        // Where not even this was done, the server refused to read the text, and no statement has failed.
        let before = vec!["SELECT".to_owned()];
        let after = vec!["SAVEPOINT dbsetup_probe".to_owned(), "RELEASE SAVEPOINT dbsetup_probe".into()];
        let message = Message { before, script, after };
        let text = message.text(&self.mark);
        let failure = match self.send_and_keep(text, Some(message.before.len())).await {
            Ok(fetched) => return Ok(fetched),
            Err(failure) => failure,
        };
        // Nothing of a broken transaction stays, whoever rolls it back.
        Err(match message.place(&failure) {
            Failed::Script { statement, offset } => {
                ScriptError { error: failure.error, statement, offset, rolled_back: true }
            }
            Failed::After(_) if has_code(&failure.error, "25P01") => outside(closed(), false),
            Failed::Before(_) | Failed::After(_) => outside(failure.error, true),
        })
    }

    pub(super) async fn copy_start(&mut self, statement: &str) -> Result<(), ScriptError> {
        self.connection().map_err(|error| outside(error, false))?;
        let Some(connection) = self.connection.take() else { return Ok(()) };
        let step = Copy::begin(connection, statement.to_owned()).await;
        self.step(step).map(drop)
    }

    pub(super) async fn copy_send(&mut self, data: &[u8]) -> Result<(), ScriptError> {
        let step = self.copying()?.data(data).await;
        self.step(step).map(drop)
    }

    pub(super) async fn copy_finish(&mut self) -> Result<u64, ScriptError> {
        let step = self.copying()?.end().await;
        self.step(step).map(Option::unwrap_or_default)
    }

    fn copying(&mut self) -> Result<Copy, ScriptError> {
        let nothing = || outside(own(DbErrorClass::ConnectionLost, "no COPY is under way"), false);
        self.copy.take().ok_or_else(nothing)
    }

    /// Takes back what a step of a copy left.
    fn step(&mut self, step: Step) -> Result<Option<u64>, ScriptError> {
        match step {
            Step::More(copy) => {
                self.copy = Some(copy);
                Ok(None)
            }
            Step::Ended((connection, rows)) => {
                self.connection = connection;
                rows.map(Some)
                    .map_err(|error| ScriptError { statement: Some(0), ..outside(in_session(&error), false) })
            }
        }
    }

    pub(super) async fn finish(&mut self, changes: &[Change]) -> Result<(), ScriptError> {
        let mut statements = vec!["SET CONSTRAINTS ALL IMMEDIATE".to_owned()];
        statements.extend(self.restoring());
        statements.extend(self.record(changes).map_err(|error| outside(error, false))?);
        // A script that committed has left no transaction: then the changes must not be recorded alone.
        statements.insert(0, "SAVEPOINT dbsetup_probe".into());
        statements.push("COMMIT".into());
        match self.message(statements.join(";\n")).await {
            Ok(_) => {
                self.open = false;
                Ok(())
            }
            Err(mut error) => {
                let lost = error.class == DbErrorClass::ConnectionLost;
                let ended = has_code(&error, "25P01");
                if ended {
                    error = closed();
                } else if self.ledger.as_ref().is_some_and(|ledger| is_about(&error, &ledger.shown())) {
                    error = self.in_ledger(error);
                }
                let undone = !lost && self.abandon().await.is_ok();
                Err(outside(error, undone && !ended))
            }
        }
    }

    /// Rolls back; harmless without a transaction.
    pub(super) async fn abandon(&mut self) -> Result<(), DbError> {
        self.open = false;
        if let Some(copy) = self.copy.take() {
            self.connection = copy.abort().await;
        }
        if self.connection.is_none() {
            return Ok(());
        }
        let mut text = "ROLLBACK".to_owned();
        for statement in self.restoring().into_iter().filter(|statement| !statement.contains(" LOCAL ")) {
            text.push_str(";\n");
            text.push_str(&statement);
        }
        self.message(text).await.map(drop)
    }

    /// Makes commits that did not wait for the disk durable.
    pub(super) async fn flush(&mut self) -> Result<(), DbError> {
        if !self.options.fresh || self.durable {
            return Ok(());
        }
        // The log is written in order: a commit that waits for the disk waits for all before it. It has to write
        // something to be a commit that waits, and an assigned transaction id alone is not logged: a message is.
        self.message(
            "BEGIN; SET LOCAL synchronous_commit = on; \
             SELECT pg_catalog.pg_logical_emit_message(true, 'dbsetup', 'durable'); COMMIT; \
             SET synchronous_commit = on"
                .into(),
        )
        .await?;
        self.durable = true;
        Ok(())
    }
}
