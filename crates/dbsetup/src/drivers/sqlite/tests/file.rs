use super::*;
use crate::driver::{Created, DbErrorClass, Dropped, Sessions};

async fn create(server: &SqliteServer) -> Result<Created, DbErrorClass> {
    server.create(&CreateOptions::default()).await.map_err(|error| error.class)
}

#[tokio::test]
async fn a_database_is_created_once_with_its_directory_and_its_header() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = server("sqlite:deep/er/a.db?mode=rwc", dir.path());
    assert_eq!(server.exists().await, Ok(false));
    assert_eq!(create(&server).await, Ok(Created::Now));
    assert_eq!(create(&server).await, Ok(Created::Already));
    assert_eq!(server.exists().await, Ok(true));
    let bytes = std::fs::read(dir.path().join("deep/er/a.db")).expect("it is there");
    assert!(bytes.starts_with(b"SQLite format 3\0"));
    // 1 is the rollback journal, 2 is WAL.
    assert_eq!(bytes[18], 1);
}

#[tokio::test]
async fn connecting_never_makes_a_file() {
    let place = Place::new();
    let error = place.server.connect(&SessionOptions::default()).await.err().expect("nothing is there");
    assert_eq!(error.class, DbErrorClass::DatabaseMissing);
    assert!(place.names().is_empty());
}

#[tokio::test]
async fn of_many_creators_one_makes_the_database() {
    let place = Place::new();
    let options = CreateOptions::default();
    let all = futures_util::future::join_all((0..8).map(|_| place.server.create(&options))).await;
    assert_eq!(all.iter().filter(|made| **made == Ok(Created::Now)).count(), 1, "{all:?}");
    assert_eq!(all.iter().filter(|made| **made == Ok(Created::Already)).count(), 7, "{all:?}");
}

#[tokio::test]
async fn whatever_is_no_database_is_left_alone() {
    let place = Place::new();
    let path = place.dir.path().join("a.db");
    std::fs::write(&path, "a letter to my mother, longer than a header").expect("it is written");
    assert_eq!(create(&place.server).await, Err(DbErrorClass::Configuration));
    let dropped = place.server.drop(Sessions::End).await.map_err(|error| error.class);
    assert_eq!(dropped, Err(DbErrorClass::Configuration));
    assert!(place.server.connect(&SessionOptions::default()).await.is_err());
    assert!(std::fs::read_to_string(&path).expect("it is there").starts_with("a letter"));
    std::fs::remove_file(&path).expect("it is removed");
    std::fs::create_dir(&path).expect("it is made");
    assert_eq!(create(&place.server).await, Err(DbErrorClass::Configuration));
    assert_eq!(place.server.exists().await.map_err(|error| error.class), Err(DbErrorClass::Configuration));
}

#[cfg(unix)]
#[tokio::test]
async fn a_link_is_followed_unless_it_leads_nowhere() {
    let place = Place::created().await;
    let link = server("sqlite:link.db", place.dir.path());
    std::os::unix::fs::symlink("nowhere", place.dir.path().join("link.db")).expect("it is linked");
    assert_eq!(create(&link).await, Err(DbErrorClass::Configuration));
    std::fs::remove_file(place.dir.path().join("link.db")).expect("it is removed");
    std::os::unix::fs::symlink("a.db", place.dir.path().join("link.db")).expect("it is linked");
    assert_eq!(create(&link).await, Ok(Created::Already));
    // Two names of one file have one lock.
    let (mut here, mut there) =
        (place.session().await, link.connect(&SessionOptions::default()).await.expect("it opens"));
    let key = crate::driver::LockKey { ledger: ledger(), lane: crate::repo::Lane::Automatic };
    assert_eq!(here.try_lock(&key).await, Ok(true));
    assert_eq!(there.try_lock(&key).await, Ok(false));
    here.close().await;
    there.close().await;
    assert_eq!(link.drop(Sessions::Keep).await, Ok(Dropped::Now { sessions: 0 }));
    assert!(place.names().is_empty(), "{:?}", place.names());
}

#[tokio::test]
async fn a_database_in_memory_lives_as_long_as_its_session() {
    let server = server("sqlite::memory:", Path::new("."));
    assert_eq!(create(&server).await, Err(DbErrorClass::Unsupported));
    let mut session = server.connect(&SessionOptions::default()).await.expect("it opens");
    session.transact(script("create table a (id int)")).await.expect("it runs");
    assert_eq!(objects(&mut *session).await, ["table a"]);
    let mut other = server.connect(&SessionOptions::default()).await.expect("it opens");
    assert!(objects(&mut *other).await.is_empty());
}

#[tokio::test]
async fn dropping_removes_every_file_and_is_done_when_nothing_is_there() {
    let place = Place::created().await;
    let mut session = place.session().await;
    session.run_alone("PRAGMA journal_mode=WAL", &[]).await.expect("it runs");
    session.transact(script("create table a (id int)")).await.expect("it runs");
    let key = crate::driver::LockKey { ledger: ledger(), lane: crate::repo::Lane::Manual };
    session.try_lock(&key).await.expect("it is free");
    assert!(place.names().len() > 2, "{:?}", place.names());
    session.close().await;
    assert_eq!(place.server.drop(Sessions::Keep).await, Ok(Dropped::Now { sessions: 0 }));
    assert!(place.names().is_empty(), "{:?}", place.names());
    assert_eq!(place.server.drop(Sessions::Keep).await, Ok(Dropped::Already));
}

