//! Evidence that deployed databases have run what is to be squashed. Pure: the caller has read them.

use crate::driver::LedgerState;
use crate::error::{Error, Kind, Result};
use crate::ledger::{AppliedRow, LedgerKind, LedgerTable, meta_key};
use crate::migration::FileSet;
use crate::migration::assess::{State, assess};
use crate::migration::baseline;
use crate::repo::Repo;
use crate::structure::floor::FloorEntry;

/// How many versions a refusal names of each database.
const SHOWN: usize = 5;

/// What a deployed database has recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    /// What to call it: the flag's own word, with the environment where it is known.
    pub name: String,
    /// Whose checksums they are.
    pub ledger: Option<LedgerKind>,
    /// What was applied successfully.
    pub applied: Vec<Seen>,
}

/// A version that a deployed database has applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// The version as its ledger stores it.
    pub version: String,
    /// The checksum that was recorded with it, where one was.
    pub checksum: Option<String>,
}

/// What one database lacks.
struct Lack<'a> {
    name: &'a str,
    missing: Vec<&'a FloorEntry>,
    different: Vec<&'a FloorEntry>,
}

/// Refuses to squash what a deployed database has not run, or has run from another text. `ledger` is that of
/// the database that is squashed.
///
/// # Errors
/// [`Kind::Refused`] listing for each database what it lacks.
pub(super) fn refuse_unseen(
    repo: &Repo,
    files: &FileSet,
    ledger: &LedgerTable,
    taken: &[FloorEntry],
    evidence: &[Evidence],
) -> Result<()> {
    let lacks: Vec<Lack<'_>> = evidence
        .iter()
        .map(|evidence| lack(repo, files, ledger, taken, evidence))
        .filter(|lack| !lack.missing.is_empty() || !lack.different.is_empty())
        .collect();
    if lacks.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = lacks.iter().map(|lack| format!("`{}`", lack.name)).collect();
    let verb = if lacks.len() == 1 { "has" } else { "have" };
    let message =
        format!("`{}` cannot be squashed: {} {verb} not applied all of it", repo.name, names.join(", "));
    let mut error = Error::new(Kind::Refused, message);
    for Lack { name, missing, different } in &lacks {
        for (entries, what) in [(missing, "lacks"), (different, "has applied, from another text,")] {
            if !entries.is_empty() {
                error = error.note(format!("`{name}` {what} {}", listed(entries)));
            }
        }
    }
    let is_missing = |entry: &&FloorEntry| {
        lacks.iter().any(|lack| lack.missing.iter().any(|missing| missing.version == entry.version))
    };
    let before = taken.iter().take_while(|entry| !is_missing(entry)).last();
    let help = "deploy it there first";
    Err(match before {
        Some(entry) if lacks.iter().all(|lack| lack.different.is_empty()) => error
            .help(format!("{help}, or squash up to what is applied everywhere: `--to {}`", entry.version)),
        _ if lacks.iter().any(|lack| !lack.missing.is_empty()) => error.help(help),
        _ => error.help("find out which text is right, and give the file that one (`git log -p FILE`)"),
    })
}

fn lack<'a>(
    repo: &Repo,
    files: &FileSet,
    ledger: &LedgerTable,
    taken: &'a [FloorEntry],
    evidence: &'a Evidence,
) -> Lack<'a> {
    let mut state = state(ledger, evidence);
    baseline::expand(files.floor.as_ref(), ledger.kind, &mut state);
    let found = assess(files, ledger, &repo.ledger, &state);
    let (mut missing, mut different) = (Vec::new(), Vec::new());
    for entry in taken {
        let there = files.parse_version(&entry.version).and_then(|version| found.find(&version).cloned());
        match there.map(|there| there.state) {
            Some(State::Applied | State::LineEndings | State::FileMissing { .. }) => {}
            Some(State::Changed { .. }) => different.push(entry),
            _ => missing.push(entry),
        }
    }
    Lack { name: &evidence.name, missing, different }
}

