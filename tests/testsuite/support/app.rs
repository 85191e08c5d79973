//! Applications that use the library: small packages that cargo builds, offline, from the crates of this checkout.
//!
//! They share one directory of built crates below cargo's own, and each has its place in it for good, so that a second
//! run builds little.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Run, Running};

/// A package. Its name is the test's alone: two of one name would build in one place.
pub struct App {
    name: &'static str,
    dir: PathBuf,
}

/// The root of this checkout.
pub fn checkout() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn home() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target directory");
    target.join("tests-embed")
}

impl App {
    /// Makes the package anew; `lines` stand below its `[package]` table.
    #[track_caller]
    pub fn new(name: &'static str, lines: &str) -> Self {
        let dir = home().join("packages").join(name);
        if dir.exists() {
            std::fs::remove_dir_all(&dir).expect("what an earlier run has left can be removed");
        }
        let app = Self { name, dir };
        let manifest = format!(
            "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n[workspace]\n\n\
             [profile.dev]\ndebug = false\n\n{lines}"
        );
        let lock = std::fs::read_to_string(checkout().join("Cargo.lock")).expect("it is there");
        // What is in the lock file is on this machine, or these tests would not have been built.
        app.file("Cargo.toml", &manifest).file("Cargo.lock", &lock)
    }

    /// The lines of a dependency on a crate of this checkout.
    pub fn ours(name: &str, features: &[&str]) -> String {
        let path = checkout().join("crates").join(name);
        format!("{name} = {{ path = {path:?}, features = {features:?} }}\n")
    }

    /// Writes a file.
    #[track_caller]
    pub fn file(self, path: &str, text: &str) -> Self {
        self.write(path, text);
        self
    }

    /// Writes a file of a package that was built.
    #[track_caller]
    pub fn write(&self, path: &str, text: &str) {
        let path = self.dir.join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    /// The package's directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Runs cargo in it.
    #[track_caller]
    pub fn cargo(&self, line: &str) -> Run {
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args(line.split_whitespace()).current_dir(&self.dir);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            // What this run was told (coverage) would build everything anew.
            if text.starts_with("CARGO_PKG_") || text.ends_with("RUSTFLAGS") || text.ends_with("DATABASE_URL")
            {
                command.env_remove(&name);
            }
        }
        command.env("CARGO_TARGET_DIR", home().join("build")).env("CARGO_INCREMENTAL", "0");
        command.env("CARGO_TERM_COLOR", "never");
        Running::spawn(command, format!("cargo {line}"), None, Duration::from_secs(900)).wait()
    }

    /// Builds it.
    #[track_caller]
    pub fn build(&self) -> Run {
        self.cargo("build --offline")
    }

    /// The program that was built.
    pub fn program(&self) -> PathBuf {
        home().join("build/debug").join(format!("{}{}", self.name, std::env::consts::EXE_SUFFIX))
    }

    /// Runs the program in a directory, with nothing in its environment.
    #[track_caller]
    pub fn run_in(&self, directory: &Path, arguments: &[&str]) -> Run {
        let mut command = Command::new(self.program());
        command.args(arguments).current_dir(directory).env_clear();
        Running::spawn(command, self.name.to_owned(), None, Duration::from_secs(60)).wait()
    }
}
