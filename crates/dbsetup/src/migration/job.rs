//! What running one side of a migration takes: its statements, checked before anything runs. Pure.

use std::ops::Range;

use super::grammar::Grammar;
use super::script::Script;
use super::set::Migration;
use crate::error::{Error, Kind, Result};
use crate::event::Direction;
use crate::failure::unsplittable;
use crate::ledger::LedgerKind;
use crate::sql::{self, Dialect, Span, SpanKind};

/// One side of a migration, ready to run.
#[derive(Debug, Clone)]
pub struct Job<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// Which side.
    pub direction: Direction,
    /// How it runs.
    pub mode: Mode,
}

/// How a script runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mode {
    /// In one transaction, as one message.
    Message,
    /// In one transaction, in pieces: it holds COPY data.
    Pieces(Vec<Span>),
    /// Unit by unit, each recorded.
    Units(Vec<Unit>),
    /// Code of the application, in one transaction.
    Code,
}

/// What runs between two records of progress.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// Its bytes in the script.
    pub range: Range<usize>,
    /// A `BEGIN … COMMIT` block of the file: run in one transaction of ours, without these two words.
    pub block: bool,
}

impl<'a> Job<'a> {
    /// Checks one side of a migration.
    ///
    /// # Errors
    /// [`Kind::Grammar`]: text that does not split, transaction control in a transaction, no statements where our
    /// ledger would record that they ran; [`Kind::Missing`] when there is no down side.
    pub fn new(
        migration: &'a Migration,
        direction: Direction,
        dialect: Dialect,
        ledger: LedgerKind,
    ) -> Result<Self> {
        let script = side(migration, direction)?;
        if migration.code.is_some() {
            return Ok(Self { migration, direction, mode: Mode::Code });
        }
        let spans = split_script(dialect, script)?;
        if spans.is_empty() && ledger == LedgerKind::Dbsetup {
            let (recorded, side) = match direction {
                Direction::Up => ("applied", "migration"),
                Direction::Down => ("undone", "down side"),
            };
            return Err(Error::new(Kind::Grammar, format!("`{}` has no statements", script.path.display()))
                .note(format!("it would be recorded as {recorded} although nothing ran"))
                .help(format!("write the {side}, or remove the file")));
        }
        let mode = if script.transactional {
            refuse_transaction_control(dialect, migration.grammar, script, &spans)?;
            if spans.iter().any(|span| matches!(span.kind, SpanKind::Copy { .. })) {
                Mode::Pieces(spans)
            } else {
                Mode::Message
            }
        } else {
            Mode::Units(units(dialect, script, &spans)?)
        };
        Ok(Self { migration, direction, mode })
    }

    /// The script.
    pub fn script(&self) -> &'a Script {
        match self.direction {
            Direction::Up => &self.migration.up,
            Direction::Down => self.migration.down.as_ref().expect("`new` found it"),
        }
    }
}

fn side(migration: &Migration, direction: Direction) -> Result<&Script> {
    match direction {
        Direction::Up => Ok(&migration.up),
        Direction::Down => migration.down.as_ref().ok_or_else(|| {
            Error::new(Kind::Missing, format!("migration {} has no down side", migration.shown()))
        }),
    }
}

/// Says how a file asks to run without a transaction.
pub(super) fn without_transaction(grammar: Grammar, direction: Direction) -> &'static str {
    match (grammar, direction) {
        (Grammar::Diesel, _) => "write `run_in_transaction = false` to metadata.toml",
        (Grammar::Dbmate, Direction::Up) => "write `-- migrate:up transaction:false`",
        (Grammar::Dbmate, Direction::Down) => "write `-- migrate:down transaction:false`",
        (Grammar::Plain | Grammar::Refinery, _) => "write `-- no-transaction` as the first line of the file",
    }
}

/// Returns the statements of a script, or an error that points into it.
fn split_script(dialect: Dialect, script: &Script) -> Result<Vec<Span>> {
    sql::split(dialect, script.sql())
        .map_err(|error| unsplittable(&script.path, &script.file, script.range.start, &error))
}

