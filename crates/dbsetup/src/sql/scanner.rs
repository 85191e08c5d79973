//! The state machine that finds statements, shared by the streaming and the in-memory splitter.
//!
//! It holds no text: it is shown windows of the input and answers with ranges of it. All positions are offsets in the
//! whole input.

use std::ops::Range;

use super::copy::{self, Found, Header};
use super::dialect::Dialect;
use super::effects::{CopyTarget, backslashes_after, copy_target};
use super::error::{Construct, SplitError};
use super::lexer::{Lexed, Lexer, TokenKind};
use super::location::{BOM, Location, Tracker};
use super::meta::{self, MetaLine};
use super::shape::{Head, Shape};
use super::source::Window;

#[derive(Debug)]
pub(super) struct Scanner {
    lexer: Lexer,
    tracker: Tracker,
    limit: usize,
    at: u64,
    statement: Option<Open>,
    copy: Option<Copy>,
}

/// The statement that is being read.
#[derive(Debug)]
struct Open {
    start: u64,
    /// Behind its last token so far.
    end: u64,
    shape: Shape,
}

/// The `COPY` statement whose data is being read.
#[derive(Debug, Clone, Copy)]
struct Copy {
    start: Location,
    in_data: bool,
}

#[derive(Debug)]
pub(super) enum Step {
    /// A larger window is needed; never for the last one.
    More,
    Statement(Range<u64>, Location),
    /// Ask [`Scanner::copy`] for its data next.
    Copy(Range<u64>, Location),
    Meta(Range<u64>, Location, MetaLine),
    End,
}

#[derive(Debug)]
pub(super) enum CopyStep {
    More,
    Lines(Range<u64>),
    /// The line `\.` stands here, or there is no data to read.
    End(u64),
}

impl Scanner {
    pub(super) fn new(dialect: Dialect, limit: usize) -> Self {
        let lexer = Lexer::new(dialect);
        Self { lexer, tracker: Tracker::START, limit, at: 0, statement: None, copy: None }
    }

    pub(super) fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    pub(super) fn in_copy(&self) -> bool {
        self.copy.is_some()
    }

    pub(super) fn position(&self) -> u64 {
        self.at
    }

    /// Lets go of everything that is not needed any more, and returns a tracker that stands there.
    ///
    /// To be called after an answer of "more": what is held is then less than a whole statement, so that being longer than
    /// the limit is an error.
    pub(super) fn let_go(&mut self, window: &Window<'_>) -> Result<Tracker, SplitError> {
        let needed = self.statement.as_ref().map_or(self.at, |open| open.start);
        self.track(window, needed);
        if window.end() - needed > self.limit as u64 {
            return Err(self.too_long(window, needed));
        }
        Ok(self.tracker)
    }

    /// Reads on to the next thing that stands for itself.
    pub(super) fn step(&mut self, window: &Window<'_>) -> Result<Step, SplitError> {
        loop {
            let rest = window.from(self.at);
            if rest.is_empty() {
                return if window.last { self.finish(window) } else { Ok(Step::More) };
            }
            // Files are put together from others, byte order marks included.
            if self.statement.is_none() && rest.starts_with(BOM) {
                self.at += BOM.len() as u64;
                continue;
            }
            let (kind, len) = match self.lexer.next(rest, window.last) {
                Lexed::Token { kind, len } => (kind, len),
                Lexed::More => return Ok(Step::More),
                Lexed::Unclosed(construct) => return Err(self.unterminated(window, construct, self.at)),
            };
            let punctuation = (kind == TokenKind::Punctuation).then_some(rest[0]);
            match (kind, punctuation) {
                (TokenKind::Comment, _) if len > self.limit => return Err(self.too_long(window, self.at)),
                (TokenKind::Space | TokenKind::Comment, _) => {
                    self.at += len as u64;
                    continue;
                }
                (_, Some(b'\\')) if self.lexer.dialect() == Dialect::Postgres => return self.meta(window),
                (_, Some(b'.')) if self.statement.is_none() && self.is_dot_command(rest) => {
                    return self.meta(window);
                }
                (_, Some(b';')) if self.statement.as_ref().is_none_or(|open| open.shape.may_end()) => {
                    let open = self.statement.take();
                    self.at += 1;
                    match open {
                        Some(open) => return self.close(window, open, self.at - 1),
                        None => continue,
                    }
                }
                _ => {}
            }
            let (dialect, at) = (self.lexer.dialect(), self.at);
            let open =
                self.statement.get_or_insert_with(|| Open { start: at, end: at, shape: Shape::new(dialect) });
            open.shape.push(kind, &rest[..len], at);
            self.at += len as u64;
            open.end = self.at;
        }
    }

