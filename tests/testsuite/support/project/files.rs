//! A project's files, as a test finds and changes them between runs.

use std::path::{Path, PathBuf};

use super::Project;

impl Project {
    /// Returns the root with all links resolved, as the program sees it.
    pub fn root(&self) -> PathBuf {
        self.root.path().canonicalize().expect("the project is there")
    }

    /// Returns the home directory that the program is given.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Returns an absolute path of the project.
    pub fn path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.root.path().join(relative)
    }

    /// Returns a repo's priv directory, relative to the root.
    #[track_caller]
    pub fn priv_dir(&self, repo: &str) -> PathBuf {
        Path::new(&self.workspace.directory(&self.repo_ref(repo).member)).join("priv").join(repo)
    }

    /// Returns the file names in a directory, sorted; none when it is missing.
    pub fn files(&self, directory: impl AsRef<Path>) -> Vec<String> {
        let entries = std::fs::read_dir(self.path(directory)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.path(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    #[track_caller]
    pub fn write(&self, path: impl AsRef<Path>, text: &str) {
        let path = self.path(path);
        let parent = path.parent().expect("a file has a directory");
        std::fs::create_dir_all(parent).expect("the project can be written");
        std::fs::write(&path, text).expect("the project can be written");
    }

    #[track_caller]
    pub fn remove(&self, path: impl AsRef<Path>) {
        let path = self.path(path);
        std::fs::remove_file(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }
}
