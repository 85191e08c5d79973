//! From a fresh clone to ready databases: `setup`, and what `load` takes and refuses.

use crate::support::{Backend, Database, Postgres, Project, Sqlite};

const USERS: &str = "create table users (id integer primary key, name varchar(40) not null);\n";
const ORDERS: &str = "create table orders (id integer primary key, user_id integer references users (id));\n";

/// A repo with two migrations and a seed, and no structure file.
fn shop(backend: Backend) -> Project {
    Project::new()
        .repo("core", backend)
        .migration("core", "20260101000000_users", USERS)
        .migration("core", "20260102000000_orders", ORDERS)
        .seed("core", "insert into users (id, name) values (1, 'first');\n")
}

/// A shop whose first migration is in the structure file and nowhere else.
fn squashed(backend: Backend) -> Project {
    let project = shop(backend);
    project.run("create").success();
    project.run("migrate --to 20260101000000").success();
    project.run("dump").success();
    project.run("drop --yes").success();
    project.remove(project.priv_dir("core").join("migrations/20260101000000_users.sql"));
    project
}

/// Everything in the database that a second run could have changed.
fn content(database: &Database) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for table in database.tables() {
        let columns = match (table.as_str(), database) {
            ("schema_migrations", _) => "version, name, checksum, applied_at, execution_ms",
            _ => "*",
        };
        rows.push(vec![table.clone()]);
        rows.extend(database.query(&format!("select {columns} from {table} order by 1")));
    }
    rows
}

