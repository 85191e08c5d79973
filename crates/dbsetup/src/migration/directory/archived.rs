//! Squashed migrations. A file that cannot be read stops nothing here: it is named where a database needs it. What was
//! run once is not to be held to what new migrations are held to, and most databases will never ask for it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::super::grammar::{self, Grammar, Named, Side};
use super::super::script::{Script, read_text};
use super::super::{Migration, Version, sections, set};
use super::Found;
use super::listing::entries;
use super::place::Place;
use crate::error::{Error, Result};
use crate::repo::{Lane, Repo};

/// What a folder of an archive holds.
#[derive(Debug, Default)]
pub(in super::super) struct Archived {
    /// Whole migrations.
    pub migrations: Vec<Migration>,
    /// Down sides without an up side: a move that was interrupted leaves the up side where it was.
    pub downs: BTreeMap<Version, Script>,
    /// What could not be read.
    pub problems: Vec<Error>,
}

/// One file, read.
enum Read {
    Up(Migration),
    Down(Version, Script),
}

/// Reads a folder of an archive; `directory` is where its files were before, in `lane`; the folders of
/// `others` below it are none of its. Grammars may be mixed: a
/// project that changed its tool keeps its past.
pub(in super::super) fn read_archived(
    repo: &Repo,
    folder: &Path,
    others: &[PathBuf],
    directory: &Path,
    lane: Lane,
) -> Archived {
    let mut archived = Archived::default();
    let listing = match entries(repo, folder) {
        Ok(listing) => listing,
        Err(error) => {
            archived.problems.push(error);
            return archived;
        }
    };
    let source = directory.file_name().unwrap_or_default().to_string_lossy().into_owned();
    // What a link must not leave is the archive itself.
    let place = Place { repo, directory: folder, source: &source, lane };
    let mut ups: BTreeMap<Version, Migration> = BTreeMap::new();
    let mut twice = BTreeSet::new();
    // refinery's folders are listed whole from above.
    let own = |path: &Path| !others.iter().any(|other| path.starts_with(other));
    for (path, is_dir) in listing.into_iter().filter(|(path, _)| own(path)) {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let found =
            |version, name, side, unordered| Found { path: path.clone(), version, name, side, unordered };
        let read = if is_dir {
            let named =
                grammar::read_directory_name(&file).filter(|_| repo.files.is_file(&path.join("up.sql")));
            named.map(|(version, name)| {
                place.diesel(found(version, name, Side::Up, false), &mut Vec::new()).map(Read::Up)
            })
        } else {
            match grammar::read_file_name(&file) {
                Named::Plain { version, name, side } => {
                    Some(plain(&place, found(version, name, side, false)))
                }
                Named::Refinery { version, name, unordered } => {
                    let found = found(version, name, Side::Up, unordered);
                    let script = place.script(&found.path, &mut Vec::new());
                    Some(
                        script
                            .map(|script| Read::Up(place.migration(found, Grammar::Refinery, script, None))),
                    )
                }
                _ => None,
            }
        };
        match read {
            Some(Ok(Read::Up(mut migration))) => {
                migration.directory = directory.to_path_buf();
                if let Some(other) = ups.get(&migration.version) {
                    let version = &migration.version;
                    archived.problems.push(set::duplicate(version, &other.up.path, &migration.up.path));
                    twice.insert(version.clone());
                } else {
                    ups.insert(migration.version.clone(), migration);
                }
            }
            Some(Ok(Read::Down(version, script))) => {
                archived.downs.insert(version, script);
            }
            Some(Err(error)) => archived.problems.push(error),
            None => {}
        }
    }
    // Nobody can tell which of two files was run.
    ups.retain(|version, _| !twice.contains(version));
    for migration in ups.into_values() {
        let down = migration.down.or_else(|| archived.downs.remove(&migration.version));
        archived.migrations.push(Migration { down, ..migration });
    }
    archived
}

fn plain(place: &Place<'_>, found: Found) -> Result<Read> {
    let shown = place.repo.shown(&found.path);
    let text = read_text(place.repo.files, &found.path, &shown)?;
    let sections = found.side == Side::Up && sections::present(&text);
    let both = sections.then(|| sections::read(&shown, &text)).transpose()?;
    let mut loaded = place.loaded(shown, text, &mut Vec::new())?;
    Ok(match both {
        Some((up, down)) => {
            loaded.script = up;
            Read::Up(place.migration(found, Grammar::Dbmate, loaded, Some(down)))
        }
        None if found.side == Side::Down => Read::Down(found.version, loaded.script),
        None => Read::Up(place.migration(found, Grammar::Plain, loaded, None)),
    })
}
