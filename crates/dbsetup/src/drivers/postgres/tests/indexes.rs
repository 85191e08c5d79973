//! Statements that run outside of a transaction.

use super::*;
use crate::driver::DbErrorClass;

const BUILD: &str = "create index concurrently if not exists i on t (n)";

async fn valid(session: &mut Session) -> String {
    value(session, "select indisvalid from pg_index where indexrelid = to_regclass('i')").await
}

#[tokio::test]
async fn an_index_is_built_and_recorded_and_an_invalid_one_is_replaced() {
    let Some(scratch) = Scratch::new("concurrent").await else { return };
    let mut session = scratch.prepared().await;
    session.transact(script("create table t (n int); insert into t values (1), (1)")).await.expect("right");
    let error = session
        .run_alone("create unique index concurrently i on t (n)", &[insert("1")])
        .await
        .expect_err("twins");
    assert_eq!(
        (error.error.code.as_deref(), error.statement, error.rolled_back),
        (Some("23505"), Some(0), true)
    );
    assert_eq!(valid(&mut session).await, "");
    // An invalid index as a crash leaves it.
    session.send("create unique index concurrently i on t (n)".into()).await.expect_err("twins");
    assert_eq!(valid(&mut session).await, "f");
    session.run_alone(BUILD, &[insert("1")]).await.expect("right");
    assert_eq!(valid(&mut session).await, "t");
    assert_eq!(versions(&mut session).await, ["1"]);
    session.run_alone(BUILD, &[insert("2")]).await.expect("it is there");
    assert_eq!(value(&mut session, "select current_setting('lock_timeout')").await, "3s");
    assert_eq!(session.recover(BUILD).await, Ok(Recovery::Done));
    assert_eq!(session.recover("drop index concurrently i").await, Ok(Recovery::RunAgain(None)));
    session.run_alone("drop index concurrently i", &[insert("3")]).await.expect("right");
    assert_eq!(session.recover("drop index concurrently i").await, Ok(Recovery::Done));
    assert_eq!(session.recover(BUILD).await, Ok(Recovery::RunAgain(None)));
    session.send("create unique index concurrently i on t (n)".into()).await.expect_err("twins");
    let recovery = session.recover(BUILD).await;
    assert_eq!(recovery, Ok(Recovery::RunAgain(Some("the invalid index public.i was dropped".into()))));
    assert_eq!(session.recover("vacuum t").await, Ok(Recovery::RunAgain(None)));
    assert_eq!(session.recover("create table x ()").await, Ok(Recovery::RunAgain(None)));
    assert_eq!(session.recover("create database x").await, Ok(Recovery::Unknown));
    session.run_alone("vacuum t", &[insert("4")]).await.expect("right");
    session.run_alone("insert into t values (2)", &[insert("5")]).await.expect("right");
    let error = session.run_alone("create index concurrently on t (n)", &[]).await.expect_err("no name");
    assert!(error.error.notes[0].contains("a_name"));
    let error = session.run_alone("vacuum  größer", &[]).await.expect_err("no table");
    assert_eq!((error.statement, error.error.class), (Some(0), DbErrorClass::Statement));
    assert_eq!(versions(&mut session).await.len(), 5);
    scratch.done().await;
}

#[tokio::test]
async fn an_application_that_waits_for_our_lock_survives_a_concurrent_build() {
    let Some(scratch) = Scratch::new("waiter").await else { return };
    let mut session = scratch.prepared().await;
    session
        .transact(script("create table t (n int); insert into t select generate_series(1, 1000)"))
        .await
        .expect("right");
    let main = lock(Lane::Automatic);
    assert_eq!(session.try_lock(&main).await, Ok(true));
    let key = session.lock_key(&main);
    // As `sqlx::migrate!().run()` does: it waits as long as it takes.
    let patient = SessionOptions { lock_timeout: Duration::ZERO, ..options() };
    let mut application = scratch.session_with(&patient).await;
    let waiting = tokio::spawn(async move {
        application.message(format!("select pg_advisory_lock({key})")).await.map(drop)
    });
    while value(&mut session, "select count(*) from pg_locks where locktype = 'advisory' and not granted and database = (select oid from pg_database where datname = current_database())")
        .await
        == "0"
    {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = session.run_alone(BUILD, &[]).await.expect_err("a deadlock with the waiter's snapshot");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::Deadlock, true));
    assert_eq!(valid(&mut session).await, "");
    session.unlock(&main).await.expect("it is still held");
    waiting.await.expect("it does not panic").expect("the application got its lock");
    scratch.done().await;
}

#[tokio::test]
async fn a_build_whose_client_is_gone_is_waited_for_and_cleared_away() {
    let Some(scratch) = Scratch::new("orphan").await else { return };
    let mut session = scratch.prepared().await;
    session.transact(script("create table t (n int)")).await.expect("right");
    let mut blocker = scratch.session().await;
    blocker.begin(false).await.expect("right");
    blocker.execute("insert into t values (1)").await.expect("right");
    let mut orphan = scratch.session().await;
    let building = tokio::spawn(async move { orphan.run_alone(BUILD, &[]).await });
    while valid(&mut session).await.is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    building.abort();
    let recovery = async {
        let recovery = session.recover(BUILD).await;
        (recovery, valid(&mut session).await)
    };
    // The server notices within a second that the client is gone; dropping the index waits for the writer.
    let release = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        blocker.rollback().await
    };
    let ((recovery, left), released) = tokio::join!(recovery, release);
    released.expect("right");
    assert!(matches!(recovery, Ok(Recovery::RunAgain(Some(_)))), "{recovery:?}");
    assert_eq!(left, "");
    scratch.done().await;
}
