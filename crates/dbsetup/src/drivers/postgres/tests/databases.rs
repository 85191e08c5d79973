//! Creating, dropping and finding databases.

use super::super::census;
use super::*;
use crate::driver::DbErrorClass;

#[tokio::test]
async fn two_creations_at_once_make_one_database() {
    let Some(base) = base() else { return };
    let server = server(&base, &format!("dbsetup_test_race_{}", std::process::id()));
    server.drop(Sessions::End).await.expect("right");
    let options = CreateOptions::default();
    let (one, two, three) =
        tokio::join!(server.create(&options), server.create(&options), server.create(&options));
    let made = [&one, &two, &three].into_iter().filter(|made| **made == Ok(Created::Now)).count();
    let there = [&one, &two, &three].into_iter().filter(|made| **made == Ok(Created::Already)).count();
    assert_eq!((made, there), (1, 2), "{one:?} {two:?} {three:?}");
    assert_eq!(server.exists().await, Ok(true));
    assert_eq!(server.drop(Sessions::Keep).await, Ok(Dropped::Now { sessions: 0 }));
    assert_eq!(server.drop(Sessions::Keep).await, Ok(Dropped::Already));
    assert_eq!(server.exists().await, Ok(false));
    assert_eq!(server.ping().await, Ok(()));
}

#[tokio::test]
async fn a_name_with_quotes_and_blanks_works_everywhere() {
    let Some(scratch) = Scratch::new("we\"i'r d;--\\ä").await else { return };
    let mut session = scratch.prepared().await;
    assert_eq!(session.about().database, scratch.name);
    assert_eq!(value(&mut session, "select current_database()").await, scratch.name);
    assert_eq!(session.try_lock(&lock(Lane::Automatic)).await, Ok(true));
    scratch.done().await;
}

#[tokio::test]
async fn sessions_keep_a_database_unless_they_are_ended() {
    let Some(scratch) = Scratch::new("kept").await else { return };
    let _session = scratch.session().await;
    let error = scratch.server.drop(Sessions::Keep).await.expect_err("a session is on it");
    assert!(error.message.starts_with("1 other session is connected to "), "{}", error.message);
    assert!(error.message.contains("dbsetup test"), "{}", error.message);
    assert!(error.notes.iter().any(|note| note.contains("--force-drop")));
    assert_eq!(scratch.server.drop(Sessions::End).await, Ok(Dropped::Now { sessions: 1 }));
}

#[tokio::test]
async fn a_database_is_made_with_its_encoding_and_collation() {
    let Some(base) = base() else { return };
    let server = server(&base, &format!("dbsetup_test_encoding_{}", std::process::id()));
    server.drop(Sessions::End).await.expect("right");
    let options = CreateOptions {
        encoding: Some("SQL_ASCII".into()),
        collation: Some("C".into()),
        ..CreateOptions::default()
    };
    assert_eq!(server.create(&options).await, Ok(Created::Now));
    let mut session = Session::connect(&server.place, &super::options()).await.expect("right");
    let made = "select concat_ws(' ', pg_encoding_to_char(encoding), datcollate, datctype) from pg_database \
         where datname = current_database()";
    assert_eq!(value(&mut session, made).await, "SQL_ASCII C C");
    server.drop(Sessions::End).await.expect("right");
}

#[tokio::test]
async fn who_may_not_create_needs_no_right_when_it_is_there() {
    let Some(scratch) = Scratch::new("rights").await else { return };
    let role = format!("dbsetup_test_poor_{}", std::process::id());
    let mut session = scratch.session().await;
    let setup = format!("create role {role} login password 'pw'");
    session.transact(script(&setup)).await.expect("right");
    let (_, host) = scratch.base.rsplit_once('@').expect("the URL names a user");
    let base = format!("postgres://{role}:pw@{host}");
    let poor = server(&base, &scratch.name);
    assert_eq!(poor.create(&CreateOptions::default()).await, Ok(Created::Already));
    let missing = server(&base, &format!("{}_not", scratch.name));
    let error = missing.create(&CreateOptions::default()).await.expect_err("it may not");
    assert_eq!(error.class, DbErrorClass::Permission);
    let wrong = server(&base.replace(":pw@", ":wrong@"), &scratch.name);
    assert_eq!(wrong.ping().await.expect_err("wrong").class, DbErrorClass::Permission);
    let Err(error) = wrong.connect(&options()).await else { panic!("the password is wrong") };
    assert!(!format!("{error:?}").contains("wrong"), "{error:?}");
    session.transact(script(&format!("drop role {role}"))).await.expect("right");
    scratch.done().await;
}

#[tokio::test]
async fn nobody_at_the_other_end_is_unreachable() {
    let url = DatabaseUrl::new("postgres://app:s3cret@127.0.0.1:1/core");
    let server = PostgresServer::new(&url, None).expect("right");
    let error = server.ping().await.expect_err("nobody listens");
    assert_eq!(error.class, DbErrorClass::Unreachable);
    assert!(!format!("{error:?}").contains("s3cret"));
}

