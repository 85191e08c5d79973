//! Who hears what, where: stdout, stderr, JSON, GitHub.

use crate::support::{Backend, Postgres, Project, Sqlite, postgres};

fn project() -> Project {
    Project::new().repo("core", Sqlite).migration(
        "core",
        "20260101000000_users",
        "create table users (id integer primary key);",
    )
}

#[test]
fn status_lines_go_to_stderr_and_data_to_stdout() {
    let project = project();
    project.run("setup").success().stdout_is("");
    project
        .run("status")
        .success()
        .stdout_contains("applied  automatic  20260101000000  users")
        .stderr_is("");
    project.run("dump -d -").success().stdout_contains("users").stderr_is("");
    project.run("status --check").success();
}

#[test]
fn quiet_says_nothing_where_all_went_well_and_a_quiet_line_of_an_alias_says_why_it_did_nothing() {
    let project = project().alias("twice", &["setup --quiet", "load --skip-if-loaded --quiet"]);
    for line in ["setup -q", "setup -q", "load --skip-if-loaded -q", "seed -q", "seed --if-new -q"] {
        project.run(line).success().stderr_is("").stdout_is("");
    }
    project
        .run("setup")
        .success()
        .stderr_contains("was not loaded: there is no file")
        .stderr_contains("was not seeded");
    let run = project.run("twice");
    run.success().stderr_contains("The structure for core was not loaded").stderr_lacks("was not seeded");
}

#[test]
fn json_is_one_object_an_event_with_the_version_first() {
    let project = project();
    let run = project.run("setup --format json");
    run.success();
    let mut events = Vec::new();
    for line in run.stdout.lines() {
        assert!(line.starts_with("{\"v\":1,\"event\":\""), "{line}");
        let object: serde_json::Value = serde_json::from_str(line).expect("every line is JSON");
        events.push(object["event"].as_str().expect("it has a name").to_owned());
    }
    for event in ["created", "load_skipped", "migrated", "seed_skipped", "summary"] {
        assert!(events.iter().any(|found| found == event), "{event} is not in {events:?}");
    }
    let status = project.run("status --format json");
    status.stdout_contains("\"version\":\"20260101000000\",\"name\":\"users\",\"state\":\"applied\"");
}

#[test]
fn json_carries_failures_with_their_place_and_code() {
    let project = project().migration("core", "20260102000000_x", "select 1;\nselect nope;");
    let run = project.run("setup --format json");
    run.code(1).stdout_contains("\"event\":\"error\",\"repo\":\"core\",\"kind\":\"statement\",\"code\":1");
    run.stdout_contains("20260102000000_x.sql\",\"line\":2,");
    project.run("setup --format json --lane").code(2).stdout_contains("\"kind\":\"usage\"");
}

#[test]
fn github_gets_annotations_and_a_summary_and_the_text_stays() {
    let project = project().migration("core", "20260102000000_x", "select 1;\nselect nope;");
    let summary = project.root().join("summary.md");
    let run = project
        .command("setup")
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", &summary.display().to_string())
        .run();
    run.code(1)
        .stderr_contains("error: no such column: nope")
        .stderr_contains("::error file=crates/core/priv/core/");
    run.stderr_contains(",line=2,col=8,");
    assert!(project.read("summary.md").contains("| core |"), "{}", project.read("summary.md"));
    project.run("setup").stderr_lacks("::error");
}

#[test]
fn colours_are_for_terminals_unless_told() {
    let project = project();
    project.run("frobnicate").code(2).stderr_lacks("\u{1b}");
    project.run("frobnicate --color always").code(2).stderr_contains("\u{1b}[");
    project.command("frobnicate").env("CARGO_TERM_COLOR", "always").run().code(2).stderr_contains("\u{1b}[");
    project.command("--help").env("CLICOLOR_FORCE", "1").run().success().stdout_contains("\u{1b}[");
}

#[cfg(unix)]
#[test]
fn work_that_lasts_gets_a_bar_on_a_terminal() {
    let slow = "create table slow as with recursive c(x) as (select 1 union all select x + 1 from c where x < 3000000) \
                select count(*) as n from c;";
    let project = project().migration("core", "20260102000000_slow", slow);
    project.run("create").success();
    let mut terminal = project.terminal("migrate");
    terminal.expect("1/2").expect("20260102000000 slow").expect("== Migrated 20260102000000 slow");
    terminal.wait().success();
}

#[test]
fn pending_migrations_are_found_by_the_check() {
    let project = project();
    project.run("status --check").code(3).stderr_contains("does not exist");
    project.run("create").success();
    let run = project.run("status --check");
    run.code(3).stdout_contains("pending").stderr_contains("1 pending");
}

#[test]
fn a_stale_structure_file_is_shown_at_its_first_wrong_line() {
    let project = project();
    project.run("setup").success();
    project.run("dump --check").code(3).stderr_contains("there is no structure file");
    project.run("dump").success();
    project.run("dump --check").success();
    let project = project.migration("core", "20260102000000_more", "create table more (id integer);");
    project.run("migrate").success();
    let run = project.run("dump --check");
    run.code(3)
        .stderr_contains("is stale")
        .stderr_contains("structure.sql:")
        .stderr_contains("the database says")
        .stdout_contains("\n+CREATE TABLE more (id integer);\n")
        .stdout_lacks("\u{1b}");
    let diff = run.stdout.clone();
    assert!(
        diff.starts_with("--- crates/core/priv/core/structure.sql\n+++ the database of core\n@@ "),
        "{run}"
    );
    let run = project.run("dump --check --format json");
    run.code(3).stdout_contains("\"event\":\"stale\"").stdout_contains("\\n+CREATE TABLE more");
    project.run("dump --check --color always").code(3).stdout_contains("\u{1b}[32m+CREATE TABLE more");
}

#[test]
fn a_statement_that_wants_no_transaction_is_told_how_to_get_none() {
    for backend in Backend::available() {
        let project = Project::new().repo("core", backend).migration("core", "20260101000000_v", "vacuum;");
        let run = project.run("setup");
        run.code(1).stderr_contains("write `-- no-transaction` as the first line of the file and run `cargo");
        let project =
            project.priv_file("core", "migrations/20260101000000_v.sql", "-- no-transaction\nvacuum;");
        project.run("setup").success();
    }
}

#[test]
fn what_a_server_says_besides_is_shown_for_its_repo() {
    let Some(_) = postgres::server() else { return };
    let text = "do $$ begin raise notice 'a%b', 1; raise warning E'mind\n== the gap'; end $$;\n";
    let project = Project::new().repo("core", Postgres).migration("core", "1_loud.up", text).migration(
        "core",
        "1_loud.down",
        "select 1;\n",
    );
    project.run("create").success();
    project
        .run("migrate")
        .success()
        .stderr_contains("warning: the server says: mind")
        .stderr_lacks("\n== the gap")
        .stderr_lacks("a1b");
    project.run("redo -v").success().stderr_contains("the server says: a1b");
    let run = project.run("redo --format json");
    run.success();
    let line = |text: &str| run.stdout.lines().find(|line| line.contains(text)).map(str::to_owned);
    assert_eq!(
        line("a1b").as_deref(),
        Some("{\"v\":1,\"event\":\"notice\",\"repo\":\"core\",\"severity\":\"notice\",\"text\":\"a1b\"}")
    );
    assert!(line("mind").is_some_and(|line| line.contains("\"severity\":\"warning\"")), "{}", run.stdout);
}
