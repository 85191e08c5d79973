use super::*;
use crate::ledger::LedgerKind;
use crate::migration::assess::{State, assess};
use crate::migration::plan::{self, Lanes};
use crate::migration::testing::{files, ledger, migration, repo, reversible, state};
use crate::migration::{Migration, checksum};
use crate::repo::Lane;
use crate::structure::floor::{Floor, Squashed};

/// Each paragraph: its release and its versions; a version with `m` is of the manual lane.
fn floor(squashes: &[(&str, &[&str])]) -> Option<Floor> {
    let entry = |version: &&str| FloorEntry {
        lane: if version.ends_with('m') { Lane::Manual } else { Lane::Automatic },
        version: version.trim_end_matches('m').into(),
        checksum: Some(checksum::ours(&sql(version.trim_end_matches('m')))),
        name: format!("m{}", version.trim_end_matches('m')),
    };
    let squash = |(release, versions): &(&str, &[&str])| Squashed {
        release: Some((*release).into()),
        migrations: versions.iter().map(entry).collect(),
        ..Squashed::default()
    };
    let squashes = squashes.iter().map(squash).collect();
    Some(Floor { ledger: Some(LedgerKind::Dbsetup), squashes })
}

fn sql(version: &str) -> String {
    format!("select {version};")
}

/// A set with these versions in the lane and those in the archive.
fn set(lane: &[&str], archive: &[&str], floor: Option<Floor>) -> FileSet {
    let one = |version: &str| -> Migration {
        let number = version.trim_end_matches('m');
        let mut one = migration(number, &sql(number));
        if version.ends_with('m') {
            one.lane = Lane::Manual;
        }
        one
    };
    let mut set = files(&lane.iter().map(|version| one(version)).collect::<Vec<_>>());
    set.archived = archive.iter().map(|version| one(version)).map(|one| (one.version.clone(), one)).collect();
    set.floor = floor;
    set.has_archive = true;
    set
}

fn judged(files: &FileSet, recorded: &[&str]) -> Standing {
    standing(files, &ledger(LedgerKind::Dbsetup), &LedgerSetting::default(), &state(recorded))
}

fn texts(versions: &[Version]) -> Vec<&str> {
    versions.iter().map(Version::as_str).collect()
}

/// The verdict in words: `reached`, `behind 1 2`, `below 1 2 through v1:2`.
fn words(files: &FileSet, recorded: &[&str]) -> String {
    match judged(files, recorded).verdict {
        Verdict::Reached => "reached".into(),
        Verdict::Behind(versions) => format!("behind {}", texts(&versions).join(" ")),
        Verdict::Below { here, gone, through } => {
            let through: Vec<String> =
                through.iter().map(|(name, count)| format!("{name}:{count}")).collect();
            let (here, gone) = (texts(&here).join(" "), texts(&gone).join(" "));
            format!("below {gone} (here {here}) through {}", through.join(", "))
        }
    }
}

#[test]
fn every_database_gets_its_verdict() {
    let one: &[(&str, &[&str])] = &[("v1", &["1", "2m", "3"])];
    let two: &[(&str, &[&str])] = &[("v1", &["1", "2"]), ("v2", &["3", "4"])];
    for (squashes, lane, archive, recorded, expected) in [
        (one, &["4"][..], &["1", "2m", "3"][..], &["1", "2", "3"][..], "reached"),
        (one, &["4"], &[], &["1", "2", "3"], "reached"),
        (one, &["4"], &["1", "2m", "3"], &["1", "2", "3", "4", "9"], "reached"),
        (one, &["4"], &["1", "2m", "3"], &["1"], "behind 2 3"),
        (one, &["4"], &["1", "2m", "3"], &[], "behind 1 2 3"),
        // Zeros in front of a number are no other version.
        (one, &["4"], &["1", "2m", "3"], &["001", "002", "003"], "reached"),
        // A file that came back into its lane is that lane's.
        (one, &["2m", "3", "4"], &["1"], &["1"], "reached"),
        (one, &["3", "4"], &["1", "2m"], &["1"], "behind 2"),
        (one, &["4"], &["1", "3"], &["1"], "below 2 (here 3) through release v1:1"),
        (one, &["4"], &[], &["1"], "below 2 3 (here ) through release v1:2"),
        (one, &["4"], &[], &[], "below 1 2 3 (here ) through release v1:3"),
        // A database that skipped a release passes through both, oldest first.
        (two, &["5"], &[], &["1"], "below 2 3 4 (here ) through release v1:1, release v2:2"),
        (two, &["5"], &["3", "4"], &["1"], "below 2 (here 3 4) through release v1:1"),
        (two, &["5"], &["1", "2", "3", "4"], &["1", "3"], "behind 2 4"),
    ] {
        let files = set(lane, archive, floor(squashes));
        assert_eq!(words(&files, recorded), expected, "{lane:?} {archive:?} {recorded:?}");
    }
    let files = set(&["1"], &["7"], None);
    assert_eq!(words(&files, &[]), "reached");
    assert!(!judged(&files, &[]).is_known);
}

