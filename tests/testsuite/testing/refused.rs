//! What is refused, and how: by the compiler, and when a test begins.

use super::application::{Application, Tester, cargo, failure, write};
use crate::support::postgres;
#[cfg(unix)]
use crate::support::private_server::PrivateServer;

/// A wrong test, the line and column of the mistake in it, and what the compiler says.
const WRONG: [(&str, &str, &str); 15] = [
    (
        "#[dbsetup::test(migrator = \"crate::M\")]\nasync fn f(_: sqlx::PgPool) {}",
        "1:17",
        "`migrator` is sqlx's own",
    ),
    (
        "#[dbsetup::test(fixture(\"a\"))]\nasync fn f(_: sqlx::PgPool) {}",
        "1:17",
        "expected `fixtures(\"<file>\", ...)`",
    ),
    (
        "#[dbsetup::test(migrations = true)]\nasync fn f(_: sqlx::PgPool) {}",
        "1:30",
        "`migrations = true` is redundant",
    ),
    (
        "#[dbsetup::test(migrations = 1)]\nasync fn f(_: sqlx::PgPool) {}",
        "1:30",
        "the name of a directory or `false`",
    ),
    (
        "#[dbsetup::test(repo = \"a\", migrations = false)]\nasync fn f(_: sqlx::PgPool) {}",
        "1:29",
        "only one of",
    ),
    ("#[dbsetup::test(repo)]\nasync fn f(_: sqlx::PgPool) {}", "1:17", "expected a value"),
    ("#[dbsetup::test(fixtures(\"missing\"))]\nasync fn f(_: sqlx::PgPool) {}", "1:26", "couldn't read"),
    (
        "#[dbsetup::test(fixtures(\"a\", \"./b.sql\"))]\nasync fn f(_: sqlx::PgPool) {}",
        "1:31",
        "put it into a second",
    ),
    (
        "#[dbsetup::test(fixtures(scripts(\"a\")))]\nasync fn f(_: sqlx::PgPool) {}",
        "1:26",
        "stands behind `path",
    ),
    (
        "#[dbsetup::test(fixtures(path = \"a\"))]\nasync fn f(_: sqlx::PgPool) {}",
        "1:33",
        "scripts(\"<file>\"",
    ),
    ("#[dbsetup::test(repo = \"a\")]\nasync fn f() {}", "1:17", "takes no database"),
    ("#[dbsetup::test]\nstruct Test;", "2:1", "stands before a function"),
    ("#[dbsetup::test]\nasync fn f(_: u32) {}", "2:15", "a test cannot take `u32`"),
    ("#[dbsetup::test]\nfn f(_: sqlx::PgPool) {}", "2:9", "mismatched types"),
    ("#[dbsetup::test]\nasync fn f(_: sqlx::PgPool) -> u32 { 1 }", "", "a test cannot return `u32`"),
];

#[test]
fn the_compiler_says_what_is_wrong_where_it_is_wrong() {
    let mut files = vec![("src/lib.rs".to_owned(), String::new())];
    for (number, (text, ..)) in WRONG.iter().enumerate() {
        files.push((format!("tests/wrong_{number}.rs"), format!("{text}\n")));
    }
    let directory = write("wrong", &files);
    let said =
        failure(cargo(&directory).args(["check", "--tests", "--keep-going", "--message-format=short"]));
    for (number, (text, place, message)) in WRONG.iter().enumerate() {
        let file = format!("tests/wrong_{number}.rs:{place}");
        let found = said.lines().any(|line| line.starts_with(&file) && line.contains(message));
        assert!(found, "{file}: {message}\nis not said of\n{text}\nin\n{said}");
    }
}

