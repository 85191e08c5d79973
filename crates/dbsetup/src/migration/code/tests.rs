//! The rules of code migrations: pure where they are, and against a database in memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;

use super::super::assess::{State, assess};
use super::super::plan::{self, Lanes, Scope};
use super::super::testing::{files, ledger, migration, repo, state};
use super::super::tests::Fixture;
use super::super::*;
use super::*;
use crate::driver::LockKey;
use crate::fake::Fault;
use crate::ledger::{AppliedRow, LedgerKind};
use crate::repo::LedgerSetting;

/// Code that runs one statement, `code VERSION`, and `undo VERSION` on its way down.
pub(super) fn code(version: &str) -> CodeMigration {
    let (up, down) = (format!("code {version}"), format!("undo {version}"));
    CodeMigration::new(version, format!("c{version}"), move |db| {
        let sql = up.clone();
        Box::pin(async move {
            db.execute(&sql, &[]).await?;
            Ok(())
        })
    })
    .down(move |db| {
        let sql = down.clone();
        Box::pin(async move {
            db.execute(&sql, &[]).await?;
            Ok(())
        })
    })
}

/// The same as a migration of a file set.
fn as_migration(version: &str) -> Migration {
    code(version).to_migration(&repo(), true).expect("its version is a number")
}

fn code_row(version: &str) -> AppliedRow {
    AppliedRow {
        version: version.into(),
        source: Some("code".into()),
        seq: Some(1),
        success: true,
        ..AppliedRow::default()
    }
}

const BETWEEN: [(&str, &str); 2] =
    [("migrations/1_a.sql", "create table a (i int);"), ("migrations/3_b.sql", "create table b (i int);")];

fn fixture() -> Fixture {
    let mut fixture = Fixture::new(&BETWEEN);
    fixture.repo.code = vec![code("2")];
    fixture
}

#[tokio::test]
async fn code_runs_between_the_files_and_is_recorded_as_code() {
    let fixture = fixture();
    assert_eq!(fixture.migrate_all().await.unwrap().done, 3);
    assert_eq!(fixture.database.effects(), ["create table a (i int);", "code 2", "create table b (i int);"]);
    let row = fixture.database.with(|state| state.ledger.rows[1].clone());
    assert!(row.is_code(), "{row:?}");
    assert_eq!((&*row.version, row.name.as_deref()), ("2", Some("c2")));
    assert_eq!(fixture.migrate_all().await.unwrap().done, 0);
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn code_is_undone_and_redone_like_files() {
    let mut fixture = Fixture::new(&[]);
    fixture.repo.code = vec![code("1"), code("2")];
    fixture.migrate_all().await.unwrap();
    fixture.rollback(Target::Steps(1)).await.unwrap();
    assert_eq!(fixture.database.versions(), ["1"]);
    let redo = RollbackRequest { redo: true, lanes: Lanes::All, target: Target::All, ..Default::default() };
    rollback(&mut fixture.session(), &redo).await.unwrap();
    assert_eq!(fixture.database.effects(), ["code 1", "code 2", "undo 2", "undo 1", "code 1"]);
}

#[tokio::test]
async fn code_without_a_down_side_is_refused_by_name_before_anything_is_undone() {
    let mut fixture = Fixture::new(&[]);
    let plain = CodeMigration::new("2", "one_way", |_| Box::pin(async { Ok(()) }));
    fixture.repo.code = vec![code("1"), plain];
    fixture.migrate_all().await.unwrap();
    let error = fixture.rollback(Target::All).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.message().contains("2 one_way"), "{error}");
    assert!(error.to_string().contains("`one_way`, which is code"), "{error}");
    assert_eq!(fixture.database.versions(), ["1", "2"]);
}

