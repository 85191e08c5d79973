//! Files for PostgreSQL: read by squawk's grammar, looked through by its rules and by ours.

use std::ops::Range;

use dbsetup::migration::Script;
use dbsetup::sql::{Dialect, locate};
use squawk_linter::{Linter, LinterSettings};
use squawk_syntax::ast::{AstNode, Stmt};
use squawk_syntax::{Parse, SourceFile, SyntaxKind};

use super::Found;
use super::facts::Facts;
use super::source::{self, Size, Source};
use super::{own, squawk};

/// The grammar recurs as deep as a statement is nested; what is deeper than this holds is not shown to it.
const STACK: usize = 128 << 20;

/// The oldest server that is supported.
const OLDEST: &str = "12";

/// Lints a script by every rule, whatever its lane.
pub(super) fn lint(script: &Script) -> Vec<Found> {
    let source = match Source::read(script, Dialect::Postgres) {
        Ok(source) => source,
        Err(found) => return vec![found],
    };
    let mut found = source.everywhere(Dialect::Postgres);
    for statement in &source.statements {
        found.extend(own::lock_timeout(source.text(statement), statement));
    }
    // In a thread for its stack. A fault of a grammar that is not ours is no reason to end the program.
    let read = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("lint".into()).stack_size(STACK);
        builder.spawn_scoped(scope, || read(&source)).map(std::thread::ScopedJoinHandle::join)
    });
    found.extend(match read {
        Ok(Ok(found)) => found,
        Ok(Err(_)) => vec![Found::new("unread", 0..0, "this file was not linted: its grammar was too much")],
        Err(error) => vec![Found::new("unread", 0..0, format!("this file was not linted: {error}"))],
    });
    found
}

fn read(source: &Source<'_>) -> Vec<Found> {
    let mut skipped = Vec::new();
    let mut unread: Vec<(Range<usize>, String)> = Vec::new();
    for statement in &source.statements {
        match source::size(source.text(statement)) {
            Size::Fits => continue,
            Size::Rows => {}
            Size::TooLarge => unread
                .push((statement.start..statement.start, "it is too long or too deeply nested".to_owned())),
        }
        skipped.push(statement.clone());
    }
    let mut text = source.masked(&skipped);
    let mut parse = SourceFile::parse(&text);
    let faults = faults(&parse);
    if !faults.is_empty() {
        // What cannot be read must not hide the rest.
        for (range, why) in faults {
            let behind = source.statements.partition_point(|statement| statement.start <= range.start);
            let Some(statement) = behind.checked_sub(1).and_then(|at| source.statements.get(at)) else {
                continue;
            };
            if !skipped.contains(statement) {
                skipped.push(statement.clone());
                unread.push((range, why));
            }
        }
        text = source.masked(&skipped);
        parse = SourceFile::parse(&text);
    }
    let mut found = looked_through(&parse, &text, source.script.transactional);
    found.extend(told(source, unread));
    found
}

/// Returns what the grammar could not read. Bodies of functions are strings to us.
fn faults(parse: &Parse<SourceFile>) -> Vec<(Range<usize>, String)> {
    let tree = parse.syntax_node();
    let in_string = |range: &Range<usize>| {
        let Ok(offset) = u32::try_from(range.start) else { return false };
        tree.token_at_offset(offset.into()).right_biased().is_some_and(|token| {
            let start = usize::from(token.text_range().start());
            matches!(token.kind(), SyntaxKind::STRING | SyntaxKind::DOLLAR_QUOTED_STRING)
                && start < range.start
        })
    };
    parse
        .errors()
        .into_iter()
        .map(|error| (Range::<usize>::from(error.range()), error.message().to_lowercase()))
        .filter(|(range, _)| !in_string(range))
        .collect()
}

fn looked_through(parse: &Parse<SourceFile>, text: &str, transactional: bool) -> Vec<Found> {
    let mut linter = Linter::from(squawk::wanted());
    linter.settings = LinterSettings {
        pg_version: OLDEST.parse().expect("it is a version"),
        // Which tables a transaction created it tells by their last names only; our facts are exact.
        assume_in_transaction: false,
    };
    let mut violations = linter.lint(parse, text).into_iter().peekable();
    let statements: Vec<Stmt> = parse.tree().stmts().collect();
    let mut facts = Facts::new(&statements, transactional);
    let mut locks = own::Locks::default();
    let mut found = Vec::new();
    for statement in &statements {
        let end = statement.syntax().text_range().end();
        while let Some(violation) = violations.next_if(|violation| violation.text_range.start() < end) {
            found.extend(squawk::translate(&violation, statement, &facts));
        }
        found.extend(own::statement(statement, &facts));
        found.extend(locks.take(statement, &facts));
        facts.advance(statement);
    }
    found
}

/// Says once what was not read.
fn told(source: &Source<'_>, unread: Vec<(Range<usize>, String)>) -> Option<Found> {
    let count = unread.len();
    let (range, why) = unread.into_iter().min_by_key(|(range, _)| range.start)?;
    let sql = source.script.sql();
    let end = range.end.min(sql.len());
    let start = range.start.min(end);
    let message = match count {
        1 => format!("a statement was not linted: {why}"),
        _ => format!(
            "{count} statements were not linted; the first is on line {}: {why}",
            locate(sql, start).line
        ),
    };
    Some(Found::new("unread", start..end, message))
}
