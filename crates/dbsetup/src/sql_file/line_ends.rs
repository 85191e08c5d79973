//! Line ends that git, or an editor, has changed in a structure file of ours.
//!
//! Each line that we write ends with `\n`, and the text inside of a function may hold whatever its author wrote. Where the
//! first line ends with `\r\n`, the file was converted as a whole: git leaves files alone that mix both. Loaded as it is,
//! it would put carriage returns into the bodies of functions.

use std::borrow::Cow;

/// What the first line of a structure file of ours begins with.
pub(crate) const HEADER: &str = "-- dbsetup structure format ";

/// Whether the text, or its beginning, is that of a structure file of ours which was converted.
pub(crate) fn is_converted(start: &[u8]) -> bool {
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let first = start.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    first.starts_with(HEADER.as_bytes()) && first.ends_with(b"\r\n")
}

/// Returns the text with the line ends that were written.
pub(crate) fn restored(text: &str) -> Cow<'_, str> {
    if is_converted(text.as_bytes()) { text.replace("\r\n", "\n").into() } else { text.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_structure_file_that_was_converted_as_a_whole_is_restored() {
        let ours = "-- dbsetup structure format 1 (sqlite)\r\n\r\nSELECT 'a\r\nb';\r\n";
        assert_eq!(restored(ours), ours.replace('\r', ""));
        let bom = format!("\u{feff}{ours}");
        assert_eq!(restored(&bom), bom.replace('\r', ""));
        for other in [
            "-- dbsetup structure format 1 (sqlite)\n\nSELECT 'a\r\nb';\r\n",
            "-- PostgreSQL database dump\r\nSELECT 1;\r\n",
            "",
        ] {
            assert_eq!(restored(other), other);
        }
    }
}
