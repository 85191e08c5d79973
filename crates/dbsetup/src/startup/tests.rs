//! The start-up against a database in memory.

use super::*;
use crate::driver::{FilledTable, Server};
use crate::fake::{FakeDatabase, Fault};
use crate::ledger::{AppliedRow, Progress};
use crate::migration::testing;

mod failing;
mod settings;
mod words;

struct Fixture {
    directory: tempfile::TempDir,
    database: FakeDatabase,
}

impl Fixture {
    /// A project with so many migrations and an empty database.
    fn new(migrations: usize) -> Self {
        let fixture =
            Self { directory: tempfile::tempdir().expect("a directory"), database: FakeDatabase::new() };
        for number in 1..=migrations {
            fixture.file(&format!("migrations/{number}_m.sql"), &format!("create {number};"));
        }
        fixture
    }

    fn file(&self, path: &str, text: &str) {
        let path = self.directory.path().join("priv").join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it is writable");
        std::fs::write(path, text).expect("it is writable");
    }

    fn repo(&self) -> Repo {
        let mut repo = testing::repo();
        let root = self.directory.path().to_owned();
        repo.priv_dir = root.join("priv");
        repo.structure = repo.priv_dir.join("structure.sql");
        repo.migrations = vec![repo.priv_dir.join("migrations")];
        repo.manual_migrations = vec![repo.priv_dir.join("manual_migrations")];
        repo.archive = vec![repo.priv_dir.join("dumped_migrations")];
        (repo.root, repo.display_root) = (root.clone(), root);
        repo
    }

    fn startup(&self) -> Startup {
        let database = self.database.clone();
        Startup::of_repo(self.repo())
            .policy(Policy::Migrate)
            .lock_wait(Duration::from_millis(200))
            .opens(move |_| Ok(Box::new(database.clone()) as Box<dyn Server>))
    }

    fn sessions(&self) -> u64 {
        self.database.with(|state| state.next_session)
    }

    fn glances(&self) -> usize {
        self.database.with(|state| state.glances)
    }
}

fn wrong(result: Result<Report>) -> Error {
    result.map(|report| format!("{report:?}")).expect_err("it fails")
}

#[test]
fn a_start_up_may_run_in_a_task_of_its_own() {
    fn sendable(_: impl Send) {}
    sendable(Startup::of_repo(testing::repo()).run());
}

#[tokio::test]
async fn a_start_migrates_and_the_next_one_glances() {
    let fixture = Fixture::new(2);
    let report = fixture.startup().run().await.unwrap();
    assert!(matches!(report.outcome, Outcome::Migrated), "{report:?}");
    assert_eq!(report.applied, ["1", "2"]);
    let sessions = fixture.sessions();
    let report = fixture.startup().run().await.unwrap();
    assert!(matches!(report.outcome, Outcome::NothingToDo), "{report:?}");
    assert_eq!((fixture.sessions(), fixture.glances()), (sessions, 2), "one glance and no session");
    assert_eq!(fixture.database.effects(), ["create 1;", "create 2;"]);
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn whatever_is_doubtful_is_looked_at_closely() {
    type Doubt = fn(&mut crate::fake::State);
    let doubts: [(&str, Doubt); 7] = [
        ("a run in progress", |state| state.has_progress = true),
        ("a changed file", |state| state.ledger.rows[0].checksum = Some("sha256:00".into())),
        ("a newer format", |state| set(state, "format", "2")),
        ("another environment", |state| set(state, "environment", "staging")),
        ("another repo", |state| set(state, "repo:schema_migrations", "billing")),
        ("a load that was interrupted", |state| set(state, "loading", "1")),
        ("an unknown version", |state| {
            state.ledger.rows.push(AppliedRow {
                version: "9".into(),
                seq: Some(9),
                success: true,
                ..AppliedRow::default()
            });
        }),
    ];
    for (what, doubt) in doubts {
        let fixture = Fixture::new(1);
        fixture.startup().run().await.unwrap();
        fixture.database.with(doubt);
        let sessions = fixture.sessions();
        let _ = fixture.startup().run().await;
        assert!(fixture.sessions() > sessions, "{what}");
        assert_eq!(fixture.database.locks(), 0, "{what}");
    }
}

fn set(state: &mut crate::fake::State, key: &str, value: &str) {
    state.ledger.meta.retain(|(name, _)| name != key);
    state.ledger.meta.push((key.into(), value.into()));
}

#[tokio::test]
async fn wherever_a_start_dies_the_next_one_ends_it() {
    for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::LostAfter] {
        for n in 1..200 {
            let fixture = Fixture::new(2);
            fixture.file("seeds.sql", "insert 1;");
            fixture.file("seeds/dev/a.sql", "insert 2;");
            fixture.file("seeds/test/a.sql", "never;");
            fixture.database.fail_at(n, fault);
            let first = fixture.startup().seed().run().await;
            fixture.database.revive();
            fixture.startup().seed().run().await.unwrap();
            let effects: Vec<String> =
                fixture.database.effects().iter().map(|text| text.trim_end_matches(';').to_owned()).collect();
            assert_eq!(effects, ["create 1", "create 2", "insert 1", "insert 2"], "{fault:?} at call {n}");
            assert_eq!(fixture.database.locks(), 0);
            if first.is_ok() && !fixture.database.fault_was_due() {
                break;
            }
            assert!(n < 199);
        }
    }
}

