//! A door for the fuzz targets: all that reads a structure file before any of it runs. Only there with `--cfg fuzzing`.

use std::path::Path;

use super::{format, header, scan};
use crate::sql::Dialect;

/// Reads a file whose text is `text`. Whatever it says is an answer; that there is one is what is tested.
pub fn read(path: &Path, text: &str, dialect: Dialect) {
    let author = format::author(path, path, dialect);
    let _ = header::read(text, path);
    let _ = format::recorded_versions(path, Some("public.versions"));
    for author in author.into_iter().chain([format::author_of(text), format::Author::Foreign]) {
        let from_text = scan::scan(crate::sql_file::Content::Text(text), path, dialect, author);
        let from_file = scan::scan(path.into(), path, dialect, author);
        match (from_text, from_file) {
            (Ok(one), Ok(other)) => assert_eq!(one, other),
            (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
            (one, other) => panic!("{one:?} from the text and {other:?} from the file"),
        }
    }
}
