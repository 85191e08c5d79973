//! The door of a build script.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::absent;
use crate::code::{self, Embedded};
use crate::digest::digest;
use crate::files::{self, Files, parent};
use crate::layout::{self, Home};
use crate::metadata::Workspace;
use crate::problem::{Problem, Result};
use crate::settings::{self, Settings};
use crate::tables::{Config, Table};

/// Environments that every binary knows.
const USUAL: [&str; 3] = ["dev", "test", "prod"];

/// A repo that was read, before anything is written.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Its name, as the manifests write it.
    pub name: String,
    /// The checksum of everything that is embedded, hexadecimal.
    pub digest: String,
    /// The directory of the crate that owns it.
    pub dir: PathBuf,
    /// The paths from `dir` of the files that are embedded, with `/`; one that ends with `/` is an empty directory.
    pub files: Vec<String>,
    code: String,
    contents: Vec<u8>,
    watched: Watched,
    general: Lines,
    environments: Vec<(String, Lines)>,
}

/// Settings as fields of `EmbeddedSettings` and the Rust expressions of their values.
type Lines = Vec<(&'static str, String)>;

impl Prepared {
    /// Returns the settings of an environment: the fields of `EmbeddedSettings` and the Rust expressions of their
    /// values, paths relative to [`Prepared::dir`].
    pub fn settings(&self, environment: &str) -> &[(&'static str, String)] {
        let own = self.environments.iter().find(|(name, _)| name == environment);
        own.map_or(&self.general, |(_, settings)| settings)
    }
}

/// What makes cargo run the build script again.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Watched {
    /// Files, and directories with all that is in them; and files that are not there, whose coming counts.
    Paths { there: BTreeSet<PathBuf>, absent: BTreeSet<PathBuf> },
    /// Every file of the package, as cargo does where a build script names none: the files stand right in its
    /// directory, where nothing smaller would show an added one.
    Package,
}

/// Puts the repo of that name into the crate that is built, for `dbsetup::embed!(name)`. To be called from its build
/// script; what stops it fails the build with what is wrong, where, and what to do.
pub fn embed(name: &str) {
    if let Err(problem) = written(name) {
        // Cargo fails the build by itself, and shows these lines alone.
        println!("cargo::error={}", problem.message());
        for note in problem.notes() {
            println!("cargo::error=  note: {note}");
        }
        if let Some(help) = problem.help_text() {
            println!("cargo::error=  help: {help}");
        }
    }
}

fn written(name: &str) -> Result<()> {
    /// What this build script has embedded so far.
    static EMBEDDED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let variable = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).ok_or_else(|| {
            Problem::new(format!("the variable `{name}` is not set"))
                .help("call `dbsetup_build::embed` from a build script (build.rs)")
        })
    };
    let (dir, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let prepared = prepare(&dir, name)?;
    write(&out.join(format!("dbsetup_{name}.bin")), &prepared.contents)?;
    write(&out.join(format!("dbsetup_{name}.rs")), prepared.code.as_bytes())?;
    let mut embedded = EMBEDDED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    embedded.push(name.to_owned());
    // `embed!()` is the only one.
    let only = match &embedded[..] {
        [_] => prepared.code.clone(),
        names => format!(
            "compile_error!({:?})",
            format!("the build script embeds {}: name one, `dbsetup::embed!(\"{name}\")`", names.join(", "))
        ),
    };
    write(&out.join("dbsetup_.rs"), only.as_bytes())?;
    if let Watched::Paths { there, absent } = &prepared.watched {
        let links = out.join(format!("dbsetup_{name}.absent"));
        let looked_for = if absent::watch(&links, absent) { Some(&links) } else { None };
        for path in there.iter().chain(looked_for) {
            println!("cargo::rerun-if-changed={}", path.display());
        }
    }
    Ok(())
}

/// A file that says the same is not touched.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if std::fs::read(path).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    std::fs::write(path, bytes).map_err(|error| Problem::io("write", path, &error))
}

