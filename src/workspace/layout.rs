//! Zero configuration: the repo that a workspace has without having said so. Which directories look like one is what
//! `dbsetup-build` finds, too.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use dbsetup::repo::is_name;
use dbsetup::{Error, Kind, Result};
pub use dbsetup_build::layout::{Candidate, Home, homes, keeper};
use dbsetup_build::layout::{Package, distinct};

use super::metadata::Member;
use super::tools;

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

/// Returns every candidate of the workspace once, in the order of its homes.
fn candidates(root: &Path, homes: &[Home<'_>]) -> Result<Vec<Candidate>> {
    let mut found = Vec::new();
    for home in homes {
        found.extend(home.candidates(root, &tools::look(home.dir, root)?));
    }
    Ok(distinct(found))
}

/// Returns the one repo that is there without configuration.
///
/// # Errors
/// [`Kind::Configuration`]: none, or several, which are listed with lines to paste.
pub fn only(root: &Path, homes: &[Home<'_>], members: &[Member]) -> Result<Candidate> {
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
                error = error.note(shown(&priv_dir_or_migrations(candidate)));
                let name = name_among(candidate, &found, &taken);
                taken.push(name.clone());
                let table = if candidate.package.is_some() { "package" } else { "workspace" };
                let manifest = shown(&candidate.dir.join("Cargo.toml"));
                let expected = candidate.dir.join("priv").join(&name);
                let dir = (candidate.priv_dir != expected).then(|| {
                    candidate.migrations.strip_prefix(&candidate.dir).unwrap_or(&candidate.migrations)
                });
                help.push_str(&format!(
                    "\n\n# {manifest}\n{}",
                    snippet(table, &name, dir, is_sqlite(candidate, members))
                ));
            }
            Err(error.help(help))
        }
    }
}

/// Returns a name that says which of several this is: of the directories of one crate, those that are not called
/// `migrations` are named after themselves, `meta-migrations` for short `meta`.
fn name_among(candidate: &Candidate, all: &[Candidate], taken: &[String]) -> String {
    let is_free = |name: &str| is_name(name) && !taken.iter().any(|taken| taken == name);
    let directory = candidate.migrations.file_name().unwrap_or_default().to_string_lossy();
    let stem = directory.strip_suffix("migrations").unwrap_or(&directory).trim_end_matches(['-', '_', '.']);
    let has_siblings =
        all.iter().filter(|other| other.package == candidate.package && other.name == candidate.name).count()
            > 1;
    if is_free(stem) && (has_siblings || !is_free(&candidate.name)) {
        stem.to_owned()
    } else if is_free(&candidate.name) {
        candidate.name.clone()
    } else {
        format!("{}_{}", candidate.name, taken.len() + 1)
    }
}

/// What a person would call the place: `priv/core`, `migrations`.
fn priv_dir_or_migrations(candidate: &Candidate) -> PathBuf {
    let in_priv = candidate.priv_dir.parent().is_some_and(|parent| parent.ends_with("priv"));
    if in_priv { candidate.priv_dir.clone() } else { candidate.migrations.clone() }
}

/// Whether the crate of a candidate is built for SQLite alone. Where its own manifest does not say, the crates of the
/// workspace that it uses decide, as they do when cargo joins their features.
fn is_sqlite(candidate: &Candidate, members: &[Member]) -> bool {
    let Some(owner) = members.iter().find(|member| Some(&member.name) == candidate.package.as_ref()) else {
        return false;
    };
    let mut databases = owner.databases.clone();
    if databases.is_empty() {
        let used = members.iter().filter(|member| owner.dependencies.contains(&member.name));
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
