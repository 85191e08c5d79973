//! Whether a `;` ends the statement that is being read.
//!
//! It does not inside parentheses (PostgreSQL: `CREATE RULE .. DO (..; ..)`), inside the `BEGIN ATOMIC` body of a
//! PostgreSQL routine and inside the body of an SQLite trigger. In both bodies every statement ends with `;` and none
//! begins with `END`, so the `END` that closes the body is the one right behind a `;` (or behind the opening, when the
//! body is empty). That holds whatever `CASE .. END`, columns called "end" and labels (`AS end`) stand in between.
//! Sources: PostgreSQL documentation, `CREATE FUNCTION`, `sql_body`; SQLite documentation, `CREATE TRIGGER`.

use super::dialect::Dialect;
use super::error::Construct;
use super::lexer::TokenKind;

/// What is known of the statement that is being read.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    dialect: Dialect,
    head: Head,
    /// Open parentheses, and where the outermost one is; PostgreSQL only.
    depth: u32,
    parenthesis: u64,
    /// Where the body that is open begins.
    body: Option<u64>,
    before: Before,
}

/// What the first words say, as far as it matters to where the statement ends or what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Head {
    Start,
    Explain,
    Create,
    CreateOr,
    CreateOrReplace,
    /// A PostgreSQL function or procedure: it may have a `BEGIN ATOMIC` body.
    Routine,
    /// An SQLite trigger.
    Trigger,
    Copy,
    /// `SET` or `RESET`.
    Setting,
    Other,
}

/// What the token before is, as far as it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Before {
    Semicolon,
    /// `BEGIN`, at this offset.
    Begin(u64),
    /// The word that opens a body.
    Opening,
    Other,
}

impl Shape {
    pub(super) fn new(dialect: Dialect) -> Self {
        Self { dialect, head: Head::Start, depth: 0, parenthesis: 0, body: None, before: Before::Other }
    }

    pub(super) fn head(&self) -> Head {
        self.head
    }

    /// Tells whether a `;` here ends the statement.
    pub(super) fn may_end(&self) -> bool {
        self.depth == 0 && self.body.is_none()
    }

    /// Returns what is still open, and where it begins.
    pub(super) fn open(&self) -> Option<(Construct, u64)> {
        if self.depth > 0 {
            return Some((Construct::Parenthesis, self.parenthesis));
        }
        let construct =
            if self.head == Head::Trigger { Construct::TriggerBody } else { Construct::AtomicBody };
        self.body.map(|at| (construct, at))
    }

    /// Takes in the next token, which is neither space nor comment.
    pub(super) fn push(&mut self, kind: TokenKind, token: &[u8], at: u64) {
        self.head = self.head.after(self.dialect, kind, token);
        self.before = match (kind, token[0]) {
            (TokenKind::Word, _) if self.depth == 0 => self.word(token, at),
            (TokenKind::Punctuation, b';') => Before::Semicolon,
            (TokenKind::Punctuation, b'(') if self.dialect == Dialect::Postgres => {
                if self.depth == 0 {
                    self.parenthesis = at;
                }
                self.depth += 1;
                Before::Other
            }
            (TokenKind::Punctuation, b')') => {
                self.depth = self.depth.saturating_sub(1);
                Before::Other
            }
            _ => Before::Other,
        };
    }

    fn word(&mut self, word: &[u8], at: u64) -> Before {
        match (self.head, self.body) {
            (Head::Routine | Head::Trigger, Some(_)) => {
                if is(word, b"end") && matches!(self.before, Before::Semicolon | Before::Opening) {
                    self.body = None;
                }
                Before::Other
            }
            (Head::Routine, None) if is(word, b"begin") => Before::Begin(at),
            (Head::Routine, None) => match self.before {
                Before::Begin(start) if is(word, b"atomic") => {
                    self.body = Some(start);
                    Before::Opening
                }
                _ => Before::Other,
            },
            (Head::Trigger, None) if is(word, b"begin") => {
                self.body = Some(at);
                Before::Opening
            }
            _ => Before::Other,
        }
    }
}

impl Head {
    fn after(self, dialect: Dialect, kind: TokenKind, token: &[u8]) -> Self {
        if matches!(self, Self::Routine | Self::Trigger | Self::Copy | Self::Setting | Self::Other) {
            return self;
        }
        if kind != TokenKind::Word {
            return Self::Other;
        }
        let one_of = |words: &[&[u8]]| words.iter().any(|word| is(token, word));
        match (dialect, self) {
            (_, Self::Start) if is(token, b"create") => Self::Create,
            (Dialect::Postgres, Self::Start) if is(token, b"copy") => Self::Copy,
            (Dialect::Postgres, Self::Start) if one_of(&[b"set", b"reset"]) => Self::Setting,
            (Dialect::Postgres, Self::Create) if is(token, b"or") => Self::CreateOr,
            (Dialect::Postgres, Self::CreateOr) if is(token, b"replace") => Self::CreateOrReplace,
            (Dialect::Postgres, Self::Create | Self::CreateOrReplace)
                if one_of(&[b"function", b"procedure"]) =>
            {
                Self::Routine
            }
            (Dialect::Sqlite, Self::Start) if is(token, b"explain") => Self::Explain,
            (Dialect::Sqlite, Self::Explain) if one_of(&[b"query", b"plan"]) => Self::Explain,
            (Dialect::Sqlite, Self::Explain) if is(token, b"create") => Self::Create,
            (Dialect::Sqlite, Self::Create) if one_of(&[b"temp", b"temporary"]) => Self::Create,
            (Dialect::Sqlite, Self::Create) if is(token, b"trigger") => Self::Trigger,
            _ => Self::Other,
        }
    }
}

fn is(token: &[u8], word: &[u8]) -> bool {
    token.eq_ignore_ascii_case(word)
}
