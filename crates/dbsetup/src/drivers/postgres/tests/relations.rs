//! The native dump of tables, their columns, constraints and indexes, of sequences and partitions.

use super::types::{Proof, known, native, round, round_trip};
use super::*;
use crate::driver::{DbErrorClass, DumpRequest};

/// Each kind of relation, with each property.
pub(super) const RELATIONS: &str = include_str!("relations.sql");

/// A database without the schema that every new one has.
pub(super) const ELSEWHERE: &str = "drop schema public; create schema app; create extension hstore schema app; create table app.t (id int, tags app.hstore)";

/// Partitions, however they came to be ones.
const PARTITIONS: &str = include_str!("partitions.sql");

#[tokio::test]
async fn tables_and_sequences_come_back_as_they_were() {
    let Some(dump) = round("relations", |release| known(RELATIONS, release)).await else { return };
    for present in [
        "CREATE SEQUENCE app.parent_id_seq AS integer;\nCREATE TABLE app.parent (\n    id integer DEFAULT nextval('app.parent_id_seq'::regclass) NOT NULL,\n",
        // The name and the type of an identity column's sequence are what the server chooses.
        "    b smallint GENERATED ALWAYS AS IDENTITY NOT NULL,\n",
        "    c bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME app.identity_b_seq2) NOT NULL\n",
        "CREATE TABLE app.as_typed OF app.\"row\";\n",
        "    CONSTRAINT u UNIQUE (t) WITH (fillfactor=61) DEFERRABLE\n",
        "ALTER TABLE ONLY app.by_index REPLICA IDENTITY USING INDEX by;\n",
    ] {
        assert!(dump.contains(present), "{present} is missing in {dump}");
    }
}

#[tokio::test]
async fn partitions_come_back_with_the_names_of_their_keys_and_indexes() {
    let Some(dump) = round("partitions", |release| known(PARTITIONS, release)).await else { return };
    let before = |first: &str, then: &str| {
        let at = |text: &str| dump.find(text).unwrap_or_else(|| panic!("{text} is missing in {dump}"));
        assert!(at(first) < at(then), "{first} comes after {then} in {dump}");
    };
    before("CREATE TABLE app.m (", "CREATE TABLE app.m_2020 (");
    before("ATTACH PARTITION app.m_rest DEFAULT", "ATTACH PARTITION app.m_rest_a FOR");
    before("ATTACH PARTITION app.m_rest_a FOR", "ADD CONSTRAINT m_pkey");
    before("ADD CONSTRAINT first FOREIGN KEY", "ADD CONSTRAINT whole FOREIGN KEY");
}

#[tokio::test]
async fn a_dump_of_what_is_loaded_is_the_same_where_the_server_moves_columns_and_that_is_told() {
    let statements = "create table parent (a int, b int); create table child (z int, b int, y int, a int);
        alter table child inherit parent; alter table parent add c int;
        create table grandchild (x int, c int) inherits (child)";
    let Some(dump) = round_trip("columns", |_| statements.to_owned(), Proof::Text).await else { return };
    assert!(dump.contains("    a integer,\n    b integer,\n    z integer,\n    y integer\n"), "{dump}");

    let Some(scratch) = Scratch::new("moved columns").await else { return };
    let mut session = scratch.session().await;
    session.transact(script(statements)).await.expect("right");
    let notes = session.dump(&native()).await.expect("right").notes;
    let moved = |table: &str| {
        format!(
            "TABLE public.{table} gets its columns in another order: those of its parents come first when it is made anew"
        )
    };
    assert_eq!(notes, [moved("child"), moved("grandchild")]);
    scratch.done().await;
}

