//! Templates: what is copied, by whom, and what is never used.

use super::*;
use crate::driver::{Cloned, DbErrorClass, Kept, TemplateName, TemplateNote, Templates};

/// A name that no other run has.
fn template() -> TemplateName {
    let digits = format!("{}{}", session::random(), session::random());
    TemplateName::new(&digits).expect("it is hexadecimal")
}

fn note() -> TemplateNote {
    TemplateNote {
        repo: "core".into(),
        database: Some("core_dev".into()),
        home: Some("0123456789abcdef".into()),
        migrations: 2,
    }
}

async fn remove(server: &PostgresServer, template: &TemplateName) {
    for info in server.templates().await.expect("right") {
        if info.name == *template {
            assert_eq!(server.remove_template(&info).await, Ok(true));
            assert_eq!(server.remove_template(&info).await, Ok(false));
        }
    }
}

#[tokio::test]
async fn a_copy_is_made_of_a_closed_template_and_has_what_the_original_had() {
    let Some(scratch) = Scratch::new("templated").await else { return };
    let mut session = scratch.prepared().await;
    session.run_alone("create table kept (a int)", &[]).await.expect("right");
    Box::new(session).close().await;
    let (name, options) = (template(), CreateOptions::default());
    let copy = server(&scratch.base, &format!("dbsetup_test_copy_{}", std::process::id()));
    copy.drop(Sessions::End).await.expect("right");
    assert_eq!(copy.clone_template(&name, &options).await, Ok(Cloned::NoTemplate));
    assert_eq!(scratch.server.keep_template(&name, &note()).await, Ok(Kept::Now));
    assert_eq!(scratch.server.keep_template(&name, &note()).await, Ok(Kept::Already));
    assert_eq!(copy.clone_template(&name, &options).await, Ok(Cloned::Now(Some(note()))));
    assert_eq!(copy.clone_template(&name, &options).await, Ok(Cloned::Already));
    let mut session = Session::connect(&copy.place, &super::options()).await.expect("it answers");
    assert_eq!(value(&mut session, "select count(*)::text from kept").await, "0");
    Box::new(session).close().await;
    let found = copy.templates().await.expect("right");
    let info = found.iter().find(|info| info.name == name).expect("it is listed");
    assert_eq!((info.note.as_ref(), info.usable, info.made), (Some(&note()), true, info.used));
    assert!(info.bytes > Some(1_000_000) && info.made.is_some(), "{info:?}");
    let closed = server(&scratch.base, &info.shown).connect(&super::options()).await.err();
    assert_eq!(closed.expect("nobody gets in").code.as_deref(), Some("55000"));
    copy.drop(Sessions::Keep).await.expect("right");
    remove(&copy, &name).await;
    scratch.done().await;
}

#[tokio::test]
async fn many_copies_at_once_of_one_template_all_succeed() {
    let Some(scratch) = Scratch::new("many").await else { return };
    let name = template();
    assert_eq!(scratch.server.keep_template(&name, &note()).await, Ok(Kept::Now));
    let options = CreateOptions::default();
    let servers: Vec<PostgresServer> = (0..6)
        .map(|n| server(&scratch.base, &format!("dbsetup_test_many_{n}_{}", std::process::id())))
        .collect();
    let clones = servers.iter().map(|server| server.clone_template(&name, &options));
    let cloned = futures_util::future::join_all(clones).await;
    assert!(cloned.iter().all(|made| *made == Ok(Cloned::Now(Some(note())))), "{cloned:?}");
    for server in &servers {
        assert_eq!(server.drop(Sessions::Keep).await, Ok(Dropped::Now { sessions: 0 }));
    }
    remove(&scratch.server, &name).await;
    scratch.done().await;
}

#[tokio::test]
async fn a_database_that_a_copy_would_be_poorer_than_is_not_kept() {
    let Some(scratch) = Scratch::new("richer").await else { return };
    let quoted = text::name(&scratch.name);
    for (set, reset, why) in [
        ("alter database {} set timezone = 'UTC'", "alter database {} reset all", "settings of its own"),
        ("comment on database {} is 'ours'", "comment on database {} is null", "a comment"),
        ("alter database {} connection limit 7", "alter database {} connection limit -1", "a limit"),
        ("revoke connect on database {} from public", "", "privileges of its own"),
    ] {
        let mut session = scratch.session().await;
        session.run_alone(&set.replace("{}", &quoted), &[]).await.expect("right");
        Box::new(session).close().await;
        let name = template();
        match scratch.server.keep_template(&name, &note()).await {
            Ok(Kept::Cannot(said)) => assert!(said.contains(why), "{said}"),
            other => panic!("{set}: {other:?}"),
        }
        if !reset.is_empty() {
            let mut session = scratch.session().await;
            session.run_alone(&reset.replace("{}", &quoted), &[]).await.expect("right");
            Box::new(session).close().await;
        }
    }
    scratch.done().await;
}

