//! Values as they stand in an `INSERT`: one line each, whatever they hold.

use std::fmt::Write as _;

/// How values of a type are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// As a string, which is taken for a value of the column's type.
    String,
    /// As they are: whole numbers.
    Bare,
    /// As `true` and `false`.
    Boolean,
}

/// Appends a value as it stands in SQL.
///
/// A string is of no type until it meets the column, whose input function reads it. One with control characters is written
/// with escapes, so that each row is one line, and no editor or version control changes it.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-STRINGS-ESCAPE>
pub fn write(value: Option<&str>, style: Style, to: &mut String) {
    let Some(value) = value else {
        to.push_str("NULL");
        return;
    };
    match (style, value) {
        (Style::Bare, _) if is_whole(value) => to.push_str(value),
        (Style::Boolean, "t") => to.push_str("true"),
        (Style::Boolean, "f") => to.push_str("false"),
        _ => string(value, to),
    }
}

fn is_whole(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn string(value: &str, to: &mut String) {
    let escapes = value.contains(|c: char| c.is_ascii_control());
    to.push_str(if escapes { "E'" } else { "'" });
    for c in value.chars() {
        match c {
            '\'' => to.push_str("''"),
            '\\' if escapes => to.push_str("\\\\"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            c if c.is_ascii_control() => {
                write!(to, "\\x{:02x}", u32::from(c)).expect("writing to a string does not fail");
            }
            c => to.push(c),
        }
    }
    to.push('\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(value: Option<&str>, style: Style) -> String {
        let mut text = String::new();
        write(value, style, &mut text);
        text
    }

    #[test]
    fn a_value_stands_on_one_line() {
        let text = |value: &str| written(Some(value), Style::String);
        assert_eq!(text("it's"), "'it''s'");
        assert_eq!(text("a\\n"), "'a\\n'");
        assert_eq!(text("a\n\\'\r\t\u{1}\u{7f}b"), "E'a\\n\\\\''\\r\\t\\x01\\x7fb'");
        assert_eq!(text("NULL"), "'NULL'");
        assert_eq!(written(None, Style::Bare), "NULL");
    }

    #[test]
    fn numbers_and_truth_values_are_written_plainly() {
        assert_eq!(written(Some("-32768"), Style::Bare), "-32768");
        assert_eq!(written(Some("NaN"), Style::Bare), "'NaN'");
        assert_eq!(written(Some("t"), Style::Boolean), "true");
        assert_eq!(written(Some("t"), Style::String), "'t'");
    }
}
