//! Tokens of SQL: one function a dialect that says where the token at the front of some bytes ends.
//!
//! It works on bytes of valid UTF-8 and on windows of a longer input: a token that reaches the end of a window which is
//! not the last one is never decided, so the answers do not depend on where the input was cut.
//! Sources: PostgreSQL documentation, "Lexical Structure"; SQLite documentation, "How SQLite Compiles: the tokenizer"
//! and `sqlite3_complete`.

use std::iter::FusedIterator;

use super::dialect::Dialect;
use super::error::Construct;
use super::location::BOM;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenKind {
    /// A keyword or an identifier without quotes.
    Word,
    /// `".."`, `U&".."`; in SQLite also `[..]` and backquotes.
    QuotedIdentifier,
    /// A string, bit or blob constant with its prefix, also between dollar signs.
    String,
    /// A number.
    Number,
    /// One byte of an operator or separator.
    Punctuation,
    /// `$1`; in SQLite also `?1`, `:a`, `@a`, `$a`.
    Parameter,
    /// `-- ..` without its line end, or `/* .. */`.
    Comment,
    /// Blank space.
    Space,
}

/// A piece of SQL text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    pub kind: TokenKind,
    /// The piece as written, quotes and prefix included.
    pub text: &'a str,
    /// Byte offset in the text that was given.
    pub start: usize,
}

impl Token<'_> {
    /// Tells whether this is the keyword `word`, in any case.
    pub(crate) fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    pub(crate) fn is_punctuation(&self, text: &str) -> bool {
        self.kind == TokenKind::Punctuation && self.text == text
    }
}

/// Returns the tokens of a text. They cover it without a gap; whatever is not closed reaches to the end.
pub fn tokens(dialect: Dialect, text: &str) -> Tokens<'_> {
    Tokens { lexer: Lexer::new(dialect), text, at: 0 }
}

/// Iterator over the tokens of a text, made by [`tokens`].
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    lexer: Lexer,
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let rest = &self.text[self.at..];
        if rest.is_empty() {
            return None;
        }
        let (kind, len) = match self.lexer.next(rest.as_bytes(), true) {
            Lexed::Token { kind, len } => (kind, len),
            Lexed::Unclosed(construct) => (kind_of(construct), rest.len()),
            // The window is the last one, so nothing more can be asked for.
            Lexed::More => (TokenKind::Punctuation, rest.len()),
        };
        let token = Token { kind, text: &rest[..len], start: self.at };
        self.at += len;
        Some(token)
    }
}

impl FusedIterator for Tokens<'_> {}

fn kind_of(construct: Construct) -> TokenKind {
    match construct {
        Construct::Identifier => TokenKind::QuotedIdentifier,
        Construct::Comment => TokenKind::Comment,
        _ => TokenKind::String,
    }
}

/// What stands at the front of some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lexed {
    Token {
        kind: TokenKind,
        len: usize,
    },
    /// More bytes are needed to say; never for the last window.
    More,
    /// The input ends inside this; only for the last window.
    Unclosed(Construct),
}

/// The little that a lexer has to remember between two tokens.
#[derive(Debug, Clone)]
pub(super) struct Lexer {
    dialect: Dialect,
    /// `standard_conforming_strings = off`: a backslash escapes in plain strings too.
    pub(super) backslashes: bool,
    continuation: Continuation,
}

/// `E'a'`, a line end, `'b\'c'` is one constant in PostgreSQL, with escapes in its second part too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Continuation {
    No,
    AfterEscapeString,
    LineEndSeen,
}

impl Lexer {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, backslashes: false, continuation: Continuation::No }
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Reads the token at the front of `bytes`, which are not empty; `last` when nothing follows them.
    pub(super) fn next(&mut self, bytes: &[u8], last: bool) -> Lexed {
        let input = Input { bytes, last };
        let lexed = match self.dialect {
            Dialect::Postgres => self.postgres(input),
            Dialect::Sqlite => sqlite(input),
        };
        if let (Dialect::Postgres, Lexed::Token { kind, len }) = (self.dialect, lexed) {
            self.continuation = self.continue_after(kind, &bytes[..len]);
        }
        lexed
    }

    fn postgres(&self, input: Input<'_>) -> Lexed {
        let first = input.bytes[0];
        match first {
            b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => input.space(),
            b'-' if input.second_may_be(b'-') => input.line_comment(|b| b == b'\n' || b == b'\r'),
            b'/' if input.second_may_be(b'*') => input.nested_comment(),
            b'\'' => input.string(1, self.backslashes || self.continuation == Continuation::LineEndSeen),
            b'e' | b'E' if input.second_may_be(b'\'') => input.string(2, true),
            b'n' | b'N' if input.second_may_be(b'\'') => input.string(2, self.backslashes),
            b'b' | b'B' | b'x' | b'X' if input.second_may_be(b'\'') => input.string(2, false),
            b'u' | b'U' if input.second_may_be(b'&') => match input.bytes.get(2) {
                Some(b'\'') => input.string(3, false),
                Some(b'"') => input.quoted(3, b'"', Construct::Identifier),
                None if !input.last => Lexed::More,
                _ => Lexed::Token { kind: TokenKind::Word, len: 1 },
            },
            b'"' => input.quoted(1, b'"', Construct::Identifier),
            b'$' => input.postgres_dollar(),
            b'0'..=b'9' => input.number(),
            b'.' if input.second_may_be_digit() => input.number(),
            _ if is_word_start(first) => input.run(TokenKind::Word, 1, is_word_part),
            _ => Lexed::Token { kind: TokenKind::Punctuation, len: 1 },
        }
    }

    fn continue_after(&self, kind: TokenKind, token: &[u8]) -> Continuation {
        match (kind, self.continuation) {
            (TokenKind::String, _) if matches!(token[0], b'e' | b'E') => Continuation::AfterEscapeString,
            (TokenKind::String, Continuation::LineEndSeen) if token[0] == b'\'' => {
                Continuation::AfterEscapeString
            }
            (TokenKind::Space, Continuation::AfterEscapeString)
                if token.iter().any(|b| matches!(b, b'\n' | b'\r')) =>
            {
                Continuation::LineEndSeen
            }
            (TokenKind::Space, same) => same,
            (TokenKind::Comment, same) if token[0] == b'-' => same,
            _ => Continuation::No,
        }
    }
}

