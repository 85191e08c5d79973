//! The checksum of what is embedded.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::files::Files;

/// Begins everything that is digested: another way to digest is another text.
const FORMAT: &str = "dbsetup embedded 1";

/// Returns the checksum of files and settings, hexadecimal. Line ends that git changed make no difference.
pub(crate) fn digest(settings: &str, files: &Files) -> String {
    let mut hash = Sha256::new();
    let mut take = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    take(FORMAT.as_bytes());
    take(settings.as_bytes());
    for (path, bytes) in files {
        take(path.as_bytes());
        take(&with_unix_lines(bytes));
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes everything");
        text
    })
}

fn with_unix_lines(bytes: &[u8]) -> Vec<u8> {
    let mut unix = Vec::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(at + 1) != Some(&b'\n') {
            unix.push(*byte);
        }
    }
    unix
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(settings: &str, files: &[(&str, &str)]) -> String {
        let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec()));
        digest(settings, &files.collect())
    }

    #[test]
    fn a_digest_is_of_names_contents_and_settings_and_of_no_line_ends() {
        let base = of("s", &[("a.sql", "x\ny\n"), ("b.sql", "z")]);
        assert_eq!(base.len(), 64);
        assert_eq!(base, of("s", &[("a.sql", "x\r\ny\r\n"), ("b.sql", "z")]));
        for other in [
            of("t", &[("a.sql", "x\ny\n"), ("b.sql", "z")]),
            of("s", &[("a.sql", "x\ny\n"), ("c.sql", "z")]),
            of("s", &[("a.sql", "x\ny\nz"), ("b.sql", "")]),
            of("s", &[("a.sql", "x\ry\n"), ("b.sql", "z")]),
            of("s", &[("a.sql", "x\ny\n")]),
        ] {
            assert_ne!(base, other);
        }
    }
}
