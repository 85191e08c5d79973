//! The ledger rows that a structure file brings, with their checksums and places. Pure.

use std::ops::Range;
use std::path::Path;

use super::examine::dialect_of;
use super::floor::Floor;
use crate::driver::LedgerState;
use crate::error::{Error, Result};
use crate::files::Files;
use crate::ledger::{AppliedRow, LedgerKind};
use crate::migration::baseline;
use crate::repo::Repo;
use crate::sql::{self, Dialect, Token, TokenKind};

/// What a ledger is called that has to keep away from a table of another tool (see the error that proposes it).
const OWN_TABLE: &str = "dbsetup_migrations";

/// One row of a ledger in a structure file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Whose ledger it is, told by the columns that the statement names and by the table.
    pub kind: LedgerKind,
    /// The row: version, name and checksum as far as they are written.
    pub row: AppliedRow,
    /// The bytes of the file that hold its version.
    pub range: Range<usize>,
}

/// Returns the rows that a structure's text records in a ledger, `configured` by name or known by it. Understands our
/// files and those of peers, whose rows may share one INSERT.
pub fn recorded(dialect: Dialect, text: &str, configured: Option<&str>) -> Vec<Recorded> {
    let configured = configured.map(|table| crate::choice::split_qualified(table).1);
    let mut rows = Vec::new();
    for (at, _) in text.match_indices("INSERT INTO ") {
        // What begins a line is taken for a statement, so that the file need not be split.
        if at == 0 || text.as_bytes()[at - 1] == b'\n' {
            rows_of(dialect, text, at, configured.as_deref(), &mut rows);
        }
    }
    rows
}

/// Returns the versions that a structure file records in a ledger; none without the file. Understands what [`recorded`]
/// does.
///
/// # Errors
/// [`Kind::Io`](crate::Kind::Io) when it cannot be read.
pub fn recorded_versions(files: Files, path: &Path, configured: Option<&str>) -> Result<Vec<String>> {
    Ok(recorded_in(&text_of(files, path)?, configured))
}

/// Returns the versions that the text of a structure file records.
pub(super) fn recorded_in(text: &str, configured: Option<&str>) -> Vec<String> {
    versions(recorded(dialect_of(text).unwrap_or(Dialect::Postgres), text, configured))
}

/// Returns the versions that the repo's structure file records, those among them that its baseline stands for; none
/// without the file.
///
/// # Errors
/// [`Kind::Io`](crate::Kind::Io); those of [`Floor::read`].
pub fn recorded_by(repo: &Repo) -> Result<Vec<String>> {
    let text = text_of(repo.files, &repo.structure)?;
    let dialect = dialect_of(&text).unwrap_or(Dialect::Postgres);
    let rows = recorded(dialect, &text, repo.ledger.table.as_deref());
    Ok(versions(with_absorbed(Floor::read(repo)?.as_ref(), rows)))
}

/// Returns the versions that the repo's structure file records as code of the application; none without the file.
///
/// # Errors
/// [`Kind::Io`](crate::Kind::Io).
pub fn code_by(repo: &Repo) -> Result<Vec<String>> {
    let text = text_of(repo.files, &repo.structure)?;
    let dialect = dialect_of(&text).unwrap_or(Dialect::Postgres);
    let rows = recorded(dialect, &text, repo.ledger.table.as_deref());
    Ok(versions(rows.into_iter().filter(|row| row.row.is_code()).collect()))
}

fn versions(rows: Vec<Recorded>) -> Vec<String> {
    rows.into_iter().map(|row| row.row.version).collect()
}

/// The text of a file; empty without it.
fn text_of(files: Files, path: &Path) -> Result<String> {
    match files.read(path) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Error::io("read", path, error)),
    }
}

/// Whether a table of this name is a ledger: by default, by our own proposal, or by configuration.
pub(super) fn is_ledger_name(table: &str, configured: Option<&str>) -> bool {
    LedgerKind::ALL.iter().any(|kind| kind.default_table() == table)
        || table == OWN_TABLE
        || configured == Some(table)
}

