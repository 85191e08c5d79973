//! Reads one directory of migrations in whatever grammar it speaks.

mod archived;
mod listing;
mod metadata;
mod place;

use std::path::{Path, PathBuf};

pub(super) use archived::{Archived, read_archived};
pub(crate) use listing::refuse_escape;

use self::listing::{entries, holds_anything};
use self::place::Place;
use super::grammar::{self, Grammar, Named, Side};
use super::script::read_text;
use super::{Migration, Version, sections};
use crate::error::{Error, Kind, Result};
use crate::ledger::LedgerKind;
use crate::repo::{Lane, Repo};

/// What a directory holds.
#[derive(Debug, Default)]
pub(super) struct Directory {
    pub grammar: Option<Grammar>,
    pub migrations: Vec<Migration>,
    /// What deserves a look, with its place.
    pub warnings: Vec<(String, Option<String>)>,
}

/// One entry of the directory that is a migration, or a side of one.
struct Found {
    path: PathBuf,
    version: Version,
    name: String,
    side: Side,
    unordered: bool,
}

/// Reads a directory that exists.
///
/// # Errors
/// [`Kind::Grammar`] for names that do not parse, two grammars, directives that are none, a down side without an up
/// side; [`Kind::DuplicateVersion`]; [`Kind::Io`]; [`Kind::Configuration`] for a link that leaves the priv directory.
pub(super) fn read(repo: &Repo, path: &Path, lane: Lane) -> Result<Directory> {
    let mut directory = Directory::default();
    let (mut plain, mut refinery, mut diesel) = (Vec::new(), Vec::new(), Vec::new());
    let (mut unknown, mut without_up) = (Vec::new(), None);
    for (entry, is_dir) in entries(repo, path)? {
        let shown = repo.shown(&entry);
        let file = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if is_dir {
            if !file.starts_with('.') && repo.files.is_file(&entry.join("up.sql")) {
                let (version, name) = grammar::read_directory_name(&file).ok_or_else(|| {
                    Error::new(Kind::Grammar, format!("`{}` does not begin with a version", shown.display()))
                })?;
                diesel.push(Found { path: entry, version, name, side: Side::Up, unordered: false });
            } else if file.starts_with(|c: char| c.is_ascii_digit()) && holds_anything(repo, &entry) {
                without_up.get_or_insert(shown);
            }
            continue;
        }
        match grammar::read_file_name(&file) {
            Named::Plain { version, name, side } => {
                plain.push(Found { path: entry, version, name, side, unordered: false });
            }
            Named::Refinery { version, name, unordered } => {
                refinery.push(Found { path: entry, version, name, side: Side::Up, unordered });
            }
            Named::RefineryRust => {
                return Err(Error::new(
                    Kind::Unsupported,
                    format!("`{}` is written in Rust", shown.display()),
                )
                .help("run migrations that are written in Rust with refinery, or write this one in SQL"));
            }
            Named::Leftover => directory.warnings.push((
                format!("`{}` looks like an editor's leftover and is not run", shown.display()),
                None,
            )),
            Named::Unknown(why) => unknown.push((shown, why)),
            Named::Other => {}
        }
    }
    refuse_mixture(repo, &[&plain, &refinery, &diesel])?;
    if let (Some(shown), false) = (without_up, diesel.is_empty()) {
        return Err(Error::new(
            Kind::Grammar,
            format!("`{}` would never run: it has no `up.sql`", shown.display()),
        )
        .help("write the `up.sql`, or remove the directory"));
    }
    // diesel reads directories alone: a script beside them is there on purpose, and stays when a squash takes them away.
    let is_diesels =
        !diesel.is_empty() || repo.ledger.kind.or(repo.layout_ledger) == Some(LedgerKind::Diesel);
    if let (Some((shown, why)), false) = (unknown.into_iter().next(), is_diesels) {
        return Err(Error::new(Kind::Grammar, format!("`{}` would never run: {why}", shown.display()))
            .help("rename it to `VERSION_name.sql`, or move it out of the directory"));
    }
    let source = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let place = Place { repo, directory: path, source: &source, lane };
    if !diesel.is_empty() {
        directory.grammar = Some(Grammar::Diesel);
        for found in diesel {
            directory.migrations.push(place.diesel(found, &mut directory.warnings)?);
        }
    } else if !refinery.is_empty() {
        directory.grammar = Some(Grammar::Refinery);
        for found in refinery {
            let script = place.script(&found.path, &mut directory.warnings)?;
            directory.migrations.push(place.migration(found, Grammar::Refinery, script, None));
        }
    } else if !plain.is_empty() {
        place.plain(plain, &mut directory)?;
    }
    Ok(directory)
}

