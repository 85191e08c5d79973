//! Has cargo notice a file that is not there yet.
//!
//! Cargo runs a build script at every build that names a missing file, and reads a directory with all that is below it,
//! which in that of a crate may be what the build itself writes. Of a directory of links it takes the times of what they
//! lead to, and passes over links that lead nowhere: it sees a file the moment that it is there, and nothing before.
//! Source: <https://doc.rust-lang.org/cargo/reference/build-scripts.html#rerun-if-changed>, and cargo's own
//! `mtime_recursive`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Makes a directory of links to these files, and returns whether cargo can be told to watch it. Without one a file that
/// is added is seen at the next change of something else.
pub(crate) fn watch(directory: &Path, absent: &BTreeSet<PathBuf>) -> bool {
    !absent.is_empty() && linked(directory, absent).is_ok()
}

#[cfg(unix)]
fn linked(directory: &Path, absent: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    use std::time::{Duration, SystemTime};

    std::fs::create_dir_all(directory)?;
    let mut left = absent.clone();
    for entry in std::fs::read_dir(directory)? {
        let link = entry?.path();
        let leads_to = std::fs::read_link(&link);
        // One whose file has come is watched as that file.
        if !leads_to.is_ok_and(|target| left.remove(&target)) {
            std::fs::remove_file(&link)?;
        }
    }
    for (at, target) in left.iter().enumerate() {
        // Those that stay keep their names, which say nothing.
        let free = (at..).map(|number| directory.join(number.to_string()));
        let link = free.into_iter().find(|link| std::fs::symlink_metadata(link).is_err());
        std::os::unix::fs::symlink(target, link.expect("numbers do not end"))?;
    }
    // The directory has been changed while the script runs, which cargo would take for a change after it.
    let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1);
    std::fs::File::open(directory)?.set_modified(long_ago)
}

/// Links want rights that few have.
#[cfg(not(unix))]
fn linked(_: &Path, _: &BTreeSet<PathBuf>) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn the_links_are_those_of_the_files_that_are_not_there() {
        let place = tempfile::tempdir().expect("a directory can be made");
        let links = place.path().join("links");
        let file = |name: &str| place.path().join(name);
        let leads = || -> BTreeSet<PathBuf> {
            let entries = std::fs::read_dir(&links).expect("it is there");
            entries
                .map(|entry| std::fs::read_link(entry.expect("it is read").path()).expect("a link"))
                .collect()
        };
        let time = || std::fs::metadata(&links).and_then(|data| data.modified()).expect("it has one");
        let three: BTreeSet<PathBuf> = ["a", "b", "c"].map(file).into();
        assert!(watch(&links, &three));
        assert_eq!(leads(), three);
        let before = time();
        let two: BTreeSet<PathBuf> = ["b", "d"].map(file).into();
        assert!(watch(&links, &two));
        assert_eq!((leads(), time()), (two, before), "a change of ours counts for nothing");
        assert!(!watch(&links, &BTreeSet::new()), "there is nothing to watch");
    }
}
