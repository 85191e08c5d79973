//! PostgreSQL 12 to 18: each writes back what it was given, and all write the same.

use regex::Regex;

use super::determinism::holds_on;
use super::kinds::{Roles, common_blocks, shuffled};
use super::programs;
use super::servers::{MAJORS, releases};
use super::statements::difference;
use crate::support::fault::{Random, tell, tries};
use crate::support::postgres::Server;

#[test]
fn every_release_writes_the_same_bytes_in_every_order_of_creation_and_after_a_load() {
    let Some(servers) = releases() else { return };
    for (_, server) in servers {
        holds_on(&server, tries(1, 3));
    }
}

/// Returns what has to be the same in two neighbouring releases; nothing where a statement may differ altogether.
fn comparable(statement: &str, newer: u32) -> Option<String> {
    match newer {
        // The server prints how a procedure's arguments go since it has some that go out.
        14 if statement.contains(" PROCEDURE ") => {
            Some(statement.replace("(IN ", "(").replace(", IN ", ", "))
        }
        // A query's text is the server's own. Since this release it names no table before the columns of an only table.
        16 if holds_a_query(statement) => Some("a query".to_owned()),
        // Not everyone may make tables in `public` any more.
        15 if statement.ends_with(" ON SCHEMA public TO PUBLIC") => None,
        // A multirange type belongs to whom its range belongs; before, it had an owner of its own.
        17 if statement.starts_with("DO ") && statement.contains("< 170000 THEN ALTER TYPE ") => None,
        // NOT NULL became a constraint with a name: a partition's is its parent's, and that of a renamed column the old
        // one.
        18 => {
            let name = Regex::new("CONSTRAINT [^ ]+ NOT NULL").expect("the pattern is constant");
            Some(name.replace_all(statement, "NOT NULL").into_owned())
        }
        _ => Some(statement.to_owned()),
    }
}

fn holds_a_query(statement: &str) -> bool {
    ["CREATE VIEW ", "CREATE OR REPLACE VIEW ", "CREATE MATERIALIZED VIEW ", "CREATE RULE "]
        .iter()
        .any(|start| statement.starts_with(start))
}

/// Returns how many statements of two dumps differ as they may, or what differs otherwise.
fn compare(older: &str, newer: &str, release: u32) -> Result<usize, String> {
    let (before, after) = difference(older, newer);
    if before.is_empty() && after.is_empty() {
        return if older == newer { Ok(0) } else { Err("another order or other space".to_owned()) };
    }
    let rest = |statements: &[&str]| -> Vec<String> {
        let mut rest: Vec<_> = statements.iter().filter_map(|one| comparable(one, release)).collect();
        rest.sort_unstable();
        rest
    };
    let (left, right) = (rest(&before), rest(&after));
    if left == right {
        return Ok(before.len().max(after.len()));
    }
    let only = |some: &[String], others: &[String]| {
        let only: Vec<_> = some.iter().filter(|one| !others.contains(one)).map(String::as_str).collect();
        only.join("\n")
    };
    Err(format!("--- only before\n{}\n--- only since\n{}", only(&left, &right), only(&right, &left)))
}

/// Returns the dumps, one for each of `flags`, of the objects that the releases up to `level` brought.
fn dumps(server: &Server, major: u32, level: u32, flags: &[&str]) -> Vec<String> {
    // What is dropped with this clone is only this level's.
    let server = Server::at(server.admin_url().to_owned());
    let roles = Roles::make(&server);
    let database = programs::create(&server, "level");
    let mut session = database.session();
    roles.run(&mut session, &shuffled(common_blocks(level), &mut Random::seeded(u64::from(major))));
    flags.iter().map(|flags| roles.hide(&programs::dump(&server, &database.url(), flags, None))).collect()
}

#[test]
fn the_same_objects_give_the_same_bytes_on_every_release() {
    const FLAGS: [&str; 2] = ["", "--owners --privileges"];
    let Some(servers) = releases() else { return };
    let mut wrong = Vec::new();
    for level in MAJORS {
        let mut before: Option<(u32, Vec<String>)> = None;
        let mut told = String::new();
        for (major, server) in servers.iter().filter(|(major, _)| *major >= level) {
            let texts = dumps(server, *major, level, &FLAGS);
            for (flags, (older, newer)) in
                FLAGS.iter().zip(before.iter().flat_map(|(_, older)| older.iter().zip(&texts)))
            {
                match compare(older, newer, *major) {
                    Ok(0) => {}
                    Ok(differ) => told.push_str(&format!(", {differ} differ as they may on {major} {flags}")),
                    Err(why) => wrong.push(format!("objects of {level} on {major} {flags}:\n{why}")),
                }
            }
            before = Some((*major, texts));
        }
        let bytes = before.map_or(0, |(_, texts)| texts[0].len());
        tell(&format!("objects of {level} on {level} to 18: {bytes} bytes{told}"));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_may_differ_between_releases_is_told_from_what_may_not() {
    let view = |text: &str| format!("CREATE VIEW a AS {text};\nCREATE TABLE b ();\n");
    assert_eq!(compare(&view("SELECT a.b"), &view("SELECT b"), 16), Ok(1));
    assert!(compare(&view("SELECT a.b"), &view("SELECT b"), 17).is_err());
    assert!(compare(&view("SELECT a.b"), "CREATE TABLE b ();\n", 16).is_err());
    assert_eq!(
        compare("CREATE TABLE a (b int NOT NULL);", "CREATE TABLE a (b int CONSTRAINT c NOT NULL);", 18),
        Ok(1)
    );
    assert!(
        compare("CREATE TABLE a (b int NOT NULL);", "CREATE TABLE a (c int CONSTRAINT c NOT NULL);", 18)
            .is_err()
    );
    assert!(compare("SELECT 1;", "SELECT 1;\nSELECT 2;", 14).is_err());
    assert!(compare("SELECT 1;\nSELECT 2;", "SELECT 2;\nSELECT 1;", 14).is_err());
}
