//! Where squashed migrations go: below the archive every lane directory keeps its folder. Pure.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::migration::{Grammar, Migration};
use crate::repo::Repo;

/// A file, or a whole directory, that goes to the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// Where it is, absolute.
    pub from: PathBuf,
    /// Where it goes, absolute.
    pub to: PathBuf,
}

/// Returns what moves where, in an order in which a lane never holds a down side alone.
///
/// # Errors
/// [`Kind::Configuration`] for a repo without an archive directory.
pub(super) fn moves(repo: &Repo, taken: &[&Migration]) -> Result<Vec<Move>> {
    let Some(archive) = repo.archive.first() else {
        let message = format!("`{}` has no directory for squashed migrations", repo.name);
        return Err(Error::new(Kind::Configuration, message)
            .help("name one with the key `archive`, or remove the key: `dumped_migrations` is the default"));
    };
    let moves = taken.iter().flat_map(|migration| {
        // Directories of one name share a folder: versions are unique, and the floor knows each one's lane.
        let folder = archive.join(migration.directory.file_name().unwrap_or_default());
        sources(repo, migration).into_iter().map(move |from| {
            let below = from.strip_prefix(&migration.directory).unwrap_or(&from);
            Move { to: folder.join(below), from }
        })
    });
    Ok(moves.collect())
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
    use crate::migration::FileSet;
    use crate::migration::testing::{files, migration, repo, reversible};
    use crate::repo::Lane;

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
        let moves = moves(&repo(), &taken).unwrap();
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
    fn directories_of_one_name_share_a_folder() {
        let one = placed(migration("1", "x"), "/shop/a/migrations");
        let two = placed(migration("2", "x"), "/shop/b/migrations/");
        assert_eq!(
            shown(&files(&[one, two])),
            [
                "/shop/a/migrations/1_m1.up.sql -> dumped_migrations/migrations/1_m1.up.sql",
                "/shop/b/migrations/2_m2.up.sql -> dumped_migrations/migrations/2_m2.up.sql",
            ]
        );
    }

    #[test]
    fn folders_below_a_lane_are_kept() {
        let mut below = placed(migration("1", "x"), "/shop/priv/core/migrations");
        below.grammar = Grammar::Refinery;
        below.up.path = "priv/core/migrations/2026/V1__a.sql".into();
        assert_eq!(
            shown(&files(&[below])),
            ["migrations/2026/V1__a.sql -> dumped_migrations/migrations/2026/V1__a.sql"]
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
