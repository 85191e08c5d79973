//! Passwords stay hidden, and who may only look only looks.

use crate::support::{Postgres, Project, Sqlite, postgres};

#[test]
fn the_password_is_in_no_output() {
    let Some(server) = postgres::server() else { return };
    let password = server.password().to_owned();
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .migration("core", "1_users", "create table users (a int);")
        .migration("core", "2_bad", "select nope;");
    for line in [
        "config",
        "config --format json",
        "create -vv",
        "migrate -vv --log-sql",
        "migrate --format json",
        "migrate --format github",
        "status -v",
        "migrate --dry-run -v",
        "dump -v",
        "drop --dry-run",
        "drop",
        "reset --dry-run",
        "drop --yes --force-drop -v",
        "migrate",
        "load",
        "wait --timeout 1s",
    ] {
        project.run(line).hides(&password);
    }

    // Wrong in every way that a URL can be.
    let address = server.address().to_owned();
    for (url, secret) in [
        (format!("postgres://postgres:hush-hush-1@{address}/none"), "hush-hush-1"),
        (format!("postgres://postgres:hush@hush-2@{address}/none"), "hush-2"),
        (format!("postgres://postgres:hush/hush-3@{address}/none"), "hush-3"),
        (format!("postgres://postgres:hush#hush-4@{address}/none"), "hush-4"),
        ("postgres://postgres:hush-5@localhost:notaport/none".to_owned(), "hush-5"),
        ("postgres://postgres:hush%zzhush-6@localhost/none".to_owned(), "hush-6"),
        (format!("postgres://{address}/none?user=postgres&password=hush-7"), "hush-7"),
        ("postgres://postgres:hush-8@127.0.0.1:1/none".to_owned(), "hush-8"),
        ("postgres:/postgres:hush-9@127.0.0.1:1/none".to_owned(), "hush-9"),
    ] {
        for line in ["status", "migrate -vv", "config", "create -v"] {
            let run = project.command(line).env("CORE_DATABASE_URL", &url).run();
            run.hides(secret);
            if line == "migrate -vv" {
                assert!(!run.is_success(), "{url} reached a server:\n{run}");
            }
            let run = project.command(line).arg("--database-url").arg(&url).run();
            run.hides(secret);
        }
    }
}

#[test]
fn status_of_a_role_that_may_only_read_writes_nothing() {
    let Some(server) = postgres::server() else { return };
    let role = server.role("reader", "");
    for ledger in ["schema_migrations", "sqlx", "diesel", "refinery", "dbmate"] {
        let project = Project::new()
            .on(&server)
            .repo("core", Postgres)
            .repo_config("core", &format!("ledger = \"{ledger}\""));
        let (name, text) = match ledger {
            "diesel" => ("2026-01-01-000000_a/up.sql", "create table a (id int);"),
            "refinery" => ("V1__a.sql", "create table a (id int);"),
            "dbmate" => ("1_a.sql", "-- migrate:up\ncreate table a (id int);\n-- migrate:down\n"),
            _ => ("1_a.sql", "create table a (id int);"),
        };
        let project = project.priv_file("core", &format!("migrations/{name}"), text);
        let environment = ledger.replace('_', "");
        let database = project.database_in("core", &environment).postgres();
        database.create();
        let url = server.url_as(&role, &format!("core_{environment}"));
        let look = |line: &str| {
            project.command(&format!("{line} --env {environment}")).env("CORE_DATABASE_URL", &url).run()
        };
        // An empty database first, then one with a ledger.
        look("status").success().hides(&role.password);
        look("status --check").code(3);
        assert_eq!(
            database.query("select count(*) from pg_class where relnamespace = 'public'::regnamespace"),
            [["0"]]
        );
        project.run(&format!("migrate --env {environment}")).success();
        database.execute(&format!("grant select on all tables in schema public to {}", role.name));
        look("status --check").success();
        let run = look("migrate --dry-run");
        run.success();
        // And what it may not do is said, not done.
        project.write(
            project.priv_dir("core").join("migrations").join(name.replace("_a", "_b").replace('1', "2")),
            &text.replace("table a", "table b"),
        );
        let run = look("migrate");
        assert!(!run.is_success(), "{run}");
        run.hides(&role.password).stderr_contains("permission denied");
        assert_eq!(database.query("select to_regclass('b')"), [["NULL"]]);
    }
}

#[test]
fn status_of_an_sqlite_file_that_may_not_be_written_leaves_it_alone() {
    let project =
        Project::new().repo("core", Sqlite).migration("core", "1_a", "create table a (id integer);");
    // An absent file stays absent.
    project.run("status");
    assert!(!project.database("core").exists());
    project.run("setup").success();
    let path = project.path("crates/core/core_dev.db");
    let before = std::fs::read(&path).expect("the file is there");
    project.run("status --check").success();
    assert_eq!(std::fs::read(&path).expect("the file is there"), before);
    assert_eq!(project.files("crates/core").iter().filter(|name| name.starts_with("core_dev.db")).count(), 1);
}
