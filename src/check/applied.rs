//! The migrations that a structure file records, beside the files: changed, missing, not recorded yet. Pure.

use dbsetup::driver::LedgerState;
use dbsetup::error::Site;
use dbsetup::ledger::{LedgerKind, LedgerTable};
use dbsetup::migration::assess::{assess, short};
use dbsetup::migration::{FileSet, Lanes, State, Version};
use dbsetup::repo::{LedgerSetting, Repo};
use dbsetup::structure::Recorded;
use dbsetup::structure::floor::Floor;

use super::code::Code;
use super::finding::{Finding, Severity};

/// Returns the versions whose files say something else than what was recorded: the version, and both checksums,
/// shortened.
pub fn changed(
    files: &FileSet,
    kind: LedgerKind,
    setting: &LedgerSetting,
    state: &LedgerState,
) -> Vec<(Version, String, String)> {
    let states = |wide| -> Vec<(Version, State)> {
        let table = LedgerTable { kind, schema: None, name: kind.default_table().to_owned(), wide };
        let found = assess(files, &table, setting, state);
        found.entries.into_iter().map(|entry| (entry.version, entry.state)).collect()
    };
    // How wide refinery's version is counts in its checksum, and no row tells.
    let (narrow, wide) = (states(false), states(true));
    narrow
        .into_iter()
        .zip(wide)
        .filter_map(|pair| match pair {
            ((version, State::Changed { recorded, now }), (_, State::Changed { .. })) => {
                Some((version, short(&recorded), short(&now)))
            }
            _ => None,
        })
        .collect()
}

/// The rows of a structure file as a ledger would have them.
fn state(recorded: &[Recorded]) -> LedgerState {
    LedgerState { rows: recorded.iter().map(|row| row.row.clone()).collect(), ..LedgerState::default() }
}

/// Returns the applied migrations that were changed or are missing.
pub fn findings(
    repo: &Repo,
    files: &FileSet,
    text: &str,
    recorded: &[Recorded],
    floor: Option<&Floor>,
) -> Vec<Finding> {
    let Some(kind) = recorded.first().map(|row| row.kind) else { return Vec::new() };
    let shown = repo.shown(&repo.structure);
    let mut found = Vec::new();
    for (version, before, now) in changed(files, kind, &repo.ledger, &state(recorded)) {
        let Some(migration) = files.find(&version) else { continue };
        let range = 0..migration.up.file.find('\n').unwrap_or(migration.up.file.len());
        found.push(
            Finding::new(
                Code::Changed,
                format!("migration {} was changed after it was applied", migration.shown()),
            )
            .about(version.as_str())
            .at(Site::in_text(&migration.up.path, &migration.up.file, range))
            .note(format!("`{}` records {before}, and the file is {now}", shown.display()))
            .help(format!(
                "restore the file: `git checkout COMMIT -- {}`; put the change into a new migration",
                migration.up.path.display()
            )),
        );
    }
    let squashed: Vec<Version> = floor
        .into_iter()
        .flat_map(Floor::entries)
        .filter_map(|entry| files.parse_version(&entry.version))
        .collect();
    for row in recorded {
        let version = files.parse_version(&row.row.version);
        let is_known = version.is_some_and(|version| {
            files.find(&version).is_some()
                || files.archived.contains_key(&version)
                || squashed.contains(&version)
        });
        // Code of the application has no file.
        if !is_known && !row.row.is_code() {
            found.push(missing(repo, text, row));
        }
    }
    found
}

fn missing(repo: &Repo, text: &str, row: &Recorded) -> Finding {
    let shown = repo.shown(&repo.structure);
    let name = row.row.name.as_deref().unwrap_or_default();
    let named = format!("{} {name}", row.row.version);
    Finding::new(
        Code::FileMissing,
        format!("`{}` records migration {}, and its file is nowhere", shown.display(), named.trim_end()),
    )
    .about(&row.row.version)
    .at(Site::in_text(&shown, text, row.range.clone()))
    .note("wherever the structure is loaded, the migration counts as applied and never runs")
    .help(format!(
        "put the file back into a lane or into the archive; or roll the migration back and write the structure again: {}",
        repo.command("dump")
    ))
}

/// Returns what the structure file does not hold yet. It may lag where nothing dumps it after each migration, and by
/// migrations that run on demand.
pub fn behind(repo: &Repo, files: &FileSet, recorded: &[Recorded], lanes: Lanes) -> Vec<Finding> {
    let known: Vec<Version> =
        recorded.iter().filter_map(|row| files.parse_version(&row.row.version)).collect();
    let open: Vec<_> =
        files.migrations.iter().filter(|migration| !known.contains(&migration.version)).collect();
    let shown = repo.shown(&repo.structure);
    let is_late = |lane| repo.dump_after_migrate && lanes.include(lane);
    let (late, allowed): (Vec<_>, Vec<_>) = open.into_iter().partition(|migration| is_late(migration.lane));
    let names = |migrations: &[&dbsetup::migration::Migration]| {
        migrations.iter().map(|migration| migration.version.as_str()).collect::<Vec<_>>().join(", ")
    };
    let mut found = Vec::new();
    if !late.is_empty() {
        found.push(
            Finding::new(
                Code::StructureBehind,
                format!("`{}` does not hold {} yet", shown.display(), names(&late)),
            )
            .file(&shown)
            .note("`dump-after-migrate = true` says that it is written after every migration")
            .help(format!("run them, and commit the file: {}", repo.command("migrate"))),
        );
    }
    if !allowed.is_empty() {
        found.push(
            Finding::new(
                Code::StructureBehind,
                format!("`{}` does not hold {} yet: pending beside it", shown.display(), names(&allowed)),
            )
            .severity(Severity::Info)
            .file(&shown),
        );
    }
    found
}

/// Returns the migrations that require a version which is nowhere: they would wait for ever.
pub fn requirements(files: &FileSet, recorded: &[Recorded]) -> Vec<Finding> {
    let is_known = |wanted: &str| {
        let Some(version) = files.parse_version(wanted) else { return false };
        files.find(&version).is_some()
            || files.archived.contains_key(&version)
            || recorded.iter().any(|row| version.is_named_by(&row.row.version))
    };
    let mut found = Vec::new();
    for migration in &files.migrations {
        let open = migration.requires.iter().filter(|wanted| !wanted.is_code && !is_known(&wanted.version));
        for wanted in open {
            let sql = migration.up.sql();
            let at = sql.find("requires").unwrap_or(0);
            let end = sql[at..].find('\n').map_or(sql.len(), |length| at + length);
            found.push(
                Finding::new(
                    Code::UnknownRequirement,
                    format!("migration {} waits for {wanted}, which is nowhere", migration.shown()),
                )
                .about(migration.version.as_str())
                .at(migration.up.site(at..end))
                .help(format!(
                    "mend the version behind `requires`, or add the migration that is meant; of code write \
                     `-- requires: code:{}`",
                    wanted.version
                )),
            );
        }
    }
    found
}
