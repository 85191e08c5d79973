use std::time::{Duration, SystemTime};

use super::*;
use crate::driver::{TemplateInfo, TemplateNote};
use crate::event::Silent;
use crate::fake::{FakeDatabase, Fault};
use crate::migration::testing::repo;
use crate::structure::{self, LoadRequest};
use crate::{Kind, migration};

const SETUP: Recipe = Recipe { lanes: Lanes::All, seeds: false };
const TESTS: Recipe = Recipe { lanes: Lanes::All, seeds: true };

/// A repo on the disk with 40 migrations.
struct Checkout {
    repo: Repo,
    directory: tempfile::TempDir,
}

impl Checkout {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut repo = repo();
        repo.priv_dir = directory.path().join("priv/core");
        repo.structure = repo.priv_dir.join("structure.sql");
        repo.migrations = vec![repo.priv_dir.join("migrations")];
        repo.manual_migrations = vec![repo.priv_dir.join("manual_migrations")];
        repo.archive = vec![repo.priv_dir.join("dumped_migrations")];
        (repo.root, repo.display_root) = (directory.path().into(), directory.path().into());
        let checkout = Self { repo, directory };
        for number in 10..50 {
            checkout.write(&format!("migrations/{number}_step.sql"), &format!("create table t{number};"));
        }
        checkout.write("seeds.sql", "insert into t10;");
        checkout
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.directory.path().join("priv/core").join(path);
        std::fs::create_dir_all(path.parent().expect("it has one")).expect("it can be made");
        std::fs::write(path, text).expect("it can be written");
    }

    fn remove(&self, path: &str) {
        std::fs::remove_file(self.directory.path().join("priv/core").join(path)).expect("it is there");
    }

    fn key(&self, recipe: Recipe) -> TemplateName {
        key(&self.repo, &FakeDatabase::new(), recipe).expect("the files can be read")
    }
}

/// A server without a database.
fn empty_server() -> FakeDatabase {
    let database = FakeDatabase::new();
    database.with(|state| state.exists = false);
    database
}

fn session<'a>(repo: &'a Repo, database: &FakeDatabase) -> Session<'a> {
    Session::with_server(repo, &Silent, "setup", Box::new(database.clone()))
}

/// What `setup` does.
async fn set_up(repo: &Repo, database: &FakeDatabase) -> Result<()> {
    let mut session = session(repo, database);
    let result = async {
        create(&mut session, SETUP).await?;
        let load = LoadRequest { skip_if_loaded: true, ..LoadRequest::default() };
        structure::load(&mut session, &load).await?;
        let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
        migration::migrate(&mut session, &request).await?;
        keep(&mut session).await;
        Ok(())
    };
    let result = result.await;
    session.close().await;
    result
}

fn templates(database: &FakeDatabase) -> usize {
    database.with(|state| state.templates.len())
}