/// Adds the rows that a baseline among `rows` stands for; they have its place in the file.
pub fn with_absorbed(floor: Option<&Floor>, rows: Vec<Recorded>) -> Vec<Recorded> {
    let Some(kind) = rows.first().map(|row| row.kind) else { return rows };
    let mut state =
        LedgerState { rows: rows.iter().map(|row| row.row.clone()).collect(), ..LedgerState::default() };
    baseline::expand(floor, kind, &mut state);
    let Some(baseline) = &state.baseline else { return rows };
    let place =
        |version: &str| rows.iter().find(|row| row.row.version == version).map(|row| row.range.clone());
    let own = place(&baseline.version).unwrap_or_default();
    let absorbed = |row: AppliedRow| Recorded {
        kind,
        range: if row.absorbed { own.clone() } else { place(&row.version).unwrap_or_default() },
        row,
    };
    state.rows.into_iter().map(absorbed).collect()
}

/// Adds the rows of the INSERT that begins at `at`, if its table is a ledger.
fn rows_of(dialect: Dialect, text: &str, at: usize, configured: Option<&str>, rows: &mut Vec<Recorded>) {
    let mut tokens = sql::tokens(dialect, &text[at..])
        .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    // INSERT INTO [schema .] table ( version …
    let mut table = "";
    for token in tokens.by_ref().skip(2) {
        match token.text {
            "(" => break,
            ";" => return,
            "." => {}
            name => table = name.trim_matches('"'),
        }
    }
    if !is_ledger_name(table, configured) {
        return;
    }
    let columns: Vec<&str> = tokens
        .by_ref()
        .take_while(|token| token.text != ")")
        .filter(|token| token.text != ",")
        .map(|token| token.text.trim_matches('"'))
        .collect();
    if columns.first() != Some(&"version") {
        return;
    }
    let kind = kind(&columns, table);
    let mut depth = 0;
    let mut values: Vec<Vec<Token<'_>>> = Vec::new();
    for token in tokens {
        match token.text {
            ";" if depth == 0 => return,
            "(" => {
                depth += 1;
                if depth == 1 {
                    values = vec![Vec::new()];
                    continue;
                }
            }
            ")" => {
                depth -= 1;
                if depth == 0 {
                    let version =
                        values[0].first().map_or(0..0, |token| token.start..token.start + token.text.len());
                    let range = at + version.start..at + version.end;
                    rows.push(Recorded { kind, row: row(kind, &columns, &values), range });
                    continue;
                }
            }
            "," if depth == 1 => {
                values.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(value) = values.last_mut().filter(|_| depth > 0) {
            value.push(token);
        }
    }
}

/// Returns whose ledger has these columns.
fn kind(columns: &[&str], table: &str) -> LedgerKind {
    let has = |name: &str| columns.contains(&name);
    if has("description") {
        LedgerKind::Sqlx
    } else if has("source") || has("seq") {
        LedgerKind::Dbsetup
    } else if has("applied_on") {
        LedgerKind::Refinery
    } else if has("run_on") || table == LedgerKind::Diesel.default_table() {
        LedgerKind::Diesel
    } else {
        LedgerKind::Dbmate
    }
}

fn row(kind: LedgerKind, columns: &[&str], values: &[Vec<Token<'_>>]) -> AppliedRow {
    let of = |name: &str| {
        let at = columns.iter().position(|column| *column == name)?;
        value(values.get(at)?)
    };
    let checksum = of("checksum").map(|sum| match kind {
        // Bytes: `decode('ab', 'hex')`, `X'AB'`, `'\xab'`.
        LedgerKind::Sqlx => sum.trim_start_matches("\\x").to_ascii_lowercase(),
        _ => sum,
    });
    AppliedRow {
        version: of("version").unwrap_or_default(),
        name: of("name").or_else(|| of("description")),
        source: of("source"),
        checksum,
        success: of("success").is_none_or(|success| !matches!(&*success.to_ascii_lowercase(), "false" | "0")),
        ..AppliedRow::default()
    }
}

/// Returns what a value says: the first literal of a call, the text of a literal, a number as it stands; `None` for NULL.
fn value(tokens: &[Token<'_>]) -> Option<String> {
    let literal = tokens.iter().find(|token| token.text.contains('\''));
    let text = match literal {
        Some(token) => token.text,
        None => tokens.first()?.text,
    };
    if literal.is_none() {
        return (!text.eq_ignore_ascii_case("null")).then(|| text.to_owned());
    }
    let open = text.find('\'')?;
    Some(text[open + 1..].strip_suffix('\'')?.replace("''", "'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(dialect: Dialect, text: &str) -> Vec<(LedgerKind, String, Option<String>)> {
        let found = recorded(dialect, text, None);
        found.into_iter().map(|found| (found.kind, found.row.version, found.row.checksum)).collect()
    }

    #[test]
    fn rows_of_every_ledger_are_read_with_their_checksums() {
        let text = "\
            INSERT INTO \"public\".\"schema_migrations\" (version, name, source, checksum) VALUES ('7', 'a (b), ''c''', 'm', 'sha256:x');\n\
            INSERT INTO \"_sqlx_migrations\" (version, description, success, checksum, execution_time) VALUES (8, 'x', TRUE, decode('ab', 'hex'), 0);\n\
            INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES (9, 'r', '1970-01-01T00:00:00Z', '123');\n\
            INSERT INTO __diesel_schema_migrations (version) VALUES ('10');\n\
            INSERT INTO public.users (version, checksum) VALUES ('11', 'x');\n";
        let found = rows(Dialect::Postgres, text);
        assert_eq!(
            found,
            [
                (LedgerKind::Dbsetup, "7".into(), Some("sha256:x".into())),
                (LedgerKind::Sqlx, "8".into(), Some("ab".into())),
                (LedgerKind::Refinery, "9".into(), Some("123".into())),
                (LedgerKind::Diesel, "10".into(), None),
            ]
        );
        assert_eq!(recorded(Dialect::Postgres, text, None)[0].row.name.as_deref(), Some("a (b), 'c'"));
        let sqlite = "INSERT INTO \"_sqlx_migrations\" (version, description, success, checksum, execution_time) VALUES (8, 'x', TRUE, X'AB', 0);\n";
        assert_eq!(rows(Dialect::Sqlite, sqlite), [(LedgerKind::Sqlx, "8".into(), Some("ab".into()))]);
    }

    #[test]
    fn rows_that_share_a_statement_have_places_of_their_own() {
        let text = "create table a (i int);\nINSERT INTO schema_migrations (version) VALUES\n    ('9'),\n    ('10');\n";
        let found = recorded(Dialect::Postgres, text, None);
        let shown: Vec<&str> = found.iter().map(|found| &text[found.range.clone()]).collect();
        assert_eq!(shown, ["'9'", "'10'"]);
        assert_eq!(found[1].row.version, "10");
    }

    #[test]
    fn a_missing_checksum_is_none() {
        let text = "INSERT INTO \"schema_migrations\" (version, name, source, checksum) VALUES ('7', 'a', 'm', NULL);\n";
        assert_eq!(rows(Dialect::Sqlite, text), [(LedgerKind::Dbsetup, "7".into(), None)]);
    }

    #[test]
    fn versions_are_found_in_our_files_and_in_peers() {
        let text = "INSERT INTO \"public\".\"schema_migrations\" (version, name, source, checksum) VALUES ('7', 'a (b)', 'm', 'x');\n\
                    INSERT INTO public._sqlx_migrations (version, description, success, checksum, execution_time) VALUES (8, 'x', TRUE, decode('ab', 'hex'), 0);\n\
                    INSERT INTO public.schema_migrations (version) VALUES\n    ('9'),\n    ('10');\n\
                    INSERT INTO public.users (version) VALUES ('11');\n";
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("structure.sql");
        std::fs::write(&path, text).unwrap();
        let found = recorded_versions(Files::Disk, &path, None).unwrap();
        assert_eq!(found, ["7", "8", "9", "10"]);
        assert_eq!(
            recorded_versions(Files::Disk, &path, Some("public.users")).unwrap().last().unwrap(),
            "11"
        );
    }
}
