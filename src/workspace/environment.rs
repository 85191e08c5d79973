//! Variables and where they come from: the process, `.env.<env>`, `.env`, and `[env]` of cargo's configuration, which
//! cargo does not hand to its subcommands. The process environment is only read, never changed.

use std::collections::{BTreeMap, btree_map};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use dbsetup::error::Site;
use dbsetup::{Error, Kind, Result};
use regex::{Captures, Regex};
use toml::de::{DeTable, DeValue};

use super::origin::Origin;
use super::place;
use dbsetup::expand::environment_only;

/// The variables of the process.
pub type Process = BTreeMap<String, OsString>;

/// A file that sets variables. It holds secrets, and so has no `Debug`.
#[derive(Clone)]
pub struct VariableFile {
    /// As a person at the workspace root would type it.
    shown: PathBuf,
    kind: FileKind,
    values: BTreeMap<String, String>,
    /// What a value needs and nobody sets: an error only for whoever asks for it.
    unset: BTreeMap<String, String>,
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
                    file.refuse_unset(name)?;
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

    /// Refuses a value that is not whole. The value itself may be a secret.
    fn refuse_unset(&self, name: &str) -> Result<()> {
        let Some(needed) = self.unset.get(name) else { return Ok(()) };
        let file = self.shown.display();
        let error = if needed.chars().all(|c| c.is_alphanumeric() || c == '_') && !needed.is_empty() {
            let message = format!("`{name}` in `{file}` needs the variable `{needed}`, which is not set");
            Error::new(Kind::Configuration, message).help(format!(
                "set `{needed}` in the environment or in a line above; a `$` that is meant literally stands in single quotes: {name}='...'"
            ))
        } else {
            let message = format!("`{name}` in `{file}` has a `$` without the name of a variable");
            Error::new(Kind::Configuration, message)
                .note("such a file takes `$NAME` and `${NAME}`, and no defaults")
                .help(format!("put a `$` that is meant literally in single quotes: {name}='...'"))
        };
        Err(error)
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
pub fn dotenv_files(
    crate_dir: &Path,
    root: &Path,
    environment: &str,
    process: &Process,
) -> Result<Vec<VariableFile>> {
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
            let Parsed { values, unset } = parse_dotenv(&text, &shown, process)?;
            files.push(VariableFile { shown, kind, values, unset });
        }
    }
    Ok(files)
}

/// The values of a `.env` file, and what some of them need.
#[derive(Default)]
struct Parsed {
    values: BTreeMap<String, String>,
    unset: BTreeMap<String, String>,
}

/// Parses a `.env` file; as everywhere, the first of two lines with one name counts.
fn parse_dotenv(text: &str, shown: &Path, process: &Process) -> Result<Parsed> {
    let mut parsed = Parsed::default();
    let (marked, references) = mark_references(text.trim_start_matches('\u{feff}'));
    // What a reference on the next line stands for: the last line with that name.
    let mut above: BTreeMap<String, String> = BTreeMap::new();
    for entry in dotenvy::from_read_iter(marked.as_bytes()) {
        match entry {
            Ok((name, _)) if name.starts_with(MARK) => {}
            Ok((name, mut value)) => {
                let mut unset = None;
                for (at, reference) in references.iter().enumerate() {
                    // Between single quotes it is text.
                    value = value.replace(&format!("${{{MARK}{at}}}"), reference);
                    if value.contains(&stand_in(at)) {
                        let wanted = reference.trim_start_matches(['$', '{']).trim_end_matches('}');
                        let of_process = process.get(wanted).and_then(|value| value.to_str());
                        let found = of_process.or_else(|| above.get(wanted).map(String::as_str));
                        if found.is_none() {
                            unset = Some(wanted.to_owned());
                        }
                        value = value.replace(&stand_in(at), found.unwrap_or_default());
                    }
                }
                above.insert(name.clone(), value.clone());
                if let btree_map::Entry::Vacant(entry) = parsed.values.entry(name.clone()) {
                    // With nothing in its place the value may be empty, which would count as not set.
                    entry.insert(if unset.is_some() && value.is_empty() { "$".to_owned() } else { value });
                    parsed.unset.extend(unset.map(|unset| (name, unset)));
                }
            }
            Err(dotenvy::Error::LineParse(line, _)) => {
                let line = references
                    .iter()
                    .enumerate()
                    .fold(line, |line, (at, reference)| line.replace(&format!("${{{MARK}{at}}}"), reference));
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
    Ok(parsed)
}

/// How the name of a variable begins that stands for a reference to another one.
const MARK: &str = "DBSETUPREFERENCE";

/// What a reference expands to until it is known what for. No value has such a character.
fn stand_in(at: usize) -> String {
    format!("\u{1}{at}\u{2}")
}

/// Returns the text with every reference to a variable (`$NAME`, `${NAME}`) replaced by one to a variable that its
/// first lines set, and the references: the parser itself puts nothing in the place of an unset one.
fn mark_references(text: &str) -> (String, Vec<String>) {
    let pattern = Regex::new(r"\\.|\$\{[^}\n]*\}|\$[0-9A-Za-z]*");
    let pattern = pattern.expect("the pattern is a constant that parses");
    let mut references = Vec::new();
    let marked = pattern.replace_all(text, |found: &Captures<'_>| {
        if found[0].starts_with('\\') {
            return found[0].to_owned();
        }
        references.push(found[0].to_owned());
        format!("${{{MARK}{}}}", references.len() - 1)
    });
    let lines: String = (0..references.len()).map(|at| format!("{MARK}{at}='{}'\n", stand_in(at))).collect();
    (lines + &marked, references)
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
            files.push(VariableFile { shown, kind: FileKind::Cargo, values, unset: BTreeMap::new() });
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

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<VariableFile> {
        let process = Process::from([("HOST".to_owned(), OsString::from("db"))]);
        let Parsed { values, unset } = parse_dotenv(text, Path::new(".env"), &process)?;
        Ok(VariableFile { shown: ".env".into(), kind: FileKind::DotEnv, values, unset })
    }

    #[test]
    fn references_are_put_in_and_quoted_dollars_stay() {
        let file = file(concat!(
            "A=a\n",
            "B=${A}-$HOST-${HOST}\n",
            "C='${A}$x$'\n",
            "D=\"${A} x\" # ${NONE}\n",
            "E=a\\$A\n",
            "export F=$A/b\n",
        ))
        .expect("it parses");
        let value = |name: &str| file.values[name].as_str();
        assert_eq!(
            [value("B"), value("C"), value("D"), value("E"), value("F")],
            ["a-db-db", "${A}$x$", "a x", "a$A", "a/b"]
        );
        assert!(file.unset.is_empty(), "{:?}", file.unset);
    }

    #[test]
    fn an_unset_variable_is_an_error_for_whoever_asks() {
        let file = file("A=s3cret${NONE}\nB=s3cret$/x\nC=${HOST:-x}\nD=$NONE\nE=b\n").expect("it parses");
        let process = Process::new();
        let variables = Variables::new("dev", &process, vec![file]);
        for (name, needed) in [("A", "`NONE`"), ("B", "has a `$`"), ("C", "defaults"), ("D", "`NONE`")] {
            let error = variables.get(name).err().expect("it needs a variable").to_string();
            assert!(error.contains(needed) && error.contains(".env") && !error.contains("s3cret"), "{error}");
        }
        assert!(variables.get("E").is_ok_and(|found| found.is_some()));
    }
}