#[tokio::test]
async fn foundations_are_never_dropped() {
    for name in ["postgres", "template1"] {
        let error = server("postgres://127.0.0.1:1", name).drop(Sessions::End).await.expect_err("never");
        assert!(error.message.contains("never dropped"));
    }
}

#[tokio::test]
async fn ledgers_are_found_in_every_schema_the_path_first() {
    let Some(scratch) = Scratch::new("found").await else { return };
    let mut session = scratch.prepared().await;
    let other = LedgerTable { schema: Some("another".into()), ..ledger() };
    session.prepare(&other, Present { ledger: true, ..Present::default() }).await.expect("with its schema");
    session.prepare(&ledger(), ALL).await.expect("again is nothing");
    let found = session.find_tables(&["schema_migrations".into(), "nope".into()]).await.expect("right");
    let names: Vec<_> = found.iter().map(|table| (table.schema.as_deref(), table.on_path)).collect();
    assert_eq!(names, [(Some("public"), true), (Some("another"), false)]);
    assert_eq!(LedgerKind::of_columns(&found[0].columns), Some(LedgerKind::Dbsetup));
    assert_eq!(session.lock_capacity().await.map(|locks| locks > Some(1000)), Ok(true));

    session.drop_empty_ledger(&ledger()).await.expect("it is empty");
    session.prepare(&ledger(), ALL).await.expect("right");
    session.transact(Work { changes: &[insert("1")], ..script("") }).await.expect("right");
    let error = session.drop_empty_ledger(&ledger()).await.expect_err("it is not empty");
    assert_eq!(error.class, DbErrorClass::LedgerConflict);
    scratch.done().await;
}

#[tokio::test]
async fn every_kind_of_object_is_counted_and_removed() {
    let Some(scratch) = Scratch::new("census").await else { return };
    let mut session = scratch.prepared().await;
    let own = LedgerTable { schema: Some("own".into()), ..ledger() };
    session.prepare(&own, ALL).await.expect("right");
    session
        .transact(script("create schema _sqlx_test; create table _sqlx_test.databases (id serial)"))
        .await
        .expect("right");
    session.drop_empty_ledger(&ledger()).await.expect("right");
    session
        .transact(script("drop table dbsetup_meta, dbsetup_progress; create extension if not exists plpgsql"))
        .await
        .expect("right");
    assert_eq!(session.user_objects(&own, 100).await, Ok(vec![]));
    let objects = "create table t (id serial primary key, n text not null); create index on t (n);
        create view v as select * from t; create materialized view m as select * from t; create sequence s;
        create type e as enum ('a'); create type c as (a int); create domain d as int; create type r as range (subtype = float8);
        create function f(int) returns int language sql as 'select $1'; create procedure p() language sql as '';
        create aggregate agg(int) (sfunc = int4pl, stype = int); create schema other;
        create collation col from \"C\"; create cast (c as text) with inout; create operator === (leftarg = int, rightarg = int, function = int4eq);
        create foreign data wrapper w; create server srv foreign data wrapper w; create publication pub;
        create text search configuration ts (copy = simple); create statistics st on id, n from t;
        create function et() returns event_trigger language plpgsql as 'begin end'; create event trigger evt on ddl_command_end execute function et();
        select lo_create(0); create table part (a int) partition by list (a); create table part1 partition of part for values in (1)";
    session.transact(script(objects)).await.expect("right");
    let found = session.user_objects(&own, 100).await.expect("right");
    let expected = [
        "aggregate public.agg(integer)",
        "cast (public.c AS pg_catalog.text)",
        "collation public.col",
        "type public.c",
        "event trigger evt",
        "foreign-data wrapper w",
        "function public.et()",
        "function public.f(integer)",
        "materialized view public.m",
        "operator public.===(integer,integer)",
        "procedure public.p()",
        "publication pub",
        "schema other",
        "sequence public.s",
        "server srv",
        "table public.part",
        "table public.t",
        "text search configuration public.ts",
        "type public.d",
        "type public.e",
        "type public.r",
        "view public.v",
    ];
    for object in expected {
        assert!(found.iter().any(|found| found == object), "{object} is missing in {found:#?}");
    }
    assert!(found.iter().any(|object| object.starts_with("large object ")));
    assert_eq!(found.len(), expected.len() + 1, "{found:#?}");
    assert_eq!(session.user_objects(&own, 3).await.map(|found| found.len()), Ok(3));
    session.begin(false).await.expect("right");
    session.empty().await.expect("everything can be removed");
    session.commit(&[]).await.expect("right");
    let nothing = LedgerTable { schema: Some("nowhere".into()), ..ledger() };
    assert_eq!(session.user_objects(&nothing, 100).await, Ok(vec![]));
    scratch.done().await;
}

#[tokio::test]
async fn the_catalogs_that_are_known_are_those_of_the_server() {
    let Some(scratch) = Scratch::new("catalogs").await else { return };
    let mut session = scratch.session().await;
    let known = census::catalogs_of(session.version).expect("the release is known; else add it to `KNOWN`");
    let rows = session.look(census::with_oid()).await.expect("right");
    let found: Vec<String> = rows.iter().map(|row| row[0].clone().expect("a name")).collect();
    assert_eq!(known, found);
    session.goodbye().await;
    scratch.done().await;
}
