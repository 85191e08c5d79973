//! The census on every server that can be reached.
//!
//! `DBSETUP_TEST_RELEASE_12` and so on name servers of further releases, by superusers' URLs;
//! `DBSETUP_TEST_REGRESSION_15`, `_17` and `_18` the database `regression` of PostgreSQL's own tests, with `dumptest`,
//! the objects of pg_dump's own tests, beside it.

use std::collections::BTreeMap;

use super::*;

/// Sessions on every server there is, in a database that has nothing to be left out.
async fn releases() -> Vec<Session> {
    let more = (12..100).filter_map(|major| std::env::var(format!("DBSETUP_TEST_RELEASE_{major}")).ok());
    let mut sessions = Vec::new();
    for url in more.chain(base().map(|base| format!("{base}/postgres"))) {
        let server = PostgresServer::new(&DatabaseUrl::new(url), None).expect("the URL is right");
        sessions.push(Session::connect(&server.place, &options()).await.expect("the server answers"));
    }
    sessions
}

#[tokio::test]
async fn every_column_of_every_release_is_known_and_nothing_built_in_is_taken_for_changed() {
    for mut session in releases().await {
        let major = session.version / 10_000;
        let known = Table::built_in();
        let mut live: Vec<(String, String)> = Vec::new();
        let columns = "SELECT c.relname, a.attname, a.atttypid IN ('\"char\"'::regtype, '\"char\"[]'::regtype) \
            FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 \
            WHERE c.relnamespace = 'pg_catalog'::regnamespace AND c.relkind = 'r' AND c.oid < 16384";
        for row in session.look(columns.into()).await.expect("the query is right") {
            let cell = |index: usize| row[index].clone().expect("it is never null");
            let (catalog, column) = (cell(0), cell(1));
            if major <= LAST && cell(2) == "t" {
                let known = known.column(major, &catalog, &column);
                assert!(known.is_some_and(Known::has_letters), "{major}: {catalog}.{column}");
            }
            live.push((catalog, column));
        }
        if major <= LAST {
            let mut missing = live.clone();
            missing.retain(|(catalog, column)| known.column(major, catalog, column).is_none());
            assert_eq!(missing, [], "columns.txt lacks what PostgreSQL {major} has");
            let mut gone: Vec<(&str, &str)> = known.expected(major).collect();
            gone.retain(|(at, name)| !live.iter().any(|(catalog, column)| catalog == at && column == name));
            assert_eq!(gone, [], "columns.txt has what PostgreSQL {major} has not");
        }
        let database = value(&mut session, "SELECT current_database()").await;
        let census = census(&mut session).await;
        let result = whole(&mut session, &census).await;
        assert_eq!(result, Ok(vec![]), "PostgreSQL {major}, database {database}");
    }
}

#[tokio::test]
async fn a_server_that_is_newer_than_the_table_is_dumped_as_long_as_nothing_new_is_used() {
    let Ok(url) = std::env::var("DBSETUP_TEST_RELEASE_18") else {
        return eprintln!("skipped: DBSETUP_TEST_RELEASE_18 is not set");
    };
    let end = url.rfind('/').expect("the URL names a database");
    let name = format!("dbsetup_test_census_newer_{}", std::process::id());
    let newer = server(&url[..end], &name);
    newer.create(&CreateOptions::default()).await.expect("right");
    let mut session = Session::connect(&newer.place, &options()).await.expect("the server answers");
    // What release 18 brought is taken for unknown.
    let of_17 = table(|_, line| {
        let is_new = line.contains(" 18-") || line.trim_start().starts_with("contype ");
        Some(match line.trim_start().split(' ').next() {
            Some("contype") => "  contype emitted letters cfptux".to_owned(),
            _ if is_new => String::new(),
            _ => line.to_owned(),
        })
    });
    let census = census_with(&mut session, of_17, Asked::default()).await;
    session.transact(script("create table t (id int, other int check (other > 0))")).await.expect("right");
    let notes = whole(&mut session, &census).await.expect("nothing new is used");
    let unknown = [
        "pg_class.relallfrozen",
        "pg_constraint.conenforced",
        "pg_constraint.conperiod",
        "pg_publication.pubgencols",
    ];
    let expected = unknown.map(|column| {
        format!("this release does not know the column `{column}`; no object that is written uses it")
    });
    assert_eq!(notes, expected);
    let changes = "alter table t alter id set not null; alter table t add check (id > 0) not enforced";
    session.transact(script(changes)).await.expect("right");
    let error = whole(&mut session, &census).await.expect_err("two new things are used");
    assert_eq!(
        lines(&error),
        [
            "`table constraint t_id_check on public.t` uses the column `pg_constraint.conenforced`, which this release does not know",
            "`table constraint t_id_not_null on public.t` uses the letter `n` in `pg_constraint.contype`, which this release does not know",
        ]
    );
    drop(session);
    newer.drop(Sessions::End).await.expect("right");
}

