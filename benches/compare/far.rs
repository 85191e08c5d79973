//! A database that is not near: round trips, counted and made long.

use std::time::Duration;

use super::Plan;
use super::contest::{Contestant, rounds, run};
use super::corpus::Corpus;
use super::place::Package;
use super::proxy::Proxy;
use super::table::{Goal, Table};

const DATABASE: &str = "bench_far";

/// Counts round trips, then compares resets at 10 ms a trip.
pub fn compare(plan: &Plan, corpus: &Corpus, table: &mut Table) {
    if !plan.wants("trips") && !plan.wants("far") {
        return;
    }
    let proxy = Proxy::start(&plan.place.socket).expect("a port is free");
    let url = format!("postgres://postgres@127.0.0.1:{}/{DATABASE}", proxy.port);
    let package = Package::new(&plan.place, "far", &[("core", &url)], corpus);
    plan.place.drop_database(DATABASE);
    let structure = package.dumped("core");
    if plan.wants("trips") {
        trips(plan, &package, corpus, &structure, &proxy, table);
    }
    if plan.wants("far") {
        resets(plan, &package, corpus, &structure, &url, &proxy, table);
    }
    plan.place.drop_database(DATABASE);
}

fn trips(
    plan: &Plan,
    package: &Package<'_>,
    corpus: &Corpus,
    structure: &str,
    proxy: &Proxy,
    table: &mut Table,
) {
    let name = &corpus.name;
    let count = |words: &[&str]| {
        proxy.take_trips();
        run(&mut package.ours(words));
        proxy.take_trips()
    };
    plan.place.drop_database(DATABASE);
    let (migrations, alone) = (corpus.len() as u64, corpus.without_transaction() as u64);
    let found = count(&["setup"]);
    // Each statement that runs outside of a transaction is recorded before the next: those have no bound of this kind.
    let extra = alone * 8;
    let what = format!("round trips: create and migrate, {name} ({alone} without transaction)");
    table.count(&what, found, Goal::Trips(migrations + 30 + extra));
    let found = count(&["migrate"]);
    table.count(&format!("round trips: migrate, nothing to do, {name}"), found, Goal::Trips(6));
    package.templates(true);
    run(&mut package.ours(&["reset", "--yes"]));
    let found = count(&["reset", "--yes"]);
    table.count(&format!("round trips: reset on a template, {name}"), found, Goal::Trips(15));
    run(&mut package.ours(&["cache", "clear"]));
    package.templates(false);
    package.structure("core", Some(structure));
    plan.place.empty_database(DATABASE);
    let found = count(&["load"]);
    let limit = 30 + structure.len().div_ceil(256 << 10) as u64;
    table.count(&format!("round trips: load, structure of {name}"), found, Goal::Trips(limit));
    package.structure("core", None);
}

fn resets(
    plan: &Plan,
    package: &Package<'_>,
    corpus: &Corpus,
    structure: &str,
    url: &str,
    proxy: &Proxy,
    table: &mut Table,
) {
    let (ours, sqlx) = (["reset", "--yes"], ["database", "reset", "-y"]);
    for (delay, by_replay, by_load) in [(0, None, Some(0.4)), (10, Some(0.45), Some(0.05))] {
        proxy.delay(Duration::from_millis(delay));
        let command = |structure: Option<&str>| {
            let mut command = package.ours(&ours);
            let text = structure.map(str::to_owned);
            Contestant::new(move || package.structure("core", text.as_deref()), move || run(&mut command))
        };
        let [load, replay, cargo, sqlx] = rounds(
            if delay > 0 { 1 } else { plan.rounds(7) },
            [
                command(Some(structure)),
                command(None),
                Contestant::of(package.cargo()),
                Contestant::of(package.sqlx(&sqlx, "core", url)),
            ],
        );
        let what = |how: &str| format!("reset by {how}, {delay} ms a trip, {}", corpus.name);
        if let Some(goal) = by_replay {
            table.times(&what("replay"), "sqlx-cli", &replay, &cargo, &sqlx, Goal::Ratio(goal));
        }
        if let Some(goal) = by_load {
            table.times(&what("load"), "sqlx-cli", &load, &cargo, &sqlx, Goal::Ratio(goal));
        }
    }
    proxy.delay(Duration::ZERO);
}
