//! Migrations: a script and its ledger row in one transaction, or statement by statement with progress.

use std::collections::HashMap;

use super::catalog::{literal, quoted};
use super::error::{self, advised, around, failure};
use super::session::{Open, Session};
use crate::driver::{DbError, DbErrorClass, Guard, ScriptError, Work};
use crate::ledger::{self, Change, LedgerTable, PROGRESS_TABLE};
use crate::sql::{self, Dialect, TokenKind};

/// A row whose parent is missing: table, row, parent.
pub(super) type Orphan = [String; 3];

/// What a script may do besides its work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Reach {
    /// It turns foreign keys off, which SQLite ignores inside a transaction.
    pub(super) foreign_keys_off: bool,
    /// It may change a setting of the session.
    pub(super) session: bool,
    /// It may leave rows without their parents.
    pub(super) rows: bool,
    /// It may make a table that refers to another one.
    pub(super) refers: bool,
    /// What is written behind it is seen.
    pub(super) is_closed: bool,
    /// Its last statement is ended by `;`.
    is_ended: bool,
}

impl Reach {
    pub(super) fn of(script: &str) -> Self {
        let mut reach = Self::default();
        let mut last = ";";
        let mut open_comment = false;
        let mut words = sql::tokens(Dialect::Sqlite, script)
            .inspect(|token| match token.kind {
                TokenKind::Space => {}
                TokenKind::Comment => {
                    open_comment |=
                        token.text.starts_with("/*") && (token.text.len() < 4 || !token.text.ends_with("*/"));
                }
                _ => last = token.text,
            })
            .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment))
            .map(|token| token.text)
            .peekable();
        let is_one_of =
            |word: &str, words: &[&str]| words.iter().any(|other| word.eq_ignore_ascii_case(other));
        while let Some(word) = words.next() {
            if is_one_of(word, &["delete", "update", "drop", "alter", "insert", "replace"]) {
                reach.rows = true;
            } else if is_one_of(word, &["attach", "detach"]) {
                reach.session = true;
            } else if is_one_of(word, &["references"]) {
                reach.refers = true;
            } else if is_one_of(word, &["pragma"]) {
                reach.session = true;
                let mut name = words.next().unwrap_or_default();
                if words.next_if(|dot| *dot == ".").is_some() {
                    name = words.next().unwrap_or_default();
                }
                if is_one_of(name, &["foreign_keys"])
                    && words.next_if(|sign| matches!(*sign, "=" | "(")).is_some()
                    && let Some(value) = words.next()
                {
                    let value = value.trim_matches(['\'', '"']);
                    reach.foreign_keys_off |= is_one_of(value, &["off", "0", "no", "false"]);
                }
            }
        }
        drop(words);
        reach.is_closed = !open_comment;
        reach.is_ended = last == ";";
        reach
    }

    /// What stands between the script and statements of ours.
    pub(super) fn ending(&self) -> &'static str {
        // The script may end in a comment.
        if self.is_ended { "\n" } else { "\n;" }
    }
}

/// Returns a query that fails unless the guard's condition holds. SQLite has no `RAISE` outside of triggers; the absolute
/// value of the smallest integer is an error everywhere (<https://www.sqlite.org/lang_corefunc.html#abs>).
pub(super) fn guard_query(ledger: &LedgerTable, guard: &Guard) -> String {
    let (version, wrong) = match guard {
        Guard::NotApplied(version) => (version, "> 0"),
        Guard::Applied(version) => (version, "= 0"),
    };
    format!(
        "SELECT abs(-9223372036854775807 - (count(*) {wrong})) FROM main.{} WHERE version = {};",
        quoted(&ledger.name),
        literal(version)
    )
}

/// Returns the error of a guard that failed.
fn conflict(guard: &Guard) -> DbError {
    let text = match guard {
        Guard::NotApplied(version) => format!("version {version} has been recorded by another process"),
        Guard::Applied(version) => format!("version {version} has been removed by another process"),
    };
    failure(DbErrorClass::LedgerConflict, text)
}

