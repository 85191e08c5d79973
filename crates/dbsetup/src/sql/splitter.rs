//! Splitting a text of any length while it is read.

use std::io::Read;

use super::copy;
use super::dialect::Dialect;
use super::error::SplitError;
use super::location::Location;
use super::meta::MetaLine;
use super::scanner::{CopyStep, Scanner, Step};
use super::source::Source;

/// The longest statement that a [`Splitter`] takes unless it is told otherwise: 64 MiB.
pub const DEFAULT_STATEMENT_LIMIT: usize = 64 * 1024 * 1024;

const READ_SIZE: usize = 64 * 1024;

/// One statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// From the first token to the last: no blank space, no comments and no `;` around it. Whatever is appended behind a
    /// `;` is therefore never swallowed by a comment at its end.
    pub text: String,
    /// Where the text starts in the input.
    pub start: Location,
}

/// What a [`Splitter`] finds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// A statement for the server.
    Statement(Statement),
    /// `COPY .. FROM STDIN`, whose data [`Splitter::copy_data`] gives.
    Copy(Statement),
    /// A line for a client program that can be passed over.
    Meta(MetaLine),
}

/// Splits what a reader gives into statements.
///
/// It holds one statement and some 64 KiB at a time; a statement or comment longer than the limit is an error. The input
/// has to be UTF-8. It reads ahead, so a reader that waits for answers to what it gave is not for it. After an error there
/// is nothing more to read.
#[derive(Debug)]
pub struct Splitter<R> {
    source: Source<R>,
    scanner: Scanner,
    read_size: usize,
    finished: bool,
}

impl<R: Read> Splitter<R> {
    pub fn new(dialect: Dialect, reader: R) -> Self {
        Self {
            source: Source::new(reader),
            scanner: Scanner::new(dialect, DEFAULT_STATEMENT_LIMIT),
            read_size: READ_SIZE,
            finished: false,
        }
    }

    /// Sets how many bytes one statement, comment or line of `COPY` data may have.
    #[must_use]
    pub fn statement_limit(mut self, bytes: usize) -> Self {
        self.scanner.set_limit(bytes);
        self
    }

    #[cfg(test)]
    fn read_size(mut self, bytes: usize) -> Self {
        self.read_size = bytes;
        self
    }

    /// Returns the next statement, or nothing at the end. Data of a `COPY` that was not asked for is passed over.
    #[expect(clippy::should_implement_trait, reason = "the caller may have to read data between two items")]
    pub fn next(&mut self) -> Result<Option<Item>, SplitError> {
        if self.finished {
            return Ok(None);
        }
        let item = self.next_item();
        self.finished = !matches!(item, Ok(Some(_)));
        item
    }

    /// Replaces the contents of `buffer` with the next lines of data after an [`Item::Copy`]: whole lines, about 64 KiB
    /// unless a single line is longer. Returns `false`, with an empty buffer, when there are no more.
    pub fn copy_data(&mut self, buffer: &mut Vec<u8>) -> Result<bool, SplitError> {
        buffer.clear();
        while buffer.len() < copy::CHUNK && !self.finished {
            let window = self.source.window();
            match self.scanner.copy(&window) {
                Ok(CopyStep::Lines(range)) => buffer.extend_from_slice(window.slice(range)),
                Ok(CopyStep::End(_)) => break,
                Ok(CopyStep::More) => self.read_more().inspect_err(|_| self.finished = true)?,
                Err(error) => {
                    self.finished = true;
                    return Err(error);
                }
            }
        }
        Ok(!buffer.is_empty())
    }

    fn next_item(&mut self) -> Result<Option<Item>, SplitError> {
        while self.scanner.in_copy() {
            if let CopyStep::More = self.scanner.copy(&self.source.window())? {
                self.read_more()?;
            }
        }
        loop {
            let window = self.source.window();
            let statement = |range, start| Statement { text: window.text(range).to_owned(), start };
            match self.scanner.step(&window)? {
                Step::Statement(range, start) => return Ok(Some(Item::Statement(statement(range, start)))),
                Step::Copy(range, start) => return Ok(Some(Item::Copy(statement(range, start)))),
                Step::Meta(_, _, line) => return Ok(Some(Item::Meta(line))),
                Step::End => return Ok(None),
                Step::More => {}
            }
            self.read_more()?;
        }
    }

    /// Reads as much again as the token that is not whole yet has already: its front is looked at anew each time, and so
    /// the whole stays linear.
    fn read_more(&mut self) -> Result<(), SplitError> {
        let window = self.source.window();
        let unread = window.from(self.scanner.position()).len();
        let tracker = self.scanner.let_go(&window)?;
        let allowed = self.scanner.limit().saturating_sub(unread).saturating_add(1);
        self.source.advance(&tracker, unread.min(allowed).max(self.read_size))
    }
}

#[cfg(test)]
mod tests;
