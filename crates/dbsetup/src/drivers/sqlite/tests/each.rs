//! Several scripts that share a message leave what they leave one by one.

use super::*;
use crate::driver::LockKey;
use crate::ledger::Change;
use crate::repo::Lane;

/// A session with a ledger in a database that this run created.
async fn fresh(place: &Place, foreign_keys: bool) -> Box<dyn Driver> {
    let options = SessionOptions { fresh: true, foreign_keys, ..SessionOptions::default() };
    let mut session = place.session_with(options).await;
    session.prepare(&ledger(), ALL).await.expect("it is prepared");
    session
}

/// Sends scripts whose versions are their places. Returns how many are done, after as many were told.
async fn send(session: &mut dyn Driver, texts: &[&str]) -> usize {
    let changes: Vec<[Change; 1]> = (0..texts.len()).map(|at| [row(&at.to_string())]).collect();
    let works: Vec<Work<'_>> =
        texts.iter().zip(&changes).map(|(text, changes)| Work { changes, ..script(text) }).collect();
    let mut told = 0;
    let done = session.transact_each(&works, &mut |_| told += 1).await.expect("it works");
    assert_eq!(told, done, "{texts:?}");
    done
}

#[tokio::test]
async fn scripts_that_end_in_any_way_share_a_message() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let texts = [
        "create table a (i int);",
        "create table b (i int)",
        "create table c (i int); -- c",
        "create table d (i int) -- d",
        "create table f (i int) /* f */",
        "create trigger g after insert on a begin insert into b values (1); end",
        "select 1;;",
        "",
    ];
    assert_eq!(send(&mut *session, &texts).await, texts.len());
    let found = objects(&mut *session).await;
    assert_eq!(found, ["table a", "table b", "table c", "table d", "table f", "trigger g"]);
    assert_eq!(versions(&mut *session).await.len(), texts.len());
    session.close().await;
    assert_eq!(objects(&mut *place.session().await).await.len(), 6);
}

#[tokio::test]
async fn what_fails_takes_nothing_along_that_stood_before_it() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let texts = [
        "create table a (i int);",
        "create table b (i int);",
        "create table c (i int); insert into nosuch values (1);",
        "create table d (i int);",
    ];
    assert_eq!(send(&mut *session, &texts).await, 2);
    assert_eq!(objects(&mut *session).await, ["table a", "table b"]);
    assert_eq!(versions(&mut *session).await, ["0", "1"]);
    let error = session
        .transact(Work { changes: &[row("2")], ..script(texts[2]) })
        .await
        .expect_err("there is no such table");
    assert_eq!((error.statement, error.rolled_back), (Some(1), true));
    session.transact(Work { changes: &[row("3")], ..script(texts[3]) }).await.expect("it runs");
    assert_eq!(objects(&mut *session).await, ["table a", "table b", "table d"]);
}

#[tokio::test]
async fn the_first_and_the_last_of_a_message_may_fail() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let bad = "create table x (i int); insert into nosuch values (1);";
    assert_eq!(send(&mut *session, &[bad, "create table a (i int);"]).await, 0);
    assert_eq!(objects(&mut *session).await, [""; 0]);
    assert_eq!(send(&mut *session, &["create table a (i int);", bad]).await, 1);
    assert_eq!(objects(&mut *session).await, ["table a"]);
    assert_eq!(versions(&mut *session).await, ["0"]);
}

#[tokio::test]
async fn a_version_that_is_there_is_not_run_again() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    session
        .transact(Work { changes: &[row("1")], ..script("create table b (i int);") })
        .await
        .expect("it runs");
    let texts = ["create table a (i int);", "create table c (i int);", "create table d (i int);"];
    assert_eq!(send(&mut *session, &texts).await, 1);
    assert_eq!(objects(&mut *session).await, ["table a", "table b"]);
}

#[tokio::test]
async fn a_script_in_company_that_ends_its_transaction_keeps_nothing() {
    for text in [
        "create table x (i int); COMMIT;",
        "create table x (i int); COMMIT; BEGIN;",
        "create table x (i int); ROLLBACK;",
        "create table x (i int); ROLLBACK; BEGIN; create table y (i int);",
        "create table x (i int); ROLLBACK; create table y (i int);",
        "BEGIN; create table x (i int);",
    ] {
        for texts in [
            &["create table a (i int);", text, "create table b (i int);"][..],
            &["create table a (i int);", text],
        ] {
            let place = Place::created().await;
            let mut session = fresh(&place, true).await;
            assert_eq!(send(&mut *session, texts).await, 1, "{text}");
            assert_eq!(objects(&mut *session).await, ["table a"], "{text}");
            assert_eq!(versions(&mut *session).await, ["0"], "{text}");
            // What follows runs as if nothing had been.
            let work = Work { changes: &[row("9")], ..script("create table z (i int);") };
            session.transact(work).await.expect(text);
            assert_eq!(objects(&mut *session).await, ["table a", "table z"], "{text}");
        }
    }
}

