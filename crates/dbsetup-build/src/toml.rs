//! As much TOML as `sqlx.toml` and `diesel.toml` are written in: strings, and lists of them, in tables with a header.
//! Cargo reads manifests for us; what it does not read is not worth a parser in everyone's build.

use crate::problem::{Problem, Result};

/// Returns the texts that stand at `key` of `[table]`: one, or those of a list; `None` where it is not there.
///
/// # Errors
/// A [`Problem`] with the line where the key is written in a way that is not understood.
pub(crate) fn texts(text: &str, table: &str, key: &str, shown: &str) -> Result<Option<Vec<String>>> {
    let mut current = String::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line = without_comment(line).trim();
        if let Some(header) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            current = header.split('.').map(unquoted).collect::<Vec<_>>().join(".");
            continue;
        }
        let Some((left, right)) = line.split_once('=') else { continue };
        let left = left.split('.').map(unquoted).collect::<Vec<_>>().join(".");
        let path = if current.is_empty() { left } else { format!("{current}.{left}") };
        let unknown = || {
            Problem::new(format!("`{path}` in line {} of `{shown}` is not understood", number + 1))
                .help(format!("write it as a string or a list of strings below `[{table}]`"))
        };
        if path == table {
            return Err(unknown());
        }
        if path != format!("{table}.{key}") {
            continue;
        }
        let mut value = right.trim().to_owned();
        if value.starts_with('[') {
            while !value.ends_with(']') {
                let Some((_, more)) = lines.next() else { return Err(unknown()) };
                value.push(' ');
                value.push_str(without_comment(more).trim());
            }
        }
        return list(&value).map(Some).ok_or_else(unknown);
    }
    Ok(None)
}

pub(crate) fn unquoted(part: &str) -> &str {
    let part = part.trim();
    let quoted = |quote: char| part.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    quoted('"').or_else(|| quoted('\'')).unwrap_or(part)
}

fn without_comment(line: &str) -> &str {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (None, '#') => return &line[..at],
            (None, '"' | '\'') => quote = Some(c),
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), c) if open == c && !escaped => quote = None,
            _ => {}
        }
        escaped = false;
    }
    line
}

fn list(value: &str) -> Option<Vec<String>> {
    let Some(inside) = value.strip_prefix('[') else {
        let (text, rest) = string(value)?;
        return rest.is_empty().then(|| vec![text]);
    };
    let mut rest = inside.strip_suffix(']')?.trim();
    let mut texts = Vec::new();
    while !rest.is_empty() {
        let (text, after) = string(rest)?;
        texts.push(text);
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(more) => more.trim_start(),
            None if after.is_empty() => "",
            None => return None,
        };
    }
    Some(texts)
}

/// Reads one string, and returns what follows it.
fn string(text: &str) -> Option<(String, &str)> {
    if text.starts_with("\"\"\"") || text.starts_with("'''") {
        return None;
    }
    if let Some(literal) = text.strip_prefix('\'') {
        let (inside, rest) = literal.split_once('\'')?;
        return Some((inside.to_owned(), rest));
    }
    let mut chars = text.strip_prefix('"')?.char_indices();
    let mut value = String::new();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[1 + at + 1..])),
            '\\' => value.push(escaped(&mut chars)?),
            c => value.push(c),
        }
    }
    None
}

/// Reads what follows a backslash.
fn escaped(chars: &mut std::str::CharIndices<'_>) -> Option<char> {
    let digits = match chars.next()?.1 {
        'b' => return Some('\u{8}'),
        't' => return Some('\t'),
        'n' => return Some('\n'),
        'f' => return Some('\u{c}'),
        'r' => return Some('\r'),
        'e' => return Some('\u{1b}'),
        c @ ('"' | '\\') => return Some(c),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => return None,
    };
    let hex: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
    char::from_u32(u32::from_str_radix(&hex, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Vec<String>>> {
        texts(text, "migrate", "x", "sqlx.toml")
    }

    #[test]
    fn strings_and_lists_of_them_are_read_wherever_they_stand() {
        for (text, expected) in [
            ("[migrate]\nx = \"a\" # why\n", Some(vec!["a"])),
            ("migrate.x = 'a#b'\n", Some(vec!["a#b"])),
            ("[ migrate ]\n\"x\" = [\"\\r\", '\u{2009}', \"\\u0041\",]\n", Some(vec!["\r", "\u{2009}", "A"])),
            ("[migrate]\nx = [\n  \"a\", # one\n  \"b\"\n]\n", Some(vec!["a", "b"])),
            ("[other]\nx = 1\n[migrate]\ny = 2\n", None),
            ("[migrate]\nx = []\n", Some(vec![])),
            ("", None),
        ] {
            let expected = expected.map(|texts| texts.into_iter().map(str::to_owned).collect());
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named_and_not_passed_over() {
        for text in ["[migrate]\nx = 1\n", "\nmigrate = { x = \"a\" }\n", "[migrate]\nx = \"\"\"a\"\"\"\n"] {
            let problem = read(text).unwrap_err();
            assert!(problem.message().contains("line 2 of `sqlx.toml`"), "{problem}");
        }
    }
}
