//! Whether the squash floor agrees with the structure and the archive. Pure.

use dbsetup::driver::LedgerState;
use dbsetup::error::Site;
use dbsetup::ledger::{AppliedRow, LedgerKind, meta_key};
use dbsetup::migration::{FileSet, Version};
use dbsetup::repo::Repo;
use dbsetup::structure::Recorded;
use dbsetup::structure::floor::Floor;

use super::code::Code;
use super::finding::Finding;

/// Returns where the floor's versions are not what the structure records (`None` where it cannot be read), and where
/// squashed files are not what was squashed.
pub fn findings(repo: &Repo, floor: &Floor, recorded: Option<&[Recorded]>, files: &FileSet) -> Vec<Finding> {
    let path = repo.shown(&Floor::path(&repo.structure));
    let mut found = Vec::new();
    if let Some(recorded) = recorded {
        let known: Vec<Version> =
            recorded.iter().filter_map(|row| files.parse_version(&row.row.version)).collect();
        let is_lost =
            |version: &str| files.parse_version(version).is_none_or(|version| !known.contains(&version));
        for entry in floor.entries().filter(|entry| is_lost(&entry.version)) {
            found.push(
                Finding::new(
                    Code::FloorUnrecorded,
                    format!(
                        "`{}` says that {} {} was squashed, and `{}` does not record it",
                        path.display(),
                        entry.version,
                        entry.name,
                        repo.shown(&repo.structure).display()
                    ),
                )
                .about(&entry.version)
                .file(&path)
                .note("a database that loads the structure would be told that it lacks this migration")
                .help("restore both files from one commit: they are written together"),
            );
        }
    }
    found.extend(changed(repo, floor, files));
    found
}

/// Returns the squashed files, still in a lane or in the archive, whose text is not what was squashed.
fn changed(repo: &Repo, floor: &Floor, files: &FileSet) -> Vec<Finding> {
    let mut all = FileSet { numeric: files.numeric, ..FileSet::default() };
    all.migrations.extend(files.archived.values().cloned());
    all.migrations
        .extend(files.migrations.iter().filter(|one| !files.archived.contains_key(&one.version)).cloned());
    all.migrations.sort_by(|one, other| one.version.cmp(&other.version));
    let mut state = LedgerState::default();
    for entry in floor.entries() {
        let row = AppliedRow {
            version: entry.version.clone(),
            checksum: entry.checksum.clone(),
            success: true,
            ..AppliedRow::default()
        };
        state.rows.push(row);
        // Where ledgers keep no checksums, they stand beside.
        let key = format!("{}{}", meta_key::CHECKSUM_PREFIX, entry.version);
        state.meta.extend(entry.checksum.clone().map(|sum| (key, sum)));
    }
    let kind = floor.ledger.unwrap_or(LedgerKind::Dbsetup);
    let mut found = Vec::new();
    for (version, recorded, now) in super::applied::changed(&all, kind, &repo.ledger, &state) {
        let Some(migration) = all.find(&version) else { continue };
        let range = 0..migration.up.file.find('\n').unwrap_or(migration.up.file.len());
        found.push(
            Finding::new(Code::FloorChanged, format!("squashed migration {} was changed", migration.shown()))
                .about(version.as_str())
                .at(Site::in_text(&migration.up.path, &migration.up.file, range))
                .note(format!("`{}` has {recorded}, and the file is {now}", repo.shown(&Floor::path(&repo.structure)).display()))
                .help(format!(
                    "restore what was squashed: `git checkout COMMIT -- {}`; put a change into a new migration",
                    migration.up.path.display()
                )),
        );
    }
    found
}