#[test]
fn a_name_says_everything_that_the_result_depends_on() {
    let checkout = Checkout::new();
    let mut names = vec![checkout.key(SETUP), checkout.key(TESTS)];
    names.push(checkout.key(Recipe { lanes: Lanes::Automatic, ..SETUP }));
    checkout.write("manual_migrations/90_slow.sql", "create table slow;");
    names.push(checkout.key(SETUP));
    checkout.write("structure.sql", "create table s;");
    names.push(checkout.key(SETUP));
    checkout.write("structure.floor", "");
    names.push(checkout.key(SETUP));
    checkout.write("migrations/10_step.sql", "create table t10; ");
    names.push(checkout.key(SETUP));
    std::fs::rename(
        checkout.repo.migrations[0].join("10_step.sql"),
        checkout.repo.migrations[0].join("11_step_.sql"),
    )
    .expect("it is there");
    names.push(checkout.key(SETUP));
    checkout.write("migrations/60_directory/up.sql", "create table d;");
    names.push(checkout.key(SETUP));
    let changes: [fn(&mut Repo); 8] = [
        |repo| repo.environment = "test".into(),
        |repo| repo.name = crate::repo::RepoName::new("other"),
        |repo| repo.role = Some("app".into()),
        |repo| repo.schemas = vec!["app".into()],
        |repo| repo.create.encoding = Some("UTF8".into()),
        |repo| repo.ledger.table = Some("mine".into()),
        |repo| repo.layout_ledger = Some(crate::ledger::LedgerKind::Sqlx),
        |repo| repo.version_order = crate::repo::VersionOrder::Strict,
    ];
    for change in changes {
        let mut changed = checkout.repo.clone();
        change(&mut changed);
        names.push(key(&changed, &FakeDatabase::new(), SETUP).expect("the files can be read"));
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two different databases have one name");
}

#[cfg(feature = "postgres")]
#[test]
fn a_name_says_who_works_where_as_the_url_has_it() {
    let checkout = Checkout::new();
    let of = |url: &str, maintenance: Option<&str>| {
        let maintenance = maintenance.map(crate::repo::DatabaseUrl::new);
        let url = crate::repo::DatabaseUrl::new(url);
        let server =
            crate::drivers::open(&url, &checkout.repo.root, maintenance.as_ref()).expect("it is a URL");
        key(&checkout.repo, &*server, SETUP).expect("the files can be read")
    };
    let first = of("postgres://app@localhost/core_dev", None);
    let same = [
        of("postgres://app:secret@127.0.0.1:6543/core_dev?sslmode=disable", None),
        of("postgres://app@localhost/core_dev", Some("postgres://app@localhost/postgres")),
    ];
    assert_eq!(same, [first.clone(), first.clone()], "where it is and how one gets in does not matter");
    let mut names = vec![
        first,
        of("postgres://other@localhost/core_dev", None),
        of("postgres://app@localhost/core_dev", Some("postgres://maker@localhost/postgres")),
        of("postgres://app@localhost/core_dev?search_path=app", None),
        of("postgres://app@localhost/core_dev?options=-c%20timezone%3DUTC", None),
        of("postgres://app@localhost/core_dev?options=-c%20timezone%3DCET", None),
    ];
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "two different databases have one name");
}

#[test]
fn a_name_depends_on_nothing_else() {
    let (mut one, other) = (Checkout::new(), Checkout::new());
    assert_eq!(one.key(SETUP), other.key(SETUP), "where the checkout is does not matter");
    one.repo.lock_wait = Duration::from_secs(99);
    one.repo.url = crate::repo::DatabaseUrl::new("sqlite:elsewhere.db");
    one.write("README.md", "not in a lane");
    one.write("dumped_migrations/1_old.sql", "create table old;");
    assert_eq!(one.key(SETUP), other.key(SETUP));
    one.write("seeds.sql", "insert into t11;");
    assert_eq!(one.key(SETUP), other.key(SETUP), "seeds run after the copy");
    assert_ne!(one.key(TESTS), other.key(TESTS), "seeds are in it");
}

