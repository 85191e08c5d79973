//! `run`: one file of the user's. Seeds and the fixtures of tests are run as it is.

use std::path::Path;
use std::time::Instant;

use crate::driver::{DbErrorClass, Present};
use crate::error::{Error, Kind, Result};
use crate::event::What;
use crate::files::Files;
use crate::ledger::{Change, LedgerTable};
use crate::lock;
use crate::record;
use crate::session::Session;
use crate::sql::{self, Statement};
use crate::sql_file::{Content, SqlFile, Use};

/// Runs one file of the user's (`cargo dbsetup run`).
///
/// # Errors
/// Those of the file and the database; what failed was rolled back, and no lock is left.
pub async fn run_file(session: &mut Session<'_>, path: &Path) -> Result<u64> {
    let shown = session.repo().shown(path);
    run_file_as(session, path, &shown).await
}

/// Runs one file of the user's that is shown by another name than its own: `<stdin>`.
///
/// # Errors
/// Those of [`run_file`].
pub async fn run_file_as(session: &mut Session<'_>, path: &Path, shown: &Path) -> Result<u64> {
    let result = run_file_and_unlock(session, path, shown).await;
    if result.is_err() {
        session.close().await;
    }
    result
}

/// Runs the text of a file on a database that nobody else works in, in one transaction. The file's own `BEGIN` and
/// `COMMIT` are passed over.
///
/// # Errors
/// Those of the text, which point into it, and of the database; what failed was rolled back.
#[cfg(feature = "testing")]
pub(crate) async fn run_text(session: &mut Session<'_>, text: &str, shown: &Path) -> Result<u64> {
    let dialect = session.server().dialect();
    let content = Content::Text(text);
    check(content, shown, dialect)?;
    session.writes_data(true).await;
    let driver = session.driver().await?;
    let pass_control_over = |statement: &Statement| match sql::transaction_control(dialect, &statement.text) {
        None => Ok(Use::Run),
        Some("BEGIN" | "START TRANSACTION" | "COMMIT" | "END") => Ok(Use::Skip),
        Some(word) => {
            Err(Error::new(Kind::Grammar, format!("{word} in a file that runs in one transaction"))
                .at(crate::sql_file::site(content, shown, statement.start, word.len()))
                .help("remove it"))
        }
    };
    driver.begin(false).await?;
    let file = SqlFile { content, shown, dialect, joins_rows: false };
    let sent = file.send(driver, None, &pass_control_over, &|_| {}, u64::MAX).await;
    match sent {
        Ok(statements) => {
            driver.commit(&[]).await.map_err(|failure| Error::from(failure.error))?;
            Ok(statements)
        }
        Err(error) => {
            // The connection is closed, whatever comes of it.
            let _ = driver.rollback().await;
            Err(error)
        }
    }
}

async fn run_file_and_unlock(session: &mut Session<'_>, path: &Path, shown: &Path) -> Result<u64> {
    let start = Instant::now();
    if !path.exists() {
        return Err(Error::new(Kind::Missing, format!("there is no file `{}`", shown.display())));
    }
    // What a person names is on the disk, wherever the repo's own files are.
    let content = Content::File(Files::Disk, path);
    check(content, shown, session.server().dialect())?;
    let alone = opts_out_of_transaction(path)?;
    if alone {
        refuse_what_needs_a_transaction(content, shown, session.server().dialect())?;
    }
    session.writes_data(true).await;
    let inspection = session.inspect().await?;
    record::check_before_writing(session, &inspection)?;
    let ledger = inspection.choice.table;
    let key = lock::main_key(&ledger);
    lock::acquire(session, &key).await?;
    let statements = if alone {
        run_one_by_one(session, content, shown).await?
    } else {
        run_in_transaction(session, content, shown, &ledger, &[]).await?
    };
    lock::release(session, &key).await?;
    session.teller().tell(What::FileRun { path: shown.to_path_buf(), statements, took: start.elapsed() });
    Ok(statements)
}

/// Reads a file once before anything of it runs.
fn check(content: Content<'_>, shown: &Path, dialect: sql::Dialect) -> Result<()> {
    let mut splitter = crate::sql_file::open(content, shown, dialect)?;
    while splitter.next().map_err(|error| crate::sql_file::unsplittable(content, shown, &error))?.is_some() {}
    Ok(())
}

