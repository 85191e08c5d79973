//! Databases that have not seen everything that was squashed.

use super::*;
use crate::migration::checksum;

const FLOOR: &str = "dbsetup floor format 1\nledger schema_migrations\n\nsquash\nrelease v1\n\
    automatic 1 - a\nautomatic 2 - b\nmanual 3 - c\n";

/// Everything up to 3 was squashed.
const SQUASHED: [(&str, &str); 7] = [
    ("structure.floor", FLOOR),
    ("dumped_migrations/migrations/1_a.up.sql", "create table a (i int);"),
    ("dumped_migrations/migrations/1_a.down.sql", "drop table a;"),
    ("dumped_migrations/migrations/2_b.up.sql", "-- no-transaction\ncreate table b (i int);\nselect 2;"),
    ("dumped_migrations/migrations/2_b.down.sql", "drop table b;"),
    ("dumped_migrations/manual_migrations/3_c.sql", "update a set i = 1;"),
    ("migrations/4_d.sql", "create table d (i int);"),
];

/// What a database that has seen 1 still lacks.
const REST: [&str; 4] =
    ["create table b (i int)", "select 2", "update a set i = 1;", "create table d (i int);"];

impl Fixture {
    /// With a database that has these versions.
    fn behind(files: &[(&str, &str)], recorded: &[&str]) -> Self {
        let fixture = Self::new(files);
        fixture.record(recorded);
        fixture
    }

    fn record(&self, versions: &[&str]) {
        self.database.with(|state| {
            state.ledger = testing::state(versions);
            (state.has_ledger, state.has_meta) = (true, true);
        });
    }

    fn remove_archive(&self) {
        std::fs::remove_dir_all(&self.repo.archive[0]).unwrap();
    }

    fn told_of_floor(&self) -> Vec<(usize, String)> {
        let heard = self.heard.0.lock().unwrap();
        let told = heard.iter().filter_map(|what| match what {
            What::BehindFloor { count, path } => Some((*count, path.display().to_string())),
            _ => None,
        });
        told.collect()
    }

    async fn resolve(&self, version: &str, resolution: Resolution) -> crate::Result<Vec<Resolved>> {
        let request = ResolveRequest { version: version.into(), resolution, dry_run: false };
        resolve(&mut self.session(), &request).await
    }
}

