//! The file format: first line, trailer, ledger rows. Pure but for reading a file.

use std::io::{Read, SeekFrom};
use std::path::Path;

use crate::driver::LedgerState;
use crate::error::{Error, Kind, Result};
use crate::files::Files;
use crate::ledger::{AppliedRow, LedgerKind, LedgerTable};
use crate::sql::{self, Dialect};

/// The last line of a file of ours. A file that lacks it was cut off.
pub(super) const TRAILER: &str = "-- dbsetup structure end";
pub(super) use crate::sql_file::line_ends::HEADER;

/// Returns the first line of a file of ours.
pub(super) fn header(dialect: Dialect) -> String {
    format!("{HEADER}1 ({})", name(dialect))
}

fn name(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Postgres => "postgresql",
        Dialect::Sqlite => "sqlite",
    }
}

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// We wrote it, and it is whole.
    Ours,
    /// pg_dump, sqlite3, a person.
    Foreign,
}

/// Looks at the first and the last line of a structure file.
///
/// # Errors
/// [`Kind::Missing`] without the file; [`Kind::Unsupported`] for a newer format or another database's;
/// [`Kind::Grammar`] for a file of ours that was cut off.
pub(super) fn author(files: Files, path: &Path, shown: &Path, dialect: Dialect) -> Result<Author> {
    let io = |error| Error::io("read", shown, error);
    let mut file = files.open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(Kind::Missing, format!("there is no structure file `{}`", shown.display()))
                .help("write one: `cargo dbsetup dump`")
        }
        _ => io(error),
    })?;
    let mut start = [0; 128];
    let length = read_up_to(&mut file, &mut start).map_err(io)?;
    let first = String::from_utf8_lossy(&start[..length]);
    let first = first.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim_end().to_owned();
    let Some(format) = first.strip_prefix(HEADER) else { return Ok(Author::Foreign) };
    match format.split_once(' ') {
        Some(("1", database)) if database == format!("({})", name(dialect)) => {}
        Some(("1", database)) => {
            return Err(Error::new(
                Kind::Unsupported,
                format!("`{}` is the structure of another database {database}", shown.display()),
            )
            .note(format!("the URL names a {} database", name(dialect))));
        }
        _ => return Err(newer(format, shown)),
    }
    let size = file.seek(SeekFrom::End(0)).map_err(io)?;
    file.seek(SeekFrom::Start(size.saturating_sub(64))).map_err(io)?;
    let mut end = Vec::new();
    file.read_to_end(&mut end).map_err(io)?;
    let end = String::from_utf8_lossy(&end);
    if end.trim_end().ends_with(TRAILER) {
        return Ok(Author::Ours);
    }
    if end.lines().any(|line| line == TRAILER) {
        let what = format!("`{}` goes on after its last line", shown.display());
        return Err(Error::new(Kind::Grammar, what)
            .note(format!("a whole file ends with `{TRAILER}`"))
            .help("put a change into a migration, and write the file again: `cargo dbsetup dump`"));
    }
    Err(Error::new(Kind::Grammar, format!("`{}` was cut off: its last line is missing", shown.display()))
        .note(format!("a whole file ends with `{TRAILER}`"))
        .help("restore it from version control, or write it again: `cargo dbsetup dump`"))
}

fn newer(format: &str, shown: &Path) -> Error {
    let what = format!("`{}` was written by a newer release (format {format})", shown.display());
    Error::new(Kind::Unsupported, what).help("update cargo-dbsetup and the dbsetup library")
}

/// Refuses to replace a file that a newer release has written: it may say what this one cannot.
pub(super) fn refuse_newer(text: &str, shown: &Path) -> Result<()> {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default().trim_end();
    match first.strip_prefix(HEADER) {
        Some(format) if !format.starts_with("1 ") => Err(newer(format, shown)),
        _ => Ok(()),
    }
}

/// Returns whose text it is, by its first line.
pub(super) fn author_of(text: &str) -> Author {
    if text.trim_start_matches('\u{feff}').starts_with(HEADER) { Author::Ours } else { Author::Foreign }
}

fn read_up_to(file: &mut dyn Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..])? {
            0 => break,
            more => length += more,
        }
    }
    Ok(length)
}

