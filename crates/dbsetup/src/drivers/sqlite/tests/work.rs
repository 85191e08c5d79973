use super::*;
use crate::driver::{DbErrorClass, ScriptError};
use crate::ledger::Progress;

async fn fails(session: &mut dyn Driver, text: &str) -> ScriptError {
    session.transact(script(text)).await.expect_err(text)
}

#[tokio::test]
async fn a_script_and_its_row_are_one() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    let guard = not_applied("1");
    let work =
        Work { script: "create table a (id int)", changes: &[row("1")], guard: Some(&guard), lock: None };
    session.transact(work).await.expect("it runs");
    assert_eq!(versions(&mut *session).await, ["1"]);
    assert_eq!(objects(&mut *session).await, ["table a"]);
    let state = session.read_ledger(&ledger(), ALL).await.expect("it is read");
    assert_eq!((state.rows[0].seq, state.rows[0].checksum.as_deref()), (Some(1), Some("sha256:x")));
}

#[tokio::test]
async fn a_script_may_end_in_any_way() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    for (at, text) in [
        "",
        "  ",
        "-- nothing",
        "create table b (id int) -- b",
        "create table c (id int); /* c",
        "select 1;;",
    ]
    .into_iter()
    .enumerate()
    {
        let version = at.to_string();
        let guard = not_applied(&version);
        let work = Work { script: text, changes: &[row(&version)], guard: Some(&guard), lock: None };
        session.transact(work).await.expect(text);
    }
    assert_eq!(versions(&mut *session).await.len(), 6);
}

#[tokio::test]
async fn a_version_that_another_process_recorded_is_not_run_again() {
    let place = Place::created().await;
    let (mut here, mut there) = (place.prepared().await, place.prepared().await);
    let guard = not_applied("1");
    let work =
        Work { script: "create table a (id int)", changes: &[row("1")], guard: Some(&guard), lock: None };
    here.transact(work).await.expect("it runs");
    let error = there.transact(work).await.expect_err("it is there");
    assert_eq!(
        (error.error.class, error.statement, error.rolled_back),
        (DbErrorClass::LedgerConflict, None, true)
    );
    let guard = Guard::Applied("1".into());
    let changes = [Change::Delete { version: "1".into() }];
    let undo = Work { script: "drop table a", changes: &changes, guard: Some(&guard), lock: None };
    there.transact(undo).await.expect("it runs");
    let error = here.transact(undo).await.expect_err("it is gone");
    assert_eq!(error.error.class, DbErrorClass::LedgerConflict);
}

#[tokio::test]
async fn a_failing_statement_is_counted_and_found_and_all_is_rolled_back() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    let text = "create table a (id int);\n-- emial\n;;\ninsert into a (emial) values (1);\nselect 1;";
    let error = fails(&mut *session, text).await;
    assert_eq!((error.statement, error.rolled_back), (Some(1), true));
    assert_eq!(error.offset, text.find("emial) values"));
    assert!(objects(&mut *session).await.is_empty());
    let error = fails(&mut *session, "create table a (id int unique); insert into a values (1), (1)").await;
    assert_eq!((error.error.class, error.statement, error.offset), (DbErrorClass::Statement, Some(1), None));
    assert_eq!(error.error.code.as_deref(), Some("2067"));
}

#[tokio::test]
async fn nothing_of_a_script_that_ends_its_transaction_is_kept() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    for text in [
        "create table a (id int); COMMIT; create table b (id int);",
        "create table a (id int); COMMIT;",
        "create table a (id int); END; BEGIN; create table b (id int)",
        "create table a (id int); ROLLBACK; create table b (id int)",
        "create table a (id int); ROLLBACK; SAVEPOINT p; create table b (id int); RELEASE p",
        "create table a (id int); ROLLBACK; BEGIN; create table b (id int)",
        "ROLLBACK",
        "BEGIN; create table a (id int); COMMIT;",
    ] {
        let work = Work { script: text, changes: &[row("1")], guard: None, lock: None };
        let error = session.transact(work).await.expect_err(text);
        assert_eq!(error.error.class, DbErrorClass::TransactionClosed, "{text}: {error:?}");
        assert!(error.rolled_back, "{text}");
        assert!(objects(&mut *session).await.is_empty(), "{text}");
        assert!(versions(&mut *session).await.is_empty(), "{text}");
    }
    session
        .transact(script("SAVEPOINT p; create table a (id int); RELEASE p"))
        .await
        .expect("it stays inside");
    session
        .transact(script("SAVEPOINT p; create table b (id int); ROLLBACK TO p"))
        .await
        .expect("it stays inside");
    assert_eq!(objects(&mut *session).await, ["table a"]);
}

