//! Scratch databases: there as long as they are needed, and known to nobody else.

use super::*;

async fn made(session: &mut dyn Driver, table: &str) {
    session.begin(false).await.expect("it begins");
    session.execute(&format!("create table {table} (i int)")).await.expect("it is made");
    session.commit(&[]).await.expect("it commits");
}

#[tokio::test]
async fn a_scratch_database_outlives_its_sessions_and_is_no_other_ones() {
    let place = Place::created().await;
    let (one, other) =
        (place.server.scratch(None, None).await.unwrap(), place.server.scratch(None, None).await.unwrap());
    let options = SessionOptions { fresh: true, ..SessionOptions::default() };
    let mut session = one.connect(&options).await.expect("it opens");
    made(&mut *session, "a").await;
    session.close().await;
    let mut session = one.connect(&options).await.expect("it opens again");
    made(&mut *session, "b").await;
    assert_eq!(objects(&mut *session).await, ["table a", "table b"]);
    let mut stranger = other.connect(&options).await.expect("it opens");
    assert!(objects(&mut *stranger).await.is_empty());
    for session in [session, stranger] {
        session.close().await;
    }
    one.discard().await.expect("it goes");
    one.discard().await.expect("twice is once");
    let mut session = one.connect(&options).await.expect("an empty one is made by that name");
    assert!(objects(&mut *session).await.is_empty());
    session.close().await;
    assert_eq!(place.names(), ["a.db"]);
}

#[tokio::test]
async fn a_session_that_is_dropped_at_work_is_rolled_back_and_keeps_nobody_out() {
    let place = Place::created().await;
    let scratch = place.server.scratch(None, None).await.unwrap();
    let options = SessionOptions { fresh: true, ..SessionOptions::default() };
    let mut session = scratch.connect(&options).await.expect("it opens");
    session.begin(false).await.expect("it begins");
    session.execute("create table a (i int)").await.expect("it is made");
    drop(session);
    let mut session = scratch.connect(&options).await.expect("it opens again");
    made(&mut *session, "b").await;
    assert_eq!(objects(&mut *session).await, ["table b"]);
    session.close().await;
    scratch.discard().await.expect("it goes");
}
