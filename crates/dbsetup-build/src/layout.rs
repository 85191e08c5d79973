//! The repos that directories look like, and the ledger that their files speak for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::Ledger;
use crate::paths::{is_inside, same, subdirectories};
use crate::shape::{Shape, shape_of};
use crate::sources::{Named, named_in_sources};

/// What the files of other tools say about a crate.
#[derive(Debug, Default)]
pub struct Tools {
    /// `sqlx.toml` of the crate, or of the workspace's root.
    pub sqlx: Option<SqlxToml>,
    /// The directory that `diesel.toml` speaks of.
    pub diesel: Option<PathBuf>,
    /// Whether there is a `refinery.toml`.
    pub refinery: bool,
}

/// `sqlx.toml`.
#[derive(Debug)]
pub struct SqlxToml {
    /// Where it is.
    pub path: PathBuf,
    /// `common.database-url-var`.
    pub url_variable: Option<String>,
    /// `migrate.table-name`.
    pub table: Option<String>,
    /// `migrate.ignored-chars`: characters that sqlx leaves out of its checksums.
    pub ignored_chars: Vec<char>,
    /// `migrate.migrations-dir`, or sqlx's default.
    pub migrations: PathBuf,
}

/// A place that may own repos: a package, or the root of a workspace where no package is.
pub struct Home<'a> {
    /// The package's name; `None` for a root without one.
    pub package: Option<&'a str>,
    /// Its directory.
    pub dir: &'a Path,
    /// The crates that it uses; at a bare root, those of all members.
    pub dependencies: BTreeSet<&'a str>,
}

/// A member of a workspace, as far as its layout asks.
pub trait Package {
    /// Its name.
    fn name(&self) -> &str;
    /// Its directory.
    fn dir(&self) -> &Path;
    /// The crates that it uses.
    fn dependencies(&self) -> &BTreeSet<String>;
}

/// A directory that looks like a repo's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What the repo would be called.
    pub name: String,
    /// The package that owns it.
    pub package: Option<String>,
    /// The directory of the crate.
    pub dir: PathBuf,
    /// What holds structure and seeds.
    pub priv_dir: PathBuf,
    /// The automatic lane.
    pub migrations: PathBuf,
    /// A structure file that has another name than ours.
    pub structure: Option<PathBuf>,
    /// Whether someone named the directory, or only its name speaks for it; smaller is surer.
    pub doubt: u8,
}

/// Whether a text can be the name of a repo or an environment: it stands in file names and variables.
pub fn is_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

/// Returns the homes of a workspace: its members in their order, and a root without a package.
pub fn homes<'a>(root: &'a Path, members: &'a [impl Package]) -> Vec<Home<'a>> {
    let mut homes: Vec<Home<'a>> = members
        .iter()
        .map(|member| Home {
            package: Some(member.name()),
            dir: member.dir(),
            dependencies: member.dependencies().iter().map(String::as_str).collect(),
        })
        .collect();
    if !members.iter().any(|member| member.dir() == root) {
        let all = members.iter().flat_map(Package::dependencies);
        homes.push(Home { package: None, dir: root, dependencies: all.map(String::as_str).collect() });
    }
    homes
}

