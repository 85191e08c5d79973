//! Files and ledger that do not agree, and what a structure file may not do.

use crate::support::{Database, Postgres, Project, Sqlite, postgres};

const USERS: &str = "create table users (\n  id integer primary key,\n  name varchar(40)\n);\n";

fn migrated(backend: crate::support::Backend) -> Project {
    let project = Project::new().repo("core", backend).migration("core", "10_users", USERS).migration(
        "core",
        "20_orders",
        "create table orders (id integer);\n",
    );
    project.run("create").success();
    project.run("migrate").success();
    project
}

fn file(project: &Project, name: &str) -> std::path::PathBuf {
    project.priv_dir("core").join("migrations").join(name)
}

on_each_database! {
    fn an_edited_file_is_refused_and_shown(backend) {
        let project = migrated(backend);
        project.write(file(&project, "10_users.sql"), &USERS.replace("40", "400"));
        let project = project.migration("core", "30_new", "create table new_one (id integer);\n");
        let run = project.run("migrate");
        run.code(1).stderr_contains("10_users.sql").stderr_contains("resolve").stderr_lacks("== Migrated");
        assert!(!project.database("core").tables().contains(&"new_one".to_owned()));
        project.run("resolve 10 --accept-checksum").success();
        project.run("migrate").success().stderr_contains("== Migrated 30 new");
        // `redo` is named where there is a way back.
        let project = project.reversible("core", "40_pair", "create table pair (id integer);\n", "drop table pair;\n");
        project.run("migrate").success();
        project.write(file(&project, "40_pair.up.sql"), "create table pair (id integer, more integer);\n");
        project.run("migrate").code(1).stderr_contains("redo").stderr_contains("resolve");
        project.run("redo").success();
        project.run("status --check").success();
    }

    fn other_line_endings_are_no_edit(backend) {
        let project = migrated(backend);
        for name in ["10_users.sql", "20_orders.sql"] {
            let text = project.read(file(&project, name));
            project.write(file(&project, name), &text.replace('\n', "\r\n"));
        }
        project.run("migrate").success();
        project.run("status --check").success().stdout_contains("applied");
        // So are blank lines at the end.
        project.write(file(&project, "10_users.sql"), &format!("{USERS}\n\n"));
        project.run("status --check").success();
    }

    fn a_missing_file_is_listed(backend) {
        let project = migrated(backend);
        project.remove(file(&project, "10_users.sql"));
        project.run("status").success().stdout_contains("file missing").stdout_contains("10");
        project.run("status --check").code(3).stderr_contains("1 file missing");
        // What was squashed is not missing.
        let project = project.dumped("core", "10_users", USERS);
        project.run("status --check").success().stdout_contains("1 squashed migration, shown with -v");
        project.run("status -v").success().stdout_contains("applied (squashed)");
    }

    fn a_database_that_is_ahead_of_the_checkout_is_left_alone(backend) {
        let project = migrated(backend);
        project.remove(file(&project, "20_orders.sql"));
        let run = project.run("migrate");
        run.success().stderr_lacks("== ");
        assert_eq!(project.database("core").value("select count(*) from orders"), "0");
    }

    fn an_older_pending_migration_runs_with_a_warning_unless_strict(backend) {
        let project = migrated(backend).migration("core", "15_late", "create table late (id integer);\n");
        project.run("migrate --strict-version-order").code(2).stderr_contains("15").stderr_lacks("== Migrated");
        project.command("migrate").env("DBSETUP_VERSION_ORDER", "strict").run().code(2);
        assert!(!project.database("core").tables().contains(&"late".to_owned()));
        project.run("migrate").success().stderr_contains("warning").stderr_contains("== Migrated 15 late");
    }

    fn a_second_file_of_an_applied_version_is_refused(backend) {
        let project = migrated(backend).migration("core", "20_other", "create table other (id integer);\n");
        project.run("migrate").code(2).stderr_contains("20_orders.sql").stderr_contains("20_other.sql");
        project.run("status").code(2);
    }

    fn a_migration_waits_for_what_it_requires(backend) {
        let project = migrated(backend)
            .manual("core", "30_backfill", "create table backfill (id integer);\n")
            .migration("core", "40_after", "-- requires: 30\ncreate table after_it (id integer);\n")
            .migration("core", "50_free", "create table free (id integer);\n");
        project.run("migrate").success().stderr_contains("== Migrated 50 free").stderr_lacks("== Migrated 40");
        project.run("status").success().stdout_contains("blocked by 30");
        project.run("migrate_manual").success();
        project.run("migrate").success().stderr_contains("== Migrated 40 after");
        project.run("status --check").success();
    }

    fn a_version_that_was_applied_from_another_directory_is_known(backend) {
        let project = migrated(backend).priv_file("core", "extra/30_extra.sql", "create table extra (id integer);\n");
        project.run("migrate --migrations-path priv/core/migrations --migrations-path priv/core/extra").success();
        project.run("migrate").success().stderr_lacks("error");
        project.run("migrate --migrations-path extra").success().stderr_lacks("== Migrated");
        project.run("migrate --migrations-path nowhere").code(1).stderr_contains("nowhere");
    }

    fn dump_never_writes_a_version_that_no_file_has(backend) {
        let project = migrated(backend);
        project.remove(file(&project, "20_orders.sql"));
        project.run("dump").code(1).stderr_contains("20").stderr_contains("--allow-missing");
        assert!(!project.files(project.priv_dir("core")).contains(&"structure.sql".to_owned()));
        project.run("dump --allow-missing").success();
        assert!(project.read(project.priv_dir("core").join("structure.sql")).contains("'20'"));
    }

    fn dump_after_migrate_is_for_dev_only(backend) {
        let project = migrated(backend).repo_config("core", "dump-after-migrate = true");
        let structure = project.priv_dir("core").join("structure.sql");
        project.run("migrate").success();
        assert!(!project.path(&structure).exists(), "nothing was migrated");
        let project = project.migration("core", "30_more", "create table more (id integer);\n");
        project.run("migrate").success().stderr_contains("has been dumped");
        assert!(project.read(&structure).contains("more"));
        project.remove(&structure);
        project.run("setup --env test").success();
        assert!(!project.path(&structure).exists());
    }
}

