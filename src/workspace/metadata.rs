//! What `cargo metadata --no-deps` says: the members, where they are, and their `metadata` tables. No network, and no
//! lock file is written.

use std::collections::BTreeSet;
use std::error::Error as _;
use std::path::{Path, PathBuf};

use cargo_metadata::{Dependency, DependencyKind, MetadataCommand, Package};
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
    /// Those of them that its own code uses.
    pub in_code: BTreeSet<String>,
    /// Those of its build script.
    pub in_build: BTreeSet<String>,
    /// Those of both that are on this machine, by path.
    pub local: BTreeSet<String>,
    /// The databases that its crates for databases are built for, by its own manifest; empty where it does not say.
    pub databases: BTreeSet<&'static str>,
    /// The names of its programs, sorted.
    pub binaries: Vec<String>,
    /// The program that `cargo run` means.
    pub default_run: Option<String>,
    /// What its code is linked with.
    pub native: Native,
    /// `package.metadata`.
    pub(super) metadata: Json,
}

/// The system's libraries that the crates of a package ask for, by its own manifest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Native {
    /// PostgreSQL's client library.
    pub libpq: bool,
    /// It is built along.
    pub own_libpq: bool,
    /// OpenSSL.
    pub openssl: bool,
    /// It is built along.
    pub own_openssl: bool,
}

/// What cargo knows about the workspace.
pub struct CargoMetadata {
    /// The workspace's root directory.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
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
            in_code: named(&package.dependencies, |dependency| dependency.kind == DependencyKind::Normal),
            in_build: named(&package.dependencies, |dependency| dependency.kind == DependencyKind::Build),
            local: named(&package.dependencies, |dependency| {
                dependency.path.is_some() && dependency.kind != DependencyKind::Development
            }),
            databases: package.dependencies.iter().flat_map(databases).collect(),
            binaries: binaries(package),
            default_run: package.default_run.clone(),
            native: native(&package.dependencies),
            metadata: package.metadata.clone(),
        });
    }
    Ok(CargoMetadata {
        root: metadata.workspace_root.into_std_path_buf(),
        target: metadata.target_directory.into_std_path_buf(),
        members,
        metadata: metadata.workspace_metadata,
    })
}

/// Returns the databases that a dependency of the code itself brings.
fn databases(dependency: &Dependency) -> Vec<&'static str> {
    if dependency.kind != DependencyKind::Normal {
        return Vec::new();
    }
    let is_on = |name: &&'static str| dependency.features.iter().any(|feature| feature == name);
    match dependency.name.as_str() {
        "sqlx" | "diesel" | "diesel-async" => {
            ["postgres", "sqlite", "mysql"].into_iter().filter(is_on).collect()
        }
        "rusqlite" => vec!["sqlite"],
        "postgres" | "tokio-postgres" => vec!["postgres"],
        _ => Vec::new(),
    }
}

fn binaries(package: &Package) -> Vec<String> {
    let programs = package.targets.iter().filter(|target| target.is_bin());
    let mut names: Vec<String> = programs.map(|target| target.name.clone()).collect();
    names.sort();
    names
}

fn named(dependencies: &[Dependency], counts: impl Fn(&Dependency) -> bool) -> BTreeSet<String> {
    dependencies.iter().filter(|one| counts(one)).map(|one| one.name.clone()).collect()
}

/// Returns what the dependencies of the code itself are linked with.
fn native(dependencies: &[Dependency]) -> Native {
    let code = || dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    let has = |dependency: &Dependency, feature: &str| dependency.features.iter().any(|name| name == feature);
    let is_tls = |dependency: &Dependency| {
        matches!(dependency.name.as_str(), "openssl" | "openssl-sys" | "native-tls" | "tokio-native-tls")
            || dependency.name == "postgres-native-tls"
            || dependency.features.iter().any(|feature| feature.ends_with("native-tls"))
    };
    Native {
        libpq: code().any(|dependency| dependency.name == "diesel" && has(dependency, "postgres")),
        // Who names it does so for its `bundled`.
        own_libpq: code().any(|dependency| dependency.name == "pq-sys"),
        openssl: code().any(is_tls),
        own_openssl: code().any(|dependency| {
            has(dependency, "vendored")
                || dependency.features.iter().any(|name| name.ends_with("tls-vendored"))
        }),
    }
}

