//! As much TOML as is needed to find texts in `Cargo.toml`, `sqlx.toml` and `diesel.toml`, wherever they stand: below a
//! header, at a key with dots, in an inline table. Cargo reads manifests for us; what it does not read is not worth a
//! whole parser in everyone's build.

use crate::problem::{Problem, Result};

/// A key, with all that stands before it, and what it is set to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub path: Vec<String>,
    value: Value,
    /// The line of the key, from 1.
    line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Texts(Vec<String>),
    /// A header or an inline table, whose keys have entries of their own.
    Table,
    /// A number, a date, a list of something else, or what is not understood.
    Other,
}

/// Returns the texts that stand at `key` of `[table]`: one, or those of a list; `None` where it is not there.
///
/// # Errors
/// A [`Problem`] with the line where the key is written in a way that is not understood.
pub(crate) fn texts(text: &str, table: &str, key: &str, shown: &str) -> Result<Option<Vec<String>>> {
    let wanted: Vec<&str> = table.split('.').chain([key]).collect();
    for entry in entries(text) {
        let is_on_the_way = entry.path.len() <= wanted.len()
            && entry.path.iter().zip(&wanted).all(|(one, other)| one == other);
        match entry.value {
            _ if !is_on_the_way => {}
            Value::Texts(texts) if entry.path.len() == wanted.len() => return Ok(Some(texts)),
            Value::Table if entry.path.len() < wanted.len() => {}
            _ => {
                let path = entry.path.join(".");
                return Err(Problem::new(format!(
                    "`{path}` in line {} of `{shown}` is not understood",
                    entry.line
                ))
                .help(format!("write `{key}` as a string or a list of strings below `[{table}]`")));
            }
        }
    }
    Ok(None)
}

/// Returns all keys of a document, in their order.
pub(crate) fn entries(text: &str) -> Vec<Entry> {
    let mut reader = Reader { text, rest: text, entries: Vec::new() };
    let mut table = Vec::new();
    loop {
        reader.skip_blank();
        if reader.rest.is_empty() {
            return reader.entries;
        }
        let line = reader.line();
        if reader.rest.starts_with('[') {
            reader.rest = reader.rest.trim_start_matches('[');
            // What follows a header that is not understood belongs to nobody.
            table =
                reader.path().filter(|_| reader.rest.starts_with(']')).unwrap_or_else(|| vec![String::new()]);
            reader.entries.push(Entry { path: table.clone(), value: Value::Table, line });
        } else if let Some(path) = reader.path() {
            let path: Vec<String> = table.iter().cloned().chain(path).collect();
            let before = reader.entries.len();
            if reader.take('=').and_then(|()| reader.set(&path, line)).is_none() {
                reader.entries.truncate(before);
                reader.entries.push(Entry { path, value: Value::Other, line });
            }
        }
        reader.skip_line();
    }
}

/// What is left to read of a document, and what was found.
struct Reader<'t> {
    text: &'t str,
    rest: &'t str,
    entries: Vec<Entry>,
}

