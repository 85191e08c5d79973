//! The native dump of what hangs on relations and on the database: views, rules, triggers, policies, publications,
//! foreign servers, comments, owners, privileges.

use std::collections::BTreeSet;

use super::super::structure::{Feature, Snapshot};
use super::*;
use crate::driver::{DbErrorClass, DumpRequest, Via};

/// One of each, with each property.
pub(super) const KINDS: &str = include_str!("attached.sql");
/// Owners and privileges of everything that has them.
pub(super) const RIGHTS: &str = include_str!("rights.sql");
/// What users hang on extensions and their members.
pub(super) const EXTENDED: &str = include_str!("extended.sql");

/// The roles that [`RIGHTS`] speaks of.
const ROLES: [&str; 4] = ["dbsetup_own", "dbsetup_ann", "dbsetup_bob", "\"dbsetup Zoe\""];

/// The parts of a text that a release knows.
fn of_release(text: &str, release: u32) -> String {
    let mut sections = text.split("\n-- since ");
    let mut known = sections.next().unwrap_or_default().to_owned();
    for section in sections {
        let (since, statements) = section.split_once('\n').expect("a section has lines");
        if since.parse::<u32>().expect("a release") <= release {
            known.push('\n');
            known.push_str(statements);
        }
    }
    known
}

pub(super) fn native() -> DumpRequest {
    DumpRequest { via: Some(Via::Native), ..DumpRequest::default() }
}

fn with_rights(owners: bool, privileges: bool) -> DumpRequest {
    DumpRequest { owners, privileges, ..native() }
}

/// Lines in an order of their own: grants come in the order in which they were made.
fn sorted(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.lines().collect();
    lines.sort_unstable();
    lines
}

/// A database with statements run in it.
async fn made(name: &str, statements: &str) -> Option<(Scratch, Session)> {
    let scratch = Scratch::new(name).await?;
    let mut session = scratch.session().await;
    let statements = of_release(statements, session.version / 10_000);
    session.transact(script(&statements)).await.expect("the statements are right");
    Some((scratch, session))
}

/// Dumps a database, loads the dump into another one and proves that they are the same, also as pg_dump sees them.
/// Returns the dump.
pub(super) async fn round(name: &str, session: &mut Session, request: &DumpRequest) -> String {
    let to = Scratch::new(&format!("{name} to")).await.expect("there is a server");
    let dump = session.dump(request).await.expect("everything can be written").text;
    let mut loader = to.session().await;
    loader.begin(true).await.expect("right");
    if let Err(error) = loader.execute(&dump).await {
        let at = error.offset.and_then(|offset| dump.get(offset..)).unwrap_or_default();
        panic!("{:?} at {}", error.error, at.lines().take(3).collect::<Vec<_>>().join("\n"));
    }
    loader.commit(&[]).await.expect("right");
    let mut restored = to.session().await;
    assert_eq!(restored.dump(request).await.expect("right").text, dump);
    let theirs = DumpRequest { via: Some(Via::PgDump), ..request.clone() };
    match session.dump(&theirs).await {
        Ok(original) => {
            let copy = restored.dump(&theirs).await.expect("right").text;
            assert_eq!(sorted(&copy), sorted(&original.text));
        }
        // It refuses servers that are newer than itself.
        Err(error) => eprintln!("not compared: {error:?}"),
    }
    to.done().await;
    dump
}

/// Makes the roles that [`RIGHTS`] speaks of.
pub(super) async fn make_roles(session: &mut Session) {
    for role in ROLES {
        let plain = role.trim_matches('"');
        let create = format!(
            "do $$ begin if not exists (select from pg_roles where rolname = '{plain}') then \
             create role {role}; end if; end $$"
        );
        session.transact(script(&create)).await.expect("right");
    }
}

/// Whether the server offers what [`EXTENDED`] takes.
pub(super) async fn has_extensions(session: &mut Session) -> bool {
    let known = "select count(*) from pg_available_extensions \
                 where name in ('hstore', 'pg_trgm', 'postgres_fdw', 'pg_stat_statements')";
    value(session, known).await == "4"
}

fn assert_order(dump: &str, texts: &[&str]) {
    let at = |text: &str| dump.find(text).unwrap_or_else(|| panic!("{text} is missing in {dump}"));
    for pair in texts.windows(2) {
        assert!(at(pair[0]) < at(pair[1]), "{} comes after {} in {dump}", pair[0], pair[1]);
    }
}

