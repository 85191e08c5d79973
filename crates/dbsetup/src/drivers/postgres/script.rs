//! One message and its answers: what is sent, how far the server came, which statement failed and where in it.
//!
//! Everything goes by the simple protocol: one message carries many statements in one trip, and nothing is prepared,
//! which a pooler would hand to another session.

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{AssertSqlSafe, Either, Row as _, ValueRef as _};

use super::error::{in_session, own, position};
use crate::driver::{DbError, DbErrorClass, Fetched, ScriptError};
use crate::sql::{self, Dialect, SpanKind, char_offset_to_byte};

/// A row of text.
pub(super) type Row = Vec<Option<String>>;

/// A message that failed.
#[derive(Debug)]
pub(super) struct Failure {
    pub error: DbError,
    /// How many statements were done before.
    pub done: usize,
    /// The place that the server points at, in characters of the message, from 1.
    pub position: Option<usize>,
    /// How many statements were done when the mark was seen.
    pub marked: Option<usize>,
    /// Whether the connection can go on.
    pub broken: bool,
}

/// Sends a message and returns the rows of each of its statements.
pub(super) async fn query(connection: &mut PgConnection, text: String) -> Result<Vec<Vec<Row>>, Failure> {
    let mut answers = vec![Vec::new()];
    run(connection, text, &mut |answer| match answer {
        Answer::Row(row) => {
            // There is a last one: one was put in before, and each end of a statement adds one.
            if let Some(rows) = answers.last_mut() {
                rows.push(texts(row));
            }
        }
        Answer::End(_) => answers.push(Vec::new()),
    })
    .await?;
    answers.pop();
    Ok(answers)
}

/// What a server answers to a statement.
enum Answer<'a> {
    Row(&'a PgRow),
    /// It is done; so many rows, as its tag counts them.
    End(u64),
}

/// Sends a message and keeps what the statement of an index answers, if one is named; the row `mark` tells where the script
/// ended.
pub(super) async fn execute(
    connection: &mut PgConnection,
    text: String,
    mark: &str,
    kept: Option<usize>,
) -> Result<Fetched, Failure> {
    let (mut done, mut marked) = (0, None);
    let mut fetched = Fetched::default();
    let result = run(connection, text, &mut |answer| match answer {
        Answer::Row(row) if kept == Some(done) => fetched.rows.push(texts(row)),
        Answer::Row(row) => {
            if marked.is_none() && row.len() == 1 && texts(row)[0].as_deref() == Some(mark) {
                marked = Some(done);
            }
        }
        Answer::End(rows) => {
            if kept == Some(done) {
                fetched.affected = rows;
            }
            done += 1;
        }
    })
    .await;
    match result {
        Ok(()) => Ok(fetched),
        Err(failure) => Err(Failure { marked, ..failure }),
    }
}

/// Sends a message; `hear` gets each row with the index of its statement, and keeps nothing of it.
pub(super) async fn stream(
    connection: &mut PgConnection,
    text: String,
    hear: &mut (dyn FnMut(usize, &PgRow) + Send),
) -> Result<(), Failure> {
    let mut statement = 0;
    run(connection, text, &mut |answer| match answer {
        Answer::Row(row) => hear(statement, row),
        Answer::End(_) => statement += 1,
    })
    .await
}

/// Sends a message; `hear` gets each answer.
async fn run(
    connection: &mut PgConnection,
    text: String,
    hear: &mut (dyn FnMut(Answer<'_>) + Send),
) -> Result<(), Failure> {
    let mut done = 0;
    // A NUL would end the message early, and the server would read the rest as garbage.
    if text.contains('\0') {
        let error = own(DbErrorClass::Statement, "the text holds a NUL character, which SQL cannot carry");
        return Err(Failure { error, done, position: None, marked: None, broken: false });
    }
    let mut answers = sqlx::raw_sql(AssertSqlSafe(text)).fetch_many(connection);
    loop {
        match answers.try_next().await {
            Ok(None) => return Ok(()),
            Ok(Some(Either::Left(end))) => {
                done += 1;
                hear(Answer::End(end.rows_affected()));
            }
            Ok(Some(Either::Right(row))) => hear(Answer::Row(&row)),
            Err(error) => {
                // An error of the protocol, for example the answer to COPY, leaves the connection out of step.
                let broken = error.as_database_error().is_none();
                let position = position(&error);
                return Err(Failure { error: in_session(&error), done, position, marked: None, broken });
            }
        }
    }
}

pub(super) fn texts(row: &PgRow) -> Row {
    (0..row.len())
        .map(|index| {
            let value = row.try_get_raw(index).ok().filter(|value| !value.is_null())?;
            // Text that is not UTF-8 is text: never a NULL.
            value.as_bytes().ok().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        })
        .collect()
}

/// A script between our own statements, in one message.
pub(super) struct Message<'a> {
    pub before: Vec<String>,
    pub script: &'a str,
    pub after: Vec<String>,
}

/// Where a message failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failed {
    /// In our statement of that index before the script.
    Before(usize),
    /// In the script.
    Script { statement: Option<usize>, offset: Option<usize> },
    /// In our statement of that index after the script.
    After(usize),
}