#[tokio::test]
async fn broken_references_are_found_when_foreign_keys_are_off() {
    let place = Place::created().await;
    let mut session = place.session_with(SessionOptions::default()).await;
    let tables = "create table users (id integer primary key);
                  create table orders (id integer primary key, owner int references users);
                  insert into users values (1), (2); insert into orders values (10, 1), (20, 2);";
    session.transact(script(tables)).await.expect("it runs");
    let error = fails(&mut *session, "delete from users where id = 2").await;
    assert!(error.error.message.contains("row 20 of `orders` refers to a row of `users`"), "{error:?}");
    assert!(error.rolled_back);
    // An application that does not enforce them breaks one.
    let mut other = place.session_with(SessionOptions::default()).await;
    other.run_alone("delete from users where id = 1", &[]).await.expect("it runs");
    session.transact(script("insert into orders values (30, 2)")).await.expect("the script broke nothing");
    // A transaction of several calls is asked for what it broke itself, too.
    other.begin(false).await.expect("it begins");
    other.execute("insert into orders values (40, 2)").await.expect("it runs");
    other.commit(&[]).await.expect("it broke nothing");
    other.begin(false).await.expect("it begins");
    other.fetch("delete from users where id = 2").await.expect("it runs");
    let error = other.commit(&[]).await.expect_err("orders have lost their user");
    assert!(error.error.message.contains("refers to a row of `users`") && error.rolled_back, "{error:?}");
}

#[tokio::test]
async fn a_table_is_rebuilt_as_its_author_meant_it() {
    let place = Place::created().await;
    let mut session = place.session().await;
    let tables = "create table users (id integer primary key);
                  create table orders (id integer primary key, owner int references users on delete cascade);
                  insert into users values (1); insert into orders values (10, 1);";
    session.transact(script(tables)).await.expect("it runs");
    let rebuild = "PRAGMA foreign_keys=OFF;
                   create table new_users (id integer primary key, name text);
                   insert into new_users (id) select id from users;
                   drop table users; alter table new_users rename to users;";
    session.transact(script(rebuild)).await.expect("it runs");
    // The rows are still there, and the next script has foreign keys again.
    session
        .transact(script("insert into orders select id + 1, owner from orders where id = 10"))
        .await
        .expect("it runs");
    let error = fails(&mut *session, "insert into orders values (12, 99)").await;
    assert_eq!(error.error.code.as_deref(), Some("787"), "{error:?}");
    let copied = fails(&mut *session, "insert into orders select 11, 1").await;
    assert_eq!(copied.error.code.as_deref(), Some("1555"), "the row was copied: {copied:?}");
}

#[tokio::test]
async fn a_deferred_violation_is_named_at_the_commit() {
    let place = Place::created().await;
    let mut session = place.session().await;
    let text = "create table users (id integer primary key);
                create table orders (owner int references users deferrable initially deferred);
                insert into orders values (7)";
    let error = fails(&mut *session, text).await;
    assert!(error.error.notes.iter().any(|note| note.contains("`orders`")), "{error:?}");
    assert!(objects(&mut *session).await.is_empty());
}

#[tokio::test]
async fn a_script_does_not_change_the_session() {
    let place = Place::created().await;
    let mut session = place.session().await;
    let other = place.dir.path().join("other.db");
    std::fs::write(&other, "").expect("it is written");
    let text = format!("PRAGMA ignore_check_constraints=ON; ATTACH '{}' AS other", other.display());
    session.transact(script(&text)).await.expect("it runs");
    let error =
        fails(&mut *session, "create table a (id int check (id > 0)); insert into a values (-1)").await;
    assert_eq!(error.error.code.as_deref(), Some("275"), "{error:?}");
    let error = fails(&mut *session, "select * from other.sqlite_schema").await;
    assert!(error.error.message.contains("no such table"), "{error:?}");
}