#[tokio::test]
async fn a_process_that_dies_anywhere_leaves_nothing_that_a_rerun_does_not_mend() {
    let expected = ["create table a (i int);", "code 2", "create table b (i int);"];
    for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::LostAfter] {
        let mut was_whole = false;
        for n in 1..200 {
            let fixture = fixture();
            fixture.database.fail_at(n, fault);
            let first = fixture.migrate_all().await;
            fixture.database.revive();
            if let Err(error) = fixture.migrate_all().await {
                panic!("{fault:?} at call {n}: {error:?}");
            }
            assert_eq!(fixture.database.effects(), expected, "{fault:?} at call {n}");
            assert_eq!(fixture.database.locks(), 0, "{fault:?} at call {n}");
            was_whole = first.is_ok() && !fixture.database.fault_was_due();
            if was_whole {
                break;
            }
        }
        assert!(was_whole, "{fault:?}: no run passed untouched");
    }
}

/// Runs one code migration, and returns how it failed.
async fn failing(fixture: &Fixture) -> Error {
    let error = fixture.migrate_all().await.unwrap_err();
    assert!(fixture.database.versions().is_empty(), "{error}");
    assert!(fixture.database.effects().is_empty(), "{error}");
    assert_eq!(fixture.database.locks(), 0);
    error
}

fn alone(code: CodeMigration) -> Fixture {
    let mut fixture = Fixture::new(&[]);
    fixture.repo.code = vec![code];
    fixture
}

#[derive(Debug, thiserror::Error)]
#[error("the archive is incomplete")]
struct Incomplete(#[source] std::num::ParseIntError);

#[tokio::test]
async fn an_error_of_the_code_rolls_back_and_is_told_with_its_causes() {
    let fixture = alone(CodeMigration::new("7", "import", |db| {
        Box::pin(async move {
            db.execute("insert into a", &[]).await?;
            "x".parse::<i32>().map_err(Incomplete)?;
            Ok(())
        })
    }));
    let error = failing(&fixture).await;
    assert_eq!(error.message(), "migration 7 import failed: the archive is incomplete");
    assert_eq!(
        error.notes(),
        ["caused by: invalid digit found in string", "the whole migration was rolled back"]
    );
    assert!(std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<Incomplete>));
}

#[tokio::test]
async fn a_panic_rolls_back_and_is_told() {
    for at_once in [true, false] {
        let fixture = alone(CodeMigration::new("7", "import", move |db| {
            assert!(!at_once, "no way: {}", 7);
            Box::pin(async move {
                db.execute("insert into a", &[]).await?;
                panic!("no way: 7")
            })
        }));
        let error = failing(&fixture).await;
        assert!(error.message().starts_with("migration 7 import panicked: "), "{error}");
        assert!(error.message().contains("no way: 7"), "{error}");
        assert!(error.notes().contains(&"the whole migration was rolled back".to_owned()), "{error}");
    }
}

#[tokio::test]
async fn a_failed_statement_is_shown_as_it_was_written_and_without_its_values() {
    let fixture = alone(CodeMigration::new("7", "import", |db| {
        Box::pin(async move {
            db.execute("insert into a\nvalues ($1)", &[Some("secret")]).await?;
            Ok(())
        })
    }));
    fixture.database.with(|state| state.poison = Some("insert".into()));
    let error = failing(&fixture).await;
    assert_eq!(error.kind(), Kind::Statement);
    let site = error.site().expect("the statement is shown");
    assert_eq!((&*site.excerpt, site.path.to_str()), ("insert into a", Some("7_import (code)")));
    assert!(!error.to_string().contains("secret"), "{error}");
    assert!(error.notes().contains(&"in migration 7 import, which is code".to_owned()), "{error}");
}

#[tokio::test]
async fn code_that_passes_over_a_failure_fails_all_the_same() {
    let fixture = alone(CodeMigration::new("7", "import", |db| {
        Box::pin(async move {
            let _ = db.execute("insert into a", &[]).await;
            assert!(db.execute("select 1", &[]).await.is_err());
            Ok(())
        })
    }));
    fixture.database.with(|state| state.poison = Some("insert".into()));
    let error = failing(&fixture).await;
    assert_eq!(error.message(), "poisoned");
    assert!(error.notes().iter().any(|note| note.starts_with("the code went on")), "{error}");
}

