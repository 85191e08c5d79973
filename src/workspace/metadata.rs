//! What `cargo metadata --no-deps` says: the members, where they are, and their `metadata` tables. No network, and no
//! lock file is written.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::path::{Path, PathBuf};

use cargo_metadata::MetadataCommand;
use dbsetup::{Error, Kind, Result};
use serde_json::Value as Json;

use super::Request;

/// One package of the workspace. Its `metadata` may hold secrets, and so it has no `Debug`.
#[derive(Clone)]
pub struct Member {
    /// The package's name.
    pub name: String,
    /// Its directory.
    pub dir: PathBuf,
    /// Its `Cargo.toml`.
    pub manifest: PathBuf,
    /// The names of the crates that it depends on, as published.
    pub dependencies: BTreeSet<String>,
    /// `package.metadata`.
    pub(super) metadata: Json,
}

/// What cargo knows about the workspace.
pub struct CargoMetadata {
    /// The workspace's root directory.
    pub root: PathBuf,
    /// Its members, in cargo's order.
    pub members: Vec<Member>,
    /// `workspace.metadata`.
    pub metadata: Json,
}

/// Asks cargo about the workspace of `request`.
///
/// # Errors
/// [`Kind::Program`] when cargo cannot be started or does not like a manifest; see [`is_cargo_failure`].
pub fn read(request: &Request) -> Result<CargoMetadata> {
    let mut command = MetadataCommand::new();
    command.no_deps().current_dir(&request.current_dir);
    if let Some(cargo) = request.variables.get("CARGO").filter(|cargo| !cargo.is_empty()) {
        command.cargo_path(cargo);
    }
    if let Some(manifest) = request.manifest() {
        command.manifest_path(manifest);
    }
    command.other_options(request.cargo_flags.to_options());
    let metadata = command.exec().map_err(failure)?;

    let mut members = Vec::new();
    for id in &metadata.workspace_members {
        let Some(package) = metadata.packages.iter().find(|package| package.id == *id) else { continue };
        let manifest = package.manifest_path.clone().into_std_path_buf();
        members.push(Member {
            name: package.name.to_string(),
            dir: manifest.parent().unwrap_or(Path::new("")).to_path_buf(),
            manifest,
            dependencies: package.dependencies.iter().map(|dependency| dependency.name.clone()).collect(),
            metadata: package.metadata.clone(),
        });
    }
    Ok(CargoMetadata {
        root: metadata.workspace_root.into_std_path_buf(),
        members,
        metadata: metadata.workspace_metadata,
    })
}

/// Whether `error` is a failure of `cargo metadata` itself; cargo's own exit code for it is 101.
pub fn is_cargo_failure(error: &Error) -> bool {
    error.source().is_some_and(<dyn std::error::Error>::is::<cargo_metadata::Error>)
}

fn failure(error: cargo_metadata::Error) -> Error {
    let message = match error {
        cargo_metadata::Error::CargoMetadata { ref stderr } => {
            let text = stderr.trim();
            let text = text.strip_prefix("error: ").unwrap_or(text);
            format!("`cargo metadata` failed: {}", without_secrets(text))
        }
        cargo_metadata::Error::Io(ref cause) => format!("cannot start `cargo metadata`: {cause}"),
        ref other => format!("cannot read what `cargo metadata` printed: {other}"),
    };
    // The cause is kept by its kind alone: cargo quotes the lines of a broken manifest, and one may hold a password.
    let cause = match error {
        cargo_metadata::Error::CargoMetadata { .. } => {
            cargo_metadata::Error::CargoMetadata { stderr: String::new() }
        }
        other => other,
    };
    Error::new(Kind::Program, message).because(cause)
}

/// Returns cargo's text without the values in the lines of a manifest that it quotes, and without what stands in a URL
/// before its last `@`.
fn without_secrets(text: &str) -> String {
    let value = regex::Regex::new(r"(?m)^([[:space:]]*[0-9]+[[:space:]]*\|[^=\n]*=).*$");
    let value = value.expect("the pattern is a constant that parses");
    let url = regex::Regex::new(r#"://[^[:space:]"'`]*@"#).expect("the pattern is a constant that parses");
    url.replace_all(&value.replace_all(text, "$1 ..."), "://***@").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_quotes_of_a_manifest_hides_passwords() {
        let text = "invalid string\n --> Cargo.toml:3:7\n  |\n3 | url = \"postgres://app:s3cret\n  |    ^\n";
        let expected = "invalid string\n --> Cargo.toml:3:7\n  |\n3 | url = ...\n  |    ^\n";
        assert_eq!(without_secrets(text), expected);
        assert_eq!(without_secrets("see postgres://app:s3c@ret@h/db"), "see postgres://***@h/db");
    }
}
