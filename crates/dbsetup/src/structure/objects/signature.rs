//! What tells functions and operators of one name apart: the types that they take.

use crate::sql::{self, Dialect, Token, TokenKind};

/// Types of more than one word, as `format_type` prints them: a first word that is no argument's name.
const LONG_TYPES: [(&str, &str); 7] = [
    ("double", "precision"),
    ("character", "varying"),
    ("bit", "varying"),
    ("time", "with"),
    ("time", "without"),
    ("timestamp", "with"),
    ("timestamp", "without"),
];

/// Returns the types of a function's arguments: its identity. Names and defaults are no part of it, nor is what only
/// comes out, but of procedures.
pub(super) fn arguments(text: &str, is_procedure: bool) -> String {
    let types = split(text).into_iter().filter_map(|argument| {
        let (mode, argument) = match argument.split_first() {
            Some((first, rest)) if ["in", "out", "inout", "variadic"].iter().any(|m| first.is_word(m)) => {
                (first.text.to_ascii_lowercase(), rest)
            }
            _ => (String::new(), argument.as_slice()),
        };
        if mode == "out" && !is_procedure {
            return None;
        }
        let end = argument.iter().position(|token| token.is_word("default") || token.is_punctuation("="));
        let argument = &argument[..end.unwrap_or(argument.len())];
        Some(shown(text, without_name(argument)))
    });
    types.collect::<Vec<_>>().join(", ")
}

/// Returns what an operator stands between.
pub(super) fn operands(text: &str) -> String {
    let parts = split(text);
    let side = |name: &str| {
        let part = parts.iter().find(|part| part.first().is_some_and(|token| token.is_word(name)))?;
        Some(shown(text, part.get(2..)?))
    };
    let sides = [side("leftarg"), side("rightarg")].map(|side| side.unwrap_or_else(|| "NONE".to_owned()));
    sides.join(", ")
}

fn without_name<'a, 'b>(argument: &'b [Token<'a>]) -> &'b [Token<'a>] {
    match argument {
        [first, second, ..] if is_name(second) => {
            let is_long = LONG_TYPES.iter().any(|(one, two)| first.is_word(one) && second.is_word(two));
            if is_long { argument } else { &argument[1..] }
        }
        _ => argument,
    }
}

fn is_name(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier)
}

fn shown(text: &str, tokens: &[Token<'_>]) -> String {
    let (Some(first), Some(last)) = (tokens.first(), tokens.last()) else { return String::new() };
    text[first.start..last.start + last.text.len()].split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Returns what stands between commas outside of parentheses.
fn split(text: &str) -> Vec<Vec<Token<'_>>> {
    let mut parts = vec![Vec::new()];
    let mut depth = 0_usize;
    for token in sql::significant(Dialect::Postgres, text) {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "," if depth == 0 => {
                parts.push(Vec::new());
                continue;
            }
            _ => {}
        }
        if let Some(part) = parts.last_mut() {
            part.push(token);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_modes_and_defaults_of_arguments_do_not_count() {
        for (text, types) in [
            ("", ""),
            ("integer, text", "integer, text"),
            ("a integer, b text DEFAULT ','::text", "integer, text"),
            ("INOUT a app.\"T\"[], OUT b text", "app.\"T\"[]"),
            ("a double precision, double precision", "double precision, double precision"),
            (
                "at timestamp without time zone, timestamp with time zone",
                "timestamp without time zone, timestamp with time zone",
            ),
            ("a character varying, \"char\"", "character varying, \"char\""),
        ] {
            assert_eq!(arguments(text, false), types);
        }
        assert_eq!(arguments("IN a integer, OUT b text", true), "integer, text");
    }

    #[test]
    fn an_operator_may_have_nothing_on_its_left() {
        assert_eq!(operands("FUNCTION = f,\n RIGHTARG = double precision"), "NONE, double precision");
    }
}
