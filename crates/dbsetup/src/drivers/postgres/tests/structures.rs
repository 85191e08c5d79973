//! Dumps: by the server's own program, and natively.

use super::*;
use crate::driver::{DbErrorClass, Via};

#[tokio::test]
async fn a_dump_loads_into_the_same_structure_again() {
    for via in [Via::Native, Via::PgDump] {
        loads_again(via).await;
    }
}

async fn loads_again(via: Via) {
    let (Some(from), Some(to)) = (Scratch::new("dump from").await, Scratch::new("dump to").await) else {
        return;
    };
    let mut session = from.prepared().await;
    let objects = "create schema app; create table app.users (id bigserial primary key, name text not null default 'a;b');
        create view v as select name from app.users; create function f() returns text language sql as $$ select 'x' -- y

            $$; create index on app.users (name); comment on table app.users is 'it''s -- nice';
        create schema _sqlx_test; create table _sqlx_test.databases (id int); create table app.left_out (id int)";
    session.transact(script(objects)).await.expect("right");
    let request = DumpRequest {
        via: Some(via),
        ledger: Some(ledger()),
        exclude_tables: vec!["app.left_out".into()],
        ..DumpRequest::default()
    };
    let dump = session.dump(&request).await.expect("it can be written").text;
    for absent in [
        "dbsetup_meta",
        "dbsetup_progress",
        "_sqlx_test",
        "left_out",
        "\nSET ",
        "set_config",
        "\\restrict",
        "pg_attver",
        "-- Name",
    ] {
        assert!(!dump.contains(absent), "{absent} in {dump}");
    }
    assert!(dump.contains("CREATE TABLE public.schema_migrations ("), "{dump}");
    assert!(dump.starts_with("CREATE ") && dump.ends_with(";\n"), "{dump}");
    assert!(!dump.contains("\n\n\n"), "{dump}");

    let mut other = to.session().await;
    other.begin(true).await.expect("right");
    other.execute(&dump).await.expect("it loads");
    other.commit(&[]).await.expect("right");
    assert_eq!(other.dump(&request).await.expect("right").text, dump);

    from.done().await;
    to.done().await;
}

#[tokio::test]
async fn a_filter_that_means_nothing_is_named() {
    let Some(scratch) = Scratch::new("idle").await else { return };
    let mut session = scratch.session().await;
    session
        .transact(script("create schema app; create type app.mood as enum ('fine')"))
        .await
        .expect("right");
    let request = DumpRequest {
        via: Some(Via::Native),
        exclude_schemas: vec!["auth".into(), "tmp_*".into()],
        exclude_tables: vec!["app.users".into()],
        exclude_extensions: vec!["postgis".into()],
        ..DumpRequest::default()
    };
    let structure = session.dump(&request).await.expect("right");
    assert!(structure.text.contains("app.mood"), "{structure:?}");
    assert_eq!(
        structure.notes,
        [
            "there is no schema `auth` to leave out",
            "there is no table `app.users` to leave out",
            "there is no extension `postgis` to leave out"
        ]
    );
    let request = DumpRequest { schemas: vec!["app".into(), "ap".into()], ..request };
    let error = session.dump(&request).await.expect_err("a slip of the pen");
    assert_eq!(
        (error.class, &*error.message),
        (DbErrorClass::Configuration, "there is no schema `ap` to write")
    );
    scratch.done().await;
}