#[tokio::test]
async fn a_failure_in_words_of_the_code_names_the_statement_beneath() {
    let fixture = alone(CodeMigration::new("7", "import", |db| {
        Box::pin(async move {
            db.execute("insert into a", &[]).await.map_err(|_| "it did not work")?;
            Ok(())
        })
    }));
    fixture.database.with(|state| state.poison = Some("insert".into()));
    let error = failing(&fixture).await;
    assert_eq!(error.message(), "migration 7 import failed: it did not work");
    assert!(error.notes().contains(&"a statement failed before: poisoned".to_owned()), "{error}");
}

#[tokio::test]
async fn the_end_of_the_transaction_is_not_the_codes() {
    for sql in ["commit", "ROLLBACK", "begin"] {
        for batch in [true, false] {
            let fixture = alone(CodeMigration::new("7", "import", move |db| {
                Box::pin(async move {
                    match batch {
                        true => db.batch(&format!("select 1; {sql};")).await?,
                        false => drop(db.execute(sql, &[]).await?),
                    }
                    Ok(())
                })
            }));
            let error = failing(&fixture).await;
            assert_eq!(error.kind(), Kind::Grammar);
            assert!(error.message().contains("in a code migration"), "{error}");
        }
    }
}

#[tokio::test]
async fn one_call_sends_one_statement() {
    for sql in ["select 1; select 2", "-- nothing", "select $1", "select 'open"] {
        let fixture = alone(CodeMigration::new("7", "import", move |db| {
            Box::pin(async move {
                db.fetch(sql, &[]).await?;
                Ok(())
            })
        }));
        assert_eq!(failing(&fixture).await.kind(), Kind::Grammar, "{sql}");
    }
}

#[tokio::test]
async fn a_statement_that_nobody_waits_for_fails_the_migration() {
    let fixture = alone(CodeMigration::new("7", "import", |db| {
        Box::pin(async move {
            let mut call = Box::pin(db.execute("insert into a", &[]));
            // Begun, and dropped before its end.
            std::future::poll_fn(|context| {
                let _ = call.as_mut().poll(context);
                std::task::Poll::Ready(())
            })
            .await;
            drop(call);
            Ok(())
        })
    }));
    fixture.database.with(|state| state.slow = true);
    let error = failing(&fixture).await;
    assert_eq!(error.message(), "the code did not wait for the end of a statement");
}

#[tokio::test]
async fn code_runs_again_after_a_lock_that_was_not_obtained() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let mut fixture = alone(CodeMigration::new("7", "import", move |db| {
        counted.fetch_add(1, Ordering::SeqCst);
        Box::pin(async move {
            db.execute("first", &[]).await?;
            db.execute("second", &[]).await?;
            Ok(())
        })
    }));
    fixture.repo.lock_wait = std::time::Duration::from_secs(5);
    fixture.database.with(|state| state.busy = 2);
    fixture.migrate_all().await.unwrap();
    assert_eq!(runs.load(Ordering::SeqCst), 3);
    assert_eq!(fixture.database.effects(), ["first", "second"]);
}

#[tokio::test]
async fn a_run_that_nobody_waits_for_any_more_leaves_nothing() {
    let fixture = alone(CodeMigration::new("7", "import", |db| {
        Box::pin(async move {
            db.execute("insert into a", &[]).await?;
            std::future::pending().await
        })
    }));
    let mut session = fixture.session();
    let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
    let run = migrate(&mut session, &request);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(50), run).await.is_err());
    // Also where the session goes on.
    assert_eq!(fixture.database.locks(), 0);
    session.inspect().await.unwrap();
    assert!(fixture.database.effects().is_empty() && fixture.database.versions().is_empty());
}