#[test]
fn another_checksum_than_the_floors_is_named() {
    let files = set(&[], &["1", "2"], floor(&[("v1", &["1", "2"])]));
    let mut state = state(&["1", "2"]);
    state.rows[0].checksum = Some(checksum::ours("select 1;"));
    state.rows[1].checksum = Some(checksum::ours("select 'another';"));
    let judge = |kind| {
        let found = standing(&files, &ledger(kind), &LedgerSetting::default(), &state);
        texts(&found.changed).join(" ")
    };
    assert_eq!(judge(LedgerKind::Dbsetup), "2");
    // The floor was written for another ledger: nothing can be compared.
    assert_eq!(judge(LedgerKind::Sqlx), "");
}

#[test]
fn another_checksum_of_other_line_ends_is_none() {
    let mut files = set(&[], &["1"], floor(&[("v1", &["1"])]));
    let squashed = files.floor.as_mut().expect("it has one");
    squashed.ledger = Some(LedgerKind::Sqlx);
    squashed.squashes[0].migrations[0].checksum = Some(checksum::sqlx("select 1;\n", &[]));
    files.archived.values_mut().for_each(|one| one.up.file = "select 1;\n".into());
    let mut state = state(&["1"]);
    let mut judge = |recorded: &str| {
        state.rows[0].checksum = Some(checksum::sqlx(recorded, &[]));
        standing(&files, &ledger(LedgerKind::Sqlx), &LedgerSetting::default(), &state).changed.len()
    };
    assert_eq!(judge("select 1;\r\n"), 0);
    assert_eq!(judge("select 2;\n"), 1);
}

fn planned(files: &FileSet, recorded: &[&str], scope: &Scope) -> Result<Plan> {
    let state = state(recorded);
    let found = assess(files, &ledger(LedgerKind::Dbsetup), &LedgerSetting::default(), &state);
    plan::up(&repo(), files, &found, scope)
}

fn all() -> Scope {
    Scope { lanes: Lanes::All, ..Scope::default() }
}

#[test]
fn what_was_squashed_runs_before_what_is_newer_in_the_lanes() {
    // 2 was merged from an old branch after 1 and 3 were squashed: everybody else has run it after 3.
    let files = set(&["2", "4"], &["1", "3"], floor(&[("v1", &["1", "3"])]));
    let plan = planned(&files, &["1"], &all()).unwrap();
    assert_eq!(texts(&plan.versions), ["3", "2", "4"]);
    assert_eq!(texts(&plan.squashed), ["3"]);
    let plan = planned(&files, &["1", "3"], &all()).unwrap();
    assert_eq!(texts(&plan.versions), ["2", "4"]);
    assert!(plan.squashed.is_empty());
}

#[test]
fn a_target_means_the_same_below_the_floor() {
    let files = set(&["4"], &["1", "2", "3"], floor(&[("v1", &["1", "2", "3"])]));
    let run = |target| {
        let plan = planned(&files, &["1"], &Scope { target, ..all() }).unwrap();
        texts(&plan.versions).join(" ")
    };
    assert_eq!(run(Target::All), "2 3 4");
    assert_eq!(run(Target::Steps(1)), "2");
    assert_eq!(run(Target::Steps(3)), "2 3 4");
    assert_eq!(run(Target::To("3".into())), "2 3");
    assert_eq!(run(Target::ToExclusive("3".into())), "2");
}

