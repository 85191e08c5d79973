use super::*;
use crate::driver::{DbErrorClass, DumpRequest};

/// One of everything that SQLite has.
pub(super) const EVERYTHING: &str = r#"
PRAGMA user_version = 7;
PRAGMA application_id = 99;
create table users (
  id integer primary key autoincrement, -- the number
  email text not null collate nocase unique check (email like '%;%'), /* odd ; */
  full_name text generated always as (upper(email)) virtual,
  stored int as (id * 2) stored
);
create table "odd ""name"" [x]" ("a b" text, "select" int default (1 + 2)) strict;
create table pairs (a int, b int, primary key (b, a)) without rowid;
create table orders (owner int references users (id) on delete cascade deferrable initially deferred, note text);
create unique index users_lower on users (lower(email) desc) where id > 3;
create index "orders note" on orders (note collate rtrim);
create virtual table notes using fts5 (body, content='');
create virtual table boxes using rtree (id, x1, x2);
create view late as select * from early;
create view early as select email, 'a;b' as text from users; -- trailing
create trigger touch after update on users for each row when new.id > 0 begin
  update orders set note = case when new.id > 1 then 'x;' else 'end' end where owner = new.id;
  insert into pairs values (1, 2);
end;
create trigger instead instead of insert on early begin select 1; end;
insert into users (email) values ('a;b');
"#;

fn request() -> DumpRequest {
    DumpRequest { ledger: Some(ledger()), ..DumpRequest::default() }
}

async fn loaded(text: &str) -> (Place, Box<dyn Driver>) {
    let place = Place::created().await;
    let mut session = place.session().await;
    session.begin(true).await.expect("it begins");
    session.execute(text).await.expect(text);
    session.commit(&[]).await.expect("it commits");
    (place, session)
}

async fn dumped(session: &mut dyn Driver) -> String {
    session.dump(&request()).await.expect("it is dumped").text
}

#[tokio::test]
async fn a_dump_loads_back_to_the_same_dump() {
    let (_place, mut session) = loaded(EVERYTHING).await;
    session.prepare(&ledger(), ALL).await.expect("it is prepared");
    let first = dumped(&mut *session).await;
    for part in [
        "PRAGMA user_version = 7;",
        "PRAGMA application_id = 99;",
        "-- the number\n",
        "strict;",
        "without rowid;",
        "using fts5",
        "CREATE TABLE IF NOT EXISTS \"schema_migrations\"",
    ] {
        assert!(first.contains(part), "{part} in {first}");
    }
    for absent in ["dbsetup_meta", "sqlite_sequence", "notes_data", "boxes_node", "insert into users"] {
        assert!(!first.contains(absent), "{absent} in {first}");
    }
    let (_other, mut again) = loaded(&first).await;
    assert_eq!(dumped(&mut *again).await, first);
}

#[tokio::test]
async fn two_orders_of_creation_give_the_same_bytes() {
    let one = "create table a (id int); create table b (id int); create index b1 on b (id); create index a1 on a (id);
               create view v as select 1; create view w as select 2;";
    let two = "create view w as select 2; create view v as select 1; create table b (id int); create table a (id int);
               create index a1 on a (id); create index b1 on b (id);";
    let (_one, mut one) = loaded(one).await;
    let (_two, mut two) = loaded(two).await;
    let text = dumped(&mut *one).await;
    assert_eq!(text, dumped(&mut *two).await);
    let positions: Vec<_> =
        ["TABLE a", "INDEX a1", "TABLE b", "INDEX b1", "TABLE IF NOT EXISTS", "VIEW v", "VIEW w"]
            .iter()
            .map(|part| text.find(part))
            .collect();
    assert!(positions.is_sorted() && positions[0].is_some(), "{positions:?} in {text}");
}

#[tokio::test]
async fn the_ledger_reads_the_same_whatever_made_it() {
    let peers = "create table schema_migrations(version text primary key not null, seq integer, name text not null,
                 source text not null, checksum text, applied_at text, execution_ms integer, tool_version text, extra int)";
    let (_place, mut session) = loaded(peers).await;
    let (_empty, mut empty) = loaded("").await;
    assert_eq!(dumped(&mut *session).await, dumped(&mut *empty).await);
}

