//! Failing SQL is shown where it stands in its file: line, column, and a caret under the very word.

use crate::support::{Postgres, Project, Run, postgres};

/// Expects that the caret of the shown line stands under `word`, at `place` (`file.sql:2:8`).
#[track_caller]
fn points_at(run: &Run, place: &str, word: &str) {
    run.stderr_contains(&format!("--> {place}\n"));
    // The server's own "at line N" is a line of its C source.
    run.stderr_lacks("at line ");
    let lines: Vec<&str> = run.stderr.lines().collect();
    let arrow =
        lines.iter().position(|line| line.contains(place)).unwrap_or_else(|| panic!("no place\n{run}"));
    let caret =
        (arrow..lines.len()).find(|&at| lines[at].contains('^')).unwrap_or_else(|| panic!("no caret\n{run}"));
    let column = lines[caret].find('^').expect("it was found");
    // An emoji takes two columns of a terminal.
    let width = |c: char| if c > '\u{1f000}' { 2 } else { 1 };
    let mut before = lines[caret][..column].chars().count();
    let shown: String = lines[caret - 1]
        .chars()
        .skip_while(|&c| {
            let skipped = before > 0;
            before = before.saturating_sub(width(c));
            skipped
        })
        .collect();
    assert!(shown.starts_with(word), "the caret is under {shown:?} instead of {word:?}\n{run}");
}

fn project(backend: crate::support::Backend) -> Project {
    let project = Project::new().repo("core", backend).migration(
        "core",
        "1_users",
        "create table users (id integer primary key, name varchar(40) unique);\n",
    );
    project.run("create").success();
    project.run("migrate").success();
    project
}

on_each_database! {
    fn a_syntax_error_in_the_kth_statement(backend) {
        let project = project(backend).migration(
            "core",
            "2_b",
            "create table b (id integer);\n\n-- a comment; with a semicolon\ncreate table c (\n  id integer,\n  name varchar(20) nul\n    nonsense here\n);\n",
        );
        let run = project.run("migrate");
        run.code(1).stderr_contains("rolled back");
        points_at(&run, "crates/core/priv/core/migrations/2_b.sql:6:20", "nul");
        assert!(!project.database("core").tables().contains(&"b".to_owned()));
    }

    fn a_name_that_does_not_exist_behind_crlf_and_multibyte_characters(backend) {
        let project = project(backend).migration(
            "core",
            "2_b",
            "-- größer 表 😀\r\ncreate table b (id integer);\r\ninsert into users (id, name) select 1, 'größe 😀' from missing;\r\n",
        );
        let run = project.run("migrate");
        run.code(1).stderr_contains("missing");
        match backend {
            // SQLite tells no place for a missing table: the statement is shown.
            crate::support::Sqlite => {
                run.stderr_contains("2_b.sql:3:");
            }
            Postgres => points_at(&run, "crates/core/priv/core/migrations/2_b.sql:3:55", "missing"),
        }
    }

    fn a_violation_at_run_time_shows_its_statement(backend) {
        let project = project(backend).migration(
            "core",
            "2_b",
            "insert into users values (1, 'a');\ninsert into users values (2, 'b');\n\n  insert into users values (3, 'a');\n",
        );
        let run = project.run("migrate");
        run.code(1).stderr_lacks("at line ");
        points_at(&run, "crates/core/priv/core/migrations/2_b.sql:4:3", "insert into users values (3");
        assert_eq!(project.database("core").value("select count(*) from users"), "0");
    }

    fn seeds_are_shown_at_their_place(backend) {
        let project = project(backend)
            .priv_file("core", "seeds/1.sql", "insert into users values (1, 'a');\ninsert into users values (2, 'b', 'too many');\n");
        let run = project.run("seed");
        run.code(1).stderr_contains("seeds/1.sql:2:").stderr_contains("the whole file was rolled back");
        assert_eq!(project.database("core").value("select count(*) from users"), "0");
    }

    fn a_file_of_run_is_shown_at_its_place(backend) {
        let project = project(backend).file("fix.sql", "\ninsert into users values (1, 'a');\nselect nothing from users;\n");
        let run = project.run("run fix.sql");
        run.code(1);
        points_at(&run, "fix.sql:3:8", "nothing");
    }

    fn a_file_without_a_transaction_tells_what_is_kept(backend) {
        let project = project(backend).migration(
            "core",
            "2_b",
            "-- no-transaction\ncreate table b (id integer);\ninsert into b values (1);\nselect nothing from b;\n",
        );
        let run = project.run("migrate");
        run.code(1);
        points_at(&run, "crates/core/priv/core/migrations/2_b.sql:4:8", "nothing");
        run.stderr_contains("2 of 3 statements were run and are recorded; it goes on from there");
        assert_eq!(project.database("core").value("select count(*) from b"), "1");
        project.run("status").success().stdout_contains("interrupted 2/3");
        // Mended, it goes on where it stopped.
        project.write(
            project.priv_dir("core").join("migrations/2_b.sql"),
            "-- no-transaction\ncreate table b (id integer);\ninsert into b values (1);\nselect id from b;\n",
        );
        project.run("migrate").success();
        assert_eq!(project.database("core").value("select count(*) from b"), "1");
        project.run("status --check").success();
    }

    fn an_unclosed_string_is_found_before_anything_runs(backend) {
        let project = project(backend).migration("core", "2_b", "create table b (id integer);\ninsert into users values (1, 'open);\n");
        let run = project.run("migrate");
        run.code(2);
        points_at(&run, "crates/core/priv/core/migrations/2_b.sql:2:30", "'open");
    }

    fn the_help_behind_a_failure_is_the_next_command(backend) {
        let project = project(backend).migration("core", "2_b", "select nothing from users;\n");
        project.run("migrate").code(1).stderr_contains("cargo dbsetup migrate");
    }
}