#[tokio::test]
async fn a_writer_waits_for_another_and_then_says_so() {
    let place = Place::created().await;
    let (mut here, mut there) = (place.prepared().await, place.prepared().await);
    here.begin(false).await.expect("it begins");
    let error = there.transact(script("create table a (id int)")).await.expect_err("it is locked");
    assert_eq!(
        (error.error.class, error.statement, error.rolled_back),
        (DbErrorClass::LockTimeout, None, true)
    );
    here.rollback().await.expect("it is open");
    there.transact(script("create table a (id int)")).await.expect("it is free");
    here.rollback().await.expect("it is harmless without a transaction");
}

#[tokio::test]
async fn a_session_that_is_dropped_at_work_leaves_nothing() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    let endless = "create table a (id int);
        with recursive n (i) as (select 1 union all select i + 1 from n) insert into a select i from n where i < 0";
    let work = Work { script: endless, changes: &[row("1")], guard: None, lock: None };
    let cut = tokio::time::timeout(Duration::from_millis(100), session.transact(work)).await;
    assert!(cut.is_err(), "it does not end");
    drop(session);
    let mut session = place.session().await;
    assert!(objects(&mut *session).await.is_empty());
    let mut waited = 0;
    while session.transact(script("create table b (id int)")).await.is_err() {
        waited += 1;
        assert!(waited < 50, "the thread goes on");
    }
}

#[tokio::test]
async fn work_that_nobody_waits_for_is_ended_and_undone_in_the_same_session() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    let endless = "create table a (id int);
        with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n";
    let cut = tokio::time::timeout(Duration::from_millis(100), session.transact(script(endless))).await;
    assert!(cut.is_err(), "it does not end");
    session.rollback().await.expect("it is rolled back");
    assert!(objects(&mut *session).await.is_empty());
    session.transact(script("create table b (id int)")).await.expect("it goes on");
}

/// The other process of the test below: it writes until it is killed.
#[tokio::test]
#[ignore = "it is a part of `a_process_that_is_killed_at_work_leaves_nothing`"]
async fn writes_without_end() {
    let Ok(directory) = std::env::var("DBSETUP_TEST_DIRECTORY") else { return };
    let server = server("sqlite:a.db", Path::new(&directory));
    let fresh = std::env::var("DBSETUP_TEST_FRESH").is_ok();
    let options = SessionOptions { fresh, application: "dbsetup test".into(), ..SessionOptions::default() };
    let mut session = server.connect(&options).await.expect("it opens");
    let key = crate::driver::LockKey { ledger: ledger(), lane: crate::repo::Lane::Automatic };
    assert_eq!(session.try_lock(&key).await, Ok(true));
    let text = "delete from kept; create table a (id int, text blob);
        with recursive n (i) as (select 1 union all select i + 1 from n) insert into a select i, randomblob(1000) from n";
    let _ = session.transact(script(text)).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_process_that_is_killed_at_work_leaves_nothing() {
    for fresh in [true, false] {
        let place = Place::created().await;
        let mut session = place.prepared().await;
        session
            .transact(Work {
                changes: &[row("1")],
                ..script("create table kept (id int); insert into kept values (7)")
            })
            .await
            .expect("it runs");
        session.close().await;
        let mut command = std::process::Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "drivers::sqlite::tests::work::writes_without_end", "--ignored"]);
        command.env("DBSETUP_TEST_DIRECTORY", place.dir.path()).stdout(std::process::Stdio::null());
        if fresh {
            command.env("DBSETUP_TEST_FRESH", "1");
        }
        let mut child = command.spawn().expect("it starts");
        // More than the page cache holds: the file itself is half changed, and its journal is needed.
        let path = place.dir.path().join("a.db");
        let size = || std::fs::metadata(&path).expect("it is there").len();
        let start = std::time::Instant::now();
        while size() < 8 << 20 {
            assert!(start.elapsed() < Duration::from_secs(30), "it does not write");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let key = crate::driver::LockKey { ledger: ledger(), lane: crate::repo::Lane::Automatic };
        let locks = super::super::lock::Locks::new(Some(path.clone()));
        let holder = locks.holder(key.lane).expect("it is read").expect("the child");
        assert!(holder.contains(&format!("pid {}, dbsetup test", child.id())), "{holder}");
        child.kill().expect("it is killed");
        child.wait().expect("it has ended");

        let mut session = place.session().await;
        assert_eq!(session.lock_holder(&key).await, Ok(None));
        assert_eq!(session.try_lock(&key).await, Ok(true));
        assert_eq!(objects(&mut *session).await, ["table kept"], "fresh: {fresh}");
        assert_eq!(versions(&mut *session).await, ["1"]);
        let whole =
            "create temp table t (ok int check (ok)); insert into t select integrity_check = 'ok' from
            pragma_integrity_check; insert into t select count(*) = 1 from kept";
        session.transact(script(whole)).await.expect("the file is sound and the row is there");
    }
}