/// COPY data need a transaction of several messages, and a `BEGIN` one that lasts for several statements: a file whose
/// statements are sent one by one would lose the first and break the second.
fn refuse_what_needs_a_transaction(content: Content<'_>, shown: &Path, dialect: sql::Dialect) -> Result<()> {
    let mut splitter = crate::sql_file::open(content, shown, dialect)?;
    while let Some(item) =
        splitter.next().map_err(|error| crate::sql_file::unsplittable(content, shown, &error))?
    {
        let (what, statement) = match &item {
            sql::Item::Copy(statement) => ("COPY data", statement),
            sql::Item::Statement(statement) => match sql::transaction_control(dialect, &statement.text) {
                Some(word) => (word, statement),
                None => continue,
            },
            sql::Item::Meta(_) => continue,
        };
        let width = what.split(' ').next().unwrap_or_default().len();
        return Err(Error::new(Kind::Grammar, format!("{what} in a file that runs without a transaction"))
            .at(crate::sql_file::site(content, shown, statement.start, width))
            .note("nothing was run")
            .help("move what belongs together to a file with a transaction"));
    }
    Ok(())
}

/// Whether the file opts out of the transaction, in the way that a migration does.
fn opts_out_of_transaction(path: &Path) -> Result<bool> {
    use std::io::Read;
    let mut start = [0; 64];
    let mut file = std::fs::File::open(path).map_err(|error| Error::io("read", path, error))?;
    let length = file.read(&mut start).map_err(|error| Error::io("read", path, error))?;
    let text = String::from_utf8_lossy(&start[..length]);
    Ok(text.trim_start_matches('\u{feff}').starts_with("-- no-transaction"))
}

/// Runs a file in one transaction that records `changes`, under a lock that the caller holds.
pub(super) async fn run_in_transaction(
    session: &mut Session<'_>,
    content: Content<'_>,
    shown: &Path,
    ledger: &LedgerTable,
    changes: &[Change],
) -> Result<u64> {
    let dialect = session.server().dialect();
    check(content, shown, dialect)?;
    let driver = session.driver().await?;
    driver.use_ledger(ledger);
    if !changes.is_empty() {
        driver.prepare(ledger, Present { ledger: false, meta: true, progress: false }).await?;
    }
    let refuse_control = |statement: &Statement| match sql::transaction_control(dialect, &statement.text) {
        None => Ok(Use::Run),
        Some(word) => {
            Err(Error::new(Kind::Grammar, format!("{word} in a file that runs in one transaction"))
                .at(crate::sql_file::site(content, shown, statement.start, word.len()))
                .help("remove it, or write `-- no-transaction` as the first line of the file"))
        }
    };
    driver.begin(false).await?;
    let sent = SqlFile { content, shown, dialect, joins_rows: false }
        .send(driver, None, &refuse_control, &|_| {}, u64::MAX)
        .await;
    match sent {
        Ok(statements) => {
            driver.commit(changes).await.map_err(|failure| {
                let error = Error::from(failure.error);
                // A connection that is lost in a commit takes the answer along.
                if failure.rolled_back {
                    return error.note("the whole file was rolled back");
                }
                error
                    .note("whether it was committed is not known")
                    .help("look at the database before you run it again")
            })?;
            session.tell_notices();
            Ok(statements)
        }
        Err(error) => {
            let undone = driver.rollback().await.is_ok();
            Err(if undone { error.note("the whole file was rolled back") } else { error })
        }
    }
}

async fn run_one_by_one(session: &mut Session<'_>, content: Content<'_>, shown: &Path) -> Result<u64> {
    let dialect = session.server().dialect();
    let mut splitter = crate::sql_file::open(content, shown, dialect)?;
    let mut done = 0;
    while let Some(item) =
        splitter.next().map_err(|error| crate::sql_file::unsplittable(content, shown, &error))?
    {
        let sql::Item::Statement(statement) = item else { continue };
        session.driver().await?.run_alone(&statement.text, &[]).await.map_err(|failure| {
            let width = statement.text.lines().next().unwrap_or_default().chars().count();
            let lost = failure.error.class == DbErrorClass::ConnectionLost;
            let error = Error::from(failure.error);
            let error = if lost { error.help("look at the database before you run the rest") } else { error };
            error
                .at(crate::sql_file::site(content, shown, statement.start, width))
                .note(format!("{done} statements before it were run and are kept"))
        })?;
        done += 1;
    }
    Ok(done)
}