/// Returns the statements that bring the ledger's rows, one a line, so that two branches rarely touch neighbouring
/// lines: they are ordered by the reversed text of the version.
pub(super) fn ledger_rows(
    dialect: Dialect,
    ledger: &LedgerTable,
    state: &LedgerState,
) -> Result<Vec<String>> {
    let mut rows: Vec<&AppliedRow> = state.rows.iter().filter(|row| row.success).collect();
    rows.sort_by_key(|row| row.version.chars().rev().collect::<String>());
    rows.into_iter().map(|row| ledger_row(dialect, ledger, row)).collect()
}

fn ledger_row(dialect: Dialect, ledger: &LedgerTable, row: &AppliedRow) -> Result<String> {
    let literal = |text: &str| {
        sql::quote_literal(dialect, text)
            .map_err(|error| Error::new(Kind::Ledger, format!("row {} of the ledger: {error}", row.version)))
    };
    let optional = |text: &Option<String>| text.as_deref().map_or(Ok("NULL".to_owned()), literal);
    let identifier = |text: &str| {
        sql::quote_identifier(dialect, text).map_err(|error| Error::new(Kind::Ledger, error.to_string()))
    };
    let table = match &ledger.schema {
        Some(schema) => format!("{}.{}", identifier(schema)?, identifier(&ledger.name)?),
        None => identifier(&ledger.name)?,
    };
    let version = literal(&row.version)?;
    let name = literal(row.name.as_deref().unwrap_or_default())?;
    let checksum = row.checksum.clone().unwrap_or_default();
    Ok(match ledger.kind {
        LedgerKind::Dbsetup => format!(
            "INSERT INTO {table} (version, name, source, checksum) VALUES ({version}, {name}, {}, {});",
            literal(row.source.as_deref().unwrap_or_default())?,
            optional(&row.checksum)?
        ),
        LedgerKind::Sqlx => format!(
            "INSERT INTO {table} (version, description, success, checksum, execution_time) \
             VALUES ({}, {name}, TRUE, {}, 0);",
            row.version,
            match dialect {
                Dialect::Postgres => format!("decode('{checksum}', 'hex')"),
                Dialect::Sqlite => format!("X'{checksum}'"),
            }
        ),
        // A fixed time: when a row was applied somewhere is not structure.
        LedgerKind::Refinery => format!(
            "INSERT INTO {table} (version, name, applied_on, checksum) VALUES ({}, {name}, '1970-01-01T00:00:00Z', {});",
            row.version,
            literal(&checksum)?
        ),
        LedgerKind::Diesel | LedgerKind::Dbmate => {
            format!("INSERT INTO {table} (version) VALUES ({version});")
        }
    })
}

/// Returns the rows that a ledger will have once a structure file is loaded.
pub fn as_rows(versions: &[String]) -> Vec<AppliedRow> {
    versions
        .iter()
        .map(|version| AppliedRow { version: version.clone(), success: true, ..AppliedRow::default() })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, std::path::PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("structure.sql");
        std::fs::write(&path, text).unwrap();
        (directory, path)
    }

    #[test]
    fn a_file_of_ours_that_was_cut_off_is_named() {
        let whole = format!("{}\n\ncreate table a (i int);\n\n{TRAILER}\n", header(Dialect::Sqlite));
        let (_directory, path) = file(&whole);
        assert_eq!(author(Files::Disk, &path, &path, Dialect::Sqlite).unwrap(), Author::Ours);
        for cut in [whole.len() - 3, whole.len() / 2] {
            let (_directory, path) = file(&whole[..cut]);
            assert_eq!(author(Files::Disk, &path, &path, Dialect::Sqlite).unwrap_err().kind(), Kind::Grammar);
        }
    }

    #[test]
    fn the_structure_of_another_database_is_refused() {
        let (_directory, path) = file(&format!("{}\n{TRAILER}\n", header(Dialect::Postgres)));
        assert_eq!(author(Files::Disk, &path, &path, Dialect::Sqlite).unwrap_err().kind(), Kind::Unsupported);
    }

    #[test]
    fn ledger_rows_are_ordered_by_reversed_digits() {
        let ledger = LedgerTable { kind: LedgerKind::Diesel, schema: None, name: "l".into(), wide: false };
        let state = LedgerState {
            rows: as_rows(&["101".into(), "102".into(), "111".into()]),
            ..LedgerState::default()
        };
        let rows = ledger_rows(Dialect::Sqlite, &ledger, &state).unwrap();
        assert_eq!(
            rows,
            [
                "INSERT INTO \"l\" (version) VALUES ('101');",
                "INSERT INTO \"l\" (version) VALUES ('111');",
                "INSERT INTO \"l\" (version) VALUES ('102');",
            ]
        );
    }
}
