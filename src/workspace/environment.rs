//! Variables and where they come from: the process, `.env.<env>`, `.env`, and `[env]` of cargo's configuration, which
//! cargo does not hand to its subcommands. The process environment is only read, never changed.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dbsetup::error::Site;
use dbsetup::{Error, Kind, Result};
use toml::de::{DeTable, DeValue};

use super::expand::environment_only;
use super::origin::Origin;
use super::place;

/// The variables of the process.
pub type Process = BTreeMap<String, OsString>;

/// A file that sets variables. It holds secrets, and so has no `Debug`.
#[derive(Clone)]
pub struct VariableFile {
    /// As a person at the workspace root would type it.
    shown: PathBuf,
    kind: FileKind,
    values: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FileKind {
    /// `.env.<env>`.
    DotEnvOfOne,
    /// `.env`, which speaks of `dev` unless a value says otherwise.
    DotEnv,
    /// `.cargo/config.toml`.
    Cargo,
}

/// The variables that count for one crate in one environment.
pub struct Variables<'a> {
    environment: &'a str,
    process: &'a Process,
    files: Vec<VariableFile>,
}

/// A variable that was found.
#[derive(Clone)]
pub struct Found {
    /// Its value, `{env}` replaced.
    pub value: String,
    /// Where it was found.
    pub origin: Origin,
}

impl<'a> Variables<'a> {
    /// Joins the process's variables with files, in the order in which they are asked.
    pub fn new(environment: &'a str, process: &'a Process, files: Vec<VariableFile>) -> Self {
        Self { environment, process, files }
    }

    /// Returns the first of `names` that is set and not empty, asking one source after the other.
    ///
    /// # Errors
    /// A variable of the process that is not Unicode.
    pub fn first_of(&self, names: &[String]) -> Result<Option<Found>> {
        for name in names {
            if let Some(value) = self.process.get(name) {
                let value = value.to_str().ok_or_else(|| {
                    Error::new(Kind::Configuration, format!("the variable `{name}` is not valid Unicode"))
                })?;
                if !value.is_empty() {
                    let value = environment_only(value, self.environment);
                    return Ok(Some(Found { value, origin: Origin::Variable(name.clone()) }));
                }
            }
        }
        for file in &self.files {
            for name in names {
                if let Some(value) = file.values.get(name).filter(|value| !value.is_empty())
                    && file.speaks_of(self.environment, value)
                {
                    let value = environment_only(value, self.environment);
                    return Ok(Some(Found { value, origin: file.origin(name) }));
                }
            }
        }
        Ok(None)
    }

    /// Returns the variable `name`, set to anything but nothing.
    pub fn get(&self, name: &str) -> Result<Option<Found>> {
        self.first_of(&[name.to_owned()])
    }

    /// The names of `names` that `.env` sets for `dev` only, with the file: why a variable is "missing" all the same.
    pub fn held_back(&self, names: &[String]) -> Vec<(PathBuf, String)> {
        let files = self.files.iter().flat_map(|file| names.iter().map(move |name| (file, name)));
        files
            .filter(|(file, name)| {
                let value = file.values.get(*name).filter(|value| !value.is_empty());
                value.is_some_and(|value| !file.speaks_of(self.environment, value))
            })
            .map(|(file, name)| (file.shown.clone(), name.clone()))
            .collect()
    }

    /// The files that were asked.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(|file| file.shown.as_path())
    }
}

impl VariableFile {
    fn speaks_of(&self, environment: &str, value: &str) -> bool {
        self.kind != FileKind::DotEnv || environment == super::DEFAULT_ENVIRONMENT || value.contains("{env}")
    }

    fn origin(&self, variable: &str) -> Origin {
        let (path, variable) = (self.shown.clone(), variable.to_owned());
        match self.kind {
            FileKind::DotEnvOfOne | FileKind::DotEnv => Origin::DotEnv { path, variable },
            FileKind::Cargo => Origin::CargoConfig { path, variable },
        }
    }
}