#[tokio::test]
async fn off_does_not_connect_and_a_missing_database_is_made_only_when_asked() {
    let fixture = Fixture::new(1);
    fixture.database.with(|state| state.exists = false);
    let report = fixture.startup().policy(Policy::Off).run().await.unwrap();
    assert!(matches!(report.outcome, Outcome::Off) && fixture.glances() == 0);
    let error = wrong(fixture.startup().run().await);
    assert_eq!(error.kind(), Kind::DatabaseMissing);
    assert!(!fixture.database.with(|state| state.exists));
    let report = fixture.startup().create_if_missing().run().await.unwrap();
    assert_eq!(report.applied, ["1"]);
}

#[tokio::test]
async fn requiring_names_what_is_pending_and_writes_nothing() {
    let fixture = Fixture::new(2);
    let error = wrong(fixture.startup().policy(Policy::RequireCurrent).run().await);
    assert_eq!(error.kind(), Kind::Check);
    assert!(error.to_string().contains("2 migrations are pending"), "{error}");
    assert!(error.notes().iter().any(|note| note == "pending: 1, 2"), "{error:?}");
    assert!(error.help_text().unwrap().contains("migrate --repo core"), "{error:?}");
    assert!(!fixture.database.with(|state| state.has_ledger || state.has_meta));
    fixture.startup().run().await.unwrap();
    let report = fixture.startup().policy(Policy::RequireCurrent).run().await.unwrap();
    assert!(matches!(report.outcome, Outcome::NothingToDo));
}

#[tokio::test]
async fn waiting_ends_when_somebody_has_migrated_and_when_time_is_out() {
    let fixture = Fixture::new(1);
    let wait = |time| fixture.startup().policy(Policy::WaitForCurrent(Duration::from_millis(time)));
    let error = wrong(wait(150).run().await);
    assert_eq!(error.kind(), Kind::Check);
    assert!(error.notes().iter().any(|note| note.starts_with("waited for")), "{error:?}");
    let phases = Phases::new();
    let waiting = tokio::spawn(wait(20_000).phases(&phases).run());
    let mut watcher = phases.clone();
    while watcher.changed().await != Phase::Waiting {}
    fixture.startup().run().await.unwrap();
    let report = waiting.await.unwrap().unwrap();
    assert!(matches!(report.outcome, Outcome::Waited), "{report:?}");
    assert!(phases.is_ready());
    // What waiting does not mend ends it at once.
    fixture.file("migrations/1_m.sql", "something else;");
    assert_eq!(wrong(wait(60_000).run().await).kind(), Kind::Changed);
}

#[tokio::test]
async fn a_database_that_is_ahead_is_served_with_a_warning_and_refused_when_strict() {
    let fixture = Fixture::new(2);
    fixture.startup().run().await.unwrap();
    std::fs::remove_file(fixture.directory.path().join("priv/migrations/2_m.sql")).unwrap();
    let report = fixture.startup().run().await.unwrap();
    assert!(matches!(report.outcome, Outcome::NothingToDo) && report.is_ahead());
    assert_eq!(report.ahead, ["2"]);
    assert!(report.warnings.iter().any(|text| text.contains("ahead of this application")), "{report:?}");
    let report = fixture.startup().policy(Policy::RequireCurrent).run().await.unwrap();
    assert_eq!(report.ahead, ["2"]);
    for policy in [Policy::Migrate, Policy::RequireCurrent, Policy::WaitForCurrent(Duration::from_secs(9))] {
        let error = wrong(fixture.startup().strict().policy(policy).run().await);
        assert_eq!(error.kind(), Kind::Refused, "{policy}");
    }
    assert_eq!(fixture.database.versions(), ["1", "2"]);
}

