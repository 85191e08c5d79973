//! Versions: the text that a ledger stores, and the key that it sorts by.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The version of a migration. Equal and ordered by its key: `007` and `7` are one version in a numeric grammar.
#[derive(Debug, Clone)]
pub struct Version {
    text: String,
    key: Key,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Key {
    Number(i128),
    Text(String),
}

impl Version {
    /// Returns a numeric version: an optional sign and ASCII digits, at most eighteen of them.
    pub fn numeric(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
        if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let key = Key::Number(text.parse().ok()?);
        Some(Self { text: text.to_owned(), key })
    }

    /// Returns a version that sorts as text by its bytes, as diesel's do.
    pub fn textual(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { key: Key::Text(text.clone()), text }
    }

    /// Returns the version that a ledger row or a flag names, in the order of `like`.
    pub fn parse_like(text: &str, numeric: bool) -> Option<Self> {
        if numeric { Self::numeric(text) } else { Some(Self::textual(text)) }
    }

    /// Whether a ledger's text names this version: `1` names `0001`, because integer columns keep no zeros.
    pub fn is_named_by(&self, text: &str) -> bool {
        self.text == text
            || Self::parse_like(text, self.number().is_some()).is_some_and(|version| version == *self)
    }

    /// The text, verbatim.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The number of a numeric version.
    pub fn number(&self) -> Option<i128> {
        match self.key {
            Key::Number(number) => Some(number),
            Key::Text(_) => None,
        }
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key.cmp(&other.key)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numeric_twins_are_one_version_and_keep_their_text() {
        let (a, b) = (Version::numeric("007").unwrap(), Version::numeric("7").unwrap());
        assert_eq!(a, b);
        assert_eq!((a.as_str(), b.as_str()), ("007", "7"));
    }

    #[test]
    fn numbers_sort_as_numbers_and_texts_as_bytes() {
        assert!(Version::numeric("9").unwrap() < Version::numeric("10").unwrap());
        assert!(Version::textual("9") > Version::textual("10"));
    }

    #[test]
    fn a_number_has_one_to_eighteen_digits() {
        for wrong in ["", "-", "1a", "１", "1234567890123456789", " 1"] {
            assert!(Version::numeric(wrong).is_none(), "{wrong}");
        }
        assert_eq!(Version::numeric("-1").unwrap().number(), Some(-1));
    }
}