on_each_database! {
    fn a_fresh_clone_is_set_up_by_one_command(backend) {
        let project = shop(backend);
        let run = project.run("setup");
        run.success()
            .stdout_is("")
            .stderr_contains("The database for core has been created (")
            .stderr_contains("The structure for core was not loaded: there is no file crates/core/priv/core/structure.sql")
            .stderr_contains("== Migrated 20260101000000 users in ")
            .stderr_contains("== Migrated 20260102000000 orders in ")
            .stderr_contains("core has been seeded from crates/core/priv/core/seeds.sql in ");
        let database = project.database("core");
        assert_eq!(database.query("select id, name from users"), [["1", "first"]]);
        assert_eq!(
            database.column("select version from schema_migrations order by version"),
            ["20260101000000", "20260102000000"]
        );
    }

    fn a_second_setup_changes_nothing_and_says_so(backend) {
        let project = shop(backend);
        project.run("setup").success();
        let before = content(&project.database("core"));
        assert!(before.len() > 6, "{before:?}");
        project
            .run("setup")
            .success()
            .stderr_contains("The database for core has already been created (")
            .stderr_contains("Migrations for core are already up (2 applied)")
            .stderr_contains("core was not seeded: it was seeded before")
            .stderr_lacks("== Migrated");
        assert_eq!(content(&project.database("core")), before);
    }

    fn a_structure_and_newer_migrations_are_enough(backend) {
        let project = squashed(backend);
        project
            .run("setup")
            .success()
            // `--quiet` of the built-in line drops the sentence of success.
            .stderr_lacks("has been loaded")
            .stderr_lacks("== Migrated 20260101000000")
            .stderr_contains("== Migrated 20260102000000 orders");
        let database = project.database("core");
        assert_eq!(database.column("select version from schema_migrations order by version"), ["20260101000000", "20260102000000"]);
        assert_eq!(database.value("select count(*) from users"), "1");
        let before = content(&database);
        project.run("setup").success().stderr_contains("The structure for core was not loaded: 2 migrations are recorded there");
        assert_eq!(content(&project.database("core")), before);
    }

    fn a_structure_survives_dump_drop_and_load(backend) {
        let project = shop(backend).migration(
            "core",
            "20260103000000_names",
            "create unique index users_name on users (name);\ncreate view names as select name from users;\n",
        );
        project.run("create").success();
        project.run("migrate").success();
        project.run("dump").success().stderr_contains("The structure for core has been dumped to crates/core/priv/core/structure.sql in ");
        let path = project.priv_dir("core").join("structure.sql");
        let first = project.read(&path);
        assert!(first.starts_with("-- dbsetup structure format "), "{first}");
        project.run("drop --yes").success();
        project.run("create").success();
        project.run("load").success().stderr_contains("The structure for core has been loaded from crates/core/priv/core/structure.sql in ");
        project.remove(&path);
        project.run("dump").success();
        assert_eq!(project.read(&path), first);
        project.run("dump").success().stderr_contains("is up to date");
        project.run("dump --check").success();
        project.run("migrate").success().stderr_contains("Migrations for core are already up (3 applied)");
    }

    fn migrate_loads_the_structure_into_an_empty_database_and_says_so(backend) {
        let project = squashed(backend);
        project.run("create").success();
        project
            .run("migrate")
            .success()
            .stderr_contains("The structure for core has been loaded from crates/core/priv/core/structure.sql in ")
            .stderr_contains("== Migrated 20260102000000 orders");
        assert_eq!(project.database("core").value("select count(*) from orders"), "0");
    }

    fn migrate_without_load_runs_the_migrations_alone(backend) {
        let project = shop(backend).structure("core", "create table never (id integer);\n");
        project.run("create").success();
        project.run("migrate --no-load").success().stderr_lacks("structure").stderr_contains("== Migrated 20260101000000 users");
        assert!(!project.database("core").tables().contains(&"never".to_owned()));
    }

    fn load_that_is_skipped_names_its_reason(backend) {
        let project = shop(backend);
        project.run("create").success();
        let load = || project.run("load --skip-if-loaded");
        load().success().stderr_contains("was not loaded: there is no file crates/core/priv/core/structure.sql");
        project.write(project.priv_dir("core").join("structure.sql"), "create table alone (id integer);\n");
        load().success().stderr_contains("has been loaded from").stderr_lacks("was not loaded");
        load().success().stderr_contains("The structure for core was not loaded: it was loaded before");
        project.run("load").code(1).stderr_contains("the structure of `core` is loaded already: it was loaded before").stderr_contains("load --force --repo core");
        project.run("migrate --to 20260101000000").success();
        load().success().stderr_contains("was not loaded: 1 migration is recorded there");
    }

    fn load_never_writes_over_what_is_there(backend) {
        let project = shop(backend).structure("core", "create table users (id integer);\n");
        project.run("create").success();
        project.database("core").execute("create table precious (id integer); insert into precious values (7)");
        for command in ["load", "load --skip-if-loaded", "setup"] {
            project
                .run(command)
                .code(1)
                .stderr_contains("the database of `core` is not empty, and no migration is recorded in it")
                .stderr_contains("precious")
                .stderr_contains("load --force");
        }
        let database = project.database("core");
        assert_eq!(database.user_tables(), ["precious"]);
        assert_eq!(database.value("select id from precious"), "7");
    }

    fn load_with_force_empties_the_database_first(backend) {
        let project = shop(backend).structure("core", "create table users (id integer);\n");
        project.run("create").success();
        project.database("core").execute("create table precious (id integer); create view v as select id from precious");
        project.run("load --force").code(4).stderr_contains("--yes");
        assert_eq!(project.database("core").user_tables(), ["precious"]);
        project.run("load --force --yes").success();
        let tables = project.database("core").tables();
        assert!(tables.contains(&"users".to_owned()) && !tables.contains(&"precious".to_owned()), "{tables:?}");
    }

    fn a_structure_whose_statement_fails_leaves_nothing(backend) {
        let text = "create table a (id integer);\r\n-- größer\r\ncreate table b (id integer);\r\ninsert into b values (1);\r\n  insert into missing values (1);\r\n";
        let project = shop(backend).structure("core", text);
        project.run("create").success();
        project
            .run("load")
            .code(1)
            .stderr_contains("missing")
            .stderr_contains("crates/core/priv/core/structure.sql:5:")
            .stderr_contains("everything was rolled back: the database is as it was before");
        assert_eq!(project.database("core").user_tables(), Vec::<String>::new());
        project.write(project.priv_dir("core").join("structure.sql"), "create table a (id integer);\n");
        project.run("load").success();
    }

    fn a_row_of_the_ledger_that_fails_is_named_by_its_line(backend) {
        let mut project = shop(backend);
        for number in 1..6 {
            let name = format!("{number}_t");
            project = project.migration("core", &name, &format!("create table t{number} (id integer);"));
        }
        project.run("setup").success();
        project.run("dump").success();
        let path = project.priv_dir("core").join("structure.sql");
        let whole = project.read(&path);
        let rows: Vec<(usize, &str)> =
            whole.lines().enumerate().filter(|(_, line)| line.starts_with("INSERT INTO")).collect();
        let (number, third) = rows[2];
        // A merge that kept both sides.
        let twice = whole.replacen(third, &format!("{third}\n{third}"), 1);
        let version = third.split_once("VALUES (").and_then(|(_, values)| values.split(',').next());
        let null = third.replacen(version.expect("the version comes first"), "NULL", 1);
        let null = whole.replacen(third, &null, 1);
        for (text, line, note) in
            [(twice, number + 2, ""), (null, rows[0].0 + 1, "it is one of the 7 rows that begin there")]
        {
            project.write(&path, &text);
            project.run("drop --yes").success();
            project.run("create").success();
            let run = project.run("load");
            run.code(1).stderr_contains(&format!("structure.sql:{line}:1")).stderr_contains(note);
            run.stderr_contains("everything was rolled back: the database is as it was before");
        }
    }

    fn a_structure_that_was_cut_off_is_refused(backend) {
        let project = squashed(backend);
        let path = project.priv_dir("core").join("structure.sql");
        let whole = project.read(&path);
        project.run("create").success();
        for keep in [whole.len() / 2, whole.rfind("-- dbsetup structure end").expect("the trailer is there")] {
            project.write(&path, &whole[..keep]);
            project.run("load").code(2).stderr_contains("structure.sql").stderr_contains("cut off");
            project.run("setup").code(2);
            assert_eq!(project.database("core").user_tables(), Vec::<String>::new());
        }
    }

    fn a_meta_command_is_refused_before_anything_runs(backend) {
        let lines = match backend {
            Sqlite => [".shell touch owned", ".system touch owned", ".read /etc/passwd", ".once |touch owned"],
            Postgres => ["\\! touch owned", "\\copy t from program 'touch owned'", "\\i /etc/passwd", "\\o | touch owned"],
        };
        for line in lines {
            let text = format!("create table a (id integer);\n\n{line}\ncreate table b (id integer);\n");
            let project = shop(backend).structure("core", &text);
            project.run("create").success();
            project.run("load").code(2).stderr_contains("crates/core/priv/core/structure.sql:3:1");
            assert_eq!(project.database("core").user_tables(), Vec::<String>::new(), "{line}");
            assert!(!project.path("owned").exists() && !project.path("crates/core/owned").exists());
        }
    }

    fn a_failing_repo_does_not_keep_the_others_from_finishing_the_step(backend) {
        let project = Project::new()
            .repo("core", backend)
            .repo("billing", Sqlite)
            .migration("core", "20260101000000_users", USERS)
            .migration("billing", "20260101000000_broken", "create table;\n");
        project
            .run("setup")
            .code(1)
            .stderr_contains("== Migrated 20260101000000 users")
            .stderr_contains("in repo `billing`")
            .stderr_contains("1 of 2 repos failed");
        assert_eq!(project.database("core").value("select count(*) from users"), "0");
        // The run stops behind the step that failed: nothing is seeded.
        project.run("setup").code(1).stderr_lacks("was not seeded: it was seeded before");
    }
}