fn sqlite(input: Input<'_>) -> Lexed {
    let first = input.bytes[0];
    match first {
        b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C => input.space(),
        0xEF if input.bytes.starts_with(BOM) => Lexed::Token { kind: TokenKind::Space, len: BOM.len() },
        // A carriage return does not end a comment in SQLite.
        b'-' if input.second_may_be(b'-') => input.line_comment(|b| b == b'\n'),
        b'/' if input.second_may_be(b'*') => input.flat_comment(),
        b'\'' => input.string(1, false),
        b'x' | b'X' if input.second_may_be(b'\'') => input.string(2, false),
        b'"' | b'`' => input.quoted(1, first, Construct::Identifier),
        b'[' => input.bracketed(),
        b'?' => input.run(TokenKind::Parameter, 1, |b| b.is_ascii_digit()),
        b'$' | b'@' | b':' | b'#' => match input.bytes.get(1) {
            Some(&second) if is_word_part(second) => input.run(TokenKind::Parameter, 1, is_word_part),
            None if !input.last => Lexed::More,
            _ => Lexed::Token { kind: TokenKind::Punctuation, len: 1 },
        },
        b'0'..=b'9' => input.number(),
        b'.' if input.second_may_be_digit() => input.number(),
        _ if is_word_start(first) => input.run(TokenKind::Word, 1, is_word_part),
        _ => Lexed::Token { kind: TokenKind::Punctuation, len: 1 },
    }
}

/// Every character outside ASCII is part of a word in both dialects, so bytes are enough.
fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

fn is_word_part(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$') || byte >= 0x80
}

/// Some bytes at whose front a token stands.
#[derive(Clone, Copy)]
struct Input<'a> {
    bytes: &'a [u8],
    last: bool,
}

