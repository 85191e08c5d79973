//! Replays of small projects in real databases: SQLite, and PostgreSQL where `DBSETUP_TEST_POSTGRES` names a server by a
//! superuser's URL.

use std::path::Path;
use std::sync::Mutex;
use std::task::Poll;

use super::project::{Engine, Project};
use super::*;
use crate::driver::{DumpRequest, Fingerprint};
use crate::event::{Event, Observer, What};
use crate::ledger::LedgerKind;
use crate::structure::{DumpOptions, Outcome, compare, dump, in_scratch, in_scratch_heard, loaded, outcome};

fn any(engine: Engine) -> [(&'static str, &'static str); 4] {
    let alone = match engine {
        Engine::Sqlite => {
            "-- no-transaction\ncreate table c (i integer);\nvacuum;\ninsert into c values (1);"
        }
        Engine::Postgres => {
            "-- no-transaction\ncreate table c (i integer);\ncreate index concurrently c_i on c (i);\n\
             insert into c values (1);"
        }
    };
    [
        (
            "migrations/1_a.sql",
            "create table a (i integer primary key, t text);\ninsert into a values (1, 'x');",
        ),
        ("migrations/2_b.sql", "-- requires: 3\ncreate index a_t on a (t);"),
        ("manual_migrations/3_c.sql", alone),
        ("migrations/4_d.sql", "alter table a add column n int;\nupdate a set n = (select count(*) from c);"),
    ]
}

async fn fingerprint(session: &mut Session<'_>) -> Fingerprint {
    outcome(session, &DumpRequest::default()).await.unwrap().fingerprint
}

/// Versions and checksums of a ledger, in no order of time.
fn rows(outcome: &Outcome) -> Vec<(String, Option<String>, Option<String>)> {
    let rows = outcome.inspection.state.rows.iter();
    let mut rows: Vec<_> =
        rows.map(|row| (row.version.clone(), row.source.clone(), row.checksum.clone())).collect();
    rows.sort();
    rows
}

/// Makes two tests of a function.
macro_rules! on_each {
    ($($name:ident)+) => {$(
        mod $name {
            #[tokio::test]
            async fn sqlite() {
                super::holds::$name(super::Engine::Sqlite).await;
            }

            #[tokio::test]
            async fn postgres() {
                super::holds::$name(super::Engine::Postgres).await;
            }
        }
    )+};
}

on_each! {
    a_replay_of_both_lanes_is_the_database_itself_whatever_its_ledger
    a_replay_stops_at_a_version_and_goes_on
    what_waits_for_a_later_version_is_not_silently_left_out
    a_structure_that_took_the_place_of_migrations_is_loaded_and_the_rest_is_run
    a_plain_dump_after_a_squash_is_replayed_from_the_archive
    an_archive_that_has_rotted_is_named_and_nothing_is_left
    a_lane_that_does_not_run_from_nothing_is_named_and_nothing_is_left
    interrupted_work_leaves_its_scratch_database_to_the_session
    drift_is_seen_and_told_with_both_names
    what_happens_in_it_is_told_to_who_wants_it
}

mod holds {
    use super::*;

    pub async fn a_replay_of_both_lanes_is_the_database_itself_whatever_its_ledger(engine: Engine) {
        for kind in [None, Some(LedgerKind::Sqlx), Some(LedgerKind::Diesel), Some(LedgerKind::Dbmate)] {
            let Some(mut project) = Project::new(engine, &any(engine)).await else { return };
            project.repo.layout_ledger = kind;
            let mut session = project.migrated().await;
            let live = outcome(&mut session, &DumpRequest::default()).await.unwrap();
            session.close().await;
            // The layout speaks for another ledger by now: the database's own is what counts.
            project.repo.layout_ledger = Some(LedgerKind::Refinery);
            let plan = Plan::read(&project.repo).unwrap();
            assert_eq!(plan.base, Base::Nothing);
            let mut session = project.session();
            let (name, copy) = in_scratch(&mut session, async |scratch| {
                replay(scratch, &plan).await?;
                let name = scratch.server().target().database.clone();
                Ok((name, outcome(scratch, &DumpRequest::default()).await?))
            })
            .await
            .unwrap();
            assert_eq!(compare(&live.fingerprint, &copy.fingerprint).unwrap(), [], "{kind:?}");
            assert_eq!(live.structure, copy.structure);
            assert_eq!(live.inspection.choice, copy.inspection.choice);
            assert_eq!(rows(&live), rows(&copy));
            assert!(!project.has(&name).await && session.scratches() == 0);
            session.close().await;
            project.done().await;
        }
    }

