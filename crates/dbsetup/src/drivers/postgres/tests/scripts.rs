//! Scripts and their ledger changes.

use super::*;
use crate::driver::DbErrorClass;

#[tokio::test]
async fn a_script_and_its_row_are_committed_together() {
    let Some(scratch) = Scratch::new("together").await else { return };
    let mut session = scratch.prepared().await;
    let work = Work {
        changes: &[insert("1")],
        ..script("create table a (id int); insert into a values (1) -- end")
    };
    session.transact(work).await.expect("the script is right");
    assert_eq!(versions(&mut session).await, ["1"]);
    assert_eq!(value(&mut session, "select id from a").await, "1");
    for empty in ["", "  \n-- nothing\n", ";;"] {
        session
            .transact(Work { changes: &[insert(&format!("v{empty}"))], ..script(empty) })
            .await
            .expect("empty");
    }
    assert_eq!(versions(&mut session).await.len(), 4);
    scratch.done().await;
}

#[tokio::test]
async fn a_failing_statement_is_named_and_pointed_at() {
    let Some(scratch) = Scratch::new("named").await else { return };
    let mut session = scratch.prepared().await;
    let text = "create table größe (id int);;\n-- ü\nselect 1;\nselect nope from größe;\nselect 2";
    let error =
        session.transact(Work { changes: &[insert("1")], ..script(text) }).await.expect_err("no such column");
    assert_eq!((error.statement, error.offset), (Some(2), text.find("nope")));
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::Statement, true));
    assert_eq!(error.error.code.as_deref(), Some("42703"));
    assert!(!error.error.message.contains("at line"), "{}", error.error.message);

    let text = "select 1;\nselct 2";
    let error = session.transact(script(text)).await.expect_err("a syntax error");
    assert_eq!((error.statement, error.offset), (None, text.find("selct")));

    let text = "select 1; select 1; select 1/0 from (values (0)) x";
    let error = session.transact(script(text)).await.expect_err("division by zero");
    assert_eq!((error.statement, error.offset), (Some(2), None));

    let text = "do $$ begin perform nope; end $$";
    let error = session.transact(script(text)).await.expect_err("an error in a body");
    assert_eq!((error.statement, error.offset), (Some(0), None));
    assert!(
        error.error.notes.iter().any(|note| note.starts_with("where: PL/pgSQL")),
        "{:?}",
        error.error.notes
    );

    let text = "create table d (id int unique deferrable initially deferred); insert into d values (1), (1)";
    let error = session.transact(script(text)).await.expect_err("a deferred failure");
    assert_eq!((error.statement, error.rolled_back), (None, true));
    assert_eq!(error.error.code.as_deref(), Some("23505"));
    assert_eq!(error.error.class, DbErrorClass::Statement);

    assert!(session.transact(script("select '\0'")).await.is_err());
    assert!(session.transact(script("copy größe from stdin")).await.is_err());
    assert!(versions(&mut session).await.is_empty());
    assert_eq!(value(&mut session, "select to_regclass('größe') is null").await, "t");
    scratch.done().await;
}

#[tokio::test]
async fn a_script_that_commits_is_told_from_one_that_does_not() {
    let Some(scratch) = Scratch::new("commits").await else { return };
    let mut session = scratch.prepared().await;
    let work = Work { changes: &[insert("1")], ..script("create table a (); commit;") };
    let error = session.transact(work).await.expect_err("it commits");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::TransactionClosed, false));
    let error =
        session.transact(script("create table b (); commit; select 1/0")).await.expect_err("it fails");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::Statement, false));
    assert_eq!(error.statement, Some(2));
    let error =
        session.transact(script("create table c (); rollback; select 1/0")).await.expect_err("it fails");
    assert!(error.rolled_back);
    assert!(versions(&mut session).await.is_empty());
    assert_eq!(
        value(
            &mut session,
            "select string_agg(relname, ' ' order by 1) from pg_class where relname in ('a', 'b', 'c')"
        )
        .await,
        "a b"
    );
    scratch.done().await;
}

#[tokio::test]
async fn what_a_script_sets_poisons_nothing_that_follows() {
    let Some(scratch) = Scratch::new("poison").await else { return };
    let role = format!("dbsetup_test_role_{}", std::process::id());
    let mut session = scratch.prepared().await;
    session.transact(script(&format!("create role {role}"))).await.expect("a role can be made");
    let text = format!(
        "select set_config('search_path', '', false); set role {role}; set lock_timeout = 7; \
         set standard_conforming_strings = off; set local timezone = 'Asia/Tokyo'"
    );
    for (version, text) in
        [("1", text.as_str()), ("2", "set session authorization postgres; set search_path = nope")]
    {
        session
            .transact(Work { changes: &[insert(version)], ..script(text) })
            .await
            .expect("the script is right");
        let settings = "select concat_ws(' ', current_setting('search_path'), current_user, current_setting('TimeZone'), \
             current_setting('lock_timeout'), current_setting('standard_conforming_strings'), \
             current_setting('client_connection_check_interval'))";
        assert_eq!(value(&mut session, settings).await, "\"$user\", public postgres UTC 3s on 1s");
    }
    session.transact(script("set search_path = nope; commit; select 1/0")).await.expect_err("it fails");
    assert_eq!(value(&mut session, "select current_setting('search_path')").await, "\"$user\", public");
    assert_eq!(versions(&mut session).await, ["1", "2"]);
    session.transact(script(&format!("drop role {role}"))).await.expect("the role can be dropped");
    scratch.done().await;
}