#[tokio::test]
async fn what_hangs_on_relations_comes_back_as_it_was() {
    let Some((scratch, mut session)) = made("attached", KINDS).await else { return };
    let dump = round("attached", &mut session, &native()).await;
    // What stands in, what needs it, the view, a rule on it.
    assert_order(
        &dump,
        &[
            "CREATE VIEW app.loop AS\n SELECT\n    NULL::integer AS id,\n    NULL::text COLLATE pg_catalog.\"C\" AS name",
            "CREATE FUNCTION app.of_loop(",
            "CREATE OR REPLACE VIEW app.loop AS",
            "CREATE RULE quiet AS",
        ],
    );
    // From the parent to the child, each after what it got from the other.
    assert_order(
        &dump,
        &[
            "ALTER TABLE app.parted DISABLE TRIGGER off_parts;",
            "CREATE TRIGGER on_parts AFTER INSERT ON app.parted ",
            "ALTER TABLE app.parted_1 ENABLE REPLICA TRIGGER on_parts;",
            "ALTER TABLE app.parted_1_a ENABLE ALWAYS TRIGGER on_parts;",
        ],
    );
    // Triggers of users are on again.
    assert_order(&dump, &["ALTER TABLE ONLY app.child DISABLE TRIGGER ALL;", "CREATE TRIGGER beside BEFORE"]);
    // They would fire on what comes behind them.
    let last = dump
        .rfind(
            "
CREATE ",
        )
        .expect("there are statements");
    assert!(
        dump[last..].starts_with(
            "
CREATE EVENT TRIGGER off "
        ),
        "{dump}"
    );
    scratch.done().await;
}

#[tokio::test]
async fn owners_and_privileges_come_back_as_they_were_and_only_when_they_are_wanted() {
    let Some(scratch) = Scratch::new("rights").await else { return };
    let mut session = scratch.session().await;
    make_roles(&mut session).await;
    let statements = of_release(RIGHTS, session.version / 10_000);
    session.transact(script(&statements)).await.expect("the statements are right");

    let dump = round("rights", &mut session, &with_rights(true, true)).await;
    // Who grants on does so after it was granted.
    assert_order(
        &dump,
        &[
            "ALTER TABLE app.things OWNER TO dbsetup_own;",
            "GRANT SELECT, INSERT, UPDATE ON TABLE app.things TO dbsetup_ann WITH GRANT OPTION;",
            "SET ROLE dbsetup_ann;\nGRANT SELECT ON TABLE app.things TO dbsetup_bob WITH GRANT OPTION;\nRESET ROLE;",
            "SET ROLE dbsetup_bob;\nGRANT SELECT ON TABLE app.things TO \"dbsetup Zoe\";\nRESET ROLE;",
            "GRANT UPDATE (name) ON TABLE app.things TO \"dbsetup Zoe\";",
        ],
    );
    assert_order(
        &dump,
        &[
            "GRANT ALL ON FUNCTION pg_catalog.pg_reload_conf() TO dbsetup_bob;",
            "ALTER DEFAULT PRIVILEGES FOR ROLE",
        ],
    );

    // Whoever loads the file is the owner then.
    let privileges = session.dump(&with_rights(false, true)).await.expect("right").text;
    assert!(!privileges.contains("OWNER TO"), "{privileges}");
    assert!(privileges.contains("REVOKE ALL ON TABLE app.emptied FROM CURRENT_USER;"), "{privileges}");
    let owners = round("owners", &mut session, &with_rights(true, false)).await;
    assert!(!owners.contains("GRANT ") && !owners.contains("REVOKE "), "{owners}");
    let plain = round("no rights", &mut session, &native()).await;
    assert!(!plain.contains("dbsetup_"), "{plain}");
    scratch.done().await;
}

#[tokio::test]
async fn what_hangs_on_extensions_comes_back_as_it_was() {
    let Some(scratch) = Scratch::new("extended").await else { return };
    let mut session = scratch.session().await;
    if !has_extensions(&mut session).await {
        eprintln!("skipped: the server does not offer the extensions");
        return scratch.done().await;
    }
    session.transact(script(EXTENDED)).await.expect("the statements are right");
    let dump = round("extended", &mut session, &with_rights(true, true)).await;
    for present in [
        "ALTER INDEX public.things_pkey DEPENDS ON EXTENSION pg_trgm;",
        "ALTER FUNCTION public.t() DEPENDS ON EXTENSION hstore;\nALTER FUNCTION public.t() DEPENDS ON EXTENSION pg_trgm;",
        "REVOKE ALL ON FUNCTION ext.similarity(pg_catalog.text,pg_catalog.text) FROM PUBLIC;",
        "GRANT SELECT (query) ON TABLE ext.pg_stat_statements TO pg_read_all_stats;",
    ] {
        assert!(dump.contains(present), "{present} is missing in {dump}");
    }
    // They go with the extension.
    let without =
        DumpRequest { exclude_extensions: vec!["pg_stat_statements".into()], ..with_rights(true, true) };
    let dump = session.dump(&without).await.expect("nothing else needs it").text;
    assert!(!dump.contains("pg_stat_statements"), "{dump}");
    scratch.done().await;
}

