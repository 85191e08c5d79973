use super::*;
use crate::ledger::{LedgerKind, Progress};
use crate::migration::testing::{files, ledger, migration, repo, reversible, state};
use crate::repo::Lane;

fn planned(
    files: &FileSet,
    state: &LedgerState,
    floor: Option<&Floor>,
    recorded: &[&str],
    to: Option<&str>,
) -> Result<Option<Plan>> {
    let recorded: Vec<String> = recorded.iter().map(|text| (*text).to_owned()).collect();
    let (repo, ledger) = (repo(), ledger(LedgerKind::Dbsetup));
    let files = &FileSet { floor: floor.cloned(), ..files.clone() };
    let facts = Facts { repo: &repo, files, ledger: &ledger, state, recorded: &recorded };
    plan(facts, to, &Reference { release: Some("v1".into()), ..Reference::default() })
}

fn three() -> FileSet {
    let mut manual = migration("2", "select 2;");
    manual.lane = Lane::Manual;
    files(&[reversible("1"), manual, migration("3", "select 3;")])
}

fn refusal(files: &FileSet, state: &LedgerState, to: Option<&str>) -> String {
    let error = planned(files, state, None, &[], to).expect_err("it is refused");
    assert_eq!(error.kind(), Kind::Refused);
    error.to_string()
}

#[test]
fn everything_of_both_lanes_is_taken_with_its_checksum() {
    let plan = planned(&three(), &state(&["1", "2", "3"]), None, &[], None).unwrap().unwrap();
    assert_eq!(plan.moves.len(), 4);
    assert!(!plan.partial && plan.newest.as_str() == "3");
    let [squash] = &plan.floor.squashes[..] else { panic!("one squash") };
    assert_eq!(squash.release.as_deref(), Some("v1"));
    let lines: Vec<_> = squash.migrations.iter().map(|entry| (entry.lane, entry.version.as_str())).collect();
    assert_eq!(lines, [(Lane::Automatic, "1"), (Lane::Manual, "2"), (Lane::Automatic, "3")]);
    assert!(squash.migrations.iter().all(|entry| entry.checksum.as_ref().unwrap().starts_with("sha256:")));
}

#[test]
fn a_squash_up_to_a_version_leaves_what_is_newer_pending_or_not() {
    let plan = planned(&three(), &state(&["1", "2"]), None, &[], Some("02")).unwrap().unwrap();
    assert!(plan.partial && plan.taken.len() == 2);
    let said = refusal(&three(), &state(&["1"]), Some("2"));
    assert!(said.contains("pending: 2 m2 (manual)") && !said.contains("3 m3"), "{said}");
    // The rest cannot be replayed without what an applied one came after.
    assert!(refusal(&three(), &state(&["1", "3"]), Some("1")).contains("pending: 2 m2"));
    assert!(planned(&three(), &state(&["1"]), None, &[], Some("1")).is_ok());
    let error = planned(&three(), &state(&["1"]), None, &[], Some("7")).unwrap_err();
    assert_eq!((error.kind(), error.notes().len()), (Kind::Missing, 1));
}

#[test]
fn nothing_in_the_lanes_is_nothing_to_squash() {
    let entry =
        FloorEntry { lane: Lane::Automatic, version: "1".into(), checksum: None, name: String::new() };
    let squashes = vec![Squashed { migrations: vec![entry], ..Squashed::default() }];
    let floor = Floor { ledger: Some(LedgerKind::Dbsetup), squashes };
    for to in [None, Some("1")] {
        assert_eq!(planned(&files(&[]), &state(&["1"]), Some(&floor), &["1"], to).unwrap(), None);
    }
}

#[test]
fn every_version_that_stands_in_the_way_is_named_with_its_remedy() {
    let set = files(&["1", "2", "3", "4"].map(|version| migration(version, "select 1;")));
    let mut state = state(&["1", "2", "9"]);
    state.rows[0].checksum = Some("sha256:other".into());
    state.rows[1].success = false;
    state.progress.push(Progress {
        version: "3".into(),
        reverting: false,
        done: 1,
        total: 2,
        checksum: String::new(),
        retry: false,
    });
    let said = refusal(&set, &state, None);
    for text in [
        "pending: 4 m4 (automatic)",
        "changed: 1 m1 (automatic)",
        "half done: 3 m3 (automatic)",
        "failed: 2 m2 (automatic)",
        "no file: 9",
        "`cargo dbsetup migrate --lane all --repo core`",
        "resolve VERSION --accept-checksum",
        "check out the branch",
        "1 migration is pending, 1 migration was changed after it was applied",
    ] {
        assert!(said.contains(text), "{text}: {said}");
    }
}

#[test]
fn what_is_pending_may_be_left_out_where_it_is_newer_than_all_that_is_applied() {
    assert!(refusal(&three(), &state(&["1"]), None).contains("or leave it out: `--to 1`"));
    assert!(!refusal(&three(), &state(&["1", "3"]), None).contains("leave it out"));
    assert!(!refusal(&three(), &state(&[]), None).contains("leave it out"));
}

#[test]
fn a_version_that_stays_is_not_to_be_required_by_one_that_goes() {
    let mut set = three();
    set.migrations[1].requires = vec!["3".into()];
    let said = refusal(&set, &state(&["1", "2", "3"]), Some("2"));
    assert!(said.contains("2 m2 requires 3") && said.contains("`--to 3`"), "{said}");
    assert!(planned(&set, &state(&["1", "2", "3"]), None, &[], None).is_ok());
}

#[test]
fn what_earlier_squashes_took_away_stands_in_no_way_and_stays_on_the_floor() {
    let entry = |version: &str| FloorEntry {
        lane: Lane::Automatic,
        version: version.into(),
        checksum: Some("c".into()),
        name: "old".into(),
    };
    let floor = Floor {
        ledger: Some(LedgerKind::Dbsetup),
        squashes: vec![Squashed { migrations: vec![entry("01")], ..Squashed::default() }],
    };
    let set = files(&[migration("2", "x"), migration("3", "x")]);
    // Version 0 stands in the structure alone: it was squashed before there were floors.
    let plan = planned(&set, &state(&["0", "1", "2", "3"]), Some(&floor), &["0", "1"], None);
    let plan = plan.unwrap().unwrap();
    assert_eq!(plan.floor.squashes.len(), 2);
    assert_eq!(plan.floor.squashes[0].migrations[0].checksum.as_deref(), Some("c"));
    assert_eq!(plan.taken.len(), 2);
    let error = planned(&set, &state(&["2", "3"]), Some(&floor), &["1"], None).unwrap_err();
    assert!(error.to_string().contains("not applied here: 01 old (automatic)"), "{error}");
    // Another ledger keeps other checksums: those of files that are gone are not known.
    let other = Floor { ledger: Some(LedgerKind::Sqlx), ..floor };
    let plan = planned(&set, &state(&["1", "2", "3"]), Some(&other), &["1"], None).unwrap().unwrap();
    assert_eq!(plan.floor.ledger, Some(LedgerKind::Dbsetup));
    assert_eq!(plan.floor.squashes[0].migrations[0].checksum, None);
}

#[test]
fn a_repo_without_an_archive_is_told() {
    let (mut repo, ledger) = (repo(), ledger(LedgerKind::Dbsetup));
    repo.archive.clear();
    let (files, state) = (three(), state(&["1", "2", "3"]));
    let facts = Facts { repo: &repo, files: &files, ledger: &ledger, state: &state, recorded: &[] };
    assert_eq!(plan(facts, None, &Reference::default()).unwrap_err().kind(), Kind::Configuration);
}