    pub async fn a_replay_stops_at_a_version_and_goes_on(engine: Engine) {
        let [first, _, third, fourth] = any(engine);
        let Some(project) = Project::new(engine, &[first, third, fourth]).await else { return };
        let mut plan = Plan::read(&project.repo).unwrap();
        plan.to = plan.files.parse_version("3");
        let versions = async |scratch: &mut Session<'_>| -> Result<Vec<String>> {
            Ok(scratch.inspect().await?.state.rows.into_iter().map(|row| row.version).collect())
        };
        let mut session = project.session();
        in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            assert_eq!(versions(scratch).await?, ["1", "3"]);
            plan.to = plan.files.parse_version("0");
            replay(scratch, &plan).await?;
            assert_eq!(versions(scratch).await?, ["1", "3"]);
            plan.to = None;
            replay(scratch, &plan).await?;
            assert_eq!(versions(scratch).await?, ["1", "3", "4"]);
            Ok(())
        })
        .await
        .unwrap();
        session.close().await;
        project.done().await;
    }

    pub async fn what_waits_for_a_later_version_is_not_silently_left_out(engine: Engine) {
        let Some(project) = Project::new(engine, &any(engine)).await else { return };
        let mut plan = Plan::read(&project.repo).unwrap();
        plan.to = plan.files.parse_version("2");
        let mut session = project.session();
        let error = in_scratch(&mut session, async |scratch| replay(scratch, &plan).await).await.unwrap_err();
        assert_eq!(error.kind(), Kind::Configuration);
        assert!(error.message().contains("migration 2 of `core` waits for 3"), "{error}");
        session.close().await;
        project.done().await;
    }

    pub async fn a_structure_that_took_the_place_of_migrations_is_loaded_and_the_rest_is_run(engine: Engine) {
        let Some(project) = Project::new(engine, &any(engine)).await else { return };
        // The structure of the first three, as a squash leaves it.
        let last = "migrations/4_d.sql";
        let text = std::fs::read_to_string(project.repo.priv_dir.join(last)).unwrap();
        project.remove(last);
        let mut session = project.migrated().await;
        let dumped = dump(&mut session, &DumpOptions::default(), None).await.unwrap();
        project.write(last, &text);
        session.close().await;
        let mut session = project.migrated().await;
        let live = fingerprint(&mut session).await;
        project.write("structure.sql", &dumped.text);
        any(engine)[..3].iter().for_each(|(path, _)| project.remove(path));
        let plan = Plan::read(&project.repo).unwrap();
        assert_eq!(plan.base, Base::Structure);
        let copy = in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            assert_eq!(scratch.inspect().await?.state.rows.len(), 4);
            Ok(fingerprint(scratch).await)
        })
        .await
        .unwrap();
        assert_eq!(compare(&live, &copy).unwrap(), []);
        // A text of the caller's is as good a base.
        let copy = in_scratch(&mut session, async |scratch| {
            loaded(scratch, &dumped.text, Path::new("new.sql"), true).await?;
            assert_ne!(fingerprint(scratch).await, live);
            replay(scratch, &plan).await?;
            Ok(fingerprint(scratch).await)
        })
        .await
        .unwrap();
        assert_eq!(compare(&live, &copy).unwrap(), []);
        session.close().await;
        project.done().await;
    }

    pub async fn a_plain_dump_after_a_squash_is_replayed_from_the_archive(engine: Engine) {
        let all = any(engine);
        let Some(project) = Project::new(engine, &all).await else { return };
        let mut session = project.migrated().await;
        let live = outcome(&mut session, &DumpRequest::default()).await.unwrap();
        let text = dump(&mut session, &DumpOptions::default(), None).await.unwrap().text;
        project.write("structure.sql", &text);
        for (path, text) in [all[0], all[2]] {
            project.remove(path);
            project.write(&format!("dumped_migrations/{path}"), text);
        }
        let plan = Plan::read(&project.repo).unwrap();
        assert_eq!(plan.base, Base::Nothing);
        let (copy, inserted) = in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            let copy = outcome(scratch, &DumpRequest::default()).await?;
            // Fails unless the rows are there that the structure does not have.
            let driver = scratch.driver().await?;
            driver.begin(false).await?;
            let asked = driver.execute("insert into a values (1, 'twice', 0)").await;
            driver.rollback().await?;
            Ok((copy, asked.is_err()))
        })
        .await
        .unwrap();
        assert!(inserted, "the row of the first migration is lost");
        assert_eq!(compare(&live.fingerprint, &copy.fingerprint).unwrap(), []);
        let versions =
            |outcome: &Outcome| rows(outcome).into_iter().map(|row| (row.0, row.2)).collect::<Vec<_>>();
        assert_eq!(versions(&live), versions(&copy));
        session.close().await;
        project.done().await;
    }

    pub async fn an_archive_that_has_rotted_is_named_and_nothing_is_left(engine: Engine) {
        let rotten =
            ("dumped_migrations/1_a.sql", "create table a (i integer);\ninsert into gone values (1);");
        let Some(project) = Project::new(engine, &[rotten, any(engine)[2]]).await else { return };
        let row = |version: &str| {
            format!(
                "INSERT INTO schema_migrations (version, name, source, checksum) VALUES ('{version}', '', '', NULL);\n"
            )
        };
        project.write("structure.sql", &(row("1") + &row("3")));
        let plan = Plan::read(&project.repo).unwrap();
        assert_eq!(plan.base, Base::Nothing);
        let before = project.names();
        let mut session = project.session();
        let mut name = String::new();
        let error = in_scratch(&mut session, async |scratch| {
            name = scratch.server().target().database.clone();
            replay(scratch, &plan).await
        })
        .await
        .unwrap_err();
        assert_eq!(error.kind(), Kind::Statement);
        let site = error.site().unwrap();
        assert!(site.path.ends_with("dumped_migrations/1_a.sql") && site.at.line == 2, "{error}");
        let text = error.to_string();
        assert!(
            text.contains("the archive has rotted") && text.contains("an empty scratch database"),
            "{text}"
        );
        assert!(!text.contains("cargo dbsetup migrate"), "{text}");
        assert_eq!(project.names(), before);
        assert!(!project.has(&name).await && session.scratches() == 0);
        assert!(session.inspect().await.unwrap().state.rows.is_empty());
        session.close().await;
        project.done().await;
    }

    pub async fn a_lane_that_does_not_run_from_nothing_is_named_and_nothing_is_left(engine: Engine) {
        let needs = (
            "migrations/5_e.sql",
            "-- no-transaction\ncreate table e (i int);\ninsert into gone values (1);",
        );
        let Some(project) = Project::new(engine, &[any(engine)[0], needs]).await else { return };
        let plan = Plan::read(&project.repo).unwrap();
        let mut session = project.session();
        let error = in_scratch(&mut session, async |scratch| replay(scratch, &plan).await).await.unwrap_err();
        let text = error.to_string();
        assert!(error.site().unwrap().path.ends_with("migrations/5_e.sql"), "{text}");
        assert!(text.contains("the database of `core` is untouched") && !text.contains("rotted"), "{text}");
        session.close().await;
        project.done().await;
    }

    pub async fn interrupted_work_leaves_its_scratch_database_to_the_session(engine: Engine) {
        let Some(project) = Project::new(engine, &any(engine)).await else { return };
        let plan = Plan::read(&project.repo).unwrap();
        let mut session = project.session();
        let name = Mutex::new(String::new());
        let mut work = Box::pin(in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            name.lock().unwrap().clone_from(&scratch.server().target().database);
            std::future::pending::<Result<()>>().await
        }));
        std::future::poll_fn(|context| {
            assert!(work.as_mut().poll(context).is_pending());
            if name.lock().unwrap().is_empty() { Poll::Pending } else { Poll::Ready(()) }
        })
        .await;
        drop(work);
        let name = name.into_inner().unwrap();
        assert!(session.scratches() == 1 && project.has(&name).await == (engine == Engine::Postgres));
        session.discard_scratch().await.unwrap();
        assert!(session.scratches() == 0 && !project.has(&name).await);
        session.close().await;
        project.done().await;
    }

    pub async fn drift_is_seen_and_told_with_both_names(engine: Engine) {
        let Some(project) = Project::new(engine, &any(engine)).await else { return };
        let mut session = project.migrated().await;
        session.driver().await.unwrap().begin(false).await.unwrap();
        session.driver().await.unwrap().execute("create index by_hand on a (n)").await.unwrap();
        session.driver().await.unwrap().commit(&[]).await.unwrap();
        let live = fingerprint(&mut session).await;
        let plan = Plan::read(&project.repo).unwrap();
        let copy = in_scratch(&mut session, async |scratch| {
            replay(scratch, &plan).await?;
            Ok(fingerprint(scratch).await)
        })
        .await
        .unwrap();
        let found = compare(&live, &copy).unwrap();
        let told = found.first().expect("it is seen").told("the live database", "the replay");
        assert!(told.contains("by_hand"), "{told}");
        session.close().await;
        project.done().await;
    }

    #[derive(Default)]
    struct Heard(Mutex<Vec<String>>);

    impl Observer for Heard {
        fn on(&self, event: &Event) {
            if let What::Migrated { version, .. } = &event.what {
                self.0.lock().unwrap().push(version.clone());
            }
        }
    }

    pub async fn what_happens_in_it_is_told_to_who_wants_it(engine: Engine) {
        let Some(project) = Project::new(engine, &any(engine)).await else { return };
        let plan = Plan::read(&project.repo).unwrap();
        let heard = Heard::default();
        let mut session = project.session();
        in_scratch_heard(&mut session, &heard, async |scratch| replay(scratch, &plan).await).await.unwrap();
        assert_eq!(*heard.0.lock().unwrap(), ["1", "3", "2", "4"]);
        session.close().await;
        project.done().await;
    }
}