#[test]
fn two_crates_with_two_databases_are_one_run() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo_in("billing", "invoices", Sqlite)
        .migration("core", "20260101000000_users", USERS)
        .priv_file("invoices", "migrations/1_invoices.sql", "create table invoices (id integer);\n");
    let run = project.run("setup");
    run.success();
    let table = run.stderr.lines().skip_while(|line| !line.starts_with("  repo")).collect::<Vec<_>>();
    assert_eq!(table.len(), 3, "{run}");
    assert!(table[1].starts_with("  core") && table[2].starts_with("  invoices"), "{run}");
    assert_eq!(project.database("core").value("select count(*) from users"), "0");
    assert_eq!(project.database("invoices").value("select count(*) from invoices"), "0");
    // In the directory of a member: its repos alone.
    project.run_in("crates/billing", "drop --yes").success();
    assert!(project.database("core").exists() && !project.database("invoices").exists());
}

#[test]
fn the_file_of_a_newer_pg_dump_is_loaded() {
    let Some(_) = crate::support::postgres::server() else { return };
    // As pg_dump 18 writes it, with settings that this server may not know.
    let text = "\
--
-- PostgreSQL database dump
--

\\restrict Xh3MyIqWQ4aT7mPz

-- Dumped from database version 18.0
-- Dumped by pg_dump version 18.0

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE FUNCTION public.twice(n integer) RETURNS integer
    LANGUAGE sql
    AS $_$ select $1 * 2; -- not; the end $_$;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.schema_migrations (
    version character varying(255) NOT NULL
);

CREATE TABLE public.countries (
    code text NOT NULL,
    name text
);

COPY public.countries (code, name) FROM stdin;
de\tDeutschland; größer
is\t\\N
xx\ttab\\there\\\\.
\\.

ALTER TABLE ONLY public.countries
    ADD CONSTRAINT countries_pkey PRIMARY KEY (code);

--
-- PostgreSQL database dump complete
--

\\unrestrict Xh3MyIqWQ4aT7mPz

";
    let project = Project::new().repo("core", Postgres).structure("core", text);
    project.run("create").success();
    project.run("load").success();
    let database = project.database("core");
    assert_eq!(
        database.query("select code, name from countries order by code"),
        [["de", "Deutschland; größer"], ["is", "NULL"], ["xx", "tab\there\\."]]
    );
    assert_eq!(database.value("select twice(21)"), "42");
    // The empty search_path of the file is not handed on.
    project.run("migrate").success();
}

