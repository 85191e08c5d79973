//! A squash on every major version of PostgreSQL: what the replay, the kept rows and the proof ask of it.

use super::{committed, made};
use crate::native::servers::releases;
use crate::support::{Postgres, Project};

/// Kept rows of many types, in tables that refer to each other, with sequences of every kind.
const ROWS: &str = "
create type mood as enum ('glad', 'so ''so''');
create table kinds (
    id integer generated always as identity primary key,
    at timestamptz not null, day date, took interval, price numeric(9, 3), ratio double precision, flag boolean,
    words text[], bytes bytea, json jsonb, mood mood, ranges int4range, ip inet, made integer generated always as (1 + 1) stored);
insert into kinds (at, day, took, price, ratio, flag, words, bytes, json, mood, ranges, ip) values
    ('2026-03-29 02:30:00+01', '0044-03-15 BC', '1 mon -2 days 03:04:05.6', 12.500, 'NaN', true,
     '{\"a b\",NULL,\"c\\\"d\"}', '\\x00ff', '{\"a\": [1, null]}', 'so ''so''', '[1,5)', '10.0.0.1/8'),
    ('infinity', null, null, 'NaN', '-Infinity', null, '{}', '', 'null', null, 'empty', '::1');
create table tree (id serial primary key, up integer references tree (id), kind integer references kinds (id));
insert into tree (id, up, kind) values (3, null, 1), (1, 3, 2), (2, 1, null);
select setval('tree_id_seq', 40);
";

#[test]
fn every_release_squashes_and_checks_what_it_has_squashed() {
    let Some(servers) = releases() else { return };
    for (major, server) in servers {
        let project = super::with_repo(Project::new().on(&server), "core", Postgres)
            .repo_config("core", "keep-data = [\"countries\", \"kinds\", \"tree\"]")
            .migration("core", "4_kinds", ROWS)
            .reversible(
                "core",
                "5_view",
                "create view glad as select * from kinds where flag;",
                "drop view glad;",
            );
        let manifest = project.read("crates/core/Cargo.toml").replace("keep-data = [\"countries\"]\n", "");
        project.write("crates/core/Cargo.toml", &manifest);
        project.run("setup").success();
        project.run("migrate --lane all").success();
        committed(&project);
        let before = made(&project, "core", "dev");
        let rows = |environment: &str| {
            let database = project.database_in("core", environment);
            let of = |table: &str| database.query(&format!("select t::text from {table} t order by id"));
            (of("kinds"), of("tree"), database.query("select last_value::text from tree_id_seq"))
        };
        project.run("squash --dry-run").success();
        project.run("squash").success().stderr_contains("has been squashed: 5 migrations");
        project.run("setup --env test").success();
        assert_eq!(made(&project, "core", "test"), before, "PostgreSQL {major}");
        assert_eq!(rows("test"), rows("dev"), "PostgreSQL {major}");
        project.run("check --archive --live").success();
        project.run("dump --check").success();
        project.run("dump --verify").success();
        // What the archive makes of nothing is the same.
        project.run("create --env ci").success();
        project.run("migrate --env ci --no-load --lane all").success();
        assert_eq!(rows("ci"), rows("dev"), "PostgreSQL {major}");
    }
}
