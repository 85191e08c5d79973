//! Cargo's side: which repos a workspace has, and what every setting of them is. Reads manifests, variables and
//! directories; opens no database, changes nothing.

mod aliases;
mod environment;
#[cfg(test)]
mod fixture;
mod keys;
mod layout;
mod links;
mod manifest;
mod metadata;
mod origin;
mod place;
mod reader;
mod resolve;
mod selection;
mod settings;
#[cfg(test)]
mod tests;
mod tools;
mod url;

use std::path::PathBuf;

use dbsetup::repo::{DatabaseUrl, RepoName, is_name};
use dbsetup::{Error, Kind, Result};

pub use aliases::Alias;
pub use environment::Process;
pub use manifest::nearest;
#[cfg(test)]
pub use metadata::member_for_tests;
pub use metadata::{Member, Native, is_cargo_failure};
pub use origin::Origin;
pub use resolve::{ProgramVariables, ResolvedRepo};

use manifest::{Manifest, RepoTable};
use place::Place;

/// The environment where nobody names one.
pub const DEFAULT_ENVIRONMENT: &str = "dev";

/// Cargo's flags that are passed on to `cargo metadata`.
#[derive(Debug, Clone, Copy, Default)]
pub struct CargoFlags {
    pub offline: bool,
    pub locked: bool,
    pub frozen: bool,
}

impl CargoFlags {
    fn to_options(self) -> Vec<String> {
        let flags = [(self.offline, "--offline"), (self.locked, "--locked"), (self.frozen, "--frozen")];
        flags.into_iter().filter(|(given, _)| *given).map(|(_, flag)| flag.to_owned()).collect()
    }
}

/// What the command line and the process ask for. It holds secrets, and so has no `Debug`.
#[derive(Clone, Default)]
pub struct Request {
    /// `--manifest-path`.
    pub manifest_path: Option<PathBuf>,
    /// Where the command runs; absolute.
    pub current_dir: PathBuf,
    /// `--env`.
    pub environment: Option<String>,
    /// `--repo`.
    pub repos: Vec<String>,
    /// `--package`.
    pub packages: Vec<String>,
    /// `--workspace`.
    pub workspace: bool,
    /// `--exclude`.
    pub exclude: Vec<String>,
    /// `--database-url`.
    pub database_url: Option<DatabaseUrl>,
    /// `--no-dotenv`.
    pub no_dotenv: bool,
    /// `--offline`, `--locked`, `--frozen`.
    pub cargo_flags: CargoFlags,
    /// The variables of the process.
    pub variables: Process,
}

impl Request {
    /// Returns a request without flags, with the directory and the variables of this process.
    ///
    /// # Errors
    /// [`Kind::Io`] when the current directory is gone.
    pub fn of_process() -> Result<Self> {
        let current_dir = std::env::current_dir()
            .map_err(|cause| Error::new(Kind::Io, "cannot tell the current directory").because(cause))?;
        let variables =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value)));
        Ok(Self { current_dir, variables: variables.collect(), ..Self::default() })
    }

    /// Returns the environment that is asked for: `--env`, else `DBSETUP_ENV`, else `dev`.
    ///
    /// # Errors
    /// [`Kind::Configuration`] for a name that cannot stand in a file name.
    pub fn environment(&self) -> Result<String> {
        let (name, source) = match (&self.environment, self.variable("DBSETUP_ENV")?) {
            (Some(name), _) => (name.clone(), "--env"),
            (None, Some(name)) => (name, "the variable `DBSETUP_ENV`"),
            (None, None) => (DEFAULT_ENVIRONMENT.to_owned(), ""),
        };
        if is_name(&name) {
            return Ok(name);
        }
        Err(Error::new(Kind::Configuration, format!("`{name}` is no name for an environment"))
            .note(format!("it comes from {source}"))
            .help("use letters, digits, `-` and `_`"))
    }

    /// Returns a variable of the process that is set to something.
    fn variable(&self, name: &str) -> Result<Option<String>> {
        match self.raw_variable(name) {
            None => Ok(None),
            Some(value) if value.is_empty() => Ok(None),
            Some(value) => match value.to_str() {
                Some(value) => Ok(Some(value.to_owned())),
                None => Err(Error::new(
                    Kind::Configuration,
                    format!("the variable `{name}` is not valid Unicode"),
                )),
            },
        }
    }

    fn raw_variable(&self, name: &str) -> Option<&std::ffi::OsString> {
        self.variables.get(name)
    }

    /// Returns the manifest that is asked for, absolute.
    fn manifest(&self) -> Option<PathBuf> {
        self.manifest_path.as_ref().map(|path| self.current_dir.join(path))
    }
}