#[tokio::test]
async fn passwords_are_left_out_and_that_is_said() {
    let statements = "create foreign data wrapper wrapper; create server far foreign data wrapper wrapper;
        create user mapping for public server far options (password 'secret');
        create user mapping for current_user server far options (password 'secret');
        create subscription theirs connection 'host=nowhere password=secret' publication p with (connect = false);
        comment on subscription theirs is 'theirs'";
    let Some((scratch, mut session)) = made("passwords", statements).await else { return };
    let dump = session.dump(&native()).await.expect("right");
    assert!(dump.text.contains("CREATE SERVER far") && !dump.text.contains("secret"), "{}", dump.text);
    let user = value(&mut session, "select quote_ident(current_user)").await;
    assert_eq!(
        dump.notes,
        [
            "SUBSCRIPTION theirs is left out: its connection may have a password".to_owned(),
            "USER MAPPING FOR PUBLIC SERVER far is left out: its options may be passwords".to_owned(),
            format!("USER MAPPING FOR {user} SERVER far is left out: its options may be passwords"),
        ]
    );
    let drop = "alter subscription theirs disable; alter subscription theirs set (slot_name = none)";
    session.transact(script(drop)).await.expect("right");
    session.look("drop subscription theirs".into()).await.expect("right");
    scratch.done().await;
}

#[tokio::test]
async fn a_table_where_some_checks_of_constraints_are_off_is_refused() {
    let statements =
        "create table parent (id int primary key); create table child (id int references parent);
        alter table parent disable trigger all; create table other (id int references parent)";
    let Some((scratch, mut session)) = made("half off", statements).await else { return };
    let error = session.dump(&native()).await.expect_err("one key of the table is checked, the other is not");
    assert_eq!(error.class, DbErrorClass::Unsupported);
    let said = format!("{error:?}");
    assert!(said.contains("TABLE public.parent") && said.contains("ENABLE TRIGGER ALL"), "{said}");
    scratch.done().await;
}

#[tokio::test]
async fn security_labels_are_written() {
    // Without a provider no statement can set one.
    let statements = "create table t (a int); create type p as (b int); set allow_system_table_mods = on;
        insert into pg_seclabel values ('t'::regclass, 'pg_class'::regclass, 0, 'mine', 'it''s'),
        ('t'::regclass, 'pg_class'::regclass, 1, 'Other', 'b'), ('t'::regclass, 'pg_class'::regclass, 1, 'Another', 'a'),
        ('t'::regtype, 'pg_type'::regclass, 0, 'mine', 'row'), ('p'::regclass, 'pg_class'::regclass, 1, 'mine', 'c')";
    let Some((scratch, mut session)) = made("labels", statements).await else { return };
    let dump = session.dump(&native()).await.expect("right").text;
    assert_order(
        &dump,
        &[
            "SECURITY LABEL FOR mine ON COLUMN public.p.b IS 'c';",
            "SECURITY LABEL FOR mine ON TABLE public.t IS 'it''s';",
            "SECURITY LABEL FOR \"Another\" ON COLUMN public.t.a IS 'a';",
            "SECURITY LABEL FOR \"Other\" ON COLUMN public.t.a IS 'b';",
            "SECURITY LABEL FOR mine ON TYPE public.t IS 'row';",
        ],
    );
    scratch.done().await;
}

