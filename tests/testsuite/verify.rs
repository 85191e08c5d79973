//! `dump --verify`: a structure is proved before it is written.

use std::time::Duration;

use crate::support::{Postgres, Project, postgres, wait_until};

on_each_database! {
    fn a_verified_dump_is_written_and_loads(backend) {
        let project = Project::new().repo("core", backend).migration(
            "core",
            "1_users",
            "create table users (id integer primary key, name varchar(40) not null default 'x;y');
             create view names as select name from users; create index users_name on users (name);",
        );
        project.run("create").success();
        project.run("migrate").success();
        project.run("dump --verify").success().stderr_contains("has been verified").stderr_contains("has been dumped");
        project.run("dump --verify --check").success();
        project.run("dump --verify -d -").success().stdout_contains("users_name");
        project.run("dump --verify --dry-run").success().stderr_lacks("has been verified");
        project.run("dump --verify --format json").success().stdout_contains("\"event\":\"verified\"");
        project.run("load --force --yes").success();
        project.run("dump --check").success();
    }
}

#[test]
fn an_index_that_keeps_the_old_name_of_a_column_is_no_difference() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_rename",
        "create table versions (package_id int, num text, constraint unique_num unique (package_id, num));
         create index by_both on versions (num, (package_id + 1));
         alter table versions rename column package_id to crate_id;",
    );
    project.run("setup").success();
    let kept = "select attname from pg_attribute where attrelid = 'unique_num'::regclass and attnum = 1";
    assert_eq!(project.database("core").value(kept), "package_id");
    project.run("dump --verify").success();
}

#[test]
fn a_structure_that_makes_another_database_is_not_written() {
    let Some(server) = postgres::server() else { return };
    // The parent's columns come first wherever the file is loaded.
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_child",
        "create table parent (a int); create table child (b int, a int); alter table child inherit parent;",
    );
    project.run("create").success();
    project.run("migrate").success();
    let run = project.run("dump --verify --via pg_dump");
    run.code(1)
        .stderr_contains("2 differences")
        .stderr_contains("public.child.a: attnum is `2` in the database, and `1`");
    assert!(!project.priv_dir("core").join("structure.sql").exists());
    project.run("dump --via pg_dump --verify --exclude-table public.child").success();
}

#[test]
fn without_the_right_to_make_a_database_nothing_is_verified_and_that_is_said() {
    let Some(server) = postgres::server() else { return };
    let role = server.role("verifier", "");
    let project =
        Project::new().on(&server).repo("core", Postgres).migration("core", "1_a", "create table a (i int);");
    project.run("create").success();
    project.run("migrate").success();
    let database = project.database("core");
    database.execute(&format!("grant select on all tables in schema public to \"{}\"", role.name));
    let url = server.url_as(&role, "core_dev");
    let poor = |line: &str| project.command(line).env("CORE_DATABASE_URL", &url).run();
    let run = poor("dump --verify");
    run.code(1)
        .stderr_contains("not verified: no right to make a scratch database")
        .stderr_contains("`scratch-url`");
    assert!(!project.priv_dir("core").join("structure.sql").exists());
    let elsewhere = server.admin_url().to_owned();
    let run = project
        .command("dump --verify")
        .env("CORE_DATABASE_URL", &url)
        .env("CORE_SCRATCH_URL", &elsewhere)
        .run();
    run.success().stderr_contains("has been verified").stderr_contains("pg_user_mapping");
}

#[test]
fn no_scratch_database_stays_when_a_structure_does_not_load() {
    let Some(server) = postgres::server() else { return };
    // What a role owns nobody else has made.
    let role = server.role("builder", "createdb");
    let url = server.url_as(&role, "verify_builder");
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration(
            "core",
            "1_a",
            "create schema gone; create table gone.a (i int); create schema app; create view app.v as select i from gone.a;",
        )
        .url("core", Some(&url));
    project.run("create").success();
    project.run("migrate --no-load").success();
    let owned = || {
        let of = "where datdba = (select oid from pg_roles where rolname = ";
        server.query(&format!("select datname from pg_database {of} '{}')", role.name))
    };
    let before = owned();
    project.run("dump --verify").success().stderr_contains("has been verified");
    assert_eq!(owned(), before);
    let run = project.run("dump --verify --via pg_dump --exclude-schema gone -d -");
    run.code(1).stderr_contains("not verified: the structure does not load").stderr_contains("gone.a");
    assert_eq!(owned(), before);
    project.run("drop --yes").success();
}

#[test]
fn an_interrupted_verification_removes_its_scratch_database() {
    let Some(server) = postgres::server() else { return };
    let role = server.role("interrupted", "createdb");
    // Enough to load for a signal to arrive in the middle of it.
    let tables: String = (0..300)
        .map(|n| format!("create table t{n} (id bigserial primary key, name text unique, at timestamptz);\n"))
        .collect();
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_tables", &format!("create schema app; set local search_path to app;\n{tables}"))
        .url("core", Some(&server.url_as(&role, "verify_interrupted")));
    project.run("create").success();
    project.run("migrate").success();
    let scratches = || {
        let of = "where datname like 'dbsetup\\_scratch\\_%' and datdba = (select oid from pg_roles where rolname = ";
        server.query(&format!("select datname from pg_database {of} '{}')", role.name)).len()
    };
    let mut running = project.command("dump --verify").spawn();
    wait_until("there is a scratch database", Duration::from_secs(60), || scratches() == 1);
    running.signal("INT");
    running.wait().code(130);
    assert_eq!(scratches(), 0);
    assert!(!project.priv_dir("core").join("structure.sql").exists());
    project.run("drop --yes").success();
}

#[test]
fn a_scratch_database_is_heard_of_only_where_it_cannot_be_had() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_news",
        // The server warns of publications that nobody can follow there.
        "create publication news;",
    );
    project.run("create").success();
    let warned = project.run("migrate --quiet");
    assert!(warned.success().stderr.contains("wal_level") || server.query("show wal_level") == [["logical"]]);
    project.run("dump --verify --quiet").success().stderr_is("");
    let nowhere = "postgres://nobody@127.0.0.1:1/nowhere";
    project
        .command("dump --verify")
        .env("CORE_SCRATCH_URL", nowhere)
        .run()
        .stderr_contains("the scratch database is to be made where `scratch-url` says")
        .stderr_contains("`scratch-url` of `core` comes from")
        .stderr_lacks("`url` of `core`");
}
