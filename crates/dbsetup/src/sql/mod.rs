//! SQL text: where statements begin and end, what they are, and how names and values are written.
//!
//! Everything here is pure and knows no connection. One lexer per dialect feeds one state machine; the streaming
//! [`Splitter`], the in-memory [`split`] and the classification functions all stand on it.

mod classify;
mod concurrent;
mod copy;
mod danger;
mod dialect;
mod effects;
mod error;
mod identifier;
mod lexer;
mod location;
mod meta;
mod parameters;
mod quote;
mod scanner;
mod setting;
mod shape;
mod source;
mod span;
mod splitter;

pub use classify::{mentions_identifier, must_run_alone, statement_words, transaction_control};
pub use concurrent::{ConcurrentIndex, QualifiedName, ReindexTarget, concurrent_index};
pub use danger::dangerous_in_structure;
pub use dialect::Dialect;
pub(crate) use effects::significant;
pub use error::{Construct, SplitError};
pub(crate) use identifier::{name as identifier_name, names};
pub use lexer::{Token, TokenKind, Tokens, tokens};
pub use location::{Location, char_offset_to_byte, locate};
pub use meta::MetaLine;
pub use parameters::{Filled, ParameterError, fill};
pub use quote::{QuoteError, quote_bytes, quote_identifier, quote_literal};
pub use setting::sets_session;
pub use span::{Span, SpanKind, split};
pub use splitter::{DEFAULT_STATEMENT_LIMIT, Item, Splitter, Statement};
