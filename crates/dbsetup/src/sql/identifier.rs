//! Names as the database knows them: without quotes, folded where the dialect folds.

use std::borrow::Cow;

use super::dialect::Dialect;
use super::lexer::{Token, TokenKind};

/// Returns the name that an identifier token stands for.
///
/// PostgreSQL folds the ASCII letters of a word to lower case and keeps a quoted identifier; SQLite compares names
/// without regard to case, so both come back as written.
pub(super) fn name<'a>(dialect: Dialect, token: Token<'a>) -> Option<Cow<'a, str>> {
    match token.kind {
        TokenKind::Word if dialect == Dialect::Postgres => Some(fold(token.text)),
        TokenKind::Word => Some(Cow::Borrowed(token.text)),
        TokenKind::QuotedIdentifier => Some(unquote(token.text)),
        _ => None,
    }
}

/// Tells whether a token is the name `wanted` as the catalog has it.
pub(super) fn is_name(dialect: Dialect, token: Token<'_>, wanted: &str) -> bool {
    name(dialect, token).is_some_and(|name| match dialect {
        Dialect::Postgres => name == wanted,
        Dialect::Sqlite => name.eq_ignore_ascii_case(wanted),
    })
}

fn fold(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(word.to_ascii_lowercase());
    }
    Cow::Borrowed(word)
}

fn unquote(text: &str) -> Cow<'_, str> {
    let unicode = matches!(text.as_bytes(), [b'u' | b'U', b'&', ..]);
    let quoted = if unicode { &text[2..] } else { text };
    let mut characters = quoted.chars();
    let opening = characters.next();
    let closing = if opening == Some('[') { ']' } else { '"' };
    let closing = if opening == Some('`') { '`' } else { closing };
    let inside = characters.as_str();
    let inside = inside.strip_suffix(closing).unwrap_or(inside);
    let doubled: [char; 2] = [closing, closing];
    let doubled = String::from_iter(doubled);
    let plain = if opening != Some('[') && inside.contains(&doubled) {
        Cow::Owned(inside.replace(&doubled, &closing.to_string()))
    } else {
        Cow::Borrowed(inside)
    };
    if unicode && plain.contains('\\') { Cow::Owned(decode_unicode(&plain)) } else { plain }
}

/// Decodes `\XXXX`, `\+XXXXXX` and `\\` of `U&".."`; a text that is not right stays as it is.
///
/// Another escape character (`UESCAPE`) is not looked at. Source: PostgreSQL documentation, "Identifiers and Key Words".
fn decode_unicode(text: &str) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        decoded.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let (digits, len) = match escape.strip_prefix('+') {
            Some(long) => (long.get(..6), 7),
            None => (escape.get(..4), 4),
        };
        let character = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        rest = match character {
            Some(character) => {
                decoded.push(character);
                &escape[len..]
            }
            None => {
                decoded.push('\\');
                escape.strip_prefix('\\').unwrap_or(escape)
            }
        };
    }
    decoded.push_str(rest);
    decoded
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    fn name_of(dialect: Dialect, text: &str) -> String {
        let token = tokens(dialect, text).next().expect("the text is not empty");
        name(dialect, token).expect("the text is an identifier").into_owned()
    }

    #[test]
    fn words_fold_to_lower_case_in_postgres_and_quoted_names_do_not() {
        assert_eq!(name_of(Dialect::Postgres, "UseRs"), "users");
        assert_eq!(name_of(Dialect::Postgres, "ÉtÉ"), "ÉtÉ");
        assert_eq!(name_of(Dialect::Postgres, r#""Us""ers""#), r#"Us"ers"#);
    }

    #[test]
    fn unicode_escapes_of_quoted_names_are_decoded() {
        assert_eq!(name_of(Dialect::Postgres, r#"U&"d\0061t\+000061""#), "data");
        assert_eq!(name_of(Dialect::Postgres, r#"u&"a\\b\zz""#), r"a\b\zz");
    }

    #[test]
    fn every_quote_of_sqlite_is_taken_off() {
        assert_eq!(name_of(Dialect::Sqlite, "[a b]"), "a b");
        assert_eq!(name_of(Dialect::Sqlite, "`a``b`"), "a`b");
        assert_eq!(name_of(Dialect::Sqlite, r#""a""b""#), r#"a"b"#);
    }

    #[test]
    fn names_compare_as_the_database_compares_them() {
        let is = |dialect, text, wanted| {
            is_name(dialect, tokens(dialect, text).next().expect("the text is not empty"), wanted)
        };
        assert!(is(Dialect::Postgres, "USERS", "users"));
        assert!(!is(Dialect::Postgres, r#""USERS""#, "users"));
        assert!(is(Dialect::Sqlite, r#""USERS""#, "users"));
    }
}
