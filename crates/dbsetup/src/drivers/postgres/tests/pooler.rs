//! Behind a transaction pooler: PgBouncer that forwards every database of the server, named by
//! `DBSETUP_TEST_PGBOUNCER` (refuses start-up options) and `DBSETUP_TEST_PGBOUNCER_DROPPING` (drops them).

use super::*;
use crate::driver::DbErrorClass;

fn poolers() -> Vec<String> {
    let poolers: Vec<String> = ["DBSETUP_TEST_PGBOUNCER", "DBSETUP_TEST_PGBOUNCER_DROPPING"]
        .into_iter()
        .filter_map(|variable| std::env::var(variable).ok())
        .map(|url| url[..url.rfind('/').expect("the URL names a database")].to_owned())
        .collect();
    if poolers.is_empty() {
        eprintln!("skipped: DBSETUP_TEST_PGBOUNCER is not set");
    }
    poolers
}

#[tokio::test]
async fn a_pooler_is_noticed_and_work_goes_on_in_single_transactions() {
    let poolers = poolers();
    for pooler in &poolers {
        let Some(scratch) = Scratch::new("pooled").await else { return };
        let mut direct = scratch.session().await;
        direct.transact(script("create schema app")).await.expect("right");
        let pooled = server(pooler, &scratch.name);
        let with = SessionOptions { schemas: vec!["app".into()], ..options() };
        let mut session = Session::connect(&pooled.place, &with).await.expect("the pooler answers");
        session.use_ledger(&ledger());
        assert!(session.about().capabilities.pooled.is_some());
        assert!(!session.about().capabilities.session_locks);
        assert_eq!(session.about().schema.as_deref(), Some("app"));
        assert_eq!(session.about().session, None);
        let main = lock(Lane::Automatic);
        assert_eq!(session.try_lock(&main).await.expect_err("no session").class, DbErrorClass::Unsupported);
        session.prepare(&ledger(), ALL).await.expect("right");
        let work = Work {
            changes: &[insert("1")],
            lock: Some(&main),
            ..script("create table t (); set search_path = nope")
        };
        session.transact(work).await.expect("right");
        assert_eq!(versions(&mut session).await, ["1"]);
        assert_eq!(
            value(&mut session, "select schemaname from pg_tables where tablename = 't'").await,
            "app"
        );
        assert_eq!(
            value(&mut direct, "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())").await,
            "0"
        );
        let error = session.transact(script("select 1; select nope")).await.expect_err("no column");
        assert_eq!((error.statement, error.offset, error.rolled_back), (Some(1), Some(17), true));
        assert_eq!(direct.try_lock(&main).await, Ok(true));
        let error =
            session.transact(Work { lock: Some(&main), ..script("select 1") }).await.expect_err("it is held");
        assert_eq!(error.error.code.as_deref(), Some("55P03"));
        let error = session.run_alone("vacuum", &[]).await.expect_err("it needs a session");
        assert_eq!(error.error.class, DbErrorClass::Unsupported);
        // What a script set does not leak to whoever gets the server's session next.
        let mut other = Session::connect(&pooled.place, &options()).await.expect("right");
        assert_eq!(value(&mut other, "select current_setting('search_path')").await, "\"$user\", public");
        session.begin(true).await.expect("right");
        session.execute("create table t2 ()").await.expect("right");
        session.commit(&[insert("2")]).await.expect("right");
        assert_eq!(versions(&mut session).await, ["1", "2"]);
        scratch.done().await;
    }
}

#[tokio::test]
async fn databases_are_found_through_a_pooler_too() {
    for pooler in poolers() {
        let Some(scratch) = Scratch::new("pooled exists").await else { return };
        let pooled = server(&pooler, &scratch.name);
        assert_eq!(pooled.exists().await, Ok(true));
        assert_eq!(pooled.create(&CreateOptions::default()).await, Ok(Created::Already));
        // PgBouncer keeps whoever asks again for a database that was missing waiting for seconds: each is asked once.
        let missing = |name: &str| server(&pooler, &format!("{}_{name}", scratch.name));
        assert_eq!(missing("a").exists().await, Ok(false));
        assert_eq!(missing("b").ping().await, Ok(()));
        // What was made past it could not be reached through it for as long.
        let error = missing("c").create(&CreateOptions::default()).await.expect_err("it was asked for");
        assert_eq!(error.class, DbErrorClass::Unsupported);
        assert!(error.notes.iter().any(|note| note.contains("`maintenance-url`")), "{error:?}");
        let missing = missing("d");
        let direct = server(&scratch.base, &format!("{}_d", scratch.name));
        assert_eq!(direct.create(&CreateOptions::default()).await, Ok(Created::Now));
        assert!(matches!(missing.drop(Sessions::End).await, Ok(Dropped::Now { .. })));
        scratch.done().await;
    }
}