/// What the manifests say about the workspace as a whole.
#[derive(Debug, Clone)]
pub struct WorkspaceConfig {
    /// Environments whose databases may be dropped.
    pub disposable_environments: Vec<String>,
    /// Where that was said.
    pub disposable_origin: Origin,
    /// The aliases as written, in the order of their names; built-in ones are not among them.
    pub aliases: Vec<Alias>,
}

/// A workspace: its members, its configuration, and the repos that were declared.
pub struct Workspace {
    /// The workspace's root directory.
    pub root: PathBuf,
    /// Where cargo builds.
    pub target: PathBuf,
    /// Its packages, in cargo's order.
    pub members: Vec<Member>,
    /// What holds for all of it.
    pub config: WorkspaceConfig,
    /// Empty where the layout speaks.
    declared: Vec<Declared>,
}

/// A repo that a manifest names.
struct Declared {
    name: RepoName,
    /// The index of the member that owns it; `None` for files that no package owns.
    member: Option<usize>,
    /// The package's table, then the workspace's.
    tables: Vec<RepoTable>,
}

impl Workspace {
    /// The directory of migrations that sqlx means in a package where none is named.
    pub fn sqlx_migrations(&self, member: &Member) -> PathBuf {
        // A file that cannot be read has been told of.
        let tools = tools::look(&member.dir, &member.dir).ok();
        let named = tools.and_then(|tools| tools.sqlx).map(|sqlx| sqlx.migrations);
        named.unwrap_or_else(|| member.dir.join("migrations"))
    }

    /// Asks cargo about the workspace, and reads every `metadata.dbsetup` table in it.
    ///
    /// # Errors
    /// [`is_cargo_failure`] tells cargo's own failures (exit code 101) from [`Kind::Configuration`]: an unknown key, a
    /// wrong type, two repos of one name.
    pub fn discover(request: &Request) -> Result<Self> {
        let cargo = metadata::read(request)?;
        let root_manifest = cargo.root.join("Cargo.toml");
        let place = |file, table| Place::new(file, &cargo.root, &[table, "metadata", "dbsetup"]);
        let mut whole = manifest::read(&cargo.metadata, &place(&root_manifest, "workspace"))?;
        let mut declared: Vec<Declared> = Vec::new();
        for (index, member) in cargo.members.iter().enumerate() {
            let mut own = manifest::read(&member.metadata, &place(&member.manifest, "package"))?;
            for table in std::mem::take(&mut own.repos) {
                if let Some(twin) =
                    declared.iter().find(|known| manifest::same_variables(&known.name, &table.name))
                {
                    return Err(manifest::duplicate(&table, &twin.tables[0]));
                }
                declared.push(Declared {
                    name: table.name.clone(),
                    member: Some(index),
                    tables: vec![table],
                });
            }
            merge(&mut whole, own, member.manifest == root_manifest)?;
        }
        // What the workspace says about a package's repo are defaults of that repo.
        for table in whole.repos {
            match declared.iter_mut().find(|known| manifest::same_variables(&known.name, &table.name)) {
                Some(known) => known.tables.push(table),
                None => {
                    declared.push(Declared { name: table.name.clone(), member: None, tables: vec![table] });
                }
            }
        }
        let (disposable_environments, disposable_origin) = match whole.disposable_environments {
            Some((names, place)) => (names, Origin::of_place(&place)),
            None => (vec!["dev".to_owned(), "test".to_owned()], Origin::Default),
        };
        let mut aliases = whole.aliases;
        aliases.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(Self {
            root: cargo.root,
            target: cargo.target,
            members: cargo.members,
            config: WorkspaceConfig { disposable_environments, disposable_origin, aliases },
            declared,
        })
    }
}

/// Adds what a package says about the whole workspace, which only the package at its root may.
fn merge(whole: &mut Manifest, own: Manifest, is_root: bool) -> Result<()> {
    if let Some((names, place)) = own.disposable_environments {
        if !is_root {
            return Err(only_at_the_root(
                place.error_at_key("`disposable-environments` holds for a whole workspace"),
            ));
        }
        if whole.disposable_environments.is_some() {
            return Err(place
                .error_at_key("`disposable-environments` is given twice")
                .help("keep the one in `workspace.metadata.dbsetup`"));
        }
        whole.disposable_environments = Some((names, place));
    }
    for alias in own.aliases {
        if !is_root {
            return Err(only_at_the_root(alias.error("aliases hold for a whole workspace")));
        }
        if whole.aliases.iter().any(|known| known.name == alias.name) {
            return Err(alias
                .error(format!("the alias `{}` is given twice", alias.name))
                .help("keep the one in `workspace.metadata.dbsetup.aliases`"));
        }
        whole.aliases.push(alias);
    }
    Ok(())
}

fn only_at_the_root(error: Error) -> Error {
    error.help("move it to `workspace.metadata.dbsetup` in the Cargo.toml at the root")
}