#[tokio::test]
async fn a_statement_ends_when_its_time_is_over() {
    let place = Place::created().await;
    let options =
        SessionOptions { statement_timeout: Some(Duration::from_millis(50)), ..SessionOptions::default() };
    let mut session = place.session_with(options).await;
    let endless = "with recursive n (i) as (select 1 union all select i + 1 from n) select max(i) from n";
    let error = fails(&mut *session, endless).await;
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::Cancelled, true));
    session.transact(script("create table a (id int)")).await.expect("it has time of its own");
}

#[tokio::test]
async fn statements_alone_are_recorded_with_their_progress() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    let progress = |done| {
        let checksum = "x".to_owned();
        [Change::SetProgress(Progress {
            version: "1".into(),
            reverting: false,
            done,
            total: 4,
            checksum,
            retry: false,
        })]
    };
    session.run_alone("create table a (id int)", &progress(1)).await.expect("it runs");
    session.run_alone("VACUUM", &progress(2)).await.expect("it runs");
    session.run_alone("PRAGMA journal_mode=WAL", &progress(3)).await.expect("it runs");
    let error = session.run_alone("insert into b values (1)", &progress(4)).await.expect_err("there is no b");
    assert!(error.rolled_back && error.statement == Some(0) && error.offset == Some(12), "{error:?}");
    let present = Present { progress: true, ..ALL };
    let state = session.read_ledger(&ledger(), present).await.expect("it is read");
    assert_eq!((state.progress.len(), state.progress[0].done), (1, 3));
    assert_eq!(objects(&mut *session).await, ["table a"], "the progress is no content");
    let last = [Change::ClearProgress { version: "1".into() }, row("1")];
    session.run_alone("insert into a values (1)", &last).await.expect("it runs");
    let tables = session.find_tables(&["dbsetup_progress".into()]).await.expect("it is read");
    assert!(tables.is_empty(), "the table is there only while a migration is in progress");
    assert_eq!(versions(&mut *session).await, ["1"]);
}

#[tokio::test]
async fn a_transaction_of_the_scripts_own_takes_its_progress_along() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    let progress = |done| {
        let checksum = "x".to_owned();
        [Change::SetProgress(Progress {
            version: "1".into(),
            reverting: false,
            done,
            total: 4,
            checksum,
            retry: false,
        })]
    };
    session.run_alone("PRAGMA foreign_keys=OFF", &progress(1)).await.expect("it runs");
    session.run_alone("BEGIN", &progress(2)).await.expect("it runs");
    session.run_alone("create table a (id int)", &progress(3)).await.expect("it runs");
    drop(session);
    let mut session = place.session().await;
    let present = Present { progress: true, ..ALL };
    let state = session.read_ledger(&ledger(), present).await.expect("it is read");
    assert_eq!(state.progress[0].done, 1, "what was not committed is not done");
    session.run_alone("BEGIN", &progress(2)).await.expect("it runs");
    session.run_alone("create table a (id int)", &progress(3)).await.expect("it runs");
    session.run_alone("COMMIT", &progress(4)).await.expect("it runs");
    let state = session.read_ledger(&ledger(), present).await.expect("it is read");
    assert_eq!(state.progress[0].done, 4);
    session.run_alone("BEGIN", &[]).await.expect("it runs");
    let error = session.run_alone("drop table a", &[row("1")]).await.expect_err("it was never committed");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::TransactionClosed, true));
    assert_eq!(objects(&mut *session).await, ["table a"]);
}