#[tokio::test]
async fn the_order_of_creation_does_not_matter() {
    let first = "create schema app; create table app.a (id int primary key, x int); create table app.b (id int primary key);
        create function app.f() returns trigger language plpgsql as $$ begin return new; end $$;
        create function app.e() returns event_trigger language plpgsql as $$ begin end $$;
        create foreign data wrapper w; create publication p;";
    let objects = [
        "create view app.v as select 1 as a",
        "create view app.u as select 2 as a",
        "create rule r as on insert to app.a do also nothing",
        "create rule r as on insert to app.b do also nothing",
        "create trigger t before insert on app.a for each row execute function app.f()",
        "create trigger t before insert on app.b for each row execute function app.f()",
        "create policy p on app.a",
        "create policy p on app.b",
        "create statistics app.s on id, x from app.a",
        "create statistics app.r on id, x from app.a",
        "alter publication p add table app.b",
        "alter publication p add table app.a",
        "create server z foreign data wrapper w",
        "create server a foreign data wrapper w",
        "grant select on app.a to pg_monitor",
        "grant select on app.a to public",
        "grant update (x) on app.a to pg_monitor",
        "grant update (id) on app.a to pg_monitor",
        "comment on column app.a.x is 'x'",
        "comment on column app.a.id is 'id'",
    ];
    let last = [
        "create event trigger b on sql_drop execute function app.e()",
        "create event trigger a on sql_drop execute function app.e()",
    ];
    let mut dumps = Vec::new();
    for backwards in [false, true] {
        let mut rest: Vec<&str> = objects.iter().chain(&last).copied().collect();
        if backwards {
            rest = objects.iter().rev().chain(last.iter().rev()).copied().collect();
        }
        let statements = format!("{first}{}", rest.join(";"));
        let Some((scratch, mut session)) = made(&format!("order {backwards}"), &statements).await else {
            return;
        };
        dumps.push(session.dump(&with_rights(true, true)).await.expect("right").text);
        scratch.done().await;
    }
    assert_eq!(dumps[0], dumps[1]);
}

#[tokio::test]
async fn what_hangs_on_an_excluded_table_goes_with_it() {
    let statements = "create table kept (id int); create table gone (id int, x int); create statistics s on id, x from gone; comment on table gone is 'x';
        create function f() returns trigger language plpgsql as $$ begin return new; end $$;
        create trigger t before insert on gone for each row execute function f();
        create rule r as on insert to gone do also nothing; create policy p on gone;
        create publication news for table kept, gone; grant select on gone to public";
    let Some((scratch, mut session)) = made("excluded", statements).await else { return };
    let request = DumpRequest { exclude_tables: vec!["gone".into()], ..with_rights(true, true) };
    let dump = session.dump(&request).await.expect("nothing that stays needs it").text;
    assert!(!dump.contains("gone"), "{dump}");
    assert!(dump.contains("ALTER PUBLICATION news ADD TABLE ONLY public.kept;"), "{dump}");
    session.transact(script("create view v as select * from gone")).await.expect("right");
    let error = session.dump(&request).await.expect_err("the view needs the table");
    let said = format!("{error:?}");
    assert!(said.contains("VIEW public.v") && said.contains("TABLE public.gone"), "{said}");
    scratch.done().await;
}

/// PostgreSQL's own test databases have none of some of these.
#[tokio::test]
async fn nothing_that_hangs_on_anything_can_be_forgotten() {
    let Some(base) = base() else { return };
    let request = features::everything();
    let name = format!("dbsetup_test_forgotten_{}", std::process::id());
    let (mut missed, mut forgotten) = (BTreeSet::new(), BTreeSet::new());
    for (made_of, statements) in [("attached", KINDS), ("rights", RIGHTS), ("extended", EXTENDED)] {
        let Some(scratch) = Scratch::new(&format!("forgotten {made_of}")).await else { return };
        let mut session = scratch.session().await;
        make_roles(&mut session).await;
        if made_of == "extended" && !has_extensions(&mut session).await {
            eprintln!("skipped: the server does not offer the extensions");
            scratch.done().await;
            continue;
        }
        let statements = of_release(statements, session.version / 10_000);
        session.transact(script(&statements)).await.expect("the statements are right");
        let snapshot = Snapshot::read(&mut session, &request).await.expect("it can be read");
        let (whole, present) = snapshot.write(&mut session, None).await.expect("the whole is written");
        let original = session.fingerprint(&request).await.expect("the catalogs can be read");
        for feature in present {
            if missed.contains(&feature) {
                continue;
            }
            let Ok((structure, _)) = snapshot.write(&mut session, Some(feature)).await else {
                missed.insert(feature);
                continue;
            };
            let is_missed = structure.text != whole.text
                && match features::restored(&base, &name, &structure.text).await {
                    Err(_) => true,
                    Ok(copy) => !features::found(&original, &copy).is_empty(),
                };
            if is_missed {
                missed.insert(feature)
            } else {
                forgotten.insert(feature)
            };
        }
        scratch.done().await;
    }
    // What is as usual in one of them is not in another; types have tests of their own.
    forgotten.retain(|feature| !missed.contains(feature) && *feature != Feature::RangeMultirange);
    eprintln!("{} features tried", missed.len() + forgotten.len());
    assert!(forgotten.is_empty(), "{forgotten:#?}");
}
