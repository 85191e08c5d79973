//! Advisory locks between sessions.

use super::*;

#[tokio::test]
async fn one_session_holds_a_lock_and_the_other_is_told_who() {
    let Some(scratch) = Scratch::new("locks").await else { return };
    let (mut first, mut second) = (scratch.session().await, scratch.session().await);
    let (main, manual) = (lock(Lane::Automatic), lock(Lane::Manual));
    assert_eq!(second.lock_holder(&main).await, Ok(None));
    assert_eq!(first.try_lock(&main).await, Ok(true));
    assert_eq!(second.try_lock(&main).await, Ok(false));
    assert_eq!(second.try_lock(&manual).await, Ok(true));
    let holder = second.lock_holder(&main).await.expect("it can look").expect("somebody holds it");
    let pid = first.about().session.clone().expect("a session has a name");
    let pid = pid.split(' ').next().expect("it begins with the process");
    assert!(
        holder.starts_with(&format!("pid {pid}, dbsetup test, from 127.0.0.1, connected since ")),
        "{holder}"
    );
    assert!(holder.ends_with(&format!("`select pg_terminate_backend({pid})` ends it")), "{holder}");
    first.unlock(&main).await.expect("it holds it");
    first.unlock(&main).await.expect_err("it does not hold it");
    assert_eq!(second.try_lock(&main).await, Ok(true));
    scratch.done().await;
}

#[tokio::test]
async fn work_can_take_its_lock_inside_the_transaction() {
    let Some(scratch) = Scratch::new("inside").await else { return };
    let (mut first, mut second) = (scratch.prepared().await, scratch.session().await);
    let main = lock(Lane::Automatic);
    let work = Work { lock: Some(&main), ..script("select 1") };
    assert_eq!(first.try_lock(&main).await, Ok(true));
    let error = second.transact(work).await.expect_err("it is held");
    assert_eq!(error.error.code.as_deref(), Some("55P03"));
    assert!(error.rolled_back);
    first.unlock(&main).await.expect("it holds it");
    second.transact(work).await.expect("it is free");
    assert_eq!(first.try_lock(&main).await, Ok(true));
    scratch.done().await;
}

#[tokio::test]
async fn a_session_can_be_ended_by_its_name_alone() {
    let Some(scratch) = Scratch::new("ended").await else { return };
    let mut first = scratch.session().await;
    let name = first.about().session.clone().expect("a session has a name");
    let other = format!("{} somebody else", name.split(' ').next().expect("it begins with the process"));
    scratch.server.end_session(&other).await.expect("nothing is to be done");
    assert_eq!(value(&mut first, "select 1").await, "1");
    scratch.server.end_session(&name).await.expect("it can be ended");
    assert!(first.look("select 1".into()).await.is_err());
    scratch.done().await;
}