impl Input<'_> {
    /// The second byte is this one, or not known yet; the readers of two-byte openings then ask for more.
    fn second_may_be(&self, wanted: u8) -> bool {
        self.bytes.get(1).map_or(!self.last, |&byte| byte == wanted)
    }

    fn second_may_be_digit(&self) -> bool {
        self.bytes.get(1).map_or(!self.last, u8::is_ascii_digit)
    }

    fn unfinished(&self, construct: Construct) -> Lexed {
        if self.last { Lexed::Unclosed(construct) } else { Lexed::More }
    }

    /// Blank space may be handed out in pieces: nothing depends on its length.
    fn space(&self) -> Lexed {
        let len = self.position(1, |b| !matches!(b, b' ' | b'\t' | b'\n' | b'\r' | 0x0B | 0x0C));
        Lexed::Token { kind: TokenKind::Space, len: len.unwrap_or(self.bytes.len()) }
    }

    fn position(&self, from: usize, stop: impl Fn(u8) -> bool) -> Option<usize> {
        let rest = self.bytes.get(from..)?;
        rest.iter().position(|&byte| stop(byte)).map(|found| from + found)
    }

    /// A token of `from` bytes and all the bytes after it that are `part` of it.
    fn run(&self, kind: TokenKind, from: usize, part: impl Fn(u8) -> bool) -> Lexed {
        match self.position(from, |byte| !part(byte)) {
            Some(len) => Lexed::Token { kind, len },
            None if self.last => Lexed::Token { kind, len: self.bytes.len() },
            None => Lexed::More,
        }
    }

    fn line_comment(&self, ends: impl Fn(u8) -> bool) -> Lexed {
        self.run(TokenKind::Comment, 2, |byte| !ends(byte))
    }

    /// PostgreSQL's comments nest.
    fn nested_comment(&self) -> Lexed {
        let mut depth = 1_u32;
        let mut at = 2;
        while let Some(found) = self.position(at, |b| b == b'/' || b == b'*') {
            at = match (self.bytes[found], self.bytes.get(found + 1)) {
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    if depth == 0 {
                        return Lexed::Token { kind: TokenKind::Comment, len: found + 2 };
                    }
                    found + 2
                }
                (b'/', Some(b'*')) => {
                    depth += 1;
                    found + 2
                }
                _ => found + 1,
            };
        }
        self.unfinished(Construct::Comment)
    }

    /// SQLite's comments do not nest, and the end of the input ends them.
    fn flat_comment(&self) -> Lexed {
        let mut at = 2;
        while let Some(found) = self.position(at, |b| b == b'*') {
            if self.bytes.get(found + 1) == Some(&b'/') {
                return Lexed::Token { kind: TokenKind::Comment, len: found + 2 };
            }
            at = found + 1;
        }
        if self.last {
            return Lexed::Token { kind: TokenKind::Comment, len: self.bytes.len() };
        }
        Lexed::More
    }

    /// A string whose opening has `from` bytes.
    fn string(&self, from: usize, backslashes: bool) -> Lexed {
        if !backslashes {
            return self.quoted(from, b'\'', Construct::String);
        }
        let mut at = from;
        while let Some(found) = self.position(at, |b| b == b'\'' || b == b'\\') {
            at = match (self.bytes[found], self.bytes.get(found + 1)) {
                (b'\\', _) | (_, Some(b'\'')) => found + 2,
                (_, None) if !self.last => return Lexed::More,
                _ => return Lexed::Token { kind: TokenKind::String, len: found + 1 },
            };
        }
        self.unfinished(Construct::String)
    }

    /// Something whose opening has `from` bytes, that ends with `quote` and in which a doubled `quote` is a character.
    fn quoted(&self, from: usize, quote: u8, construct: Construct) -> Lexed {
        let mut at = from;
        while let Some(found) = self.position(at, |b| b == quote) {
            match self.bytes.get(found + 1) {
                Some(&next) if next == quote => at = found + 2,
                None if !self.last => return Lexed::More,
                _ => return Lexed::Token { kind: kind_of(construct), len: found + 1 },
            }
        }
        self.unfinished(construct)
    }

    fn bracketed(&self) -> Lexed {
        match self.position(1, |b| b == b']') {
            Some(found) => Lexed::Token { kind: TokenKind::QuotedIdentifier, len: found + 1 },
            None => self.unfinished(Construct::Identifier),
        }
    }

    /// Letters behind a number stay with it: what they mean differs between server versions, where they end does not.
    fn number(&self) -> Lexed {
        let hexadecimal = matches!(self.bytes, [b'0', b'x' | b'X', ..]);
        let mut at = 1;
        loop {
            let part = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.') || b >= 0x80;
            let Some(len) = self.position(at, |b| !part(b)) else {
                return self.run(TokenKind::Number, at, part);
            };
            // Before version 15 the letters are a name of their own, and a name may hold dollar signs.
            if self.bytes[len] == b'$' && self.bytes[..len].iter().any(|&byte| is_word_start(byte)) {
                at = len + 1;
                continue;
            }
            let exponent = !hexadecimal
                && matches!(self.bytes[len - 1], b'e' | b'E')
                && matches!(self.bytes[len], b'+' | b'-');
            match self.bytes.get(len + 1) {
                Some(next) if exponent && next.is_ascii_digit() => at = len + 1,
                None if exponent && !self.last => return Lexed::More,
                _ => return Lexed::Token { kind: TokenKind::Number, len },
            }
        }
    }

    /// `$1`, `$$..$$`, `$tag$..$tag$`, or a lonely dollar sign.
    fn postgres_dollar(&self) -> Lexed {
        let tag_end = match self.bytes.get(1) {
            Some(b'0'..=b'9') => return self.run(TokenKind::Parameter, 1, |b| b.is_ascii_digit()),
            Some(b'$') => Some(1),
            Some(&byte) if is_word_start(byte) => self.position(1, |b| b == b'$' || !is_word_part(b)),
            None => None,
            Some(_) => return Lexed::Token { kind: TokenKind::Punctuation, len: 1 },
        };
        let tag_len = match tag_end {
            Some(end) if self.bytes[end] == b'$' => end + 1,
            None if !self.last => return Lexed::More,
            _ => return Lexed::Token { kind: TokenKind::Punctuation, len: 1 },
        };
        let (tag, _) = self.bytes.split_at(tag_len);
        let mut at = tag_len;
        while let Some(found) = self.position(at, |b| b == b'$') {
            if self.bytes[found..].starts_with(tag) {
                return Lexed::Token { kind: TokenKind::String, len: found + tag_len };
            }
            at = found + 1;
        }
        self.unfinished(Construct::DollarString)
    }
}

#[cfg(test)]
pub(super) mod tests;
