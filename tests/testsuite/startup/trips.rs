//! The usual start: how often it asks the server, and what it leaves alone.

use std::time::Instant;

use dbsetup::startup::{Outcome, Policy};
use sqlx::ConnectOptions as _;
use sqlx::Connection as _;
use sqlx::postgres::PgConnectOptions;

use super::app::{App, block_on};
use crate::support::fault::tell;
use crate::support::proxy::Proxy;
use crate::support::{Postgres, Sqlite, is_full_run, wait_until};

/// Waits until the last message, which nobody answers, has arrived.
fn settled(proxy: &Proxy) -> usize {
    let mut last = proxy.messages();
    loop {
        std::thread::sleep(std::time::Duration::from_millis(100));
        let now = proxy.messages();
        if now == last {
            return now;
        }
        last = now;
    }
}

#[test]
fn a_start_with_nothing_to_do_is_a_bare_connection_and_one_question() {
    let Some(app) = App::new(Postgres) else { return };
    for number in 0..50 {
        app.migration(&format!("{number}_t"), &format!("create table t{number} (id int);"));
    }
    app.file("manual_migrations/90_later.sql", "create table later (id int);");
    app.database().create();
    block_on(app.startup().run()).expect("it can be migrated");
    let proxy = Proxy::start(app.server().address());
    let url = app.url().replace(app.server().address(), &proxy.address());
    proxy.count();
    block_on(async {
        let options: PgConnectOptions = url.parse().expect("the URL is right");
        let mut connection = options.connect().await.expect("the server answers");
        sqlx::raw_sql("select 1").execute(&mut connection).await.expect("it is right");
        connection.close().await.expect("the server is there");
    });
    let bare = settled(&proxy);
    for policy in [Policy::Migrate, Policy::RequireCurrent] {
        proxy.count();
        let report = block_on(app.startup().url(&url).policy(policy).run()).expect("it is current");
        assert!(matches!(report.outcome, Outcome::NothingToDo), "{report:?}");
        assert_eq!(report.manual_pending, ["90"]);
        assert_eq!(settled(&proxy), bare, "{policy}: messages of the client");
    }
}

#[test]
fn a_start_with_nothing_to_do_asks_for_no_lock() {
    let Some(app) = App::new(Postgres) else { return };
    app.migration("1_t", "create table t (id int);");
    app.database().create();
    block_on(app.startup().run()).expect("it can be migrated");
    // Somebody runs a long migration of the next release, and has locked our own tables for reading alone.
    app.migration("2_long", "create table u (id int); select pg_sleep(3);");
    let long = app.start(&[]);
    let mut watch = app.database().postgres().session();
    wait_until("the long one runs", std::time::Duration::from_secs(30), || {
        !watch.query("select 1 from pg_locks where locktype = 'advisory' and granted").is_empty()
    });
    app.without("migrations/2_long.sql");
    let start = Instant::now();
    block_on(app.startup().run()).expect("it is current");
    assert!(start.elapsed() < std::time::Duration::from_secs(2), "{:?}", start.elapsed());
    long.wait().success();
}

#[test]
fn a_database_that_another_tool_migrated_is_seen_at_a_glance_from_the_second_start_on() {
    let Some(app) = App::new(Sqlite) else { return };
    app.migration("1_t", "create table t (id int);");
    app.database().create();
    block_on(app.startup().run()).expect("it can be migrated");
    app.database().execute("drop table dbsetup_meta");
    block_on(app.startup().run()).expect("it is current");
    assert_eq!(app.database().value("select value from dbsetup_meta where key = 'environment'"), "prod");
}

/// Says what the usual start costs beside a bare connection that reads the ledger. A loaded machine is no judge of
/// milliseconds, so that nothing is demanded here.
#[test]
fn the_price_of_a_start_with_nothing_to_do_is_told() {
    if !is_full_run() {
        return;
    }
    let Some(app) = App::new(Postgres) else { return };
    for number in 0..285 {
        app.migration(&format!("{number}_t"), &format!("create table t{number} (id int);"));
    }
    app.database().create();
    block_on(app.startup().run()).expect("it can be migrated");
    let url = app.url();
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    block_on(async {
        for _ in 0..100 {
            let start = Instant::now();
            let options: PgConnectOptions = url.parse().expect("the URL is right");
            let mut connection = options.connect().await.expect("the server answers");
            let read = "select version, checksum from schema_migrations order by seq";
            sqlx::raw_sql(read).fetch_all(&mut connection).await.expect("it is right");
            connection.close().await.expect("the server is there");
            bare.push(start.elapsed());
            let report = app.startup().run().await.expect("it is current");
            assert!(matches!(report.outcome, Outcome::NothingToDo));
            ours.push(report.took);
        }
    });
    bare.sort();
    ours.sort();
    tell(&format!("start-up: bare connection {:?}, with nothing to do {:?} (medians)", bare[50], ours[50]));
}
