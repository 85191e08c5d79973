//! Whether a binary holds the files of the tree, by the digests that stand in it.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use dbsetup::repo::{Repo, RepoName};
use dbsetup::{Error, Kind, Result};
use dbsetup_build::{MARKER_PREFIX, Prepared, Problem};
use regex::bytes::Regex;

use super::code::Code;
use super::finding::{Finding, Report};
use crate::ui::text;

/// What the check is called in a report.
const CHECK: &str = "files in the binary";
/// How much of a binary is looked at together.
const PIECE: usize = 4 * 1024 * 1024;
/// Longer than any marker: a name is one of a file.
const LONGEST: usize = 512;

/// A repo that a binary holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Held {
    name: String,
    digest: String,
}

/// Compares binaries with the files of a repo.
///
/// # Errors
/// [`Kind::Io`]; [`Kind::Configuration`] for a binary that holds no repo at all, and for files that cannot be embedded.
pub fn check(repo: &Repo, binaries: &[PathBuf], report: &mut Report) -> Result<()> {
    let mut tree = None;
    for path in binaries {
        let held = File::open(path).and_then(held).map_err(|error| Error::io("read", path, error))?;
        if held.is_empty() {
            let what = format!("`{}` holds no files of any repo", path.display());
            return Err(Error::new(Kind::Configuration, what)
                .note("a binary holds them whose crate has `dbsetup_build::embed` in its build script and uses what `dbsetup::embed!` makes")
                .help("name the program that cargo has built, not packed or compressed: `--binary target/release/NAME`"));
        }
        let of_repo: Vec<&Held> = held.iter().filter(|held| RepoName::new(&held.name) == repo.name).collect();
        if of_repo.is_empty() {
            let names: BTreeSet<&str> = held.iter().map(|held| held.name.as_str()).collect();
            let names: Vec<&str> = names.into_iter().collect();
            let why = format!(
                "`{}` holds `{}` and no files of `{}`",
                path.display(),
                names.join("`, `"),
                repo.name
            );
            report.skip(CHECK, why, None);
            continue;
        }
        let of_tree: &Prepared = match &tree {
            Some(known) => known,
            None => tree.insert(prepared(repo)?),
        };
        let others = of_repo.iter().filter(|held| held.digest != of_tree.digest);
        let differ: Vec<Finding> = others.map(|held| differs(repo, path, held, &of_tree.digest)).collect();
        if differ.is_empty() {
            report.remarks.push(format!(
                "{}: `{}` holds what the tree has: {}, digest {}",
                repo.name,
                path.display(),
                text::count(of_tree.files.len(), "file"),
                short(&of_tree.digest)
            ));
        }
        report.take(CHECK, differ);
    }
    Ok(())
}

fn prepared(repo: &Repo) -> Result<Prepared> {
    dbsetup_build::prepare(&repo.root, repo.name.as_str()).map_err(|problem| told(&problem))
}

/// The first digits of a digest.
fn short(digest: &str) -> &str {
    &digest[..digest.len().min(12)]
}

/// A problem of the build script's as an error of ours.
fn told(problem: &Problem) -> Error {
    let error = Error::new(Kind::Configuration, problem.message().to_owned());
    let error = problem.notes().iter().fold(error, |error, note| error.note(note.clone()));
    match problem.help_text() {
        Some(help) => error.help(help),
        None => error,
    }
}

fn differs(repo: &Repo, path: &Path, held: &Held, of_tree: &str) -> Finding {
    let message =
        format!("`{}` holds other files or settings of `{}` than the tree", path.display(), repo.name);
    Finding::new(Code::BinaryDiffers, message)
        .about(held.name.clone())
        .file(path)
        .note(format!("the binary's digest is {}, the tree's {}", short(&held.digest), short(of_tree)))
        .help("build it again from this tree: `cargo build`")
}

/// Returns the repos that a binary holds.
fn held(mut binary: impl Read) -> io::Result<BTreeSet<Held>> {
    let pattern = format!("(?-u){MARKER_PREFIX}([A-Za-z0-9_-]{{1,255}}):([0-9a-f]{{64}});");
    let marker = Regex::new(&pattern).expect("the pattern is a constant that parses");
    let mut found = BTreeSet::new();
    let mut piece: Vec<u8> = Vec::new();
    loop {
        let read = binary.by_ref().take(PIECE as u64).read_to_end(&mut piece)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        found.extend(
            marker.captures_iter(&piece).map(|part| Held { name: text(&part[1]), digest: text(&part[2]) }),
        );
        if read < PIECE {
            return Ok(found);
        }
        // A marker may begin in one piece and end in the next.
        piece.drain(..piece.len() - LONGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marker(name: &str, digit: &str) -> String {
        format!("{MARKER_PREFIX}{name}:{};", digit.repeat(64))
    }

    #[test]
    fn markers_are_found_wherever_they_stand() {
        for before in [0, 7, PIECE - 1, PIECE - 40, PIECE - 17, 2 * PIECE - 60] {
            let mut bytes = vec![0xff; before];
            bytes.extend(marker("core-data", "a").bytes());
            bytes.extend([0xff; 100]);
            bytes.extend(marker("b", "0").bytes());
            let found = held(&bytes[..]).expect("it is read");
            let names: Vec<(&str, &str)> =
                found.iter().map(|held| (held.name.as_str(), &held.digest[..1])).collect();
            assert_eq!(names, [("b", "0"), ("core-data", "a")], "after {before} bytes");
        }
    }

    #[test]
    fn the_beginning_of_a_marker_is_none() {
        let cut = &marker("core", "a")[..60];
        let texts = [
            MARKER_PREFIX.to_owned(),
            cut.to_owned(),
            marker("core", "g"),
            marker("", "a"),
            marker("a b", "a"),
        ];
        assert_eq!(held(texts.join("\0").as_bytes()).expect("it is read"), BTreeSet::new());
    }
}