#[tokio::test]
async fn a_table_that_joined_its_parents_later_keeps_the_order_of_its_columns() {
    let statements = "create table parent (a int default 1 not null, b text collate \"C\", constraint positive check (a > 0));
        create table other (o int);
        create table child (z int, b text collate \"C\", y int, a int default 2 not null, o int,
            constraint positive check (a > 0));
        alter table child inherit parent; alter table child inherit other;
        create table grandchild (x int) inherits (child); alter table only grandchild alter a drop default";
    let Some(dump) = round_trip("adopted", |_| statements.to_owned(), Proof::PgDump).await else { return };
    assert!(dump.contains("ALTER TABLE ONLY public.child INHERIT public.parent;\nALTER TABLE ONLY public.child INHERIT public.other;"), "{dump}");
}

#[tokio::test]
async fn a_foreign_key_keeps_the_one_of_several_keys_that_it_uses() {
    let statements = "create table a (x int, y int, constraint first unique (x, y));
        create table of_a (x int, y int, foreign key (x, y) references a (x, y)); alter table a add constraint a_key unique (x, y),
            add constraint b_key unique (y, x);
        create table b (x int); create unique index z on b (x); create table of_b (x int references b (x));
        create unique index y on b (x); alter table b add primary key (x);
        create table c (x int constraint z_key unique); create table of_c (x int references c (x)); create unique index c_i on c (x);
        create table p (x int, constraint p_z unique (x)) partition by list (x); create table of_p (x int references p (x));
        create unique index p_a on p (x); create table p_1 partition of p for values in (1)";
    round_trip("twins", |_| statements.to_owned(), Proof::Catalogs).await;
}

#[tokio::test]
async fn lists_of_rows_are_worded_as_they_are_after_a_load() {
    let statements = |release: u32| {
        let mut statements = "create view v (a, b) as values (1, '(VALUES'), (2, 'x'); create table t (a int);
            create materialized view m (z) as values (1); create view plain as values (1);
            create rule r as on insert to t do also delete from t where a in (select q.a from v q, (values (1)) w)"
            .to_owned();
        if release >= 14 {
            statements.push_str(
                "; create function f() returns int begin atomic select x.a from (values (1)) x (a); end",
            );
        }
        statements
    };
    round_trip("values", statements, Proof::Text).await;
}

#[tokio::test]
async fn a_database_without_public_comes_back_without_it() {
    let Some(dump) = round_trip("elsewhere", |_| ELSEWHERE.to_owned(), Proof::PgDump).await else { return };
    assert!(dump.starts_with("DROP SCHEMA IF EXISTS public;\n"), "{dump}");
    let Some(scratch) = Scratch::new("elsewhere without").await else { return };
    let mut session = scratch.session().await;
    session.transact(script("drop schema public; create schema app")).await.expect("right");
    for request in [
        DumpRequest { schemas: vec!["app".into()], ..native() },
        DumpRequest { exclude_schemas: vec!["public".into()], ..native() },
    ] {
        let dump = session.dump(&request).await.expect("right").text;
        assert!(!dump.contains("public"), "{dump}");
    }
    scratch.done().await;
}

#[tokio::test]
async fn tables_do_not_depend_on_the_order_of_creation() {
    let objects = [
        "create table app.a (id int primary key, b int, constraint two check (b > 2), constraint one check (b > 1))",
        "create table app.\"B\" (id int generated always as identity primary key)",
        "create sequence app.s",
        "create table app.p (at date not null) partition by range (at)",
        "create table app.of (id int)",
    ];
    let more = [
        "create index one on app.a (b)",
        "create index other on app.a (b, id)",
        "alter table app.a add constraint zero check (b > 0)",
        "alter table app.of add foreign key (id) references app.a",
        "create table app.p_1 partition of app.p for values from ('2020-01-01') to ('2021-01-01')",
        "create table app.p_2 partition of app.p for values from ('2021-01-01') to ('2022-01-01')",
        "create index at on app.p (at)",
        "comment on table app.a is 'a'",
        "comment on column app.a.b is 'b'",
        "alter table app.a set (fillfactor = 70)",
        "alter table app.a set (autovacuum_enabled = false)",
        "create table app.c () inherits (app.of)",
    ];
    let forwards: Vec<&str> = ["create schema app"].iter().chain(&objects).chain(&more).copied().collect();
    let backwards: Vec<&str> =
        ["create schema app"].iter().chain(objects.iter().rev()).chain(more.iter().rev()).copied().collect();
    let Some(one) = round_trip("tables forwards", |_| forwards.join(";"), Proof::Catalogs).await else {
        return;
    };
    let Some(other) = round_trip("tables backwards", |_| backwards.join(";"), Proof::Catalogs).await else {
        return;
    };
    assert_eq!(one, other);
}

