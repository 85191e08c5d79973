//! What the code of a migration works with: statements inside the transaction that is open for it.

use std::path::Path;

use crate::driver::{DbError, DbErrorClass, Driver, Fetched, ScriptError};
use crate::error::{Error, Kind, Result, Site};
use crate::event::{Teller, What};
use crate::failure::failing_range;
use crate::sql::{self, Dialect, Filled};

/// The connection that a code migration is handed, inside its transaction.
///
/// Parameters are written `$1`, `$2`, … in either database. Their values are texts or nothing (`NULL`); a text has the type
/// that its surroundings or a cast give it: `WHERE id = $1`, `$1::int`, `CAST($1 AS integer)`. Results are texts, too, as
/// the database writes them.
///
/// A statement that fails ends the migration, whatever the code does with the error: everything is rolled back. The same
/// holds for a call that is not waited for to its end.
pub struct CodeConnection<'a> {
    driver: &'a mut dyn Driver,
    dialect: Dialect,
    /// What the migration is called where its statements are shown.
    place: &'a Path,
    /// Who hears of every statement.
    log: Option<Teller<'a>>,
    failed: Option<Failed>,
    /// Whether a statement is on its way. It stays so when nobody waits for its end.
    is_busy: bool,
}

/// A statement that failed.
#[derive(Debug)]
pub(super) struct Failed {
    /// How; its place is one of `sql`.
    pub failure: ScriptError,
    /// The statement, as the code writes it.
    sql: String,
    /// What is wrong with it before the database has seen it.
    kind: Option<Kind>,
}

impl<'a> CodeConnection<'a> {
    pub(super) fn new(driver: &'a mut dyn Driver, place: &'a Path, log: Option<Teller<'a>>) -> Self {
        let dialect = driver.about().dialect;
        Self { driver, dialect, place, log, failed: None, is_busy: false }
    }

    /// The dialect of SQL that the database speaks, where code is written for more than one.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Runs one statement, and returns how many rows it has changed (in PostgreSQL also: returned).
    ///
    /// # Errors
    /// Those of the database and of the parameters, with the place in the statement.
    pub async fn execute(&mut self, sql: &str, values: &[Option<&str>]) -> Result<u64> {
        Ok(self.fetched(sql, values).await?.affected)
    }

    /// Runs one statement, and returns its rows: a text for each column, as the database writes the value; `None` is NULL.
    ///
    /// # Errors
    /// Those of [`CodeConnection::execute`].
    pub async fn fetch(&mut self, sql: &str, values: &[Option<&str>]) -> Result<Vec<Vec<Option<String>>>> {
        Ok(self.fetched(sql, values).await?.rows)
    }

    /// Runs several statements as they stand, without parameters.
    ///
    /// # Errors
    /// Those of the database, with the place in the text.
    pub async fn batch(&mut self, sql: &str) -> Result<()> {
        self.refuse_dead()?;
        self.check(sql, false)?;
        self.tell(sql);
        self.is_busy = true;
        let result = self.driver.execute(sql).await;
        self.is_busy = false;
        result.map_err(|failure| self.fail(sql, failure))
    }

    async fn fetched(&mut self, sql: &str, values: &[Option<&str>]) -> Result<Fetched> {
        self.refuse_dead()?;
        self.check(sql, true)?;
        let filled = match sql::fill(self.dialect, sql, values) {
            Ok(filled) => filled,
            Err(error) => {
                let at = error.range().map(|range| range.start);
                return Err(self.refuse(sql, error.to_string(), at));
            }
        };
        self.tell(sql);
        self.is_busy = true;
        let result = self.driver.fetch(&filled.text).await;
        self.is_busy = false;
        result.map_err(|failure| self.fail(sql, in_original(failure, &filled)))
    }

    /// Tells of a statement without its values, which may be nobody's business.
    fn tell(&self, sql: &str) {
        if let Some(teller) = &self.log {
            teller.tell(What::Statement { sql: sql.trim().to_owned() });
        }
    }

