//! What follows from what is found, as values; and a whole examination of an SQLite file.

use super::*;
use crate::driver::{BrokenIndex, Capabilities};
use crate::event::Silent;
use crate::migration::StatusRow;
use crate::sql::Dialect;

fn repo() -> Repo {
    migration::testing::repo()
}

fn about() -> About {
    About {
        version: "PostgreSQL 15.1".into(),
        dialect: Dialect::Postgres,
        capabilities: Capabilities {
            session_locks: true,
            transactional_ddl: true,
            session_foreign_keys: false,
            several_transactions: false,
            templates: true,
            shared_server: true,
            native_dump: true,
            words_definitions: true,
            pooled: None,
        },
        schema: Some("app".into()),
        session: None,
        database: "core_prod".into(),
    }
}

fn target(local: bool, plain: bool) -> Target {
    Target {
        shown: "postgres://app@db/core".into(),
        database: "core".into(),
        local,
        plain_text_over_network: plain,
        address: None,
    }
}

fn found(findings: &[Finding], about: &str) -> Option<(Health, String)> {
    let mut of_it = findings.iter().filter(|finding| finding.about == about);
    let first = of_it.next()?;
    assert_eq!(of_it.next(), None, "{findings:?}");
    Some((first.health, first.help.clone().unwrap_or_default()))
}

fn status(states: &[(Lane, State)]) -> Status {
    let row = |(at, (lane, state)): (usize, &(Lane, State))| StatusRow {
        version: (at + 1).to_string(),
        name: "a".into(),
        lane: Some(*lane),
        state: state.clone(),
        applied_at: Some("now".into()),
        checksum: None,
        path: None,
        is_code: false,
    };
    Status {
        exists: true,
        ledger: None,
        environment: Some("dev".into()),
        belongs: Belongs::Ours,
        rows: states.iter().enumerate().map(row).collect(),
        locks: Vec::new(),
        half_loaded: false,
        floor: Default::default(),
        rewrite: None,
    }
}

#[test]
fn a_connection_in_plain_text_is_bad_only_where_it_crosses_a_network() {
    let vitals = |encrypted| Vitals { encrypted: Some(encrypted), ..Vitals::default() };
    let tls = |local, plain, encrypted| {
        let findings = of_server(&repo(), &target(local, plain), &about(), &vitals(encrypted));
        found(&findings, "tls").map(|(health, _)| health)
    };
    assert_eq!(tls(true, false, false), None);
    assert_eq!(tls(false, true, false), Some(Health::Bad));
    assert_eq!(tls(false, true, true), Some(Health::Warn));
    assert_eq!(tls(false, false, true), Some(Health::Ok));
}

#[test]
fn a_role_without_rights_gets_the_grant_to_ask_for_and_createdb_is_only_told() {
    let vitals = Vitals {
        role: Some("app".into()),
        may_create_objects: Some(false),
        grant: Some("GRANT CREATE ON SCHEMA app TO app".into()),
        may_create_databases: Some(false),
        ..Vitals::default()
    };
    let findings = of_server(&repo(), &target(true, false), &about(), &vitals);
    let (health, help) = found(&findings, "rights").expect("it is told");
    assert_eq!((health, help.contains("`GRANT CREATE ON SCHEMA app TO app`")), (Health::Bad, true));
    assert_eq!(found(&findings, "createdb").expect("it is told").0, Health::Ok);
}

#[test]
fn a_pooler_and_an_invalid_index_come_with_their_remedies() {
    let mut about = about();
    about.capabilities.pooled = Some("a pooler answers".into());
    about.capabilities.session_locks = false;
    let broken = BrokenIndex { name: "app.i".into(), remedy: "REINDEX INDEX CONCURRENTLY app.i".into() };
    let vitals = Vitals { broken_indexes: vec![broken], ..Vitals::default() };
    let findings = of_server(&repo(), &target(true, false), &about, &vitals);
    let (health, help) = found(&findings, "pooler").expect("it is told");
    assert_eq!((health, help.contains("`CORE_DIRECT_URL`")), (Health::Warn, true));
    let (health, help) = found(&findings, "index").expect("it is told");
    assert_eq!((health, help.as_str()), (Health::Bad, "`REINDEX INDEX CONCURRENTLY app.i`"));
}

#[test]
fn a_database_of_another_environment_and_a_half_loaded_one_are_bad() {
    let mut status = status(&[]);
    assert_eq!(found(&of_status(&repo(), &status), "environment").expect("it is told").0, Health::Ok);
    status.environment = Some("prod".into());
    status.half_loaded = true;
    status.belongs = Belongs::Other("billing".into());
    status.locks = vec![(Lane::Automatic, "pid 7; `select pg_terminate_backend(7)` ends it".into())];
    let findings = of_status(&repo(), &status);
    let (health, help) = found(&findings, "environment").expect("it is told");
    assert_eq!((health, help.contains("resolve --environment dev")), (Health::Bad, true));
    let (health, help) = found(&findings, "repo").expect("it is told");
    assert_eq!((health, help.contains("resolve --environment dev --repo core")), (Health::Bad, true));
    let (health, help) = found(&findings, "structure").expect("it is told");
    assert_eq!((health, help.contains("load --repo core")), (Health::Bad, true));
    assert_eq!(found(&findings, "lock").expect("it is told").0, Health::Warn);
}

