//! PostgreSQL 12 to 18: each writes back what it was given, and all write the same.

use std::collections::BTreeMap;

use super::determinism::holds_on;
use super::kinds::{Roles, common_blocks, shuffled};
use super::programs;
use super::servers::{MAJORS, releases};
use super::statements::difference;
use crate::support::fault::{Random, tell, tries};

#[test]
fn every_release_writes_the_same_bytes_in_every_order_of_creation_and_after_a_load() {
    let Some(servers) = releases() else { return };
    for (_, server) in servers {
        holds_on(&server, tries(1, 3));
    }
}

/// The first release that leaves the name of a table out before the columns of a query that has no other table.
const SHORTER_VIEWS: u32 = 16;

/// A query's text is the server's own, and it changed once.
fn holds_a_query(statement: &str) -> bool {
    ["CREATE VIEW ", "CREATE OR REPLACE VIEW ", "CREATE MATERIALIZED VIEW ", "CREATE RULE "]
        .iter()
        .any(|start| statement.starts_with(start))
}

#[test]
fn the_same_objects_give_the_same_bytes_on_every_release() {
    let Some(servers) = releases() else { return };
    let mut wrong = Vec::new();
    for level in MAJORS {
        // What release `level` and all before it brought, on each release that has it.
        let mut dumps = BTreeMap::new();
        for (major, server) in servers.iter().filter(|(major, _)| *major >= level) {
            let roles = Roles::make(server);
            let database = programs::create(server, &format!("level_{level}"));
            let order = shuffled(common_blocks(level), &mut Random::seeded(u64::from(*major)));
            roles.run(&mut database.session(), &order);
            for flags in ["", "--owners --privileges"] {
                let text = roles.hide(&programs::dump(server, &database.url(), flags, None));
                dumps.entry(flags).or_insert_with(Vec::new).push((*major, text));
            }
            drop(roles);
            server.execute(&format!("drop database \"{}\"", database.name()));
            for row in server.query(&format!(
                "select rolname from pg_roles where starts_with(rolname, '{}')",
                server.name("")
            )) {
                server.execute(&format!("drop role {}", row[0]));
            }
        }
        for (flags, dumps) in &dumps {
            let mut queries = 0;
            for pair in dumps.windows(2) {
                let [(older, before), (newer, after)] = pair else { unreachable!("windows of two") };
                if before == after {
                    continue;
                }
                let (only_before, only_after) = difference(before, after);
                let (mut lefts, mut rights) = (only_before.clone(), only_after.clone());
                if *older < SHORTER_VIEWS && *newer >= SHORTER_VIEWS {
                    lefts.retain(|statement| !holds_a_query(statement));
                    rights.retain(|statement| !holds_a_query(statement));
                    queries += only_before.len() - lefts.len();
                }
                if !lefts.is_empty() || !rights.is_empty() || only_before.len() != only_after.len() {
                    wrong.push(format!(
                        "objects of {level} {flags}: {older} and {newer} differ\n--- {older}\n{}\n--- {newer}\n{}",
                        lefts.join("\n"),
                        rights.join("\n")
                    ));
                } else if only_before.is_empty() {
                    wrong.push(format!("objects of {level} {flags}: {older} and {newer} have another order"));
                }
            }
            let bytes = dumps.first().map_or(0, |(_, text)| text.len());
            tell(&format!(
                "objects of {level} {flags} on {} releases: {bytes} bytes, {queries} queries in another wording",
                dumps.len()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
