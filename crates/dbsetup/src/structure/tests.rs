//! The rules of loading and dumping against a database in memory.

use super::*;
use crate::error::Kind;
use crate::event::{Observer, Silent, What};
use crate::fake::{FakeDatabase, Fault};
use crate::ledger::{Progress, meta_key};
use crate::migration::testing::{repo, state};
use crate::repo::Repo;
use crate::session::Session;

/// A repo with a structure file of `tables` tables.
fn fixture(tables: usize) -> (tempfile::TempDir, Repo, FakeDatabase) {
    let directory = tempfile::tempdir().unwrap();
    let mut repo = repo();
    repo.priv_dir = directory.path().to_path_buf();
    repo.structure = directory.path().join("structure.sql");
    repo.migrations = vec![directory.path().join("migrations")];
    repo.manual_migrations.clear();
    repo.archive.clear();
    std::fs::create_dir(&repo.migrations[0]).unwrap();
    let text: String = (0..tables).map(|n| format!("create table t{n} (i int);\n")).collect();
    std::fs::write(&repo.structure, text).unwrap();
    (directory, repo, FakeDatabase::new())
}

fn session<'a>(repo: &'a Repo, observer: &'a dyn Observer, database: &FakeDatabase) -> Session<'a> {
    Session::with_server(repo, observer, "test", Box::new(database.clone()))
}

fn meta(database: &FakeDatabase, key: &str) -> Option<String> {
    database.with(|state| state.ledger.meta(key).map(str::to_owned))
}

/// Keeps what was told.
#[derive(Default)]
struct Heard(std::sync::Mutex<Vec<What>>);

impl Observer for Heard {
    fn on(&self, event: &crate::event::Event) {
        self.0.lock().unwrap().push(event.what.clone());
    }
}

const FORCE: LoadRequest = LoadRequest { skip_if_loaded: false, force: true, dry_run: false, trusted: false };

#[tokio::test]
async fn a_forced_load_records_whose_the_database_is_again() {
    let (_directory, repo, database) = fixture(2);
    load(&mut session(&repo, &Silent, &database), &LoadRequest::default()).await.unwrap();
    load(&mut session(&repo, &Silent, &database), &FORCE).await.unwrap();
    assert_eq!(meta(&database, meta_key::ENVIRONMENT).as_deref(), Some("dev"));
    assert_eq!(meta(&database, meta_key::FORMAT).as_deref(), Some("1"));
    assert_eq!(database.locks(), 0);
}

#[tokio::test]
async fn a_load_in_parts_that_dies_anywhere_is_marked_or_changed_nothing() {
    for n in 1..200 {
        let (_directory, repo, database) = fixture(501);
        load(&mut session(&repo, &Silent, &database), &LoadRequest::default()).await.unwrap();
        database.with(|state| state.capacity = Some(10));
        database.fail_at(n, Fault::KilledAfter);
        let result = load(&mut session(&repo, &Silent, &database), &FORCE).await;
        database.revive();
        let objects = database.effects().len();
        let whole = meta(&database, meta_key::LOADED).is_some();
        let marked = meta(&database, meta_key::LOADING).is_some();
        assert!(objects == 0 || whole || marked, "call {n}: {objects} objects and no marker");
        if result.is_ok() {
            return;
        }
    }
    panic!("no load passed untouched");
}

#[tokio::test]
async fn rows_of_a_load_in_parts_come_all_at_once() {
    for n in 1..200 {
        let (_directory, repo, database) = fixture(0);
        let tables: String = (0..700).map(|n| format!("create table t{n} (i int);\n")).collect();
        let rows: String = (0..700).map(|n| format!("INSERT INTO t0 (i) VALUES ({n});\n")).collect();
        let text =
            format!("-- dbsetup structure format 1 (postgresql)\n{tables}{rows}\n-- dbsetup structure end\n");
        std::fs::write(&repo.structure, text).unwrap();
        database.with(|state| state.capacity = Some(10));
        database.fail_at(n, Fault::KilledAfter);
        let result = load(&mut session(&repo, &Silent, &database), &LoadRequest::default()).await;
        database.revive();
        let effects = database.effects().join("\n");
        let found = (0..700).filter(|n| effects.contains(&format!("({n})"))).count();
        assert!(found == 0 || found == 700, "call {n}: {found} rows");
        if result.is_ok() {
            assert_eq!(found, 700);
            return;
        }
    }
    panic!("no load passed untouched");
}