/// Reads a repo as it would be embedded into the package in `package_dir`.
///
/// # Errors
/// A [`Problem`]: no such repo, two of one name, a setting of a wrong type, no files, text that is not UTF-8, a link that
/// leaves the repo's directories.
pub fn prepare(package_dir: &Path, name: &str) -> Result<Prepared> {
    if !layout::is_name(name) {
        return Err(Problem::new(format!("`{name}` is no name for a repo"))
            .help("use letters, digits, `-` and `_`: `dbsetup_build::embed(\"core\")`"));
    }
    let workspace = Workspace::read(package_dir)?;
    let config = Config::read(&workspace)?;
    let homes = layout::homes(&workspace.root, &workspace.members);
    let bare_root = Home { package: None, dir: &workspace.root, dependencies: BTreeSet::new() };
    let owned = settings::find(name, package_dir, &workspace, &config, &homes, &bare_root)?;
    let dir = owned.home.dir;

    let mut names: BTreeSet<String> = USUAL.map(str::to_owned).into();
    names.extend(config.disposable.iter().cloned());
    names.extend(owned.tables.iter().flat_map(Table::environments));
    let resolve = |environment: &str| owned.settings(environment, &homes, &workspace.root);
    // No environment has this name: what is left is what holds in all of them.
    let base = resolve("{env}")?;
    let mut environments: Vec<(String, Settings)> = Vec::new();
    for environment in names {
        let settings = resolve(&environment)?;
        if base.by_environment || settings != base {
            // It is known here which paths these are.
            environments.push((environment, Settings { by_environment: false, ..settings }));
        }
    }
    let all: Vec<&Settings> = environments.iter().map(|(_, settings)| settings).collect();
    // Where every path names the environment, the base is no place.
    let places: Vec<&Settings> =
        if base.by_environment { all.clone() } else { std::iter::once(&base).chain(all).collect() };
    let files = files::read(&owned.name, &places, dir)?;

    let general = base.lines(dir)?;
    let mut of_environments = Vec::new();
    for (environment, settings) in &environments {
        of_environments.push((environment.clone(), settings.lines(dir)?));
    }
    let digest = digest(&canonical(&config.disposable, &general, &of_environments), &files);
    let blob = format!("dbsetup_{name}.bin");
    let code = code::expression(&Embedded {
        name: &owned.name,
        digest: &digest,
        disposable: &config.disposable,
        settings: &general,
        environments: &of_environments,
        files: &files,
        blob: &blob,
    });
    Ok(Prepared {
        watched: watched(&owned, &places, &workspace, package_dir, &files),
        name: owned.name.clone(),
        digest,
        dir: dir.to_path_buf(),
        contents: files.values().flatten().copied().collect(),
        files: files.into_keys().collect(),
        code,
        general,
        environments: of_environments,
    })
}

/// The settings as the digest takes them.
fn canonical(
    disposable: &[String],
    general: &[(&'static str, String)],
    environments: &[(String, Lines)],
) -> String {
    let mut text = format!("disposable = {disposable:?}\n");
    let mut add = |environment: &str, settings: &[(&'static str, String)]| {
        text.push_str(&format!("[{environment}]\n"));
        settings.iter().for_each(|(key, value)| text.push_str(&format!("{key} = {value}\n")));
    };
    add("", general);
    environments.iter().for_each(|(name, settings)| add(name, settings));
    text
}

fn watched(
    owned: &settings::Owned<'_>,
    places: &[&Settings],
    workspace: &Workspace,
    package_dir: &Path,
    files: &Files,
) -> Watched {
    let dir = owned.home.dir;
    let is_in_package = |path: &Path| path.starts_with(package_dir);
    // Cargo reads a directory with all below it: that of a crate may hold what the build itself writes.
    let is_wide = |path: &Path| dir.starts_with(path) || package_dir.starts_with(path);
    let mut paths: BTreeSet<PathBuf> =
        [dir.join("Cargo.toml"), workspace.root.join("Cargo.toml"), package_dir.join("Cargo.toml")].into();
    let tools = ["sqlx.toml", "diesel.toml", "refinery.toml"];
    let tools: BTreeSet<PathBuf> =
        tools.iter().flat_map(|tool| [dir.join(tool), workspace.root.join(tool)]).collect();
    paths.extend(tools.iter().cloned());
    let mut is_whole = false;
    for settings in places {
        if is_wide(&settings.priv_dir) {
            is_whole = true;
            paths.extend(["seeds.sql", "seeds"].map(|name| settings.priv_dir.join(name)));
        } else {
            paths.insert(settings.priv_dir.clone());
        }
        paths.extend(settings.lanes().cloned());
        paths.extend([settings.structure.clone(), settings.structure.with_extension("floor")]);
        if !settings.structure.starts_with(&settings.priv_dir) && !is_wide(parent(&settings.structure)) {
            paths.insert(parent(&settings.structure).to_path_buf());
        }
        if settings.ledger_kind.is_none() {
            // A macro in a source may speak for a ledger.
            paths.insert(dir.join("src"));
        }
    }
    let all_inside = || files.keys().all(|path| is_in_package(&crate::paths::clean(&dir.join(path))));
    if is_whole && all_inside() {
        return Watched::Package;
    }
    // What is not there would have cargo run the script at every build.
    paths.retain(|path| path.exists() && !is_wide(path));
    Watched::Paths { there: paths, absent: tools.into_iter().filter(|path| !path.exists()).collect() }
}

#[cfg(test)]
mod tests;
