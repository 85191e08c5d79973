//! Writing names and values into SQL text, for the places where a statement takes no parameters.

use std::fmt::Write as _;

use super::dialect::Dialect;

/// Why a name or value cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QuoteError {
    #[error("a name must not be empty")]
    EmptyIdentifier,
    #[error("a NUL byte cannot be written in SQL text")]
    Nul,
}

/// Returns `name` as a quoted identifier.
///
/// The length is not looked at: what is too long depends on the server. Empty names and NUL bytes are refused.
pub fn quote_identifier(dialect: Dialect, name: &str) -> Result<String, QuoteError> {
    refuse_nul(name)?;
    if name.is_empty() {
        return Err(QuoteError::EmptyIdentifier);
    }
    match dialect {
        Dialect::Postgres | Dialect::Sqlite => Ok(format!("\"{}\"", name.replace('"', "\"\""))),
    }
}

/// Returns `value` as a string constant. NUL bytes are refused.
///
/// PostgreSQL: a value with a backslash is written as `E'..'`, which means the same whatever
/// `standard_conforming_strings` says. Source: PostgreSQL documentation, "String Constants with C-Style Escapes".
pub fn quote_literal(dialect: Dialect, value: &str) -> Result<String, QuoteError> {
    refuse_nul(value)?;
    let doubled = value.replace('\'', "''");
    Ok(match dialect {
        Dialect::Postgres if doubled.contains('\\') => format!("E'{}'", doubled.replace('\\', "\\\\")),
        Dialect::Postgres | Dialect::Sqlite => format!("'{doubled}'"),
    })
}

/// Returns bytes as a constant: `bytea` in PostgreSQL, a blob in SQLite.
pub fn quote_bytes(dialect: Dialect, bytes: &[u8]) -> String {
    let (before, after) = match dialect {
        Dialect::Postgres => ("E'\\\\x", "'::bytea"),
        Dialect::Sqlite => ("X'", "'"),
    };
    let mut text = String::with_capacity(before.len() + 2 * bytes.len() + after.len());
    text.push_str(before);
    for byte in bytes {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text.push_str(after);
    text
}

fn refuse_nul(text: &str) -> Result<(), QuoteError> {
    if text.contains('\0') { Err(QuoteError::Nul) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::lexer::{TokenKind, tokens};
    use super::*;

    const BOTH: [Dialect; 2] = [Dialect::Postgres, Dialect::Sqlite];

    #[test]
    fn identifiers_are_quoted_by_doubling() {
        for dialect in BOTH {
            assert_eq!(quote_identifier(dialect, r#"a "b" c"#).as_deref(), Ok(r#""a ""b"" c""#));
        }
    }

    #[test]
    fn names_that_cannot_exist_are_refused() {
        for dialect in BOTH {
            assert_eq!(quote_identifier(dialect, ""), Err(QuoteError::EmptyIdentifier));
            assert_eq!(quote_identifier(dialect, "a\0b"), Err(QuoteError::Nul));
            assert_eq!(quote_literal(dialect, "a\0b"), Err(QuoteError::Nul));
        }
    }

    #[test]
    fn a_backslash_makes_an_escape_string_in_postgres_only() {
        assert_eq!(quote_literal(Dialect::Postgres, "it's").as_deref(), Ok("'it''s'"));
        assert_eq!(quote_literal(Dialect::Postgres, r"a\'b").as_deref(), Ok(r"E'a\\''b'"));
        assert_eq!(quote_literal(Dialect::Sqlite, r"a\'b").as_deref(), Ok(r"'a\''b'"));
    }

    #[test]
    fn bytes_are_written_in_hexadecimal() {
        assert_eq!(quote_bytes(Dialect::Postgres, &[0, 0xAB]), r"E'\\x00ab'::bytea");
        assert_eq!(quote_bytes(Dialect::Sqlite, &[0, 0xAB]), "X'00ab'");
        assert_eq!(quote_bytes(Dialect::Sqlite, &[]), "X''");
    }

    proptest! {
        #[test]
        fn whatever_is_quoted_is_one_token(text in "[^\0]{1,20}") {
            for dialect in BOTH {
                for (quoted, kind) in [
                    (quote_identifier(dialect, &text).unwrap(), TokenKind::QuotedIdentifier),
                    (quote_literal(dialect, &text).unwrap(), TokenKind::String),
                ] {
                    let with_more = format!("{quoted};");
                    let kinds: Vec<_> = tokens(dialect, &with_more).map(|token| token.kind).collect();
                    prop_assert_eq!(kinds, [kind, TokenKind::Punctuation]);
                }
            }
        }
    }
}
