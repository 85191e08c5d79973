//! The fingerprints of PostgreSQL's own test databases and of what `pg_dump | psql` makes of them: they differ in what
//! pg_dump is known to lose, and in nothing else.
//!
//! `DBSETUP_TEST_REGRESSION_15` (16, 17, 18) is the URL of a superuser of such a server, with the database `regression`;
//! `dumptest` beside it is compared where it is there. `DBSETUP_TEST_REGRESSION_15_BIN` names the directory of pg_dump
//! and psql where that is not `/usr/lib/postgresql/15/bin`. Neither database is changed.

use std::process::{Command, Stdio};

use super::super::*;
use crate::structure::differences;

/// The releases that a variable may name.
const RELEASES: [u32; 4] = [15, 16, 17, 18];

async fn compare(release: u32, database: &str, base: &str, all: bool) -> Option<Vec<String>> {
    let from = server(base, database);
    if from.exists().await != Ok(true) {
        eprintln!("skipped: no database `{database}` of release {release}");
        return None;
    }
    let name = format!("dbsetup_test_fingerprint_{database}_{release}_{}", std::process::id());
    let to = server(base, &name);
    to.drop(Sessions::End).await.expect("an old one can be dropped");
    let create = CreateOptions { template: Some("template0".into()), ..CreateOptions::default() };
    assert_eq!(to.create(&create).await, Ok(Created::Now));
    let programs = std::env::var(format!("DBSETUP_TEST_REGRESSION_{release}_BIN"))
        .unwrap_or_else(|_| format!("/usr/lib/postgresql/{release}/bin"));
    let mut dump = Command::new(format!("{programs}/pg_dump"));
    dump.args(["--schema-only", &format!("{base}/{database}")]).stdout(Stdio::piped());
    if !all {
        dump.args(["--no-owner", "--no-privileges"]);
    }
    let mut dump = dump.env("PGTZ", "UTC").spawn().expect("pg_dump is installed");
    let text = dump.stdout.take().expect("it was asked for");
    let restored = Command::new("psql")
        .args(["-Xq", &format!("{base}/{name}")])
        .stdin(text)
        .stdout(Stdio::null())
        .output()
        .expect("psql is installed");
    assert!(dump.wait().expect("it runs").success());
    let complaints = String::from_utf8_lossy(&restored.stderr).into_owned();
    let request = DumpRequest { owners: all, privileges: all, ..DumpRequest::default() };
    let mut fingerprints = Vec::new();
    for server in [&from, &to] {
        let mut session = Session::connect(&server.place, &options()).await.expect("the server answers");
        let start = std::time::Instant::now();
        let fingerprint = session.fingerprint(&request).await.expect("the catalogs can be read");
        eprintln!("{} facts of {} in {:?}", fingerprint.facts.len(), server.target.database, start.elapsed());
        fingerprints.push(fingerprint);
        session.goodbye().await;
    }
    let mut session = Session::connect(&to.place, &options()).await.expect("the server answers");
    let subscriptions = "select format('alter subscription %1$I disable; alter subscription %1$I set (slot_name = none); \
                         drop subscription %1$I', subname) from pg_subscription where subdbid = \
                         (select oid from pg_database where datname = current_database())";
    for row in session.look(subscriptions.to_owned()).await.expect("right") {
        for statement in row[0].as_deref().unwrap_or_default().split("; ") {
            session.look(statement.to_owned()).await.expect("it is not connected");
        }
    }
    session.goodbye().await;
    to.drop(Sessions::End).await.expect("it can be dropped");
    let found = differences(&fingerprints[0], &fingerprints[1]);
    eprintln!("{complaints}");
    Some(found.iter().map(ToString::to_string).collect())
}

#[tokio::test]
async fn what_pg_dump_restores_differs_in_what_it_loses() {
    for release in RELEASES {
        let Ok(url) = std::env::var(format!("DBSETUP_TEST_REGRESSION_{release}")) else {
            eprintln!("skipped: DBSETUP_TEST_REGRESSION_{release} is not set");
            continue;
        };
        let base = url.strip_suffix("/regression").expect("the URL names the database `regression`");
        for (database, all) in
            [("regression", false), ("dumptest", false), ("regression", true), ("dumptest", true)]
        {
            let Some(found) = compare(release, database, base, all).await else { continue };
            eprintln!("{release} {database} {all}: {} differences\n{}", found.len(), found.join("\n"));
        }
    }
}
