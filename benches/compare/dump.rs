//! The structure of a database as text: beside `pg_dump -s`, and beside nothing but the queries that it takes.

use std::fs;
use std::process::Command;
use std::time::Duration;

use super::Plan;
use super::contest::{Contestant, peak_memory, rounds, run};
use super::corpus::Corpus;
use super::place::Package;
use super::proxy::Proxy;
use super::table::{Goal, Table};
use super::wire::{Wire, longest_query};

const DATABASE: &str = "bench_dump";
const DUMP: [&str; 5] = ["dump", "--via", "native", "--dump-path", "-"];
/// How many tables a message makes: each relation takes an entry of the server's lock table until its commit.
const AT_ONCE: usize = 50;
const MEMORY: u64 = 300 << 20;

/// Compares schemas of several sizes.
pub fn compare(plan: &Plan, table: &mut Table) {
    let sizes: &[usize] = if plan.quick { &[36, 300] } else { &[36, 1_000, 5_000] };
    if plan.wants("dump") {
        let proxy = Proxy::start(&plan.place.socket).expect("a port is free");
        let far = format!("postgres://postgres@127.0.0.1:{}/{DATABASE}?sslmode=disable", proxy.port);
        let near = Package::new(
            &plan.place,
            "dump_near",
            &[("core", &plan.place.url(DATABASE))],
            &Corpus::made_up(1),
        );
        let far = Package::new(&plan.place, "dump_far", &[("core", &far)], &Corpus::made_up(1));
        for &tables in sizes {
            make(plan, tables);
            beside_others(plan, tables, &near, &far, &proxy, table);
            from_afar(plan, tables, &far, &proxy, table);
        }
        memory(plan, &near, table);
        plan.place.drop_database(DATABASE);
    }
}

fn beside_others(
    plan: &Plan,
    tables: usize,
    near: &Package<'_>,
    far: &Package<'_>,
    proxy: &Proxy,
    table: &mut Table,
) {
    let queries = plan.place.dir.join("queries.sql");
    proxy.record();
    run(&mut far.ours(&DUMP));
    let text = longest_query(&proxy.take_recorded()).expect("a dump sends queries");
    fs::write(&queries, text).expect("files can be written");
    let mut floor = Command::new(std::env::current_exe().expect("this program has a path"));
    floor.arg("--send").arg(&plan.place.socket).arg(DATABASE).arg(&queries);
    let [ours, cargo, floor, peer] = rounds(
        plan.rounds(if tables > 1_000 { 7 } else { 15 }),
        [
            Contestant::of(near.ours(&DUMP)),
            Contestant::of(near.cargo()),
            Contestant::of(floor),
            Contestant::of(plan.place.pg_dump(&plan.place.url(DATABASE))),
        ],
    );
    let what = format!("dump, {tables} tables");
    table.times(&what, "its queries alone", &ours, &cargo, &floor, Goal::Ratio(1.5));
    table.times(&what, "pg_dump -s", &ours, &cargo, &peer, Goal::Ratio(0.7));
}

fn from_afar(plan: &Plan, tables: usize, far: &Package<'_>, proxy: &Proxy, table: &mut Table) {
    let url = format!("postgres://postgres@127.0.0.1:{}/{DATABASE}?sslmode=disable", proxy.port);
    proxy.take_trips();
    run(&mut far.ours(&DUMP));
    table.count(&format!("round trips: dump, {tables} tables"), proxy.take_trips(), Goal::Trips(12));
    proxy.delay(Duration::from_millis(5));
    let [ours, cargo, peer] = rounds(
        if tables > 1_000 { 1 } else { plan.rounds(3) },
        [
            Contestant::of(far.ours(&DUMP)),
            Contestant::of(far.cargo()),
            Contestant::of(plan.place.pg_dump(&url)),
        ],
    );
    proxy.delay(Duration::ZERO);
    let what = format!("dump, {tables} tables, 5 ms a trip");
    table.times(&what, "pg_dump -s", &ours, &cargo, &peer, Goal::Ratio(0.1));
}

fn memory(plan: &Plan, near: &Package<'_>, table: &mut Table) {
    let tables = if plan.quick { 1_000 } else { 10_000 };
    make(plan, tables);
    let peak = peak_memory(&mut near.ours(&DUMP));
    table.count(&format!("memory: dump, {tables} tables"), peak, Goal::Memory(MEMORY));
}

/// Fills the database with tables as applications have them.
fn make(plan: &Plan, tables: usize) {
    plan.place.empty_database(DATABASE);
    let mut wire = Wire::connect(&plan.place.socket, DATABASE).expect("the server takes connections");
    let all: Vec<usize> = (0..tables).collect();
    for part in all.chunks(AT_ONCE) {
        let text: String = part.iter().map(|at| statements(*at)).collect();
        wire.query(&text).expect("the statements are right");
    }
    // What a busy server has done long ago is not to happen while somebody is timed.
    wire.query("VACUUM ANALYZE").expect("the database is ours");
}

fn statements(at: usize) -> String {
    let parent = at / 2;
    let mut text = format!(
        "CREATE TABLE t{at} (id bigserial PRIMARY KEY, parent_id bigint NOT NULL REFERENCES t{parent}, \
         name varchar(255) DEFAULT '' NOT NULL, state integer DEFAULT 0 NOT NULL CHECK (state >= 0), \
         price numeric(10,2), data jsonb DEFAULT '{{}}' NOT NULL, \
         created_at timestamptz DEFAULT now() NOT NULL, updated_at timestamptz);\n\
         CREATE INDEX ON t{at} (parent_id);\n\
         CREATE UNIQUE INDEX ON t{at} (name, state) WHERE state > 0;\n\
         COMMENT ON TABLE t{at} IS 'table {at}';\n"
    );
    if at.is_multiple_of(10) {
        text += &format!("CREATE VIEW v{at} AS SELECT id, lower(name) AS name FROM t{at} WHERE state = 1;\n");
        text += &format!(
            "CREATE FUNCTION f{at}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;\n\
             CREATE TRIGGER touched BEFORE UPDATE ON t{at} FOR EACH ROW EXECUTE FUNCTION f{at}();\n"
        );
    }
    text
}
