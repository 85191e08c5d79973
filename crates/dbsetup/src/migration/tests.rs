//! The rules of migrating against a database in memory: what runs, what is recorded, what a crash leaves.

mod floor;

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use super::testing::repo;
use super::*;
use crate::driver::LockKey;
use crate::error::Kind;
use crate::event::{Event, Observer, What};
use crate::fake::{FakeDatabase, Fault};
use crate::repo::{Lane, Repo};
use crate::session::Session;

/// A repo with files on disk.
pub(super) struct Fixture {
    directory: tempfile::TempDir,
    pub repo: Repo,
    pub database: FakeDatabase,
    heard: Heard,
}

#[derive(Default)]
struct Heard(Mutex<Vec<What>>);

impl Observer for Heard {
    fn on(&self, event: &Event) {
        self.0.lock().unwrap().push(event.what.clone());
    }
}

impl Fixture {
    pub fn new(files: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut repo = repo();
        let root = directory.path().to_path_buf();
        let moved = |path: &PathBuf| root.join(path.strip_prefix("/shop").unwrap());
        repo.priv_dir = moved(&repo.priv_dir);
        repo.structure = moved(&repo.structure);
        for paths in [&mut repo.migrations, &mut repo.manual_migrations, &mut repo.archive] {
            paths.iter_mut().for_each(|path| *path = moved(path));
        }
        repo.root.clone_from(&root);
        repo.display_root = root;
        repo.lock_wait = Duration::from_millis(20);
        let fixture = Self { directory, repo, database: FakeDatabase::new(), heard: Heard::default() };
        fixture.write("migrations/.gitkeep", "");
        for (path, text) in files {
            fixture.write(path, text);
        }
        fixture
    }

    /// Whether a warning held these words.
    pub fn has_warned(&self, words: &str) -> bool {
        let heard = self.heard.0.lock().unwrap();
        heard.iter().any(|what| matches!(what, What::Warning { text, .. } if text.contains(words)))
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.directory.path().join("priv/core").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn session(&self) -> Session<'_> {
        Session::with_server(&self.repo, &self.heard, "test", Box::new(self.database.clone()))
    }

    pub async fn migrate(&self, request: &MigrateRequest) -> crate::Result<MigrateReport> {
        migrate(&mut self.session(), request).await
    }

    pub async fn migrate_all(&self) -> crate::Result<MigrateReport> {
        self.migrate(&MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() }).await
    }

    pub async fn rollback(&self, target: Target) -> crate::Result<RollbackReport> {
        let request = RollbackRequest { lanes: Lanes::All, target, ..RollbackRequest::default() };
        rollback(&mut self.session(), &request).await
    }
}

const THREE: [(&str, &str); 4] = [
    ("migrations/1_a.up.sql", "create table a (i int);"),
    ("migrations/1_a.down.sql", "drop table a;"),
    ("migrations/2_b.sql", "create table b (i int);"),
    ("manual_migrations/3_c.sql", "update a set i = 1;"),
];

#[tokio::test]
async fn pending_migrations_are_applied_and_recorded_once() {
    let fixture = Fixture::new(&THREE);
    assert_eq!(fixture.migrate(&MigrateRequest::default()).await.unwrap().done, 2);
    assert_eq!(fixture.database.versions(), ["1", "2"]);
    assert_eq!(fixture.migrate(&MigrateRequest::default()).await.unwrap().done, 0);
    assert_eq!(fixture.migrate_all().await.unwrap().done, 1);
    assert_eq!(fixture.database.effects().len(), 3);
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn nothing_to_do_takes_no_lock_and_writes_nothing() {
    let fixture = Fixture::new(&THREE);
    fixture.migrate_all().await.unwrap();
    let mut session = fixture.session();
    let ledger = session.inspect().await.unwrap().choice.table;
    session.close().await;
    fixture.database.hold(&LockKey { ledger, lane: Lane::Automatic });
    assert_eq!(fixture.migrate_all().await.unwrap().done, 0);
}

#[tokio::test]
async fn a_lock_that_is_not_obtained_names_its_holder() {
    let fixture = Fixture::new(&THREE);
    let mut session = fixture.session();
    let ledger = session.inspect().await.unwrap().choice.table;
    session.close().await;
    fixture.database.hold(&LockKey { ledger, lane: Lane::Automatic });
    let error = fixture.migrate_all().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Locked);
    assert!(error.notes().iter().any(|note| note.contains("session 0")), "{error}");
}

