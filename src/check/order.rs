//! Whether new migrations come after those that the base already has. Pure.

use dbsetup::error::Site;
use dbsetup::migration::{FileSet, Migration, Version};
use dbsetup::repo::{Repo, VersionOrder};

use super::base::AtBase;
use super::code::Code;
use super::finding::Finding;

/// Returns the migrations that are added below the newest version of the base: databases that have seen the base run
/// them after migrations that were written later, and new databases before them.
pub fn findings(repo: &Repo, files: &FileSet, base: &AtBase) -> Vec<Finding> {
    let known: Vec<Version> =
        base.versions.iter().filter_map(|version| files.parse_version(version)).collect();
    let Some(newest) = known.iter().max() else { return Vec::new() };
    if repo.version_order == VersionOrder::Any {
        return Vec::new();
    }
    let is_late = |migration: &&Migration| {
        !migration.unordered && migration.version < *newest && !known.contains(&migration.version)
    };
    let mut next = files.migrations.iter().map(|migration| &migration.version).chain([newest]).max().cloned();
    files
        .migrations
        .iter()
        .filter(is_late)
        .map(|migration| {
            let free = next.as_ref().and_then(above);
            next = free.as_deref().and_then(Version::numeric);
            finding(migration, newest, base, free)
        })
        .collect()
}

fn finding(migration: &Migration, newest: &Version, base: &AtBase, free: Option<String>) -> Finding {
    let message =
        format!("migration {} is older than {newest}, which `{}` already has", migration.shown(), base.name);
    let help = match free {
        Some(free) => format!("give it a version above all others: {}", renames(migration, &free)),
        None => "give it a version above all others".to_owned(),
    };
    let line = migration.up.file.find('\n').unwrap_or(migration.up.file.len());
    Finding::new(Code::VersionOrder, message)
        .about(migration.version.as_str())
        .at(Site::in_text(&migration.up.path, &migration.up.file, 0..line))
        .note("databases that have applied the newer one run it afterwards, and new databases before it")
        .help(help)
}

/// Returns a version that follows another one, of the same width.
fn above(version: &Version) -> Option<String> {
    let next = version.number()?.checked_add(1)?.to_string();
    let width = version.as_str().len();
    Some(format!("{next:0>width$}"))
}

/// Returns the commands that give the files of a migration another version.
fn renames(migration: &Migration, version: &str) -> String {
    let mut paths = vec![&migration.up.path];
    paths.extend(migration.down.as_ref().map(|down| &down.path).filter(|down| **down != migration.up.path));
    let commands: Vec<String> = paths
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let name = name.replacen(migration.version.as_str(), version, 1);
            format!("`git mv {} {}`", path.display(), path.with_file_name(name).display())
        })
        .collect();
    commands.join(", ")
}
