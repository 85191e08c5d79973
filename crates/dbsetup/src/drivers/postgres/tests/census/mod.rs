//! The census of a native dump.

mod releases;

use super::structure::census::{
    Address, Asked, Census, Disposition, Known, LAST, SystemChange, Table, enumerate,
};
use super::*;
use crate::driver::{DbErrorClass, Via};

const EVERYTHING: Asked = Asked { owners: true, privileges: true };

async fn census_with(session: &mut Session, table: Table, asked: Asked) -> Census {
    let rows = session.look(enumerate()).await.expect("the query is right");
    Census::with(table, session.version / 10_000, &rows, asked)
}

async fn census(session: &mut Session) -> Census {
    census_with(session, Table::built_in(), EVERYTHING).await
}

/// Takes the census with somebody who answers for every object and for no change.
async fn whole(session: &mut Session, census: &Census) -> Result<Vec<String>, DbError> {
    let answers = session.looks(census.queries()).await.expect("the queries are right");
    census.close(session, &answers, &|_| Some(Disposition::Written), &|_| false).await
}

/// The lines of an error but for its advice.
fn lines(error: &DbError) -> Vec<&str> {
    assert_eq!(error.class, DbErrorClass::Unsupported, "{error:?}");
    let notes = error.notes.iter().map(String::as_str).filter(|note| !note.starts_with("help: "));
    let notes: Vec<&str> = notes.collect();
    if notes.is_empty() { vec![&error.message] } else { notes }
}

