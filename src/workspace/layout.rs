//! Zero configuration: the repo that a workspace has without having said so, and the ledger that its files speak for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dbsetup::ledger::LedgerKind;
use dbsetup::repo::is_name;
use dbsetup::{Error, Kind, Result};

use super::directory::{is_inside, same, subdirectories};
use super::metadata::Member;
use super::shape::{Shape, shape_of};
use super::tools::{self, Named, Tools};

/// A place that may own repos: a package, or the root of a workspace where no package is.
pub struct Home<'a> {
    /// The package; `None` for a root without one.
    pub package: Option<&'a Member>,
    /// Its directory.
    pub dir: &'a Path,
    /// The crates that it uses; at a bare root, those of all members.
    pub dependencies: BTreeSet<&'a str>,
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
    doubt: u8,
}

/// Returns the homes of a workspace: its members in their order, and a root without a package.
pub fn homes<'a>(root: &'a Path, members: &'a [Member]) -> Vec<Home<'a>> {
    let names = |member: &'a Member| member.dependencies.iter().map(String::as_str);
    let mut homes: Vec<Home<'a>> = members
        .iter()
        .map(|member| Home { package: Some(member), dir: &member.dir, dependencies: names(member).collect() })
        .collect();
    if !members.iter().any(|member| member.dir == root) {
        homes.push(Home { package: None, dir: root, dependencies: members.iter().flat_map(names).collect() });
    }
    homes
}

