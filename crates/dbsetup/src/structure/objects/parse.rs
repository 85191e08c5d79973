//! From the text of a structure file to its objects.

use std::collections::HashMap;

use super::key::Key;
use super::naming::Named;
use super::rows;
use super::{Object, Structure};
use crate::error::{Error, Kind, Result};
use crate::sql::{self, Dialect, SpanKind};
use crate::structure::format::{HEADER, TRAILER, header};

/// What git leaves in a file that it could not merge, at the start of a line.
const MARKERS: [&str; 2] = ["<<<<<<< ", ">>>>>>> "];

/// Takes a structure file apart.
///
/// # Errors
/// [`Kind::Unsupported`] for a file that we did not write ourselves (pg_dump's, also where we have called it), or of a
/// newer format; [`Kind::Grammar`] for one that was cut off, holds conflict markers, or cannot be split.
pub fn parse(text: &str) -> Result<Structure> {
    let text = text.trim_start_matches('\u{feff}');
    let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
    let first = first.trim_end();
    let dialect = dialect_of(first)?;
    if let Some(at) = text.lines().position(|line| MARKERS.iter().any(|marker| line.starts_with(marker))) {
        return Err(grammar(format!("line {} is a conflict marker", at + 1)));
    }
    let (filters, rest) = filters(rest);
    if filters.iter().any(|line| line == "-- via: pg_dump") {
        return Err(Error::new(Kind::Unsupported, "the file was written by pg_dump"));
    }
    let body = rest.trim_end().strip_suffix(TRAILER).filter(|body| body.is_empty() || body.ends_with('\n'));
    let body = body.ok_or_else(|| grammar("the file was cut off: its last line is missing".to_owned()))?;
    let pieces = pieces(dialect, body)?;
    let mut structure = Structure {
        dialect,
        first: first.to_owned(),
        filters,
        settings: None,
        objects: Vec::new(),
        versions: Vec::new(),
        tail: body[pieces.last().map_or(0, |piece| piece.end)..].trim().to_owned(),
    };
    let statements: Vec<&str> = pieces.iter().map(|piece| piece.statement).collect();
    let (schema, ledger) = pieces.split_at(rows::ledger_at(dialect, &statements)?);
    let mut blocks = blocks(dialect, schema);
    if blocks.first().is_some_and(|block| block.iter().all(|(_, named)| named.sets_something())) {
        let statements = blocks.remove(0).into_iter().map(|(text, _)| text).collect();
        structure.settings = Some(Object { key: Key::new("settings", ""), statements });
    }
    structure.objects = blocks.into_iter().map(object).collect();
    tell_apart(&mut structure.objects);
    let row = |piece: &Piece<'_>| rows::version(dialect, piece.statement, piece.text);
    structure.versions = ledger.iter().filter_map(row).collect();
    Ok(structure)
}

fn grammar(what: String) -> Error {
    Error::new(Kind::Grammar, what)
}

/// Returns the kind of database that the first line of a file of ours names.
fn dialect_of(first: &str) -> Result<Dialect> {
    let known = [Dialect::Postgres, Dialect::Sqlite].into_iter().find(|&dialect| header(dialect) == first);
    known.ok_or_else(|| match first.strip_prefix(HEADER) {
        Some(format) => {
            let what = format!("the file was written by a newer release (format {format})");
            Error::new(Kind::Unsupported, what).help("update cargo-dbsetup and the dbsetup library")
        }
        None => Error::new(Kind::Unsupported, "the file was not written by cargo-dbsetup")
            .note(format!("its first line does not begin with `{HEADER}`")),
    })
}

/// Takes the lines of the head off, up to the first that is none of it.
fn filters(mut rest: &str) -> (Vec<String>, &str) {
    let mut lines = Vec::new();
    while let Some((line, after)) = rest.split_once('\n') {
        let line = line.trim_end();
        if !line.starts_with("--") || line == TRAILER {
            break;
        }
        lines.push(line.to_owned());
        rest = after;
    }
    (lines, rest)
}

/// A statement where it stands.
struct Piece<'a> {
    /// From its first token to its last.
    statement: &'a str,
    /// With the remarks above it, and its `;`.
    text: &'a str,
    /// Whether a blank line stands above it.
    apart: bool,
    /// Where its text ends.
    end: usize,
}

fn pieces(dialect: Dialect, body: &str) -> Result<Vec<Piece<'_>>> {
    let spans = sql::split(dialect, body).map_err(|error| grammar(error.to_string()))?;
    let mut pieces = Vec::with_capacity(spans.len());
    let mut last = 0;
    for (at, span) in spans.iter().enumerate() {
        if span.kind != SpanKind::Statement {
            return Err(Error::new(Kind::Unsupported, "the file holds COPY data or commands of a client"));
        }
        let gap = &body[last..span.range.start];
        let blank = gap.len() - gap.trim_start().len();
        let apart = at == 0 || gap[..blank].matches('\n').count() > 1;
        let behind = &body[span.range.end..spans.get(at + 1).map_or(body.len(), |next| next.range.start)];
        let end = span.range.end + terminator(dialect, behind);
        let text = &body[last + blank..end];
        pieces.push(Piece { statement: &body[span.range.clone()], text, apart, end });
        last = end;
    }
    Ok(pieces)
}

/// Returns how far a statement's `;` reaches behind it; 0 where there is none.
fn terminator(dialect: Dialect, behind: &str) -> usize {
    let mut tokens = sql::tokens(dialect, behind);
    tokens.find(|token| token.is_punctuation(";")).map_or(0, |token| token.start + 1)
}

type Block = Vec<(String, Named)>;

/// Returns the statements of each block. In files of SQLite every statement stands apart; a table's indexes follow it.
fn blocks(dialect: Dialect, pieces: &[Piece<'_>]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for piece in pieces {
        let named = Named::of(dialect, piece.statement);
        let leader = blocks.last().and_then(|block| block.first()).map(|(_, named)| &named.key);
        let is_line = rows::are_lines(&named.key);
        let joins = leader.is_some_and(|leader| {
            if is_line || rows::are_lines(leader) {
                return !piece.apart && *leader == named.key;
            }
            match dialect {
                Dialect::Postgres => !piece.apart,
                Dialect::Sqlite => leader.kind == "table" && named.on.as_ref() == Some(leader),
            }
        });
        match blocks.last_mut().filter(|_| joins) {
            Some(block) => block.push((piece.text.to_owned(), named)),
            None => blocks.push(vec![(piece.text.to_owned(), named)]),
        }
    }
    blocks
}

/// Returns a block as an object. A table's block may begin with the sequence that its column takes numbers from.
fn object(block: Block) -> Object {
    let leader = block.iter().find(|(_, named)| named.key.kind == "table").or(block.first());
    let key = leader.map_or_else(|| Key::new("block", ""), |(_, named)| named.key.clone());
    Object { key, statements: block.into_iter().map(|(text, _)| text).collect() }
}

/// Numbers keys that occur more than once.
fn tell_apart(objects: &mut [Object]) {
    let mut seen: HashMap<Key, usize> = HashMap::new();
    for object in objects {
        let times = seen.entry(object.key.clone()).or_default();
        *times += 1;
        if *times > 1 {
            object.key = object.key.numbered(*times);
        }
    }
}