#[tokio::test]
async fn one_version_in_a_file_and_in_code_is_refused_with_both_names() {
    let mut fixture = Fixture::new(&BETWEEN);
    fixture.repo.code = vec![code("0003")];
    let error = fixture.migrate_all().await.unwrap_err();
    assert_eq!(error.kind(), Kind::DuplicateVersion);
    let text = error.to_string();
    assert!(text.contains("3_b.sql") && text.contains("`c0003`, which is code"), "{text}");
    fixture.repo.code = vec![code("5"), code("5")];
    assert_eq!(fixture.migrate_all().await.unwrap_err().kind(), Kind::DuplicateVersion);
    fixture.repo.code = vec![code("five")];
    assert_eq!(fixture.migrate_all().await.unwrap_err().kind(), Kind::Grammar);
}

#[tokio::test]
async fn a_program_without_the_code_takes_its_row_for_applied() {
    let mut fixture = fixture();
    fixture.migrate_all().await.unwrap();
    fixture.repo.code.clear();
    fixture.repo.environment = "dev".into();
    let status = status(&mut fixture.session()).await.unwrap();
    let row = status.rows.iter().find(|row| row.version == "2").unwrap();
    assert_eq!((&row.state, row.is_code, &*row.name), (&State::Applied, true, "c2"));
    assert!(status.is_current(Lanes::All));
    fixture.migrate_all().await.unwrap();
    let error = fixture.rollback(Target::To("2".into())).await.unwrap_err();
    assert!(error.to_string().contains("3_b.sql"), "{error}");
    fixture.write("migrations/3_b.up.sql", "create table b (i int);");
    fixture.write("migrations/3_b.down.sql", "drop table b;");
    std::fs::remove_file(fixture.repo.migrations[0].join("3_b.sql")).unwrap();
    let error = fixture.rollback(Target::To("2".into())).await.unwrap_err();
    assert!(error.message().contains("it is code of the application"), "{error}");
}

#[tokio::test]
async fn a_file_waits_for_code_that_this_program_does_not_have() {
    let files = [("migrations/3_b.sql", "-- requires: code:2\ncreate table b (i int);")];
    let mut fixture = Fixture::new(&files);
    let report = fixture.migrate_all().await.unwrap();
    assert_eq!((report.done, &report.blocked[..]), (0, &[("3".to_owned(), "2 (code)".to_owned())][..]));
    assert!(fixture.has_warned("which is code of the application and not applied"));
    let status = status(&mut fixture.session()).await.unwrap();
    assert_eq!(status.rows[0].state, State::Blocked { by: "code:2".into() });
    fixture.repo.code = vec![code("2")];
    assert_eq!(fixture.migrate_all().await.unwrap().done, 2);
    // Without the mark it is a version that nobody knows, and the way out is told.
    let fixture = Fixture::new(&[("migrations/3_b.sql", "-- requires: 2\ncreate table b (i int);")]);
    let error = fixture.migrate_all().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Missing);
    assert!(error.help_text().is_some_and(|help| help.contains("code:2")), "{error}");
}

#[tokio::test]
async fn code_is_resolved_by_its_version() {
    let fixture = alone(code("2"));
    let resolved = |resolution| ResolveRequest { version: "2".into(), resolution, dry_run: false };
    resolve(&mut fixture.session(), &resolved(Resolution::Applied)).await.unwrap();
    assert!(fixture.database.with(|state| state.ledger.rows[0].is_code()));
    assert_eq!(fixture.migrate_all().await.unwrap().done, 0);
    resolve(&mut fixture.session(), &resolved(Resolution::NotApplied)).await.unwrap();
    assert_eq!(fixture.migrate_all().await.unwrap().done, 1);
}

#[tokio::test]
async fn a_dry_run_names_code_and_runs_none() {
    let fixture = fixture();
    let request = MigrateRequest { dry_run: true, ..MigrateRequest::default() };
    let report = fixture.migrate(&request).await.unwrap();
    let code: Vec<bool> = report.planned.iter().map(|planned| planned.is_code).collect();
    assert_eq!(code, [false, true, false]);
    assert!(fixture.database.effects().is_empty());
}