/// Returns the ledger of a deployed database. Checksums of another kind of ledger say nothing about these files.
fn state(ledger: &LedgerTable, evidence: &Evidence) -> LedgerState {
    let mut state = LedgerState::default();
    for seen in &evidence.applied {
        let checksum = seen.checksum.clone().filter(|_| evidence.ledger == Some(ledger.kind));
        if let (Some(checksum), false) = (&checksum, ledger.kind.keeps_checksums()) {
            state.meta.push((format!("{}{}", meta_key::CHECKSUM_PREFIX, seen.version), checksum.clone()));
        }
        state.rows.push(AppliedRow {
            version: seen.version.clone(),
            checksum,
            success: true,
            ..AppliedRow::default()
        });
    }
    state
}

fn listed(entries: &[&FloorEntry]) -> String {
    let shown: Vec<String> = entries
        .iter()
        .take(SHOWN)
        .map(|entry| format!("{} {}", entry.version, entry.name).trim_end().to_owned())
        .collect();
    match entries.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::checksum;
    use crate::migration::testing::{files, ledger, migration, repo};
    use crate::repo::Lane;

    fn evidence(name: &str, applied: &[(&str, &str)]) -> Evidence {
        let seen = |(version, checksum): &(&str, &str)| Seen {
            version: (*version).into(),
            checksum: (!checksum.is_empty()).then(|| (*checksum).into()),
        };
        let applied = applied.iter().map(seen).collect();
        Evidence { name: name.into(), ledger: Some(LedgerKind::Dbsetup), applied }
    }

    fn refusal(kind: LedgerKind, versions: &[&str], evidence: &[Evidence]) -> Option<String> {
        let migrations: Vec<_> = versions.iter().map(|version| migration(version, "select 1;")).collect();
        let entry = |version: &&str| FloorEntry {
            lane: Lane::Automatic,
            version: (*version).into(),
            checksum: None,
            name: "a".into(),
        };
        let taken: Vec<FloorEntry> = versions.iter().map(entry).collect();
        refuse_unseen(&repo(), &files(&migrations), &ledger(kind), &taken, evidence).err().map(|error| {
            assert_eq!(error.kind(), Kind::Refused);
            error.to_string()
        })
    }

    #[test]
    fn everything_that_is_squashed_must_be_applied_everywhere() {
        let sum = checksum::ours("select 1;");
        let whole = evidence("env:A", &[("1", &sum), ("2", ""), ("3", ""), ("9", "x")]);
        assert_eq!(refusal(LedgerKind::Dbsetup, &["01", "2"], std::slice::from_ref(&whole)), None);
        let poor = evidence("prod.json", &[("1", "")]);
        let said = refusal(LedgerKind::Dbsetup, &["1", "2", "3"], &[whole, poor]).unwrap();
        assert!(said.contains("`prod.json` lacks 2 a, 3 a"), "{said}");
        assert!(!said.contains("env:A") && said.contains("`--to 1`"), "{said}");
    }

    #[test]
    fn another_text_is_no_evidence_and_another_ledgers_checksum_is_no_text() {
        for kind in [LedgerKind::Dbsetup, LedgerKind::Diesel] {
            let other = Evidence { ledger: Some(kind), ..evidence("env:A", &[("1", "other")]) };
            let said = refusal(kind, &["1"], std::slice::from_ref(&other)).unwrap();
            assert!(said.contains("from another text, 1 a"), "{said}");
            assert_eq!(refusal(kind, &["1"], &[Evidence { ledger: Some(LedgerKind::Sqlx), ..other }]), None);
        }
    }

    #[test]
    fn the_same_text_with_other_line_ends_is_the_same() {
        let mut other = evidence("env:A", &[("1", &checksum::sqlx("select 1;\r\n", &[]))]);
        other.ledger = Some(LedgerKind::Sqlx);
        let set = files(&[migration("1", "select 1;\n")]);
        let taken =
            [FloorEntry { lane: Lane::Automatic, version: "1".into(), checksum: None, name: "a".into() }];
        assert!(refuse_unseen(&repo(), &set, &ledger(LedgerKind::Sqlx), &taken, &[other]).is_ok());
    }

    #[test]
    fn a_database_that_has_nothing_lacks_everything() {
        let versions = ["1", "2", "3", "4", "5", "6", "7"];
        let said = refusal(LedgerKind::Dbsetup, &versions, &[evidence("env:A", &[])]).unwrap();
        assert!(said.contains("5 a and 2 more") && said.contains("deploy it there first"), "{said}");
        assert!(!said.contains("--to"), "{said}");
    }
}