/// Returns the first row that lost its parent since `before`, told by numbers: a table that is rebuilt numbers its
/// rows anew.
fn newly_broken<'a>(before: &[Orphan], after: &'a [Orphan]) -> Option<&'a Orphan> {
    let mut known: HashMap<(&str, &str), usize> = HashMap::new();
    for [table, _, parent] in before {
        *known.entry((table, parent)).or_default() += 1;
    }
    let mut found: HashMap<(&str, &str), usize> = HashMap::new();
    for [table, _, parent] in after {
        *found.entry((table, parent)).or_default() += 1;
    }
    let worse = |row: &&Orphan| {
        let pair = (row[0].as_str(), row[2].as_str());
        found.get(&pair) > known.get(&pair)
    };
    after.iter().filter(worse).find(|row| !before.contains(row)).or_else(|| after.iter().find(worse))
}

/// Returns the sentence about a row without its parent.
fn orphan([table, row, parent]: &Orphan) -> String {
    let row = if row.is_empty() { "a row".to_owned() } else { format!("row {row}") };
    format!("{row} of `{table}` refers to a row of `{parent}` that is not there")
}

impl Session {
    /// Runs a script and records its changes in one transaction.
    pub(super) async fn transacted(&mut self, work: Work<'_>) -> Result<(), ScriptError> {
        self.settle().await.map_err(|error| around(error, true))?;
        let reach = Reach::of(work.script);
        self.touched |= reach.session;
        if reach.foreign_keys_off && self.options.foreign_keys {
            // What the script asks for works outside of a transaction alone; its author meant it to work.
            self.send("PRAGMA foreign_keys=OFF").await.map_err(|error| around(error, true))?;
        }
        self.refers |= reach.refers;
        let checked = self.refers && reach.rows && (reach.foreign_keys_off || !self.options.foreign_keys);
        if !checked && let Some(result) = self.quickly(work, &reach).await {
            return result;
        }

        let mut batch = "BEGIN IMMEDIATE;".to_owned();
        let mut before_script = 1;
        if let Some(guard) = work.guard {
            let ledger = self.ledger_in_use().map_err(|error| around(error, true))?;
            batch.push_str(&guard_query(ledger, guard));
            before_script += 1;
        }
        if checked {
            batch.push_str("PRAGMA foreign_key_check;");
            before_script += 1;
        }
        batch.push_str(work.script);

        self.open = Open::Ours { loading: false };
        self.hooks.guard();
        let mut broken = Vec::new();
        let outcome = self
            .run(batch, &mut |done, row| {
                if checked && done + 1 == before_script {
                    broken.push(broken_row(&super::session::texts(&row).unwrap_or_default()));
                }
            })
            .await;
        match outcome {
            Err((done, error)) => {
                let error = match work.guard {
                    Some(guard) if done == 1 && error.message == "integer overflow" => conflict(guard),
                    _ => error,
                };
                let statement = done.checked_sub(before_script);
                return Err(self.failed(work.script, statement, error).await);
            }
            Ok(_) if self.hooks.saw_rollback() => {
                let error = failure(
                    DbErrorClass::TransactionClosed,
                    "the script ends the transaction that it runs in",
                );
                return Err(self.failed(work.script, None, error).await);
            }
            Ok(_) => {}
        }
        let known = checked.then_some(&*broken);
        self.finish(known, work.changes).await
    }

    /// Checks foreign keys if `known` violations are given, records changes and commits.
    pub(super) async fn finish(
        &mut self,
        known: Option<&[Orphan]>,
        changes: &[Change],
    ) -> Result<(), ScriptError> {
        let result = self.try_to_finish(known, changes).await;
        if let Err(error) = result {
            return Err(self.failed("", None, error).await);
        }
        self.hooks.allow();
        self.open = Open::Nothing;
        Ok(())
    }

    async fn try_to_finish(&mut self, known: Option<&[Orphan]>, changes: &[Change]) -> Result<(), DbError> {
        if let Some(known) = known {
            let after = self.broken().await?;
            if let Some(row) = newly_broken(known, &after) {
                return Err(advised(
                    DbErrorClass::Statement,
                    format!("foreign key violation: {}", orphan(row)),
                    "foreign keys were off while the script ran, and are checked at its end",
                ));
            }
        }
        let changes = self.recorded(changes).await?;
        self.hooks.allow();
        match self.send(format!("{changes}COMMIT")).await {
            // SQLITE_CONSTRAINT_FOREIGNKEY names no table; the transaction is still open, so that it can be looked up.
            Err(mut error) if error::code_of(&error) == 787 => {
                let broken = self.broken().await.unwrap_or_default();
                error.notes.extend(broken.first().map(orphan));
                Err(error)
            }
            other => other,
        }
    }