impl Message<'_> {
    /// Returns the text; `after` begins with a statement that selects `mark`.
    pub fn text(&self, mark: &str) -> String {
        let mut text = self.head();
        text.reserve(self.script.len() + 1024);
        text.push_str(self.script);
        // The script may end in a line comment, or without its `;`.
        text.push_str("\n;\nSELECT '");
        text.push_str(mark);
        text.push('\'');
        for statement in &self.after {
            text.push_str(";\n");
            text.push_str(statement);
        }
        text
    }

    fn head(&self) -> String {
        self.before.iter().map(|statement| format!("{statement};\n")).collect()
    }

    /// Returns which part failed.
    pub fn place(&self, failure: &Failure) -> Failed {
        let head = self.head().chars().count();
        let inside = failure.position.filter(|position| *position > head).map(|position| position - head);
        let offset = inside
            .filter(|_| failure.marked.is_none())
            .map(|position| char_offset_to_byte(self.script, position));
        match failure.marked {
            // The mark itself is the first statement after the script.
            Some(marked) => Failed::After(failure.done.saturating_sub(marked + 1)),
            None if failure.done >= self.before.len() => {
                Failed::Script { statement: Some(failure.done - self.before.len()), offset }
            }
            // The server reads all before it runs any: a syntax error comes before our first statement ran.
            None if inside.is_some() => Failed::Script { statement: None, offset },
            None => Failed::Before(failure.done),
        }
    }
}

/// Refuses a script that would turn the connection into a data channel in the middle of a message: sqlx hangs on
/// `COPY … FROM STDIN`, and goes out of step on `COPY … TO STDOUT` while the server commits the rest.
pub(super) fn refuse_copy(script: &str) -> Result<(), ScriptError> {
    // Most scripts hold neither word, and are not split for it.
    let words: [&[u8]; 2] = [b"stdin", b"stdout"];
    let holds =
        |word: &[u8]| script.as_bytes().windows(word.len()).any(|part| part.eq_ignore_ascii_case(word));
    if !words.into_iter().any(holds) {
        return Ok(());
    }
    let Ok(spans) = sql::split(Dialect::Postgres, script) else { return Ok(()) };
    for (index, span) in spans.iter().enumerate() {
        let text = &script[span.range.clone()];
        let copies = match span.kind {
            SpanKind::Copy { .. } => true,
            SpanKind::Statement => {
                sql::statement_words(Dialect::Postgres, text, 1) == ["COPY"]
                    && ["stdin", "stdout"]
                        .iter()
                        .any(|word| sql::mentions_identifier(Dialect::Postgres, text, word))
            }
            _ => false,
        };
        if copies {
            let message = "`COPY` from or to the client cannot run inside a script";
            return Err(ScriptError {
                error: own(DbErrorClass::Unsupported, message),
                statement: Some(index),
                offset: Some(span.range.start),
                rolled_back: true,
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(done: usize, position: Option<usize>, marked: Option<usize>) -> Failure {
        let error = own(DbErrorClass::Statement, "no");
        Failure { error, done, position, marked, broken: false }
    }

    #[test]
    fn a_failure_is_placed_before_in_or_after_the_script() {
        let message = Message {
            before: vec!["BEGIN".into()],
            script: "select 'ä'; selct 1",
            after: vec!["COMMIT".into()],
        };
        let head = "BEGIN;\n".chars().count();
        assert_eq!(message.place(&failure(0, None, None)), Failed::Before(0));
        assert_eq!(message.place(&failure(0, Some(3), None)), Failed::Before(0));
        let at = message.script.find("selct");
        let position = head + 1 + "select 'ä'; ".chars().count();
        assert_eq!(
            message.place(&failure(0, Some(position), None)),
            Failed::Script { statement: None, offset: at }
        );
        assert_eq!(
            message.place(&failure(2, Some(position), None)),
            Failed::Script { statement: Some(1), offset: at }
        );
        assert_eq!(
            message.place(&failure(2, None, None)),
            Failed::Script { statement: Some(1), offset: None }
        );
        assert_eq!(message.place(&failure(4, None, Some(3))), Failed::After(0));
    }

    #[test]
    fn a_script_that_copies_from_the_client_is_refused_before_it_is_sent() {
        let error = refuse_copy("select 1;\ncopy a from stdin;\n1\n\\.\n").expect_err("it copies");
        assert_eq!((error.statement, error.offset), (Some(1), Some(10)));
        assert!(refuse_copy("copy (select 1) to stdout").is_err());
        assert!(refuse_copy("select 'copy a from stdin'").is_ok());
        assert!(refuse_copy("create table stdin (a int)").is_ok());
    }
}