/// Whether `error` is a failure of `cargo metadata` itself; cargo's own exit code for it is 101.
pub fn is_cargo_failure(error: &Error) -> bool {
    error.source().is_some_and(<dyn std::error::Error>::is::<cargo_metadata::Error>)
}

fn failure(error: cargo_metadata::Error) -> Error {
    let mut help = None;
    let message = match error {
        cargo_metadata::Error::CargoMetadata { ref stderr } => {
            let text = stderr.trim();
            let mut text = text.strip_prefix("error: ").unwrap_or(text);
            if let Some(line) = missing_toolchain(text) {
                text = line;
                help = Some(
                    "install it: `rustup toolchain install`; or name one that you have: `cargo +stable dbsetup ...`",
                );
            }
            if text.starts_with("could not find `Cargo.toml`") {
                help = Some(
                    "go to a Cargo package or workspace, make one (`cargo init`), or name one: `--manifest-path PATH`",
                );
            }
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
    let error = Error::new(Kind::Program, message).because(cause);
    match help {
        Some(help) => error.help(help),
        None => error,
    }
}

/// Returns rustup's sentence about a toolchain that the workspace pins and that is not installed. Behind it rustup
/// prints its own help, and with `RUST_BACKTRACE` its own stack. Another toolchain is not taken in silence: which one
/// reads the manifests is for the workspace or the user to say.
fn missing_toolchain(text: &str) -> Option<&str> {
    text.lines().next().filter(|line| line.starts_with("toolchain '") && line.ends_with("is not installed"))
}

/// Returns cargo's text without the values in the lines of a manifest that it quotes, and without what stands in a URL
/// before its last `@`.
fn without_secrets(text: &str) -> String {
    let value = regex::Regex::new(r"(?m)^([[:space:]]*[0-9]+[[:space:]]*\|[^=\n]*=).*$");
    let value = value.expect("the pattern is a constant that parses");
    let url = regex::Regex::new(r#"://[^[:space:]"'`]*@"#).expect("the pattern is a constant that parses");
    url.replace_all(&value.replace_all(text, "$1 ..."), "://***@").into_owned()
}

/// A package with these dependencies and programs.
#[cfg(test)]
pub fn member_for_tests(name: &str, dir: &str, dependencies: &[&str], binaries: &[&str]) -> Member {
    let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
    Member {
        name: name.to_owned(),
        dir: dir.into(),
        manifest: Path::new(dir).join("Cargo.toml"),
        dependencies: owned(dependencies).into_iter().collect(),
        in_code: owned(dependencies).into_iter().collect(),
        in_build: owned(dependencies).into_iter().collect(),
        local: BTreeSet::new(),
        databases: BTreeSet::new(),
        binaries: owned(binaries),
        default_run: None,
        native: Native::default(),
        metadata: Json::Null,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_toolchain_that_is_not_installed_is_told_without_rustups_stack() {
        let stderr = "error: toolchain '1.2.3-x' is not installed\nhelp: run `rustup ..`\n\nStack backtrace:\n   0: main\n";
        let error = failure(cargo_metadata::Error::CargoMetadata { stderr: stderr.to_owned() });
        assert_eq!(error.message(), "`cargo metadata` failed: toolchain '1.2.3-x' is not installed");
        assert!(error.help_text().is_some_and(|help| help.contains("cargo +stable dbsetup")), "{error}");
        let stderr = "error: could not find `Cargo.toml` in `/x` or any parent directory\n".to_owned();
        let error = failure(cargo_metadata::Error::CargoMetadata { stderr });
        assert!(error.help_text().is_some_and(|help| help.contains("--manifest-path")), "{error}");
        let stderr = "error: failed to parse manifest\n\nCaused by:\n  x".to_owned();
        let error = failure(cargo_metadata::Error::CargoMetadata { stderr });
        assert!(error.message().ends_with("Caused by:\n  x") && error.help_text().is_none(), "{error}");
    }

    #[test]
    fn what_cargo_quotes_of_a_manifest_hides_passwords() {
        let text = "invalid string\n --> Cargo.toml:3:7\n  |\n3 | url = \"postgres://app:s3cret\n  |    ^\n";
        let expected = "invalid string\n --> Cargo.toml:3:7\n  |\n3 | url = ...\n  |    ^\n";
        assert_eq!(without_secrets(text), expected);
        assert_eq!(without_secrets("see postgres://app:s3c@ret@h/db"), "see postgres://***@h/db");
    }
}
