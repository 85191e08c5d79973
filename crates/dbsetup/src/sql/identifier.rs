//! Names as the database knows them: without quotes, folded where the dialect folds.

use std::borrow::Cow;

use super::dialect::Dialect;
use super::effects::significant;
use super::lexer::{Token, TokenKind};

/// Returns the name that an identifier token stands for.
///
/// PostgreSQL folds the ASCII letters of a word to lower case and keeps a quoted identifier; SQLite compares names
/// without regard to case, so both come back as written.
pub(crate) fn name<'a>(dialect: Dialect, token: Token<'a>) -> Option<Cow<'a, str>> {
    match token.kind {
        TokenKind::Word if dialect == Dialect::Postgres => Some(fold(token.text)),
        TokenKind::Word => Some(Cow::Borrowed(token.text)),
        TokenKind::QuotedIdentifier => Some(unquote(token.text, '\\')),
        _ => None,
    }
}

/// Returns every name in a text, with the token behind it, also names with an escape character of their own
/// (`U&"d!0061ta" UESCAPE '!'`).
pub(crate) fn names(dialect: Dialect, text: &str) -> impl Iterator<Item = (Cow<'_, str>, Option<Token<'_>>)> {
    let mut tokens = significant(dialect, text);
    std::iter::from_fn(move || {
        loop {
            let token = tokens.next()?;
            let Some(plain) = name(dialect, token) else { continue };
            let mut behind = tokens.clone();
            let next = behind.next();
            if !has_escapes(token.text) || !next.is_some_and(|next| next.is_word("uescape")) {
                return Some((plain, next));
            }
            let escape = behind.next().and_then(|character| character.text.chars().nth(1));
            return Some((unquote(token.text, escape.unwrap_or('\\')), behind.next()));
        }
    })
}

/// Tells whether a name in a text is `wanted` as the catalog has it.
pub(super) fn is_same(dialect: Dialect, name: &str, wanted: &str) -> bool {
    match dialect {
        Dialect::Postgres => name == wanted,
        Dialect::Sqlite => name.eq_ignore_ascii_case(wanted),
    }
}

fn has_escapes(text: &str) -> bool {
    matches!(text.as_bytes(), [b'u' | b'U', b'&', ..])
}

fn fold(word: &str) -> Cow<'_, str> {
    if word.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Cow::Owned(word.to_ascii_lowercase());
    }
    Cow::Borrowed(word)
}

fn unquote(text: &str, escape: char) -> Cow<'_, str> {
    let quoted = if has_escapes(text) { &text[2..] } else { text };
    let (closing, doubled) = match quoted.as_bytes().first() {
        // A closing bracket cannot be doubled.
        Some(b'[') => (']', None),
        Some(b'`') => ('`', Some("``")),
        _ => ('"', Some("\"\"")),
    };
    let inside = quoted.get(1..).unwrap_or_default();
    let inside = inside.strip_suffix(closing).unwrap_or(inside);
    let plain = match doubled {
        Some(doubled) if inside.contains(doubled) => Cow::Owned(inside.replace(doubled, &doubled[1..])),
        _ => Cow::Borrowed(inside),
    };
    if has_escapes(text) { Cow::Owned(decode_unicode(&plain, escape)) } else { plain }
}

/// Decodes `\XXXX`, `\+XXXXXX` and `\\` of `U&".."`; a text that is not right stays as it is.
///
/// Source: PostgreSQL documentation, "Identifiers and Key Words".
fn decode_unicode(text: &str, escape: char) -> String {
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(escape) {
        decoded.push_str(before);
        let (digits, len) = match after.strip_prefix('+') {
            Some(long) => (long.get(..6), 7),
            None => (after.get(..4), 4),
        };
        let character = digits
            .filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .and_then(|digits| u32::from_str_radix(digits, 16).ok())
            .and_then(char::from_u32);
        decoded.push(character.unwrap_or(escape));
        rest = match character {
            Some(_) => &after[len..],
            None => after.strip_prefix(escape).unwrap_or(after),
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
    fn names_are_told_with_the_token_behind_them() {
        let told: Vec<_> = names(Dialect::Postgres, "a.U&\"!0062\" uescape '!' ( 'c' \"D\"")
            .map(|(name, next)| (name.into_owned(), next.map(|next| next.text)))
            .take(2)
            .collect();
        assert_eq!(told, [("a".to_owned(), Some(".")), ("b".to_owned(), Some("("))]);
    }

    #[test]
    fn names_compare_as_the_database_compares_them() {
        assert!(!is_same(Dialect::Postgres, "USERS", "users"));
        assert!(is_same(Dialect::Sqlite, "USERS", "users"));
    }
}