/// The number of objects in each catalog, counted in another way.
async fn counted(session: &mut Session) -> BTreeMap<u32, usize> {
    let catalogs = "SELECT c.oid, c.relname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_attribute a \
        ON a.attrelid = c.oid AND a.attname = 'oid' WHERE c.relnamespace = 11 AND c.relkind = 'r' \
        AND c.relname NOT IN ('pg_enum', 'pg_largeobject_metadata') \
        AND (NOT c.relisshared OR c.relname = 'pg_subscription') AND c.oid < 16384";
    let mut counts = BTreeMap::new();
    for row in session.look(catalogs.into()).await.expect("the query is right") {
        let cell = |index: usize| row[index].clone().expect("it is never null");
        let condition = match cell(1).as_str() {
            "pg_class" => "relnamespace::regnamespace::text NOT IN ('pg_toast')",
            "pg_type" => "typnamespace::regnamespace::text NOT IN ('pg_toast')",
            "pg_namespace" => "nspname NOT LIKE 'pg\\_t%'",
            "pg_subscription" => "subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())",
            _ => "true",
        };
        let query = format!("SELECT count(*) FROM pg_catalog.{} WHERE oid > 16383 AND {condition}", cell(1));
        let count: usize = value(session, &query).await.parse().expect("it is a number");
        if count > 0 {
            counts.insert(cell(0).parse().expect("it is a number"), count);
        }
    }
    counts
}

#[tokio::test]
async fn every_object_of_postgres_own_tests_is_counted_and_each_that_is_forgotten_is_named() {
    for major in [15, 17, 18] {
        let Ok(url) = std::env::var(format!("DBSETUP_TEST_REGRESSION_{major}")) else {
            eprintln!("skipped: DBSETUP_TEST_REGRESSION_{major} is not set");
            continue;
        };
        let end = url.rfind('/').expect("the URL names a database");
        for database in ["regression", "dumptest"] {
            let server = server(&url[..end], database);
            let mut session = Session::connect(&server.place, &options()).await.expect("the server answers");
            let census = census(&mut session).await;
            let answers = session.looks(census.queries()).await.expect("the queries are right");
            let verdict = census.judge(&answers, &|_| None, &|_| true);
            let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
            for object in &verdict.objects {
                *counts.entry(object.class).or_default() += 1;
            }
            assert_eq!(counts, counted(&mut session).await, "{database} of {major}");
            assert_eq!(verdict.follow_up(), None, "{database} of {major}");

            // One of each kind is forgotten: each is named.
            let mut forgotten: Vec<Address> = Vec::new();
            for object in verdict.objects {
                if forgotten.last().is_none_or(|last| last.class != object.class) {
                    forgotten.push(object);
                }
            }
            for address in forgotten {
                let disposition = |object| (object != address).then_some(Disposition::Written);
                let error = census.close(&mut session, &answers, &disposition, &|_| true).await;
                let error = error.expect_err("one is missing");
                assert!(error.message.ends_with("` cannot be written"), "{error:?}");
                assert!(!error.message.starts_with("`row "), "{error:?}");
            }
        }
    }
}