#[tokio::test]
async fn a_load_is_one_transaction_and_checks_its_references_at_the_end() {
    let place = Place::created().await;
    let mut session = place.session().await;
    session.begin(true).await.expect("it begins");
    session
        .execute("create table orders (owner int references users); insert into orders values (1);")
        .await
        .expect("it runs");
    session
        .execute("create table users (id integer primary key); insert into users values (1);")
        .await
        .expect("it runs");
    session.prepare(&ledger(), ALL).await.expect("it is prepared");
    session.commit(&[row("1")]).await.expect("it commits");
    assert_eq!(versions(&mut *session).await, ["1"]);
    session.begin(true).await.expect("it begins");
    session.execute("insert into orders values (2)").await.expect("they wait");
    let error = session.commit(&[]).await.expect_err("there is no user 2");
    assert!(error.rolled_back && error.error.message.contains("`orders`"), "{error:?}");
    session.begin(true).await.expect("it begins");
    let error =
        session.execute("create table x (id int); COMMIT").await.expect_err("it ends the transaction");
    assert_eq!((error.error.class, error.rolled_back), (DbErrorClass::TransactionClosed, true));
    assert!(session.execute("create table x (id int)").await.is_err(), "nothing is open");
    assert_eq!(objects(&mut *session).await, ["table orders", "table users"]);
}

#[tokio::test]
async fn a_database_is_emptied_whatever_is_in_it() {
    let place = Place::created().await;
    for own in [true, false] {
        let mut session = place.prepared().await;
        session
            .transact(Work { changes: &[row("1")], ..script(structure::EVERYTHING) })
            .await
            .expect("it runs");
        if own {
            session.empty().await.expect("it is emptied");
        } else {
            session.begin(true).await.expect("it begins");
            session.empty().await.expect("it is emptied");
            session.commit(&[]).await.expect("it commits");
        }
        assert!(objects(&mut *session).await.is_empty());
        assert!(session.find_tables(&["schema_migrations".into()]).await.expect("it is read").is_empty());
        session.close().await;
    }
}

#[tokio::test]
async fn only_an_empty_ledger_is_dropped() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    session.transact(Work { changes: &[row("1")], ..script("") }).await.expect("it runs");
    let error = session.drop_empty_ledger(&ledger()).await.expect_err("it has a row");
    assert_eq!(error.class, DbErrorClass::LedgerConflict);
    session
        .transact(Work { changes: &[Change::Delete { version: "1".into() }], ..script("") })
        .await
        .expect("it runs");
    session.drop_empty_ledger(&ledger()).await.expect("it is empty");
    assert!(session.find_tables(&["schema_migrations".into()]).await.expect("it is read").is_empty());
}

#[tokio::test]
async fn a_ledger_is_found_by_its_name_with_its_columns() {
    let place = Place::created().await;
    let mut session = place.prepared().await;
    let found = session.find_tables(&["SCHEMA_migrations".into(), "x".into()]).await.expect("it is read");
    assert_eq!(found.len(), 1);
    assert_eq!(LedgerKind::of_columns(&found[0].columns), Some(LedgerKind::Dbsetup));
    assert!(found[0].on_path && found[0].schema.is_none());
}

#[tokio::test]
async fn every_ledger_is_written_and_read_back() {
    for kind in LedgerKind::ALL {
        let place = Place::created().await;
        let mut session = place.session().await;
        let table = LedgerTable { kind, schema: None, name: kind.default_table().into(), wide: true };
        session.prepare(&table, ALL).await.expect("it is prepared");
        session.use_ledger(&table);
        let Change::Insert(mut row) = row("20260101000000") else { unreachable!("it inserts") };
        row.checksum = Some("ab12".into());
        let guard = not_applied("20260101000000");
        let work = Work { script: "", changes: &[Change::Insert(row)], guard: Some(&guard), lock: None };
        session.transact(work).await.expect("it runs");
        assert_eq!(
            session.transact(work).await.expect_err("it is there").error.class,
            DbErrorClass::LedgerConflict,
            "{kind}"
        );
        let state = session.read_ledger(&table, ALL).await.expect("it is read");
        assert_eq!(state.rows[0].version, "20260101000000", "{kind}");
        if kind.keeps_checksums() {
            assert_eq!(state.rows[0].checksum.as_deref(), Some("ab12"), "{kind}");
        }
    }
}
