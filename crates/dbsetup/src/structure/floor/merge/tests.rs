use super::*;

fn floor(squashes: &[(&str, &str, &[&str])]) -> String {
    let mut text = "dbsetup floor format 1\nledger schema_migrations\n".to_owned();
    for (release, commit, entries) in squashes {
        text += &format!("\nsquash\nrelease {release}\ncommit {commit}\n");
        entries.iter().for_each(|entry| text += &format!("{entry}\n"));
    }
    text
}

/// Merges both ways, which has to come to the same.
#[track_caller]
fn clean(base: &str, ours: &str, theirs: &str) -> String {
    let merged = merge(base, ours, theirs).unwrap();
    assert!(merged.conflicts.is_empty(), "{}", merged.text);
    assert_eq!(merge(base, theirs, ours).unwrap(), merged, "the other way round");
    assert_eq!(merge(&merged.text, &merged.text, &merged.text).unwrap(), merged);
    merged.text
}

const ONE: &str = "automatic 1 sha256:a users";
const TWO: &str = "manual 2 sha256:b index it's";
const FOUR: &str = "automatic 4 sha256:d four";
const FIVE: &str = "automatic 5 sha256:e five";
const TEN: &str = "automatic 10 sha256:f ten";

#[test]
fn what_both_sides_have_squashed_is_listed_once() {
    let base = floor(&[("v1", "aa", &[ONE])]);
    let ours = floor(&[("v1", "aa", &[ONE]), ("v2", "bb", &[TWO, FIVE])]);
    let theirs = floor(&[("v1", "aa", &[ONE]), ("v2", "cc", &[TWO, FOUR, TEN])]);
    let wanted = floor(&[("v1", "aa", &[ONE]), ("v2", "bb", &[TWO, FIVE]), ("v2", "cc", &[FOUR, TEN])]);
    assert_eq!(clean(&base, &ours, &theirs), wanted);
    // Neither had a floor before.
    let (ours, theirs) = (floor(&[("v1", "bb", &[ONE, TWO])]), floor(&[("v1", "cc", &[ONE, TWO, FOUR])]));
    let wanted = floor(&[("v1", "bb", &[ONE, TWO]), ("v1", "cc", &[FOUR])]);
    assert_eq!(clean("", &ours, &theirs), wanted);
    // From one commit it is one squash.
    let theirs = theirs.replace("cc", "bb");
    assert_eq!(clean("", &ours, &theirs), floor(&[("v1", "bb", &[ONE, TWO, FOUR])]));
    assert_eq!(clean("", &ours, &ours.replace('\n', "\r\n")), ours);
}

#[test]
fn what_one_side_has_changed_or_taken_back_is_as_that_side_has_it() {
    let base = floor(&[("v1", "aa", &[ONE]), ("v2", "bb", &[TWO])]);
    let taken_back = floor(&[("v1", "aa", &[ONE])]);
    assert_eq!(clean(&base, &base, &taken_back), taken_back);
    let more = floor(&[("v1", "aa", &[ONE]), ("v2", "bb", &[TWO]), ("v3", "cc", &[FOUR])]);
    let both = floor(&[("v1", "aa", &[ONE]), ("v3", "cc", &[FOUR])]);
    assert_eq!(clean(&base, &more, &taken_back), both);
    let named = base.replace("sha256:b index", "sha256:bb index");
    assert_eq!(clean(&base, &named, &more), more.replace("sha256:b index", "sha256:bb index"));
    let released = base.replace("release v2", "release v2.1");
    assert_eq!(clean(&base, &released, &more), more.replace("release v2", "release v2.1"));
}

#[test]
fn a_migration_with_two_texts_needs_a_decision_and_no_other() {
    let ours = floor(&[("v1", "bb", &[ONE, FOUR])]);
    let theirs = floor(&[("v1", "cc", &["automatic 1 sha256:z users", FIVE])]);
    let merged = merge("", &ours, &theirs).unwrap();
    assert_eq!(merged.conflicts, ["1"]);
    let block = format!("<<<<<<< ours\n{ONE}\n=======\nautomatic 1 sha256:z users\n>>>>>>> theirs\n");
    assert!(merged.text.contains(&block), "{}", merged.text);
    assert_eq!(merged.text.matches("<<<<<<<").count(), 1);
    let decided = merged.text.replace(&block, &format!("{ONE}\n"));
    assert_eq!(decided, floor(&[("v1", "bb", &[ONE, FOUR]), ("v1", "cc", &[FIVE])]));
    // Changed here and taken back there.
    let base = floor(&[("v1", "aa", &[ONE, TWO])]);
    let changed = base.replace("sha256:a", "sha256:z");
    let merged = merge(&base, &changed, &floor(&[("v1", "aa", &[TWO])])).unwrap();
    assert!(merged.text.contains("<<<<<<< ours\nautomatic 1 sha256:z users\n=======\n>>>>>>> theirs\n"));
}

#[test]
fn a_baseline_stands_for_no_more_than_it_did() {
    let with = |text: String, checksum: &str| format!("{text}baseline 1 {checksum}\n");
    let ours = floor(&[("v1", "bb", &[ONE, FIVE])]);
    let theirs = with(floor(&[("v1", "cc", &[ONE, TEN])]), "x");
    let merged = clean("", &ours, &theirs);
    let merged = Floor::parse(&merged, Path::new("x")).unwrap();
    let baseline = merged.baseline().expect("there is one");
    let stands_for: Vec<&str> = merged.absorbed(baseline).map(|entry| entry.version.as_str()).collect();
    assert_eq!(stands_for, ["1", "10"]);
    for (ours, theirs) in [
        (with(ours.clone(), "y"), theirs.clone()),
        (ours.replace("schema_migrations", "_sqlx_migrations"), ours.replace("schema_migrations", "sqlx")),
    ] {
        assert!(merge(&floor(&[]), &ours, &theirs).is_err());
    }
    assert_eq!(merge("nonsense\n", &ours, &ours).unwrap_err().kind(), Kind::Grammar);
}

#[test]
fn versions_that_are_no_numbers_sort_as_text() {
    let entry = |version: &str| format!("automatic {version} - x");
    let (one, two) = (entry("2026-01-01-000000"), entry("2026-01-02-000000"));
    let (ours, theirs) = (floor(&[("v1", "bb", &[&two])]), floor(&[("v1", "cc", &[&one])]));
    assert_eq!(clean("", &ours, &theirs), floor(&[("v1", "cc", &[&one]), ("v1", "bb", &[&two])]));
}