#[tokio::test]
async fn a_database_in_the_middle_runs_the_rest_from_the_archive_first() {
    let fixture = Fixture::behind(&SQUASHED, &["1"]);
    let dry = MigrateRequest { lanes: Lanes::All, dry_run: true, ..MigrateRequest::default() };
    let report = fixture.migrate(&dry).await.unwrap();
    let paths: Vec<_> = report.planned.iter().map(|planned| planned.path.display().to_string()).collect();
    assert_eq!(paths[1], "priv/core/dumped_migrations/manual_migrations/3_c.sql");
    assert_eq!(report.planned[1].lane, Lane::Manual);
    assert!(fixture.database.effects().is_empty());
    assert_eq!(fixture.migrate_all().await.unwrap().done, 3);
    assert_eq!(fixture.database.effects(), REST);
    assert_eq!(fixture.database.versions(), ["1", "2", "3", "4"]);
    let sources = fixture.database.with(|state| {
        let rows = state.ledger.rows.iter().skip(1);
        rows.map(|row| row.source.clone().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(sources, ["migrations", "manual_migrations", "migrations"]);
    assert_eq!(fixture.database.locks(), 0);
    // Once for the dry run, once for the run.
    assert_eq!(fixture.told_of_floor(), vec![(2, "priv/core/dumped_migrations".to_owned()); 2]);
    assert_eq!(fixture.migrate_all().await.unwrap().done, 0);
    assert_eq!(fixture.told_of_floor().len(), 2);
}

#[tokio::test]
async fn a_run_from_the_archive_that_dies_anywhere_is_mended_by_the_next() {
    for fault in [Fault::KilledBefore, Fault::KilledAfter, Fault::LostAfter] {
        for n in 1.. {
            assert!(n < 200, "no run passed untouched");
            let fixture = Fixture::behind(&SQUASHED, &["1"]);
            fixture.database.fail_at(n, fault);
            let first = fixture.migrate_all().await;
            fixture.database.revive();
            match fixture.migrate_all().await {
                // Nothing proves whether this statement ran.
                Err(error) if error.kind() == Kind::Undecided => continue,
                result => result.map(drop).unwrap_or_else(|error| panic!("{fault:?} at call {n}: {error:?}")),
            }
            assert_eq!(fixture.database.effects(), REST, "{fault:?} at call {n}");
            assert_eq!(fixture.database.locks(), 0, "{fault:?} at call {n}");
            if first.is_ok() && !fixture.database.fault_was_due() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn a_database_below_the_floor_is_refused_and_left_alone() {
    let fixture = Fixture::behind(&SQUASHED, &["1"]);
    fixture.remove_archive();
    let error = fixture.migrate_all().await.unwrap_err();
    assert_eq!(error.kind(), Kind::BelowFloor);
    assert!(error.notes().contains(&"it lacks 2 b, 3 c".to_owned()), "{error:?}");
    assert!(error.help_text().unwrap().contains("release v1"), "{error:?}");
    assert!(fixture.database.effects().is_empty());
    // The archive is nothing that a database with everything asks for.
    fixture.record(&["1", "2", "3"]);
    assert_eq!(fixture.migrate_all().await.unwrap().done, 1);
}

#[tokio::test]
async fn without_a_load_a_whole_archive_is_the_whole_replay_and_a_part_of_it_is_refused() {
    let fixture = Fixture::new(&SQUASHED);
    fixture.write("structure.sql", "create table everything (i int);");
    let request = MigrateRequest { no_load: true, lanes: Lanes::All, ..MigrateRequest::default() };
    assert_eq!(fixture.migrate(&request).await.unwrap().done, 4);
    assert_eq!(fixture.database.effects()[0], "create table a (i int);");
    assert_eq!(fixture.database.effects()[1..], REST);

    let fixture = Fixture::new(&SQUASHED);
    fixture.write("structure.sql", "create table everything (i int);");
    std::fs::remove_dir_all(fixture.repo.archive[0].join("manual_migrations")).unwrap();
    let error = fixture.migrate(&request).await.unwrap_err();
    assert_eq!(error.kind(), Kind::BelowFloor);
    assert!(error.help_text().unwrap().contains("load the structure instead"), "{error:?}");
    assert!(fixture.database.effects().is_empty());
    fixture.database.with(|state| state.exists = false);
    let dry = MigrateRequest { dry_run: true, ..request };
    assert_eq!(fixture.migrate(&dry).await.unwrap_err().kind(), Kind::BelowFloor);
}

/// Another process undoes what was squashed while this one waits for the lock.
struct Undoing(FakeDatabase);

impl Observer for Undoing {
    fn on(&self, event: &Event) {
        if matches!(event.what, What::LockWaiting { .. }) {
            self.0.with(|state| state.ledger = testing::state(&["1", "2"]));
            self.0.revive();
        }
    }
}

#[tokio::test]
async fn the_verdict_is_given_again_under_the_lock() {
    for archive_is_there in [true, false] {
        let fixture = Fixture::behind(&SQUASHED, &["1", "2", "3"]);
        if !archive_is_there {
            fixture.remove_archive();
        }
        let mut session = fixture.session();
        let ledger = session.inspect().await.unwrap().choice.table;
        session.close().await;
        fixture.database.hold(&LockKey { ledger, lane: Lane::Automatic });
        let undoing = Undoing(fixture.database.clone());
        let mut session =
            Session::with_server(&fixture.repo, &undoing, "test", Box::new(fixture.database.clone()));
        let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
        let result = migrate(&mut session, &request).await;
        if archive_is_there {
            assert_eq!(result.unwrap().done, 2);
            assert_eq!(fixture.database.effects(), REST[2..]);
        } else {
            assert_eq!(result.unwrap_err().kind(), Kind::BelowFloor);
            assert!(fixture.database.effects().is_empty());
        }
        assert_eq!(fixture.database.locks(), 0);
    }
}

#[tokio::test]
async fn an_old_branch_with_its_files_in_the_lane_replays_nothing() {
    let fixture = Fixture::behind(
        &[
            ("migrations/1_a.sql", "create table a (i int);"),
            ("migrations/2_b.sql", "create table b (i int);"),
            ("manual_migrations/3_c.sql", "update a set i = 1;"),
        ],
        &["1", "2", "3", "4"],
    );
    assert_eq!(fixture.migrate_all().await.unwrap().done, 0);
    // Merged, so that floor and lane have them both: the lane's are compared as any other.
    fixture.write("structure.floor", FLOOR);
    assert_eq!(fixture.migrate_all().await.unwrap().done, 0);
    fixture.record(&["1", "3", "4"]);
    assert_eq!(fixture.migrate_all().await.unwrap().done, 1);
    assert_eq!(fixture.database.effects(), ["create table b (i int);"]);
    assert!(fixture.told_of_floor().is_empty());
}

#[tokio::test]
async fn rollback_goes_below_the_floor_and_migrate_comes_back_from_the_archive() {
    let fixture = Fixture::behind(&SQUASHED, &["3", "1", "2"]);
    assert_eq!(fixture.rollback(Target::Steps(1)).await.unwrap().done, 1);
    assert_eq!(fixture.database.effects(), ["drop table b;"]);
    let is_told = fixture.heard.0.lock().unwrap().iter().any(|what| {
        matches!(what, What::Warning { text, .. }
            if text == "`core` goes below the squash floor: the next migrate runs 2 b again, from the archive")
    });
    assert!(is_told);
    assert_eq!(fixture.migrate_all().await.unwrap().done, 2);
    assert_eq!(fixture.database.versions(), ["3", "1", "2", "4"]);
    let redo = RollbackRequest { redo: true, target: Target::To("2".into()), ..RollbackRequest::default() };
    let error = rollback(&mut fixture.session(), &redo).await.unwrap_err();
    assert!(error.message().contains("migration 4 d of `core` cannot be undone"), "{error}");
    let fixture = Fixture::behind(&SQUASHED, &["3", "1", "2"]);
    let redo = RollbackRequest { redo: true, target: Target::Steps(1), ..RollbackRequest::default() };
    assert_eq!(rollback(&mut fixture.session(), &redo).await.unwrap().done, 2);
    assert_eq!(fixture.database.versions(), ["3", "1", "2"]);
}

#[tokio::test]
async fn the_automatic_lane_alone_undoes_its_own_of_the_archive() {
    let fixture = Fixture::behind(&SQUASHED, &["1", "2", "3"]);
    let request = RollbackRequest { target: Target::Steps(1), ..RollbackRequest::default() };
    rollback(&mut fixture.session(), &request).await.unwrap();
    assert_eq!(fixture.database.versions(), ["1", "3"]);
    // The floor knows the lane, whatever became of the file.
    fixture.remove_archive();
    fixture.record(&["1", "2", "3"]);
    let error = rollback(&mut fixture.session(), &request).await.unwrap_err();
    assert!(error.message().starts_with("migration 2 of"), "{error}");
}

#[tokio::test]
async fn a_baseline_covers_what_was_squashed_with_or_without_its_files() {
    for archive_is_there in [true, false] {
        let fixture = Fixture::new(&SQUASHED);
        if !archive_is_there {
            fixture.remove_archive();
            // Without a checksum of its own the ledger would be told a lie.
            let to = Resolution::AppliedTo { lanes: Lanes::All };
            assert_eq!(fixture.resolve("3", to).await.unwrap_err().kind(), Kind::Missing);
            fixture.write("structure.floor", &FLOOR.replace(" - ", " sha256:00 "));
        }
        let recorded = fixture.resolve("2", Resolution::AppliedTo { lanes: Lanes::All }).await.unwrap();
        assert_eq!(recorded.len(), 2);
        fixture.resolve("3", Resolution::Applied).await.unwrap();
        assert_eq!(fixture.database.versions(), ["1", "2", "3"]);
        let row = fixture.database.with(|state| state.ledger.rows[2].clone());
        assert_eq!((row.name.as_deref(), row.source.as_deref()), (Some("c"), Some("manual_migrations")));
        assert_eq!(row.checksum.as_deref() == Some("sha256:00"), !archive_is_there);
        assert_eq!(fixture.migrate_all().await.unwrap().done, 1);
        assert_eq!(fixture.database.effects(), ["create table d (i int);"]);
    }
}

#[tokio::test]
async fn another_checksum_than_the_floors_is_warned_of_until_it_is_accepted() {
    let fixture = Fixture::behind(&SQUASHED, &["1", "2", "3"]);
    let known = checksum::ours("create table a (i int);");
    fixture.write("structure.floor", &FLOOR.replace("1 - a", &format!("1 {known} a")));
    fixture.database.with(|state| state.ledger.rows[0].checksum = Some("sha256:77".into()));
    let warned = || {
        let heard = std::mem::take(&mut *fixture.heard.0.lock().unwrap());
        heard
            .iter()
            .filter(
                |what| matches!(what, What::Warning { text, .. } if text.contains("1 a with another text")),
            )
            .count()
    };
    fixture.migrate_all().await.unwrap();
    assert_eq!(warned(), 1);
    fixture.resolve("1", Resolution::AcceptChecksum).await.unwrap();
    fixture.migrate_all().await.unwrap();
    assert_eq!(warned(), 0);
    assert_eq!(fixture.database.with(|state| state.ledger.rows[0].checksum.clone()), Some(known));
    let error = fixture.resolve("1", Resolution::AcceptChecksum).await.unwrap_err();
    assert!(error.message().contains("is not changed"), "{error}");
}

#[tokio::test]
async fn status_tells_how_a_database_stands_to_the_floor() {
    let fixture = Fixture::behind(&SQUASHED, &["1"]);
    let found = status(&mut fixture.session()).await.unwrap();
    let row = |version: &str| found.rows.iter().find(|row| row.version == version).unwrap();
    assert_eq!(row("1").state, State::FileMissing { archived: true });
    assert_eq!((&row("3").state, row("3").lane), (&State::Pending, Some(Lane::Manual)));
    let path = row("3").path.as_ref().unwrap();
    assert!(path.ends_with("dumped_migrations/manual_migrations/3_c.sql"), "{path:?}");
    assert!(matches!(found.floor.verdict, Verdict::Behind(_)));
    fixture.migrate_all().await.unwrap();
    let found = status(&mut fixture.session()).await.unwrap();
    assert!(found.is_current(Lanes::All) && found.floor.is_known);
    fixture.record(&["1", "4"]);
    fixture.remove_archive();
    let found = status(&mut fixture.session()).await.unwrap();
    assert!(!found.is_current(Lanes::Automatic));
    assert!(matches!(found.floor.verdict, Verdict::Below { .. }));
    assert_eq!(found.rows.iter().filter(|row| row.state == State::BelowFloor).count(), 2);
    // An empty database gets all of it with the structure.
    fixture.write("structure.sql", "create table everything (i int);");
    fixture.record(&[]);
    let found = status(&mut fixture.session()).await.unwrap();
    assert!(found.rows.iter().map(|row| row.version.as_str()).eq(["4"]));
}
