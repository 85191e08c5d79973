//! Splitting a text that is in memory.

use std::ops::Range;

use super::dialect::Dialect;
use super::error::SplitError;
use super::location::{Location, locate};
use super::meta::MetaLine;
use super::scanner::{CopyStep, Scanner, Step};
use super::source::Window;

/// Where something that stands for itself lies in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// Bytes of the statement, from its first token to its last (without `;`, blank space and comments around it), or of
    /// the client's line.
    pub range: Range<usize>,
    /// Where the range starts.
    pub start: Location,
    pub kind: SpanKind,
}

/// What a [`Span`] is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpanKind {
    /// A statement for the server.
    Statement,
    /// `COPY .. FROM STDIN`; `data` are the bytes of its lines, without the line `\.` that ends them.
    Copy { data: Range<usize> },
    /// A line for a client program that can be passed over.
    Meta(MetaLine),
}

/// Splits a text into its statements.
///
/// The ranges ascend and do not overlap; between them are only `;`, blank space, comments and the end lines of `COPY`
/// data. The cost is linear. There is no limit to the length of a statement.
pub fn split(dialect: Dialect, text: &str) -> Result<Vec<Span>, SplitError> {
    let nul = text.bytes().position(|byte| byte == 0);
    let window =
        Window { base: 0, bytes: &text.as_bytes()[..nul.unwrap_or(text.len())], last: nul.is_none() };
    let mut scanner = Scanner::new(dialect, usize::MAX);
    let mut spans = Vec::new();
    loop {
        let (range, start, kind) = match scanner.step(&window)? {
            Step::Statement(range, start) => (range, start, SpanKind::Statement),
            Step::Meta(range, start, line) => (range, start, SpanKind::Meta(line)),
            Step::Copy(range, start) => match copy_data(&mut scanner, &window)? {
                Some(data) => (range, start, SpanKind::Copy { data }),
                None => return Err(nul_byte(text, &window)),
            },
            Step::End => return Ok(spans),
            Step::More => return Err(nul_byte(text, &window)),
        };
        spans.push(Span { range: in_memory(range), start, kind });
    }
}

/// Returns the range of the data, or nothing when the window ends in it.
fn copy_data(scanner: &mut Scanner, window: &Window<'_>) -> Result<Option<Range<usize>>, SplitError> {
    let mut start = None;
    loop {
        match scanner.copy(window)? {
            CopyStep::More => return Ok(None),
            CopyStep::Lines(lines) => start = start.or(Some(lines.start)),
            CopyStep::End(end) => return Ok(Some(in_memory(start.unwrap_or(end)..end))),
        }
    }
}

/// A window that is not the last one is only asked to grow when its text was cut at a NUL byte.
fn nul_byte(text: &str, window: &Window<'_>) -> SplitError {
    SplitError::NulByte { location: locate(text, window.bytes.len()) }
}

fn in_memory(range: Range<u64>) -> Range<usize> {
    let index = |at| usize::try_from(at).expect("the text is in memory");
    index(range.start)..index(range.end)
}