/// Every function returns `None` where the text is not understood.
impl Reader<'_> {
    fn line(&self) -> usize {
        let read = self.text.len() - self.rest.len();
        1 + self.text.as_bytes()[..read].iter().filter(|byte| **byte == b'\n').count()
    }

    /// Skips spaces, line ends and comments.
    fn skip_blank(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            if !self.rest.starts_with('#') {
                return;
            }
            self.skip_line();
        }
    }

    fn skip_line(&mut self) {
        self.rest = self.rest.split_once('\n').map_or("", |(_, rest)| rest);
    }

    fn take(&mut self, wanted: char) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(wanted)?;
        Some(())
    }

    /// Reads `a."b".c`, and what spaces follow it.
    fn path(&mut self) -> Option<Vec<String>> {
        let mut path = Vec::new();
        loop {
            self.rest = self.rest.trim_start_matches([' ', '\t']);
            if self.rest.starts_with(['"', '\'']) {
                path.push(self.string()?);
            } else {
                let is_bare = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
                let end = self.rest.find(|c| !is_bare(c)).unwrap_or(self.rest.len());
                let (key, rest) = self.rest.split_at(end);
                if key.is_empty() {
                    return None;
                }
                path.push(key.to_owned());
                self.rest = rest;
            }
            self.rest = self.rest.trim_start_matches([' ', '\t']);
            match self.rest.strip_prefix('.') {
                Some(rest) => self.rest = rest,
                None => return Some(path),
            }
        }
    }

    /// Reads the value of a key; those inside of an inline table are entries, too.
    fn set(&mut self, path: &[String], line: usize) -> Option<()> {
        self.skip_blank();
        let before = self.entries.len();
        let value = if self.rest.starts_with('{') {
            self.inline_table(path)?;
            Value::Table
        } else if self.rest.starts_with('[') {
            self.list()?
        } else if self.rest.starts_with(['"', '\'']) {
            Value::Texts(vec![self.string()?])
        } else {
            let end = self.rest.find([',', ']', '}', '#', '\n']).unwrap_or(self.rest.len());
            self.rest = &self.rest[end..];
            Value::Other
        };
        self.entries.insert(before, Entry { path: path.to_vec(), value, line });
        Some(())
    }

    fn inline_table(&mut self, path: &[String]) -> Option<()> {
        self.take('{')?;
        loop {
            self.skip_blank();
            if self.rest.starts_with('}') {
                return self.take('}');
            }
            let line = self.line();
            let key: Vec<String> = path.iter().cloned().chain(self.path()?).collect();
            self.take('=')?;
            self.set(&key, line)?;
            self.comma('}')?;
        }
    }

    fn list(&mut self) -> Option<Value> {
        self.take('[')?;
        let mut texts = Some(Vec::new());
        loop {
            self.skip_blank();
            if self.rest.starts_with(']') {
                self.take(']')?;
                return Some(texts.map_or(Value::Other, Value::Texts));
            }
            let before = self.entries.len();
            self.set(&[], 0)?;
            // What stands inside of a list has no key.
            let element = self.entries.drain(before..).next();
            texts = match (texts, element.map(|element| element.value)) {
                (Some(mut texts), Some(Value::Texts(one))) if one.len() == 1 => {
                    texts.extend(one);
                    Some(texts)
                }
                _ => None,
            };
            self.comma(']')?;
        }
    }

    /// Reads what stands between two values, or sees the end of them.
    fn comma(&mut self, end: char) -> Option<()> {
        self.skip_blank();
        if self.rest.starts_with(end) { Some(()) } else { self.take(',') }
    }

    /// Reads one string of any kind.
    fn string(&mut self) -> Option<String> {
        for quotes in ["'''", "\"\"\""] {
            let Some(inside) = self.rest.strip_prefix(quotes) else { continue };
            let inside = inside.strip_prefix("\r\n").or(inside.strip_prefix('\n')).unwrap_or(inside);
            let (text, rest) = inside.split_once(quotes)?;
            self.rest = rest;
            // An escape may be a quote, or swallow the end of its line.
            return (quotes == "'''" || !text.contains('\\')).then(|| text.to_owned());
        }
        if let Some(literal) = self.rest.strip_prefix('\'') {
            let (inside, rest) = literal.split_once('\'')?;
            self.rest = rest;
            return (!inside.contains('\n')).then(|| inside.to_owned());
        }
        let mut chars = self.rest.strip_prefix('"')?.char_indices();
        let mut value = String::new();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.rest = &self.rest[1 + at + 1..];
                    return Some(value);
                }
                '\n' => return None,
                '\\' => value.push(escaped(&mut chars)?),
                c => value.push(c),
            }
        }
        None
    }
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
            ("migrate = { y = [1, {x = 2}], x = \"a,}\", z = 1 }\n", Some(vec!["a,}"])),
            ("migrate = {\n  y = { x = \"b\" }, # no\n  \"x\" = 'a',\n}\n", Some(vec!["a"])),
            ("[migrate]\nx = \"\"\"\na\"\"\"\n", Some(vec!["a"])),
            ("[migrate]\ny = \"\"\"\nx = \"b\"\n[other]\"\"\"\nx = '''a'''", Some(vec!["a"])),
            ("[[migrate.y]]\nx = 1\n[migrate]\r\nx = \"a\"\r\n", Some(vec!["a"])),
            ("strange line\n= \"b\"\n[migrate]\nx = \"a\"\n", Some(vec!["a"])),
            ("[other]\nx = 1\n[migrate]\ny = 2\n", None),
            ("other = { migrate = { x = 1 } }\n", None),
            ("[migrate]\nx = []\n", Some(vec![])),
            ("", None),
        ] {
            let expected = expected.map(|texts| texts.into_iter().map(str::to_owned).collect());
            assert_eq!(read(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_named_and_not_passed_over() {
        for text in [
            "[migrate]\nx = 1\n",
            "\nmigrate = 1\n",
            "\nmigrate = { x = 1 }\n",
            "\nmigrate = { x = \"a\"\n",
            "[migrate]\nx.y = 1\nx = [1]\n",
            "[migrate]\nx = \"\"\"a\\\"\"\"\"\n",
        ] {
            let problem = read(text).unwrap_err();
            let line = if text.contains("x.y") { 3 } else { 2 };
            assert!(problem.message().contains(&format!("line {line} of `sqlx.toml`")), "{problem}");
        }
    }
}
