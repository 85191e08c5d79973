//! SQLite: a replay into a file that the run creates, and a load.

use std::path::Path;
use std::process::Command;

use super::Plan;
use super::contest::{Contestant, rounds, run};
use super::corpus::Corpus;
use super::place::Package;
use super::table::{Goal, Table};

/// Compares on one corpus.
pub fn compare(plan: &Plan, corpus: &Corpus, table: &mut Table) {
    if !plan.wants("sqlite") {
        return;
    }
    let file = plan.place.dir.join("bench.db");
    let url = format!("sqlite:{}", file.display());
    let package = Package::new(&plan.place, "lite", &[("core", &url)], corpus);
    let structure = package.dumped("core");
    let fresh = |mut command: Command, text: Option<&str>| {
        let (file, text, package) = (&file, text.map(str::to_owned), &package);
        Contestant::new(
            move || {
                remove(file);
                package.structure("core", text.as_deref());
            },
            move || run(&mut command),
        )
    };
    let [replay, load, cargo, sqlx, diesel] = rounds(
        plan.rounds(7),
        [
            fresh(package.ours(&["setup"]), None),
            fresh(package.ours(&["setup"]), Some(&structure)),
            Contestant::of(package.cargo()),
            fresh(package.sqlx(&["database", "setup"], "core", &url), None),
            fresh(package.diesel(&["database", "setup"], &file.display().to_string()), None),
        ],
    );
    let name = &corpus.name;
    let what = format!("SQLite: create and migrate, {name}");
    table.times(&what, "sqlx-cli", &replay, &cargo, &sqlx, Goal::Ratio(0.4));
    table.times(&what, "diesel_cli", &replay, &cargo, &diesel, Goal::Ratio(1.0));
    let what = format!("SQLite: create and load, {name}");
    table.times(&what, "sqlx-cli replay", &load, &cargo, &sqlx, Goal::Ratio(0.05));
    remove(&file);
}

/// Removes a database with what may lie beside it.
fn remove(file: &Path) {
    for ending in ["", "-journal", "-wal", "-shm"] {
        let mut path = file.as_os_str().to_owned();
        path.push(ending);
        let _ = std::fs::remove_file(path);
    }
}