#[tokio::test]
async fn the_environment_is_recorded_with_the_first_migration_and_compared_later() {
    let mut fixture = Fixture::new(&THREE);
    fixture.migrate_all().await.unwrap();
    assert!(fixture.database.with(|state| state.ledger.meta.contains(&("environment".into(), "dev".into()))));
    fixture.repo.environment = "prod".into();
    fixture.migrate_all().await.unwrap();
    let heard = fixture.heard.0.lock().unwrap();
    assert!(
        heard.iter().any(|what| matches!(what, What::Warning { text, .. } if text.contains("belongs to")))
    );
}

#[tokio::test]
async fn a_failing_migration_points_at_its_file_and_stops_the_run() {
    let fixture = Fixture::new(&THREE);
    fixture.database.with(|state| state.poison = Some("table b".into()));
    let error = fixture.migrate_all().await.unwrap_err();
    assert_eq!(error.kind(), Kind::Statement);
    assert!(error.site().unwrap().path.ends_with("2_b.sql"), "{error}");
    assert_eq!(fixture.database.versions(), ["1"]);
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn every_file_is_checked_before_the_first_one_runs() {
    let fixture = Fixture::new(&[
        ("migrations/1_a.sql", "create table a (i int);"),
        ("migrations/2_b.sql", "create table b (i int); commit;"),
    ]);
    assert_eq!(fixture.migrate_all().await.unwrap_err().kind(), Kind::Grammar);
    assert!(fixture.database.effects().is_empty());
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_names_what_would_run() {
    let fixture = Fixture::new(&THREE);
    let request = MigrateRequest { dry_run: true, ..MigrateRequest::default() };
    let report = fixture.migrate(&request).await.unwrap();
    assert_eq!(report.planned.len(), 2);
    assert!(fixture.database.effects().is_empty());
    assert!(fixture.database.with(|state| !state.has_ledger && !state.has_meta));
    fixture.database.with(|state| state.exists = false);
    assert_eq!(fixture.migrate(&request).await.unwrap().planned.len(), 2);
}

#[tokio::test]
async fn rollback_undoes_the_newest_application_and_redo_applies_it_again() {
    let fixture = Fixture::new(&[
        ("migrations/1_a.up.sql", "create table a (i int);"),
        ("migrations/1_a.down.sql", "drop table a;"),
        ("migrations/2_b.up.sql", "create table b (i int);"),
        ("migrations/2_b.down.sql", "drop table b;"),
    ]);
    fixture.migrate_all().await.unwrap();
    fixture.rollback(Target::Steps(1)).await.unwrap();
    assert_eq!(fixture.database.versions(), ["1"]);
    fixture.migrate_all().await.unwrap();
    let redo =
        RollbackRequest { redo: true, lanes: Lanes::All, target: Target::All, ..RollbackRequest::default() };
    assert_eq!(rollback(&mut fixture.session(), &redo).await.unwrap().done, 4);
    assert_eq!(fixture.database.versions(), ["1", "2"]);
}

/// Runs `work` again and again, failing at the first, second, third … call, until it passes untouched; after each
/// failure it is run once more and must then have done everything exactly once.
async fn survive_every_failure(fault: Fault, files: &[(&str, &str)], expected: &[&str]) -> usize {
    for n in 1..200 {
        let fixture = Fixture::new(files);
        fixture.database.fail_at(n, fault);
        let first = fixture.migrate_all().await;
        fixture.database.revive();
        if let Err(error) = fixture.migrate_all().await {
            panic!("{fault:?} at call {n}: {error:?}");
        }
        assert_eq!(fixture.database.effects(), expected, "{fault:?} at call {n}");
        assert_eq!(fixture.database.locks(), 0, "{fault:?} at call {n}");
        assert!(fixture.database.with(|state| state.ledger.progress.is_empty()), "{fault:?} at call {n}");
        if first.is_ok() && !fixture.database.fault_was_due() {
            return n;
        }
    }
    panic!("no run passed untouched");
}

#[tokio::test]
async fn a_process_that_dies_anywhere_leaves_nothing_that_a_rerun_does_not_mend() {
    let expected = ["create table a (i int);", "create table b (i int);", "update a set i = 1;"];
    for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::LostAfter] {
        survive_every_failure(fault, &THREE, &expected).await;
    }
}

#[tokio::test]
async fn a_migration_without_a_transaction_goes_on_where_it_died() {
    let files = [
        ("migrations/1_a.sql", "create table a (i int);"),
        (
            "migrations/2_i.sql",
            "-- no-transaction\ncreate index concurrently i on a (i);\nupdate a set i = 2;\n\
             create index concurrently j on a (i);",
        ),
    ];
    let expected = [
        "create table a (i int);",
        "create index concurrently i on a (i)",
        "update a set i = 2",
        "create index concurrently j on a (i)",
    ];
    for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::LostAfter] {
        survive_every_failure(fault, &files, &expected).await;
    }
}