#[tokio::test]
async fn a_database_in_use_is_not_dropped_even_with_force() {
    for mode in ["DELETE", "WAL"] {
        let place = Place::created().await;
        let mut session = place.session().await;
        session.run_alone(&format!("PRAGMA journal_mode={mode}"), &[]).await.expect("it runs");
        // A session that has not read yet has not opened the log.
        objects(&mut *session).await;
        if mode == "DELETE" {
            session.begin(false).await.expect("it begins");
            session.execute("create table a (id int)").await.expect("it runs");
        }
        let error = place.server.drop(Sessions::End).await.expect_err(mode);
        assert_eq!(error.class, DbErrorClass::LockTimeout, "{mode}: {error:?}");
        assert!(error.notes.iter().any(|note| note.contains("cannot end the sessions")), "{error:?}");
        session.rollback().await.expect("it is still there");
        session.transact(script("create table b (id int)")).await.expect("it still works");
    }
}

#[tokio::test]
async fn a_database_whose_lock_is_held_is_not_dropped() {
    let place = Place::created().await;
    let mut session = place.session().await;
    let key = crate::driver::LockKey { ledger: ledger(), lane: crate::repo::Lane::Automatic };
    session.try_lock(&key).await.expect("it is free");
    let error = place.server.drop(Sessions::Keep).await.expect_err("it is in use");
    assert!(error.message.contains("pid "), "{error:?}");
}

#[tokio::test]
async fn a_damaged_database_can_be_dropped() {
    let place = Place::created().await;
    let path = place.dir.path().join("a.db");
    let mut bytes = std::fs::read(&path).expect("it is there");
    bytes[100..200].fill(0xff);
    std::fs::write(&path, bytes).expect("it is written");
    assert!(place.server.connect(&SessionOptions::default()).await.is_err());
    assert_eq!(place.server.drop(Sessions::Keep).await, Ok(Dropped::Now { sessions: 0 }));
}

#[tokio::test]
async fn a_template_is_copied_while_it_is_open_and_never_over_another_database() {
    let place = Place::created().await;
    let mut session = place.session().await;
    session.transact(script("create table a (id int); insert into a values (7)")).await.expect("it runs");
    let copy = server("sqlite:copy.db", place.dir.path());
    let options = CreateOptions { template: Some("a.db".into()), ..CreateOptions::default() };
    assert_eq!(copy.create(&options).await, Ok(Created::Now));
    assert_eq!(copy.create(&options).await, Ok(Created::Already));
    let mut copied = copy.connect(&SessionOptions::default()).await.expect("it opens");
    assert_eq!(objects(&mut *copied).await, ["table a"]);
    assert_eq!(place.names(), ["a.db", "copy.db"]);
}

#[tokio::test]
async fn an_encoding_is_set_or_refused() {
    let place = Place::new();
    let with = |encoding: &str| CreateOptions { encoding: Some(encoding.into()), ..CreateOptions::default() };
    let error = place.server.create(&with("LATIN1")).await.expect_err("SQLite has no such encoding");
    assert_eq!(error.class, DbErrorClass::Configuration);
    assert!(place.names().is_empty(), "{:?}", place.names());
    assert_eq!(place.server.create(&with("UTF8")).await, Ok(Created::Now));
    let other = server("sqlite:b.db", place.dir.path());
    assert_eq!(other.create(&with("UTF-16")).await, Ok(Created::Now));
}

#[tokio::test]
async fn a_session_that_only_looks_cannot_write() {
    let place = Place::created().await;
    let mut session =
        place.session_with(SessionOptions { read_only: true, ..SessionOptions::default() }).await;
    let error = session.transact(script("create table a (id int)")).await.expect_err("it only looks");
    assert_eq!(error.error.class, DbErrorClass::ReadOnly, "{error:?}");
    let read_only = server("sqlite:a.db?mode=ro", place.dir.path());
    let mut session = read_only.connect(&SessionOptions::default()).await.expect("it opens");
    let error = session.transact(script("create table a (id int)")).await.expect_err("the URL says so");
    assert_eq!(error.error.class, DbErrorClass::ReadOnly, "{error:?}");
    assert_eq!(
        read_only.drop(Sessions::Keep).await.expect_err("the URL says so").class,
        DbErrorClass::ReadOnly
    );
    assert_eq!(create(&server("sqlite:b.db?mode=ro", place.dir.path())).await, Err(DbErrorClass::ReadOnly));
    assert_eq!(place.names(), ["a.db"]);
}

#[tokio::test]
async fn a_fresh_session_leaves_a_durable_file_and_nothing_beside_it() {
    let place = Place::created().await;
    let options = SessionOptions { fresh: true, foreign_keys: true, ..SessionOptions::default() };
    let mut session = place.session_with(options).await;
    session.transact(script("create table a (id int)")).await.expect("it runs");
    session.make_durable().await.expect("it is synced");
    session.transact(script("create table b (id int)")).await.expect("it runs");
    session.close().await;
    assert_eq!(place.names(), ["a.db"]);
}