#[test]
fn a_lane_alone_does_not_pass_over_what_the_other_lane_lacks() {
    let files = set(&["4"], &["1", "2m", "3"], floor(&[("v1", &["1", "2m", "3"])]));
    let error = planned(&files, &["1"], &Scope::default()).unwrap_err();
    assert_eq!(error.kind(), Kind::Refused);
    assert!(error.help_text().unwrap().contains("migrate --lane all"), "{error:?}");
    assert!(error.notes().contains(&"it lacks 2 m2".to_owned()), "{error:?}");
    // The manual lane alone would leave 3 out.
    assert!(planned(&files, &["1"], &Scope { lanes: Lanes::Manual, ..all() }).is_err());
    assert!(planned(&files, &["1", "3"], &Scope { lanes: Lanes::Manual, ..all() }).is_ok());
    assert_eq!(texts(&planned(&files, &["1"], &all()).unwrap().versions), ["2", "3", "4"]);
    // Up to a version that does not reach the gap.
    let files = set(&["4"], &["1", "2", "3m"], floor(&[("v1", &["1", "2", "3m"])]));
    let scope = Scope { target: Target::To("2".into()), ..Scope::default() };
    assert_eq!(texts(&planned(&files, &["1"], &scope).unwrap().versions), ["2"]);
    let scope = Scope { target: Target::Steps(1), ..Scope::default() };
    assert_eq!(texts(&planned(&files, &["1"], &scope).unwrap().versions), ["2"]);
    let scope = Scope { target: Target::Steps(2), ..Scope::default() };
    assert!(planned(&files, &["1"], &scope).is_err());
}

#[test]
fn directories_mean_where_the_archived_files_were() {
    let files = set(&["4"], &["1", "2"], floor(&[("v1", &["1", "2"])]));
    let directories = |path: &str| Scope { directories: Some(vec![path.into()]), ..Scope::default() };
    let plan = planned(&files, &["1"], &directories("/shop/priv/core/migrations")).unwrap();
    assert_eq!(texts(&plan.versions), ["2", "4"]);
    assert_eq!(planned(&files, &["1"], &directories("/shop/other")).unwrap_err().kind(), Kind::Refused);
}

#[test]
fn a_database_below_the_floor_is_told_the_way() {
    let mut files = set(&["5"], &[], floor(&[("v1", &["1", "2"]), ("v2", &["3"])]));
    files.archive_problems.push("`a.sql` is not UTF-8".into());
    let error = planned(&files, &["1"], &all()).unwrap_err();
    assert_eq!(error.kind(), Kind::BelowFloor);
    assert!(error.notes().contains(&"it lacks 2 m2, 3 m3".to_owned()), "{error:?}");
    assert!(error.notes().contains(&"of the archive: `a.sql` is not UTF-8".to_owned()), "{error:?}");
    let help = error.help_text().unwrap();
    assert!(help.contains("of release v1, then of release v2"), "{help}");
}

#[test]
fn an_older_version_from_the_archive_is_in_nobodys_way() {
    let files = set(&["4"], &["1", "2"], floor(&[("v1", &["1", "2"])]));
    let strict = Scope { order: crate::repo::VersionOrder::Strict, ..all() };
    assert_eq!(texts(&planned(&files, &["1", "4"], &strict).unwrap().versions), ["2"]);
}

#[test]
fn what_is_recorded_or_gone_has_its_own_state() {
    let files = set(&["4"], &["1", "2"], floor(&[("v1", &["1", "2", "3"])]));
    let state = state(&["1"]);
    let found = assess(&files, &ledger(LedgerKind::Dbsetup), &LedgerSetting::default(), &state);
    let states: Vec<_> = found.entries.iter().map(|entry| (entry.version.as_str(), &entry.state)).collect();
    assert_eq!(
        states,
        [
            ("1", &State::FileMissing { archived: true }),
            ("2", &State::Pending),
            ("3", &State::BelowFloor),
            ("4", &State::Pending)
        ]
    );
    let gone = found.find(&Version::numeric("3").unwrap()).unwrap();
    assert_eq!((gone.name(), gone.lane()), ("m3".into(), Some(Lane::Automatic)));
}

fn undone(files: &FileSet, recorded: &[&str], scope: &Scope) -> Result<Plan> {
    let state = state(recorded);
    let found = assess(files, &ledger(LedgerKind::Dbsetup), &LedgerSetting::default(), &state);
    plan::down(&repo(), files, &found, scope)
}

