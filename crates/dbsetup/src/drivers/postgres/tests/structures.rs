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

#[tokio::test]
async fn an_extension_goes_with_its_schema() {
    let Some(scratch) = Scratch::new("extension elsewhere").await else { return };
    let mut session = scratch.session().await;
    let statements = "create schema ext; create extension hstore schema ext; create extension citext; create schema app;
        create table app.t (a int); create function app.f() returns int language plpgsql as $$ begin return 1; end $$";
    session.transact(script(statements)).await.expect("right");
    let only = DumpRequest { via: Some(Via::Native), schemas: vec!["app".into()], ..DumpRequest::default() };
    let structure = session.dump(&only).await.expect("nothing needs them");
    assert!(!structure.text.contains("EXTENSION"), "{}", structure.text);
    let left_out = [
        "EXTENSION citext is left out with its schema `public`",
        "EXTENSION hstore is left out with its schema `ext`",
    ];
    assert_eq!(structure.notes, left_out);
    let request = DumpRequest { exclude_schemas: vec!["ext".into()], ..DumpRequest::default() };
    let text = session.dump(&request).await.expect("nothing needs it").text;
    assert!(text.contains("CREATE EXTENSION IF NOT EXISTS citext") && !text.contains("hstore"), "{text}");
    let same = session.fingerprint(&only).await.expect("right");
    session.transact(script("drop extension hstore")).await.expect("right");
    assert_eq!(session.fingerprint(&only).await.expect("right"), same);

    session
        .transact(script("create extension hstore schema ext; alter table app.t add h ext.hstore"))
        .await
        .expect("right");
    let error = session.dump(&only).await.expect_err("the column needs it");
    let why = "TABLE app.t: it needs the extension hstore in the schema `ext`, which is left out";
    assert!(error.notes.iter().any(|note| note == why), "{error:?}");
    scratch.done().await;
}

#[tokio::test]
async fn a_publication_that_filters_empty_is_named() {
    let Some(scratch) = Scratch::new("emptied").await else { return };
    let mut session = scratch.session().await;
    let statements = "create table a (i int); create table b (i int); create publication one for table a;
        create publication two for table a, b; create publication every for all tables; create publication none";
    session.transact(script(statements)).await.expect("right");
    let request =
        DumpRequest { via: Some(Via::Native), exclude_tables: vec!["a".into()], ..DumpRequest::default() };
    let notes = session.dump(&request).await.expect("right").notes;
    assert_eq!(notes, ["PUBLICATION one is written empty: all that it publishes is left out"]);
    scratch.done().await;
}

#[tokio::test]
async fn text_that_is_not_utf8_is_an_error_that_names_the_encoding() {
    let Some(base) = base() else { return };
    let server = server(&base, &format!("dbsetup_test_ascii_{}", std::process::id()));
    server.drop(Sessions::End).await.expect("an old one can be dropped");
    let options = CreateOptions {
        encoding: Some("SQL_ASCII".into()),
        collation: Some("C".into()),
        template: Some("template0".into()),
        ..CreateOptions::default()
    };
    server.create(&options).await.expect("it can be made");
    let mut session = Session::connect(&server.place, &super::options()).await.expect("the server answers");
    let request = DumpRequest { via: Some(Via::Native), ..DumpRequest::default() };
    session.transact(script("create table t (a int); comment on table t is 'grün'")).await.expect("right");
    assert!(session.dump(&request).await.expect("it is UTF-8").text.contains("'grün'"));
    // ä in LATIN1.
    let statement = "do $$ begin execute convert_from('\\x636f6d6d656e74206f6e207461626c652074206973202767e47527', \
                     'SQL_ASCII'); end $$";
    session.transact(script(statement)).await.expect("right");
    let error = session.dump(&request).await.expect_err("it is not");
    assert!(error.message.starts_with("the encoding of the database is SQL_ASCII, and "), "{error:?}");
    assert!(error.notes.iter().any(|note| note.contains("rename or write anew")), "{error:?}");
    session.goodbye().await;
    server.drop(Sessions::End).await.expect("right");
}

#[tokio::test]
async fn a_table_that_somebody_keeps_locked_is_named_with_the_holder() {
    let Some(scratch) = Scratch::new("kept locked").await else { return };
    let mut holder = scratch.session().await;
    holder.transact(script("create table held (a int); create index on held (a)")).await.expect("right");
    let pid = value(&mut holder, "select pg_backend_pid()").await;
    holder.begin(true).await.expect("right");
    holder.execute("lock held").await.expect("right");
    let impatient = SessionOptions { lock_timeout: Duration::from_millis(300), ..options() };
    let mut session = scratch.session_with(&impatient).await;
    let error = session.dump(&DumpRequest::default()).await.expect_err("it has to wait");
    assert_eq!(error.class, DbErrorClass::LockTimeout);
    let note = format!("the process {pid} (dbsetup test) holds the lock of `held`");
    assert!(error.notes.contains(&note), "{error:?}");
    holder.rollback().await.expect("right");
    session.dump(&DumpRequest::default()).await.expect("nobody holds it any more");
    scratch.done().await;
}