/// Returns the number of the call that runs the first statement of `text`, before it is recorded.
async fn call_that_runs(text: &str) -> usize {
    for n in 1..40 {
        let probe = Fixture::new(&[("migrations/1_a.sql", text)]);
        probe.database.fail_at(n, Fault::KilledAfter);
        let failed = probe.migrate_all().await.is_err();
        if failed
            && !probe.database.effects().is_empty()
            && probe.database.with(|state| state.ledger.progress[0].done == 0)
        {
            return n;
        }
    }
    panic!("one of the calls runs it");
}

#[tokio::test]
async fn a_statement_that_nothing_proves_asks_a_person_and_takes_either_answer() {
    let text = "-- no-transaction\nselect mystery concurrently;\nselect 2;";
    for (resolution, ran) in [(Resolution::Retry, 2), (Resolution::SkipStatement(1), 1)] {
        let fixture = Fixture::new(&[("migrations/1_a.sql", text)]);
        // The call that runs the statement is followed by the one that records it: die between the two.
        fixture.database.fail_at(call_that_runs(text).await, Fault::KilledAfter);
        fixture.migrate_all().await.unwrap_err();
        fixture.database.revive();
        assert_eq!(fixture.migrate_all().await.unwrap_err().kind(), Kind::Undecided);
        let request = ResolveRequest { version: "1".into(), resolution, dry_run: false };
        resolve(&mut fixture.session(), &request).await.unwrap();
        fixture.migrate_all().await.unwrap();
        let times = fixture.database.effects().iter().filter(|effect| effect.contains("mystery")).count();
        assert_eq!(times, ran);
        assert_eq!(fixture.database.versions(), ["1"]);
    }
}

#[tokio::test]
async fn a_skipped_last_statement_still_ends_with_a_record() {
    let text = "-- no-transaction\nselect mystery concurrently;";
    let fixture = Fixture::new(&[("migrations/1_a.sql", text)]);
    fixture.database.fail_at(call_that_runs(text).await, Fault::KilledAfter);
    fixture.migrate_all().await.unwrap_err();
    fixture.database.revive();
    let resolution = Resolution::SkipStatement(1);
    let request = ResolveRequest { version: "1".into(), resolution, dry_run: false };
    resolve(&mut fixture.session(), &request).await.unwrap();
    fixture.migrate_all().await.unwrap();
    assert_eq!(fixture.database.versions(), ["1"]);
    assert!(fixture.database.with(|state| state.ledger.progress.is_empty()));
}

#[tokio::test]
async fn a_statement_that_failed_in_order_runs_again_without_a_question() {
    let text = "-- no-transaction\nselect 1;\nselect mystery concurrently;";
    let fixture = Fixture::new(&[("migrations/1_a.sql", text)]);
    fixture.database.with(|state| state.poison = Some("mystery".into()));
    assert_eq!(fixture.migrate_all().await.unwrap_err().kind(), Kind::Statement);
    fixture.database.with(|state| state.poison = None);
    fixture.migrate_all().await.unwrap();
    assert_eq!(fixture.database.effects(), ["select 1", "select mystery concurrently"]);
}