#[test]
fn the_server_of_a_protected_database_is_left_alone() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    for (environment, is_refused) in [("prod", true), ("dev", false)] {
        let database = server.database(environment);
        server.execute(&format!("create database \"{}\" owner \"{}\"", database.name(), tester.role()));
        database.execute(&format!(
            "create table dbsetup_meta (key text primary key, value text not null); \
             insert into dbsetup_meta values ('environment', '{environment}'); grant all on dbsetup_meta to public"
        ));
        let mut tests = Application::get().tests("postgres");
        tests.args(["a_pool", "--exact"]).env("DATABASE_URL", tester.url_of(environment));
        if is_refused {
            let said = failure(&mut tests);
            assert!(said.contains("environment `prod`, and tests stay away"), "{said}");
            assert!(!said.contains(tester.password()), "{said}");
            assert_eq!(tester.templates(), Vec::<String>::new());
        } else {
            super::output(&mut tests);
        }
    }
}

#[test]
fn a_role_that_may_make_no_databases_hears_what_it_lacks() {
    let Some(server) = postgres::server() else { return };
    let role = server.role("poor", "");
    let mut tests = Application::get().tests("postgres");
    tests.args(["a_pool", "--exact"]).env("DATABASE_URL", server.url_as(&role, "none"));
    let said = failure(&mut tests);
    assert!(said.contains("CREATEDB") && said.contains("42501"), "{said}");
}

#[test]
fn a_test_without_a_url_says_which_variables_were_looked_for() {
    let said = failure(Application::get().tests("postgres").args(["a_pool", "--exact"]));
    assert!(said.contains("`CORE_DATABASE_URL_TEST`") && said.contains("`DATABASE_URL`"), "{said}");
    assert!(said.contains("needs the variable `APP_URL`, which is not set"), "{said}");
    let mut tests = Application::get().tests("postgres");
    let said = failure(tests.args(["a_pool", "--exact"]).env("DATABASE_URL", "sqlite:app.db"));
    assert!(said.contains("the test takes a pool of PostgreSQL"), "{said}");
}

#[test]
fn a_server_that_is_not_there_is_told_with_its_place_and_where_the_url_is_from() {
    for (variable, place) in [("DATABASE_URL", "`DATABASE_URL`"), ("APP_URL", "dbsetup.repos.core.url` in `")]
    {
        let mut tests = Application::get().tests("postgres");
        let said =
            failure(tests.args(["a_pool", "--exact"]).env(variable, "postgres://app:s3cret@127.0.0.1:1/x"));
        assert!(said.contains("start PostgreSQL at `127.0.0.1:1`") && said.contains(place), "{said}");
        assert!(said.contains("set `DATABASE_URL` to `postgres://") && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn the_url_of_the_manifest_is_as_good_as_one_of_a_variable() {
    let Some(server) = postgres::server() else { return };
    let tester = Tester::new(&server);
    let mut tests = Application::get().tests("postgres");
    super::output(tests.args(["a_pool", "--exact"]).env("APP_URL", tester.url()));
}

#[cfg(unix)]
#[test]
fn max_connections_is_named_when_it_is_the_reason() {
    let Some(private) = PrivateServer::start_with("-c max_connections=5 -c superuser_reserved_connections=1")
    else {
        return;
    };
    let server = private.server();
    let role = server.role("tester", "createdb");
    let held: Vec<_> = (0..4)
        .map(|_| postgres::Session::open(&format!("postgres://{}@{}/postgres", role.name, server.address())))
        .collect();
    let mut tests = Application::get().tests("postgres");
    tests.args(["a_pool", "--exact"]).env("DATABASE_URL", server.url_as(&role, "none"));
    let said = failure(&mut tests);
    assert!(said.contains("53300") && said.contains("`max_connections`"), "{said}");
    assert!(said.contains("--test-threads"), "{said}");
    drop(held);
    super::output(&mut tests);
    let owned = format!("select datname from pg_database where pg_get_userbyid(datdba) = '{}'", role.name);
    for database in server.query(&owned).into_iter().flatten() {
        server.execute(&format!("drop database \"{database}\""));
    }
}
