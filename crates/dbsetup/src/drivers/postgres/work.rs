//! Scripts with their ledger changes, in one message where that can be done.

use super::error::{is_about, own};
use super::load::closed;
use super::lock::{guard, in_transaction};
use super::plain::is_plain_ddl;
use super::script::{Failed, Failure, Message, refuse_copy};
use super::session::Session;
use crate::driver::{DbError, DbErrorClass, Guard, ScriptError, Work};
use crate::ledger::{self, Change, LedgerTable};
use crate::sql::Dialect;

/// What our statement after the script stands for: the first one fails when the script closed the transaction.
const PROBE: usize = 0;

/// A failure of our own before or around a script.
pub(super) fn outside(error: DbError, rolled_back: bool) -> ScriptError {
    ScriptError { error, statement: None, offset: None, rolled_back }
}

impl Session {
    /// Returns the statements of the changes.
    pub(super) fn record(&self, changes: &[Change]) -> Result<Vec<String>, DbError> {
        if changes.is_empty() {
            return Ok(Vec::new());
        }
        let ledger = self.known_ledger()?;
        Ok(changes.iter().flat_map(|change| ledger::record(Dialect::Postgres, ledger, change)).collect())
    }

    fn known_ledger(&self) -> Result<&LedgerTable, DbError> {
        self.ledger.as_ref().ok_or_else(|| {
            own(DbErrorClass::Configuration, "no ledger was chosen before changes were recorded")
        })
    }

    /// Returns the error of changes that could not be recorded.
    pub(super) fn in_ledger(&self, mut error: DbError) -> DbError {
        if error.code.as_deref() == Some("23505") {
            // The primary key is the last guard: a peer that holds no lock of ours was faster. In our own tables
            // beside the ledger it is another lane that wrote the same key, and trying again helps.
            let ledger = self.ledger.as_ref().is_some_and(|ledger| is_about(&error, &ledger.shown()));
            error.class = if ledger { DbErrorClass::LedgerConflict } else { DbErrorClass::Serialization };
        }
        error.notes.push("the ledger could not be changed".into());
        error
    }

    pub(super) async fn run_work(&mut self, work: Work<'_>) -> Result<(), ScriptError> {
        refuse_copy(work.script)?;
        let before_nothing = |error| outside(error, true);
        self.sent += 1;
        let sent = self.sent.to_string();
        let mut before = vec!["BEGIN".to_owned()];
        before.extend(self.local_settings());
        let (mut lock_at, mut guard_at) = (None, None);
        if let Some(lock) = work.lock {
            lock_at = Some(before.len());
            before.push(in_transaction(self.lock_key(lock)));
        }
        if let Some(wanted) = work.guard.filter(|guard| !self.needs_no(guard)) {
            guard_at = Some(before.len());
            let (version, must_exist) = match wanted {
                Guard::NotApplied(version) => (version, false),
                Guard::Applied(version) => (version, true),
            };
            let ledger = self.known_ledger().map_err(before_nothing)?;
            before.push(guard(&ledger::delete_row(Dialect::Postgres, ledger, version), must_exist));
        }
        // Undone with the transaction: by its value it is known afterwards whether the script committed.
        if may_commit(work.script) {
            before.push(format!("SELECT pg_catalog.set_config('dbsetup.transaction', '{sent}', false)"));
        }

        let mut after = Vec::new();
        // A quarter of a small migration's time is what follows; most of them need none of it.
        if !is_plain_ddl(work.script) {
            after.extend(["SAVEPOINT dbsetup_probe".to_owned(), "RELEASE SAVEPOINT dbsetup_probe".into()]);
            // What waits for the commit runs now, under the script's own settings and not under ours.
            after.push("SET CONSTRAINTS ALL IMMEDIATE".into());
            after.extend(self.restoring());
        }
        let changes_at = after.len();
        after.extend(self.record(work.changes).map_err(before_nothing)?);
        after.push("COMMIT".into());

        let message = Message { before, script: work.script, after };
        let text = message.text(&self.mark);
        let Err(failure) = self.send(text).await else { return Ok(()) };
        let place = message.place(&failure);
        let undone = self.undo(&failure, &sent).await;
        Err(match place {
            Failed::Before(index) if Some(index) == lock_at && is_marker(&failure) => {
                let key = work.lock.map(|lock| lock.ledger.shown()).unwrap_or_default();
                let error = DbError {
                    code: Some("55P03".into()),
                    ..own(DbErrorClass::LockTimeout, format!("another run holds the lock of `{key}`"))
                };
                outside(error, true)
            }
            Failed::Before(index) if Some(index) == guard_at && is_marker(&failure) => {
                let message = match work.guard {
                    Some(Guard::Applied(version)) => format!("version {version} is not recorded any more"),
                    Some(Guard::NotApplied(version)) => format!("version {version} is recorded by now"),
                    None => "the ledger was changed in between".into(),
                };
                outside(own(DbErrorClass::LedgerConflict, message), true)
            }
            Failed::Before(_) => outside(failure.error, undone),
            Failed::Script { statement, offset } => {
                ScriptError { error: failure.error, statement, offset, rolled_back: undone }
            }
            Failed::After(PROBE) if failure.error.code.as_deref() == Some("25P01") => {
                outside(closed(), false)
            }
            Failed::After(index) => {
                let error = if index >= changes_at { self.in_ledger(failure.error) } else { failure.error };
                outside(error, undone)
            }
        })
    }

    /// Whether a guard can be left out: this run made the database and holds its lock, so that nobody else has a reason
    /// to migrate it. If someone does all the same, the ledger's primary key keeps the second row out, and the
    /// transaction with it.
    fn needs_no(&self, guard: &Guard) -> bool {
        matches!(guard, Guard::NotApplied(_)) && self.options.fresh && !self.pooled()
    }

    /// Rolls back after a failure, brings the session back to its settings, and returns whether everything that
    /// the script did is undone.
    async fn undo(&mut self, failure: &Failure, sent: &str) -> bool {
        if failure.error.class == DbErrorClass::ConnectionLost || self.connection.is_none() {
            // The commit may have been on its way: only the ledger tells.
            return false;
        }
        let mut text = "ROLLBACK;\nSELECT pg_catalog.current_setting('dbsetup.transaction', true)".to_owned();
        for statement in self.restoring().into_iter().filter(|statement| !statement.contains(" LOCAL ")) {
            text.push_str(";\n");
            text.push_str(&statement);
        }
        match self.message(text).await {
            Ok(answers) => {
                let value = answers.get(1).and_then(|rows| rows.first()).and_then(|row| row.first());
                value.is_none_or(|value| value.as_deref() != Some(sent))
            }
            // The server rolls back what it was told to, or what its client left.
            Err(_) => true,
        }
    }
}

/// Whether a script can end the transaction that it runs in: not without one of these words, which nothing else can
/// spell. What merely contains one costs a question more.
fn may_commit(script: &str) -> bool {
    let lower = script.to_ascii_lowercase();
    ["commit", "end", "rollback", "abort", "prepare"].iter().any(|word| lower.contains(word))
}

/// Whether our own conversion failed on purpose, and not for want of the table.
fn is_marker(failure: &Failure) -> bool {
    failure.error.code.as_deref() == Some("22P02") && failure.error.message.contains("\"dbsetup: ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_without_the_words_cannot_end_its_transaction() {
        for script in ["COMMIT", "select 1; End", "RollBack to a", "abort", "prepare transaction 'a'"] {
            assert!(may_commit(script), "{script}");
        }
        assert!(!may_commit("create table a (id int); create index on a (id)"));
    }
}