#[tokio::test]
async fn an_interrupted_migration_that_is_resolved_as_applied_leaves_no_progress() {
    let text = "-- no-transaction\nselect mystery concurrently;\nselect 2;";
    let fixture = Fixture::new(&[("migrations/1_a.sql", text)]);
    fixture.database.fail_at(call_that_runs(text).await, Fault::KilledAfter);
    fixture.migrate_all().await.unwrap_err();
    fixture.database.revive();
    let request = ResolveRequest { version: "1".into(), resolution: Resolution::Applied, dry_run: false };
    resolve(&mut fixture.session(), &request).await.unwrap();
    assert!(fixture.database.with(|state| state.ledger.progress.is_empty()));
    assert_eq!(fixture.migrate_all().await.unwrap().done, 0);
}

#[tokio::test]
async fn a_file_that_lost_its_zeros_is_undone_under_its_old_version() {
    let fixture = Fixture::new(&[
        ("migrations/1_a.up.sql", "create table a (i int);"),
        ("migrations/1_a.down.sql", "drop table a;"),
    ]);
    fixture.migrate_all().await.unwrap();
    fixture.database.with(|state| state.ledger.rows[0].version = "0001".into());
    assert_eq!(fixture.rollback(Target::Steps(1)).await.unwrap().done, 1);
    assert!(fixture.database.versions().is_empty());
}

/// Another process applies a version while this one waits for the lock.
struct Faster(FakeDatabase);

impl Observer for Faster {
    fn on(&self, event: &Event) {
        if matches!(event.what, What::LockWaiting { .. }) {
            self.0.with(|state| state.ledger = testing::state(&["1", "2"]));
            self.0.revive();
        }
    }
}

#[tokio::test]
async fn a_rollback_does_not_undo_what_was_applied_while_it_waited() {
    let fixture = Fixture::new(&[
        ("migrations/1_a.up.sql", "create table a (i int);"),
        ("migrations/1_a.down.sql", "drop table a;"),
    ]);
    fixture.migrate_all().await.unwrap();
    fixture.write("migrations/2_b.up.sql", "create table b (i int);");
    fixture.write("migrations/2_b.down.sql", "drop table b;");
    let mut session = fixture.session();
    let ledger = session.inspect().await.unwrap().choice.table;
    session.close().await;
    fixture.database.hold(&LockKey { ledger, lane: Lane::Automatic });
    let faster = Faster(fixture.database.clone());
    let mut session =
        Session::with_server(&fixture.repo, &faster, "test", Box::new(fixture.database.clone()));
    let error = rollback(&mut session, &RollbackRequest { target: Target::Steps(1), ..Default::default() })
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::Locked, "{error}");
    assert_eq!(fixture.database.versions(), ["1", "2"]);
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn a_rollback_undoes_nothing_but_what_was_agreed_to() {
    let fixture = Fixture::new(&[
        ("migrations/1_a.up.sql", "create table a (i int);"),
        ("migrations/1_a.down.sql", "drop table a;"),
        ("migrations/2_b.up.sql", "create table b (i int);"),
        ("migrations/2_b.down.sql", "drop table b;"),
    ]);
    fixture.migrate_all().await.unwrap();
    let request = |expected: &[&str]| RollbackRequest {
        target: Target::Steps(1),
        expected: Some(expected.iter().map(|version| (*version).to_owned()).collect()),
        ..RollbackRequest::default()
    };
    // Somebody was shown 1, and 2 was applied while they read.
    let error = rollback(&mut fixture.session(), &request(&["1"])).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Locked, "{error}");
    assert!(error.message().contains("migration 2 was applied by another process"), "{error}");
    assert_eq!((fixture.database.versions(), fixture.database.locks()), (vec!["1".into(), "2".into()], 0));
    assert_eq!(rollback(&mut fixture.session(), &request(&["2", "1"])).await.unwrap().done, 1);
    assert_eq!(fixture.database.versions(), ["1"]);
}

/// The other lane records a version while this one is at work.
struct Beside(FakeDatabase);

