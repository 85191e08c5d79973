//! PostgreSQL on this machine: nothing to do, a replay, a load, a drop, four repos at once.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::Plan;
use super::contest::{Contestant, rounds, run};
use super::corpus::Corpus;
use super::place::{Package, Place};
use super::table::{Goal, Table};
use super::wire::Wire;

const DATABASE: &str = "bench_core";
const FOUR: [&str; 4] = ["one", "two", "three", "four"];

/// Compares on one corpus.
pub fn compare(plan: &Plan, corpus: &Corpus, table: &mut Table) {
    let place = &plan.place;
    let url = place.url(DATABASE);
    let package = Package::new(place, &format!("core{}", corpus.len()), &[("core", &url)], corpus);
    let name = &corpus.name;
    if plan.wants("nothing") {
        nothing(plan, &package, &format!("migrate, nothing to do, {name}"), table);
    }
    if plan.wants("replay") {
        replay(plan, &package, &format!("create and migrate, {name}"), table);
    }
    if plan.wants("template") {
        template(plan, corpus, table);
    }
    if plan.wants("load") {
        load(plan, &package, &format!("load, structure of {name}"), table);
    }
    if plan.wants("drop") {
        drop_with_client(plan, &package, table);
    }
    if plan.wants("repos") {
        four_repos(plan, corpus, table);
    }
    place.drop_database(DATABASE);
}

fn nothing(plan: &Plan, package: &Package<'_>, what: &str, table: &mut Table) {
    plan.place.drop_database(DATABASE);
    let url = plan.place.url(DATABASE);
    // Both read the same ledger.
    run(&mut package.sqlx(&["database", "setup"], "core", &url));
    let [ours, cargo, sqlx] = rounds(
        plan.rounds(31),
        [
            Contestant::of(package.ours(&["migrate"])),
            Contestant::of(package.cargo()),
            Contestant::of(package.sqlx(&["migrate", "run"], "core", &url)),
        ],
    );
    table.times(what, "sqlx-cli", &ours, &cargo, &sqlx, Goal::Excess(5.0));
}

fn replay(plan: &Plan, package: &Package<'_>, what: &str, table: &mut Table) {
    let place = &plan.place;
    let url = place.url(DATABASE);
    let fresh = |mut command: Command| {
        Contestant::new(move || place.drop_database(DATABASE), move || run(&mut command))
    };
    let [ours, cargo, sqlx, diesel] = rounds(
        plan.rounds(9),
        [
            fresh(package.ours(&["setup"])),
            Contestant::of(package.cargo()),
            fresh(package.sqlx(&["database", "setup"], "core", &url)),
            fresh(package.diesel(&["database", "setup"], &url)),
        ],
    );
    let goal = if plan.is_on_disk() { 0.85 } else { 0.65 };
    table.times(what, "sqlx-cli", &ours, &cargo, &sqlx, Goal::Ratio(goal));
    table.times(what, "diesel_cli", &ours, &cargo, &diesel, Goal::Ratio(1.0));
}

/// A reset that copies a template, beside one that replays, that of another tool, and the least that a reset does.
fn template(plan: &Plan, corpus: &Corpus, table: &mut Table) {
    let place = &plan.place;
    let url = place.url(DATABASE);
    let make = |name: &str| {
        let name = format!("{name}{}", corpus.len());
        Package::new(place, &name, &[("core", &url)], corpus)
    };
    let (copied, replayed) = (make("copied"), make("replayed"));
    copied.templates(true);
    place.drop_database(DATABASE);
    run(&mut copied.ours(&["setup"]));
    let reset = |package: &Package<'_>| Contestant::of(package.ours(&["reset", "--yes"]));
    let empty = Contestant::new(|| {}, || place.empty_database(DATABASE));
    let what = format!("reset on a template, {}", corpus.name);
    let [copy, replay, cargo, empty, sqlx] = rounds(
        plan.rounds(9),
        [
            reset(&copied),
            reset(&replayed),
            Contestant::of(copied.cargo()),
            empty,
            Contestant::of(copied.sqlx(&["database", "reset", "-y"], "core", &url)),
        ],
    );
    let (of_sqlx, of_empty) = if plan.is_on_disk() { (0.22, 2.5) } else { (0.15, 1.7) };
    table.times(&what, "sqlx-cli", &copy, &cargo, &sqlx, Goal::Ratio(of_sqlx));
    table.times(&what, "a replay of ours", &copy, &cargo, &replay, Goal::Ratio(0.3));
    table.times(&what, "drop, create empty", &copy, &cargo, &empty, Goal::Ratio(of_empty));
    run(&mut copied.ours(&["cache", "clear"]));
}