#[tokio::test]
async fn the_lock_that_another_run_holds_is_waited_for() {
    let fixture = fixture();
    let mut session = fixture.session();
    let ledger = session.inspect().await.unwrap().choice.table;
    session.close().await;
    fixture.database.hold(&LockKey { ledger, lane: Lane::Automatic });
    assert_eq!(fixture.migrate_all().await.unwrap_err().kind(), Kind::Locked);
    assert!(fixture.database.effects().is_empty());
}

#[test]
fn ledgers_of_other_tools_refuse_code_by_name() {
    let files = files(&[migration("1", "select 1;"), as_migration("2")]);
    for kind in LedgerKind::ALL {
        let state = state(&[]);
        let found = assess(&files, &ledger(kind), &LedgerSetting::default(), &state);
        let result = refuse_ledger(&repo(), &found, kind);
        match kind {
            LedgerKind::Dbsetup => assert!(result.is_ok()),
            _ => {
                let error = result.unwrap_err();
                assert_eq!(error.kind(), Kind::Unsupported);
                assert!(
                    error.message().contains("2 c2") && error.message().contains(kind.as_str()),
                    "{error}"
                );
                assert!(error.notes()[0].contains(kind.as_str()), "{error}");
            }
        }
    }
}

#[test]
fn a_directory_that_is_called_code_holds_files() {
    let mut row = code_row("2");
    row.checksum = Some("sha256:x".into());
    assert!(!row.is_code() && code_row("2").is_code());
}

#[test]
fn two_migrations_are_equal_by_version_and_name() {
    assert_eq!(code("2"), code("2").lane(Lane::Manual));
    assert_ne!(code("2"), code("3"));
    assert_eq!(format!("{:?}", code("2")), r#"CodeMigration { version: "2", name: "c2", .. }"#);
}

proptest! {
    #[test]
    fn whatever_is_code_and_applied_the_rest_runs_in_the_order_of_versions(
        kinds in proptest::collection::vec((any::<bool>(), any::<bool>()), 1..12),
    ) {
        let versions: Vec<String> = (1..=kinds.len()).map(|version| version.to_string()).collect();
        let all: Vec<Migration> = versions.iter().zip(&kinds).map(|(version, (is_code, _))| match is_code {
            true => as_migration(version),
            false => migration(version, "select 1;"),
        }).collect();
        let set = files(&all);
        let applied: Vec<&str> = versions.iter().zip(&kinds)
            .filter(|(_, (_, is_applied))| *is_applied).map(|(version, _)| version.as_str()).collect();
        let mut state = state(&applied);
        for row in &mut state.rows {
            if kinds[row.version.parse::<usize>().unwrap() - 1].0 {
                row.source = Some("code".into());
            }
        }
        let planned = |set: &FileSet| {
            let found = assess(set, &ledger(LedgerKind::Dbsetup), &LedgerSetting::default(), &state);
            let scope = Scope { lanes: Lanes::All, ..Scope::default() };
            let plan = plan::up(&repo(), set, &found, &scope).unwrap();
            plan.versions.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let open: Vec<String> = versions.iter().filter(|v| !applied.contains(&v.as_str())).cloned().collect();
        prop_assert_eq!(planned(&set), open.clone());
        // Who has no code runs the files, and nothing is missing.
        let files_alone = files(&all.into_iter().filter(|one| one.code.is_none()).collect::<Vec<_>>());
        let found = assess(&files_alone, &ledger(LedgerKind::Dbsetup), &LedgerSetting::default(), &state);
        let missing = found.entries.iter().any(|entry| matches!(entry.state, State::FileMissing { .. }));
        prop_assert!(!missing);
        let expected: Vec<String> =
            open.into_iter().filter(|v| !kinds[v.parse::<usize>().unwrap() - 1].0).collect();
        prop_assert_eq!(planned(&files_alone), expected);
    }
}
