//! What `cargo metadata --no-deps` says: the members, where they are, and their `metadata` tables. No network, and no
//! lock file is written.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;

use crate::layout::Package;
use crate::problem::{Problem, Result};

/// One package of the workspace.
pub(crate) struct Member {
    name: String,
    dir: PathBuf,
    pub manifest: PathBuf,
    dependencies: BTreeSet<String>,
    pub metadata: Json,
}

impl Package for Member {
    fn name(&self) -> &str {
        &self.name
    }

    fn dir(&self) -> &Path {
        &self.dir
    }

    fn dependencies(&self) -> &BTreeSet<String> {
        &self.dependencies
    }
}

/// What cargo knows about the workspace.
pub(crate) struct Workspace {
    pub root: PathBuf,
    pub members: Vec<Member>,
    pub metadata: Json,
}

impl Workspace {
    /// Asks cargo about the workspace that holds the package in `dir`.
    pub fn read(dir: &Path) -> Result<Self> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let output = Command::new(cargo)
            .args(["metadata", "--no-deps", "--format-version", "1", "--offline", "--manifest-path"])
            .arg(dir.join("Cargo.toml"))
            .output()
            .map_err(|error| Problem::new(format!("cannot start `cargo metadata`: {error}")))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            // The rest may quote a manifest, and that may hold a password.
            let line = said.lines().next().unwrap_or_default();
            return Err(Problem::new(format!("`cargo metadata` failed: {line}")).help(format!(
                "see all of it: cargo metadata --no-deps --manifest-path {}/Cargo.toml",
                dir.display()
            )));
        }
        let metadata = serde_json::from_slice(&output.stdout)
            .map_err(|error| Problem::new(format!("cannot read what `cargo metadata` printed: {error}")))?;
        Self::of(&metadata).ok_or_else(|| Problem::new("`cargo metadata` printed what is no metadata"))
    }

    fn of(metadata: &Json) -> Option<Self> {
        let ids = metadata.get("workspace_members")?.as_array()?;
        let packages = metadata.get("packages")?.as_array()?;
        let member = |id: &Json| {
            let package = packages.iter().find(|package| package.get("id") == Some(id))?;
            let manifest = PathBuf::from(package.get("manifest_path")?.as_str()?);
            let dependencies = package.get("dependencies")?.as_array()?;
            let names = dependencies.iter().filter_map(|found| found.get("name")?.as_str());
            Some(Member {
                name: package.get("name")?.as_str()?.to_owned(),
                dir: manifest.parent()?.to_path_buf(),
                manifest,
                dependencies: names.map(str::to_owned).collect(),
                metadata: package.get("metadata").cloned().unwrap_or_default(),
            })
        };
        Some(Self {
            root: metadata.get("workspace_root")?.as_str()?.into(),
            members: ids.iter().filter_map(member).collect(),
            metadata: metadata.get("metadata").cloned().unwrap_or_default(),
        })
    }
}
