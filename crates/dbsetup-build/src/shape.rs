//! What the entries of a migrations directory look like. A first look for finding repos; the grammar itself is the
//! library's.

use std::fs;
use std::path::Path;

use crate::paths::entries;

/// The looks of a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Nothing but hidden files.
    Empty,
    /// `20260101_name.sql`: ours and sqlx's.
    Plain,
    /// `20260101_name/up.sql`.
    Diesel,
    /// `V1__name.sql`.
    Refinery,
    /// `-- migrate:up` in the files.
    Dbmate,
    /// Several of these side by side: an error that the library's grammar words.
    Mixed,
    /// Anything else.
    Unknown,
}

/// Returns what `dir` looks like; a directory that cannot be read is unknown.
pub fn shape_of(dir: &Path) -> Shape {
    let Ok(entries) = fs::read_dir(dir) else { return Shape::Unknown };
    let mut seen: Option<Shape> = None;
    let mut is_empty = true;
    let mut plain = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        is_empty = false;
        let path = entry.path();
        // The listing itself tells the type on most systems; a link alone has to be followed.
        let is_dir =
            entry.file_type().is_ok_and(|found| found.is_dir() || (found.is_symlink() && path.is_dir()));
        let shape = if is_dir {
            if path.join("up.sql").is_file() { Some(Shape::Diesel) } else { None }
        } else if is_refinery(&name) {
            Some(Shape::Refinery)
        } else if is_plain(&name) {
            plain.push(path.into_os_string());
            Some(Shape::Plain)
        } else {
            None
        };
        match (seen, shape) {
            (Some(first), Some(next)) if first != next => return Shape::Mixed,
            (None, Some(next)) => seen = Some(next),
            _ => {}
        }
    }
    match seen {
        // Only the newest few are opened: dbmate's directive stands in every file or in none.
        Some(Shape::Plain) => {
            plain.sort_unstable();
            if plain.iter().rev().take(3).any(|file| has_directive(Path::new(file))) {
                Shape::Dbmate
            } else {
                Shape::Plain
            }
        }
        Some(shape) => shape,
        None if is_empty => Shape::Empty,
        // refinery alone looks below.
        None if is_refinery_below(dir, 3) => Shape::Refinery,
        None => Shape::Unknown,
    }
}

/// Whether there is a file of refinery's so many levels below.
fn is_refinery_below(dir: &Path, levels: usize) -> bool {
    entries(dir).into_iter().any(|entry| match entry.file_type() {
        Ok(found) if found.is_file() => is_refinery(&entry.file_name().to_string_lossy()),
        Ok(found) if found.is_dir() && levels > 1 => is_refinery_below(&entry.path(), levels - 1),
        _ => false,
    })
}

fn is_plain(name: &str) -> bool {
    name.strip_suffix(".sql")
        .and_then(|stem| stem.split_once('_'))
        .is_some_and(|(version, _)| !version.is_empty() && version.chars().all(|c| c.is_ascii_digit()))
}

fn is_refinery(name: &str) -> bool {
    let stem = name.strip_suffix(".sql").or_else(|| name.strip_suffix(".rs"));
    let Some((version, rest)) = stem.and_then(|stem| stem.split_once("__")) else { return false };
    let digits = version.strip_prefix(['V', 'U']).unwrap_or_default();
    !rest.is_empty() && !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
}

fn has_directive(file: &Path) -> bool {
    fs::read_to_string(file).is_ok_and(|text| {
        text.lines().any(|line| {
            line.strip_prefix("--").is_some_and(|comment| comment.trim_start().starts_with("migrate:up"))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(files: &[(&str, &str)]) -> Shape {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
            fs::write(path, text).expect("it is writable");
        }
        shape_of(dir.path())
    }

    #[test]
    fn a_directory_is_known_by_its_entries() {
        assert_eq!(shape(&[]), Shape::Empty);
        assert_eq!(shape(&[(".keep", "")]), Shape::Empty);
        assert_eq!(shape(&[("1_a.sql", ""), ("README.md", "")]), Shape::Plain);
        assert_eq!(shape(&[("20260101_a.up.sql", ""), ("20260101_a.down.sql", "")]), Shape::Plain);
        assert_eq!(shape(&[("2026-01-01-000000_a/up.sql", ""), (".diesel_lock", "")]), Shape::Diesel);
        assert_eq!(shape(&[("V1__a.sql", "")]), Shape::Refinery);
        assert_eq!(shape(&[("old/V1__a.sql", "")]), Shape::Refinery);
        assert_eq!(shape(&[("a/b/V1__a.sql", "")]), Shape::Refinery);
        assert_eq!(shape(&[("a/b/c/V1__a.sql", "")]), Shape::Unknown);
        assert_eq!(shape(&[("1_a.sql", "-- migrate:up\nselect 1;\n-- migrate:down\n")]), Shape::Dbmate);
        assert_eq!(shape(&[("1_a.sql", ""), ("V1__a.sql", "")]), Shape::Mixed);
        assert_eq!(shape(&[("Cargo.toml", ""), ("src/lib.rs", "")]), Shape::Unknown);
    }
}
