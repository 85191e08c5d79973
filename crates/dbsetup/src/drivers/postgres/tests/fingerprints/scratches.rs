//! Scratch databases: like the original, and gone whatever happened to their run.

use super::super::*;

async fn databases(session: &mut Session) -> Vec<String> {
    let query = "select datname from pg_database where datname like 'dbsetup\\_scratch\\_%' order by 1";
    let rows = session.look(query.to_owned()).await.expect("right");
    rows.into_iter().flatten().flatten().collect()
}

#[tokio::test]
async fn a_scratch_database_is_like_the_original_and_can_be_discarded_with_a_subscription_in_it() {
    let Some(original) = Scratch::new("scratch").await else { return };
    let scratch = original.server.scratch(None, None).await.expect("a superuser may");
    let name = scratch.target().database.clone();
    let mut session = original.session().await;
    assert!(databases(&mut session).await.contains(&name));
    let same = format!(
        "select count(distinct (encoding, datcollate, datctype)) from pg_database where datname in ('{name}', '{}')",
        original.name
    );
    assert_eq!(value(&mut session, &same).await, "1");
    let mut inside = scratch.connect(&options()).await.expect("it is there");
    inside.begin(true).await.expect("right");
    let subscription = "create subscription s connection 'host=nowhere' publication p with (connect = false)";
    inside.execute(subscription).await.expect("right");
    inside.commit(&[]).await.expect("right");
    // Its session is still open: whoever was interrupted has not closed it.
    scratch.discard().await.expect("it goes");
    assert!(!databases(&mut session).await.contains(&name));
    scratch.discard().await.expect("twice is once");
    session.goodbye().await;
    original.done().await;
}

#[tokio::test]
async fn what_a_dead_run_left_goes_and_what_a_living_one_has_stays() {
    let Some(original) = Scratch::new("stale").await else { return };
    let living = original.server.scratch(None, None).await.expect("a superuser may");
    let dead = original.server.scratch(None, None).await.expect("a superuser may");
    let (living_name, dead_name) = (living.target().database.clone(), dead.target().database.clone());
    // Dropping the value closes the connection that holds the lock, as the end of a process does.
    drop(dead);
    let mut session = original.session().await;
    let named_alike = format!("dbsetup_scratch_of_{}", std::process::id());
    session.message(format!("create database {named_alike}")).await.expect("right");
    // The server notices a little later that its client has gone.
    for _ in 0..500 {
        let next = original.server.scratch(None, None).await.expect("a superuser may");
        next.discard().await.expect("it goes");
        if !databases(&mut session).await.contains(&dead_name) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let left = databases(&mut session).await;
    assert!(
        !left.contains(&dead_name) && left.contains(&living_name) && left.contains(&named_alike),
        "{left:?}"
    );
    session.message(format!("drop database {named_alike}")).await.expect("right");
    living.discard().await.expect("it goes");
    session.goodbye().await;
    original.done().await;
}

#[tokio::test]
async fn without_the_right_to_make_one_the_advice_names_scratch_url() {
    let Some(original) = Scratch::new("scratch_rights").await else { return };
    let role = format!("dbsetup_test_scratchless_{}", std::process::id());
    let mut session = original.session().await;
    session.message(format!("create role {role} login password 'x'")).await.expect("right");
    let (_, address) = original.base.rsplit_once('@').expect("the URL names a role");
    let poor = DatabaseUrl::new(format!("postgres://{role}:x@{address}/{}", original.name));
    let poor = PostgresServer::new(&poor, None).expect("the URL is right");
    let error = poor.scratch(None, None).await.err().expect("it may not");
    assert_eq!(error.class, DbErrorClass::Permission);
    assert!(error.notes.iter().any(|note| note.contains("`scratch-url`")), "{error:?}");
    let elsewhere = DatabaseUrl::new(format!("{}/postgres", original.base));
    let scratch = poor.scratch(Some(&elsewhere), None).await.expect("that role may");
    scratch.discard().await.expect("it goes");
    session.message(format!("drop role {role}")).await.expect("right");
    session.goodbye().await;
    original.done().await;
}
