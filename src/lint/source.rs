//! A script as a grammar can be shown it: its statements at their own places, everything else blank.

use std::ops::Range;

use dbsetup::migration::Script;
use dbsetup::sql::{self, Dialect, SpanKind, TokenKind, tokens};

use super::Found;

/// So many tokens of one statement are read: the depth of a syntax tree, and with it the stack, grows with them.
const MOST_TOKENS: usize = 20_000;

/// So deep may parentheses and brackets be nested, for the same reason.
const DEEPEST: usize = 200;

/// The statements of a script.
#[derive(Debug)]
pub(super) struct Source<'a> {
    pub(super) script: &'a Script,
    /// Where its statements are, in order.
    pub(super) statements: Vec<Range<usize>>,
}

impl<'a> Source<'a> {
    /// Splits a script, or says that it cannot be read.
    pub(super) fn read(script: &'a Script, dialect: Dialect) -> Result<Self, Found> {
        match sql::split(dialect, script.sql()) {
            Ok(spans) => {
                let statements = spans
                    .into_iter()
                    .filter(|span| !matches!(span.kind, SpanKind::Meta(_)))
                    .map(|span| span.range)
                    .collect();
                Ok(Self { script, statements })
            }
            Err(error) => {
                let offset =
                    error.location().and_then(|at| usize::try_from(at.offset).ok()).unwrap_or_default();
                let at = offset.min(script.sql().len());
                Err(Found::new("unread", at..at, format!("this file was not linted: {error}")))
            }
        }
    }

    /// Returns the text of a statement.
    pub(super) fn text(&self, statement: &Range<usize>) -> &'a str {
        &self.script.sql()[statement.clone()]
    }

    /// Finds what no file may say, whatever it is for: transactions of its own, and what runs in none.
    pub(super) fn everywhere(&self, dialect: Dialect) -> Vec<Found> {
        let mut found = Vec::new();
        // In a file without a transaction `BEGIN` and `COMMIT` are a pair around some of its statements.
        let mut block: Option<&Range<usize>> = None;
        for statement in &self.statements {
            let text = self.text(statement);
            let control = sql::transaction_control(dialect, text);
            if let Some(word) = control {
                let told = |what: &str| Found::new("transaction-control", statement.clone(), what.to_owned());
                block = match (word, block) {
                    _ if self.script.transactional => {
                        found.push(told(&format!("{word} in a file that runs in a transaction")));
                        None
                    }
                    ("BEGIN" | "START TRANSACTION", None) => Some(statement),
                    ("COMMIT" | "END", Some(_)) => None,
                    _ => {
                        let help = "use `BEGIN` and `COMMIT` in pairs, or one file for each transaction";
                        found.push(told(&format!("{word} where no transaction can be followed")).help(help));
                        block
                    }
                };
            } else if (self.script.transactional || block.is_some()) && sql::must_run_alone(dialect, text) {
                let words = sql::statement_words(dialect, text, 3).join(" ");
                let (message, help) = match block {
                    None => {
                        (format!("`{words}` does not run inside a transaction, and this file does"), None)
                    }
                    Some(_) => (
                        format!("`{words}` does not run inside a transaction, and stands in one"),
                        Some("put it before `BEGIN` or behind `COMMIT`"),
                    ),
                };
                let one = Found::new("needs-no-transaction", statement.clone(), message);
                found.push(help.into_iter().fold(one, Found::help));
            }
        }
        if let Some(begin) = block {
            let message = "a transaction that is not committed";
            found.push(Found::new("transaction-control", begin.clone(), message).help("add `COMMIT`"));
        }
        found
    }

    /// Returns the script with everything blank that is no statement of interest, byte for byte at its place.
    pub(super) fn masked(&self, skipped: &[Range<usize>]) -> String {
        let sql = self.script.sql().as_bytes();
        let mut text = vec![b' '; sql.len() + 1];
        for statement in self.statements.iter().filter(|statement| !skipped.contains(statement)) {
            text[statement.clone()].copy_from_slice(&sql[statement.clone()]);
            text[statement.end] = b';';
        }
        // Comments for squawk accept nothing here: a reason belongs to it.
        String::from_utf8(text).expect("whole statements of valid text").replace("squawk-", "squawk_")
    }
}

/// Numbers the transaction in which each statement runs, given the words that begin or end one.
pub(super) fn transactions(
    transactional: bool,
    controls: impl Iterator<Item = Option<&'static str>>,
) -> Vec<usize> {
    let (mut number, mut open) = (0, false);
    let numbered = controls.map(|control| {
        if !transactional && !open {
            number += 1;
        }
        match control {
            Some("BEGIN" | "START TRANSACTION") => open = true,
            Some(_) => open = false,
            None => {}
        }
        number
    });
    numbered.collect()
}

/// What to do with a statement before it is shown to a grammar.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Size {
    /// It can be read.
    Fits,
    /// Rows to insert: nothing in it is any rule's concern, and there may be many.
    Rows,
    /// It is too long or too deep for a grammar that recurs.
    TooLarge,
}

/// Looks at a statement's tokens only.
pub(super) fn size(text: &str) -> Size {
    let (mut count, mut depth) = (0_usize, 0_usize);
    let mut inserts = false;
    for token in tokens(Dialect::Postgres, text) {
        match token.kind {
            TokenKind::Space | TokenKind::Comment => continue,
            TokenKind::Punctuation => match token.text {
                "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            },
            TokenKind::Word if count == 0 => inserts = token.text.eq_ignore_ascii_case("insert"),
            TokenKind::Word if inserts && depth == 0 => {
                let is = |word: &str| token.text.eq_ignore_ascii_case(word);
                if is("values") {
                    return Size::Rows;
                }
                inserts = !is("select") && !is("with") && !is("table");
            }
            _ => {}
        }
        count += 1;
        if count > MOST_TOKENS || depth > DEEPEST {
            return Size::TooLarge;
        }
    }
    Size::Fits
}