#[tokio::test]
async fn a_server_can_run_replays_on_any_of_its_threads() {
    fn is_send<T: Send>(future: T) -> T {
        future
    }
    let project = Project::new(Engine::Sqlite, &any(Engine::Sqlite)).await.expect("it needs no server");
    let plan = Plan::read(&project.repo).unwrap();
    let mut session = project.session();
    is_send(in_scratch(&mut session, async |scratch: &mut Session<'_>| replay(scratch, &plan).await))
        .await
        .unwrap();
    session.close().await;
    project.done().await;
}

#[tokio::test]
async fn the_ledger_of_a_replay_is_where_that_of_the_database_is() {
    let Some(mut project) = Project::new(
        Engine::Postgres,
        &[
            ("migrations/1_a.sql", "create schema app;"),
            ("migrations/2_b.sql", "create table app.a (i int); create table b (i int);"),
        ],
    )
    .await
    else {
        return;
    };
    project.repo.ledger.table = Some("history.applied".into());
    project.repo.ledger.kind = Some(LedgerKind::Refinery);
    let mut session = project.migrated().await;
    let live = outcome(&mut session, &DumpRequest::default()).await.unwrap();
    assert_eq!(live.inspection.choice.table.shown(), "history.applied");
    let plan = Plan::read(&project.repo).unwrap();
    let copy = in_scratch(&mut session, async |scratch| {
        replay(scratch, &plan).await?;
        outcome(scratch, &DumpRequest::default()).await
    })
    .await
    .unwrap();
    assert_eq!(compare(&live.fingerprint, &copy.fingerprint).unwrap(), []);
    assert_eq!((live.structure, live.inspection.choice), (copy.structure, copy.inspection.choice));
    session.close().await;
    project.done().await;
}