impl Home<'_> {
    fn name(&self) -> String {
        let name = match self.package {
            Some(member) => member.name.clone(),
            None => self.dir.file_name().unwrap_or_default().to_string_lossy().into_owned(),
        };
        if is_name(&name) { name } else { "repo".to_owned() }
    }

    /// Returns the directories here that look like a repo's.
    pub fn candidates(&self, root: &Path) -> Result<Vec<Candidate>> {
        let tools = tools::look(self.dir, root)?;
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
        let named = if self.embeds() { tools::named_in_sources(self.dir) } else { Vec::new() };
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
        Ok(found)
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
            package: self.package.map(|member| member.name.clone()),
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
    pub fn ledger(&self, tools: &Tools, migrations: &[PathBuf]) -> (Option<LedgerKind>, Option<String>) {
        let Some(dir) = migrations.iter().find(|dir| dir.is_dir()).or(migrations.first()) else {
            return (None, None);
        };
        let shape = if dir.is_dir() { shape_of(dir) } else { Shape::Empty };
        match shape {
            Shape::Diesel => return (Some(LedgerKind::Diesel), None),
            Shape::Refinery => return (Some(LedgerKind::Refinery), None),
            Shape::Dbmate => return (Some(LedgerKind::Dbmate), None),
            Shape::Mixed | Shape::Unknown => return (None, None),
            Shape::Plain | Shape::Empty => {}
        }
        let is_default = same(dir, &self.dir.join("migrations"));
        if let Some(sqlx) = tools.sqlx.as_ref().filter(|sqlx| same(&sqlx.migrations, dir)) {
            return (Some(LedgerKind::Sqlx), sqlx.table.clone());
        }
        let uses = |name: &str| self.dependencies.contains(name);
        let embedded =
            || tools::named_in_sources(self.dir).iter().any(|named| named.by_sqlx && same(&named.dir, dir));
        // A crate may reach sqlx through another one of its workspace: its macro speaks for it all the same.
        let kind = if uses("sqlx") && is_default || embedded() {
            Some(LedgerKind::Sqlx)
        } else if shape == Shape::Plain {
            None
        } else if tools.diesel.as_ref().is_some_and(|named| same(named, dir))
            || is_default && uses("diesel_migrations")
        {
            Some(LedgerKind::Diesel)
        } else if is_default && (tools.refinery || uses("refinery")) {
            Some(LedgerKind::Refinery)
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

/// Returns every candidate of the workspace once, in the order of its homes.
pub fn candidates(root: &Path, homes: &[Home<'_>]) -> Result<Vec<Candidate>> {
    let mut found: Vec<Candidate> = Vec::new();
    for home in homes {
        for candidate in home.candidates(root)? {
            // One directory seen through a link or named by two crates is one repo; the surest owner has it.
            match found.iter_mut().find(|known| same(&known.migrations, &candidate.migrations)) {
                Some(known) if candidate.doubt < known.doubt => *known = candidate,
                Some(_) => {}
                None => found.push(candidate),
            }
        }
    }
    Ok(found)
}

/// Returns the one repo that is there without configuration.
///
/// # Errors
/// [`Kind::Configuration`]: none, or several, which are listed with lines to paste.
pub fn only(root: &Path, homes: &[Home<'_>]) -> Result<Candidate> {
    let mut found = candidates(root, homes)?;
    let shown = |path: &Path| {
        let path = path.strip_prefix(root).unwrap_or(path);
        path.display().to_string()
    };
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => {
            let home = homes.first();
            let table = if home.is_some_and(|home| home.package.is_some()) { "package" } else { "workspace" };
            let manifest = home.map_or_else(|| root.join("Cargo.toml"), |home| home.dir.join("Cargo.toml"));
            let name = home.map_or_else(|| "core".to_owned(), Home::name);
            Err(Error::new(Kind::Configuration, "no repo found")
                .note("no `metadata.dbsetup.repos` in a manifest, no `migrations` and no `priv/*` directory in the workspace")
                .help(format!("add to {}:\n\n{}", shown(&manifest), snippet(table, &name, None, false))))
        }
        _ => {
            let mut error = Error::new(
                Kind::Configuration,
                format!("{} directories look like a repo, and none is configured", found.len()),
            );
            let mut taken: Vec<String> = Vec::new();
            let mut help = "say which are repos, and what they are called:".to_owned();
            for candidate in &found {
                error = error.note(shown(&candidate.priv_dir_or_migrations()));
                let name = candidate.name_among(&found, &taken);
                taken.push(name.clone());
                let table = if candidate.package.is_some() { "package" } else { "workspace" };
                let manifest = shown(&candidate.dir.join("Cargo.toml"));
                let expected = candidate.dir.join("priv").join(&name);
                let dir = (candidate.priv_dir != expected).then(|| {
                    candidate.migrations.strip_prefix(&candidate.dir).unwrap_or(&candidate.migrations)
                });
                help.push_str(&format!(
                    "\n\n# {manifest}\n{}",
                    snippet(table, &name, dir, is_sqlite(candidate, homes))
                ));
            }
            Err(error.help(help))
        }
    }
}

impl Candidate {
    /// Returns a name that says which of several this is: of the directories of one crate, those that are not called
    /// `migrations` are named after themselves, `meta-migrations` for short `meta`.
    fn name_among(&self, all: &[Self], taken: &[String]) -> String {
        let is_free = |name: &str| is_name(name) && !taken.iter().any(|taken| taken == name);
        let directory = self.migrations.file_name().unwrap_or_default().to_string_lossy();
        let stem =
            directory.strip_suffix("migrations").unwrap_or(&directory).trim_end_matches(['-', '_', '.']);
        let has_siblings =
            all.iter().filter(|other| other.package == self.package && other.name == self.name).count() > 1;
        if is_free(stem) && (has_siblings || !is_free(&self.name)) {
            stem.to_owned()
        } else if is_free(&self.name) {
            self.name.clone()
        } else {
            format!("{}_{}", self.name, taken.len() + 1)
        }
    }

    /// What a person would call the place: `priv/core`, `migrations`.
    fn priv_dir_or_migrations(&self) -> PathBuf {
        let in_priv = self.priv_dir.parent().is_some_and(|parent| parent.ends_with("priv"));
        if in_priv { self.priv_dir.clone() } else { self.migrations.clone() }
    }
}

/// Whether the crate of a candidate is built for SQLite alone. Where its own manifest does not say, the crates of the
/// workspace that it uses decide, as they do when cargo joins their features.
fn is_sqlite(candidate: &Candidate, homes: &[Home<'_>]) -> bool {
    let members = || homes.iter().filter_map(|home| home.package);
    let Some(owner) = members().find(|member| Some(&member.name) == candidate.package.as_ref()) else {
        return false;
    };
    let mut databases = owner.databases.clone();
    if databases.is_empty() {
        let used = members().filter(|member| owner.dependencies.contains(&member.name));
        databases.extend(used.flat_map(|member| &member.databases));
    }
    databases.into_iter().eq(["sqlite"])
}

fn snippet(table: &str, name: &str, migrations: Option<&Path>, is_sqlite: bool) -> String {
    let database = name.replace('-', "_");
    let mut urls =
        [format!("\"postgres://localhost/{database}_{{env}}\""), format!("\"sqlite:{database}_{{env}}.db\"")];
    if is_sqlite {
        urls.reverse();
    }
    let [url, other] = urls;
    let mut text = format!("[{table}.metadata.dbsetup.repos.{name}]\nurl = {url}   # or {other}");
    if let Some(dir) = migrations {
        let dir = dir.display().to_string().replace('\\', "/");
        text.push_str(&format!("\nmigrations = [\"{dir}\"]"));
    }
    text
}
