//! What a file without a transaction sets for its session holds to its end, in its own transactions too, also where a later
//! run goes on with it; and no further.

use crate::support::{Database, Postgres, Project, Sqlite, postgres};

/// Runs a file that stops in its middle, mends what stopped it, and goes on in a new process.
fn interrupted(project: &Project, gate: &str) -> Database {
    project.run("create").success();
    let run = project.run("migrate");
    run.code(1).stderr_contains("goes on from there");
    let database = project.database("core");
    database.execute(gate);
    project.run("migrate").success().stderr_contains("2 settings");
    database
}

#[test]
fn settings_of_a_file_hold_in_its_blocks_and_after_an_interruption_on_sqlite() {
    // The same letters in another case: equal, unless the connection has been told otherwise.
    let look = |mark: &str| format!("insert into seen select '{mark}', 'A' like 'a';\n");
    let block = |mark: &str| format!("BEGIN;\n{}COMMIT;\n", look(mark));
    let file = format!(
        "-- no-transaction\nPRAGMA case_sensitive_like=ON;\n{}{}{}insert into gate values (1);\n{}{}{}",
        look("alone"),
        block("block"),
        look("behind"),
        block("block again"),
        look("alone again"),
        "VACUUM;\n",
    );
    let project = Project::new()
        .repo("core", Sqlite)
        .migration("core", "1_seen", "create table seen (mark text primary key, value integer);")
        .migration("core", "2_settings", &file)
        .migration("core", "3_after", &look("after"));
    let database = interrupted(&project, "create table gate (i integer)");
    let seen = database.query("select mark, value from seen order by rowid");
    let expected = [
        ("alone", "0"),
        ("block", "0"),
        ("behind", "0"),
        ("block again", "0"),
        ("alone again", "0"),
        ("after", "1"),
    ];
    assert_eq!(seen, expected.map(|(mark, value)| vec![mark.to_owned(), value.to_owned()]));
}

#[test]
fn settings_of_a_file_hold_in_its_blocks_and_after_an_interruption_on_postgres() {
    if postgres::server().is_none() {
        return;
    }
    let look = |mark: &str| {
        format!(
            "insert into public.seen (mark, value) values ('{mark}', current_setting('my.name', true));\n"
        )
    };
    let block = |mark: &str| format!("BEGIN;\n{}COMMIT;\n", look(mark));
    let file = format!(
        "-- no-transaction\nSET my.name = 'kept' -- for all that follows\n;\nset search_path = other;\n{}{}insert into \
         public.gate values (1);\n{}{}create index concurrently of_things on things (id);\n{}",
        look("alone"),
        block("block"),
        look("alone again"),
        block("block again"),
        look("last"),
    );
    let first = "create table seen (at integer generated always as identity, mark text primary key, value text);\n\
                 create schema other;\ncreate table other.things (id integer);";
    let project = Project::new()
        .repo("core", Postgres)
        .migration("core", "1_seen", first)
        .migration("core", "2_settings", &file)
        .migration("core", "3_after", &look("after"));
    let database = interrupted(&project, "create table public.gate (i integer)");
    let seen = database.query("select mark, coalesce(value, '') from seen order by at");
    let kept = ["alone", "block", "alone again", "block again", "last"].map(|mark| (mark, "kept"));
    let expected = kept.into_iter().chain([("after", "")]);
    let expected: Vec<_> = expected.map(|(mark, value)| vec![mark.to_owned(), value.to_owned()]).collect();
    assert_eq!(seen, expected);
    assert_eq!(database.value("select count(*) from pg_indexes where schemaname = 'other'"), "1");
    // Where the session was told to look for tables is no place for ours.
    assert_eq!(database.value("select count(*) from pg_tables where schemaname = 'other'"), "1");
}
