use super::*;
use crate::migration::testing::state;
use std::path::Path;

/// Three migrations and their baseline, then one more and the baseline of all four.
const TWICE: &str = "dbsetup floor format 1\nledger sqlx\n\nsquash\nautomatic 0001 a1 first\nmanual 2 a2 second\n\
    automatic 3 a3 third\nbaseline 0001 b1\n\nsquash\nautomatic 4 a4 fourth\nbaseline 0001 b2\n";

fn floor(squashes: usize) -> Floor {
    let mut floor = Floor::parse(TWICE, Path::new("f")).unwrap();
    floor.squashes.truncate(squashes);
    floor
}

/// A ledger of these versions, each with its checksum.
fn ledger(rows: &[(&str, &str)]) -> LedgerState {
    let versions: Vec<&str> = rows.iter().map(|(version, _)| *version).collect();
    let mut state = state(&versions);
    for (row, (_, checksum)) in state.rows.iter_mut().zip(rows) {
        (row.checksum, row.seq) = (Some((*checksum).to_owned()), None);
    }
    state
}

fn expanded(floor: Option<&Floor>, mut state: LedgerState) -> LedgerState {
    expand(floor, LedgerKind::Sqlx, &mut state);
    state
}

fn shown(state: &LedgerState) -> Vec<String> {
    let row = |row: &AppliedRow| {
        let mark = if row.absorbed { "~" } else { "" };
        format!("{mark}{}={}", row.version, row.checksum.as_deref().unwrap_or("?"))
    };
    state.rows.iter().map(row).collect()
}

/// Does to rows and keys what a database would.
fn apply(state: &LedgerState, changes: &[Change]) -> LedgerState {
    let mut next = LedgerState { meta: state.meta.clone(), ..LedgerState::default() };
    next.rows = state.rows.iter().filter(|row| !row.absorbed).cloned().collect();
    next.rows.extend(state.baseline.clone());
    for change in changes {
        match change {
            Change::Delete { version } => {
                let before = next.rows.len();
                next.rows.retain(|row| row.version != *version);
                assert_eq!(next.rows.len(), before - 1, "{version}");
            }
            Change::Insert(row) => {
                assert!(next.rows.iter().all(|other| other.version != row.version));
                let (version, checksum) = (row.version.clone(), row.checksum.clone());
                next.rows.push(AppliedRow { version, checksum, success: true, ..AppliedRow::default() });
            }
            Change::SetMeta { key, value } => {
                next.meta.retain(|(other, _)| other != key);
                next.meta.push((key.clone(), value.clone()));
            }
            other => panic!("{other:?}"),
        }
    }
    next
}

const ALL: [(&str, &str); 4] = [("1", "a1"), ("2", "a2"), ("3", "a3"), ("9", "a9")];

#[test]
fn a_deployed_database_gets_one_row_and_still_knows_what_it_replaced() {
    let floor = floor(1);
    let before = expanded(Some(&floor), ledger(&ALL));
    assert_eq!(before, ledger(&ALL));
    let plan = rewrite(&floor, LedgerKind::Sqlx, &before).unwrap();
    assert_eq!((plan.rows, plan.version.as_str()), (3, "0001"));
    let raw = apply(&before, &plan.changes);
    assert_eq!(shown(&raw), ["9=a9", "1=b1"]);
    assert_eq!(raw.meta("squashed:1"), Some("a1"));
    for branch in [Some(&floor), None] {
        // Another branch knows it from the database alone.
        let after = expanded(branch, raw.clone());
        assert_eq!(after.baseline.as_ref().unwrap().checksum.as_deref(), Some("b1"));
        let rows = shown(&after);
        assert_eq!(rows.iter().filter(|row| row.starts_with('~')).count(), 3, "{rows:?}");
        assert!(rows[0].ends_with("=a1") && rows[3] == "9=a9", "{rows:?}");
    }
    assert_eq!(rewrite(&floor, LedgerKind::Sqlx, &expanded(Some(&floor), raw)), None);
}

#[test]
fn a_database_made_of_the_baseline_is_told_what_it_stands_for() {
    let floor = floor(1);
    let state = expanded(Some(&floor), ledger(&[("1", "b1")]));
    assert_eq!(shown(&state), ["~1=a1", "~2=a2", "~3=a3"]);
    let plan = rewrite(&floor, LedgerKind::Sqlx, &state).unwrap();
    assert_eq!(plan.rows, 0);
    assert!(plan.changes.iter().all(|change| matches!(change, Change::SetMeta { .. })), "{plan:?}");
    let raw = apply(&state, &plan.changes);
    assert_eq!(rewrite(&floor, LedgerKind::Sqlx, &expanded(Some(&floor), raw.clone())), None);
    // Whoever has none of this would take the first migration for changed, and the others for pending.
    assert_eq!(shown(&expanded(None, raw)).len(), 3);
}

#[test]
fn a_second_baseline_takes_the_place_of_the_first_wherever_a_database_stands() {
    let floor = floor(2);
    let whole = [("1", "a1"), ("2", "a2"), ("3", "a3"), ("4", "a4")];
    for rows in [&whole[..], &[("1", "b1"), ("4", "a4")], &[("1", "b1"), ("2", "a2"), ("4", "a4")]] {
        let state = expanded(Some(&floor), ledger(rows));
        assert_eq!(state.rows.len(), 4, "{rows:?}");
        let plan = rewrite(&floor, LedgerKind::Sqlx, &state).unwrap();
        let raw = apply(&state, &plan.changes);
        assert_eq!(shown(&raw), ["1=b2"], "{rows:?}");
        assert_eq!(rewrite(&floor, LedgerKind::Sqlx, &expanded(Some(&floor), raw)), None);
    }
}

#[test]
fn a_database_in_the_middle_keeps_its_rows() {
    let floor = floor(2);
    for rows in [&[("1", "a1"), ("2", "a2")][..], &[("1", "b1")], &[]] {
        let state = expanded(Some(&floor), ledger(rows));
        assert_eq!(rewrite(&floor, LedgerKind::Sqlx, &state), None, "{rows:?}");
    }
    let mut failed = ledger(&[("1", "a1"), ("2", "a2"), ("3", "a3"), ("4", "a4")]);
    failed.rows[3].success = false;
    assert_eq!(rewrite(&floor, LedgerKind::Sqlx, &failed), None);
}

#[test]
fn a_structure_records_the_baseline_whether_or_not_the_database_was_rewritten() {
    let floor = floor(1);
    let deployed = ledger(&ALL);
    let fresh = expanded(Some(&floor), ledger(&[("1", "b1"), ("9", "a9")]));
    for state in [&deployed, &fresh] {
        let state = collapse(Some(&floor), LedgerKind::Sqlx, state);
        assert_eq!(shown(&state), ["1=b1", "9=a9"]);
        assert_eq!(state.baseline, None);
    }
    // A branch without the floor records what it knows.
    let other = collapse(None, LedgerKind::Sqlx, &fresh);
    assert_eq!(shown(&other), ["~1=a1", "~2=a2", "~3=a3", "9=a9"]);
    let middle = ledger(&ALL[..2]);
    assert_eq!(collapse(Some(&floor), LedgerKind::Sqlx, &middle), middle);
}

#[test]
fn only_ledgers_of_sqlx_have_baselines() {
    let floor = floor(1);
    let mut state = ledger(&[("1", "b1")]);
    expand(Some(&floor), LedgerKind::Refinery, &mut state);
    assert_eq!(shown(&state), ["1=b1"]);
    assert_eq!(rewrite(&floor, LedgerKind::Refinery, &ledger(&ALL)), None);
}
