//! What one message shows of a ledger, and what it leaves to somebody who looks closely.

use super::*;
use crate::ledger::{META_TABLE, PROGRESS_TABLE};

fn guess() -> LedgerTable {
    LedgerTable { schema: None, ..ledger() }
}

async fn glance(scratch: &Scratch, options: &SessionOptions) -> Option<Glance> {
    let names = ["schema_migrations", "_sqlx_migrations"].map(str::to_owned);
    scratch.server.glance(options, &guess(), &names).await.expect("the server answers")
}

async fn prepared(name: &str) -> Option<(Scratch, Session)> {
    let scratch = Scratch::new(name).await?;
    let mut session = scratch.session().await;
    let wanted = Present { ledger: true, meta: true, progress: false };
    session.prepare(&ledger(), wanted).await.expect("the tables can be made");
    let changes = [insert("1"), Change::SetMeta { key: "format".into(), value: "1".into() }];
    let work = Work { changes: &changes, ..script("") };
    session.transact(work).await.expect("it is right");
    Some((scratch, session))
}

#[tokio::test]
async fn a_glance_reads_rows_marks_and_the_shape_of_the_ledger() {
    let Some((scratch, mut session)) = prepared("glance").await else { return };
    let found = glance(&scratch, &options()).await.expect("nothing is unusual");
    let present = Present { ledger: true, meta: true, progress: false };
    let state = session.read_ledger(&ledger(), present).await.expect("it is there");
    assert_eq!(found.state, state);
    let mut names: Vec<&str> = found.tables.iter().map(|table| table.name.as_str()).collect();
    names.sort_unstable();
    assert_eq!(names, [META_TABLE, "schema_migrations"]);
    let tables = session.find_tables(&["schema_migrations".into()]).await.expect("right");
    let (seen, table) = (&found.tables[0], &tables[0]);
    assert_eq!((&seen.name, &seen.schema), (&table.name, &table.schema));
    assert_eq!(LedgerKind::of_columns(&seen.columns), Some(LedgerKind::Dbsetup));
    session.look("create table _sqlx_migrations (version bigint)".into()).await.expect("right");
    let found = glance(&scratch, &options()).await.expect("nothing is unusual");
    assert!(found.tables.iter().any(|table| table.name == "_sqlx_migrations"), "{found:?}");
    let all = Present { ledger: false, meta: false, progress: true };
    session.prepare(&ledger(), all).await.expect("it can be made");
    let found = glance(&scratch, &options()).await.expect("nothing is unusual");
    assert!(found.tables.iter().any(|table| table.name == PROGRESS_TABLE), "{found:?}");
    scratch.done().await;
}

#[tokio::test]
async fn a_glance_tells_the_ledger_of_another_tool_by_its_columns_and_names_schemas_as_they_are() {
    let Some(scratch) = Scratch::new("glance_peer").await else { return };
    let mut session = scratch.session().await;
    let sqlx = LedgerTable {
        kind: LedgerKind::Sqlx,
        schema: Some("Ten\"ant".into()),
        name: "_sqlx_migrations".into(),
        wide: false,
    };
    session.use_ledger(&sqlx);
    let wanted = Present { ledger: true, meta: true, progress: false };
    session.prepare(&sqlx, wanted).await.expect("the tables can be made");
    let found = scratch.server.glance(&options(), &sqlx, &[]).await.expect("it answers").expect("as usual");
    assert_eq!(LedgerKind::of_columns(&found.tables[0].columns), Some(LedgerKind::Sqlx));
    assert!(found.tables.iter().all(|table| table.schema == sqlx.schema), "{found:?}");
    session.look("alter table \"Ten\"\"ant\"._sqlx_migrations add more int".into()).await.expect("right");
    let found = scratch.server.glance(&options(), &sqlx, &[]).await.expect("it answers").expect("as usual");
    assert_eq!(LedgerKind::of_columns(&found.tables[0].columns), None);
    scratch.done().await;
}

#[tokio::test]
async fn two_ledgers_on_the_path_are_not_told_at_a_glance() {
    let Some((scratch, mut session)) = prepared("glance_two").await else { return };
    let mut both = options();
    both.schemas = vec!["Ten\"ant".into(), "public".into()];
    session.look("create schema \"Ten\"\"ant\"".into()).await.expect("right");
    assert!(glance(&scratch, &both).await.is_some(), "there is one of them");
    session.look("create table \"Ten\"\"ant\".schema_migrations (version text)".into()).await.expect("right");
    assert_eq!(glance(&scratch, &both).await, None, "there are two of them");
    both.schemas.reverse();
    assert_eq!(glance(&scratch, &both).await, None, "and the other way around");
    assert!(glance(&scratch, &options()).await.is_some(), "the other one is not on the path");
    scratch.done().await;
}

#[tokio::test]
async fn what_is_unusual_is_not_told_at_a_glance() {
    let Some((scratch, mut session)) = prepared("glance_doubt").await else { return };
    let mut elsewhere = options();
    elsewhere.schemas = vec!["tenant".into()];
    assert_eq!(glance(&scratch, &elsewhere).await, None, "another schema has no ledger");
    let mut role = options();
    role.role = Some("nobody_of_this_name".into());
    assert_eq!(glance(&scratch, &role).await, None, "the role is not there");
    session.look("create schema tenant; create view tenant.schema_migrations as select * from public.schema_migrations; create table tenant.dbsetup_meta (key text, value text)".into()).await.expect("right");
    assert_eq!(glance(&scratch, &elsewhere).await, None, "a view is no ledger");
    session.look("drop table public.dbsetup_meta".into()).await.expect("right");
    assert_eq!(glance(&scratch, &options()).await, None, "our own table is missing");
    scratch.done().await;
}
