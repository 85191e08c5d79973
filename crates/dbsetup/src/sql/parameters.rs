//! Values in the places of `$1`, `$2`, …: written into the text as constants, so that a statement goes by whatever
//! protocol a connection speaks, and its rows come back as text. Pure.

use std::ops::Range;

use super::dialect::Dialect;
use super::lexer::{TokenKind, tokens};
use super::quote::quote_literal;

/// A statement with its values in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filled {
    /// The text to send.
    pub text: String,
    /// The bytes of each value in it, with those of its parameter in the original.
    values: Vec<(Range<usize>, Range<usize>)>,
}

impl Filled {
    /// Returns the place in the original of a byte of the text; a value is at its parameter.
    pub fn original(&self, at: usize) -> usize {
        let (mut sent, mut written) = (0, 0);
        for (value, parameter) in self.values.iter().take_while(|(value, _)| value.start <= at) {
            if at < value.end {
                return parameter.start;
            }
            (sent, written) = (value.end, parameter.end);
        }
        written + (at - sent)
    }
}

/// Why values and parameters do not belong together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    #[error("the parameter `{name}` has no number: they are written `$1`, `$2`, …")]
    WithoutNumber { name: String, range: Range<usize> },
    #[error("there is no value for the parameter `${number}`")]
    NoValue { number: usize, range: Range<usize> },
    #[error("value {number} is given, and no parameter `${number}` takes it")]
    Unused { number: usize },
    #[error("value {number} holds a NUL character, which SQL text cannot carry")]
    Nul { number: usize },
}

impl ParameterError {
    /// The bytes of the parameter in the statement, where it is one of them that is wrong.
    pub fn range(&self) -> Option<Range<usize>> {
        match self {
            Self::WithoutNumber { range, .. } | Self::NoValue { range, .. } => Some(range.clone()),
            Self::Unused { .. } | Self::Nul { .. } => None,
        }
    }
}

/// Writes values in the places of the parameters `$1`, `$2`, … (SQLite's `?1` too): a text as a string constant, whose
/// type the database takes from its surroundings or from a cast, and nothing as `NULL`. A parameter may stand twice.
///
/// # Errors
/// [`ParameterError`].
pub fn fill(dialect: Dialect, sql: &str, values: &[Option<&str>]) -> Result<Filled, ParameterError> {
    let mut filled = Filled { text: String::with_capacity(sql.len()), values: Vec::new() };
    let mut used = vec![false; values.len()];
    for token in tokens(dialect, sql) {
        if token.kind != TokenKind::Parameter {
            filled.text.push_str(token.text);
            continue;
        }
        let range = token.start..token.start + token.text.len();
        let Some(number) = token.text.get(1..).and_then(|digits| digits.parse::<usize>().ok()) else {
            return Err(ParameterError::WithoutNumber { name: token.text.to_owned(), range });
        };
        let at = number.checked_sub(1).filter(|at| *at < values.len());
        let Some(at) = at else { return Err(ParameterError::NoValue { number, range }) };
        used[at] = true;
        let start = filled.text.len();
        // Blanks around it: a constant must not become part of a neighbour that it merely touches.
        filled.text.push(' ');
        match values[at] {
            Some(value) => filled
                .text
                .push_str(&quote_literal(dialect, value).map_err(|_| ParameterError::Nul { number })?),
            None => filled.text.push_str("NULL"),
        }
        filled.text.push(' ');
        filled.values.push((start..filled.text.len(), range));
    }
    match used.iter().position(|used| !used) {
        Some(at) => Err(ParameterError::Unused { number: at + 1 }),
        None => Ok(filled),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(dialect: Dialect, sql: &str, values: &[Option<&str>]) -> Result<String, ParameterError> {
        fill(dialect, sql, values).map(|filled| filled.text)
    }

    #[test]
    fn values_stand_where_their_parameters_were_and_nowhere_else() {
        let sql = "update a set b = $2, c = '$1' where d = $1 -- $1";
        let filled = text(Dialect::Postgres, sql, &[Some("it's"), None]).unwrap();
        assert_eq!(filled, "update a set b =  NULL , c = '$1' where d =  'it''s'  -- $1");
        assert_eq!(text(Dialect::Postgres, "select $1::int", &[Some("7")]).unwrap(), "select  '7' ::int");
        assert_eq!(text(Dialect::Sqlite, "select ?1, $1", &[Some("7")]).unwrap(), "select  '7' ,  '7' ");
        assert_eq!(text(Dialect::Postgres, "select $$ $1 $$", &[]).unwrap(), "select $$ $1 $$");
        assert_eq!(text(Dialect::Postgres, "select $1", &[Some("\\")]).unwrap(), "select  E'\\\\' ");
    }

    #[test]
    fn a_value_too_few_or_too_many_is_named() {
        let error = |sql, values| text(Dialect::Postgres, sql, values).unwrap_err();
        assert_eq!(
            error("select $1, $3", &[Some("a")]),
            ParameterError::NoValue { number: 3, range: 11..13 }
        );
        assert_eq!(error("select $0", &[]), ParameterError::NoValue { number: 0, range: 7..9 });
        assert_eq!(error("select $1", &[Some("a"), None]), ParameterError::Unused { number: 2 });
        assert_eq!(error("select $1", &[Some("\0")]), ParameterError::Nul { number: 1 });
        let named = text(Dialect::Sqlite, "select :name", &[]).unwrap_err();
        assert_eq!(named.range(), Some(7..12));
    }

    #[test]
    fn a_place_in_the_sent_text_is_found_in_the_original() {
        let sql = "select $1, wrong, $1 from a";
        let filled = fill(Dialect::Postgres, sql, &[Some("a long value")]).unwrap();
        for word in ["select", "wrong", "from"] {
            assert_eq!(filled.original(filled.text.find(word).unwrap()), sql.find(word).unwrap(), "{word}");
        }
        assert_eq!(filled.original(filled.text.find("long").unwrap()), sql.find('$').unwrap());
        assert_eq!(filled.original(filled.text.len()), sql.len());
    }

    proptest! {
        #[test]
        fn whatever_a_value_holds_it_is_one_constant(value in "[^\0]*", postgres: bool) {
            let dialect = if postgres { Dialect::Postgres } else { Dialect::Sqlite };
            let filled = text(dialect, "select $1 from a", &[Some(&value)]).unwrap();
            let kinds: Vec<TokenKind> = tokens(dialect, &filled).map(|token| token.kind).collect();
            let expected = [
                TokenKind::Word, TokenKind::Space, TokenKind::String, TokenKind::Space, TokenKind::Word,
                TokenKind::Space, TokenKind::Word,
            ];
            prop_assert_eq!(kinds, expected);
        }
    }
}