#[tokio::test]
async fn an_excluded_table_takes_its_indexes_and_triggers_along() {
    let text = "create table a (id int); create index a1 on a (id);
                create trigger t after insert on a begin select 1; end; create table b (id int);";
    let (_place, mut session) = loaded(text).await;
    let mut request = request();
    request.exclude_tables = vec!["A".into()];
    let text = session.dump(&request).await.expect("it is dumped").text;
    assert!(text.contains("CREATE TABLE b") && !text.contains("a1") && !text.contains("TRIGGER"), "{text}");
}

#[tokio::test]
async fn what_needs_an_excluded_table_is_named() {
    let text = "create table a (id integer primary key); create table b (a int references a);
                create table c (id int); create view v as select * from c; create view broken as select * from nowhere";
    let (_place, mut session) = loaded(text).await;
    for (table, needs) in [("a", "`b` refers to `a`"), ("c", "view `v`")] {
        let mut request = request();
        request.exclude_tables = vec![table.into()];
        let error = session.dump(&request).await.expect_err("something needs it");
        assert_eq!(error.class, DbErrorClass::Unsupported);
        assert!(error.message.contains(needs), "{error:?}");
    }
    dumped(&mut *session).await;
}

#[tokio::test]
async fn what_cannot_be_written_is_named() {
    let (place, mut session) = loaded("create table a (id int)").await;
    let smuggled = "PRAGMA writable_schema=ON;
        insert into sqlite_schema values ('table', 'far', 'far', 0, 'CREATE VIRTUAL TABLE far USING elsewhere(x)')";
    session.transact(script(smuggled)).await.expect("it runs");
    session.close().await;
    let mut session = place.session().await;
    assert_eq!(objects(&mut *session).await, ["table a", "table far"]);
    let error = session.dump(&request()).await.expect_err("nobody has that module");
    assert!(error.message.contains("`far`") && error.message.contains("`elsewhere`"), "{error:?}");
}

#[tokio::test]
async fn filters_that_sqlite_has_not_are_refused() {
    let (_place, mut session) = loaded("").await;
    let mut by_schema = request();
    by_schema.schemas = vec!["app".into()];
    let mut by_program = request();
    by_program.via = Some(crate::driver::Via::PgDump);
    let mut by_extension = request();
    by_extension.exclude_extensions = vec!["postgis".into()];
    let with_owners = DumpRequest { owners: true, ..request() };
    let with_privileges = DumpRequest { privileges: true, ..request() };
    for request in [by_schema, by_program, by_extension, with_owners, with_privileges] {
        assert_eq!(session.dump(&request).await.expect_err("no").class, DbErrorClass::Configuration);
    }
}

#[tokio::test]
async fn an_altered_table_is_written_as_sqlite_keeps_it() {
    let text = "create table a (id int -- the id
                ); alter table a add column b int; alter table a rename to \"c d\";
                create view v as select 1 -- the end
                ;";
    let (_place, mut session) = loaded(text).await;
    let first = dumped(&mut *session).await;
    assert!(first.contains("\"c d\""), "{first}");
    let (_other, mut again) = loaded(&first).await;
    assert_eq!(dumped(&mut *again).await, first);
}

#[tokio::test]
async fn every_object_is_written_or_named() {
    let notes = "create virtual table notes using fts5 (body, content='');";
    for (text, name) in [
        // FTS5 keeps no such table where it keeps no content: it is the user's.
        ("create table notes_content (id int);", "table `notes_content`"),
        ("create index on_shadow on notes_idx (term);", "index `on_shadow`"),
        ("create trigger on_shadow after insert on notes_idx begin select 1; end;", "trigger `on_shadow`"),
    ] {
        let (_place, mut session) = loaded(&format!("{notes}{text}")).await;
        let error = session.dump(&request()).await.expect_err(name);
        assert_eq!(error.class, DbErrorClass::Unsupported);
        assert!(error.message.contains(name), "{error:?}");
        // What goes with a table that is left out is left out.
        let mut without = request();
        without.exclude_tables = vec!["notes".into()];
        let text = session.dump(&without).await.expect("nothing else is there");
        assert!(!text.text.contains("notes"), "{}", text.text);
    }
    let (_place, mut session) = loaded(&format!("{EVERYTHING};analyze;")).await;
    session.prepare(&ledger(), ALL).await.expect("it is prepared");
    dumped(&mut *session).await;
}
