//! `gen`: files made from templates. A file that is there already is never written over.

mod databases;
mod dockerfile;
mod migration;
mod programs;
mod release;
mod template;
mod workflow;

use std::path::{Path, PathBuf};

use clap::Subcommand;
use dbsetup::{Error, Kind, Result};

use crate::cli::context::{Output, Selected};
use crate::ui::json::Object;
use crate::workspace::Workspace;

/// Make files.
#[derive(Debug, Clone, Subcommand)]
pub enum Gen {
    Migration(migration::Migration),
    Workflow(workflow::Workflow),
    Dockerfile(dockerfile::Dockerfile),
    Release(release::Release),
}

impl Gen {
    pub fn speaks_of_one(&self) -> Option<&'static str> {
        match self {
            Self::Migration(command) => command.speaks_of_one(),
            Self::Workflow(_) | Self::Dockerfile(_) | Self::Release(_) => None,
        }
    }

    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        match self {
            Self::Migration(command) => command.run(selected),
            Self::Workflow(command) => command.run(selected),
            Self::Dockerfile(command) => command.run(selected),
            Self::Release(command) => command.run(selected),
        }
    }
}

/// A file to make.
struct NewFile {
    /// Where; absolute.
    path: PathBuf,
    /// As people see it.
    shown: PathBuf,
    /// What it says.
    content: String,
    /// The repo that it is for; none for what is there for all of them.
    repo: Option<String>,
}

/// Makes files and tells of each; a dry run tells alone. Nothing is written when one of them is there already.
///
/// # Errors
/// [`Kind::Configuration`] for a file that is there, [`Kind::Io`] for one that cannot be written.
fn make(selected: &Selected<'_>, files: Vec<NewFile>) -> Result<Output> {
    if let Some(there) = files.iter().find(|file| file.path.symlink_metadata().is_ok()) {
        return Err(Error::new(Kind::Configuration, format!("`{}` is there already", there.shown.display()))
            .note("nothing was written")
            .help("move it away, or name another place; `--dry-run` lists what would be made"));
    }
    let mut plan = Vec::new();
    for NewFile { path, shown, content, repo } in files {
        if selected.options.dry_run {
            plan.push(format!("create {}", shown.display()));
            continue;
        }
        write_new(&path, &content)?;
        let mut event = Object::new("file_created");
        if let Some(repo) = &repo {
            event = event.text("repo", repo);
        }
        selected.ui.json(event.path(&shown));
        selected.ui.success(&format!("* creating {}", shown.display()));
    }
    Ok(Output::of(selected.options.dry_run, plan))
}

/// Returns a path as a person at the workspace's root would type it.
fn shown(path: &Path, workspace: &Workspace) -> PathBuf {
    path.strip_prefix(&workspace.root).unwrap_or(path).to_path_buf()
}

fn write_new(path: &Path, content: &str) -> Result<()> {
    use std::io::Write;
    if let Some(directory) = path.parent() {
        std::fs::create_dir_all(directory).map_err(|error| Error::io("create", directory, error))?;
    }
    let file = std::fs::OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| file.write_all(content.as_bytes()));
    written.map_err(|error| Error::io("create", path, error))
}
