//! The fingerprints of PostgreSQL's own test databases and of what `pg_dump | psql` makes of them: they differ in what
//! pg_dump is known to lose, and in nothing else.
//!
//! `DBSETUP_TEST_REGRESSION_15` (16, 17, 18) is the URL of a superuser of a server with the databases `regression` and
//! `dumptest`, and `DBSETUP_TEST_REGRESSION_15_PROGRAMS` the directory of its pg_dump and psql where that is not
//! `/usr/lib/postgresql/15/bin`. Neither database is changed.

use std::ops::RangeInclusive;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::super::*;
use crate::structure::{Difference, differences};

/// The releases that a variable may name.
const RELEASES: [u32; 4] = [15, 16, 17, 18];

/// Something that pg_dump does not write, or that its text does not make again.
struct Loss {
    what: &'static str,
    /// The releases whose pg_dump loses it.
    releases: RangeInclusive<u32>,
    /// Shows it in an empty database.
    reproducer: &'static str,
    is: fn(&Difference) -> bool,
}

fn is_about(difference: &Difference, objects: &[&str]) -> bool {
    let place = format!("{} {}", difference.catalog, difference.object);
    let place = place.strip_prefix("pg_depend ").unwrap_or(&place);
    objects.iter().any(|object| place.starts_with(object))
}

const LOSSES: [Loss; 5] = [
    Loss {
        what: "members that were added to an operator family of the engine's",
        releases: 12..=18,
        reproducer: "create type pair as (a int);
            create function same(pair, pair) returns bool language sql immutable as 'select true';
            create function compared(pair, pair) returns int language sql immutable as 'select 0';
            create operator === (function = same, leftarg = pair, rightarg = pair);
            alter operator family integer_ops using btree add operator 3 === (pair, pair),
                function 1 compared(pair, pair)",
        is: |difference| {
            is_about(difference, &["pg_amop btree.integer_ops.", "pg_amproc btree.integer_ops("])
        },
    },
    Loss {
        what: "the order of columns that a table had before it got a parent",
        releases: 12..=18,
        reproducer: "create table p (a int); create table c (b int, a int); alter table c inherit p",
        is: |difference| {
            is_about(difference, &["pg_attribute "]) && difference.property.as_deref() == Some("attnum")
        },
    },
    Loss {
        what: "operators that are only announced, by another one that has gone",
        releases: 12..=18,
        reproducer: "create function f(bool, bool) returns bool language sql as 'select true';
            create operator === (function = f, leftarg = bool, rightarg = bool, negator = !==);
            drop operator === (bool, bool)",
        is: |difference| is_about(difference, &["pg_operator public.\"!==\"(bool, bool)"]),
    },
    Loss {
        what: "a rule of a table that is called as those of views are",
        releases: 12..=17,
        reproducer: "create table rtest_t4 (a int); create table seen (a int);
            create rule r as on insert to rtest_t4 do also insert into seen values (new.a);
            alter rule r on rtest_t4 rename to \"_RETURN\"",
        is: |difference| is_about(difference, &["pg_rewrite public.rtest_t4.\"_RETURN\""]),
    },
    Loss {
        what: "whether a child's NOT NULL is its own, and its name, where the parent's is not valid",
        releases: 18..=18,
        reproducer: "create table p (a int) partition by list (a); create table c (a int);
            alter table c add constraint nn_c not null a not valid;
            alter table p add constraint nn_p not null a not valid;
            alter table p attach partition c for values in (1)",
        is: |difference| {
            let is_own = difference.property.as_deref() == Some("conislocal")
                && (difference.original.as_deref(), difference.copy.as_deref()) == (Some("f"), Some("t"));
            is_about(difference, &["pg_constraint "]) && is_own
                || is_about(
                    difference,
                    &[
                        "pg_constraint public.c.nn_",
                        "pg_constraint public.constr_child3.constr_parent",
                        "pg_constraint public.notnull_part1_3_upg.n",
                    ],
                )
        },
    },
];

/// A server of one release, with its pg_dump.
struct Release {
    number: u32,
    base: String,
    programs: String,
}

