//! The data lines behind `COPY .. FROM STDIN`, up to the line `\.`.
//!
//! Lines end with LF; a CR before it is part of the line end for `\.` and of the data otherwise, as the server wants it.
//! Source: PostgreSQL documentation, `COPY`, "Text Format".

use super::source::Window;

/// As much data as is handed out at a time, unless a single line is longer.
pub(super) const CHUNK: usize = 64 * 1024;

/// What comes next behind a `COPY` statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    More,
    /// Whole lines, of this many bytes.
    Lines(usize),
    /// The line `\.`, of this many bytes.
    End(usize),
    /// The input ends without `\.`.
    CutOff,
    /// The first line is longer than the limit.
    TooLong,
}

/// Looks at the data at `at`; no line may be longer than `limit`.
pub(super) fn data(window: &Window<'_>, at: u64, limit: usize) -> Found {
    let bytes = window.from(at);
    let mut len = 0;
    while len < CHUNK {
        let rest = &bytes[len..];
        let (line, whole) = match rest.iter().position(|&byte| byte == b'\n') {
            Some(end) => (&rest[..=end], true),
            None => (rest, false),
        };
        let marker = is_end_marker(line) && (whole || window.last);
        let too_long = line.len() > limit;
        if len > 0 && (marker || !whole || too_long) {
            break;
        }
        if too_long {
            return Found::TooLong;
        }
        match (marker, whole) {
            (true, _) => return Found::End(line.len()),
            (false, true) => len += line.len(),
            (false, false) if window.last => return Found::CutOff,
            (false, false) => return Found::More,
        }
    }
    Found::Lines(len)
}

fn is_end_marker(line: &[u8]) -> bool {
    matches!(line, b"\\." | b"\\.\n" | b"\\.\r\n" | b"\\.\r")
}

/// What stands between the `;` of a `COPY` statement and the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Header {
    More,
    /// Nothing, or a comment: the data begins after this many bytes.
    Blank(usize),
    /// Something else, after this many bytes.
    Text(usize),
    CutOff,
}

/// Looks at the rest of the line of a `COPY` statement.
pub(super) fn header(window: &Window<'_>, at: u64) -> Header {
    let bytes = window.from(at);
    let line_end = bytes.iter().position(|&byte| byte == b'\n');
    let line = &bytes[..line_end.unwrap_or(bytes.len())];
    let text = line.iter().position(|byte| !byte.is_ascii_whitespace() && *byte != 0x0B);
    let comment = text.is_none_or(|text| line[text..].starts_with(b"--"));
    let whole = line_end.is_some() || window.last;
    match (text, line_end) {
        // A lonely dash at the end of a window may become a comment.
        (Some(text), _) if !comment && (whole || &line[text..] != b"-") => Header::Text(text),
        (_, Some(end)) => Header::Blank(end + 1),
        (_, None) if window.last => Header::CutOff,
        (_, None) => Header::More,
    }
}