#[test]
fn a_schema_that_appears_before_the_ledgers_runs_nothing_twice() {
    let Some(server) = postgres::server() else { return };
    let owner = server.role("owner", "createdb");
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .url("core", Some(&server.url_as(&owner, "core_{env}")))
        .migration("core", "1_users", "create table users (id integer); insert into users values (1);\n")
        // `"$user"` comes first in the search path from now on.
        .migration("core", "2_schema", &format!("create schema \"{}\";\n", owner.name));
    project.run("setup").success();
    project.run("migrate").success().stderr_contains("already up (2 applied)").stderr_lacks("== Migrated");
    project.run("status --check").success();
    assert_eq!(project.database("core").value("select count(*) from public.users"), "1");
    assert_eq!(
        project.database("core").value("select count(*) from pg_class where relname = 'schema_migrations'"),
        "1"
    );
}

#[test]
fn a_structure_may_not_reach_out_of_its_database() {
    let Some(_) = postgres::server() else { return };
    let project = Project::new().repo("core", Postgres);
    project.run("create").success();
    for statement in [
        "copy t from program 'touch /tmp/owned'",
        "copy t to program 'cat > /tmp/owned'",
        "copy t to '/tmp/owned'",
        "alter system set work_mem = '1MB'",
        "create role intruder superuser",
        "alter role postgres password 'x'",
        "set role postgres",
        "set session authorization postgres",
        "select lo_import('/etc/passwd')",
        "create database other",
        "drop database other",
    ] {
        let text = format!("create table t (id integer);\n  {statement};\n");
        project.write(project.priv_dir("core").join("structure.sql"), &text);
        let run = project.run("load");
        assert!(run.stderr.contains("structure.sql:2:3"), "{statement}\n{run}");
        run.code(2);
        assert_eq!(project.database("core").user_tables(), Vec::<String>::new(), "{statement}");
    }
}

#[test]
fn what_the_server_says_cannot_steer_the_terminal() {
    let Some(_) = postgres::server() else { return };
    let project = Project::new().repo("core", Postgres).migration(
        "core",
        "1_notice",
        "do $$ begin raise notice e'evil\\x1b[2J\\n::error::x\\n== Migrated 9 fake'; end $$;\ncreate table \"a\nb\" (id integer);\n",
    );
    let run = project.run("setup");
    run.success().stderr_lacks("\u{1b}").stderr_lacks("\n::error::").stderr_lacks("\n== Migrated 9");
    let project = project.migration(
        "core",
        "2_raise",
        "do $$ begin raise exception e'evil\\x1b[2J\\n::error::x'; end $$;\n",
    );
    project
        .command("migrate")
        .env("GITHUB_ACTIONS", "true")
        .run()
        .code(1)
        .stderr_lacks("\u{1b}")
        .stderr_lacks("\n::error::x");
    project.run("dump -d -").success().stdout_contains("\"a\nb\"");
}

#[test]
fn two_environments_never_share_a_database_unnoticed() {
    let project = Project::new()
        .repo("core", Sqlite)
        .url("core", Some("sqlite:same.db"))
        .migration("core", "10_users", USERS);
    project.run("setup").success();
    // Warned about where something is added, refused where something is destroyed.
    let project = project.migration("core", "20_more", "create table more (id integer);\n");
    project.run("migrate --env test").success().stderr_contains("warning").stderr_contains("`dev`");
    project.run("drop --env test --yes").code(4).stderr_contains("the environment `dev`");
    assert!(project.path("crates/core/same.db").exists());
    // `.env` speaks of dev only.
    let dotenv = Project::new()
        .repo("core", Sqlite)
        .url("core", None)
        .env_file(".env", "DATABASE_URL=sqlite:dev_only.db");
    dotenv.run("create").success();
    dotenv.run("create --env test").code(2);
    let Database::Sqlite(_) = dotenv.database("core") else { unreachable!("the repo is SQLite") };
}
