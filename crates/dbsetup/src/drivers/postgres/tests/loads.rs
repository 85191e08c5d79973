//! Transactions of several messages.

use super::*;
use crate::driver::DbErrorClass;

#[tokio::test]
async fn a_load_copies_and_commits_with_its_rows() {
    let Some(scratch) = Scratch::new("load").await else { return };
    let mut session = scratch.prepared().await;
    session.begin(true).await.expect("right");
    session.execute("create function f() returns int language sql as 'select id from later'; create table later (id int, n text)").await.expect("bodies are not checked");
    session.copy_begin("copy later from stdin").await.expect("right");
    session.copy_data(b"1\ta\n2\tb\n").await.expect("right");
    for n in 0..20_000 {
        session.copy_data(format!("{n}\tsome text\n").as_bytes()).await.expect("right");
    }
    assert_eq!(session.copy_end().await, Ok(20_002));
    session.execute("select set_config('search_path', '', false)").await.expect("right");
    session.commit(&[insert("1")]).await.expect("right");
    assert_eq!(value(&mut session, "select count(*) from later").await, "20002");
    assert_eq!(versions(&mut session).await, ["1"]);
    scratch.done().await;
}

#[tokio::test]
async fn a_failing_batch_or_copy_leaves_a_session_that_goes_on() {
    let Some(scratch) = Scratch::new("batch").await else { return };
    let mut session = scratch.prepared().await;
    session.begin(true).await.expect("right");
    let text = "create table a (id int);\nselect 1;\ncreate tabel b (id int)";
    let error = session.execute(text).await.expect_err("a typing error");
    assert_eq!((error.statement, error.offset), (None, text.find("tabel")));
    session.rollback().await.expect("right");
    session.begin(true).await.expect("right");
    let error = session
        .execute("create table a (id int primary key); insert into a values (1), (1); select 1")
        .await
        .expect_err("twins");
    assert_eq!((error.statement, error.offset), (Some(1), None));
    session.rollback().await.expect("right");

    session.begin(false).await.expect("right");
    session.execute("create table a (id int)").await.expect("right");
    session.copy_begin("copy a from stdin").await.expect("right");
    session.copy_data(b"1\nx\n").await.expect("it is only sent");
    let error = session.copy_end().await.expect_err("not a number");
    assert!(
        error.error.notes.iter().any(|note| note.starts_with("where: COPY a, line 2")),
        "{:?}",
        error.error.notes
    );
    session.rollback().await.expect("right");
    session.copy_begin("copy nope from stdin").await.expect_err("no such table");
    session.copy_begin("select 1").await.expect_err("it is no copy");
    session.rollback().await.expect("right");
    scratch.done().await;
}

#[tokio::test]
async fn a_copy_that_is_given_up_keeps_the_session() {
    let Some(scratch) = Scratch::new("abort").await else { return };
    let mut session = scratch.prepared().await;
    session.transact(script("create table a (id int)")).await.expect("right");
    session.begin(false).await.expect("right");
    session.copy_begin("copy a from stdin").await.expect("right");
    session.copy_data(b"1\n").await.expect("right");
    session.rollback().await.expect("right");
    assert_eq!(value(&mut session, "select count(*) from a").await, "0");
    scratch.done().await;
}

#[tokio::test]
async fn a_load_whose_text_commits_records_nothing() {
    let Some(scratch) = Scratch::new("closed").await else { return };
    let mut session = scratch.prepared().await;
    session.begin(true).await.expect("right");
    let error = session.execute("create table a (); commit").await.expect_err("it is noticed at once");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::TransactionClosed, false));
    let error = session.commit(&[insert("1")]).await.expect_err("it is closed");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::TransactionClosed, false));
    assert!(versions(&mut session).await.is_empty());
    scratch.done().await;
}