/// Reads the nearest `.env.<environment>` and the nearest `.env`, upward from `crate_dir`.
///
/// The search ends at the root of the repository that the workspace lies in (the directory with `.git`), or at the
/// workspace's root where there is none: a `.env` in a home directory is somebody else's.
pub fn dotenv_files(crate_dir: &Path, root: &Path, environment: &str) -> Result<Vec<VariableFile>> {
    let ceiling = root.ancestors().find(|dir| dir.join(".git").exists()).unwrap_or(root);
    let mut dirs: Vec<&Path> = Vec::new();
    if crate_dir.starts_with(ceiling) {
        dirs.extend(crate_dir.ancestors().take_while(|dir| dir.starts_with(ceiling)));
    } else {
        // A member beside the workspace.
        dirs.push(crate_dir);
        dirs.extend(root.ancestors().take_while(|dir| dir.starts_with(ceiling)));
    }
    let names =
        [(format!(".env.{environment}"), FileKind::DotEnvOfOne), (".env".to_owned(), FileKind::DotEnv)];
    let mut files = Vec::new();
    for (name, kind) in names {
        let found = dirs.iter().map(|dir| dir.join(&name)).find(|path| path.is_file());
        if let Some(path) = found {
            let shown = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
            let text = std::fs::read_to_string(&path).map_err(|cause| Error::io("read", &shown, cause))?;
            files.push(VariableFile { values: parse_dotenv(&text, &shown)?, shown, kind });
        }
    }
    Ok(files)
}

/// Parses a `.env` file; as everywhere, the first of two lines with one name counts.
fn parse_dotenv(text: &str, shown: &Path) -> Result<BTreeMap<String, String>> {
    let mut values = BTreeMap::new();
    for entry in dotenvy::from_read_iter(text.trim_start_matches('\u{feff}').as_bytes()) {
        match entry {
            Ok((name, value)) => {
                values.entry(name).or_insert(value);
            }
            Err(dotenvy::Error::LineParse(line, _)) => {
                let first = line.lines().next().unwrap_or_default();
                let start = text.find(first).unwrap_or(0);
                let mut site = Site::in_text(shown, text, start..start);
                // Nothing of the line but a name: what follows may be a password.
                let name: String = first.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
                site.excerpt = if name.len() < first.trim_end().len()
                    && first[name.len()..].trim_start().starts_with('=')
                {
                    format!("{name}=...")
                } else {
                    "...".to_owned()
                };
                (site.at.column, site.width) = (1, 1);
                return Err(Error::new(Kind::Configuration, "this line is not `NAME=value`").at(site).help(
                    "quote a value that holds spaces, `#`, `$` or quotes: NAME='value'; or pass --no-dotenv",
                ));
            }
            Err(cause) => {
                return Err(Error::new(Kind::Configuration, format!("cannot read `{}`", shown.display()))
                    .because(cause));
            }
        }
    }
    Ok(values)
}

/// Reads `[env]` of every `.cargo/config.toml` from `current_dir` upward, and of cargo's home: cargo's own places.
///
/// `force = true` changes nothing here: the process's variables always come first.
pub fn cargo_files(current_dir: &Path, root: &Path, process: &Process) -> Result<Vec<VariableFile>> {
    let mut dirs: Vec<PathBuf> = current_dir.ancestors().map(|dir| dir.join(".cargo")).collect();
    let home = |name: &str| process.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let cargo_home = home("CARGO_HOME")
        .or_else(|| home("HOME").or_else(|| home("USERPROFILE")).map(|home| home.join(".cargo")));
    if let Some(cargo_home) = cargo_home.filter(|dir| !dirs.contains(dir)) {
        dirs.push(cargo_home);
    }
    let mut files = Vec::new();
    for dir in dirs {
        // The name without a suffix is older, and wins in cargo too.
        let Some(path) =
            ["config", "config.toml"].map(|name| dir.join(name)).into_iter().find(|path| path.is_file())
        else {
            continue;
        };
        let shown = path.strip_prefix(root).unwrap_or(&path).to_path_buf();
        let text = std::fs::read_to_string(&path).map_err(|cause| Error::io("read", &shown, cause))?;
        let values = parse_cargo_env(&text, dir.parent().unwrap_or(&dir))
            .map_err(|error| place::unreadable(&path, root, &text, &error))?;
        if !values.is_empty() {
            files.push(VariableFile { shown, kind: FileKind::Cargo, values });
        }
    }
    Ok(files)
}

fn parse_cargo_env(text: &str, relative_to: &Path) -> Result<BTreeMap<String, String>, toml::de::Error> {
    let document = DeTable::parse(text)?;
    let mut values = BTreeMap::new();
    let Some(table) = document.get_ref().get("env").and_then(|env| env.get_ref().as_table()) else {
        return Ok(values);
    };
    for (name, value) in table {
        let (value, relative) = match value.get_ref() {
            DeValue::Table(table) => (
                table.get("value").and_then(|value| value.get_ref().as_str()),
                table.get("relative").and_then(|value| value.get_ref().as_bool()).unwrap_or(false),
            ),
            other => (other.as_str(), false),
        };
        if let Some(value) = value {
            let value =
                if relative { relative_to.join(value).display().to_string() } else { value.to_owned() };
            values.insert(name.get_ref().to_string(), value);
        }
    }
    Ok(values)
}
