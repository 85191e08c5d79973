//! What one message shows of a ledger.

use super::*;
use crate::ledger::PROGRESS_TABLE;

#[tokio::test]
async fn a_glance_reads_what_a_session_reads_and_tells_nothing_of_what_is_not_there() {
    let place = Place::created().await;
    let names = ["schema_migrations", "_sqlx_migrations"].map(str::to_owned);
    let options = SessionOptions::default();
    let glance = || async { place.server.glance(&options, &ledger(), &names).await.expect("it can be read") };
    assert_eq!(glance().await, None, "there is no ledger");
    let mut session = place.session().await;
    let present = Present { ledger: true, meta: true, progress: false };
    session.prepare(&ledger(), present).await.expect("it is prepared");
    let changes = [row("1"), Change::SetMeta { key: "it's".into(), value: "a;'b".into() }];
    let work = Work { script: "", changes: &changes, guard: None, lock: None };
    session.transact(work).await.expect("it is right");
    let state = session.read_ledger(&ledger(), present).await.expect("it is there");
    let found = session.find_tables(&["schema_migrations".into()]).await.expect("it is there");
    let seen = glance().await.expect("nothing is unusual");
    assert_eq!((seen.state.rows.len(), &seen.state), (1, &state));
    assert_eq!(seen.tables.iter().find(|table| table.name == "schema_migrations"), found.first());
    session.prepare(&ledger(), Present { progress: true, ..present }).await.expect("it is prepared");
    let seen = glance().await.expect("nothing is unusual");
    assert!(seen.tables.iter().any(|table| table.name == PROGRESS_TABLE));
    assert_eq!(place.names().len(), 1, "no lock was taken: {:?}", place.names());
}