#[test]
fn the_text_of_sqlites_shell_is_loaded() {
    let text = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE users (id integer primary key autoincrement, name text);\n\
        INSERT INTO users VALUES(1,'semi;colon');\nINSERT INTO users VALUES(2,'größer');\n\
        DELETE FROM sqlite_sequence;\nINSERT INTO sqlite_sequence VALUES('users',2);\n\
        CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET name = 'x' WHERE id = 0; END;\nCOMMIT;\n";
    let project = Project::new().repo("core", Sqlite).structure("core", text);
    project.run("create").success();
    project.run("load").success();
    assert_eq!(
        project.database("core").column("select name from users order by id"),
        ["semi;colon", "größer"]
    );
    assert_eq!(project.database("core").value("select seq from sqlite_sequence"), "2");
}

#[test]
fn a_file_that_goes_on_where_it_stopped_has_its_settings_again() {
    let start = "-- no-transaction\npragma recursive_triggers = on;\ncreate table seen (v integer);\n";
    let name = "20260103000000_seen";
    let project = shop(Sqlite).migration("core", name, &format!("{start}insert into nope values (1);\n"));
    project.run("setup").code(1).stderr_contains("nope");
    project.write(
        project.priv_dir("core").join(format!("migrations/{name}.sql")),
        &format!("{start}insert into seen select recursive_triggers from pragma_recursive_triggers;\n"),
    );
    project.run("migrate").success();
    assert_eq!(project.database("core").column("select v from seen"), ["1"]);
}