    /// Returns the rows whose parents are missing.
    pub(super) async fn broken(&mut self) -> Result<Vec<Orphan>, DbError> {
        Ok(self.rows("PRAGMA foreign_key_check").await?.iter().map(|row| broken_row(row)).collect())
    }

    /// Rolls back and returns the whole story of a failure.
    pub(super) async fn failed(
        &mut self,
        script: &str,
        statement: Option<usize>,
        error: DbError,
    ) -> ScriptError {
        let offset = statement.and_then(|statement| error::place(script, statement, &error.message));
        let rolled_back = self.undo().await.is_ok();
        ScriptError { error, statement, offset, rolled_back }
    }

    /// Runs one statement of a script that has no transaction of its own, and records its changes.
    pub(super) async fn ran_alone(&mut self, statement: &str, changes: &[Change]) -> Result<(), ScriptError> {
        if let Open::Ours { .. } = self.open {
            return Err(around(
                failure(DbErrorClass::TransactionClosed, "a transaction is still open in this session"),
                false,
            ));
        }
        // It may take its time.
        self.stand_with_others().await.map_err(|error| around(error, false))?;
        let reach = Reach::of(statement);
        self.touched |= reach.session;
        self.refers |= reach.refers;
        let control = sql::transaction_control(Dialect::Sqlite, statement);
        let in_scripts = self.open == Open::Scripts;
        if in_scripts && control.is_some_and(|word| word != "ROLLBACK") {
            // COMMIT: what is recorded and what it records become true together.
            let changes = self.recorded(changes).await.map_err(|error| around(error, false))?;
            return self.alone(format!("{changes}{statement}"), statement, Open::Nothing).await;
        }
        if control.is_some() || (!in_scripts && sql::must_run_alone(Dialect::Sqlite, statement)) {
            let begins = !in_scripts && control == Some("BEGIN");
            let open = if begins { Open::Scripts } else { Open::Nothing };
            self.alone(statement.to_owned(), statement, open).await?;
            if !begins {
                return self.record_alone(changes).await;
            }
        } else if in_scripts {
            self.alone(statement.to_owned(), statement, Open::Scripts).await?;
        } else {
            let guard = None;
            return self.alone_in_transaction(Work { script: statement, changes, guard, lock: None }).await;
        }
        // Inside the transaction that the script began.
        if changes.iter().any(|change| matches!(change, Change::Insert(_) | Change::Delete { .. })) {
            let error = failure(
                DbErrorClass::TransactionClosed,
                "the script leaves the transaction open that it began",
            );
            return Err(self.failed(statement, None, error).await);
        }
        let changes = self.recorded(changes).await.map_err(|error| around(error, false))?;
        self.alone(changes, statement, Open::Scripts).await
    }

    /// Sends statements in whatever transaction there is, and says what is open afterwards.
    async fn alone(&mut self, sql: String, statement: &str, open: Open) -> Result<(), ScriptError> {
        match self.send(sql).await {
            Ok(()) => {
                self.open = open;
                Ok(())
            }
            Err(error) => Err(self.failed(statement, Some(0), error).await),
        }
    }

    /// Runs a statement and records its changes in a transaction, with the session's settings as the script made them.
    async fn alone_in_transaction(&mut self, work: Work<'_>) -> Result<(), ScriptError> {
        self.open = Open::Ours { loading: false };
        self.hooks.guard();
        let batch = format!("BEGIN IMMEDIATE;{}", work.script);
        if let Err((done, error)) = self.run(batch, &mut |_, _| {}).await {
            return Err(self.failed(work.script, done.checked_sub(1), error).await);
        }
        self.finish(None, work.changes).await
    }

    /// Records changes in a transaction of their own.
    async fn record_alone(&mut self, changes: &[Change]) -> Result<(), ScriptError> {
        if changes.is_empty() {
            return Ok(());
        }
        self.alone_in_transaction(Work { script: "", changes, guard: None, lock: None }).await
    }