#[test]
fn the_archive_serves_rollback_or_the_refusal_says_why_not() {
    let mut files = set(&[], &["1", "2", "3"], floor(&[("v1", &["1", "2", "3", "4"])]));
    for version in ["1", "3"] {
        files.archived.insert(Version::numeric(version).unwrap(), reversible(version));
    }
    let steps = |count| Scope { target: Target::Steps(count), ..all() };
    let plan = undone(&files, &["1", "2", "3"], &steps(1)).unwrap();
    assert_eq!((texts(&plan.versions), texts(&plan.squashed)), (vec!["3"], vec!["3"]));
    let error = undone(&files, &["1", "2", "3"], &steps(2)).unwrap_err();
    assert!(error.message().contains("it has no down side"), "{error:?}");
    assert!(error.notes().contains(&"it was squashed into the structure".to_owned()), "{error:?}");
    assert!(error.notes().contains(&"`2_m2.up.sql`".to_owned()), "{error:?}");
    let error = undone(&files, &["4"], &steps(1)).unwrap_err();
    assert!(error.message().contains("its file is not in the archive"), "{error:?}");
    assert!(error.help_text().unwrap().contains("check out release v1"), "{error:?}");
    // Nothing would ever run it again.
    let files = FileSet { floor: None, ..files };
    let error = undone(&files, &["3"], &steps(1)).unwrap_err();
    assert!(error.notes().iter().any(|note| note.contains("no squash floor names it")), "{error:?}");
}

#[test]
fn what_an_archived_migration_requires_cannot_be_undone() {
    let mut files = set(&[], &["1", "2"], floor(&[("v1", &["1", "2"])]));
    let mut needs = reversible("1");
    needs.requires = vec!["2".into()];
    files.archived.insert(needs.version.clone(), needs);
    files.archived.insert(Version::numeric("2").unwrap(), reversible("2"));
    let scope = Scope { target: Target::Steps(1), ..all() };
    assert_eq!(undone(&files, &["1", "2"], &scope).unwrap_err().kind(), Kind::Refused);
}

#[test]
fn a_file_of_the_archive_that_is_not_what_was_squashed_is_not_run() {
    let mut files = set(&["4"], &["1", "2"], floor(&[("v1", &["1", "2"])]));
    let judge = |files: &FileSet, recorded: &[&str]| {
        let state = state(recorded);
        let found = assess(files, &ledger(LedgerKind::Dbsetup), &LedgerSetting::default(), &state);
        plan::up(&repo(), files, &found, &Scope { lanes: Lanes::All, ..Scope::default() })
    };
    assert_eq!(texts(&judge(&files, &["1"]).unwrap().versions), ["2", "4"]);
    let two = Version::numeric("2").expect("a number");
    files.archived.get_mut(&two).expect("it is there").up.file = "select 'other';".into();
    let error = judge(&files, &["1"]).unwrap_err();
    assert_eq!(error.kind(), Kind::Changed);
    assert!(error.to_string().contains("2 m2"), "{error}");
    // Whoever has run it needs the file no more.
    assert_eq!(texts(&judge(&files, &["1", "2"]).unwrap().versions), ["4"]);
}

#[test]
fn what_the_structure_records_and_the_floor_has_lost_is_squashed_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let mut repo = repo();
    repo.structure = root.path().join("structure.sql");
    repo.migrations = vec![root.path().join("migrations")];
    repo.manual_migrations.clear();
    repo.archive = vec![root.path().join("dumped")];
    std::fs::create_dir(&repo.migrations[0]).unwrap();
    std::fs::create_dir_all(repo.archive[0].join("migrations")).unwrap();
    for version in ["1", "2", "3"] {
        std::fs::write(repo.archive[0].join(format!("migrations/{version}_a.sql")), sql(version)).unwrap();
    }
    // Three was thrown away before the structure was written.
    let row = |version: &str| format!("INSERT INTO schema_migrations (version) VALUES ('{version}');\n");
    std::fs::write(&repo.structure, [row("1"), row("2")].concat()).unwrap();
    for lost in [floor(&[("v1", &["1"])]), None] {
        if let Some(floor) = &lost {
            std::fs::write(Floor::path(&repo.structure), floor.text()).unwrap();
        } else {
            std::fs::remove_file(Floor::path(&repo.structure)).unwrap();
        }
        let mut files = FileSet::read_lanes(&repo, &[]).unwrap();
        files.complete(&repo, &ledger(LedgerKind::Dbsetup), &state(&["1"])).unwrap();
        assert_eq!(words(&files, &["1"]), "behind 2", "{lost:?}");
        assert_eq!(words(&files, &["1", "2"]), "reached", "{lost:?}");
    }
}
