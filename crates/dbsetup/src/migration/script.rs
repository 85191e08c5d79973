//! The text of one side of a migration: the file, the part of it that is run, and how.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, Kind, Result, Site};
use crate::files::Files;
use crate::sql::locate;

/// One side of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    /// The file, as it is shown.
    pub path: PathBuf,
    /// The file's whole text as read, byte order mark and all: peers' checksums are over it.
    pub file: Arc<str>,
    /// The bytes of it that are run.
    pub range: Range<usize>,
    /// Whether it runs in one transaction.
    pub transactional: bool,
}

impl Script {
    /// Returns the script of a whole file: everything but a byte order mark.
    pub fn whole(path: PathBuf, file: Arc<str>, transactional: bool) -> Self {
        let start = if file.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { path, range: start..file.len(), file, transactional }
    }

    /// The text that is run.
    pub fn sql(&self) -> &str {
        &self.file[self.range.clone()]
    }

    /// The place of a byte range of [`Script::sql`] in the file.
    pub fn site(&self, range: Range<usize>) -> Site {
        let start = self.range.start;
        Site::in_text(&self.path, &self.file, start + range.start..start + range.end)
    }
}

/// Reads a file as UTF-8.
///
/// # Errors
/// [`Kind::Io`]; [`Kind::Grammar`] with the byte offset of the first byte that is not UTF-8.
pub fn read_text(files: Files, path: &Path, shown: &Path) -> Result<Arc<str>> {
    let bytes = files.read(path).map_err(|error| Error::io("read", shown, error))?;
    match std::str::from_utf8(&bytes) {
        Ok(text) => Ok(text.into()),
        Err(error) => {
            let offset = error.valid_up_to();
            let valid = std::str::from_utf8(&bytes[..offset]).expect("it is valid up to there");
            let at = locate(valid, offset);
            Err(Error::new(
                Kind::Grammar,
                format!(
                    "`{}` is not UTF-8: byte 0x{:02x} at offset {offset} (line {}, column {})",
                    shown.display(),
                    bytes[offset],
                    at.line,
                    at.column
                ),
            )
            .help("save the file as UTF-8"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_is_not_run_but_counts_for_places() {
        let script = Script::whole("a.sql".into(), "\u{feff}select x;".into(), true);
        assert_eq!(script.sql(), "select x;");
        assert_eq!(script.site(7..8).excerpt, "\u{feff}select x;");
    }

    #[test]
    fn invalid_utf8_is_named_with_its_byte_offset() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("1_a.sql");
        std::fs::write(&path, b"select 1;\nselect '\xff';\n").unwrap();
        let error = read_text(Files::Disk, &path, Path::new("1_a.sql")).unwrap_err();
        assert_eq!(error.kind(), Kind::Grammar);
        assert!(error.message().contains("0xff at offset 18 (line 2, column 9)"), "{error}");
    }
}
