//! A door for the fuzz targets: all that reads a structure file before any of it runs. Only there with `--cfg fuzzing`.

use std::path::Path;

use super::grantor::Roles;
use super::{format, header, scan};
use crate::files::Files;
use crate::sql::Dialect;
use crate::sql_file::Content;

/// Reads a file whose text is `text`. Whatever it says is an answer; that there is one is what is tested.
pub fn read(path: &Path, text: &str, dialect: Dialect) {
    let author = format::author(Files::Disk, path, path, dialect);
    let _ = header::read(text, path);
    let _ = super::recorded_versions(Files::Disk, path, Some("public.versions"));
    for author in author.into_iter().chain([format::author_of(text), format::Author::Foreign]) {
        for roles in [Roles::ForGrants, Roles::Never] {
            let from_text = scan::scan(Content::Text(text), path, dialect, author, roles);
            let from_file = scan::scan(Content::File(Files::Disk, path), path, dialect, author, roles);
            match (from_text, from_file) {
                (Ok(one), Ok(other)) => assert_eq!(one, other),
                (Err(one), Err(other)) => assert_eq!(one.to_string(), other.to_string()),
                (one, other) => panic!("{one:?} from the text and {other:?} from the file"),
            }
        }
    }
}
