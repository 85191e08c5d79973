//! The native dump of types, functions, operators and their kin.

use std::collections::HashSet;

use super::*;
use crate::driver::{DbErrorClass, Via};

/// One of each, with each property.
pub(super) const KINDS: &str = include_str!("types.sql");

/// A language of its own: what a loader of files asks about before it runs them.
const IN_C: &str = "
    create function app.handler() returns language_handler language c as '$libdir/plpgsql', 'plpgsql_call_handler';
    create language own_handler handler app.handler";

fn kinds(release: u32) -> String {
    known(KINDS, release)
}

/// The parts of some statements that a release knows: `-- since 15` begins one for newer releases.
pub(super) fn known(statements: &str, release: u32) -> String {
    let mut sections = statements.split("\n-- since ");
    let mut text = sections.next().unwrap_or_default().to_owned();
    for section in sections {
        let (since, statements) = section.split_once('\n').expect("a section has lines");
        if since.parse::<u32>().expect("a release") <= release {
            text.push_str(statements);
        }
    }
    text
}

pub(super) fn native() -> DumpRequest {
    DumpRequest { via: Some(Via::Native), ..DumpRequest::default() }
}

fn by_pg_dump() -> DumpRequest {
    DumpRequest { via: Some(Via::PgDump), ..DumpRequest::default() }
}

/// The statements that one text of pg_dump has and another one has not. Their order follows identifiers where objects
/// need each other.
fn only_in<'a>(one: &'a str, other: &str) -> Vec<&'a str> {
    let known: HashSet<&str> = other.split("\n\n").map(str::trim).collect();
    one.split("\n\n").map(str::trim).filter(|statement| !known.contains(statement)).collect()
}

/// Runs statements in a database, dumps it, loads the dump into another one and proves that they are the same, also
/// as pg_dump sees them. Returns the dump.
pub(super) async fn round(name: &str, statements: impl FnOnce(u32) -> String) -> Option<String> {
    round_trip(name, statements, Proof::PgDump).await
}

/// How far a dump and what is loaded from it are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proof {
    /// Both dumps are the same: the server moves columns, which no dump can prevent.
    Text,
    /// The catalogs are the same as well: pg_dump keeps an order that means nothing.
    Catalogs,
    /// pg_dump says the same of both, too.
    PgDump,
}

/// The same, but no further than `proof`.
pub(super) async fn round_trip(
    name: &str,
    statements: impl FnOnce(u32) -> String,
    proof: Proof,
) -> Option<String> {
    let from = Scratch::new(&format!("{name} from")).await?;
    let to = Scratch::new(&format!("{name} to")).await?;
    let mut session = from.session().await;
    let statements = statements(session.version / 10_000);
    session.transact(script(&statements)).await.expect("the statements are right");
    let dump = session.dump(&native()).await.expect("everything can be written").text;

    let mut loader = to.session().await;
    loader.begin(true).await.expect("right");
    if let Err(error) = loader.execute(&dump).await {
        let at = error.offset.and_then(|offset| dump.get(offset..)).unwrap_or_default();
        panic!("{:?} at {}", error.error, at.lines().take(3).collect::<Vec<_>>().join("\n"));
    }
    loader.commit(&[]).await.expect("right");
    let mut restored = to.session().await;
    assert_eq!(restored.dump(&native()).await.expect("right").text, dump);
    if proof >= Proof::Catalogs {
        let copy = restored.fingerprint(&native()).await.expect("the catalogs can be read");
        let original = session.fingerprint(&native()).await.expect("the catalogs can be read");
        let different: Vec<String> = crate::structure::differences(&original, &copy)
            .into_iter()
            .map(|difference| format!("{difference:?}"))
            .collect();
        assert!(different.is_empty(), "{}", different.join("\n"));
    }
    if proof >= Proof::PgDump {
        match session.dump(&by_pg_dump()).await {
            Ok(theirs) => {
                let restored = restored.dump(&by_pg_dump()).await.expect("right");
                assert_eq!(only_in(&theirs.text, &restored.text), [""; 0], "pg_dump misses them afterwards");
                assert_eq!(
                    only_in(&restored.text, &theirs.text),
                    [""; 0],
                    "pg_dump has them only afterwards"
                );
            }
            // It refuses servers that are newer than itself.
            Err(error) => eprintln!("not compared: {error:?}"),
        }
    }
    from.done().await;
    to.done().await;
    Some(dump)
}