#[test]
fn division_by_zero_and_unique_violation_carry_what_the_server_knows() {
    let Some(_) = postgres::server() else { return };
    let project = project(Postgres).migration(
        "core",
        "2_b",
        "select 1;\nselect\n  1 / (id - 1) from (values (1)) as v (id);\n",
    );
    let run = project.run("migrate");
    run.code(1).stderr_contains("division by zero (22012)");
    points_at(&run, "crates/core/priv/core/migrations/2_b.sql:2:1", "select");
    let project = project.migration("core", "2_b", "insert into users values (1, 'a'), (2, 'a');\n");
    project
        .run("migrate")
        .code(1)
        .stderr_contains("23505")
        .stderr_contains("Key (name)=(a) already exists")
        .stderr_contains("users_name_key");
}

#[test]
fn an_error_inside_the_body_of_a_function_shows_call_and_body() {
    let Some(_) = postgres::server() else { return };
    let project = project(Postgres).migration(
        "core",
        "2_f",
        "create function f() returns integer language plpgsql as $$\nbegin\n  return (select nothing from users);\nend $$;\nselect f();\n",
    );
    let run = project.run("migrate");
    run.code(1)
        .stderr_contains("column \"nothing\" does not exist")
        .stderr_contains("PL/pgSQL function")
        .stderr_contains("f()");
    run.stderr_contains("2_f.sql:5:1");
    let in_body = project.migration(
        "core",
        "2_f",
        "create function g() returns integer language sql as $$\n  select 1;\n  select nothing from users;\n$$;\n",
    );
    let run = in_body.run("migrate");
    run.code(1).stderr_contains("nothing");
    points_at(&run, "crates/core/priv/core/migrations/2_f.sql:3:10", "nothing");
    let syntax =
        in_body.migration("core", "2_f", "do $body$\nbegin\n  if true the\n  end if;\nend $body$;\n");
    let run = syntax.run("migrate");
    run.code(1).stderr_contains("2_f.sql:");
}

#[test]
fn a_structure_file_is_shown_at_its_place() {
    let Some(_) = postgres::server() else { return };
    let project = Project::new().repo("core", Postgres).structure(
        "core",
        "\u{feff}create table größe (a integer);\r\n\r\ncreate table b (\r\n  größe integr\r\n);\r\n",
    );
    project.run("create").success();
    let run = project.run("load");
    run.code(1).stderr_contains("type \"integr\" does not exist");
    points_at(&run, "crates/core/priv/core/structure.sql:4:9", "integr");
}

#[test]
fn a_bad_line_of_copy_data_is_shown_at_its_place() {
    let Some(_) = postgres::server() else { return };
    let project = Project::new()
        .repo("core", Postgres)
        .structure("core", "create table t (id integer);\ncopy t (id) from stdin;\n1\ntwo\n\\.\n");
    project.run("create").success();
    project
        .run("load")
        .code(1)
        .stderr_contains("two")
        .stderr_contains("structure.sql:")
        .stderr_contains("rolled back");
}