#[tokio::test]
async fn settings_and_role_hold_in_every_session() {
    let Some(scratch) = Scratch::new("settings").await else { return };
    let role = format!("dbsetup test\"role {}", std::process::id());
    let mut session = scratch.prepared().await;
    let quoted = text::name(&role);
    let setup = format!(
        "create role {quoted}; create schema \"a b\"; grant all on schema \"a b\", public to {quoted}; \
         alter role postgres in database {} set statement_timeout = '5s'; grant all on all tables in schema public to {quoted}",
        text::name(&scratch.name)
    );
    session.transact(script(&setup)).await.expect("the setup is right");
    let with = SessionOptions {
        role: Some(role.clone()),
        schemas: vec!["a b".into(), "public".into()],
        fresh: true,
        ..options()
    };
    let mut second = scratch.session_with(&with).await;
    second
        .transact(Work {
            changes: &[insert("1")],
            ..script("create table t (); reset role; set search_path = ''")
        })
        .await
        .expect("right");
    assert_eq!(second.about().schema.as_deref(), Some("a b"));
    assert_eq!(value(&mut second, "select tableowner from pg_tables where schemaname = 'a b'").await, role);
    let settings = "select concat_ws('|', current_user, current_setting('search_path'), \
        current_setting('synchronous_commit'), current_setting('statement_timeout'), current_setting('application_name'))";
    assert_eq!(value(&mut second, settings).await, format!("{role}|\"a b\", \"public\"|off|0|dbsetup test"));
    second.make_durable().await.expect("it can be made durable");
    second.transact(script("")).await.expect("empty");
    assert_eq!(value(&mut second, "select current_setting('synchronous_commit')").await, "on");
    let reader = SessionOptions { read_only: true, ..options() };
    let mut reader = scratch.session_with(&reader).await;
    let error = reader.transact(script("create table x ()")).await.expect_err("it may only look");
    assert_eq!(error.error.class, DbErrorClass::ReadOnly);
    drop(second);
    session.transact(script(&format!("drop owned by {quoted}; drop role {quoted}"))).await.expect("right");
    scratch.done().await;
}

#[tokio::test]
async fn a_guard_stops_work_that_somebody_else_has_done() {
    let Some(scratch) = Scratch::new("guard").await else { return };
    let mut session = scratch.prepared().await;
    let guard = Guard::NotApplied("1".into());
    let work = Work { changes: &[insert("1")], guard: Some(&guard), ..script("create table a ()") };
    session.transact(work).await.expect("nobody has done it");
    let error = session.transact(work).await.expect_err("it is done");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::LedgerConflict, true));
    let guard = Guard::Applied("2".into());
    let error =
        session.transact(Work { guard: Some(&guard), ..script("drop table a") }).await.expect_err("not done");
    assert_eq!(error.error.class, DbErrorClass::LedgerConflict);
    let error =
        session.transact(Work { changes: &[insert("1")], ..script("") }).await.expect_err("the key is taken");
    assert_eq!(error.error.class, DbErrorClass::LedgerConflict);
    // The same key beside the ledger, written by another lane in between, is written over.
    let set = |value: &str| Change::SetMeta { key: "k".into(), value: value.into() };
    session.transact(Work { changes: &[set("v")], ..script("") }).await.expect("right");
    session.transact(Work { changes: &[set("w")], ..script("") }).await.expect("it is there already");
    assert_eq!(value(&mut session, "select value from dbsetup_meta where key = 'k'").await, "w");
    assert_eq!(value(&mut session, "select to_regclass('a') is not null").await, "t");
    scratch.done().await;
}

#[tokio::test]
async fn in_a_database_of_this_run_the_key_of_the_ledger_stops_whoever_comes_second() {
    let Some(scratch) = Scratch::new("fresh_guard").await else { return };
    let mut first = scratch.prepared().await;
    let mut second = scratch.session_with(&SessionOptions { fresh: true, ..options() }).await;
    first.transact(Work { changes: &[insert("1")], ..script("create table a ()") }).await.expect("right");
    let guard = Guard::NotApplied("1".into());
    let work = Work { changes: &[insert("1")], guard: Some(&guard), ..script("create table b ()") };
    let error = second.transact(work).await.expect_err("it is done");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::LedgerConflict, true));
    assert_eq!(value(&mut first, "select to_regclass('b') is null").await, "t");
    let guard = Guard::Applied("2".into());
    let error = second.transact(Work { guard: Some(&guard), ..script("") }).await.expect_err("not done");
    assert_eq!(error.error.class, DbErrorClass::LedgerConflict);
    scratch.done().await;
}

#[tokio::test]
async fn a_table_lock_that_is_not_obtained_in_time_is_said_to_be_one() {
    let Some(scratch) = Scratch::new("timeout").await else { return };
    let mut first = scratch.prepared().await;
    first.transact(script("create table a ()")).await.expect("right");
    first.begin(false).await.expect("a transaction can begin");
    first.execute("lock table a").await.expect("the lock is free");
    let mut second =
        scratch.session_with(&SessionOptions { lock_timeout: Duration::from_millis(20), ..options() }).await;
    let error = second.transact(script("select 1; alter table a add b int")).await.expect_err("it is locked");
    assert_eq!((error.error.class, error.statement), (DbErrorClass::LockTimeout, Some(1)));
    first.rollback().await.expect("it can be rolled back");
    second.transact(script("alter table a add b int")).await.expect("it is free");
    scratch.done().await;
}

#[tokio::test]
async fn a_session_that_was_ended_is_lost_and_not_rolled_back_for_sure() {
    let Some(scratch) = Scratch::new("lost").await else { return };
    let mut session = scratch.prepared().await;
    let error = session
        .transact(script("select pg_terminate_backend(pg_backend_pid())"))
        .await
        .expect_err("it ends itself");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::ConnectionLost, false));
    let error = session.transact(script("select 1")).await.expect_err("it is closed");
    assert_eq!(error.error.class, DbErrorClass::ConnectionLost);
    scratch.done().await;
}