#[tokio::test]
async fn a_deferred_foreign_key_is_checked_where_its_own_transaction_ends() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let texts = [
        "create table users (id integer primary key);",
        "create table orders (user_id int references users deferrable initially deferred);",
        "insert into orders values (1);",
        "insert into users values (1);",
    ];
    assert_eq!(send(&mut *session, &texts).await, 2, "the user comes one transaction too late");
    assert_eq!(versions(&mut *session).await, ["0", "1"]);
    session.transact(Work { changes: &[row("2")], ..script(texts[2]) }).await.expect_err("it has no user");
}

#[tokio::test]
async fn rows_without_parents_are_found_in_company_too() {
    let place = Place::created().await;
    let mut session = fresh(&place, false).await;
    let texts = [
        "create table users (id integer primary key);",
        "create table orders (user_id int references users);",
        "insert into orders values (1);",
    ];
    // Where nobody enforces foreign keys, what may break one is looked at before its commit.
    assert_eq!(send(&mut *session, &texts).await, 2);
    let error = session
        .transact(Work { changes: &[row("2")], ..script(texts[2]) })
        .await
        .expect_err("it has no user");
    assert!(error.error.message.contains("row 1 of `orders`"), "{error:?}");
}

#[tokio::test]
async fn a_script_that_sets_something_for_its_session_runs_alone() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let texts = ["create table a (i int);", "create table b (i int);", "pragma recursive_triggers=on;"];
    assert_eq!(send(&mut *session, &texts).await, 2);
    assert_eq!(send(&mut *session, &[texts[2], "create table c (i int);"]).await, 0);
    session.close().await;
    // Nor do they share a message in a database that others may know.
    let mut session = place.session().await;
    session.use_ledger(&ledger());
    assert_eq!(send(&mut *session, &["create table d (i int);", "create table e (i int);"]).await, 0);
    assert_eq!(objects(&mut *session).await, ["table a", "table b"]);
}

#[tokio::test]
async fn who_waits_hears_of_what_is_done_while_the_rest_runs() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let slow = "create table slow (i int); insert into slow with recursive c(n) as \
                (select 1 union all select n + 1 from c where n < 3000000000) select count(*) from c;";
    let changes = [[row("0")], [row("1")], [row("2")]];
    let works: Vec<Work<'_>> = ["create table a (i int);", "create table b (i int);", slow]
        .into_iter()
        .zip(&changes)
        .map(|(text, changes)| Work { changes, ..script(text) })
        .collect();
    let (told, mut heard) = tokio::sync::mpsc::unbounded_channel();
    {
        let mut tell = |took| told.send(took).expect("somebody listens");
        let sent = session.transact_each(&works, &mut tell);
        let first = async { tokio::time::timeout(Duration::from_secs(60), heard.recv()).await };
        tokio::select! {
            _ = sent => panic!("it takes hours"),
            first = first => assert!(first.expect("it is told").is_some()),
        }
    }
    // Whoever waited has left: the slow one is ended, and what was done before it stays.
    session.rollback().await.expect("it works");
    assert_eq!(objects(&mut *session).await, ["table a", "table b"]);
    assert_eq!(versions(&mut *session).await, ["0", "1"]);
}

#[tokio::test]
async fn company_keeps_the_file_and_gives_it_back_with_the_lock() {
    let place = Place::created().await;
    let mut session = fresh(&place, true).await;
    let key = LockKey { ledger: ledger(), lane: Lane::Automatic };
    assert!(session.try_lock(&key).await.expect("it works"));
    assert_eq!(send(&mut *session, &["create table a (i int);", "create table b (i int);"]).await, 2);
    session.unlock(&key).await.expect("it is held");
    assert_eq!(objects(&mut *place.session().await).await.len(), 2);
    session.make_durable().await.expect("it works");
    session.close().await;
    assert_eq!(place.names(), ["a.db"]);
}
