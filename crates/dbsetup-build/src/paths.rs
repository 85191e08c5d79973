//! Directories on disk: what is in them, where they are, and when two paths are one.

use std::path::{Component, Path, PathBuf};

/// Returns a path without `.` parts, and without `..` where that leads to the same place.
pub fn clean(path: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(short.components().next_back(), Some(Component::Normal(_))) => {
                short.pop();
            }
            other => short.push(other),
        }
    }
    // After a symbolic link `..` is another directory than the text says.
    match (path.canonicalize(), short.canonicalize()) {
        (Ok(real), Ok(shortened)) if real != shortened => path.to_path_buf(),
        (Ok(_), Err(_)) => path.to_path_buf(),
        _ => short,
    }
}

/// Returns the entries of a directory in the order of their names; none of one that cannot be read.
pub(crate) fn entries(dir: &Path) -> Vec<std::fs::DirEntry> {
    let mut entries: Vec<_> = std::fs::read_dir(dir).into_iter().flatten().flatten().collect();
    entries.sort_by_key(std::fs::DirEntry::file_name);
    entries
}

/// Returns the visible directories in `dir`, links to one among them, in the order of their names.
pub fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let visible = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let paths = entries(dir).into_iter().filter(visible).map(|entry| entry.path());
    paths.filter(|path| path.is_dir()).collect()
}

/// Whether `dir` exists and lies below `root`, links followed.
pub fn is_inside(dir: &Path, root: &Path) -> bool {
    match (dir.canonicalize(), root.canonicalize()) {
        (Ok(dir), Ok(root)) => dir.starts_with(root),
        _ => false,
    }
}

/// Whether two paths are one directory.
pub fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Returns the path from `dir` to `path`, with `/`; `None` where there is none, on another drive.
pub(crate) fn relative(path: &Path, dir: &Path) -> Option<String> {
    let (path, dir) = (path.components().collect::<Vec<_>>(), dir.components().collect::<Vec<_>>());
    let common = path.iter().zip(&dir).take_while(|(one, other)| one == other).count();
    if common == 0 {
        return None;
    }
    let up = dir[common..].iter().map(|_| "..".to_owned());
    let down = path[common..].iter().map(|part| part.as_os_str().to_string_lossy().into_owned());
    Some(up.chain(down).collect::<Vec<_>>().join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_loses_dots_but_keeps_what_it_means() {
        assert_eq!(clean(Path::new("/w/./a/../b/")), Path::new("/w/b"));
        assert_eq!(clean(Path::new("../../x")), Path::new("../../x"));
        assert_eq!(clean(Path::new("/..")), Path::new("/.."));
    }

    #[cfg(unix)]
    #[test]
    fn a_parent_of_a_link_is_left_as_it_is_written() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let root = dir.path();
        for name in ["far/deep", "far/x", "x"] {
            std::fs::create_dir_all(root.join(name)).expect("it is writable");
        }
        std::os::unix::fs::symlink("far/deep", root.join("link")).expect("it is writable");
        assert_eq!(clean(&root.join("link/../x")), root.join("link/../x"));
    }

    #[test]
    fn a_path_is_written_from_the_crate() {
        let from = |path: &str| relative(Path::new(path), Path::new("/w/app")).expect("it is one drive");
        assert_eq!(from("/w/app/priv/core"), "priv/core");
        assert_eq!(from("/w/app"), "");
        assert_eq!(from("/w/shared/sql"), "../shared/sql");
    }
}
