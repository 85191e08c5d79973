//! `gen`: `migration` here (new files in the style of those beside them), the others in files of their own.

mod deploy;
mod workflow;

use crate::support::{Backend, Project, Sqlite};

const USERS: &str = "create table users (id integer primary key, name varchar(40));\n";

/// Returns the names of the only new files in the directory.
fn generated(project: &Project, directory: &str, line: &str) -> Vec<String> {
    let before = project.files(directory);
    project.run(line).success().stderr_contains("* creating ");
    project.files(directory).into_iter().filter(|name| !before.contains(name)).collect()
}

#[test]
fn gen_migration_writes_in_the_style_of_the_directory() {
    let core = "crates/core/priv/core/migrations";
    let fresh = Project::new().repo("core", Sqlite);
    let pair = generated(&fresh, core, "gen migration AddUsers");
    assert_eq!(pair.len(), 2, "{pair:?}");
    assert!(pair[0].ends_with("_add_users.down.sql") && pair[1].ends_with("_add_users.up.sql"), "{pair:?}");
    assert!(pair[0].split('_').next().is_some_and(|stamp| stamp.len() == 14), "{pair:?}");
    fresh
        .run("gen migration add_users")
        .code(2)
        .stderr_contains("a migration called `add_users` is there already");
    assert_eq!(generated(&fresh, core, "gen migration more --simple").len(), 1);

    let simple = Project::new().repo("core", Sqlite).migration("core", "007_seven", USERS);
    assert_eq!(generated(&simple, core, "gen migration 'add orders'"), ["008_add_orders.sql"]);
    assert_eq!(
        generated(&simple, core, "gen migration with_way_back --pair"),
        ["009_with_way_back.down.sql", "009_with_way_back.up.sql"]
    );
    simple.run("gen migration seven").code(2);

    let refinery = Project::new().repo("core", Sqlite).migration("core", "V3__three", USERS);
    assert_eq!(generated(&refinery, core, "gen migration four"), ["V4__four.sql"]);

    let diesel = Project::new()
        .repo("core", Sqlite)
        .priv_file("core", "migrations/2026-01-02-030405_first/up.sql", USERS)
        .priv_file("core", "migrations/2026-01-02-030405_first/down.sql", "drop table users;\n");
    let made = generated(&diesel, core, "gen migration second");
    assert_eq!(made.len(), 1, "{made:?}");
    assert_eq!(diesel.files(format!("{core}/{}", made[0])), ["down.sql", "up.sql"]);
    assert_eq!(made[0].split('_').next().map(str::len), Some("2026-01-02-030405".len()), "{made:?}");

    let dbmate = Project::new().repo("core", Sqlite).migration(
        "core",
        "20260101000000_a",
        "-- migrate:up\nselect 1;\n-- migrate:down\nselect 2;\n",
    );
    let made = generated(&dbmate, core, "gen migration b");
    assert!(dbmate.read(format!("{core}/{}", made[0])).contains("-- migrate:down"), "{made:?}");
}

#[test]
fn gen_migration_makes_directories_and_keeps_to_lanes() {
    let project = Project::new().repo("core", Sqlite);
    assert_eq!(
        generated(&project, "crates/core/priv/core/manual_migrations", "gen migration big --lane manual")
            .len(),
        2
    );
    project
        .run("gen migration dry --dry-run")
        .success()
        .stdout_contains("would create crates/core/priv/core/migrations/");
    assert!(project.files("crates/core/priv/core/migrations").is_empty());
    assert_eq!(
        generated(
            &project,
            "crates/core/priv/core/extra",
            "gen migration other --migrations-path priv/core/extra"
        )
        .len(),
        2
    );
    project.run("gen migration 'a/b'").code(2);
    project.run("gen migration big").code(2).stderr_contains("is there already");
    project.run("gen migration").code(2);
}

#[test]
fn what_is_generated_runs() {
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users.up", USERS).migration(
        "core",
        "1_users.down",
        "drop table users;\n",
    );
    project.run("gen migration names").success();
    project.run("create").success();
    // An empty one is no migration: it says so instead of being marked as applied.
    project.run("migrate").code(2).stderr_contains("2_names.up.sql");
    project.write("crates/core/priv/core/migrations/2_names.up.sql", "create table names (id integer);\n");
    project.run("migrate").success();
}

#[test]
fn a_sequence_does_not_begin_beside_times() {
    let core = "crates/core/priv/core/migrations";
    let times = Project::new().repo("core", Sqlite).migration("core", "20260101000000_one", USERS);
    times
        .run("gen migration two --sequential")
        .code(2)
        .stderr_contains("a number would sort before all of them");
    assert_eq!(times.files(core).len(), 1);
    let fresh = Project::new().repo("core", Sqlite);
    assert_eq!(generated(&fresh, core, "gen migration one --sequential --simple"), ["0001_one.sql"]);
}

#[test]
fn what_was_squashed_is_in_use_with_and_without_its_files() {
    let core = "crates/core/priv/core/migrations";
    let floor = "dbsetup floor format 1\n\nsquash\nautomatic 0001 - users\nautomatic 0007 - orders\n";
    let project = Project::new().repo("core", Sqlite).priv_file("core", "structure.floor", floor);
    project.run("gen migration orders").code(2).stderr_contains("is there already");
    assert!(generated(&project, core, "gen migration new --simple")[0].starts_with("0008_new"));
    let archived = Project::new().repo("core", Sqlite).dumped("core", "manual_migrations/0012_slow", USERS);
    assert_eq!(generated(&archived, core, "gen migration new --simple"), ["0013_new.sql"]);
}

/// A small project with a migration, as the other templates want to find it.
fn project_on(backend: Backend) -> Project {
    let project = Project::new().repo("core", backend);
    project.migration("core", "20260101000000_users", USERS)
}
