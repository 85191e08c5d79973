//! What becomes of code that uses a repo's migrations through sqlx, decided before their files go. Pure.

use clap::ValueEnum;
use dbsetup::ledger::LedgerKind;
use dbsetup::repo::Repo;
use dbsetup::{Error, Kind};

use super::{Found, Usage};

/// How many places a refusal names.
const SHOWN: usize = 20;

/// How code goes on without the files of squashed migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    /// Every `sqlx::migrate!()` and `Migrator::new()` calls `set_ignore_missing(true)`: it passes over applied migrations
    /// without a file.
    IgnoreMissing,
}

/// What is known when it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The repo.
    pub repo: &'a Repo,
    /// Whose ledger it has.
    pub ledger: LedgerKind,
    /// Where its migrations are used ([`super::of_repo`]).
    pub found: &'a [&'a Found],
    /// Whether a baseline is left in the lane.
    pub baseline: bool,
}

/// Returns why a squash must not go on: code that would not start or test any more. `None` where there is none, or where
/// it was decided how it goes on.
pub fn refusal(facts: Facts<'_>, way: Option<Way>) -> Option<Error> {
    let Facts { repo, ledger, found, baseline } = facts;
    if baseline {
        return None;
    }
    let broken: Vec<&Found> = found.iter().copied().filter(|found| !found.ignores_missing).collect();
    if broken.is_empty() {
        return None;
    }
    let has = |usage: Usage| broken.iter().any(|found| found.usage == usage);
    let (migrators, tests) = (has(Usage::Migrator), has(Usage::Test));
    let mut error = Error::new(
        Kind::Refused,
        format!("`{}` is not squashed: sqlx would miss the files of its migrations", repo.name),
    );
    for found in broken.iter().take(SHOWN) {
        let what = match found.usage {
            Usage::Migrator => "would stop with `VersionMissing`: an applied migration has no file",
            Usage::Test => "`#[sqlx::test]` would begin with an empty database",
        };
        error = error.note(format!("{}:{}: {what}", repo.shown(&found.path).display(), found.line));
    }
    if let more @ 1.. = broken.len().saturating_sub(SHOWN) {
        error = error.note(format!("and {more} more"));
    }
    error = error.note("nothing has been squashed");
    let mut ways = Vec::new();
    if ledger == LedgerKind::Sqlx {
        let command = repo.command("squash --as-migration");
        ways.push(format!("leave one migration in the lane that makes all of it: {command}"));
    }
    if migrators {
        let then = match way {
            Some(Way::IgnoreMissing) => "in these files".to_owned(),
            None => format!("in each of these files, then {}", repo.command("squash --sqlx ignore-missing")),
        };
        ways.push(format!("call `.set_ignore_missing(true)` {then}"));
    }
    if tests {
        ways.push(
            "write `#[sqlx::test(migrations = false)]` and load the structure file in the test".to_owned(),
        );
    }
    let ours = match (migrators, tests) {
        (true, false) => "`dbsetup::Startup`",
        (false, true) => "`#[dbsetup::test]`",
        _ => "`dbsetup::Startup` and `#[dbsetup::test]`",
    };
    let joint = if migrators && tests && ledger != LedgerKind::Sqlx { "; and " } else { "; or " };
    Some(error.help(format!("{}; or let {ours} take their place, which know the floor", ways.join(joint))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::repo::{DatabaseUrl, RepoName};
    use std::path::PathBuf;

    fn repo() -> Repo {
        let url = DatabaseUrl::new("sqlite:core.db");
        Repo { disposable: true, ..Repo::plain(RepoName::new("core"), PathBuf::from("/shop"), url, "dev") }
    }

    fn found(path: &str, usage: Usage, ignores_missing: bool) -> Found {
        let (path, migrations) = (PathBuf::from("/shop").join(path), "/shop/migrations".into());
        Found { path, line: 7, usage, migrations, ignores_missing }
    }

    fn said(found: &[Found], ledger: LedgerKind, way: Option<Way>) -> Option<String> {
        let repo = repo();
        let found: Vec<&Found> = found.iter().collect();
        refusal(Facts { repo: &repo, ledger, found: &found, baseline: false }, way).map(|error| {
            assert_eq!(error.kind(), Kind::Refused);
            format!("{error} {:?} {}", error.notes(), error.help_text().unwrap_or_default())
        })
    }

    #[test]
    fn code_that_would_break_is_listed_with_the_ways_out() {
        let both = [found("src/a.rs", Usage::Migrator, false), found("tests/b.rs", Usage::Test, false)];
        let text = said(&both, LedgerKind::Sqlx, None).unwrap();
        for part in [
            "src/a.rs:7: would stop with `VersionMissing`",
            "tests/b.rs:7: `#[sqlx::test]`",
            "squash --as-migration",
            "squash --sqlx ignore-missing",
            "migrations = false",
            "`dbsetup::Startup` and `#[dbsetup::test]` take their place",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        // Only sqlx's ledger has rows that a baseline could replace.
        assert!(!said(&both, LedgerKind::Dbsetup, None).unwrap().contains("--as-migration"));
    }

    #[test]
    fn who_ignores_missing_files_is_asked_nothing_and_tests_are_not_helped_by_it() {
        let ignoring = found("src/a.rs", Usage::Migrator, true);
        let way = Some(Way::IgnoreMissing);
        assert_eq!(said(std::slice::from_ref(&ignoring), LedgerKind::Sqlx, None), None);
        assert_eq!(said(&[], LedgerKind::Sqlx, None), None);
        let test = found("tests/b.rs", Usage::Test, false);
        let text = said(&[ignoring, test], LedgerKind::Sqlx, way).unwrap();
        assert!(!text.contains("src/a.rs") && !text.contains("set_ignore_missing"), "{text}");
        let text = said(&[found("src/a.rs", Usage::Migrator, false)], LedgerKind::Sqlx, way).unwrap();
        assert!(text.contains("`.set_ignore_missing(true)` in these files"), "{text}");
    }

    #[test]
    fn a_baseline_is_enough_for_all() {
        let repo = repo();
        let test = found("tests/b.rs", Usage::Test, false);
        let facts = Facts { repo: &repo, ledger: LedgerKind::Sqlx, found: &[&test], baseline: true };
        assert!(refusal(facts, None).is_none());
    }
}
