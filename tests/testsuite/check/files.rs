//! What files alone tell: for each finding a project that has it, and one that nearly has.

use std::fs;

use super::{dumped, finds, sound, structure};
use crate::support::{Project, Sqlite};

/// Each change to a sound project, and what is found then.
type Case = (&'static str, fn(&Project), &'static [&'static str]);

const PRIV: &str = "crates/core/priv/core";

fn replace(project: &Project, path: &str, from: &str, to: &str) {
    let text = project.read(path);
    assert!(text.contains(from), "{path} lacks {from:?}: {text}");
    project.write(path, &text.replacen(from, to, 1));
}

fn append(project: &Project, path: &str, text: &str) {
    project.write(path, &(project.read(path) + text));
}

fn moved(project: &Project, from: &str, to: &str) {
    let to = project.path(format!("{PRIV}/{to}"));
    fs::create_dir_all(to.parent().expect("it has one")).expect("it can be made");
    fs::rename(project.path(format!("{PRIV}/{from}")), to).expect("it is there");
}

const USERS: &str = "migrations/20260101000000_users.sql";

/// A floor that names a migration with the checksum that the structure records.
fn floor(project: &Project, version: &str, checksum: Option<&str>) {
    let text = project.read(structure());
    let recorded = text.split("sha256:").nth(1).and_then(|rest| rest.split('\'').next()).expect("a checksum");
    let recorded = format!("sha256:{recorded}");
    let checksum = checksum.unwrap_or(&recorded);
    let text = format!("dbsetup floor format 1\n\nsquash\nautomatic {version} {checksum} users\n");
    project.write(format!("{PRIV}/structure.floor"), &text);
}

const CASES: &[Case] = &[
    ("nothing", |_| (), &[]),
    // The set.
    (
        "a name that is no migration's",
        |p| p.write(format!("{PRIV}/migrations/users.sql"), "select 1;"),
        &["files"],
    ),
    ("a note beside the migrations", |p| p.write(format!("{PRIV}/migrations/README.md"), "hello"), &[]),
    (
        "one version twice",
        |p| p.write(format!("{PRIV}/manual_migrations/20260101000000_again.sql"), "select 1;"),
        &["files"],
    ),
    (
        "an editor's leftover",
        |p| p.write(format!("{PRIV}/migrations/20260101000000_users.sql.orig"), "x"),
        &["warn:suspicious-file"],
    ),
    (
        "a requirement that is nowhere",
        |p| p.write(format!("{PRIV}/migrations/20260103000000_a.sql"), "-- requires: 77\nselect 1;\n"),
        &["unknown-requirement"],
    ),
    (
        "a requirement that is pending itself",
        |p| {
            p.write(format!("{PRIV}/manual_migrations/20260103000000_a.sql"), "select 1;\n");
            p.write(
                format!("{PRIV}/migrations/20260104000000_b.sql"),
                "-- requires: 20260103000000\nselect 1;\n",
            );
        },
        &[],
    ),
    // The structure file.
    ("no structure", |p| p.remove(structure()), &["warn:structure-missing"]),
    (
        "no structure after a squash",
        |p| {
            p.remove(structure());
            moved(p, USERS, "dumped_migrations/20260101000000_users.sql");
        },
        &["structure-missing"],
    ),
    (
        "a structure of another program",
        |p| p.write(structure(), "create table users (id int);\n"),
        &["warn:structure-foreign"],
    ),
    (
        "a structure that was cut off",
        |p| replace(p, structure(), "-- dbsetup structure end\n", ""),
        &["structure-broken"],
    ),
    (
        "a structure without its last line end",
        |p| {
            let text = p.read(structure());
            p.write(structure(), text.trim_end());
        },
        &[],
    ),
    (
        "a structure that goes on",
        |p| append(p, structure(), "create table more (i int);\n"),
        &["structure-broken"],
    ),
    (
        "a structure in the middle of a merge",
        |p| append(p, structure(), "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> other\n"),
        &["conflict"],
    ),
    (
        "a structure that begins with a mark of a merge, alone",
        |p| {
            let text = p.read(structure());
            p.write(structure(), &format!("<<<<<<< HEAD\n{text}"));
        },
        &["conflict"],
    ),
    (
        "a structure with the end of a merge, alone",
        |p| replace(p, structure(), "CREATE TABLE", ">>>>>>> other\nCREATE TABLE"),
        &["conflict"],
    ),
    // Migrations.
    (
        "an applied migration in the middle of a merge",
        |p| {
            let text = p.read(format!("{PRIV}/{USERS}"));
            p.write(format!("{PRIV}/{USERS}"), &format!("<<<<<<< HEAD\n{text}"));
        },
        &["conflict"],
    ),
    (
        "a down side in the middle of a merge",
        |p| {
            let path = format!("{PRIV}/migrations/20260103000000_a");
            p.write(format!("{path}.up.sql"), "create table a (i int);\n");
            p.write(format!("{path}.down.sql"), "drop table a;\n>>>>>>> other\n");
        },
        &["conflict"],
    ),
    (
        "marks of a merge in a string",
        |p| {
            let sql = "create table a (i int, t text default '\n<<<<<<< HEAD\n');\n";
            p.write(format!("{PRIV}/migrations/20260103000000_a.sql"), sql);
        },
        &[],
    ),
    // What it records.
    (
        "an applied migration that was changed",
        |p| append(p, &format!("{PRIV}/{USERS}"), "-- more\n"),
        &["changed"],
    ),
    (
        "a pending migration that was changed",
        |p| p.write(format!("{PRIV}/migrations/20260103000000_a.sql"), "select 1;\n"),
        &[],
    ),
    ("an applied migration without a file", |p| p.remove(format!("{PRIV}/{USERS}")), &["file-missing"]),
    (
        "an applied migration in the archive",
        |p| moved(p, USERS, &USERS.replace("migrations", "dumped_migrations")),
        &[],
    ),
    (
        "a squashed migration whose file is gone for good",
        |p| {
            floor(p, "20260101000000", None);
            p.remove(format!("{PRIV}/{USERS}"));
        },
        &[],
    ),
    // The floor.
    (
        "a floor that says nothing",
        |p| p.write(format!("{PRIV}/structure.floor"), "hello\n"),
        &["floor-broken"],
    ),
    (
        "a floor in the middle of a merge",
        |p| {
            let text = "dbsetup floor format 1\n<<<<<<< HEAD\n=======\nsquash\n>>>>>>> other\n";
            p.write(format!("{PRIV}/structure.floor"), text);
        },
        &["conflict"],
    ),
    (
        "a floor that begins with a mark of a merge, alone",
        |p| p.write(format!("{PRIV}/structure.floor"), "<<<<<<< HEAD\ndbsetup floor format 1\n"),
        &["conflict"],
    ),
    (
        "a squashed file in the middle of a merge",
        |p| {
            floor(p, "20260101000000", None);
            moved(p, USERS, "dumped_migrations/20260101000000_users.sql");
            append(p, &format!("{PRIV}/dumped_migrations/20260101000000_users.sql"), "<<<<<<< HEAD\n");
        },
        &["conflict"],
    ),
    (
        "a floor that the structure does not know",
        |p| floor(p, "20250101000000", Some("-")),
        &["floor-unrecorded"],
    ),
    (
        "a squashed file that was changed",
        |p| {
            floor(p, "20260101000000", None);
            moved(p, USERS, "dumped_migrations/20260101000000_users.sql");
            append(p, &format!("{PRIV}/dumped_migrations/20260101000000_users.sql"), "-- more\n");
        },
        &["floor-changed"],
    ),
    (
        "a squashed file as it was",
        |p| {
            floor(p, "20260101000000", None);
            moved(p, USERS, "dumped_migrations/migrations/20260101000000_users.sql");
        },
        &[],
    ),
    (
        "an interrupted squash",
        |p| p.write(format!("{PRIV}/.structure.dbsetup-squash"), "dbsetup squash format 1\n"),
        &["interrupted-squash"],
    ),
];

#[test]
fn each_finding_is_made_and_nothing_that_is_nearly_one() {
    for (what, change, expected) in CASES {
        let project = sound(Sqlite);
        change(&project);
        let run = project.run("check --offline --format json");
        assert_eq!(super::codes(&run), *expected, "{what}\n{run}");
        let fails = expected.iter().any(|code| !code.starts_with("warn:"));
        run.code(if fails { 3 } else { 0 });
    }
}

#[test]
fn the_structure_may_lag_unless_it_is_dumped_after_each_migration() {
    let lagging = |config: &str, name: &str| {
        let project = sound(Sqlite).repo_config("core", config);
        project.write(format!("{PRIV}/{name}"), "create table a (i int);\n");
        project
    };
    let (automatic, manual) = ("migrations/20260103000000_a.sql", "manual_migrations/20260103000000_a.sql");
    let run = finds(&lagging("", automatic), "check --offline", &[]);
    assert_eq!(super::findings(&run)[0]["severity"], "info");
    finds(&lagging("dump-after-migrate = true", automatic), "check --offline", &["structure-behind"]);
    finds(&lagging("dump-after-migrate = true", manual), "check --offline", &[]);
    finds(&lagging("dump-after-migrate = true", manual), "check --offline --lane all", &["structure-behind"]);
}

#[test]
fn line_ends_are_no_change_where_a_ledger_tells_them_apart() {
    let project = Project::new().repo("core", Sqlite).repo_config("core", "ledger = \"sqlx\"").migration(
        "core",
        "1_users",
        "create table users (id int);\n",
    );
    dumped(&project);
    let path = format!("{PRIV}/migrations/1_users.sql");
    project.write(&path, "create table users (id int);\r\n");
    finds(&project, "check --offline", &[]);
    project.write(&path, "create table users (id int, x int);\n");
    finds(&project, "check --offline", &["changed"]);
}

#[test]
fn an_unfinished_merge_is_told_once_and_nothing_is_tried() {
    let project = sound(Sqlite);
    append(&project, &format!("{PRIV}/{USERS}"), ">>>>>>> other\n");
    let run = finds(&project, "check", &["conflict"]);
    let finding = super::findings(&run).remove(0);
    assert_eq!(
        (finding["path"].as_str(), finding["line"].as_u64()),
        (Some(&*format!("{PRIV}/{USERS}")), Some(2))
    );
    let run = project.run("check");
    run.code(3).stderr_contains("a merge is unfinished");
    // The database can be looked at all the same.
    finds(&project, "check --live", &["conflict", "live-missing"]);
}

#[test]
fn offline_opens_no_connection_and_needs_no_url() {
    let project = sound(Sqlite);
    for url in [Some("postgres://nobody@127.0.0.1:1/core"), None] {
        let project = sound(Sqlite).url("core", url);
        let text = project.read(structure()).replace("(sqlite)", "(postgresql)");
        if url.is_some() {
            project.write(structure(), &text);
        }
        project.run("check --offline").success().stderr_contains("checks passed");
    }
    let run = project.run("check --offline --live");
    run.code(2).stderr_contains("`--live` needs a connection, and `--offline` opens none");
}

#[test]
fn a_server_that_does_not_answer_has_its_own_code_and_files_are_checked_all_the_same() {
    let project = Project::new()
        .repo("core", Sqlite)
        .url("core", Some("postgres://nobody@127.0.0.1:1/core"))
        .migration("core", "1_a", "-- requires: 77\ncreate table a (i int);\n");
    let run = project.run("check");
    run.code(7)
        .stderr_contains("error[unknown-requirement]")
        .stderr_contains("`--offline` checks them alone")
        .stderr_contains("core: 1 finding");
}
