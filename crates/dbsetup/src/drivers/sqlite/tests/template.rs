//! Templates: what is copied, and what is never used.

use super::*;
use crate::driver::{Cloned, Kept, Sessions, TemplateName, TemplateNote, Templates};

fn template() -> TemplateName {
    TemplateName::new("0123456789abcdef01234567").expect("it is a name")
}

fn note() -> TemplateNote {
    TemplateNote {
        repo: "core".into(),
        database: Some("core_dev".into()),
        home: Some("0123456789abcdef".into()),
        migrations: 2,
    }
}

async fn filled(server: &SqliteServer, sql: &str) {
    server.create(&CreateOptions::default()).await.expect("it is made");
    let mut session = server.connect(&SessionOptions::default()).await.expect("it opens");
    session.run_alone(sql, &[]).await.expect("it runs");
    session.close().await;
}

#[tokio::test]
async fn a_copy_has_what_the_original_had_with_its_wal_mode_and_nothing_of_what_came_later() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (server("sqlite:a.db", dir.path()), server("sqlite:b.db", dir.path()));
    filled(&first, "PRAGMA journal_mode=WAL").await;
    filled(&first, "CREATE TABLE kept (a)").await;
    assert_eq!(second.clone_template(&template(), &CreateOptions::default()).await, Ok(Cloned::NoTemplate));
    assert_eq!(first.keep_template(&template(), &note()).await, Ok(Kept::Now));
    assert_eq!(first.keep_template(&template(), &note()).await, Ok(Kept::Already));
    filled(&first, "CREATE TABLE later (a)").await;
    let cloned = second.clone_template(&template(), &CreateOptions::default()).await;
    assert_eq!(cloned, Ok(Cloned::Now(Some(note()))));
    assert_eq!(second.clone_template(&template(), &CreateOptions::default()).await, Ok(Cloned::Already));
    let bytes = std::fs::read(dir.path().join("b.db")).expect("it is there");
    assert_eq!(bytes[18], 2, "a migration chose WAL");
    let mut session = second.connect(&SessionOptions::default()).await.expect("it opens");
    let tables = session.user_objects(&ledger(), 10).await.expect("right");
    assert_eq!(tables, ["table kept"]);
    session.close().await;
    let names: Vec<String> = std::fs::read_dir(dir.path())
        .expect("it is there")
        .map(|entry| entry.expect("it is there").file_name().to_string_lossy().into_owned())
        .filter(|name| name.contains("copy"))
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[tokio::test]
async fn a_template_that_is_cut_off_is_as_good_as_none() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (server("sqlite:a.db", dir.path()), server("sqlite:b.db", dir.path()));
    filled(&first, "CREATE TABLE kept (a)").await;
    assert_eq!(first.keep_template(&template(), &note()).await, Ok(Kept::Now));
    let file = dir.path().join(format!(".dbsetup-templates/{}.db", template()));
    let whole = std::fs::read(&file).expect("it is there");
    for length in [0, 99, 4096, whole.len() - 1] {
        std::fs::write(&file, &whole[..length]).expect("it is written");
        let cloned = second.clone_template(&template(), &CreateOptions::default()).await;
        assert_eq!(cloned, Ok(Cloned::NoTemplate), "{length} bytes");
        assert_eq!(second.exists().await, Ok(false), "{length} bytes");
    }
}

#[tokio::test]
async fn nothing_is_kept_while_somebody_writes() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = server("sqlite:a.db", dir.path());
    filled(&first, "CREATE TABLE kept (a)").await;
    let mut other = first.connect(&SessionOptions::default()).await.expect("it opens");
    other.begin(false).await.expect("right");
    other.execute("INSERT INTO kept VALUES (1)").await.expect("right");
    let kept = first.keep_template(&template(), &note()).await.expect("no failure");
    assert!(matches!(kept, Kept::Cannot(_)), "{kept:?}");
    other.commit(&[]).await.expect("the writer was not disturbed");
    other.close().await;
    assert_eq!(first.keep_template(&template(), &note()).await, Ok(Kept::Now));
}

#[tokio::test]
async fn the_log_of_an_earlier_database_is_not_read_into_a_copy() {
    let dir = tempfile::tempdir().expect("a directory");
    let (first, second) = (server("sqlite:a.db", dir.path()), server("sqlite:b.db", dir.path()));
    filled(&first, "CREATE TABLE kept (a)").await;
    assert_eq!(first.keep_template(&template(), &note()).await, Ok(Kept::Now));
    std::fs::write(dir.path().join("b.db-wal"), "old").expect("it is written");
    let cloned = second.clone_template(&template(), &CreateOptions::default()).await.expect("no failure");
    assert!(matches!(cloned, Cloned::Cannot(_)), "{cloned:?}");
}

#[tokio::test]
async fn templates_are_listed_and_removed_and_one_at_a_time_makes_one() {
    let dir = tempfile::tempdir().expect("a directory");
    let first = server("sqlite:a.db", dir.path());
    assert_eq!(first.templates().await, Ok(Vec::new()));
    filled(&first, "CREATE TABLE kept (a)").await;
    assert_eq!(first.keep_template(&template(), &note()).await, Ok(Kept::Now));
    let found = first.templates().await.expect("right");
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].name, found[0].note.as_ref(), found[0].usable), (&template(), Some(&note()), true));
    assert!(found[0].made.is_some() && found[0].used.is_some() && found[0].bytes > Some(0));
    assert_eq!(first.remove_template(&found[0]).await, Ok(true));
    assert_eq!(first.remove_template(&found[0]).await, Ok(false));
    let claim = first.claim_template(&template()).await.expect("right").expect("nobody has it");
    assert!(first.claim_template(&template()).await.expect("right").is_none());
    claim.release().await;
    assert!(first.claim_template(&template()).await.expect("right").is_some());
}

#[tokio::test]
async fn what_another_process_of_the_same_number_left_is_in_nobodys_way() {
    let dir = tempfile::tempdir().expect("a directory");
    let server = server("sqlite:a.db", dir.path());
    for number in 0..100 {
        for name in [
            format!(".dbsetup-warm-{}-{number}.db", std::process::id()),
            format!("a.db-dbsetup-copy-{}-{number}", std::process::id()),
        ] {
            std::fs::write(dir.path().join(name), "somebody's").expect("it can be written");
        }
    }
    let shop = server.workshop().await.expect("a name is found");
    assert_eq!(shop.server().exists().await, Ok(false));
    filled(&server, "CREATE TABLE kept (a)").await;
    assert_eq!(server.keep_template(&template(), &note()).await, Ok(Kept::Now));
    server.drop(Sessions::Keep).await.expect("it goes");
    let cloned = server.clone_template(&template(), &CreateOptions::default()).await;
    assert_eq!(cloned, Ok(Cloned::Now(Some(note()))));
    for entry in std::fs::read_dir(dir.path()).expect("it is there") {
        let path = entry.expect("it is there").path();
        if path.display().to_string().contains(&std::process::id().to_string()) {
            assert_eq!(std::fs::read(&path).expect("it is there"), b"somebody's", "{}", path.display());
        }
    }
}
