//! What a session is told about itself.

use super::*;
use crate::driver::BrokenIndex;

#[tokio::test]
async fn a_superuser_may_everything_and_a_plain_role_is_told_what_to_ask_for() {
    let Some(scratch) = Scratch::new("vitals").await else { return };
    let mut session = scratch.session().await;
    let vitals = session.vitals().await.expect("they can be read");
    assert_eq!((vitals.may_create_objects, vitals.may_create_databases), (Some(true), Some(true)));
    assert!(vitals.encrypted.is_some(), "{vitals:?}");
    let role = format!("dbsetup_test_vitals_{}", std::process::id());
    session.send(format!("drop role if exists {role}; create role {role}")).await.expect("right");
    session
        .send("create schema app; revoke create on schema public from public".into())
        .await
        .expect("right");
    let plain = SessionOptions { role: Some(role.clone()), ..options() };
    let mut as_role = scratch.session_with(&plain).await;
    let vitals = as_role.vitals().await.expect("they can be read");
    assert_eq!((vitals.role.as_deref(), vitals.may_create_objects), (Some(&*role), Some(false)));
    let grant = vitals.grant.expect("there is one");
    assert_eq!(grant, format!("GRANT USAGE, CREATE ON SCHEMA public TO {role}"));
    session.send(grant).await.expect("it can be pasted");
    let vitals = as_role.vitals().await.expect("they can be read");
    assert_eq!(vitals.may_create_objects, Some(true));
    Box::new(as_role).close().await;
    session.send(format!("drop owned by {role}; drop role {role}")).await.expect("right");
    Box::new(session).close().await;
    scratch.done().await;
}

#[tokio::test]
async fn an_index_that_was_left_invalid_comes_with_what_mends_it() {
    let Some(scratch) = Scratch::new("invalid").await else { return };
    let mut session = scratch.session().await;
    session
        .send("create table \"T\" (n int); insert into \"T\" values (1), (1)".into())
        .await
        .expect("right");
    session.send("create unique index concurrently \"I\" on \"T\" (n)".into()).await.expect_err("twins");
    session
        .send("create table p (n int) partition by range (n); create index pi on only p (n)".into())
        .await
        .expect("right");
    session.send("create table p1 partition of p for values from (1) to (2)".into()).await.expect("right");
    let broken = session.vitals().await.expect("they can be read").broken_indexes;
    let remedy = "REINDEX INDEX CONCURRENTLY public.\"I\"".to_owned();
    assert_eq!(broken, [BrokenIndex { name: "public.\"I\"".into(), remedy: remedy.clone() }]);
    session.send("delete from \"T\"".into()).await.expect("right");
    session.send(remedy).await.expect("it can be pasted");
    assert_eq!(session.vitals().await.expect("they can be read").broken_indexes, []);
    Box::new(session).close().await;
    scratch.done().await;
}