    /// The ledger that changes are recorded in.
    pub(super) fn ledger_in_use(&self) -> Result<&LedgerTable, DbError> {
        self.ledger
            .as_ref()
            .ok_or_else(|| failure(DbErrorClass::Configuration, "no ledger was chosen for this session"))
    }

    /// Returns the statements that make changes, each ended by `;`, with the tables of ours that they need.
    pub(super) async fn recorded(&mut self, changes: &[Change]) -> Result<String, DbError> {
        if changes.is_empty() {
            return Ok(String::new());
        }
        let ledger = self.ledger_in_use()?.clone();
        let mut statements = Vec::new();
        let is_meta = |change: &Change| matches!(change, Change::SetMeta { .. } | Change::ClearMeta { .. });
        let is_progress =
            |change: &Change| matches!(change, Change::SetProgress(_) | Change::ClearProgress { .. });
        if changes.iter().any(is_meta) {
            statements.push(ledger::create_meta(&ledger));
        }
        if changes.iter().any(is_progress) {
            statements.push(ledger::create_progress(&ledger));
        }
        for change in changes {
            statements.extend(ledger::record(Dialect::Sqlite, &ledger, change));
        }
        if changes.iter().any(is_progress) && self.progress_ends(changes).await? {
            statements.push(format!("DROP TABLE {}", quoted(PROGRESS_TABLE)));
        }
        statements.push(String::new());
        Ok(statements.join(";"))
    }

    /// Whether no migration is in progress any more after `changes`: the table is there only while one is.
    async fn progress_ends(&mut self, changes: &[Change]) -> Result<bool, DbError> {
        let mut cleared = Vec::new();
        for change in changes {
            match change {
                Change::ClearProgress { version } => cleared.push(literal(version)),
                Change::SetProgress(_) => return Ok(false),
                _ => {}
            }
        }
        let there = self
            .rows(format!("SELECT 1 FROM main.sqlite_schema WHERE name = {}", literal(PROGRESS_TABLE)))
            .await?;
        if there.is_empty() {
            return Ok(true);
        }
        let others = self
            .rows(format!(
                "SELECT 1 FROM {} WHERE version NOT IN ({}) LIMIT 1",
                quoted(PROGRESS_TABLE),
                cleared.join(", ")
            ))
            .await?;
        Ok(others.is_empty())
    }
}

/// Returns a row of `PRAGMA foreign_key_check`: table, row, parent.
fn broken_row(row: &[Option<String>]) -> Orphan {
    std::array::from_fn(|at| row.get(at).cloned().flatten().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pragma_that_a_transaction_ignores_is_seen() {
        for script in
            ["PRAGMA foreign_keys=OFF;", "pragma main.foreign_keys (0)", "PRAGMA foreign_keys = 'off'"]
        {
            assert!(Reach::of(script).foreign_keys_off, "{script}");
        }
        for script in
            ["PRAGMA foreign_keys=ON;", "-- PRAGMA foreign_keys=OFF", "select 'PRAGMA foreign_keys=OFF'"]
        {
            assert!(!Reach::of(script).foreign_keys_off, "{script}");
        }
    }

    #[test]
    fn statements_of_ours_are_kept_apart_from_the_end_of_a_script() {
        for (script, ending) in
            [("", "\n"), ("a; -- b", "\n"), ("a", "\n;"), ("a -- b;", "\n;"), ("a /* ; */", "\n;")]
        {
            assert_eq!(Reach::of(script).ending(), ending, "{script}");
        }
        assert!(!Reach::of("a; /* b").is_closed && Reach::of("a /* b */").is_closed);
    }

    #[test]
    fn rows_that_were_broken_before_are_not_blamed_on_the_script() {
        let row = |table: &str, row: &str| [table.to_owned(), row.to_owned(), "users".to_owned()];
        let before = [row("orders", "1")];
        assert_eq!(newly_broken(&before, &[row("orders", "9")]), None);
        let after = [row("orders", "1"), row("orders", "2")];
        assert_eq!(newly_broken(&before, &after), Some(&row("orders", "2")));
        assert_eq!(newly_broken(&before, &[row("items", "1")]), Some(&row("items", "1")));
    }
}