#[tokio::test]
async fn types_functions_operators_and_their_kin_come_back_as_they_were() {
    let Some(dump) = round("types", |release| kinds(release) + IN_C).await else { return };
    let before = |first: &str, then: &str| {
        let at = |text: &str| dump.find(text).unwrap_or_else(|| panic!("{text} is missing in {dump}"));
        assert!(at(first) < at(then), "{first} comes after {then} in {dump}");
    };
    // A shell, what needs it, the type.
    before("CREATE TYPE app.base;", "CREATE FUNCTION app.base_in(");
    before("CREATE FUNCTION app.base_out(", "CREATE TYPE app.base (");
    before("CREATE FUNCTION app.canonical(", "CREATE TYPE app.canon AS RANGE (");
    // A check and a default that need what needs the domain.
    before("CREATE FUNCTION app.is_loopy(", "ALTER DOMAIN app.loopy ADD CONSTRAINT loop CHECK");
    before("CREATE FUNCTION app.new_loopd(", "ALTER DOMAIN app.loopd SET DEFAULT");
    if dump.contains("FUNCTION app.even(") {
        before("CREATE FUNCTION app.even(", "CREATE FUNCTION app.odd(");
        before("CREATE FUNCTION app.odd(", "CREATE OR REPLACE FUNCTION app.even(");
    }
    // An order without identifiers: by name.
    before("CREATE DOMAIN app.name", "CREATE DOMAIN app.over");
    before("'first'", "'between'");
}

#[tokio::test]
async fn a_dump_does_not_depend_on_the_order_of_creation() {
    let objects = [
        "create type app.a as (x int)",
        "create type app.b as enum ('x')",
        "create function app.f(int) returns int language sql as 'select 1'",
        "create function app.f(text) returns int language sql as 'select 1'",
        "create aggregate app.f(float8) (sfunc = float8pl, stype = float8)",
        "create operator app.<|> (function = int4pl, leftarg = int, rightarg = int)",
        "create operator app.<|> (function = int8pl, leftarg = bigint, rightarg = bigint)",
        "create operator family app.o using btree",
        "create operator family app.o using hash",
        "create cast (app.a as int) with inout",
        "create cast (app.a as bigint) with inout",
        "create text search template app.t (lexize = dsimple_lexize)",
        "create text search dictionary app.t (template = simple)",
    ];
    let mut forwards: Vec<&str> = vec!["create schema app"];
    let mut backwards = forwards.clone();
    forwards.extend(objects);
    // The type comes before the casts that need it.
    backwards.push(objects[0]);
    backwards.extend(objects[1..].iter().rev());
    let Some(one) = round("forwards", |_| forwards.join(";")).await else { return };
    let Some(other) = round("backwards", |_| backwards.join(";")).await else { return };
    assert_eq!(one, other);
}

#[tokio::test]
async fn what_was_added_to_an_extension_is_written_and_the_extension_is_not() {
    let Some(scratch) = Scratch::new("extension probe").await else { return };
    let mut session = scratch.session().await;
    let known = "select count(*) from pg_available_extensions where name in ('citext', 'pg_trgm', 'earthdistance', 'cube')";
    let count = value(&mut session, known).await;
    scratch.done().await;
    if count != "4" {
        eprintln!("skipped: the server does not offer the extensions");
        return;
    }
    let statements = "create extension citext; create extension cube; create extension earthdistance;
        create extension pg_trgm;
        create function compare(citext, integer) returns integer language sql immutable as 'select 0';
        alter operator family citext_ops using btree add function 1 (citext, integer) compare(citext, integer);
        create operator class own for type text using gin family gin_trgm_ops as storage integer;
        create type range_of_citext as range (subtype = citext);
        create domain mail as citext check (value ~ '@');
        create aggregate total(cube) (sfunc = cube_union, stype = cube)";
    let Some(dump) = round("extensions", |_| statements.to_owned()).await else { return };
    for present in [
        "ALTER OPERATOR FAMILY public.citext_ops USING btree ADD FUNCTION 1 (public.citext, integer) public.compare(public.citext,integer);",
        "CREATE OPERATOR CLASS public.own\n    FOR TYPE text USING gin FAMILY public.gin_trgm_ops AS\n    STORAGE integer;",
        "CREATE AGGREGATE public.total(public.cube) (",
    ] {
        assert!(dump.contains(present), "{present} is missing in {dump}");
    }
    for absent in ["DOMAIN public.earth", "CREATE TYPE public.citext", "citext_cmp", "CREATE OPERATOR FAMILY"]
    {
        assert!(!dump.contains(absent), "{absent} in {dump}");
    }
}