#[test]
fn the_schema_that_sqlites_shell_prints_is_loaded() {
    // Older shells print the tables of a virtual one without `IF NOT EXISTS`.
    let text = "CREATE TABLE users (id integer primary key autoincrement);\nCREATE TABLE sqlite_sequence(name,seq);\n\
        CREATE VIRTUAL TABLE notes USING fts5(body)\n/* notes(body) */;\n\
        CREATE TABLE 'notes_data'(id INTEGER PRIMARY KEY, block BLOB);\n\
        CREATE TABLE IF NOT EXISTS 'notes_idx'(segid, term, pgno, PRIMARY KEY(segid, term)) WITHOUT ROWID;\n\
        CREATE VIEW early AS SELECT id FROM users\n/* early(id) */;\nCREATE TABLE sqlite_stat1(tbl,idx,stat);\n";
    let project = Project::new().repo("core", Sqlite).structure("core", text);
    project.run("create").success();
    project.run("load").success();
    project.run("dump").success();
    let structure = project.read(project.priv_dir("core").join("structure.sql"));
    let lines: Vec<&str> = structure.lines().filter(|line| line.starts_with("CREATE")).collect();
    assert_eq!(
        lines,
        [
            "CREATE TABLE users (id integer primary key autoincrement);",
            "CREATE VIRTUAL TABLE notes USING fts5(body);",
            "CREATE VIEW early AS SELECT id FROM users;",
        ]
    );
    project.write(
        project.priv_dir("core").join("structure.sql"),
        "PRAGMA writable_schema=ON;\nINSERT INTO sqlite_schema(type) VALUES('table');\n",
    );
    project.run("load --force --yes").code(2).stderr_contains("load what its `.schema` writes");
}

#[test]
fn a_configured_schema_and_role_are_made_and_used_on_a_new_database() {
    let Some(server) = crate::support::postgres::server() else { return };
    let role = server.role("maker", "").name.clone();
    let config = format!("schemas = [\"app\"]\nrole = \"{role}\"\n");
    let project = Project::new().on(&server).repo("core", Postgres).repo_config("core", &config).migration(
        "core",
        "1_users",
        "create table users (id integer);\n",
    );
    project.run("setup").success();
    let database = project.database("core");
    let owner = "select schemaname, tableowner from pg_tables where tablename in ('users', 'schema_migrations') order by 1";
    assert_eq!(database.query(owner), vec![vec!["app".to_owned(), role.clone()]; 2]);
    project.run("setup").success().stderr_lacks("== Migrated");
    project.run("drop --yes").success();
}

#[test]
fn a_structure_whose_ledger_is_in_a_schema_of_its_own_loads() {
    let Some(server) = crate::support::postgres::server() else { return };
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config("core", "schemas = [\"app\"]\n")
        .migration("core", "1_users", "create table users (id integer);\n");
    project.run("setup").success();
    project.run("dump").success();
    let structure = project.read(project.priv_dir("core").join("structure.sql"));
    assert!(structure.contains("CREATE SCHEMA app;"), "{structure}");
    let tables = "select schemaname || '.' || tablename from pg_tables where schemaname = 'app' order by 1";
    let all = ["app.dbsetup_meta", "app.schema_migrations", "app.users"];
    // Whether `create` made the schema for our own tables, nobody, or an earlier load.
    project.run("drop --yes").success();
    project.run("create").success();
    project.run("load").success();
    assert_eq!(project.database("core").column(tables), all);
    project.run("load --force --yes").success();
    assert_eq!(project.database("core").column(tables), all);
    project.run("drop --yes").success();
    project.database("core").postgres().create();
    project.run("load").success();
    assert_eq!(project.database("core").column(tables), all);
}

#[test]
fn a_file_without_a_transaction_holds_no_transaction_of_its_own() {
    let project =
        shop(Sqlite).file("mixed.sql", "-- no-transaction\nbegin;\ncreate table a (i integer);\ncommit;\n");
    project.run("setup").success();
    let run = project.run("run mixed.sql");
    run.code(2).stderr_contains("mixed.sql:2:1").stderr_contains("nothing was run");
    assert!(!project.database("core").tables().contains(&"a".to_owned()));
}