#[tokio::test]
async fn manual_migrations_are_reported_and_never_run() {
    let fixture = Fixture::new(1);
    fixture.file("manual_migrations/2_m.sql", "create 2;");
    for _ in 0..2 {
        let report = fixture.startup().run().await.unwrap();
        assert_eq!(report.manual_pending, ["2"]);
    }
    assert_eq!(fixture.database.effects(), ["create 1;"]);
}

#[tokio::test]
async fn whoever_came_too_late_says_so() {
    let fixture = Fixture::new(1);
    // Both look at the empty database before either works: the second finds its lock taken.
    let (one, two) = tokio::join!(
        fixture.startup().lock_wait(Duration::from_secs(10)).run(),
        fixture.startup().lock_wait(Duration::from_secs(10)).run()
    );
    let applied = one.unwrap().applied.len() + two.unwrap().applied.len();
    assert_eq!((applied, fixture.database.effects().len()), (1, 1));
}

#[tokio::test]
async fn a_held_lock_ends_in_time_and_is_no_reason_to_lose_anything() {
    let fixture = Fixture::new(1);
    let ledger = crate::ledger::LedgerTable {
        schema: Some("public".into()),
        ..testing::ledger(crate::ledger::LedgerKind::Dbsetup)
    };
    fixture.database.with(|state| state.effects.push("theirs".into()));
    fixture.database.hold(&crate::lock::main_key(&ledger));
    let recreate = OnFailure::Recreate { accept_data_loss: true };
    let error = wrong(fixture.startup().on_failure(recreate).run().await);
    assert_eq!(error.kind(), Kind::Locked);
    assert_eq!(fixture.database.effects(), ["theirs"]);
}

#[tokio::test]
async fn continuing_serves_with_the_error_at_hand() {
    let fixture = Fixture::new(2);
    fixture.database.with(|state| state.poison = Some("create 2".into()));
    let phases = Phases::new();
    let report = fixture.startup().on_failure(OnFailure::Continue).phases(&phases).run().await.unwrap();
    assert_eq!(report.failure().unwrap().kind(), Kind::Statement);
    assert!(matches!(report.outcome, Outcome::Continued(_)) && phases.is_ready());
    assert_eq!((report.applied, fixture.database.locks()), (vec!["1".to_owned()], 0));
    wrong(fixture.startup().phases(&phases).run().await);
    assert_eq!(phases.current(), Phase::Failed);
}

#[tokio::test]
async fn recreating_is_refused_where_something_would_be_lost() {
    let fixture = Fixture::new(2);
    fixture.database.with(|state| state.poison = Some("create 2".into()));
    let recreate = |accept_data_loss| OnFailure::Recreate { accept_data_loss };
    let protected = |startup: Startup| match startup.origin {
        Origin::Repo(repo) => {
            let repo = Repo { disposable: false, ..*repo };
            Startup { origin: Origin::Repo(Box::new(repo)), ..startup }
        }
        Origin::Source(_) => startup,
    };
    let error = wrong(protected(fixture.startup().on_failure(recreate(false))).run().await);
    assert_eq!(error.kind(), Kind::Statement);
    assert!(error.notes().iter().any(|note| note.contains("`dev` is protected")), "{error:?}");
    let filled = FilledTable { schema: Some("public".into()), name: "users".into(), rows: 3 };
    fixture.database.with(|state| state.filled = vec![filled]);
    let error = wrong(fixture.startup().on_failure(recreate(false)).run().await);
    assert!(error.notes().iter().any(|note| note.contains("there are rows in `public.users`")), "{error:?}");
    // Whatever is accepted, a database of another environment is not touched.
    fixture.database.with(|state| set(state, "environment", "prod"));
    let error = wrong(fixture.startup().on_failure(recreate(true)).run().await);
    assert!(error.notes().iter().any(|note| note.contains("belongs to environment `prod`")), "{error:?}");
    assert_eq!(fixture.database.effects(), ["create 1;"]);
    assert_eq!(fixture.database.locks(), 0);
}

#[tokio::test]
async fn recreating_empties_once_and_tries_once_more() {
    let fixture = Fixture::new(2);
    fixture.startup().run().await.unwrap();
    fixture.file("migrations/1_m.sql", "create other;");
    let recreate = OnFailure::Recreate { accept_data_loss: false };
    let report = fixture.startup().on_failure(recreate.clone()).run().await.unwrap();
    assert!(matches!(report.outcome, Outcome::Recreated(_)), "{report:?}");
    assert_eq!(report.applied, ["1", "2"]);
    assert_eq!(fixture.database.effects(), ["create other;", "create 2;"]);
    fixture.file("migrations/1_m.sql", "create a third;");
    fixture.database.with(|state| state.poison = Some("a third".into()));
    let error = wrong(fixture.startup().on_failure(recreate).run().await);
    assert!(error.notes().iter().any(|note| note.contains("was emptied before")), "{error:?}");
}

