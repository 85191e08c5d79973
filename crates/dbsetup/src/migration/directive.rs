//! What the leading comments of a script say: `-- no-transaction`, `-- requires: V`. Pure.

use std::fmt;

/// A version that must be applied before another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// The version, as it is written.
    pub version: String,
    /// Whether it is said to be code of the application (`code:VERSION`), which not every program knows.
    pub is_code: bool,
}

impl From<&str> for Requirement {
    /// Reads `VERSION` or `code:VERSION`.
    fn from(text: &str) -> Self {
        let code = text.strip_prefix("code:");
        Self { version: code.unwrap_or(text).to_owned(), is_code: code.is_some() }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.version)?;
        f.write_str(if self.is_code { " (code)" } else { "" })
    }
}

/// What a script asks for in its leading comment lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Directives {
    /// It runs statement by statement, without a transaction around it.
    pub no_transaction: bool,
    /// Versions that must be applied before it.
    pub requires: Vec<Requirement>,
    /// Lines that look like a directive and are none: byte range in the text, and what was meant.
    pub near_misses: Vec<(std::ops::Range<usize>, String)>,
    /// Lines that begin with `-- dbsetup:` and name nothing that is known.
    pub unknown: Vec<(std::ops::Range<usize>, String)>,
}

/// Reads the directives of a text without a byte order mark. Only comment lines and blank lines before the first
/// statement are read.
pub fn read(text: &str) -> Directives {
    let mut found = Directives::default();
    let mut offset = 0;
    for (number, raw) in text.split_inclusive('\n').enumerate() {
        let line = raw.trim_end();
        let range = offset..offset + line.len();
        offset += raw.len();
        let trimmed = line.trim_start();
        if trimmed.is_empty() {
            continue;
        }
        let Some(comment) = trimmed.strip_prefix("--") else { break };
        read_line(&mut found, number, line, comment.trim(), range);
    }
    found
}

fn read_line(
    found: &mut Directives,
    number: usize,
    line: &str,
    comment: &str,
    range: std::ops::Range<usize>,
) {
    let (namespaced, comment) = match comment.strip_prefix("dbsetup:") {
        Some(rest) => (true, rest.trim()),
        None => (false, comment),
    };
    // sqlx looks at the first bytes of the file and nothing else, so neither do we for the bare spelling.
    if comment == "no-transaction" && (namespaced || (number == 0 && line.starts_with("-- no-transaction"))) {
        found.no_transaction = true;
        return;
    }
    if number == 0 && line.starts_with("-- no-transaction") {
        found.no_transaction = true;
        return;
    }
    if let Some(versions) = comment.strip_prefix("requires:") {
        let named = versions.split([',', ' ']).map(str::trim).filter(|version| !version.is_empty());
        found.requires.extend(named.map(Requirement::from));
        return;
    }
    if namespaced {
        let name = comment.split([' ', ':']).next().unwrap_or_default();
        // For the lint, which reads it wherever it stands.
        if name == "allow" {
            return;
        }
        found.unknown.push((range, name.to_owned()));
        return;
    }
    let letters: String =
        comment.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    if distance(&letters, "notransaction") <= 2 {
        found.near_misses.push((range, "`-- no-transaction` as the first line of the file".into()));
    } else if let Some((word, rest)) = comment.split_once([' ', ':']) {
        let wants_version = rest.trim_start_matches([' ', ':']).starts_with(|c: char| c.is_ascii_digit());
        if wants_version && distance(&word.to_lowercase(), "requires") <= 2 {
            found.near_misses.push((range, "`-- requires: VERSION`".into()));
        }
    }
}

/// Returns the Levenshtein distance of two short texts.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, c) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for j in 0..b.len() {
            let replaced = diagonal + usize::from(c != b[j]);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_transaction_is_the_first_line_or_namespaced() {
        assert!(read("-- no-transaction\nvacuum;").no_transaction);
        assert!(read("-- Vacuum once.\n-- dbsetup: no-transaction\nvacuum;").no_transaction);
        let second = read("-- Vacuum once.\n-- no-transaction\nvacuum;");
        assert!(!second.no_transaction);
        assert_eq!(second.near_misses.len(), 1);
    }

    #[test]
    fn a_typing_error_in_a_directive_is_a_near_miss() {
        for text in
            ["--no-transaction\n", "-- no-transction\n", "-- No Transaction\n", " -- no_transactions\n"]
        {
            let found = read(text);
            assert!(!found.no_transaction && found.near_misses.len() == 1, "{text}: {found:?}");
        }
        assert_eq!(read("-- require: 7\n").near_misses.len(), 1);
        assert_eq!(read("-- requires 7\n").near_misses.len(), 1);
        assert!(read("-- required by 7 teams\n").near_misses.is_empty());
    }

    #[test]
    fn requires_names_versions() {
        let shown =
            |text: &str| read(text).requires.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        assert_eq!(shown("-- requires: 7, 8\n-- requires: 9\nselect 1;"), "7 8 9");
        assert_eq!(shown("-- requires: 7, code:8\n"), "7 8 (code)");
        assert!(read("select 1;\n-- requires: 7\n").requires.is_empty());
    }

    #[test]
    fn unknown_words_of_ours_are_told() {
        let found = read("-- dbsetup:no-transation\nselect 1;");
        assert_eq!(found.unknown, [(0..24, "no-transation".to_owned())]);
        assert!(read("-- dbsetup:allow drop-table nobody reads it\n").unknown.is_empty());
        assert_eq!(read("-- dbsetup:allows drop-table\n").unknown.len(), 1);
    }
}
