//! Reading the first words of a statement.

use crate::sql::{self, Dialect, Token, TokenKind};

/// A name as it is shown and as it is compared.
#[derive(Debug, Clone, Default)]
pub(super) struct Name {
    pub shown: String,
    pub folded: String,
}

impl Name {
    pub fn plain(shown: impl Into<String>) -> Self {
        let shown = shown.into();
        Self { folded: shown.clone(), shown }
    }

    pub fn and(self, more: impl AsRef<str>) -> Self {
        Self { shown: self.shown + more.as_ref(), folded: self.folded + more.as_ref() }
    }
}

/// The tokens of a statement that mean something.
pub(super) struct Words<'a> {
    pub dialect: Dialect,
    statement: &'a str,
    pub tokens: Vec<Token<'a>>,
    pub at: usize,
}

impl<'a> Words<'a> {
    pub fn new(dialect: Dialect, statement: &'a str) -> Self {
        Self { dialect, statement, tokens: sql::significant(dialect, statement).collect(), at: 0 }
    }

    pub fn peek(&self) -> Option<&Token<'a>> {
        self.tokens.get(self.at)
    }

    pub fn take(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.is_word(word));
        self.at += usize::from(found);
        found
    }

    pub fn take_all(&mut self, words: &[&str]) -> bool {
        let before = self.at;
        let found = words.iter().all(|word| self.take(word));
        if !found {
            self.at = before;
        }
        found
    }

    /// Returns where the first such token outside of parentheses is, from here on; the end where there is none.
    pub fn find(&self, wanted: impl Fn(&Token<'a>) -> bool) -> usize {
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(self.at) {
            if depth == 0 && wanted(token) {
                return at;
            }
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        self.tokens.len()
    }

    /// Returns what is written from here to before a token, with single blanks, and stands there then.
    pub fn text_to(&mut self, until: usize) -> String {
        let until = until.max(self.at).min(self.tokens.len());
        let text = match (self.tokens.get(self.at), until.checked_sub(1).and_then(|at| self.tokens.get(at))) {
            (Some(first), Some(last)) if until > self.at => {
                &self.statement[first.start..last.start + last.text.len()]
            }
            _ => "",
        };
        self.at = until;
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Reads a name and its schema.
    pub fn name(&mut self) -> Option<Name> {
        let mut name = Name::default();
        loop {
            let token = *self.peek()?;
            let plain = match sql::identifier_name(self.dialect, token) {
                Some(plain) => plain.into_owned(),
                // SQLite takes strings for names.
                None if token.kind == TokenKind::String => token.text.trim_matches('\'').to_owned(),
                None => return None,
            };
            self.at += 1;
            name.shown.push_str(token.text);
            match self.dialect {
                // The writer quotes each name in one way only.
                Dialect::Postgres => name.folded.push_str(token.text),
                Dialect::Sqlite => name.folded.push_str(&plain.to_ascii_lowercase()),
            }
            if !self.peek().is_some_and(|token| token.is_punctuation(".")) {
                return Some(name);
            }
            self.at += 1;
            name = name.and(".");
        }
    }

    /// Reads `a.b.+`.
    pub fn operator(&mut self) -> Name {
        let until = self.find(|token| token.is_punctuation("("));
        Name::plain(self.text_to(until).replace(' ', ""))
    }

    /// Returns what stands in the parentheses that open here.
    pub fn parentheses(&mut self) -> Option<&'a str> {
        let open = *self.peek().filter(|token| token.is_punctuation("("))?;
        let mut depth = 0_usize;
        for (at, token) in self.tokens.iter().enumerate().skip(self.at) {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                self.at = at + 1;
                return Some(&self.statement[open.start + 1..token.start]);
            }
        }
        None
    }
}