#[test]
fn pending_migrations_are_told_with_the_command_that_runs_them() {
    let help = |lane, state: State| {
        let findings = of_status(&repo(), &status(&[(lane, state)]));
        found(&findings, "migrations").expect("it is told")
    };
    assert_eq!(help(Lane::Automatic, State::Applied).0, Health::Ok);
    let (health, text) = help(Lane::Automatic, State::Pending);
    assert_eq!((health, text.as_str()), (Health::Warn, "run `cargo dbsetup migrate --repo core`"));
    let (health, text) = help(Lane::Manual, State::Pending);
    assert_eq!(
        (health, text.as_str()),
        (Health::Warn, "run `cargo dbsetup migrate --lane manual --repo core`")
    );
    assert_eq!(help(Lane::Automatic, State::FileMissing { archived: false }).0, Health::Warn);
    let (health, text) = help(Lane::Automatic, State::Failed);
    assert_eq!((health, text.contains("resolve 1 --applied")), (Health::Bad, true));
    let half = State::Interrupted { done: 1, total: 2, reverting: false };
    let (health, text) = help(Lane::Manual, half);
    assert_eq!((health, text.contains("migrate --lane all")), (Health::Bad, true));
}

#[test]
fn a_migration_whose_lock_is_held_is_running_and_not_interrupted() {
    let half = State::Interrupted { done: 1, total: 2, reverting: false };
    let mut status = status(&[(Lane::Manual, half)]);
    status.locks = vec![(Lane::Manual, "pid 7, connected since 12:01:07 UTC".into())];
    let findings = of_status(&repo(), &status);
    let one = findings.iter().find(|finding| finding.about == "migrations").expect("it is told");
    assert_eq!(
        (one.health, one.text.as_str()),
        (Health::Warn, "1 is running now: 1; its lock is held by pid 7, connected since 12:01:07 UTC")
    );
    // The other lane's is not its own.
    status.locks[0].0 = Lane::Automatic;
    let (health, help) = found(&of_status(&repo(), &status), "migrations").expect("it is told");
    assert_eq!((health, help.contains("migrate --lane all")), (Health::Bad, true));
}

#[cfg(feature = "postgres")]
#[tokio::test]
async fn a_server_that_does_not_answer_is_named_with_its_port_and_without_its_password() {
    // A port that was free a moment ago: nobody listens there.
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a port is free").port();
    let url = crate::repo::DatabaseUrl::new(format!("postgres://app:s3cret@127.0.0.1:{port}/core"));
    let place = tempfile::tempdir().expect("a directory can be made");
    let repo = crate::Source::directory("core", place.path()).repo(url, "prod").expect("it is one");
    let mut session = Session::new(&repo, &Silent, "doctor").expect("the URL is one");
    let report = examine(&mut session).await;
    session.close().await;
    let [server] = &report.findings[..] else { panic!("{report:?}") };
    assert_eq!((server.about, server.health), ("server", Health::Bad));
    let named = format!("postgres://app@127.0.0.1:{port}/core (host 127.0.0.1, port {port}): ");
    assert!(server.text.starts_with(&named) && !server.text.contains("s3cret"), "{server:?}");
    assert!(server.help.as_ref().is_some_and(|help| help.contains("wait --repo core")), "{server:?}");
}

#[test]
fn many_versions_are_not_all_named() {
    assert_eq!(listed(&["1", "2"]), "1, 2");
    assert_eq!(listed(&["1", "2", "3", "4", "5", "6", "7"]), "1, 2, 3, 4, 5 and 2 more");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_missing_database_is_a_finding_and_is_not_made() {
    let place = tempfile::tempdir().expect("a directory can be made");
    let file = place.path().join("core.db");
    let url = crate::repo::DatabaseUrl::new(format!("sqlite:{}", file.display()));
    let mut repo = crate::Source::directory("core", place.path()).repo(url, "prod").expect("it is one");
    let examined = async |repo: &Repo| {
        let mut session = Session::new(repo, &Silent, "doctor").expect("the URL is one");
        let report = examine(&mut session).await;
        session.close().await;
        report
    };
    let report = examined(&repo).await;
    let (health, help) = found(&report.findings, "database").expect("it is told");
    assert_eq!((health, help.contains("cargo dbsetup create --repo core --env prod")), (Health::Bad, true));
    assert!(report.is_bad() && !file.exists());
    repo.program.words = Some(&["setup"]);
    let report = examined(&repo).await;
    assert!(found(&report.findings, "database").expect("it is told").1.contains("setup --create"));
    std::fs::write(&file, "").expect("a file can be written");
    std::fs::create_dir(place.path().join("migrations")).expect("a directory can be made");
    let report = examined(&repo).await;
    assert!(!report.is_bad(), "{report:?}");
}
