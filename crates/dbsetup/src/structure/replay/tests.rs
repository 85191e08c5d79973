//! What a replay begins with, as a table; replays of small projects are in `projects`.

#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod project;
#[cfg(all(feature = "sqlite", feature = "postgres"))]
mod projects;

use super::*;
use crate::migration::testing::{files, migration, repo};
use crate::repo::Lane;
use crate::structure::floor::{FloorEntry, Squashed};

fn floor(versions: &[&str]) -> Floor {
    let entry = |version: &&str| FloorEntry {
        lane: Lane::Automatic,
        version: (*version).to_owned(),
        checksum: None,
        name: String::new(),
    };
    let migrations = versions.iter().map(entry).collect();
    Floor {
        squashes: vec![Squashed { commit: Some("c0ffee".into()), migrations, ..Squashed::default() }],
        ..Floor::default()
    }
}

/// Lanes and an archive with these versions.
fn set(live: &[&str], archived: &[&str]) -> FileSet {
    let all = |versions: &[&str]| versions.iter().map(|v| migration(v, "select 1;")).collect::<Vec<_>>();
    let mut set = files(&all(live));
    set.archived = all(archived).into_iter().map(|one| (one.version.clone(), one)).collect();
    set
}

fn texts(versions: &[&str]) -> Vec<String> {
    versions.iter().map(|version| (*version).to_owned()).collect()
}

/// Recorded, floor, lanes, archive.
type Case<'a> = (Option<&'a [&'a str]>, &'a [&'a str], &'a [&'a str], &'a [&'a str]);

fn planned((recorded, squashed, live, archived): Case<'_>) -> Result<(Base, Vec<String>)> {
    let recorded = recorded.map(texts);
    let floor = (!squashed.is_empty()).then(|| floor(squashed));
    let plan = Plan::new(&repo(), recorded.as_deref(), floor.as_ref(), set(live, archived))?;
    let versions = plan.files.migrations.iter().map(|one| one.version.to_string()).collect();
    Ok((plan.base, versions))
}

#[test]
fn a_replay_begins_where_no_row_of_a_migration_is_hidden() {
    let cases: [(Case<'_>, Base, &[&str]); 10] = [
        // Nothing was ever dumped; an archive of old files is nobody's.
        ((None, &[], &["1", "2"], &[]), Base::Nothing, &["1", "2"]),
        ((None, &[], &["1"], &["0"]), Base::Nothing, &["1"]),
        // The structure was lost, and the floor tells which files came before.
        ((None, &["1"], &["2"], &["0", "1"]), Base::Nothing, &["1", "2"]),
        // What no version is recorded in, is where the lanes begin.
        ((Some(&[]), &[], &["1"], &[]), Base::Structure, &["1"]),
        // The usual state after a squash, with its archive or without.
        ((Some(&["1"]), &["1"], &["2"], &["1"]), Base::Structure, &["2"]),
        ((Some(&["1"]), &["1"], &["2"], &[]), Base::Structure, &["2"]),
        ((Some(&["1"]), &["1"], &[], &[]), Base::Structure, &[]),
        // A plain dump.
        ((Some(&["1", "2"]), &[], &["1", "2", "3"], &[]), Base::Nothing, &["1", "2", "3"]),
        // A plain dump after a squash; zeros are no other version.
        ((Some(&["0001", "2"]), &["1"], &["2", "3"], &["1", "0"]), Base::Nothing, &["1", "2", "3"]),
        ((Some(&["2"]), &["1"], &["2"], &["1"]), Base::Nothing, &["1", "2"]),
    ];
    for (case, base, versions) in cases {
        assert_eq!(planned(case).unwrap(), (base, texts(versions)), "{case:?}");
    }
}

#[test]
fn a_replay_without_its_files_names_them_and_the_commit_that_has_the_structure() {
    let error = planned((Some(&["1", "2", "3"]), &["1", "2"], &["3"], &["1"])).unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.message().contains("migration 2 "), "{error}");
    let help = error.help_text().unwrap();
    assert!(
        help.contains(
            "`git checkout $(git log -1 --format=%h -- priv/core/structure.floor) -- priv/core/structure.sql`"
        ),
        "{help}"
    );
    assert!(help.contains("`priv/core/dumped_migrations`"), "{help}");
    let error = planned((None, &["1"], &["2"], &[])).unwrap_err();
    assert!(error.to_string().contains("there is no `priv/core/structure.sql`"), "{error}");
}
