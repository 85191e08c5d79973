//! Where squashed migrations go: below the archive every lane directory keeps its folder. Pure.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::migration::{FileSet, Grammar, Migration};
use crate::repo::{Lane, Repo};

/// A file, or a whole directory, that goes to the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where it is, absolute.
    pub from: PathBuf,
    /// Where it goes, absolute.
    pub to: PathBuf,
}

/// The folder of a lane directory below the archive.
struct Folder<'a> {
    lane_directory: &'a Path,
    lane: Lane,
    grammar: Grammar,
    path: PathBuf,
}

/// Returns what moves where, in an order in which a lane never holds a down side alone.
///
/// # Errors
/// [`Kind::Configuration`] for a repo without an archive directory.
pub(super) fn moves(repo: &Repo, files: &FileSet, taken: &[&Migration]) -> Result<Vec<Move>> {
    let Some(archive) = repo.archive.first() else {
        let message = format!("`{}` has no directory for squashed migrations", repo.name);
        return Err(Error::new(Kind::Configuration, message)
            .help("name one with the key `archive`, or remove the key: `dumped_migrations` is the default"));
    };
    let mut folders: Vec<Folder<'_>> = Vec::new();
    let mut moves = Vec::new();
    for &migration in taken {
        let at = match folders.iter().position(|folder| folder.lane_directory == migration.directory) {
            Some(at) => at,
            None => {
                let path = folder_for(archive, migration, files, &folders);
                folders.push(Folder {
                    lane_directory: &migration.directory,
                    lane: migration.lane,
                    grammar: migration.grammar,
                    path,
                });
                folders.len() - 1
            }
        };
        for from in sources(repo, migration) {
            let below = from.strip_prefix(&migration.directory).unwrap_or(&from);
            let to = folders[at].path.join(below);
            moves.push(Move { from, to });
        }
    }
    Ok(moves)
}

/// Returns the folder of a lane directory: its name, and a number where what would meet there could not be read as one.
fn folder_for(archive: &Path, migration: &Migration, files: &FileSet, folders: &[Folder<'_>]) -> PathBuf {
    let name = &migration.source;
    let fits = |path: &PathBuf| {
        let archived = files.archived.values().filter(|archived| archived.directory == *path);
        let mut grammars = archived.map(|archived| archived.grammar);
        let mut taken = folders.iter().filter(|folder| folder.path == *path);
        grammars.all(|grammar| grammar == migration.grammar)
            && taken.all(|folder| folder.lane == migration.lane && folder.grammar == migration.grammar)
    };
    let numbered = (2..).map(|number| archive.join(format!("{name}-{number}")));
    std::iter::once(archive.join(name))
        .chain(numbered)
        .find(fits)
        .expect("there are more numbers than folders")
}

/// Returns what a migration consists of: the down side before the up side; diesel's directory as a whole.
fn sources(repo: &Repo, migration: &Migration) -> Vec<PathBuf> {
    let absolute = |path: &Path| repo.display_root.join(path);
    let up = absolute(&migration.up.path);
    if migration.grammar == Grammar::Diesel {
        return vec![up.parent().map_or_else(|| up.clone(), Path::to_path_buf)];
    }
    let down = migration.down.as_ref().map(|down| absolute(&down.path)).filter(|down| *down != up);
    down.into_iter().chain([up]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::{files, migration, repo, reversible};

    fn placed(mut migration: Migration, directory: &str) -> Migration {
        migration.directory = directory.into();
        migration.source = Path::new(directory).file_name().unwrap().to_string_lossy().into_owned();
        let place = |path: &Path| Path::new(directory).join(path);
        migration.up.path = place(&migration.up.path);
        if let Some(down) = &mut migration.down {
            down.path = place(&down.path);
        }
        migration
    }

    fn shown(set: &FileSet) -> Vec<String> {
        let taken: Vec<&Migration> = set.migrations.iter().collect();
        let moves = moves(&repo(), set, &taken).unwrap();
        let text = |path: &Path| path.strip_prefix("/shop/priv/core").unwrap_or(path).display().to_string();
        moves.iter().map(|moved| format!("{} -> {}", text(&moved.from), text(&moved.to))).collect()
    }

    #[test]
    fn lanes_keep_their_folders_and_a_down_side_goes_first() {
        let mut manual = placed(migration("2", "select 2;"), "/shop/priv/core/manual_migrations");
        manual.lane = Lane::Manual;
        let set = files(&[placed(reversible("1"), "/shop/priv/core/migrations"), manual]);
        assert_eq!(
            shown(&set),
            [
                "migrations/1_m1.down.sql -> dumped_migrations/migrations/1_m1.down.sql",
                "migrations/1_m1.up.sql -> dumped_migrations/migrations/1_m1.up.sql",
                "manual_migrations/2_m2.up.sql -> dumped_migrations/manual_migrations/2_m2.up.sql",
            ]
        );
    }

    #[test]
    fn directories_of_one_name_share_a_folder_unless_their_files_could_not_be_read_as_one() {
        let one = placed(migration("1", "x"), "/shop/a/migrations");
        let two = placed(migration("2", "x"), "/shop/b/migrations");
        let mut three = placed(migration("3", "x"), "/shop/c/migrations");
        three.grammar = Grammar::Dbmate;
        let mut manual = placed(migration("4", "x"), "/shop/d/migrations");
        manual.lane = Lane::Manual;
        let set = files(&[one, two, three, manual]);
        let to: Vec<String> =
            shown(&set).iter().map(|line| line.split_once(" -> ").unwrap().1.to_owned()).collect();
        assert_eq!(
            to,
            [
                "dumped_migrations/migrations/1_m1.up.sql",
                "dumped_migrations/migrations/2_m2.up.sql",
                "dumped_migrations/migrations-2/3_m3.up.sql",
                "dumped_migrations/migrations-3/4_m4.up.sql",
            ]
        );
    }

    #[test]
    fn an_earlier_squash_in_another_grammar_keeps_its_folder() {
        let mut set = files(&[placed(migration("2", "x"), "/shop/priv/core/migrations")]);
        let mut old = placed(migration("1", "x"), "/shop/priv/core/dumped_migrations/migrations");
        old.grammar = Grammar::Refinery;
        set.archived.insert(old.version.clone(), old);
        assert_eq!(
            shown(&set),
            ["migrations/2_m2.up.sql -> dumped_migrations/migrations-2/2_m2.up.sql"]
        );
    }

    #[test]
    fn a_migration_of_diesels_goes_as_a_directory() {
        let mut diesel = migration("1", "x");
        diesel.grammar = Grammar::Diesel;
        diesel.directory = "/shop/priv/core/migrations".into();
        diesel.up.path = "priv/core/migrations/1_a/up.sql".into();
        assert_eq!(shown(&files(&[diesel])), ["migrations/1_a -> dumped_migrations/migrations/1_a"]);
    }
}
