//! The databases of PostgreSQL's own tests: dumped, loaded, and looked at by pg_dump.

use super::oracle::{Listing, judge};
use super::programs;
use super::servers::Regression;
use crate::support::fault::tell;

/// Dumps a shared database, loads it into a new one, and has pg_dump compare, with and without owners and privileges.
#[track_caller]
fn comes_back(major: u32, database: &str, with_roles: bool) {
    let Some(origin) = Regression::of(major) else { return };
    let original = origin.shared(database);
    let (ours, theirs): (&str, &[&str]) =
        if with_roles { ("--owners --privileges", &[]) } else { ("", &["--no-owner", "--no-privileges"]) };
    let read = |url: &str| Listing::read(&programs::pg_dump(&origin.programs, url, theirs));

    let (structure, left_out) = programs::dump_aloud(&origin.server, &original, ours, Some(&origin.programs));
    let restored = programs::load(&origin.server, "ours", &structure);

    let by_pg_dump = programs::create(&origin.server, "theirs");
    let text = programs::pg_dump(&origin.programs, &original, theirs);
    let errors = programs::psql(&origin.programs, &by_pg_dump.url(), &text);

    let before = read(&original);
    let verdict = judge(&before, &read(&restored.url()), &read(&by_pg_dump.url()), &left_out);
    let what = if with_roles { "with owners and privileges" } else { "bare" };
    tell(&format!("{database} of {major}, {what}: {verdict}; errors of pg_dump's own way: {errors}"));
    if let Err(why) = verdict.check() {
        panic!("{database} of {major}, {what}: {why}");
    }
}

macro_rules! databases {
    ($($major:literal $name:ident)+) => {$(
        mod $name {
            #[test]
            fn regression_comes_back() {
                super::comes_back($major, "regression", false);
            }

            #[test]
            fn regression_comes_back_with_owners_and_privileges() {
                super::comes_back($major, "regression", true);
            }

            #[test]
            fn what_pg_dump_is_tested_with_comes_back() {
                super::comes_back($major, "dumptest", false);
            }

            #[test]
            fn what_pg_dump_is_tested_with_comes_back_with_owners_and_privileges() {
                super::comes_back($major, "dumptest", true);
            }
        }
    )+};
}

databases! {
    15 postgresql_15
    17 postgresql_17
    18 postgresql_18
}
