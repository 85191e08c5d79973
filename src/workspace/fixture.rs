//! A workspace in a temporary directory, for tests. Its request sees no variable of the process that runs the tests.

use std::fs;
use std::path::{Path, PathBuf};

use dbsetup::Error;

use super::{Request, ResolvedRepo, Workspace};

/// A workspace on disk and a request about it.
pub struct Fixture {
    dir: tempfile::TempDir,
    pub request: Request,
}

impl Fixture {
    /// An empty directory.
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let current_dir = dir.path().canonicalize().expect("it was just made");
        Self { dir, request: Request { current_dir, ..Request::default() } }
    }

    /// A single package `app` with these lines below its `[package]` table.
    pub fn single(lines: &str) -> Self {
        Self::new().package("", "app", lines)
    }

    /// A workspace with these members, each in a directory of its name, and these lines in the root's manifest.
    pub fn workspace(members: &[(&str, &str)], lines: &str) -> Self {
        let names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
        let root = format!("[workspace]\nresolver = \"3\"\nmembers = {names:?}\n{lines}");
        members.iter().fold(Self::new().file("Cargo.toml", &root), |this, (name, lines)| {
            this.package(name, name, lines)
        })
    }

    /// Adds a package.
    pub fn package(self, dir: &str, name: &str, lines: &str) -> Self {
        let dir = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let text = format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{lines}");
        self.file(&format!("{dir}Cargo.toml"), &text).file(&format!("{dir}src/lib.rs"), "")
    }

    /// Writes a file.
    pub fn file(self, path: &str, text: &str) -> Self {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("it has one")).expect("the directory is writable");
        fs::write(path, text).expect("the directory is writable");
        self
    }

    /// Makes a directory.
    pub fn dir(self, path: &str) -> Self {
        fs::create_dir_all(self.path(path)).expect("the directory is writable");
        self
    }

    /// Sets a variable of the process.
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.request.variables.insert(name.to_owned(), value.into());
        self
    }

    /// Runs in a directory of the workspace.
    pub fn at(mut self, dir: &str) -> Self {
        self.request.current_dir = self.path(dir);
        self
    }

    /// The absolute path of a file.
    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().canonicalize().expect("it is there").join(path)
    }

    /// The path of a file from the root, with `/`.
    pub fn shown(&self, path: &Path) -> String {
        let root = self.path("");
        path.strip_prefix(&root).unwrap_or(path).display().to_string().replace('\\', "/")
    }

    pub fn discover(&self) -> Result<Workspace, Error> {
        Workspace::discover(&self.request)
    }

    pub fn repos_in(&self, environment: &str) -> Result<Vec<ResolvedRepo>, Error> {
        self.discover()?.repos(&self.request, environment)
    }

    /// The only repo in `dev`.
    pub fn repo(&self) -> ResolvedRepo {
        self.repo_in("dev")
    }

    pub fn repo_in(&self, environment: &str) -> ResolvedRepo {
        let mut repos = self.repos_in(environment).expect("the configuration is right");
        assert_eq!(repos.len(), 1, "one repo is expected");
        repos.remove(0)
    }

    /// The names of the selected repos, or the message of the error.
    pub fn names(&self) -> String {
        match self.repos_in("dev") {
            Ok(repos) => repos.iter().map(|repo| repo.name().as_str()).collect::<Vec<_>>().join(" "),
            Err(error) => error.to_string(),
        }
    }

    /// Why the configuration is wrong.
    pub fn error(&self) -> Error {
        match self.repos_in("dev") {
            Ok(_) => panic!("an error is expected"),
            Err(error) => error,
        }
    }
}

/// Everything that an error could show to a person.
pub fn everything(error: &Error) -> String {
    use std::error::Error as _;
    format!("{error} {error:?} {:?} {:?}", error.site(), error.source())
}

/// The value and the origin of a setting, as `config` prints them.
pub fn setting(repo: &ResolvedRepo, key: &str) -> Option<(String, String)> {
    let setting = repo.settings.iter().find(|setting| setting.key == key)?;
    Some((setting.value.clone(), setting.origin.to_string()))
}