#[test]
fn a_script_that_asks_for_the_databases_name_has_templates_for_one_name() {
    let checkout = Checkout::new();
    let (one, mut other) = (FakeDatabase::new(), FakeDatabase::new());
    other.rename("core_2");
    let names = |recipe| [&one, &other].map(|server| key(&checkout.repo, server, recipe).expect("right"));
    let [first, second] = names(TESTS);
    assert_eq!(first, second);
    let [first, second] = names(SETUP);
    assert_ne!(first, second, "a database that somebody works with is nobody else's");
    checkout.write("migrations/50_name.sql", "insert into t10 select Current_Database();");
    let [first, second] = names(TESTS);
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_second_setup_copies_and_a_copy_is_the_same() {
    let checkout = Checkout::new();
    let database = empty_server();
    set_up(&checkout.repo, &database).await.expect("it works");
    assert_eq!(templates(&database), 1);
    let made = database.with(|state| (state.effects.clone(), state.ledger.clone()));
    assert_eq!(made.0.len(), 40);
    database.with(|state| (state.exists, state.effects) = (false, vec!["old".into()]));
    let before = database.calls();
    set_up(&checkout.repo, &database).await.expect("it works");
    assert_eq!(database.with(|state| (state.effects.clone(), state.ledger.clone())), made);
    // Whether it is there, the copy. Nothing else is asked.
    assert_eq!(database.calls() - before, 2);
}

#[tokio::test]
async fn nothing_is_kept_where_it_is_off_protected_blocked_small_or_edited_meanwhile() {
    let prepare: [fn(&mut Checkout); 5] = [
        |checkout| checkout.repo.template = false,
        |checkout| checkout.repo.disposable = false,
        |checkout| checkout.write("migrations/50_waits.sql", "-- requires: code:77\ncreate table w;"),
        |checkout| (20..50).for_each(|number| checkout.remove(&format!("migrations/{number}_step.sql"))),
        |checkout| checkout.write("migrations/50_wrong.sql", "poison;"),
    ];
    for (number, prepare) in prepare.into_iter().enumerate() {
        let mut checkout = Checkout::new();
        prepare(&mut checkout);
        let database = empty_server();
        database.with(|state| state.poison = Some("poison".into()));
        let done = set_up(&checkout.repo, &database).await;
        assert_eq!(done.is_err(), number == 4, "{number}: {done:?}");
        assert_eq!(templates(&database), 0, "{number}");
    }
    let checkout = Checkout::new();
    let database = empty_server();
    let mut session = session(&checkout.repo, &database);
    create(&mut session, SETUP).await.expect("right");
    let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
    migration::migrate(&mut session, &request).await.expect("right");
    checkout.write("migrations/10_step.sql", "edited while it ran;");
    keep(&mut session).await;
    assert_eq!(templates(&database), 0);
}

#[tokio::test]
async fn a_server_without_templates_sets_up_all_the_same() {
    let checkout = Checkout::new();
    let database = empty_server();
    database.with(|state| state.no_templates = Some("the role may not create databases".into()));
    set_up(&checkout.repo, &database).await.expect("it works");
    assert_eq!((database.effects().len(), templates(&database)), (40, 0));
}

#[tokio::test]
async fn only_a_migrate_of_the_same_lanes_finds_nothing_to_do() {
    let checkout = Checkout::new();
    let database = empty_server();
    set_up(&checkout.repo, &database).await.expect("it works");
    database.with(|state| state.exists = false);
    let mut session = session(&checkout.repo, &database);
    assert_eq!(create(&mut session, SETUP).await.expect("right"), Created::Now);
    let before = database.calls();
    let request = MigrateRequest { lanes: Lanes::Manual, ..MigrateRequest::default() };
    migration::migrate(&mut session, &request).await.expect("right");
    assert!(database.calls() > before, "the ledger is read");
}

/// Hears what deserves a look.
#[derive(Default)]
struct Warnings(std::sync::Mutex<Vec<String>>);

impl crate::event::Observer for Warnings {
    fn on(&self, event: &crate::event::Event) {
        if let What::Warning { text, .. } = &event.what {
            self.0.lock().expect("nobody panics while holding it").push(text.clone());
        }
    }
}

#[tokio::test]
async fn what_is_said_of_the_files_is_said_whether_or_not_a_template_is_copied() {
    let checkout = Checkout::new();
    checkout.write("migrations/10_step.sql~", "an editor left it");
    let database = empty_server();
    let mut said = Vec::new();
    for _ in 0..2 {
        database.with(|state| state.exists = false);
        let warnings = Warnings::default();
        let mut session =
            Session::with_server(&checkout.repo, &warnings, "setup", Box::new(database.clone()));
        create(&mut session, SETUP).await.expect("right");
        let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
        migration::migrate(&mut session, &request).await.expect("right");
        keep(&mut session).await;
        session.close().await;
        drop(session);
        said.push(warnings.0.into_inner().expect("nobody panics while holding it"));
    }
    assert_eq!(templates(&database), 1);
    assert!(said[0].iter().any(|text| text.contains("10_step.sql~")), "{said:?}");
    assert_eq!(said[0], said[1]);
}

#[test]
fn a_migrate_runs_nothing_where_the_structure_records_every_migration_of_the_lanes() {
    let checkout = Checkout::new();
    let is_recorded = |lanes| is_recorded(&checkout.repo, lanes).expect("the files can be read");
    assert!(!is_recorded(Lanes::All));
    let rows: Vec<String> = (10..50).map(|number| format!("('{number}')")).collect();
    checkout.write(
        "structure.sql",
        &format!("INSERT INTO public.schema_migrations (version) VALUES\n{};\n", rows.join(",\n")),
    );
    assert!(is_recorded(Lanes::All));
    checkout.write("manual_migrations/90_slow.sql", "create table slow;");
    assert!(is_recorded(Lanes::Automatic) && !is_recorded(Lanes::All));
}

#[tokio::test]
async fn a_template_is_not_warmed_where_a_script_asks_for_the_name_of_its_database() {
    let checkout = Checkout::new();
    checkout.write("migrations/50_name.sql", "insert into t10 select Current_Database();");
    let database = empty_server();
    let error = warm(&mut session(&checkout.repo, &database), SETUP).await.expect_err("it has another name");
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.message().contains("asks for the name of its database"), "{error}");
    assert_eq!(templates(&database), 0);
    // One that `setup` has kept is right.
    set_up(&checkout.repo, &database).await.expect("it works");
    let warmed = warm(&mut session(&checkout.repo, &database), SETUP).await.expect("it is there");
    assert!(matches!(warmed, Warmed::There { .. }));
}

