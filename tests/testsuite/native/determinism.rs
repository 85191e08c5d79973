//! The same structure gives the same bytes: after a load, in another order of creation, under other settings, for
//! another role.

use super::kinds::{Roles, blocks, shuffled};
use super::programs;
use super::servers::Regression;
use super::statements::{assert_same, difference};
use crate::support::fault::{Random, tell, tries};
use crate::support::postgres::{self, Server};

/// Settings that decide how the server writes values and names. A dump may depend on none of them.
const SETTINGS: [(&str, &str); 13] = [
    ("TimeZone", "'Asia/Tokyo'"),
    ("DateStyle", "'SQL, DMY'"),
    ("IntervalStyle", "'iso_8601'"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "'escape'"),
    ("lc_messages", "'POSIX'"),
    ("lc_monetary", "'POSIX'"),
    ("search_path", "\"$user\", app, \"Quoted Schema-1\", pg_catalog, public"),
    ("quote_all_identifiers", "on"),
    ("xmloption", "'document'"),
    ("default_toast_compression", "'pglz'"),
    ("transform_null_equals", "on"),
    ("default_transaction_read_only", "on"),
];

fn major(server: &Server) -> u32 {
    let version = &server.query("show server_version_num")[0][0];
    version.parse::<u32>().expect("a number") / 10_000
}

/// Returns the dump of a new database that the blocks were run in, in an order chosen by chance.
#[track_caller]
fn dump_of_kinds(server: &Server, roles: &Roles, name: &str, flags: &str, random: &mut Random) -> String {
    let major = major(server);
    let database = programs::create(server, name);
    roles.run(&mut database.session(), &shuffled(blocks(major, major), random));
    programs::dump(server, &database.url(), flags, None)
}

/// All that has to hold on one server.
#[track_caller]
pub fn holds_on(server: &Server, orders: usize) {
    let roles = Roles::make(server);
    for (number, flags) in ["", "--owners --privileges"].into_iter().enumerate() {
        let name = |what: &str| format!("{what}_{number}");
        let first = dump_of_kinds(server, &roles, &name("first"), flags, &mut Random::seeded(1));
        let loaded = programs::load(server, &name("loaded"), &first);
        assert_same("after a load", &first, &programs::dump(server, &loaded.url(), flags, None));
        for seed in 0..orders {
            let mut random = Random::seeded(100 + seed as u64);
            let other = dump_of_kinds(server, &roles, &name(&format!("order_{seed}")), flags, &mut random);
            assert_same(&format!("in another order of creation (seed {})", 100 + seed), &first, &other);
        }
    }
    tell(&format!("the same bytes on {}: {} orders of creation and a load", major(server), orders + 1));
}

#[test]
fn the_same_objects_give_the_same_bytes_in_every_order_of_creation_and_after_a_load() {
    let Some(server) = postgres::server() else { return };
    holds_on(&server, tries(3, 20));
}

#[test]
fn a_dump_depends_on_no_setting_of_the_database_or_the_role() {
    let Some(server) = postgres::server() else { return };
    let roles = Roles::make(&server);
    let major = major(&server);
    let database = programs::create(&server, "settings");
    roles.run(&mut database.session(), &blocks_in_order(major));
    let expected = programs::dump(&server, &database.url(), "", None);

    let settings: Vec<_> = SETTINGS
        .into_iter()
        .filter(|(name, _)| {
            !server.query(&format!("select 1 from pg_settings where name = '{name}'")).is_empty()
        })
        .collect();
    for (name, value) in &settings {
        server.execute(&format!("alter database \"{}\" set {name} = {value}", database.name()));
    }
    assert_same("settings of the database", &expected, &programs::dump(&server, &database.url(), "", None));

    let role = server.role("set", "superuser");
    for (name, value) in &settings {
        server.execute(&format!("alter database \"{}\" reset {name}", database.name()));
        server.execute(&format!("alter role {} set {name} = {value}", role.name));
    }
    let url = server.url_as(&role, "settings");
    assert_same("settings of the role", &expected, &programs::dump(&server, &url, "", None));
}

#[test]
fn a_role_without_any_right_on_the_objects_writes_the_same_bytes() {
    let Some(server) = postgres::server() else { return };
    let roles = Roles::make(&server);
    let database = programs::create(&server, "rights");
    roles.run(&mut database.session(), &blocks_in_order(major(&server)));
    let role = server.role("stranger", "");
    let url = server.url_as(&role, "rights");
    assert!(
        postgres::Session::open(&url).try_query("select from app.accounts").is_err(),
        "the role has no right to a table"
    );
    for flags in ["", "--owners --privileges"] {
        let expected = programs::dump(&server, &database.url(), flags, None);
        assert_same("as a stranger", &expected, &programs::dump(&server, &url, flags, None));
    }
}

fn blocks_in_order(major: u32) -> Vec<super::kinds::Block> {
    shuffled(blocks(major, major), &mut Random::seeded(1))
}

/// The order of the columns of a table that inherits from several cannot be repeated once they were changed: such a
/// table comes back with the columns of its parents first. Everything else is the same at once, and all of it is from
/// the second time on.
#[track_caller]
fn settles(major: u32, database: &str) {
    let Some(origin) = Regression::of(major) else { return };
    for (number, flags) in ["", "--owners --privileges"].into_iter().enumerate() {
        let dump = |url: &str| programs::dump(&origin.server, url, flags, Some(&origin.programs));
        let load = |name: &str, text: &str| programs::load(&origin.server, &format!("{name}_{number}"), text);
        let first = dump(&origin.shared(database));
        let second = dump(&load("first", &first).url());
        let third = dump(&load("second", &second).url());
        let (mut before, mut after) = difference(&first, &second);
        tell(&format!(
            "{database} of {major} {flags}: {} bytes, {} statements of the first dump are others in the second",
            first.len(),
            before.len()
        ));
        before.sort_by_key(|statement| lines_of(statement));
        after.sort_by_key(|statement| lines_of(statement));
        let other = before.iter().zip(&after).find(|(before, after)| lines_of(before) != lines_of(after));
        assert!(before.len() == after.len() && other.is_none(), "more than an order of columns: {other:#?}");
        assert_same("from the second time on", &second, &third);
    }
}

/// Returns the lines of a statement without regard to their order.
fn lines_of(statement: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = statement.lines().map(|line| line.trim_end_matches(',')).collect();
    lines.sort_unstable();
    lines
}

macro_rules! settled {
    ($($name:ident $major:literal $database:literal)+) => {$(
        #[test]
        fn $name() {
            settles($major, $database);
        }
    )+};
}

settled! {
    regression_of_15_gives_the_same_bytes_after_a_load 15 "regression"
    regression_of_17_gives_the_same_bytes_after_a_load 17 "regression"
    regression_of_18_gives_the_same_bytes_after_a_load 18 "regression"
    dumptest_of_15_gives_the_same_bytes_after_a_load 15 "dumptest"
    dumptest_of_17_gives_the_same_bytes_after_a_load 17 "dumptest"
    dumptest_of_18_gives_the_same_bytes_after_a_load 18 "dumptest"
}