#[tokio::test]
async fn a_dry_run_refuses_what_a_load_refuses() {
    let (_directory, repo, database) = fixture(1);
    database.with(|state| state.effects.push("table public.users".into()));
    let request = LoadRequest { dry_run: true, ..LoadRequest::default() };
    let error = load(&mut session(&repo, &Silent, &database), &request).await.unwrap_err();
    assert_eq!(error.kind(), Kind::NotEmpty);
}

#[tokio::test]
async fn a_structure_is_not_written_when_a_migration_began_while_it_was_read() {
    let (_directory, repo, database) = fixture(0);
    database.with(|state| {
        (state.has_ledger, state.has_meta, state.has_progress) = (true, true, true);
        state.begins_during_dump = Some(Progress {
            version: "1".into(),
            reverting: false,
            done: 0,
            total: 2,
            checksum: String::new(),
            retry: false,
        });
    });
    let result = dump(&mut session(&repo, &Silent, &database), &DumpOptions::default(), None).await;
    assert_eq!(result.unwrap_err().kind(), Kind::Undecided);
}

#[tokio::test]
async fn a_dump_to_another_file_knows_the_versions_that_were_squashed() {
    let (directory, repo, database) = fixture(0);
    let row = "INSERT INTO public.schema_migrations (version, name, source, checksum) VALUES ('1', '', '', NULL);\n";
    std::fs::write(&repo.structure, row).unwrap();
    database.with(|fake| {
        fake.has_ledger = true;
        fake.ledger = state(&["1"]);
    });
    let other = directory.path().join("other.sql");
    dump(&mut session(&repo, &Silent, &database), &DumpOptions::default(), Some(&other)).await.unwrap();
}

#[tokio::test]
async fn what_a_dump_says_of_itself_is_a_warning() {
    let (_directory, repo, database) = fixture(0);
    database.with(|state| state.notes = vec!["large objects are not counted".into()]);
    let heard = Heard::default();
    dump(&mut session(&repo, &heard, &database), &DumpOptions::default(), None).await.unwrap();
    let events = heard.0.into_inner().unwrap();
    let warning = What::Warning { text: "large objects are not counted".into(), help: None };
    assert_eq!(events, [warning]);
}

#[tokio::test]
async fn a_dump_keeps_the_filters_of_its_file_and_says_so() {
    let (_directory, repo, database) = fixture(0);
    let options = DumpOptions { exclude_tables: vec!["tmp_*".into()], ..DumpOptions::default() };
    let first = dump(&mut session(&repo, &Silent, &database), &options, None).await.unwrap();
    assert_eq!(first.text.lines().nth(1), Some("-- excluded: table tmp_*"), "{}", first.text);
    std::fs::write(&repo.structure, &first.text).unwrap();
    let heard = Heard::default();
    let again = dump(&mut session(&repo, &heard, &database), &DumpOptions::default(), None).await.unwrap();
    assert!(again.is_current());
    let told = heard.0.into_inner().unwrap();
    assert!(
        matches!(&told[..], [What::FiltersKept { filters, .. }] if filters[..] == ["excluded: table tmp_*"]),
        "{told:?}"
    );
    let options = DumpOptions { no_filters: true, ..DumpOptions::default() };
    let whole = dump(&mut session(&repo, &Silent, &database), &options, None).await.unwrap();
    assert!(!whole.text.contains("-- excluded"), "{}", whole.text);
}