    /// Reads on in the data of a `COPY` statement.
    pub(super) fn copy(&mut self, window: &Window<'_>) -> Result<CopyStep, SplitError> {
        let Some(mut copy) = self.copy else {
            return Ok(CopyStep::End(self.at));
        };
        if !copy.in_data {
            match copy::header(window, self.at) {
                Header::More => return Ok(CopyStep::More),
                Header::CutOff => return Err(cut_off(copy.start)),
                Header::Text(after) => {
                    let location = self.locate(window, self.at + after as u64);
                    return Err(SplitError::TextAfterCopy { location });
                }
                Header::Blank(len) => self.at += len as u64,
            }
            copy.in_data = true;
            self.copy = Some(copy);
        }
        let start = self.at;
        match copy::data(window, start, self.limit) {
            Found::More => Ok(CopyStep::More),
            Found::CutOff => Err(cut_off(copy.start)),
            Found::TooLong => Err(self.too_long(window, start)),
            Found::Lines(len) => {
                self.at += len as u64;
                Ok(CopyStep::Lines(start..self.at))
            }
            Found::End(len) => {
                self.at += len as u64;
                self.copy = None;
                Ok(CopyStep::End(start))
            }
        }
    }

    fn finish(&mut self, window: &Window<'_>) -> Result<Step, SplitError> {
        let Some(open) = self.statement.take() else {
            return Ok(Step::End);
        };
        if let Some((construct, at)) = open.shape.open() {
            return Err(self.unterminated(window, construct, at));
        }
        self.close(window, open, self.at)
    }

    /// A statement is whole; `terminator` is where its `;` or the end of the input is.
    fn close(&mut self, window: &Window<'_>, open: Open, terminator: u64) -> Result<Step, SplitError> {
        self.track(window, open.start);
        let start = self.locate(window, open.start);
        if terminator - open.start > self.limit as u64 {
            return Err(self.too_long(window, open.start));
        }
        let range = open.start..open.end;
        match open.shape.head() {
            Head::Copy if copy_target(window.text(range.clone())) == Some(CopyTarget::FromClient) => {
                self.copy = Some(Copy { start, in_data: false });
                return Ok(Step::Copy(range, start));
            }
            Head::Setting => {
                if let Some(backslashes) = backslashes_after(window.text(range.clone())) {
                    self.lexer.backslashes = backslashes;
                }
            }
            _ => {}
        }
        Ok(Step::Statement(range, start))
    }

    /// A line for a client program begins here; inside a statement none is accepted.
    fn meta(&mut self, window: &Window<'_>) -> Result<Step, SplitError> {
        let rest = window.from(self.at);
        let Some(len) = rest
            .iter()
            .position(|byte| matches!(byte, b'\n' | b'\r'))
            .or_else(|| window.last.then_some(rest.len()))
        else {
            return Ok(Step::More);
        };
        let range = self.at..self.at + len as u64;
        let line = window.text(range.clone());
        let location = self.locate(window, self.at);
        match MetaLine::parse(line) {
            Some(found) if self.statement.is_none() => {
                self.track(window, self.at);
                self.at = range.end;
                Ok(Step::Meta(range, location, found))
            }
            _ => Err(SplitError::MetaCommand { name: meta::command_name(line).to_owned(), location }),
        }
    }

    fn is_dot_command(&self, rest: &[u8]) -> bool {
        self.lexer.dialect() == Dialect::Sqlite && rest.get(1).is_some_and(u8::is_ascii_alphabetic)
    }

    fn too_long(&self, window: &Window<'_>, at: u64) -> SplitError {
        SplitError::TooLong { start: self.locate(window, at), limit: self.limit }
    }

    fn unterminated(&self, window: &Window<'_>, construct: Construct, at: u64) -> SplitError {
        SplitError::Unterminated { construct, start: self.locate(window, at) }
    }

    fn track(&mut self, window: &Window<'_>, to: u64) {
        self.tracker.advance(window.slice(self.tracker.offset()..to));
    }

    fn locate(&self, window: &Window<'_>, at: u64) -> Location {
        let mut tracker = self.tracker;
        tracker.advance(window.slice(tracker.offset()..at));
        tracker.location(window.from(at).first().copied())
    }
}

fn cut_off(start: Location) -> SplitError {
    SplitError::Unterminated { construct: Construct::CopyData, start }
}
