//! What can be wrong with a text before any of it runs.

use std::fmt;
use std::io;

use super::location::Location;

/// Something that opens and has to be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Construct {
    /// A string constant, also `E'..'`, `U&'..'`, `B'..'`, `X'..'`.
    String,
    /// A string between dollar signs, as function bodies are.
    DollarString,
    /// A quoted identifier.
    Identifier,
    /// A comment between `/*` and `*/`.
    Comment,
    /// A parenthesis.
    Parenthesis,
    /// The body of a PostgreSQL function between `BEGIN ATOMIC` and `END`.
    AtomicBody,
    /// The body of an SQLite trigger between `BEGIN` and `END`.
    TriggerBody,
    /// The data lines after `COPY .. FROM STDIN`.
    CopyData,
}

impl fmt::Display for Construct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::String => "string",
            Self::DollarString => "dollar-quoted string",
            Self::Identifier => "quoted identifier",
            Self::Comment => "comment",
            Self::Parenthesis => "parenthesis",
            Self::AtomicBody => "`BEGIN ATOMIC` body",
            Self::TriggerBody => "trigger body",
            Self::CopyData => "`COPY` data",
        })
    }
}

/// Why a text cannot be split into statements.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The text ends inside something; `start` is where that something begins.
    #[error("unterminated {construct} that starts at line {}, column {}", start.line, start.column)]
    Unterminated { construct: Construct, start: Location },
    /// A command for a client program (`\connect`, `.read`), which no server understands.
    #[error("client command `{name}` at line {}, column {}", location.line, location.column)]
    MetaCommand { name: String, location: Location },
    /// Text behind `COPY .. FROM STDIN;` on the same line: it is unclear whether it is data.
    #[error("text after `COPY .. FROM STDIN;` at line {}, column {}", location.line, location.column)]
    TextAfterCopy { location: Location },
    /// A NUL byte, which is no part of any SQL text.
    #[error("NUL byte at line {}, column {}", location.line, location.column)]
    NulByte { location: Location },
    /// Bytes that are not UTF-8; `offset` counts bytes from the start of the input.
    #[error("invalid UTF-8 at byte {offset}, line {line}")]
    InvalidUtf8 { offset: u64, line: u64 },
    /// A statement, comment or line of `COPY` data that is longer than the limit.
    #[error("more than {limit} bytes in the statement at line {}, column {}", start.line, start.column)]
    TooLong { start: Location, limit: usize },
    /// The input cannot be read.
    #[error("cannot read the SQL text")]
    Io(#[from] io::Error),
}

impl SplitError {
    /// Returns where the trouble is, or begins; for bytes that are no text it has no column.
    pub fn location(&self) -> Option<Location> {
        match self {
            Self::Unterminated { start, .. } | Self::TooLong { start, .. } => Some(*start),
            Self::MetaCommand { location, .. }
            | Self::TextAfterCopy { location }
            | Self::NulByte { location } => Some(*location),
            Self::InvalidUtf8 { .. } | Self::Io(_) => None,
        }
    }

    /// Returns what to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Unterminated { construct: Construct::CopyData, .. } => {
                Some("end the data with a line `\\.`; without it the file may be cut off")
            }
            Self::Unterminated { construct: Construct::AtomicBody | Construct::TriggerBody, .. } => {
                Some("end each statement of the body with `;` and the body with `END`")
            }
            Self::Unterminated { .. } => Some("close it; the file may be cut off"),
            Self::MetaCommand { .. } => {
                Some("only `\\restrict` and `\\unrestrict` are accepted; remove it or write it in SQL")
            }
            Self::TextAfterCopy { .. } => Some("put it on a line after the data"),
            Self::NulByte { .. } | Self::InvalidUtf8 { .. } => Some("save the file as UTF-8 text"),
            Self::TooLong { .. } => Some("split it into several statements"),
            Self::Io(_) => None,
        }
    }
}
