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

/// Returns the visible directories in `dir`, in the order of their names.
pub fn subdirectories(dir: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(dir).min_depth(1).max_depth(1).sort_by_file_name().follow_links(true);
    let visible = |name: &str| !name.starts_with('.');
    entries
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_dir() && visible(&entry.file_name().to_string_lossy()))
        .map(walkdir::DirEntry::into_path)
        .collect()
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
}
