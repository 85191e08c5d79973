//! What users hang on what an extension made, beside what its own script hangs there.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::driver::DumpRequest;

/// Makes a table with everything, and ends with an index, which nothing tells from one that comes right behind.
const SCRIPT: &str = "create table things (id int primary key, note text default 'own', n int, constraint own_check check (n > 0));
create function quiet() returns trigger language plpgsql as $$ begin return new; end $$;
create trigger own_trigger before insert on things for each row execute function quiet();
create policy own_policy on things;
create rule own_rule as on delete to things do also nothing;
create statistics own_statistics on id, n from things;
create index own_index on things (n);
do $$ begin create index own_in_block on things (note); exception when division_by_zero then null; end $$;
comment on table things is 'own';
create table rest (id int);
create index own_last on rest (id);
";

/// What users do with it.
const USERS: &str = "create index users_index on ext.things (note);
comment on index ext.users_index is 'mine';
create unique index users_unique on ext.things (n) where n > 1;
create trigger users_trigger before update on ext.things for each row execute function ext.quiet();
alter table ext.things disable trigger users_trigger;
create policy users_policy on ext.things for select using (n > 2);
create rule users_rule as on update to ext.things do also nothing;
alter table ext.things add constraint users_check check (id > 1);
alter table ext.things add constraint users_key unique (id, n);
alter table ext.rest add constraint users_foreign foreign key (id) references ext.things;
alter table ext.things alter column n set default 7;
create statistics ext.users_statistics on id, note from ext.things;
comment on extension dbsetup_test is 'my own words'";

const WRITTEN: [&str; 14] = [
    "COMMENT ON EXTENSION dbsetup_test IS 'my own words';",
    "ALTER TABLE ONLY ext.things ALTER COLUMN n SET DEFAULT 7;",
    "ALTER TABLE ext.things ADD CONSTRAINT users_check CHECK ((id > 1));",
    "ALTER TABLE ONLY ext.things ADD CONSTRAINT users_key UNIQUE (id, n);",
    "CREATE INDEX IF NOT EXISTS own_last ON ext.rest USING btree (id);",
    "CREATE INDEX IF NOT EXISTS users_index ON ext.things USING btree (note);",
    "COMMENT ON INDEX ext.users_index IS 'mine';",
    "CREATE UNIQUE INDEX IF NOT EXISTS users_unique ON ext.things USING btree (n) WHERE (n > 1);",
    "ALTER TABLE ONLY ext.rest ADD CONSTRAINT users_foreign FOREIGN KEY (id) REFERENCES ext.things(id);",
    "DROP TRIGGER IF EXISTS users_trigger ON ext.things;\nCREATE TRIGGER users_trigger BEFORE UPDATE ON ext.things ",
    "ALTER TABLE ext.things DISABLE TRIGGER users_trigger;",
    "CREATE OR REPLACE RULE users_rule AS",
    "DROP POLICY IF EXISTS users_policy ON ext.things;\nCREATE POLICY users_policy ON ext.things FOR SELECT USING ((n > 2));",
    "CREATE STATISTICS IF NOT EXISTS ext.users_statistics ON id, note FROM ext.things;",
];

/// A database that finds the extension of these tests, on servers that look for extensions where they are told.
async fn database(name: &str, files: &std::path::Path) -> Option<Scratch> {
    let scratch = Scratch::new(name).await?;
    let mut session = scratch.session().await;
    if session.version < 180_000 {
        eprintln!("skipped: only release 18 takes extensions from a directory of one's own");
        session.goodbye().await;
        scratch.done().await;
        return None;
    }
    let path =
        format!("alter database \"{}\" set extension_control_path = '{}'", scratch.name, files.display());
    session.transact(script(&path)).await.expect("right");
    session.goodbye().await;
    Some(scratch)
}

fn files() -> tempfile::TempDir {
    let directory = tempfile::tempdir().expect("a directory can be made");
    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(directory.path(), open.clone()).expect("right");
    let inside = directory.path().join("extension");
    std::fs::create_dir(&inside).expect("right");
    std::fs::set_permissions(&inside, open).expect("right");
    let control = "default_version = '1'\ncomment = 'its own words'\nrelocatable = true\n";
    std::fs::write(inside.join("dbsetup_test.control"), control).expect("right");
    std::fs::write(inside.join("dbsetup_test--1.sql"), SCRIPT).expect("right");
    directory
}

async fn load(session: &mut Session, text: &str) {
    session.begin(true).await.expect("right");
    if let Err(error) = session.execute(text).await {
        let at = error.offset.and_then(|offset| text.get(offset..)).unwrap_or_default();
        panic!("{:?} at {}", error.error, at.lines().take(3).collect::<Vec<_>>().join("\n"));
    }
    session.commit(&[]).await.expect("right");
}

