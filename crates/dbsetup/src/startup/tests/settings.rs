//! What a start-up makes of settings, and what its policy keeps a hook from.

use super::*;

#[test]
fn another_url_takes_its_companions_along() {
    let fixture = Fixture::new(1);
    let mut repo = fixture.repo();
    let other = || Some(DatabaseUrl::new("postgres://app@other/core"));
    (repo.direct_url, repo.maintenance_url) = (other(), other());
    let kept = Startup::of_repo(repo.clone()).repo().unwrap();
    assert!(kept.direct_url.is_some() && kept.maintenance_url.is_some());
    let replaced = Startup::of_repo(repo).url("sqlite:mine.db").repo().unwrap();
    assert_eq!((replaced.direct_url, replaced.maintenance_url), (None, None));
}

#[test]
fn a_way_past_a_pooler_is_one_that_the_application_hands_over() {
    use crate::source::{Embedded, EmbeddedSettings};
    // Every process of the tests has one called so; what is in it is no matter.
    const SETTINGS: EmbeddedSettings =
        EmbeddedSettings { direct_url_env: Some("PATH"), ..EmbeddedSettings::DEFAULT };
    static CORE: Embedded = Embedded {
        name: "core",
        digest: "",
        marker: "",
        disposable: &["dev"],
        settings: SETTINGS,
        environments: &[],
        files: &[],
        debug_assertions: true,
    };
    assert!(std::env::var_os("PATH").is_some());
    let startup = || Startup::new(&CORE).url("postgres://localhost:49153/core");
    assert_eq!(startup().repo().unwrap().direct_url, None);
    let handed = startup().direct_url("postgres://server/core").repo().unwrap();
    assert_eq!(handed.direct_url.as_ref().map(DatabaseUrl::expose), Some("postgres://server/core"));
    let other = startup().direct_url("postgres://server/core").url("postgres://pooler/core").repo().unwrap();
    assert!(other.direct_url.is_some() && other.url.expose() == "postgres://pooler/core");
}

#[test]
fn another_environment_is_protected() {
    let fixture = Fixture::new(1);
    let of = |environment: &str| Startup::of_repo(fixture.repo()).environment(environment).repo().unwrap();
    assert!(of("dev").disposable);
    assert!(!of("prod").disposable);
}

#[test]
fn a_lock_is_waited_for_as_long_as_something_says_and_else_a_minute() {
    let fixture = Fixture::new(1);
    let source = || Source::directory("core", fixture.directory.path().join("priv"));
    let wait = |startup: Startup| startup.url("sqlite:a.db").repo().unwrap().lock_wait;
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    assert_eq!(wait(Startup::new(source())), minutes(1));
    let configured = source().with(|repo| repo.lock_wait = Duration::from_secs(600));
    assert_eq!(wait(Startup::new(configured.clone())), minutes(10));
    assert_eq!(wait(Startup::new(configured).lock_wait(minutes(2))), minutes(2));
    let repo = Repo { lock_wait: minutes(7), ..fixture.repo() };
    assert_eq!(wait(Startup::of_repo(repo)), minutes(7));
}

#[tokio::test]
async fn a_hook_empties_nothing_where_nothing_is_written() {
    let fixture = Fixture::new(2);
    fixture.startup().run().await.unwrap();
    fixture.file("migrations/3_m.sql", "create 3;");
    for policy in [Policy::RequireCurrent, Policy::WaitForCurrent(Duration::from_millis(10))] {
        let hook = OnFailure::hook(|failure| {
            Box::pin(async move {
                let error = failure.recreate(true).await.unwrap_err();
                assert_eq!(error.kind(), Kind::Refused);
                assert!(error.message().contains("nothing is written"), "{error:?}");
                Answer::Abort
            })
        });
        // The failure is one that emptying would mend.
        fixture.file("migrations/1_m.sql", "create other;");
        wrong(fixture.startup().policy(policy).on_failure(hook).run().await);
        assert_eq!(fixture.database.effects(), ["create 1;", "create 2;"]);
    }
}

#[tokio::test]
async fn every_migrate_that_succeeds_takes_the_mark_of_a_copy_away_and_no_other() {
    let fixture = Fixture::new(2);
    fixture.startup().run().await.unwrap();
    let mark = || fixture.database.with(|state| state.ledger.meta("backup").map(str::to_owned));
    let repo = fixture.repo();
    let migrate = async |version: &str| {
        fixture.file(&format!("migrations/{version}_m.sql"), &format!("create {version};"));
        let server = Box::new(fixture.database.clone());
        let mut session = crate::session::Session::with_server(&repo, &Silent, "migrate", server);
        let result =
            crate::migration::migrate(&mut session, &crate::migration::MigrateRequest::default()).await;
        session.close().await;
        result
    };
    fixture.database.with(|state| set(state, "backup", "a 3"));
    migrate("3").await.unwrap();
    assert_eq!(mark(), None);
    fixture.database.with(|state| set(state, "backup", "a 4"));
    migrate("3").await.unwrap();
    assert_eq!(mark(), None, "nothing is pending");
    fixture.database.with(|state| {
        set(state, "backup", "a 4");
        state.poison = Some("create 4".into());
    });
    migrate("4").await.unwrap_err();
    assert_eq!(mark().as_deref(), Some("a 4"));
    assert_eq!(fixture.database.locks(), 0);
}
