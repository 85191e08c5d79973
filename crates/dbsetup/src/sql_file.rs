//! A SQL file of any length, sent in batches inside an open transaction; failures point into the file.

pub(crate) mod line_ends;
mod rows;

use std::io::{BufRead, BufReader, Cursor, Read, SeekFrom};
use std::path::Path;

use self::rows::{Row, Rows};
use crate::driver::{Driver, ScriptError};
use crate::error::{Error, Kind, Result, Site};
use crate::failure::failing_range;
use crate::files::{Files, ReadSeek};
use crate::sql::{self, Dialect, Item, Location, SplitError, Splitter, Statement};

/// The longest statement of a file: 16 MiB. With the batch it keeps the memory that a file takes bounded.
const STATEMENT_LIMIT: usize = 16 * 1024 * 1024;
/// Returns how much text goes into one message. Each one is a trip to a server; there is none to SQLite, which copies
/// what is left of a message for every statement in it (`sqlite3_prepare_v3`).
fn batch(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Sqlite => 16 * 1024,
        _ => 256 * 1024,
    }
}

/// What ends a statement of a batch.
const ENDING: &str = ";\n";

/// What is done with a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// It runs.
    Run,
    /// It runs, and is content with the schema that it would make when it is there.
    RunOnce,
    /// It is passed over.
    Skip,
}

/// Where the text of a file is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'p> {
    /// In a file, of the disk or of the binary.
    File(Files, &'p Path),
    /// Not written yet.
    Text(&'p str),
}

impl<'p> Content<'p> {
    fn open(self) -> std::io::Result<Box<dyn ReadSeek + 'p>> {
        Ok(match self {
            Self::File(files, path) => {
                let mut file = files.open(path)?;
                let mut start = Vec::new();
                file.by_ref().take(128).read_to_end(&mut start)?;
                file.rewind()?;
                if line_ends::is_converted(&start) {
                    let mut bytes = Vec::new();
                    file.read_to_end(&mut bytes)?;
                    // Text that is not UTF-8 is for the splitter to refuse.
                    return Ok(match std::str::from_utf8(&bytes) {
                        Ok(text) => Box::new(Cursor::new(line_ends::restored(text).into_owned())),
                        Err(_) => Box::new(Cursor::new(bytes)),
                    });
                }
                file
            }
            Self::Text(text) => Box::new(Cursor::new(text)),
        })
    }
}

/// A file that is read piece by piece.
pub(crate) struct Reader<'p>(Box<dyn ReadSeek + 'p>);

impl Read for Reader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

/// A file that is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SqlFile<'p> {
    /// To read.
    pub content: Content<'p>,
    /// To show.
    pub shown: &'p Path,
    /// Its dialect.
    pub dialect: Dialect,
    /// Whether rows that follow each other may be sent as one statement: nothing but tables that the file makes hears of
    /// them.
    pub joins_rows: bool,
}

impl SqlFile<'_> {
    /// Sends the statements that `classify` lets run, and returns how many. The caller has begun the transaction and
    /// commits it; with `chunk` it is committed and begun anew after so many statements. `progress` hears how many bytes
    /// of the file are sent. Who has read all `statements` of the file already spares reading them again.
    pub async fn send(
        self,
        driver: &mut dyn Driver,
        statements: Option<Vec<Statement>>,
        classify: &(dyn Fn(&Statement) -> Result<Use> + Sync),
        progress: &(dyn Fn(u64) + Sync),
        chunk: u64,
    ) -> Result<u64> {
        let mut sender = Sender {
            file: self,
            batch: String::new(),
            starts: Vec::new(),
            rows: Rows::default(),
            sent: 0,
            chunk,
            in_chunk: 0,
            has_rows: false,
            settings: String::new(),
        };
        match statements {
            Some(statements) => {
                for statement in statements {
                    sender.take(statement, driver, classify, progress).await?;
                }
                sender.flush(driver).await?;
            }
            None => sender.run(driver, classify, progress).await?,
        }
        Ok(sender.sent)
    }
}

/// Opens a file for splitting.
pub(crate) fn open<'p>(content: Content<'p>, shown: &Path, dialect: Dialect) -> Result<Splitter<Reader<'p>>> {
    let file = content.open().map_err(|error| Error::io("read", shown, error))?;
    Ok(Splitter::new(dialect, Reader(file)).statement_limit(STATEMENT_LIMIT))
}

struct Sender<'p> {
    file: SqlFile<'p>,
    batch: String,
    /// Where each statement, or row of a statement, of the batch starts: in the batch, and in the file.
    starts: Vec<(usize, Location)>,
    rows: Rows,
    sent: u64,
    /// How many statements make a transaction.
    chunk: u64,
    in_chunk: u64,
    /// Whether rows of ours have begun: they may refer to each other, and take no places in a server's lock table.
    has_rows: bool,
    /// What the file has set for its session so far: it holds for the transactions that follow, too.
    settings: String,
}