    /// Refuses to go on after a failure: nothing of it would be kept.
    fn refuse_dead(&self) -> Result<()> {
        if self.failed.is_none() && !self.is_busy {
            return Ok(());
        }
        let what = if self.is_busy { "was not waited for" } else { "failed" };
        Err(Error::new(
            Kind::Statement,
            format!("an earlier statement of this migration {what}: it is rolled back"),
        ))
    }

    /// Looks at a statement before it is sent.
    fn check(&mut self, sql: &str, is_one: bool) -> Result<()> {
        let spans = match sql::split(self.dialect, sql) {
            Ok(spans) => spans,
            Err(error) => return Err(self.refuse(sql, error.to_string(), None)),
        };
        for span in &spans {
            if let Some(word) = sql::transaction_control(self.dialect, &sql[span.range.clone()]) {
                let what = format!("{word} in a code migration, which runs in a transaction of its own");
                return Err(self.refuse(sql, what, Some(span.range.start)));
            }
        }
        match &spans[..] {
            [] if is_one => Err(self.refuse(sql, "there is no statement".to_owned(), None)),
            [_, second, ..] if is_one => {
                let what = "more than one statement: send them one by one, or with `batch`".to_owned();
                Err(self.refuse(sql, what, Some(second.range.start)))
            }
            _ => Ok(()),
        }
    }

    /// Fails the migration for a statement that is not sent.
    fn refuse(&mut self, sql: &str, message: String, offset: Option<usize>) -> Error {
        let error = DbError { class: DbErrorClass::Statement, message, code: None, notes: Vec::new() };
        let failure = ScriptError { error, statement: Some(0), offset, rolled_back: true };
        self.keep(Failed { failure, sql: sql.to_owned(), kind: Some(Kind::Grammar) })
    }

    fn fail(&mut self, sql: &str, failure: ScriptError) -> Error {
        self.keep(Failed { failure, sql: sql.to_owned(), kind: None })
    }

    fn keep(&mut self, failed: Failed) -> Error {
        let error = failed.told(self.dialect, self.place);
        self.failed.get_or_insert(failed);
        error
    }

    /// Returns what failed first. A statement that nobody waited for has failed, too.
    pub(super) fn end(self) -> Option<Failed> {
        let is_left = self.is_busy && self.failed.is_none();
        let left = || {
            let error = DbError {
                class: DbErrorClass::Statement,
                message: "the code did not wait for the end of a statement".to_owned(),
                code: None,
                notes: Vec::new(),
            };
            let failure = ScriptError { error, statement: None, offset: None, rolled_back: true };
            Failed { failure, sql: String::new(), kind: None }
        };
        if is_left { Some(left()) } else { self.failed }
    }
}

impl Failed {
    /// Returns it as an error that shows the statement.
    pub(super) fn told(&self, dialect: Dialect, place: &Path) -> Error {
        let from_database = Error::from(self.failure.error.clone());
        let error = match self.kind {
            Some(kind) => Error::new(kind, self.failure.error.message.clone()),
            None => from_database,
        };
        let range = failing_range(dialect, &self.sql, &self.failure)
            .or_else(|| (!self.sql.is_empty()).then(|| first_line(&self.sql)));
        match range {
            Some(range) => error.at(Site::in_text(place, &self.sql, range)),
            None => error,
        }
    }
}

/// The bytes of a statement's first line that is not blank.
fn first_line(sql: &str) -> std::ops::Range<usize> {
    let start = sql.len() - sql.trim_start().len();
    start..sql[start..].find('\n').map_or(sql.len(), |length| start + length)
}

/// Moves a failure's place from the text that was sent to the one that was written.
fn in_original(mut failure: ScriptError, filled: &Filled) -> ScriptError {
    failure.offset = failure.offset.map(|at| filled.original(at.min(filled.text.len())));
    failure
}
