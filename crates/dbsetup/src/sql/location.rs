//! Positions in a source text: byte offset to line and column, and PostgreSQL's character positions to bytes.

use std::fmt;

pub(super) const BOM: &[u8] = b"\xEF\xBB\xBF";

/// A position in a source text.
///
/// A line ends with LF, CRLF or a lone CR. A byte order mark at the very start counts in `offset`, as it is part of the
/// file, but takes no column, because no editor shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// Bytes from the start of the text, from 0.
    pub offset: u64,
    /// Line, from 1.
    pub line: u64,
    /// Column in characters (Unicode scalar values), from 1.
    pub column: u64,
}

impl fmt::Display for Location {
    /// Writes `line:column`, as compilers do after a file name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Follows line and column through bytes that arrive in pieces.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tracker {
    offset: u64,
    line: u64,
    column: u64,
    /// The last byte was a CR: whether it ended a line is known when the next byte is.
    after_cr: bool,
}

impl Tracker {
    pub(super) const START: Self = Self { offset: 0, line: 1, column: 1, after_cr: false };

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Moves over the next bytes of the text. A byte order mark must not be cut in two.
    pub(super) fn advance(&mut self, bytes: &[u8]) {
        let counted = match bytes.strip_prefix(BOM) {
            Some(rest) if self.offset == 0 => rest,
            _ => bytes,
        };
        for &byte in counted {
            match byte {
                b'\n' => {
                    self.end_line();
                    continue;
                }
                // A continuation byte belongs to a character that is already counted.
                0x80..=0xBF => continue,
                _ if self.after_cr => self.end_line(),
                _ => {}
            }
            self.column += 1;
            self.after_cr = byte == b'\r';
        }
        self.offset += bytes.len() as u64;
    }

    /// Returns the location of the next byte, which is `next`, or of the end of the text.
    pub(super) fn location(&self, next: Option<u8>) -> Location {
        let mut here = *self;
        if here.after_cr && next != Some(b'\n') {
            here.end_line();
        }
        Location { offset: here.offset, line: here.line, column: here.column }
    }

    fn end_line(&mut self) {
        self.line += 1;
        self.column = 1;
        self.after_cr = false;
    }
}

/// Returns the location of a byte offset in `text`.
///
/// An offset past the end means the end, one inside a character means that character. The cost is linear in the offset:
/// it is meant for the one place that an error points at.
pub fn locate(text: &str, byte_offset: usize) -> Location {
    let offset = text.floor_char_boundary(byte_offset);
    let mut tracker = Tracker::START;
    if offset >= BOM.len() || !text.as_bytes().starts_with(BOM) {
        tracker.advance(&text.as_bytes()[..offset]);
    }
    tracker.location(text.as_bytes().get(offset).copied())
}

/// Returns the byte offset of a position as PostgreSQL reports it: in characters, from 1.
///
/// A position past the end gives the length of the text. The text must be the one that was sent to the server.
/// Source: PostgreSQL documentation, "Error and Notice Message Fields", field `P`.
pub fn char_offset_to_byte(text: &str, chars: usize) -> usize {
    text.char_indices().nth(chars.saturating_sub(1)).map_or(text.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str, offset: usize) -> (u64, u64) {
        let location = locate(text, offset);
        (location.line, location.column)
    }

    #[test]
    fn lines_end_with_lf_crlf_or_cr() {
        assert_eq!(at("a\nb", 2), (2, 1));
        assert_eq!(at("a\r\nb", 3), (2, 1));
        assert_eq!(at("a\rb", 2), (2, 1));
        assert_eq!(at("a\r\rb", 3), (3, 1));
        assert_eq!(at("a\n\rb", 3), (3, 1));
    }

    #[test]
    fn the_line_feed_of_crlf_belongs_to_the_line_it_ends() {
        assert_eq!(at("a\r\nb", 1), (1, 2));
        assert_eq!(at("a\r\nb", 2), (1, 3));
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        assert_eq!(at("é€😀x", 9), (1, 4));
        assert_eq!(locate("é€😀x", 9).offset, 9);
    }

    #[test]
    fn an_offset_inside_a_character_means_the_character() {
        assert_eq!(at("a€b", 2), (1, 2));
        assert_eq!(locate("a€b", 3).offset, 1);
    }

    #[test]
    fn an_offset_past_the_end_means_the_end() {
        assert_eq!(at("ab", 99), (1, 3));
        assert_eq!(at("", 0), (1, 1));
        assert_eq!(at("a\r", 2), (2, 1));
    }

    #[test]
    fn a_byte_order_mark_counts_in_the_offset_and_takes_no_column() {
        assert_eq!(locate("\u{feff}ab", 4), Location { offset: 4, line: 1, column: 2 });
        assert_eq!(locate("\u{feff}ab", 3), Location { offset: 3, line: 1, column: 1 });
        assert_eq!(locate("\u{feff}ab", 1), Location { offset: 0, line: 1, column: 1 });
        assert_eq!(at("a\u{feff}b", 4), (1, 3));
    }

    #[test]
    fn positions_of_postgres_are_characters_from_one() {
        assert_eq!(char_offset_to_byte("é = x", 1), 0);
        assert_eq!(char_offset_to_byte("é = x", 2), 2);
        assert_eq!(char_offset_to_byte("é = x", 5), 5);
        assert_eq!(char_offset_to_byte("é = x", 6), 6);
        assert_eq!(char_offset_to_byte("é = x", 99), 6);
        assert_eq!(char_offset_to_byte("abc", 0), 0);
    }

    #[test]
    fn following_pieces_gives_what_the_whole_gives() {
        let text = "a\r\nbé\rc\n\nd";
        for cut in 0..=text.len() {
            let mut tracker = Tracker::START;
            tracker.advance(&text.as_bytes()[..cut]);
            tracker.advance(&text.as_bytes()[cut..]);
            assert_eq!(tracker.location(None), locate(text, text.len()), "cut at {cut}");
        }
    }
}