/// Sends a file as one message over one connection.
pub fn send(socket: &Path, database: &str, file: &Path) {
    let text = fs::read_to_string(file).expect("the file can be read");
    let mut wire = Wire::connect(socket, database).expect("the server takes connections");
    wire.query(&text).expect("the text runs");
}

fn load(plan: &Plan, package: &Package<'_>, what: &str, table: &mut Table) {
    let place = &plan.place;
    place.drop_database(DATABASE);
    let structure = package.dumped("core");
    let file = place.dir.join("load.sql");
    // The product settles by itself that functions may speak of tables that come later.
    fs::write(&file, format!("SET check_function_bodies = off;\n{structure}")).expect("files can be written");
    package.structure("core", Some(&structure));
    let mut message = Command::new(std::env::current_exe().expect("this program has a path"));
    message.arg("--send").arg(&place.socket).args([DATABASE]).arg(&file);
    let mut psql = place.psql(DATABASE);
    psql.arg("--file").arg(&file);
    let emptied = |mut command: Command| {
        Contestant::new(move || place.empty_database(DATABASE), move || run(&mut command))
    };
    let [ours, cargo, message, psql] = rounds(
        plan.rounds(9),
        [emptied(package.ours(&["load"])), Contestant::of(package.cargo()), emptied(message), emptied(psql)],
    );
    table.times(what, "one message", &ours, &cargo, &message, Goal::Ratio(1.3));
    // A disk takes its time whoever sends the text.
    let goal = if plan.is_on_disk() { 0.85 } else { 0.7 };
    table.times(what, "psql -f", &ours, &cargo, &psql, Goal::Ratio(goal));
    package.structure("core", None);
}

fn drop_with_client(plan: &Plan, package: &Package<'_>, table: &mut Table) {
    let place = &plan.place;
    let client = std::cell::RefCell::new(None);
    let used = || {
        place.empty_database(DATABASE);
        *client.borrow_mut() = Some(Wire::connect(&place.socket, DATABASE));
    };
    let mut force = place.psql("postgres");
    force.arg("--command").arg(format!("DROP DATABASE {DATABASE} WITH (FORCE)"));
    let mut ours = package.ours(&["drop", "--yes", "--force-drop"]);
    let [ours, cargo, force] = rounds(
        plan.rounds(9),
        [
            Contestant::new(used, || run(&mut ours)),
            Contestant::of(package.cargo()),
            Contestant::new(used, || run(&mut force)),
        ],
    );
    let what = "drop --force-drop, a client connected";
    table.times(what, "WITH (FORCE)", &ours, &cargo, &force, Goal::Ratio(0.35));
}

fn four_repos(plan: &Plan, corpus: &Corpus, table: &mut Table) {
    let place = &plan.place;
    let databases = FOUR.map(|repo| format!("bench_{repo}"));
    let urls = databases.clone().map(|database| place.url(&database));
    let repos: Vec<(&str, &str)> = FOUR.into_iter().zip(urls.iter().map(String::as_str)).collect();
    let package = Package::new(place, &format!("four{}", corpus.len()), &repos, corpus);
    drop_all(place, &databases);
    let structure = package.dumped("one");
    for (how, text) in [("replay", None), ("load", Some(&*structure))] {
        for repo in FOUR {
            package.structure(repo, text);
        }
        let jobs = |jobs: &str| {
            let mut command = package.ours(&["setup", "--jobs", jobs]);
            Contestant::new(|| drop_all(place, &databases), move || run(&mut command))
        };
        let [four, one] = rounds(plan.rounds(5), [jobs("4"), jobs("1")]);
        let what = format!("setup of 4 repos at once, by {how}, {}", corpus.name);
        table.times(&what, "--jobs 1", &four, &[], &one, Goal::Ratio(0.7));
    }
    drop_all(place, &databases);
}

fn drop_all(place: &Place, databases: &[String]) {
    for database in databases {
        place.drop_database(database);
    }
}
