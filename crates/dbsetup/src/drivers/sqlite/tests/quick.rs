//! Scripts in a database that the run created take another way, with the same answers.

use super::*;
use crate::driver::{DbErrorClass, LockKey};
use crate::repo::Lane;

/// A session with a ledger in a database that this run created.
async fn fresh(place: &Place, foreign_keys: bool) -> Box<dyn Driver> {
    let options = SessionOptions { fresh: true, foreign_keys, ..SessionOptions::default() };
    let mut session = place.session_with(options).await;
    session.prepare(&ledger(), ALL).await.expect("it is prepared");
    session
}

#[tokio::test]
async fn a_script_and_its_row_are_one_however_the_script_ends() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let texts = [
        "create table a (i int);",
        "create table b (i int)",
        "create table c (i int); -- c",
        "create table d (i int); /* d",
        "create table e (i int); /*/",
        "create table f (i int); /* f */",
        "create trigger g after insert on a begin insert into b values (1); end;",
        "select 1;;",
        "",
    ];
    for (at, text) in texts.into_iter().enumerate() {
        let version = at.to_string();
        let guard = not_applied(&version);
        let work = Work { script: text, changes: &[row(&version)], guard: Some(&guard), lock: None };
        session.transact(work).await.expect(text);
        assert_eq!(versions(&mut *session).await.len(), at + 1, "{text}");
    }
    let found = objects(&mut *session).await;
    assert_eq!(found, ["table a", "table b", "table c", "table d", "table e", "table f", "trigger g"]);
}

#[tokio::test]
async fn a_failing_statement_is_counted_and_all_of_its_script_is_undone() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let text = "create table a (i int);\ninsert into a values (1);\ninsert into nosuch values (1);";
    let error = session.transact(Work { changes: &[row("1")], ..script(text) }).await.expect_err("no table");
    assert_eq!((error.statement, error.rolled_back), (Some(2), true));
    assert_eq!(error.offset, text.find("nosuch"));
    assert_eq!(objects(&mut *session).await, [""; 0]);
    assert_eq!(versions(&mut *session).await, [""; 0]);
    // What follows runs as if nothing had been.
    session
        .transact(Work { changes: &[row("1")], ..script("create table a (i int);") })
        .await
        .expect("it runs");
    let error = session
        .transact(Work { changes: &[row("1")], ..script("create table b (i int);") })
        .await
        .expect_err("it is recorded already");
    assert!(error.statement.is_none() && error.rolled_back, "{error:?}");
    let guard = not_applied("1");
    let work = Work { guard: Some(&guard), ..script("create table b (i int);") };
    assert_eq!(
        session.transact(work).await.expect_err("it is there").error.class,
        DbErrorClass::LedgerConflict
    );
    assert_eq!(objects(&mut *session).await, ["table a"]);
}

#[tokio::test]
async fn nothing_of_a_script_that_ends_its_transaction_is_kept() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    for text in [
        "create table a (i int); COMMIT;",
        "create table a (i int); COMMIT; BEGIN;",
        "create table a (i int); ROLLBACK;",
        "create table a (i int); ROLLBACK; BEGIN; create table b (i int);",
        "create table a (i int); ROLLBACK; create table b (i int);",
        "BEGIN; create table a (i int);",
    ] {
        for changes in [&[][..], &[row("1")]] {
            let error = session.transact(Work { changes, ..script(text) }).await.expect_err(text);
            assert_eq!(error.error.class, DbErrorClass::TransactionClosed, "{text}");
            assert_eq!(objects(&mut *session).await, [""; 0], "{text}");
            assert_eq!(versions(&mut *session).await, [""; 0], "{text}");
        }
    }
}

#[tokio::test]
async fn rows_without_parents_are_found_as_soon_as_a_table_can_have_any() {
    let place = Place::created().await;
    let mut session = fresh(&place, false).await;
    for text in [
        "create table plain (i int);",
        "insert into plain values (1);",
        "create table users (id integer primary key); insert into users values (1);",
        "create table orders (user_id int references users);",
        "insert into orders values (1);",
    ] {
        session.transact(script(text)).await.expect(text);
    }
    let error = session.transact(script("delete from users;")).await.expect_err("an order needs it");
    assert!(error.error.message.contains("row 1 of `orders`"), "{error:?}");
    // A session that was not there when the table was made finds it too.
    session.close().await;
    let mut session = fresh(&place, false).await;
    let error = session.transact(script("delete from users;")).await.expect_err("an order needs it");
    assert!(error.error.message.contains("row 1 of `orders`"), "{error:?}");
}

#[tokio::test]
async fn others_read_the_database_when_the_lock_is_given_back_or_after_a_while() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let key = LockKey { ledger: ledger(), lane: Lane::Automatic };
    assert!(session.try_lock(&key).await.expect("it works"));
    session.transact(script("create table a (i int);")).await.expect("it runs");
    assert_eq!(objects(&mut *place.session().await).await, ["table a"], "one script alone keeps nobody out");
    session.transact(script("create table b (i int);")).await.expect("it runs");
    let error = place.server.connect(&SessionOptions::default()).await.map(drop).expect_err("it is locked");
    assert_eq!(error.class, DbErrorClass::LockTimeout);
    session.unlock(&key).await.expect("it is held");
    assert_eq!(objects(&mut *place.session().await).await.len(), 2);

    assert!(session.try_lock(&key).await.expect("it works"));
    for at in 0..3 {
        session.transact(script(&format!("create table c{at} (i int);"))).await.expect("it runs");
    }
    tokio::time::sleep(Duration::from_millis(600)).await;
    session.transact(script("create table d (i int);")).await.expect("it runs");
    assert_eq!(objects(&mut *place.session().await).await.len(), 6);
    session.make_durable().await.expect("it works");
    session.unlock(&key).await.expect("it is held");
    session.close().await;
    assert_eq!(place.names(), ["a.db"]);
}