impl Sender<'_> {
    async fn run(
        &mut self,
        driver: &mut dyn Driver,
        classify: &(dyn Fn(&Statement) -> Result<Use> + Sync),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<()> {
        let SqlFile { content, shown, dialect, .. } = self.file;
        let mut splitter = open(content, shown, dialect)?;
        let mut data = Vec::new();
        while let Some(item) = splitter.next().map_err(|error| unsplittable(content, shown, &error))? {
            match item {
                Item::Statement(statement) => self.take(statement, driver, classify, progress).await?,
                Item::Copy(statement) if classify(&statement)? == Use::Skip => {
                    while splitter
                        .copy_data(&mut data)
                        .map_err(|error| unsplittable(content, shown, &error))?
                    {}
                }
                Item::Copy(statement) => {
                    self.flush(driver).await?;
                    let at = statement.start;
                    let fail = |failure: ScriptError| self.copy_failed(at, &failure);
                    driver.copy_begin(&statement.text).await.map_err(fail)?;
                    let mut sent = 0;
                    while splitter
                        .copy_data(&mut data)
                        .map_err(|error| unsplittable(content, shown, &error))?
                    {
                        driver.copy_data(&data).await.map_err(fail)?;
                        sent += data.len() as u64;
                        progress(at.offset + sent);
                    }
                    driver.copy_end().await.map_err(fail)?;
                    self.sent += 1;
                }
                _ => {}
            }
        }
        self.flush(driver).await
    }

    async fn take(
        &mut self,
        statement: Statement,
        driver: &mut dyn Driver,
        classify: &(dyn Fn(&Statement) -> Result<Use> + Sync),
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<()> {
        let statement = match classify(&statement)? {
            Use::Run => statement,
            Use::RunOnce => Statement { text: content_with_schema(&statement.text), ..statement },
            Use::Skip => return Ok(()),
        };
        let limit = batch(self.file.dialect);
        if self.batch.len() + statement.text.len() > limit && !self.batch.is_empty() {
            self.flush(driver).await?;
            progress(statement.start.offset);
        }
        self.push(statement);
        if self.in_chunk + self.starts.len() as u64 >= self.chunk && !self.has_rows {
            self.flush(driver).await?;
            driver.commit(&[]).await.map_err(|failure| Error::from(failure.error))?;
            driver.begin(true).await?;
            driver.execute(&self.settings).await.map_err(|failure| Error::from(failure.error))?;
            self.in_chunk = 0;
        }
        Ok(())
    }

    fn push(&mut self, statement: Statement) {
        if self.chunk != u64::MAX && is_setting(self.file.dialect, &statement.text) {
            self.settings.push_str(&statement.text);
            self.settings.push_str(ENDING);
        }
        let row = Some(self.file.dialect)
            .filter(|_| self.file.joins_rows)
            .and_then(|dialect| Row::of(dialect, &statement.text));
        self.has_rows |= row.is_some();
        match row {
            Some(row) if self.rows.take(row) => {
                self.batch.truncate(self.batch.len() - ENDING.len());
                self.batch.push_str(",\n");
                // What is before the values is on the same line.
                let mut start = statement.start;
                start.offset += row.head.len() as u64;
                start.column += row.head.chars().count() as u64;
                self.starts.push((self.batch.len(), start));
                self.batch.push_str(row.values);
            }
            row => {
                if row.is_none() {
                    self.rows.end();
                }
                self.starts.push((self.batch.len(), statement.start));
                self.batch.push_str(&statement.text);
            }
        }
        self.batch.push_str(ENDING);
    }

    async fn flush(&mut self, driver: &mut dyn Driver) -> Result<()> {
        if self.batch.is_empty() {
            return Ok(());
        }
        driver.execute(&self.batch).await.map_err(|failure| self.failed(&failure))?;
        self.sent += self.starts.len() as u64;
        self.in_chunk += self.starts.len() as u64;
        self.batch.clear();
        self.starts.clear();
        self.rows.end();
        // One very long statement does not keep its memory for the rest of the file.
        self.batch.shrink_to(batch(self.file.dialect) * 2);
        Ok(())
    }

    /// Returns the error of a batch, pointing into the file.
    fn failed(&self, failure: &ScriptError) -> Error {
        let error = Error::from(failure.error.clone());
        let Some(range) = failing_range(self.file.dialect, &self.batch, failure) else {
            return error.note(format!("in `{}`", self.file.shown.display()));
        };
        let index = self.starts.partition_point(|(start, _)| *start <= range.start).saturating_sub(1);
        let (start, location) = self.starts[index];
        let before = &self.batch[start..range.start];
        let at = Location {
            offset: location.offset + before.len() as u64,
            line: location.line + before.matches('\n').count() as u64,
            column: match before.rfind('\n') {
                Some(line) => before[line + 1..].chars().count() as u64 + 1,
                None => location.column + before.chars().count() as u64,
            },
        };
        let rows = self.starts.iter().filter(|(start, _)| range.contains(start)).count();
        let width = self.batch[range].lines().next().unwrap_or_default().chars().count();
        let error = error.at(site(self.file.content, self.file.shown, at, width));
        if rows > 1 {
            return error
                .note(format!("it is one of the {rows} rows that begin there, which were sent together"));
        }
        error
    }

    fn copy_failed(&self, at: Location, failure: &ScriptError) -> Error {
        Error::from(failure.error.clone()).at(site(self.file.content, self.file.shown, at, 4))
    }
}

/// What makes a schema.
const CREATE_SCHEMA: &str = "CREATE SCHEMA ";

/// Whether a statement does nothing but make this schema.
pub(crate) fn makes_schema(dialect: Dialect, statement: &str, schema: &str) -> bool {
    let start = statement.get(..CREATE_SCHEMA.len());
    let is_plain =
        |name: &str| name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
    start.is_some_and(|start| start.eq_ignore_ascii_case(CREATE_SCHEMA)) && {
        let name = statement[CREATE_SCHEMA.len()..].trim();
        name == schema && is_plain(schema)
            || sql::quote_identifier(dialect, schema).is_ok_and(|quoted| quoted == name)
    }
}

fn content_with_schema(statement: &str) -> String {
    format!("{CREATE_SCHEMA}IF NOT EXISTS {}", &statement[CREATE_SCHEMA.len()..])
}

/// Whether a statement sets something for the session: `SET …`, `SELECT pg_catalog.set_config(…)`.
fn is_setting(dialect: Dialect, statement: &str) -> bool {
    let words = sql::statement_words(dialect, statement, 2);
    words.first().is_some_and(|word| word == "SET")
        || words.first().is_some_and(|word| word == "SELECT")
            && sql::mentions_identifier(dialect, statement, "set_config")
}

/// Returns the error of a file that cannot be split.
pub(crate) fn unsplittable(content: Content<'_>, shown: &Path, error: &SplitError) -> Error {
    let message = match (error.location(), error.to_string().split_once(" at line ")) {
        (Some(_), Some((what, _))) => what.replace(" that starts", ""),
        _ => error.to_string(),
    };
    let mut result =
        Error::new(Kind::Grammar, format!("{message} in `{}`", shown.display())).note("nothing was run");
    if let Some(location) = error.location() {
        result = result.at(site(content, shown, location, 1));
    }
    match error.hint() {
        Some(hint) => result.help(hint),
        None => result,
    }
}

/// Returns a place in a file that is too long to keep: its line is read again.
pub(crate) fn site(content: Content<'_>, shown: &Path, at: Location, width: usize) -> Site {
    let excerpt = line(content, at).unwrap_or_default();
    let available = excerpt.chars().count().saturating_sub(usize::try_from(at.column).unwrap_or(1) - 1);
    Site { path: shown.to_path_buf(), at, excerpt, width: width.min(available).max(1) }
}

/// Reads the line that holds a place, as far as a person wants to see it.
fn line(content: Content<'_>, at: Location) -> Option<String> {
    // A line is not looked for further back than this.
    const BACK: u64 = 4096;
    let start = at.offset.saturating_sub(BACK);
    let mut file = content.open().ok()?;
    file.seek(SeekFrom::Start(start)).ok()?;
    let mut reader = BufReader::new(file.take(BACK * 2));
    let mut before = vec![0; usize::try_from(at.offset - start).ok()?];
    reader.read_exact(&mut before).ok()?;
    let line_start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let mut text = before[line_start..].to_vec();
    let mut rest = Vec::new();
    reader.read_until(b'\n', &mut rest).ok()?;
    text.extend(rest);
    Some(String::from_utf8_lossy(&text).trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_that_makes_a_schema_can_be_content_with_it() {
        let makes = |statement: &str, schema: &str| makes_schema(Dialect::Postgres, statement, schema);
        assert!(makes("CREATE SCHEMA app", "app") && makes("create schema  app", "app"));
        assert!(makes("CREATE SCHEMA \"My app\"", "My app") && makes("CREATE SCHEMA \"app\"", "app"));
        assert!(!makes("CREATE SCHEMA other", "app") && !makes("CREATE SCHEMA MyApp", "MyApp"));
        assert!(!makes("CREATE SCHEMA app AUTHORIZATION a", "app"));
        assert!(!makes("CREATE SCHEMA IF NOT EXISTS app", "app") && !makes("CREATE", "app"));
        assert_eq!(content_with_schema("create schema app"), "CREATE SCHEMA IF NOT EXISTS app");
    }
}
