//! The bytes of a reader, checked and held as long as they are needed.

use std::io::{self, Read};
use std::ops::Range;

use super::error::SplitError;
use super::location::Tracker;

/// A part of the input: valid UTF-8 without NUL.
#[derive(Debug, Clone, Copy)]
pub(super) struct Window<'a> {
    /// Offset of the first byte in the whole input.
    pub(super) base: u64,
    pub(super) bytes: &'a [u8],
    /// Nothing follows.
    pub(super) last: bool,
}

impl<'a> Window<'a> {
    pub(super) fn end(&self) -> u64 {
        self.base + self.bytes.len() as u64
    }

    pub(super) fn from(&self, at: u64) -> &'a [u8] {
        &self.bytes[self.index(at)..]
    }

    pub(super) fn slice(&self, range: Range<u64>) -> &'a [u8] {
        &self.bytes[self.index(range.start)..self.index(range.end)]
    }

    /// Returns a piece between two tokens as text.
    pub(super) fn text(&self, range: Range<u64>) -> &'a str {
        std::str::from_utf8(self.slice(range))
            .expect("the window is valid UTF-8 and tokens end between characters")
    }

    fn index(&self, at: u64) -> usize {
        usize::try_from(at - self.base).expect("the position lies inside a window that is in memory")
    }
}

/// A reader and the part of its bytes that is still needed.
#[derive(Debug)]
pub(super) struct Source<R> {
    reader: R,
    buffer: Vec<u8>,
    base: u64,
    /// So many bytes of the buffer are valid text.
    checked: usize,
    /// What stands behind the checked bytes, if it is no text.
    flaw: Option<Flaw>,
    at_end: bool,
}

#[derive(Debug, Clone, Copy)]
enum Flaw {
    Nul,
    InvalidUtf8,
}

impl<R: Read> Source<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: Vec::new(), base: 0, checked: 0, flaw: None, at_end: false }
    }

    pub(super) fn window(&self) -> Window<'_> {
        let last = self.at_end && self.flaw.is_none();
        Window { base: self.base, bytes: &self.buffer[..self.checked], last }
    }

    /// Forgets everything before `offset` and reads about `count` bytes more.
    ///
    /// `tracker` stands at `offset` and says where a flaw is.
    pub(super) fn advance(&mut self, tracker: &Tracker, count: usize) -> Result<(), SplitError> {
        let gone = usize::try_from(tracker.offset() - self.base).expect("only bytes in memory are forgotten");
        self.buffer.drain(..gone);
        self.base += gone as u64;
        self.checked -= gone;
        if let Some(flaw) = self.flaw {
            return Err(self.describe(flaw, tracker));
        }
        self.read(count)?;
        self.check();
        Ok(())
    }

    fn read(&mut self, count: usize) -> io::Result<()> {
        let mut filled = self.buffer.len();
        self.buffer.resize(filled + count, 0);
        let result = loop {
            if filled == self.buffer.len() {
                break Ok(());
            }
            match self.reader.read(&mut self.buffer[filled..]) {
                Ok(0) => {
                    self.at_end = true;
                    break Ok(());
                }
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        self.buffer.truncate(filled);
        result
    }

    fn check(&mut self) {
        let fresh = &self.buffer[self.checked..];
        let (valid, invalid) = match std::str::from_utf8(fresh) {
            Ok(_) => (fresh.len(), false),
            // A character that is cut in two is only wrong at the end of the input.
            Err(error) => (error.valid_up_to(), error.error_len().is_some() || self.at_end),
        };
        let nul = fresh[..valid].iter().position(|&byte| byte == 0);
        self.flaw = match nul {
            Some(_) => Some(Flaw::Nul),
            None => invalid.then_some(Flaw::InvalidUtf8),
        };
        self.checked += nul.unwrap_or(valid);
    }

    fn describe(&self, flaw: Flaw, tracker: &Tracker) -> SplitError {
        let mut tracker = *tracker;
        tracker.advance(&self.buffer[..self.checked]);
        let location = tracker.location(self.buffer.get(self.checked).copied());
        match flaw {
            Flaw::Nul => SplitError::NulByte { location },
            Flaw::InvalidUtf8 => SplitError::InvalidUtf8 { offset: location.offset, line: location.line },
        }
    }
}
