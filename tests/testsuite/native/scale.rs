//! Ten thousand tables: how much memory a dump takes, and whether its time grows with the number of objects alone.

use std::time::{Duration, Instant};

use super::programs;
use crate::support::fault::tell;
use crate::support::is_full_run;
use crate::support::postgres::{self, Database, Session};

/// KiB that a dump may take at most.
const MEMORY: u64 = 300 * 1024;

/// Adds tables up to `count`, some hundred in a transaction: each takes entries of the server's lock table.
fn grow(session: &mut Session, from: usize, count: usize) {
    for start in (from + 1..=count).step_by(250) {
        let end = (start + 249).min(count);
        session.execute(&format!(
            "do $$ begin for n in {start}..{end} loop
               execute format('create table tenant_%s.orders_%s (id bigserial primary key, customer bigint not null,
                 note text not null default %L, state varchar(20), placed timestamptz default now(),
                 price numeric(12, 2) check (price > 0))', n % 10, n, 'none');
               execute format('create index on tenant_%s.orders_%s (customer, placed)', n % 10, n);
               execute format('comment on table tenant_%s.orders_%s is %L', n % 10, n, 'orders');
               if n > 10 then
                 execute format('alter table tenant_%s.orders_%s add foreign key (customer) references tenant_%s.orders_%s',
                   n % 10, n, n % 10, n - 10);
               end if;
             end loop; end $$"
        ));
    }
}

/// What one dump took.
#[derive(Debug, Clone, Copy)]
struct Cost {
    time: Duration,
    /// KiB at most, of the program.
    memory: u64,
    bytes: usize,
}

#[cfg(target_os = "linux")]
fn cost(server: &postgres::Server, database: &Database) -> Cost {
    let project = programs::project(server, &database.url());
    let started = Instant::now();
    let mut running = programs::dump_of(&project, "", None).spawn();
    let mut memory = 0;
    // The kernel forgets with the process: the last look counts.
    while running.is_running() {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).unwrap_or_default();
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        memory = most
            .and_then(|text| text.trim().trim_end_matches(" kB").parse().ok())
            .map_or(memory, |most: u64| memory.max(most));
        std::thread::sleep(Duration::from_millis(1));
    }
    let time = started.elapsed();
    let run = running.wait();
    run.success();
    Cost { time, memory, bytes: run.stdout.len() }
}

/// Returns the cheapest of some dumps: what else runs on the machine only adds.
#[cfg(target_os = "linux")]
fn cheapest(server: &postgres::Server, database: &Database) -> Cost {
    let costs = [cost(server, database), cost(server, database), cost(server, database)];
    let memory = costs.iter().map(|cost| cost.memory).max().expect("there are costs");
    let cost = costs.into_iter().min_by_key(|cost| cost.time).expect("there are costs");
    Cost { memory, ..cost }
}

#[test]
#[cfg(target_os = "linux")]
fn a_dump_of_many_tables_takes_little_memory_and_time_in_proportion() {
    let Some(server) = postgres::server() else { return };
    let (few, many) = if is_full_run() { (2_500, 10_000) } else { (250, 1_000) };
    let database = programs::create(&server, "scale");
    let mut session = database.session();
    for schema in 0..10 {
        session.execute(&format!("create schema tenant_{schema}"));
    }
    grow(&mut session, 0, few);
    session.execute("vacuum analyze");
    let small = cheapest(&server, &database);
    grow(&mut session, few, many);
    session.execute("vacuum analyze");
    let large = cheapest(&server, &database);
    let ratio = large.time.as_secs_f64() / small.time.as_secs_f64();
    tell(&format!(
        "{few} tables: {:.2?}, {} KiB; {many} tables: {:.2?}, {} KiB, {} bytes; {ratio:.1} times the time",
        small.time, small.memory, large.time, large.memory, large.bytes
    ));
    assert!(large.memory > 0, "the memory was not seen");
    assert!(large.memory <= MEMORY, "{} KiB for {many} tables", large.memory);
    // Four times the objects. Sixteen times would be quadratic.
    assert!(ratio < 7.0, "{ratio:.1} times the time for four times the objects");
    assert!(large.bytes > 3 * small.bytes, "a dump of four times the objects is as much longer");
}