#[tokio::test]
async fn nothing_is_kept_while_somebody_is_connected() {
    let Some(scratch) = Scratch::new("busy").await else { return };
    let session = scratch.session().await;
    let started = std::time::Instant::now();
    let kept = scratch.server.keep_template(&template(), &note()).await;
    assert_eq!(kept, Ok(Kept::Cannot("somebody is connected to the database".into())));
    assert!(started.elapsed() < Duration::from_secs(3), "nobody waits for a cache");
    drop(session);
    scratch.done().await;
}

#[tokio::test]
async fn a_template_of_another_role_or_one_that_is_open_is_passed_over() {
    let Some(scratch) = Scratch::new("trap").await else { return };
    let mut session = scratch.session().await;
    let role = format!("dbsetup_test_trapper_{}", std::process::id());
    let major = session.version / 10_000;
    for sql in [format!("drop role if exists {role}"), format!("create role {role} createdb")] {
        session.run_alone(&sql, &[]).await.expect("right");
    }
    let copy = server(&scratch.base, &format!("dbsetup_test_trapped_{}", std::process::id()));
    let options = CreateOptions::default();
    for (name, more) in
        [(template(), format!("owner {role} allow_connections false")), (template(), String::new())]
    {
        let database = format!("dbsetup_template_{major}_{name}");
        session.run_alone(&format!("create database {database} {more}"), &[]).await.expect("right");
        assert_eq!(copy.clone_template(&name, &options).await, Ok(Cloned::NoTemplate), "{more}");
        session.run_alone(&format!("drop database {database}"), &[]).await.expect("right");
    }
    session.run_alone(&format!("drop role {role}"), &[]).await.expect("right");
    Box::new(session).close().await;
    scratch.done().await;
}

#[tokio::test]
async fn a_role_that_may_not_create_databases_is_told_so_without_a_failure() {
    let Some(scratch) = Scratch::new("may_not").await else { return };
    let mut session = scratch.session().await;
    let role = format!("dbsetup_test_may_not_{}", std::process::id());
    for sql in [format!("drop role if exists {role}"), format!("create role {role} login password 'p'")] {
        session.run_alone(&sql, &[]).await.expect("right");
    }
    let place::Host::Name(host) = &scratch.server.place.host else { return scratch.done().await };
    let base = format!("postgres://{role}:p@{host}:{}", scratch.server.place.port);
    let other = server(&base, "dbsetup_test_missing");
    let cloned = other.clone_template(&template(), &CreateOptions::default()).await;
    assert_eq!(cloned, Ok(Cloned::Cannot("the role may not create databases".into())));
    drop(other);
    session.run_alone(&format!("drop role {role}"), &[]).await.expect("right");
    Box::new(session).close().await;
    scratch.done().await;
}

#[tokio::test]
async fn one_maker_at_a_time_has_the_right_to_a_template_until_it_dies() {
    let Some(scratch) = Scratch::new("claims").await else { return };
    let name = template();
    let claim = scratch.server.claim_template(&name).await.expect("right").expect("nobody has it");
    assert!(scratch.server.claim_template(&name).await.expect("right").is_none());
    assert!(scratch.server.claim_template(&template()).await.expect("right").is_some());
    // A process that dies closes its sockets, and says nothing.
    drop(claim);
    let mut again = None;
    for _ in 0..100 {
        again = scratch.server.claim_template(&name).await.expect("right");
        if again.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    again.expect("the server noticed").release().await;
    scratch.done().await;
}

#[tokio::test]
async fn what_is_no_template_is_never_removed_as_one() {
    let Some(scratch) = Scratch::new("spared").await else { return };
    let info = crate::driver::TemplateInfo {
        name: template(),
        shown: scratch.name.clone(),
        note: None,
        made: None,
        used: None,
        bytes: None,
        usable: true,
    };
    let error = scratch.server.remove_template(&info).await.expect_err("it is a database of somebody's");
    assert_eq!(error.class, DbErrorClass::Refused);
    assert_eq!(scratch.server.exists().await, Ok(true));
    scratch.done().await;
}