/// Proves that a dump names an object that it cannot write, and says why.
async fn refuses(name: &str, since: u32, statements: &str, noun: &str, why: &str) {
    let Some(scratch) = Scratch::new(name).await else { return };
    let mut session = scratch.session().await;
    if session.version < since * 10_000 {
        eprintln!("skipped: the server is older than {since}");
        return scratch.done().await;
    }
    session.transact(script(statements)).await.expect("the statements are right");
    let error = session.dump(&native()).await.expect_err("it cannot be written");
    assert_eq!(error.class, DbErrorClass::Unsupported);
    let said = format!("{error:?}");
    assert!(said.contains(noun) && said.contains(why), "{said}");
    scratch.done().await;
}

#[tokio::test]
async fn an_invalid_index_is_named_with_what_mends_it() {
    let statements = "create table t (a int); create index broken on t (a);
        update pg_index set indisvalid = false where indexrelid = 'broken'::regclass";
    refuses("invalid", 12, statements, "INDEX public.broken", "`REINDEX INDEX public.broken` or `DROP INDEX")
        .await;
    let statements = "create table t (a int); create unique index broken on t (a);
        alter table t add constraint broken unique using index broken;
        update pg_index set indisvalid = false where indexrelid = 'broken'::regclass";
    refuses("invalid key", 12, statements, "INDEX public.broken", "`REINDEX INDEX public.broken`").await;
}

#[tokio::test]
async fn a_partition_that_is_halfway_out_is_named_with_what_ends_it() {
    let statements =
        "create table p (a int) partition by list (a); create table p1 partition of p for values in (1);
        update pg_inherits set inhdetachpending = true where inhrelid = 'p1'::regclass";
    refuses("detaching", 14, statements, "public.p1", "DETACH PARTITION public.p1 FINALIZE").await;
}

#[tokio::test]
async fn a_child_whose_parents_do_not_agree_is_named() {
    let statements = "create table a (x int default 1, t text); create table b (x int default 1, t text);
        create table c () inherits (a, b); alter table only b alter x set default 2";
    refuses("parents", 12, statements, "TABLE public.c", "about the default of its column `x`").await;
    let statements = "create table a (x int, t text); create table b (x int, t text);
        create table c () inherits (a, b); alter table only b alter t set storage external";
    refuses("storages", 12, statements, "TABLE public.c", "about the storage of its column `t`").await;
}

#[tokio::test]
async fn what_hangs_on_an_extensions_table_is_the_extensions() {
    let Some(scratch) = Scratch::new("member").await else { return };
    let mut session = scratch.session().await;
    let statements =
        "create table member (id serial primary key, a int default 4 check (a > 0), u text unique,
            i int generated always as identity);
        create index on member (a); create table parted (id int primary key) partition by range (id);
        create table parted_1 partition of parted for values from (1) to (2); create table kept (id int);
        alter extension plpgsql add table member; alter extension plpgsql add sequence member_id_seq;
        alter extension plpgsql add table parted; alter extension plpgsql add table parted_1";
    session.transact(script(statements)).await.expect("right");
    let dump = session.dump(&native()).await.expect("everything has its place").text;
    assert!(
        dump.contains("CREATE TABLE public.kept (") && !dump.contains("member") && !dump.contains("parted"),
        "{dump}"
    );
    scratch.done().await;
}
