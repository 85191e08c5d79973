//! Files that make other tools stumble.

use crate::support::{Backend, Postgres, Project, Sqlite, postgres};

/// How pg_dump's text begins.
const PG_DUMP: &str = "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc123\n\nSET statement_timeout = 0;\nSET lock_timeout = 0;\n\
SET client_encoding = 'UTF8';\nSET standard_conforming_strings = on;\n\
SELECT pg_catalog.set_config('search_path', '', false);\nSET check_function_bodies = false;\nSET row_security = off;\n\n\
CREATE TABLE public.users (id integer NOT NULL, name text);\n\nCOPY public.users (id, name) FROM stdin;\n1\tann;e\n2\t\\N\n\\.\n\n\
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);\n\n\\unrestrict abc123\n\n";

#[test]
fn a_dump_of_pg_dump_as_a_migration_does_not_poison_what_follows() {
    let Some(server) = postgres::server() else { return };
    for ledger in ["schema_migrations", "sqlx"] {
        let project = Project::new()
            .on(&server)
            .repo("core", Postgres)
            .repo_config("core", &format!("ledger = \"{ledger}\""))
            .migration("core", "1_dump", PG_DUMP)
            .migration(
                "core",
                "2_unqualified",
                "create table posts (user_id integer references users (id));",
            );
        let environment = ledger.replace('_', "");
        project.run(&format!("setup --env {environment}")).success();
        let database = project.database_in("core", &environment);
        assert_eq!(database.query("select * from public.users order by id"), [["1", "ann;e"], ["2", "NULL"]]);
        assert_eq!(database.value("select to_regclass('public.posts') is not null"), "t");
        project.run(&format!("status --check --env {environment}")).success();
    }
}

#[test]
fn a_commit_inside_is_refused_before_anything_runs() {
    for backend in Backend::available() {
        for ledger in ["schema_migrations", "sqlx"] {
            let project = Project::new()
                .repo("core", backend)
                .repo_config("core", &format!("ledger = \"{ledger}\""))
                .migration("core", "1_first", "create table first (a integer);")
                .migration("core", "2_commit", "create table half (a integer);\n  COMMIT;\nselect nope;\n");
            let run = project.run("setup");
            run.code(2).stderr_contains("COMMIT").stderr_contains("2_commit.sql:2:3");
            assert!(!project.database("core").tables().contains(&"half".to_owned()), "{run}");
        }
    }
}

#[test]
fn two_concurrent_indexes_in_one_file_are_built() {
    let Some(server) = postgres::server() else { return };
    for ledger in ["schema_migrations", "sqlx"] {
        let project = Project::new()
            .on(&server)
            .repo("core", Postgres)
            .repo_config("core", &format!("ledger = \"{ledger}\""))
            .migration("core", "1_users", "create table users (a int, b int);")
            .migration(
                "core",
                "2_indexes",
                "-- no-transaction\ncreate index concurrently users_a on users (a);\n\ncreate unique index concurrently users_b on users (b);\n",
            );
        let environment = ledger.replace('_', "");
        project.run(&format!("setup --env {environment}")).success();
        let valid = "select indexrelid::regclass::text from pg_index where indisvalid and indrelid = 'users'::regclass order by 1";
        assert_eq!(project.database_in("core", &environment).column(valid), ["users_a", "users_b"]);
    }
}

#[test]
fn the_failing_statement_of_many_is_shown_with_its_line() {
    // What fails when it is run carries no position on any server.
    let cases: [(Backend, &str, &str); 4] = [
        (Postgres, "insert into t values (1)", "duplicate key"),
        (Postgres, "select nope from t", "nope"),
        (Sqlite, "insert into t values (1)", "UNIQUE"),
        (Sqlite, "select nope from t", "nope"),
    ];
    for (backend, statement, message) in cases {
        if !Backend::available().contains(&backend) {
            continue;
        }
        for failing in [2, 5, 9] {
            for mark in ["", "-- no-transaction\n"] {
                let mut file = format!("{mark}create table t (a integer primary key);\n");
                let mut expected = 0;
                for number in 2..10 {
                    file += &format!("-- {number} äöü\n");
                    if number == failing {
                        file += "insert into t values (1);\n";
                        expected = file.lines().count() + 1;
                        file += &format!("{statement};\n");
                    } else {
                        file += &format!("insert into t values ({number}0);\n");
                    }
                }
                let project = Project::new().repo("core", backend).migration("core", "1_many", &file);
                let run = project.run("setup");
                run.code(1).stderr_contains(message).stderr_contains(&format!("1_many.sql:{expected}:"));
                run.stderr_lacks("at line");
            }
        }
    }
}

#[test]
fn a_file_without_a_transaction_goes_on_behind_what_ran_when_it_is_mended() {
    for backend in Backend::available() {
        let head = "-- no-transaction\ncreate table t (a integer primary key);\ninsert into t values (1);\n";
        let project = Project::new().repo("core", backend).migration(
            "core",
            "1_a",
            &format!("{head}insert into t values (1);\n"),
        );
        project.run("setup").code(1);
        let project = project.migration("core", "1_a", &format!("{head}insert into t values (2);\n"));
        project.run("migrate").success();
        assert_eq!(project.database("core").column("select a from t order by a"), ["1", "2"]);
    }
}