impl Home<'_> {
    /// What the only repo here is called where nobody names it.
    pub fn name(&self) -> String {
        let name = match self.package {
            Some(package) => package.to_owned(),
            None => self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        if is_name(&name) { name } else { "repo".to_owned() }
    }

    /// Returns the directories here that look like a repo's; `root` is the workspace's.
    pub fn candidates(&self, root: &Path, tools: &Tools) -> Vec<Candidate> {
        let mut found = Vec::new();
        for dir in subdirectories(&self.dir.join("priv")) {
            let known = ["migrations", "manual_migrations", "structure.sql", "seeds.sql", "seeds"];
            let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if known.iter().any(|entry| dir.join(entry).exists()) && is_name(&name) {
                let migrations = dir.join("migrations");
                found.push(self.candidate(name, dir, migrations, 0));
            }
        }
        let owned: Vec<PathBuf> = found.iter().map(|candidate| candidate.priv_dir.clone()).collect();
        let mut add = |dir: PathBuf, doubt| {
            if !owned.iter().any(|priv_dir| dir.starts_with(priv_dir)) && is_inside(&dir, root) {
                let parent = dir.parent().unwrap_or(self.dir);
                // `migrations/postgres`: the structure does not belong among the migrations.
                let parent = if parent.ends_with("migrations") { parent.parent() } else { Some(parent) };
                let priv_dir = parent.unwrap_or(self.dir).to_path_buf();
                found.push(self.candidate(self.name(), priv_dir, dir, doubt));
            }
        };
        if let Some(sqlx) = tools.sqlx.as_ref().filter(|sqlx| sqlx.path.parent() == Some(self.dir))
            && sqlx.migrations.is_dir()
        {
            add(sqlx.migrations.clone(), 0);
        }
        let named = if self.embeds() { named_in_sources(self.dir) } else { Vec::new() };
        let (for_tests, named): (Vec<Named>, Vec<Named>) =
            named.into_iter().partition(|named| named.for_tests);
        for named in named {
            add(named.dir, 0);
        }
        let diesel = tools.diesel.clone().filter(|dir| dir.starts_with(self.dir));
        for dir in [self.dir.join("migrations"), self.dir.join("db").join("migrations")]
            .into_iter()
            .chain(diesel.clone())
        {
            let doubt = if dir.is_symlink() { 2 } else { 1 };
            if !dir.is_dir() {
                continue;
            }
            if shape_of(&dir) == Shape::Unknown {
                for inner in subdirectories(&dir) {
                    if !matches!(shape_of(&inner), Shape::Unknown | Shape::Empty) {
                        add(inner, doubt);
                    }
                }
            } else {
                add(dir, doubt);
            }
        }
        if let Some(dir) = diesel.filter(|_| found.is_empty()) {
            // Git keeps no empty directory: what diesel.toml names is meant before its first migration, too.
            let priv_dir = dir.parent().unwrap_or(self.dir).to_path_buf();
            found.push(self.candidate(self.name(), priv_dir, dir, 1));
        }
        if found.is_empty() {
            // Tests may run on migrations of their own, so they speak only where nothing else does.
            found.extend(for_tests.into_iter().filter(|named| is_inside(&named.dir, root)).map(|named| {
                let priv_dir = named.dir.parent().unwrap_or(self.dir).to_path_buf();
                self.candidate(self.name(), priv_dir, named.dir, 1)
            }));
        }
        found
    }

    /// Whether the crate uses one that embeds migrations: reading all sources for nothing takes time.
    fn embeds(&self) -> bool {
        ["sqlx", "diesel_migrations", "refinery"].iter().any(|name| self.dependencies.contains(name))
    }

    fn candidate(&self, name: String, priv_dir: PathBuf, migrations: PathBuf, doubt: u8) -> Candidate {
        // dbmate's name for the structure.
        let schema = priv_dir.join("schema.sql");
        let is_dbmate =
            priv_dir.ends_with("db") && schema.is_file() && !priv_dir.join("structure.sql").exists();
        Candidate {
            name,
            package: self.package.map(str::to_owned),
            dir: self.dir.to_path_buf(),
            priv_dir,
            migrations,
            structure: is_dbmate.then_some(schema),
            doubt,
        }
    }

    /// Returns the ledger that the files speak for, and sqlx's table where its file names another.
    ///
    /// The entries of the directory come first: they are a grammar. Then whoever names the directory; then the crate
    /// that it uses, if the directory is where that crate's tool would look.
    pub fn ledger(&self, tools: &Tools, migrations: &[PathBuf]) -> (Option<Ledger>, Option<String>) {
        let Some(dir) = migrations.iter().find(|dir| dir.is_dir()).or(migrations.first()) else {
            return (None, None);
        };
        let shape = if dir.is_dir() { shape_of(dir) } else { Shape::Empty };
        match shape {
            Shape::Diesel => return (Some(Ledger::Diesel), None),
            Shape::Refinery => return (Some(Ledger::Refinery), None),
            Shape::Dbmate => return (Some(Ledger::Dbmate), None),
            Shape::Mixed | Shape::Unknown => return (None, None),
            Shape::Plain | Shape::Empty => {}
        }
        let is_default = same(dir, &self.dir.join("migrations"));
        if let Some(sqlx) = tools.sqlx.as_ref().filter(|sqlx| same(&sqlx.migrations, dir)) {
            return (Some(Ledger::Sqlx), sqlx.table.clone());
        }
        let uses = |name: &str| self.dependencies.contains(name);
        let embedded =
            || named_in_sources(self.dir).iter().any(|named| named.by_sqlx && same(&named.dir, dir));
        // A crate may reach sqlx through another one of its workspace: its macro speaks for it all the same.
        let kind = if uses("sqlx") && is_default || embedded() {
            Some(Ledger::Sqlx)
        } else if shape == Shape::Plain {
            None
        } else if tools.diesel.as_ref().is_some_and(|named| same(named, dir))
            || is_default && uses("diesel_migrations")
        {
            Some(Ledger::Diesel)
        } else if is_default && (tools.refinery || uses("refinery")) {
            Some(Ledger::Refinery)
        } else {
            None
        };
        (kind, None)
    }
}

/// Returns the package whose directory holds `dir`: the innermost one.
pub fn keeper<'a, 'b>(homes: &'b [Home<'a>], dir: &Path) -> Option<&'b Home<'a>> {
    let around = homes.iter().filter(|home| home.package.is_some() && dir.starts_with(home.dir));
    around.max_by_key(|home| home.dir.components().count())
}

/// Returns every one of the candidates of several homes once, in their order: a directory seen through a link or named
/// by two crates is one repo, and the surest owner has it.
pub fn distinct(candidates: impl IntoIterator<Item = Candidate>) -> Vec<Candidate> {
    let mut found: Vec<Candidate> = Vec::new();
    for candidate in candidates {
        match found.iter_mut().find(|known| same(&known.migrations, &candidate.migrations)) {
            Some(known) if candidate.doubt < known.doubt => *known = candidate,
            Some(_) => {}
            None => found.push(candidate),
        }
    }
    found
}