#[tokio::test]
async fn wherever_a_setup_dies_the_next_one_ends_with_the_same_database() {
    let checkout = Checkout::new();
    // Every fifth call of each kind: the calls of the migrations in between are all alike.
    for (first, fault) in [(1, Fault::KilledBefore), (2, Fault::KilledAfter), (3, Fault::LostAfter)] {
        for n in (first..).step_by(5) {
            let database = empty_server();
            database.fail_at(n, fault);
            let first = set_up(&checkout.repo, &database).await;
            if !database.fault_was_due() {
                assert!(first.is_ok() && n > 50, "{n}");
                break;
            }
            database.revive();
            set_up(&checkout.repo, &database).await.unwrap_or_else(|error| panic!("{fault:?} {n}: {error}"));
            assert_eq!(database.effects().len(), 40, "{fault:?} {n}");
            assert_eq!(database.versions().len(), 40, "{fault:?} {n}");
            assert_eq!(database.locks(), 0, "{fault:?} {n}");
            // What is kept is whole, whoever kept it.
            let wrong = database.with(|state| state.templates.values().any(|(copied, _)| copied.len() != 40));
            assert!(!wrong, "{fault:?} {n}");
        }
    }
}

#[tokio::test]
async fn a_database_for_a_test_is_built_once_and_copied_from_then_on() {
    let checkout = Checkout::new();
    let database = empty_server();
    let mut first = session(&checkout.repo, &database);
    assert_eq!(ready(&mut first, TESTS).await.expect("right"), Ready::Built);
    assert_eq!(database.effects().len(), 41, "the seeds are in it");
    assert_eq!(ready(&mut first, TESTS).await.expect_err("it is there").kind(), Kind::NotEmpty);
    database.with(|state| (state.exists, state.effects) = (false, Vec::new()));
    assert_eq!(ready(&mut first, TESTS).await.expect("right"), Ready::Cloned);
    assert_eq!(database.effects().len(), 41);
    database.with(|state| {
        state.no_templates = Some("no".into());
        (state.exists, state.has_ledger, state.has_meta) = (false, false, false);
        (state.effects, state.ledger) = Default::default();
    });
    assert_eq!(ready(&mut first, TESTS).await.expect("right"), Ready::WithoutTemplate);
    assert_eq!(database.effects().len(), 41);
}

#[test]
fn what_is_stale_is_unused_or_too_many_or_of_another_release_and_never_another_repos() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(2_000_000_000);
    let info = |number: u64, repo: &str, days: u64| TemplateInfo {
        name: TemplateName::new(&format!("{number:024x}")).expect("it is a name"),
        shown: String::new(),
        note: Some(TemplateNote { repo: repo.into(), ..TemplateNote::default() }),
        made: None,
        used: Some(now - Duration::from_secs(days * 86_400)),
        bytes: None,
        usable: true,
    };
    let repo = repo();
    let stale = |all: &[TemplateInfo], current: &[TemplateName]| -> Vec<usize> {
        let goes = |info: &TemplateInfo| is_stale(info, all, &repo, current, now);
        all.iter().enumerate().filter(|(_, info)| goes(info)).map(|(at, _)| at).collect()
    };
    let mut all = vec![info(0, "core", 15), info(1, "core", 14), info(2, "other", 99), info(3, "core", 0)];
    assert_eq!(stale(&all, &[]), [0]);
    assert_eq!(stale(&all, &[all[0].name.clone()]), Vec::<usize>::new());
    all[3].usable = false;
    assert_eq!(stale(&all, &[all[3].name.clone()]), [0, 3], "no release can use it any more");
    all[0].note = None;
    assert_eq!(stale(&all, &[]), [3], "nobody knows whose it is");
    all[0].note = Some(TemplateNote::default());
    assert_eq!(stale(&all, &[]), [0, 3], "nobody's is everybody's once its age is known");
    let many: Vec<TemplateInfo> = (0..14).map(|number| info(number, "core", number)).collect();
    assert_eq!(stale(&many, &[]), [12, 13]);
}