/// Returns the grammar of a repo's first migration, by the names of all and the text of one; nothing where there is none, or
/// it cannot be told before everything is read.
pub(crate) fn first_grammar(repo: &Repo) -> Option<Grammar> {
    let mut found: Vec<(Version, PathBuf, Grammar)> = Vec::new();
    let lanes = repo.migrations.iter().chain(&repo.manual_migrations);
    for lane in lanes.filter(|path| repo.files.is_dir(path)) {
        for (entry, is_dir) in entries(repo, lane).ok()? {
            let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if is_dir {
                let named = grammar::read_directory_name(&name);
                found.extend(named.map(|(version, _)| (version, entry.join("up.sql"), Grammar::Diesel)));
                continue;
            }
            match grammar::read_file_name(&name) {
                Named::Plain { version, side: Side::Up, .. } => found.push((version, entry, Grammar::Plain)),
                Named::Refinery { version, .. } => found.push((version, entry, Grammar::Refinery)),
                _ => {}
            }
        }
    }
    found.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    let is_there =
        |(_, path, grammar): &(_, PathBuf, Grammar)| *grammar != Grammar::Diesel || repo.files.is_file(path);
    let (_, path, grammar) = found.into_iter().find(is_there)?;
    if grammar != Grammar::Plain {
        return Some(grammar);
    }
    let text = read_text(repo.files, &path, &repo.shown(&path)).ok()?;
    Some(if sections::present(&text) { Grammar::Dbmate } else { Grammar::Plain })
}

fn refuse_mixture(repo: &Repo, kinds: &[&Vec<Found>]) -> Result<()> {
    let mut present = kinds.iter().filter_map(|found| found.first());
    if let (Some(first), Some(second)) = (present.next(), present.next()) {
        return Err(Error::new(
            Kind::Grammar,
            format!(
                "`{}` and `{}` follow two grammars in one directory",
                repo.shown(&first.path).display(),
                repo.shown(&second.path).display()
            ),
        )
        .help("keep one grammar in a directory"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing;

    /// Reads a directory of these files, all with the same text.
    fn read_files(files: &[&str]) -> Result<Directory> {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        for file in files {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
            std::fs::write(path, "select 1;").expect("it is writable");
        }
        read(&testing::repo(), dir.path(), Lane::Automatic)
    }

    #[test]
    fn the_grammar_of_the_first_migration_is_that_of_reading_them_all() {
        let dbmate = "-- migrate:up\nselect 1;\n-- migrate:down\nselect 2;\n";
        let sets: [(&[&str], &str, Option<Grammar>); 6] = [
            (&["2_b.sql", "1_a.sql"], "select 1;", Some(Grammar::Plain)),
            (&["1_a.up.sql", "1_a.down.sql"], "select 1;", Some(Grammar::Plain)),
            (&["1_a.sql", "2_b.sql"], dbmate, Some(Grammar::Dbmate)),
            (&["V1__a.sql", "V2__b.sql"], "select 1;", Some(Grammar::Refinery)),
            (
                &["20260102_b/up.sql", "20260103_c/up.sql", "20260101_a/.keep"],
                "select 1;",
                Some(Grammar::Diesel),
            ),
            (&["notes.md"], "none", None),
        ];
        for (files, text, grammar) in sets {
            let root = tempfile::tempdir().expect("a temporary directory can be made");
            let migrations = root.path().join("migrations");
            for file in files {
                let path = migrations.join(file);
                std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
                std::fs::write(path, text).expect("it is writable");
            }
            let repo = Repo { migrations: vec![migrations.clone()], ..testing::repo() };
            assert_eq!(first_grammar(&repo), grammar, "{files:?}");
            if !files.contains(&"20260101_a/.keep") {
                assert_eq!(read(&repo, &migrations, Lane::Automatic).unwrap().grammar, grammar, "{files:?}");
            }
        }
    }

    #[test]
    fn a_script_beside_diesels_directories_is_none_of_its_migrations() {
        let directory = read_files(&["20260101_a/up.sql", "backfill.sql"]).expect("diesel passes over it");
        assert_eq!(directory.grammar, Some(Grammar::Diesel));
        assert_eq!(directory.migrations.len(), 1);
        let error = read_files(&["20260101_a.sql", "backfill.sql"]).expect_err("its name is a mistake");
        assert!(error.message().contains("would never run"), "{error}");
        let error =
            read_files(&["20260101_a/up.sql", "20260102_b.sql"]).expect_err("one of them is a mistake");
        assert!(error.message().contains("two grammars"), "{error}");
    }

    #[test]
    fn a_migration_of_diesels_without_its_up_side_is_not_passed_over_in_silence() {
        let error = read_files(&["20260101_a/up.sql", "20260102_b/down.sql"]).expect_err("diesel fails too");
        assert!(error.message().contains("it has no `up.sql`"), "{error}");
        assert!(read_files(&["20260101_a/up.sql", "20260102_b/.keep", "notes/x.md"]).is_err());
        assert!(read_files(&["20260101_a/up.sql", "notes/x.md"]).is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leaves_the_directory_is_refused_in_every_grammar() {
        use std::os::unix::fs::symlink;

        let root = tempfile::tempdir().unwrap();
        let mut repo = testing::repo();
        repo.priv_dir = root.path().join("priv");
        let migrations = repo.priv_dir.join("migrations");
        std::fs::create_dir_all(migrations.join("1_a")).unwrap();
        std::fs::write(root.path().join("outside.sql"), "select 1;").unwrap();
        symlink("user@host.1234", migrations.join(".#2_b.sql")).unwrap();
        symlink(root.path().join("outside.sql"), migrations.join("1_a/up.sql")).unwrap();
        assert_eq!(read(&repo, &migrations, Lane::Automatic).unwrap_err().kind(), Kind::Configuration);
        std::fs::remove_file(migrations.join("1_a/up.sql")).unwrap();
        std::fs::write(migrations.join("1_a/up.sql"), "select 1;").unwrap();
        assert_eq!(read(&repo, &migrations, Lane::Automatic).unwrap().migrations.len(), 1);
    }
}
