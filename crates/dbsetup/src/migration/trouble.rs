//! What a person reads when a migration fails: where, why, what was undone, what to do next.

use super::job::{Job, without_transaction};
use super::run::Runner;
use crate::driver::{DbErrorClass, ScriptError};
use crate::error::{Error, Kind};
use crate::event::Direction;
use crate::failure::failing_range;
use crate::repo::{Lane, Repo};
use crate::sql::{Dialect, split, statement_words};

impl Runner<'_, '_> {
    /// Returns the error of a script: where, why, what was undone, what next. `within` is the unit, with its index and
    /// the number of all, of a script without a transaction.
    pub(super) fn failed(
        &self,
        job: &Job<'_>,
        range: std::ops::Range<usize>,
        failure: &ScriptError,
        within: Option<(usize, usize)>,
    ) -> Error {
        let script = job.script();
        let text = &script.sql()[range.clone()];
        let repo = self.session.repo();
        let dialect = self.session.server().dialect();
        let mut error = Error::from(failure.error.clone());
        if failure.error.class == DbErrorClass::TransactionClosed {
            error = Error::new(Kind::Statement, "the migration ended the transaction that it ran in")
                .note(format!("`{}`", script.path.display()));
        }
        match failing_range(dialect, text, failure) {
            Some(at) => error = error.at(script.site(range.start + at.start..range.start + at.end)),
            None if crate::sql::mentions_identifier(dialect, text, &self.ledger.name) => {
                error = Error::new(
                    Kind::Ledger,
                    format!("migration {} changes the ledger `{}`, and cannot be recorded in it", job.migration.shown(), self.ledger.shown()),
                )
                .note(sentence_of(failure))
                .help(format!(
                    "keep the ledger of `{}` in a table that no migration touches: ledger = {{ kind = \"{}\", table = \"dbsetup_migrations\" }}",
                    repo.name, self.ledger.kind
                ));
            }
            None => error = error.note(format!("in `{}`", script.path.display())),
        }
        let fix = if failure.error.class == DbErrorClass::InsideTransaction && script.transactional {
            without_transaction(job.migration.grammar, job.direction)
        } else if repo.files.is_embedded() {
            "fix the migration, build and deploy it,"
        } else {
            "fix the file"
        };
        let again = format!("{fix} and run {} again", self.command(job));
        let undone = match within {
            _ if failure.error.class == DbErrorClass::ConnectionLost => {
                "whether it was committed is not known; the next run finds out".to_owned()
            }
            None if failure.rolled_back => "the whole migration was rolled back".to_owned(),
            None => "what ran before the transaction ended was kept, and is not recorded".to_owned(),
            Some((index, total)) => {
                format!("{index} of {total} statements were run and are recorded; it goes on from there")
            }
        };
        let error = error.note(undone);
        if error.help_text().is_some() {
            return error;
        }
        if self.is_older && self.seq == 1 && is_there_already(dialect, text, failure) {
            return older_than_its_migrations(repo, error, &again);
        }
        error.help(again)
    }

    /// The command that runs a job again.
    fn command(&self, job: &Job<'_>) -> String {
        let session = &self.session;
        match job.direction {
            Direction::Up if job.migration.lane == Lane::Manual => session.again("migrate --lane manual"),
            Direction::Up => session.again("migrate"),
            Direction::Down => session.again("rollback"),
        }
    }

    /// Returns the error of code: what it told, or else what the database says of it; what was undone, what next.
    pub(super) fn code_failed(&self, job: &Job<'_>, failure: &ScriptError, told: Option<Error>) -> Error {
        let shown = job.migration.shown();
        let error = told.unwrap_or_else(|| {
            let error = match failure.error.class {
                DbErrorClass::TransactionClosed => {
                    Error::new(Kind::Statement, "the migration ended the transaction that it ran in")
                }
                _ => Error::from(failure.error.clone()),
            };
            error.note(format!("in migration {shown}, which is code"))
        });
        let error = error.note(match (failure.error.class, failure.rolled_back) {
            (DbErrorClass::ConnectionLost, _) => {
                "whether it was committed is not known; the next run finds out"
            }
            (_, true) => "the whole migration was rolled back",
            (_, false) => "what ran before the transaction ended was kept, and is not recorded",
        });
        if error.help_text().is_some() {
            return error;
        }
        error.help(format!("mend the code, build it, and run {} again", self.command(job)))
    }
}

/// Whether a statement failed because what it makes is in the database already. A role is in none: it is the server's, and says
/// nothing about this database.
fn is_there_already(dialect: Dialect, script: &str, failure: &ScriptError) -> bool {
    let statements = split(dialect, script).unwrap_or_default();
    let failing =
        failure.statement.and_then(|at| statements.get(at)).map_or("", |at| &script[at.range.clone()]);
    let words = statement_words(dialect, failing, 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let makes_role =
        matches!(words[..], ["CREATE", "ROLE" | "USER" | "GROUP", ..]) && words.get(2) != Some(&"MAPPING");
    // A statement in a block of code is known by the server's sentence alone.
    let is_role = makes_role || failure.error.message.starts_with("role ");
    failure.error.class == DbErrorClass::Exists && !is_role
}

/// Adds what a first migration that makes what is there already most often means: the database was there before this tool.
fn older_than_its_migrations(repo: &Repo, error: Error, again: &str) -> Error {
    error
        .note(
            "the database has objects, and no migration is recorded in it: it may be older than this ledger",
        )
        .help(format!(
            "if it has what migrations make, record them up to the newest of those: {}; else {again}",
            repo.command("resolve --applied --to VERSION")
        ))
}

fn sentence_of(failure: &ScriptError) -> String {
    failure.error.message.clone()
}

pub(super) fn pooled(repo: &Repo, job: &Job<'_>, what: &str, reason: &str) -> Error {
    Error::new(
        Kind::Pooled,
        format!("`{}` {what} and needs a session of its own", job.script().path.display()),
    )
    .note(reason.to_owned())
    .help(repo.past_pooler())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::driver::DbError;

    #[test]
    fn a_role_that_is_there_says_nothing_about_the_database() {
        let exists = |script: &str, statement: usize, message: &str| {
            let error = DbError {
                class: DbErrorClass::Exists,
                message: message.into(),
                code: None,
                notes: Vec::new(),
            };
            let failure = ScriptError { statement: Some(statement), ..ScriptError::before(error) };
            is_there_already(Dialect::Postgres, script, &failure)
        };
        assert!(exists("create table a ();", 0, "relation \"a\" already exists"));
        assert!(exists("create role app; create type role as ();", 1, "type \"role\" already exists"));
        assert!(exists(
            "create user mapping for app server s;",
            0,
            "user mapping for \"app\" already exists"
        ));
        for script in ["create role app;", "-- us\nCREATE USER app login;", "create group app;"] {
            assert!(!exists(script, 0, "Rolle »app« existiert bereits"), "{script}");
        }
        assert!(!exists("do $$ begin create role app; end $$;", 0, "role \"app\" already exists"));
    }
}