impl Observer for Beside {
    fn on(&self, event: &Event) {
        if matches!(event.what, What::StatementDone { done: 1, .. }) {
            self.0.with(|state| {
                let mut rows = testing::state(&["9"]).rows;
                rows[0].seq = Some(7);
                state.ledger.rows.append(&mut rows);
            });
        }
    }
}

#[tokio::test]
async fn what_ends_last_is_the_newest_application() {
    let fixture = Fixture::new(&[("manual_migrations/1_a.sql", "-- no-transaction\nselect 1;\nselect 2;")]);
    let beside = Beside(fixture.database.clone());
    let mut session =
        Session::with_server(&fixture.repo, &beside, "test", Box::new(fixture.database.clone()));
    migrate(&mut session, &MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() }).await.unwrap();
    let seq = fixture.database.with(|state| state.ledger.rows.iter().find(|row| row.version == "1")?.seq);
    assert_eq!(seq, Some(8));
}

/// Another process takes the lock over and ends the migration as soon as the connection is lost.
struct Overtaken(FakeDatabase);

impl Observer for Overtaken {
    fn on(&self, event: &Event) {
        if matches!(event.what, What::Retry { .. }) {
            self.0.with(|state| {
                state.effects.push("update a set i = i + 2".into());
                state.effects.push("update a set i = i + 3".into());
                state.ledger = testing::state(&["1"]);
            });
        }
    }
}

#[tokio::test]
async fn a_migration_that_another_process_ended_meanwhile_is_not_run_on() {
    let text = "-- no-transaction\nselect 1 concurrently;\nupdate a set i = i + 2;\nupdate a set i = i + 3;";
    let fixture = Fixture::new(&[("migrations/1_a.sql", text)]);
    fixture.database.fail_at(call_that_runs(text).await, Fault::LostAfter);
    let overtaken = Overtaken(fixture.database.clone());
    let mut session =
        Session::with_server(&fixture.repo, &overtaken, "test", Box::new(fixture.database.clone()));
    assert_eq!(migrate(&mut session, &MigrateRequest::default()).await.unwrap().done, 0);
    assert_eq!(
        fixture.database.effects(),
        ["select 1 concurrently", "update a set i = i + 2", "update a set i = i + 3"]
    );
    assert!(fixture.database.with(|state| state.ledger.progress.is_empty()));
}

#[tokio::test]
async fn resolve_records_a_baseline_without_running_anything() {
    let fixture = Fixture::new(&THREE);
    let request = ResolveRequest {
        version: "2".into(),
        resolution: Resolution::AppliedTo { lanes: Lanes::All },
        dry_run: false,
    };
    resolve(&mut fixture.session(), &request).await.unwrap();
    assert_eq!(fixture.database.versions(), ["1", "2"]);
    assert!(fixture.database.effects().is_empty());
    assert_eq!(fixture.migrate_all().await.unwrap().done, 1);
}

#[tokio::test]
async fn an_edited_migration_is_refused_until_its_text_is_accepted() {
    let fixture = Fixture::new(&THREE);
    fixture.migrate_all().await.unwrap();
    fixture.write("migrations/2_b.sql", "create table b (j int);");
    assert_eq!(fixture.migrate_all().await.unwrap_err().kind(), Kind::Changed);
    let request =
        ResolveRequest { version: "2".into(), resolution: Resolution::AcceptChecksum, dry_run: false };
    resolve(&mut fixture.session(), &request).await.unwrap();
    fixture.migrate_all().await.unwrap();
}

#[tokio::test]
async fn status_looks_and_never_writes() {
    let fixture = Fixture::new(&THREE);
    let found = status(&mut fixture.session()).await.unwrap();
    assert_eq!(found.rows.iter().filter(|row| row.state == State::Pending).count(), 3);
    assert!(!found.is_current(Lanes::All));
    assert!(fixture.database.with(|state| !state.has_ledger && !state.has_meta));
    fixture.migrate(&MigrateRequest::default()).await.unwrap();
    let found = status(&mut fixture.session()).await.unwrap();
    assert!(found.is_current(Lanes::Automatic) && !found.is_current(Lanes::All));
}
