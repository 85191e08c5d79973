//! Statements after which the text is read differently: `COPY .. FROM STDIN` and `SET standard_conforming_strings`.

use super::dialect::Dialect;
use super::identifier;
use super::lexer::{Token, TokenKind, tokens};

/// The tokens that mean something.
pub(crate) fn significant(dialect: Dialect, text: &str) -> impl Iterator<Item = Token<'_>> + Clone {
    tokens(dialect, text).filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment))
}

/// Where a PostgreSQL `COPY` statement reads from or writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CopyTarget {
    /// The client sends the data.
    FromClient,
    ToClient,
    /// A file on the server.
    File,
    /// A program on the server.
    Program,
}

/// Returns the target of a statement that begins with `COPY`.
///
/// `STDIN` and `STDOUT` are one word to the server's grammar: `FROM STDOUT` reads from the client too.
pub(super) fn copy_target(text: &str) -> Option<CopyTarget> {
    let mut depth = 0_u32;
    let mut words = significant(Dialect::Postgres, text);
    if !words.next()?.is_word("copy") {
        return None;
    }
    // The first token of the name is no direction, even where it reads like one.
    let mut direction = None;
    for token in words {
        if token.is_punctuation("(") {
            depth += 1;
        } else if token.is_punctuation(")") {
            depth = depth.saturating_sub(1);
        } else if depth == 0 {
            match direction {
                Some(from) if token.is_word("stdin") || token.is_word("stdout") => {
                    return Some(if from { CopyTarget::FromClient } else { CopyTarget::ToClient });
                }
                Some(_) if token.is_word("program") => return Some(CopyTarget::Program),
                Some(_) if token.kind == TokenKind::String => return Some(CopyTarget::File),
                _ => {}
            }
            direction = match () {
                () if token.is_word("from") => Some(true),
                () if token.is_word("to") => Some(false),
                () => None,
            };
        }
    }
    None
}

/// Returns whether backslashes escape in plain strings after this `SET` or `RESET`, if it decides that.
///
/// Source: PostgreSQL documentation, `standard_conforming_strings`.
pub(super) fn backslashes_after(text: &str) -> Option<bool> {
    let mut words = significant(Dialect::Postgres, text);
    let verb = words.next()?;
    let mut name = words.next()?;
    if verb.is_word("reset") {
        return (name.is_word("all") || names_the_setting(name)).then_some(false);
    }
    if !verb.is_word("set") {
        return None;
    }
    if name.is_word("session") || name.is_word("local") {
        name = words.next()?;
    }
    let sign = words.next()?;
    if !names_the_setting(name) || !(sign.is_punctuation("=") || sign.is_word("to")) {
        return None;
    }
    let value = words.next()?;
    let value = match value.kind {
        TokenKind::String => {
            value.text.trim_start_matches(['e', 'E']).trim_matches('\'').to_ascii_lowercase()
        }
        _ => value.text.to_ascii_lowercase(),
    };
    // The server takes any unambiguous beginning of these words.
    Some(matches!(value.as_str(), "0" | "of" | "off" | "f" | "fa" | "fal" | "fals" | "false" | "n" | "no"))
}

fn names_the_setting(token: Token<'_>) -> bool {
    identifier::name(Dialect::Postgres, token)
        .is_some_and(|name| name.eq_ignore_ascii_case("standard_conforming_strings"))
}