#[tokio::test]
async fn a_collation_of_icu_comes_back_as_it_was() {
    let Some(scratch) = Scratch::new("icu probe").await else { return };
    let mut session = scratch.session().await;
    let has_icu =
        value(&mut session, "select count(*) > 0 from pg_collation where collname like '%-x-icu'").await;
    scratch.done().await;
    if has_icu != "t" {
        eprintln!("skipped: the server is built without ICU");
        return;
    }
    let statements = |release| {
        let rules = if release >= 16 { ", rules = '& V << w <<< W'" } else { "" };
        format!(
            "create collation names (provider = icu, locale = 'de-u-co-phonebk', deterministic = false);
             create collation ruled (provider = icu, locale = 'en-US'{rules});
             create type person as (name text collate names);
             create domain surname as text collate ruled;
             create type names_between as range (subtype = text, collation = names)"
        )
    };
    let Some(dump) = round("icu", statements).await else { return };
    assert!(dump.contains("CREATE COLLATION public.names (\n    provider = icu,\n    locale = 'de-u-co-phonebk',\n    deterministic = false\n);"), "{dump}");
    assert!(dump.contains("name text COLLATE public.names"), "{dump}");
    assert!(dump.contains("COLLATION = public.names"), "{dump}");
}

#[tokio::test]
async fn a_loop_that_nothing_breaks_is_named() {
    let Some(scratch) = Scratch::new("loop").await else { return };
    let mut session = scratch.session().await;
    if session.version < 140_000 {
        eprintln!("skipped: functions of this server have no parsed bodies");
        return scratch.done().await;
    }
    // What would stand in for either one needs the type, which may need what needs it.
    let statements = "create type color as enum ('red');
        create function one(x color) returns int language sql as 'select 1';
        create function two(x color) returns int language sql return one(x);
        create or replace function one(x color) returns int language sql return two(x)";
    session.transact(script(statements)).await.expect("right");
    let error = session.dump(&native()).await.expect_err("each needs the other first");
    assert_eq!(error.class, DbErrorClass::Unsupported);
    let said = format!("{error:?}");
    assert!(
        said.contains("FUNCTION public.one(x public.color), FUNCTION public.two(x public.color)"),
        "{said}"
    );
    scratch.done().await;
}

#[tokio::test]
async fn what_needs_a_schema_that_is_left_out_goes_with_it_or_is_named() {
    let Some(scratch) = Scratch::new("left out").await else { return };
    let mut session = scratch.session().await;
    let statements = "create schema app; create schema other; create type other.color as enum ('red');
        create function other.same(other.color, integer) returns boolean language sql as 'select true';
        create operator other.~~~ (function = other.same, leftarg = other.color, rightarg = integer);
        create operator family app.mixed using btree;
        alter operator family app.mixed using btree add operator 1 other.~~~ (other.color, integer);
        alter operator family app.mixed using btree add operator 2 <= (int4, int8);
        alter operator family integer_ops using btree add operator 3 other.~~~ (other.color, integer);
        create cast (other.color as date) with inout";
    session.transact(script(statements)).await.expect("right");
    let request = DumpRequest { exclude_schemas: vec!["other".into()], ..native() };
    let dump = session.dump(&request).await.expect("the rest can be written").text;
    let family = "CREATE OPERATOR FAMILY app.mixed USING btree;\n\
        ALTER OPERATOR FAMILY app.mixed USING btree ADD OPERATOR 2 <=(integer,bigint);";
    assert!(dump.contains(family), "{dump}");
    assert!(!dump.contains("other") && !dump.contains("integer_ops"), "{dump}");

    session
        .transact(script("create function app.f(other.color) returns int language sql as 'select 1'"))
        .await
        .expect("right");
    let said = format!("{:?}", session.dump(&request).await.expect_err("its argument is left out"));
    assert!(
        said.contains("FUNCTION app.f(other.color): it needs TYPE other.color, which is left out"),
        "{said}"
    );
    scratch.done().await;
}