impl Release {
    /// Returns nothing where no variable names one.
    fn find(number: u32) -> Option<Self> {
        let variable = format!("DBSETUP_TEST_REGRESSION_{number}");
        let Ok(url) = std::env::var(&variable) else {
            eprintln!("skipped: {variable} is not set");
            return None;
        };
        let base = &url[..url.rfind('/').expect("the URL names a database")];
        let programs = std::env::var(format!("{variable}_PROGRAMS"))
            .unwrap_or_else(|_| format!("/usr/lib/postgresql/{number}/bin"));
        Some(Self { number, base: base.to_owned(), programs })
    }

    async fn empty(&self, name: &str) -> PostgresServer {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("dbsetup_test_fingerprint_{name}_{}_{number}", std::process::id());
        let server = server(&self.base, &name);
        server.drop(Sessions::End).await.expect("an old one can be dropped");
        let create = CreateOptions { template: Some("template0".into()), ..CreateOptions::default() };
        assert_eq!(server.create(&create).await, Ok(Created::Now));
        server
    }

    /// Restores what pg_dump says of one database into another, past errors.
    fn restore(&self, from: &str, to: &str, all: bool) {
        let mut dump = Command::new(format!("{}/pg_dump", self.programs));
        dump.args(["--schema-only", &format!("{}/{from}", self.base)]);
        if !all {
            dump.args(["--no-owner", "--no-privileges"]);
        }
        let mut dump = dump.env("PGTZ", "UTC").stdout(Stdio::piped()).spawn().expect("pg_dump is installed");
        let restored = Command::new("psql")
            .args(["-Xq", &format!("{}/{to}", self.base)])
            .stdin(dump.stdout.take().expect("it was asked for"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(restored.expect("psql is installed").success());
        assert!(dump.wait().expect("it runs").success());
    }

    /// Returns what differs between a database and what pg_dump makes of it.
    async fn lost(&self, from: &PostgresServer, all: bool) -> Vec<Difference> {
        let to = self.empty("copy").await;
        self.restore(&from.target.database, &to.target.database, all);
        let request = DumpRequest { owners: all, privileges: all, ..DumpRequest::default() };
        let mut taken = Vec::new();
        for server in [from, &to] {
            let mut session = Session::connect(&server.place, &options()).await.expect("the server answers");
            taken.push(session.fingerprint(&request).await.expect("the catalogs can be read"));
            session.goodbye().await;
        }
        // A subscription keeps its database.
        scratch::forget_subscriptions(&to.place).await.expect("they are not connected");
        to.drop(Sessions::End).await.expect("it can be dropped");
        let found = differences(&taken[0], &taken[1]);
        eprintln!(
            "{} `{}`{}: {} facts, {} differences",
            self.number,
            from.target.database,
            if all { " with owners and privileges" } else { "" },
            taken[0].facts.len(),
            found.len()
        );
        found
    }
}

#[tokio::test]
async fn what_pg_dump_restores_differs_in_what_it_is_known_to_lose() {
    for release in RELEASES.into_iter().filter_map(Release::find) {
        for database in ["regression", "dumptest"] {
            let from = server(&release.base, database);
            if from.exists().await != Ok(true) {
                eprintln!("skipped: there is no `{database}` of release {}", release.number);
                continue;
            }
            for all in [false, true] {
                let found = release.lost(&from, all).await;
                let unknown: Vec<String> = found
                    .iter()
                    .filter(|found| {
                        !LOSSES.iter().any(|loss| loss.releases.contains(&release.number) && (loss.is)(found))
                    })
                    .map(ToString::to_string)
                    .collect();
                assert!(unknown.is_empty(), "{}", unknown.join("\n"));
            }
        }
    }
}

#[tokio::test]
async fn every_known_loss_can_be_shown() {
    for release in RELEASES.into_iter().filter_map(Release::find) {
        for loss in LOSSES.iter().filter(|loss| loss.releases.contains(&release.number)) {
            let from = release.empty("loss").await;
            let mut session = Session::connect(&from.place, &options()).await.expect("the server answers");
            session.message(loss.reproducer.to_owned()).await.expect(loss.what);
            session.goodbye().await;
            let found = release.lost(&from, false).await;
            from.drop(Sessions::End).await.expect("it can be dropped");
            assert!(!found.is_empty(), "{}: pg_dump {} keeps it", loss.what, release.number);
            assert!(found.iter().all(|found| (loss.is)(found)), "{}: {found:#?}", loss.what);
        }
    }
}