#[tokio::test]
async fn the_hook_of_the_application_decides() {
    let fixture = Fixture::new(2);
    fixture.database.with(|state| state.poison = Some("create 2".into()));
    let hook = |answer: fn(u32) -> Answer| {
        OnFailure::hook(move |failure| {
            Box::pin(async move {
                assert_eq!((failure.repo(), failure.error().kind()), ("core", Kind::Statement));
                answer(failure.attempt())
            })
        })
    };
    wrong(fixture.startup().on_failure(hook(|_| Answer::Abort)).run().await);
    let tries = hook(|attempt| if attempt < 3 { Answer::Retry } else { Answer::Continue });
    let report = fixture.startup().on_failure(tries).run().await.unwrap();
    assert!(matches!(report.outcome, Outcome::Continued(_)));
    let database = fixture.database.clone();
    let mends = OnFailure::hook(move |failure| {
        database.with(|state| state.poison = None);
        Box::pin(async move {
            failure.recreate(false).await.unwrap();
            Answer::Retry
        })
    });
    let report = fixture.startup().on_failure(mends).run().await.unwrap();
    assert_eq!(report.applied, ["1", "2"]);
}

#[tokio::test]
async fn an_interrupted_migration_is_ended_and_not_glanced_over() {
    let fixture = Fixture::new(1);
    fixture.startup().run().await.unwrap();
    fixture.database.with(|state| {
        state.has_progress = true;
        state.ledger.progress.push(Progress {
            version: "1".into(),
            reverting: true,
            done: 1,
            total: 2,
            checksum: String::new(),
            retry: false,
        });
    });
    assert_eq!(wrong(fixture.startup().run().await).kind(), Kind::Undecided);
}

/// Of a project whose first two migrations were squashed, a database that has seen the first.
fn behind_the_floor(has_archive: bool) -> Fixture {
    let fixture = Fixture::new(0);
    let floor = "dbsetup floor format 1\nledger schema_migrations\n\nsquash\nrelease v1\n\
                 automatic 1 - a\nautomatic 2 - b\n";
    fixture.file("structure.floor", floor);
    fixture.file("migrations/3_c.sql", "create 3;");
    if has_archive {
        fixture.file("dumped_migrations/migrations/1_a.sql", "create 1;");
        fixture.file("dumped_migrations/migrations/2_b.sql", "create 2;");
    }
    fixture.database.with(|state| {
        state.ledger = testing::state(&["1"]);
        state.effects = vec!["create 1;".into()];
        (state.has_ledger, state.has_meta) = (true, true);
        set(state, "format", "1");
        set(state, "environment", "dev");
    });
    fixture
}

#[tokio::test]
async fn what_a_database_lacks_of_squashed_migrations_is_run_first_or_refused_by_its_own_kind() {
    let fixture = behind_the_floor(true);
    let error = wrong(fixture.startup().policy(Policy::RequireCurrent).run().await);
    assert!(error.notes().iter().any(|note| note == "pending: 2, 3"), "{error:?}");
    let report = fixture.startup().run().await.unwrap();
    assert_eq!(report.applied, ["2", "3"]);
    let sessions = fixture.sessions();
    fixture.startup().run().await.unwrap();
    assert_eq!(fixture.sessions(), sessions, "a database that has all of the floor is seen at a glance");
    let fixture = behind_the_floor(false);
    for policy in [Policy::Migrate, Policy::RequireCurrent, Policy::WaitForCurrent(Duration::from_secs(60))] {
        let error = wrong(fixture.startup().policy(policy).run().await);
        assert_eq!(error.kind(), Kind::BelowFloor, "{policy}");
    }
    assert_eq!(fixture.database.effects(), ["create 1;"]);
}

#[tokio::test]
async fn a_database_that_cannot_be_copied_is_not_migrated_under_a_policy_that_wants_a_copy() {
    let fixture = Fixture::new(1);
    let restore = OnFailure::RestoreBackup { and_continue: true };
    let report = fixture.startup().on_failure(restore).run().await.unwrap();
    let Outcome::Continued(error) = report.outcome else { panic!("{report:?}") };
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.notes().iter().any(|note| note == "nothing was migrated"), "{error:?}");
    let restore = OnFailure::RestoreBackup { and_continue: false };
    assert_eq!(wrong(fixture.startup().on_failure(restore).run().await).kind(), Kind::Unsupported);
    assert!(fixture.database.effects().is_empty());
}