/// The table of columns without some lines, or with others in their place.
fn table(edit: impl Fn(&str, &str) -> Option<String>) -> Table {
    let mut catalog = String::new();
    let mut text = String::new();
    for line in structure::census::BUILT_IN.lines() {
        if !line.starts_with([' ', '#']) {
            catalog = line.split(' ').next().unwrap_or_default().to_owned();
        }
        if let Some(line) = edit(&catalog, line) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    Table::parse(&text).expect("what is left can be read")
}

fn without(catalog: &str, column: &str) -> Table {
    table(|at, line| {
        let is_it = at == catalog && line.split_whitespace().next() == Some(column);
        (!is_it).then(|| line.to_owned())
    })
}

#[tokio::test]
async fn a_column_that_is_not_known_stops_as_soon_as_it_says_something() {
    let Some(scratch) = Scratch::new("census columns").await else { return };
    let mut session = scratch.session().await;
    session.transact(script("create table quiet (id int)")).await.expect("right");
    let unknown = without("pg_class", "relrowsecurity");
    let row_security = census_with(&mut session, unknown, EVERYTHING).await;
    let note =
        "this release does not know the column `pg_class.relrowsecurity`; no object that is written uses it";
    assert_eq!(whole(&mut session, &row_security).await, Ok(vec![note.to_owned()]));
    session.transact(script("alter table quiet enable row level security")).await.expect("right");
    let error = whole(&mut session, &row_security).await.expect_err("it is used");
    let uses =
        "`table public.quiet` uses the column `pg_class.relrowsecurity`, which this release does not know";
    assert_eq!(lines(&error), [uses]);

    // Built-in rows agree on a value that is not the type's own, and a user's differs.
    session.transact(script("create table counted (id int)")).await.expect("right");
    let unknown = without("pg_attribute", "attidentity");
    let identity = census_with(&mut session, unknown, EVERYTHING).await;
    assert_eq!(whole(&mut session, &identity).await.map(|notes| notes.len()), Ok(1));
    session.transact(script("alter table counted alter id set not null")).await.expect("right");
    session
        .transact(script("alter table counted alter id add generated always as identity"))
        .await
        .expect("right");
    let error = whole(&mut session, &identity).await.expect_err("it is used");
    assert_eq!(lines(&error).len(), 1, "{error:?}");
    assert!(error.message.contains("`table public.counted` uses the column `pg_attribute.attidentity`"));

    // What an extension brings, and what was left out, may use what it likes.
    let answers = session.looks(identity.queries()).await.expect("right");
    let member = identity.close(&mut session, &answers, &|_| Some(Disposition::Member), &|_| true).await;
    assert_eq!(member.map(|notes| notes.len()), Ok(1));

    // A catalog without identifiers, and one with.
    session.transact(script("create table child () inherits (quiet)")).await.expect("right");
    let inherits = table(|catalog, line| (catalog != "pg_inherits").then(|| line.to_owned()));
    let inherits = census_with(&mut session, inherits, EVERYTHING).await;
    let error = whole(&mut session, &inherits).await.expect_err("it is used");
    assert!(error.message.contains("`table public.child` uses the catalog `pg_inherits`"), "{error:?}");
    session.transact(script("create policy p on quiet using (true)")).await.expect("right");
    let policies = table(|catalog, line| (catalog != "pg_policy").then(|| line.to_owned()));
    let policies = census_with(&mut session, policies, EVERYTHING).await;
    let answers = session.looks(policies.queries()).await.expect("right");
    let disposition = |object: Address| (object.class != 3256).then_some(Disposition::Written);
    let error =
        policies.close(&mut session, &answers, &disposition, &|_| true).await.expect_err("it is left");
    assert!(error.message.contains("of pg_policy` cannot be written"), "{error:?}");
    scratch.done().await;
}

#[tokio::test]
async fn a_letter_or_an_option_that_is_not_known_stops_and_names_who_has_it() {
    let Some(scratch) = Scratch::new("census letters").await else { return };
    let mut session = scratch.session().await;
    let objects = "create table t (id int); create view v as select 1; \
        create function f(out a int, variadic b int[]) language sql as $$ select 1 $$";
    session.transact(script(objects)).await.expect("right");
    let fewer = table(|_, line| match line.split_whitespace().collect::<Vec<_>>()[..] {
        ["relkind", "emitted", "letters", known] => {
            Some(format!("  relkind emitted letters {}", known.replace('v', "")))
        }
        ["proargmodes", "emitted", "letters", known] => {
            Some(format!("  proargmodes emitted letters {}", known.replace('o', "")))
        }
        _ => Some(line.to_owned()),
    });
    let letters = census_with(&mut session, fewer, EVERYTHING).await;
    let error = whole(&mut session, &letters).await.expect_err("a letter is not known");
    assert_eq!(
        lines(&error),
        [
            "`function public.f(integer[])` uses the letter `o` in `pg_proc.proargmodes`, which this release does not know",
            "`view public.v` uses the letter `v` in `pg_class.relkind`, which this release does not know",
        ]
    );

    // Only a superuser can put there what the server did not.
    let put = "update pg_catalog.pg_attribute set attoptions = '{pg_attver=5,n_distinct=2}' \
        where attrelid = 't'::regclass and attname = 'id'";
    session.transact(script(put)).await.expect("right");
    let all = census(&mut session).await;
    assert_eq!(whole(&mut session, &all).await, Ok(vec![]));
    let put = "update pg_catalog.pg_attribute set attoptions = '{pg_attnew=5}' \
        where attrelid = 't'::regclass and attname = 'id'; \
        update pg_catalog.pg_class set reloptions = '{fillfactor=5}' where oid = 'v'::regclass";
    session.transact(script(put)).await.expect("right");
    let error = whole(&mut session, &all).await.expect_err("two options are not known");
    assert_eq!(
        lines(&error),
        [
            "`view public.v` uses the storage option `fillfactor`, which this release does not know",
            "`table public.t` uses the column option `pg_attnew`, which this release does not know",
        ]
    );
    scratch.done().await;
}

#[tokio::test]
async fn what_was_changed_on_objects_of_the_server_is_seen() {
    let Some(scratch) = Scratch::new("census system").await else { return };
    let mut session = scratch.session().await;
    // What restoring an old file does, and what leaves everything as it was.
    let nothing = "comment on schema public is 'standard public schema'; \
        comment on extension plpgsql is 'PL/pgSQL procedural language'; \
        grant execute on function pg_catalog.now() to pg_monitor; \
        revoke execute on function pg_catalog.now() from pg_monitor; \
        grant select on pg_catalog.pg_class to pg_monitor; revoke select on pg_catalog.pg_class from pg_monitor";
    session.transact(script(nothing)).await.expect("right");
    let census = census(&mut session).await;
    assert_eq!(whole(&mut session, &census).await, Ok(vec![]));

    let changes = "comment on function pg_catalog.now() is 'ours'; \
        comment on column pg_catalog.pg_class.relname is 'ours'; \
        comment on schema public is 'ours'; alter schema public owner to pg_monitor; \
        revoke execute on function pg_catalog.now() from public; \
        grant select (relname) on pg_catalog.pg_class to pg_monitor; revoke usage on language plpgsql from public";
    session.transact(script(changes)).await.expect("right");
    let error = whole(&mut session, &census).await.expect_err("things were changed");
    let changed = |name: &str, what: &str| format!("a change of the {what} of `{name}` cannot be written");
    let expected = [
        changed("function pg_catalog.now()", "privileges"),
        changed("function pg_catalog.now()", "comment"),
        changed("table column pg_catalog.pg_class.relname", "privileges"),
        changed("table column pg_catalog.pg_class.relname", "comment"),
        changed("language plpgsql", "privileges"),
        changed("schema public", "owner"),
        changed("schema public", "privileges"),
        changed("schema public", "comment"),
    ];
    assert_eq!(lines(&error), expected);

    // Whoever writes what concerns `public` answers for it; who does not write owners need not.
    let plain = census_with(&mut session, Table::built_in(), Asked::default()).await;
    let answers = session.looks(plain.queries()).await.expect("right");
    let writes = |change: &SystemChange| change.address.class == 2615;
    let error = plain.close(&mut session, &answers, &|_| Some(Disposition::Written), &writes).await;
    assert_eq!(lines(&error.expect_err("comments are left")), [&*expected[1], &*expected[3]]);
    scratch.done().await;
}

#[tokio::test]
async fn a_role_without_rights_counts_the_same_and_temporary_objects_do_not_count() {
    let Some(scratch) = Scratch::new("census roles").await else { return };
    let mut session = scratch.session().await;
    let objects = "create table t (id int primary key, note text); create foreign data wrapper w; \
        create server s foreign data wrapper w; create user mapping for public server s; \
        create subscription dbsetup_census connection 'dbname=nowhere' publication p with (connect = false, slot_name = none)";
    session.transact(script(objects)).await.expect("right");
    let answers = {
        let census = census(&mut session).await;
        session.looks(census.queries()).await.expect("right")
    };
    let temporary = "create temp table hidden (id int generated always as identity primary key check (id > 0), a text default 'x', b text);
        create temp view v as select 1; create rule r as on delete to hidden do nothing;
        alter table hidden enable row level security; create policy p on hidden using (true);
        create statistics pg_temp.s on a, b from hidden; create trigger g before update on hidden execute function suppress_redundant_updates_trigger();
        create type pg_temp.e as enum ('a'); create domain pg_temp.d as int check (value > 0)";
    session.begin(false).await.expect("right");
    session.execute(temporary).await.expect("right");
    let census_of_all = census(&mut session).await;
    let with_temporary = session.looks(census_of_all.queries()).await.expect("right");
    assert_eq!(with_temporary[0], answers[0]);
    // Nor do they stand for anything that is not known.
    let fewer = table(|_, line| {
        let is_it = line.starts_with("  relpersistence ") || line.starts_with("  attidentity ");
        let line = if is_it { line.split(" letters ").next() } else { Some(line) };
        Some(format!("{}{}", line.unwrap_or_default(), if is_it { " letters pu" } else { "" }))
    });
    let fewer = census_with(&mut session, fewer, EVERYTHING).await;
    assert_eq!(whole(&mut session, &fewer).await, Ok(vec![]));
    session.rollback().await.expect("right");

    let ordinary = SessionOptions { role: Some("pg_signal_backend".into()), ..options() };
    let mut ordinary = scratch.session_with(&ordinary).await;
    let census_of_role = census(&mut ordinary).await;
    let as_role = ordinary.looks(census_of_role.queries()).await.expect("an ordinary role may");
    // The letters of a subscription are closed to it before release 14.
    assert_eq!(as_role[0], answers[0]);
    assert_eq!(whole(&mut ordinary, &census_of_role).await, Ok(vec![]));
    session.transact(script("drop subscription dbsetup_census")).await.expect("right");
    scratch.done().await;
}

#[tokio::test]
async fn a_native_dump_stops_at_what_nobody_writes_and_not_at_what_every_database_has() {
    let Some(scratch) = Scratch::new("census native").await else { return };
    let mut session = scratch.session().await;
    let request = DumpRequest { via: Some(Via::Native), ledger: Some(ledger()), ..DumpRequest::default() };
    // Made anew, they have identifiers of users.
    let objects = "drop extension plpgsql; create extension plpgsql; drop schema public; create schema public; \
        comment on schema public is 'ours'; create schema app";
    session.transact(script(objects)).await.expect("right");
    session.look("create temp table hidden (id int primary key)".into()).await.expect("right");
    let dump = session.dump(&request).await.expect("everything is written");
    assert!(
        dump.text.contains("COMMENT ON SCHEMA public IS 'ours'") && !dump.text.contains("plpgsql"),
        "{}",
        dump.text
    );

    // What belongs to a member is the extension's: keys, row types, triggers, rules.
    let objects = "create table of_extension (id serial primary key, other int default 5 check (other > 0)); \
        create trigger t before update on of_extension execute function suppress_redundant_updates_trigger(); \
        create view view_of_extension as select 1 as a; create policy p on of_extension; \
        create statistics s on id, other from of_extension; create type kind_of_extension as enum ('a'); \
        alter extension plpgsql add table of_extension; alter extension plpgsql add view view_of_extension; \
        alter extension plpgsql add type kind_of_extension; \
        create operator family family_of_extension using btree; \
        alter operator family family_of_extension using btree add operator 1 < (int4, int4); \
        alter extension plpgsql add operator family family_of_extension using btree; \
        alter default privileges revoke execute on functions from public";
    session.transact(script(objects)).await.expect("right");
    assert_eq!(session.dump(&request).await.expect("everything is the extension's").text, dump.text);

    let objects = "create function pg_catalog.dbsetup_test() returns int language sql as 'select 1'";
    session.transact(script(objects)).await.expect("a superuser may");
    let error = session.dump(&request).await.expect_err("it is in nobody's schema");
    assert_eq!(lines(&error), ["`function pg_catalog.dbsetup_test()` cannot be written"]);
    session.transact(script("drop function pg_catalog.dbsetup_test()")).await.expect("right");

    // A view is named, and its rule and row type are not.
    session.transact(script("create view seen as select 1 as a")).await.expect("right");
    let census = census(&mut session).await;
    let answers = session.looks(census.queries()).await.expect("right");
    let nothing =
        census.close(&mut session, &answers, &|_| None, &|_| true).await.expect_err("nothing is written");
    let named: Vec<&str> = lines(&nothing).into_iter().filter(|line| line.contains("seen")).collect();
    assert_eq!(named, ["`view public.seen` cannot be written"]);

    let objects = "comment on function pg_catalog.now() is 'ours'";
    session.transact(script(objects)).await.expect("right");
    let error = session.dump(&request).await.expect_err("it is not written");
    assert_eq!(lines(&error), ["a change of the comment of `function pg_catalog.now()` cannot be written"]);
    scratch.done().await;
}