#[tokio::test]
async fn a_setting_of_a_newer_server_is_passed_over_and_no_other_is() {
    let (_directory, repo, database) = fixture(0);
    let text = "SET event_triggers = false;\nSET idle_session_timeout = 0;\nSET work_memm = 1;\n\
                create table t (i int);\n";
    std::fs::write(&repo.structure, text).unwrap();
    database.with(|state| state.unknown_settings = vec!["event_triggers".into(), "work_memm".into()]);
    let heard = Heard::default();
    let outcome = load(&mut session(&repo, &heard, &database), &LoadRequest::default()).await.unwrap();
    assert_eq!(outcome, LoadOutcome::Loaded { statements: 3 });
    let sent = database.effects().join("\n");
    assert!(!sent.contains("event_triggers"), "{sent}");
    assert!(sent.contains("idle_session_timeout") && sent.contains("work_memm"), "{sent}");
    let warned = heard.0.into_inner().unwrap().into_iter().find_map(|what| match what {
        What::Warning { text, .. } => Some(text),
        _ => None,
    });
    let warned = warned.expect("it is said");
    assert!(
        warned.starts_with("`SET event_triggers` in ") && warned.contains("structure.sql:1 "),
        "{warned}"
    );
}

const VERIFY: DumpOptions = DumpOptions {
    via: None,
    schemas: Vec::new(),
    exclude_schemas: Vec::new(),
    exclude_tables: Vec::new(),
    exclude_extensions: Vec::new(),
    owners: false,
    privileges: false,
    no_filters: false,
    drop_data: Vec::new(),
    trusted: false,
    allow_missing: false,
    verify: true,
};

#[tokio::test]
async fn a_structure_that_loads_into_the_same_database_is_verified() {
    let (_directory, repo, database) = fixture(0);
    database
        .with(|fake| fake.effects = vec!["create table a (i int);".into(), "create table b (i int);".into()]);
    let heard = Heard::default();
    let dump = dump(&mut session(&repo, &heard, &database), &VERIFY, None).await.unwrap();
    assert!(dump.text.contains("create table b"), "{}", dump.text);
    let events = heard.0.lock().unwrap();
    assert!(events.iter().any(|what| matches!(what, What::Verified { facts: 2, .. })), "{events:?}");
    assert_eq!(database.with(|state| state.scratches), 0);
}

#[tokio::test]
async fn a_structure_that_loses_something_is_refused_by_name() {
    let (_directory, repo, database) = fixture(0);
    database.with(|fake| {
        fake.effects = vec!["create table a (i int);".into(), "create table b (i int);".into()];
        fake.scratch_forgets = Some("table b".into());
    });
    let error = dump(&mut session(&repo, &Silent, &database), &VERIFY, None).await.unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.to_string().contains("effects create table b (i int);: is lost"), "{error}");
    assert_eq!(database.with(|state| state.scratches), 0);
}

#[tokio::test]
async fn a_verification_that_fails_anywhere_leaves_no_scratch_database() {
    for n in 1..100 {
        let (_directory, repo, database) = fixture(0);
        database.with(|fake| fake.effects = vec!["create table a (i int);".into()]);
        database.fail_at(n, Fault::LostAfter);
        let result = dump(&mut session(&repo, &Silent, &database), &VERIFY, None).await;
        // What is lost is the answer: the calls themselves were made.
        assert_eq!(
            database.with(|state| state.scratches),
            usize::from(was_made_unheard(&database)),
            "call {n}"
        );
        if !database.fault_was_due() {
            result.unwrap();
            return;
        }
    }
    panic!("no verification passed untouched");
}

/// Whether the answer that was lost was that of making the scratch database: nobody knows it then.
fn was_made_unheard(database: &FakeDatabase) -> bool {
    database.with(|state| state.scratch_unheard)
}