#[tokio::test]
async fn what_users_hang_on_tables_of_extensions_comes_back_and_what_the_script_makes_is_not_written() {
    let files = files();
    let Some(scratch) = database("hanging", files.path()).await else { return };
    let mut session = scratch.session().await;
    let create = "create schema ext; create extension dbsetup_test with schema ext";
    session.transact(script(create)).await.expect("right");
    session.transact(script(USERS)).await.expect("right");
    let request = DumpRequest::default();
    let dump = session.dump(&request).await.expect("everything can be written");
    for written in WRITTEN {
        assert!(dump.text.contains(written), "{written} is missing in {}", dump.text);
    }
    let own = dump.text.matches("own_").count();
    assert_eq!((own, dump.notes.len()), (1, 0), "{:?} {}", dump.notes, dump.text);

    // All in one transaction, as a load does it.
    let to = database("hanging to", files.path()).await.expect("the first was made");
    let mut loader = to.session().await;
    load(&mut loader, &dump.text).await;
    let mut restored = to.session().await;
    assert_eq!(restored.dump(&request).await.expect("right").text, dump.text);
    let original = session.fingerprint(&request).await.expect("right");
    let copy = restored.fingerprint(&request).await.expect("right");
    assert_eq!(features::found(&original, &copy), std::collections::BTreeSet::new());

    // The proof sees each of them by itself.
    for drop in [
        "drop index ext.users_index",
        "drop trigger users_trigger on ext.things",
        "drop policy users_policy on ext.things",
        "drop rule users_rule on ext.things",
        "alter table ext.things drop constraint users_check",
        "alter table ext.things alter column n drop default",
        "comment on extension dbsetup_test is null",
    ] {
        restored.begin(true).await.expect("right");
        restored.execute(drop).await.expect("right");
        let copy = restored.fingerprint(&request).await.expect("right");
        assert!(!features::found(&original, &copy).is_empty(), "{drop}");
        restored.rollback().await.expect("right");
    }
    to.done().await;
    scratch.done().await;
}

#[tokio::test]
async fn what_goes_with_an_extension_that_is_left_out_goes_along() {
    let files = files();
    let Some(scratch) = database("hanging out", files.path()).await else { return };
    let mut session = scratch.session().await;
    let create = "create schema ext; create extension dbsetup_test with schema ext";
    session.transact(script(create)).await.expect("right");
    session.transact(script(USERS)).await.expect("right");
    let request = DumpRequest { exclude_extensions: vec!["dbsetup_test".into()], ..DumpRequest::default() };
    let dump = session.dump(&request).await.expect("nothing needs it").text;
    assert!(!dump.contains("users_"), "{dump}");
    scratch.done().await;
}

#[tokio::test]
async fn what_is_not_written_of_what_users_did_to_an_extension_is_told() {
    let files = files();
    let Some(scratch) = database("hanging told", files.path()).await else { return };
    let mut session = scratch.session().await;
    let create =
        "create schema ext; create extension dbsetup_test with schema ext; create table ext.joined (id int)";
    session.transact(script(create)).await.expect("right");
    // As `pg_upgrade` makes members.
    let joins = "alter extension dbsetup_test add table ext.joined";
    session.transact(script(joins)).await.expect("right");
    let statements =
        "create index joined_index on ext.joined (id); alter table ext.things add column more int;
        comment on table ext.things is 'mine'";
    session.transact(script(statements)).await.expect("right");
    let dump = session.dump(&DumpRequest::default()).await.expect("right");
    assert!(!dump.text.contains("joined_index"), "{}", dump.text);
    assert_eq!(
        dump.notes,
        [
            "1 comment on what the extension dbsetup_test made was changed after it was made, which is left out",
            "columns of the extension dbsetup_test were added or changed after it was made, which is left out: \
             ext.things.more",
            "nobody can tell whether the extension dbsetup_test made INDEX ext.joined_index: left to the extension",
        ]
    );
    scratch.done().await;
}

#[tokio::test]
async fn triggers_and_rules_on_views_of_extensions_come_back() {
    let Some(scratch) = Scratch::new("hanging views").await else { return };
    let mut session = scratch.session().await;
    if !attached::has_extensions(&mut session).await {
        eprintln!("skipped: the server does not offer the extensions");
        return scratch.done().await;
    }
    let statements =
        "create schema ext; create extension pg_stat_statements with schema ext; create extension hstore;
        create function f() returns trigger language plpgsql as $$ begin return new; end $$;
        create trigger t instead of insert on ext.pg_stat_statements for each row execute function f();
        create rule r as on update to ext.pg_stat_statements do instead nothing;
        comment on extension hstore is null; comment on extension plpgsql is 'language'";
    session.transact(script(statements)).await.expect("right");
    let dump = attached::round("hanging views", &mut session, &attached::native()).await;
    for written in [
        "COMMENT ON EXTENSION hstore IS NULL;",
        "COMMENT ON EXTENSION plpgsql IS 'language';",
        "CREATE TRIGGER t INSTEAD OF INSERT ON ext.pg_stat_statements ",
        "CREATE OR REPLACE RULE r AS",
    ] {
        assert!(dump.contains(written), "{written} is missing in {dump}");
    }
    assert!(!dump.contains("COMMENT ON EXTENSION pg_stat_statements"), "{dump}");
    scratch.done().await;
}