fn refuse_transaction_control(
    dialect: Dialect,
    grammar: Grammar,
    script: &Script,
    spans: &[Span],
) -> Result<()> {
    for span in spans {
        if let Some(word) = sql::transaction_control(dialect, &script.sql()[span.range.clone()]) {
            return Err(Error::new(
                Kind::Grammar,
                format!("{word} in a migration that runs in a transaction of its own"),
            )
            .at(script.site(span.range.clone()))
            .note("it would end that transaction, and a later failure could not be undone")
            .help(format!("remove it, or {}", without_transaction(grammar, Direction::Up))));
        }
    }
    Ok(())
}

/// Cuts a script without a transaction into what is recorded step by step: statements, and blocks between `BEGIN` and
/// `COMMIT`.
fn units(dialect: Dialect, script: &Script, spans: &[Span]) -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    let mut block: Option<(&Span, Option<Range<usize>>)> = None;
    for span in spans {
        match &span.kind {
            SpanKind::Meta(_) => continue,
            SpanKind::Copy { .. } => {
                return Err(Error::new(
                    Kind::Grammar,
                    "COPY data in a migration that runs without a transaction",
                )
                .at(script.site(span.range.clone()))
                .help("move the data to a migration with a transaction"));
            }
            SpanKind::Statement => {}
        }
        let control = sql::transaction_control(dialect, &script.sql()[span.range.clone()]);
        block = match (control, block.take()) {
            (None, None) => {
                units.push(Unit { range: span.range.clone(), block: false });
                None
            }
            (None, Some((open, inner))) => {
                let start = inner.map_or(span.range.start, |inner| inner.start);
                Some((open, Some(start..span.range.end)))
            }
            (Some("BEGIN" | "START TRANSACTION"), None) => Some((span, None)),
            (Some("COMMIT" | "END"), Some((_, inner))) => {
                units.extend(inner.map(|range| Unit { range, block: true }));
                None
            }
            (Some(word), _) => {
                return Err(Error::new(
                    Kind::Grammar,
                    format!("{word} where no transaction can be followed"),
                )
                .at(script.site(span.range.clone()))
                .help("use `BEGIN` and `COMMIT` in pairs, or one file for each transaction"));
            }
        };
    }
    match block {
        Some((open, _)) => Err(Error::new(Kind::Grammar, "a transaction that is not committed")
            .at(script.site(open.range.clone()))
            .help("add `COMMIT`")),
        None => Ok(units),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::migration;

    fn job(sql: &str, transactional: bool) -> Result<Mode> {
        let mut migration = migration("1", sql);
        migration.up.transactional = transactional;
        Job::new(&migration, Direction::Up, Dialect::Postgres, LedgerKind::Dbsetup).map(|job| job.mode)
    }

    fn texts(sql: &str) -> Vec<(String, bool)> {
        match job(sql, false).unwrap() {
            Mode::Units(units) => {
                units.into_iter().map(|unit| (sql[unit.range].to_owned(), unit.block)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_file_with_a_transaction_is_one_message() {
        assert_eq!(job("create table a (i int); create table b (i int);", true).unwrap(), Mode::Message);
    }

    #[test]
    fn transaction_control_inside_is_refused_with_its_place() {
        let error = job("create table a (i int);\nCOMMIT;\nselect 1;", true).unwrap_err();
        assert_eq!(error.site().unwrap().at.line, 2);
        assert!(job("savepoint a; release a;", true).is_ok());
    }

    #[test]
    fn a_file_without_a_transaction_runs_statement_by_statement() {
        let sql = "create index concurrently a on t (a);\ncreate index concurrently b on t (b);";
        assert_eq!(
            texts(sql),
            [
                ("create index concurrently a on t (a)".into(), false),
                ("create index concurrently b on t (b)".into(), false),
            ]
        );
    }

    #[test]
    fn a_begin_commit_block_is_one_unit() {
        assert_eq!(
            texts("vacuum; begin; update a set b = 1; update c set d = 2; commit; vacuum;"),
            [
                ("vacuum".into(), false),
                ("update a set b = 1; update c set d = 2".into(), true),
                ("vacuum".into(), false),
            ]
        );
        assert!(job("begin; select 1;", false).is_err());
        assert!(job("begin; select 1; rollback;", false).is_err());
    }

    #[test]
    fn a_file_without_statements_is_refused_in_our_ledger_only() {
        assert!(job("-- nothing yet\n", true).is_err());
        let migration = migration("1", "-- nothing yet\n");
        assert!(Job::new(&migration, Direction::Up, Dialect::Postgres, LedgerKind::Sqlx).is_ok());
    }
}
