//! Squashes of projects whose applications and tests run the migrations through the sqlx crate itself.

use std::path::{Path, PathBuf};

use sqlx::ConnectOptions as _;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::sqlite::SqliteConnectOptions;

use super::{committed, git, made};
use crate::support::{Backend, Database, Postgres, Project, Sqlite, postgres};

const APPLICATION: &str = "pub async fn start(pool: &sqlx::AnyPool) {\n    \
    sqlx::migrate!(\"priv/core/migrations\").run(pool).await.unwrap();\n}\n";
const TEST: &str =
    "#[sqlx::test(migrations = \"priv/core/migrations\")]\nasync fn a(pool: sqlx::AnyPool) {}\n";

fn project(backend: Backend) -> Project {
    Project::single("shop")
        .repo("core", backend)
        .repo_config("core", "ledger = \"sqlx\"\nkeep-data = [\"countries\"]")
        .reversible(
            "core",
            "0001_users",
            "create table users (id integer primary key, name varchar(40) not null);",
            "drop table users;",
        )
        .migration(
            "core",
            "0002_countries",
            "create table countries (code varchar(2) primary key, name varchar(40));
             insert into countries values ('ie', 'Éire'), ('at', 'Österreich; ''A''');",
        )
        .migration("core", "0003_names", "create view names as select name from users;")
}

fn directory(project: &Project) -> PathBuf {
    project.path(project.priv_dir("core")).join("migrations")
}

/// Runs what an application runs when it starts.
fn start(migrations: &Path, database: &Database, ignore_missing: bool) -> Result<(), MigrateError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async move {
        let mut migrator = Migrator::new(migrations).await?;
        migrator.set_ignore_missing(ignore_missing);
        match database {
            Database::Postgres(database) => {
                let options: PgConnectOptions = database.url().parse().expect("the URL is right");
                migrator.run(&mut options.connect().await?).await
            }
            Database::Sqlite(database) => {
                let options = SqliteConnectOptions::new().filename(database.path());
                migrator.run(&mut options.connect().await?).await
            }
        }
    })
}

/// The versions in the ledger, and how long their checksums are.
fn ledger(database: &Database) -> Vec<Vec<String>> {
    database.query("select version, description, length(checksum) from _sqlx_migrations order by version")
}

/// A copy of the lane as an older branch has it.
fn old_branch(project: &Project) -> PathBuf {
    let old = project.path("old_migrations");
    std::fs::create_dir_all(&old).expect("a directory");
    for name in project.files(directory(project)) {
        std::fs::copy(directory(project).join(&name), old.join(&name)).expect("a copy");
    }
    old
}

on_each_database! {
    fn code_that_would_miss_the_files_is_listed_and_the_squash_waits_for_a_decision(backend) {
        let project = project(backend)
            .file("src/db.rs", APPLICATION)
            .file("tests/a.rs", TEST)
            .file("src/other.rs", "static OTHER: M = sqlx::migrate!(\"other\");\n");
        project.run("setup").success();
        committed(&project);
        for line in ["squash", "squash --dry-run", "squash --sqlx ignore-missing"] {
            let run = project.run(line);
            run.code(4).stderr_contains("src/db.rs:2").stderr_contains("tests/a.rs:1").stderr_lacks("other.rs");
            run.stderr_contains("squash --as-migration --repo core");
        }
        assert!(git(&project, "status --porcelain").is_empty());
    }

    fn whoever_ignores_missing_files_starts_after_a_squash_and_who_does_not_would_not(backend) {
        let ignoring = APPLICATION.replace(").run", ").set_ignore_missing(true).run");
        let project = project(backend).file("src/db.rs", &ignoring);
        project.run("setup").success();
        let database = project.database("core");
        start(&directory(&project), &database, false).expect("all is there");
        committed(&project);
        project.run("squash --sqlx ignore-missing").success();
        let found = start(&directory(&project), &database, false);
        assert!(matches!(found, Err(MigrateError::VersionMissing(1))), "{found:?}");
        start(&directory(&project), &database, true).expect("it passes over what is gone");
        let project = project.migration("core", "0004_more", "create table more (a integer);");
        start(&directory(&project), &database, true).expect("it goes on");
        project.run("status --check").success();
    }

    fn a_baseline_makes_what_setup_makes_and_is_accepted(backend) {
        let project = project(backend).file("src/db.rs", APPLICATION).file("tests/a.rs", TEST);
        project.run("setup").success();
        let before = made(&project, "core", "dev");
        committed(&project);
        git(&project, "checkout -q -b tidy");
        project.run("squash --as-migration --dry-run").success().stdout_contains("0001_baseline.sql");
        project.run("squash --as-migration").success().stderr_contains("0001_baseline.sql");
        assert_eq!(project.files(directory(&project)), ["0001_baseline.sql"]);
        committed(&project);
        project.run("check").success();
        project.run("gen migration -r core more").success();
        let generated = project.files(directory(&project)).pop().expect("there are two");
        assert!(generated.starts_with("0004_more"), "{generated}");
        project.remove(directory(&project).join(generated));
        for side in project.files(directory(&project)).iter().filter(|name| name.contains("more")) {
            project.remove(directory(&project).join(side));
        }

        // By sqlx alone; then by us beside it.
        let alone = project.database_in("core", "test");
        alone.create();
        start(&directory(&project), &alone, false).expect("a database of the baseline");
        assert_eq!(ledger(&alone), [["1", "baseline", "48"]]);
        project.run("status --check --env test").success();
        project.run("migrate --env test --lane all").success().stderr_lacks("rewritten");
        start(&directory(&project), &alone, false).expect("we left its row alone");
        // By us alone; then by sqlx.
        project.run("setup --env ci").success();
        let ours = project.database_in("core", "ci");
        assert_eq!(ledger(&ours), [["1", "baseline", "48"]]);
        start(&directory(&project), &ours, false).expect("it agrees with our row");

        let test = made(&project, "core", "test");
        assert_eq!(test, made(&project, "core", "ci"));
        assert_eq!(test.1, before.1);
        // What is new runs by either.
        let project = project.migration("core", "0004_more", "create table more (a integer);");
        start(&directory(&project), &alone, false).expect("it goes on");
        project.run("migrate --env ci").success();
        assert_eq!(made(&project, "core", "test"), made(&project, "core", "ci"));
        start(&directory(&project), &ours, false).expect("it agrees");
    }

    fn a_deployed_database_is_rewritten_and_sqlx_is_content(backend) {
        let project = project(backend).file("src/db.rs", APPLICATION);
        project.run("setup").success();
        let database = project.database("core");
        let before = made(&project, "core", "dev");
        committed(&project);
        project.run("squash --as-migration").success();
        // Not by itself: until we have been there it stops.
        let found = start(&directory(&project), &database, false);
        assert!(matches!(found, Err(MigrateError::VersionMissing(2))), "{found:?}");
        project.run("status").success().stdout_contains("3 rows into the baseline 0001");
        project.run("status --check").code(3);
        let run = project.run("migrate --dry-run");
        run.success().stdout_contains("rewrite the ledger: 3 rows become the baseline 0001");
        assert_eq!(ledger(&database).len(), 3);
        project.run("migrate").success().stderr_contains("3 rows became the baseline 0001");
        assert_eq!(ledger(&database), [["1", "baseline", "48"]]);
        start(&directory(&project), &database, false).expect("every row has its file");
        project.run("status --check").success();
        project.run("migrate").success().stderr_lacks("rewritten");
        assert_eq!(made(&project, "core", "dev").1, before.1);
        project.run("dump --check").success();
        project.run("rollback").code(1).stderr_contains("part of the baseline");
    }

    fn an_older_branch_replays_nothing(backend) {
        let project = project(backend).file("src/db.rs", APPLICATION);
        project.run("setup").success();
        let (old, database) = (old_branch(&project), project.database("core"));
        committed(&project);
        project.run("squash --as-migration").success();
        committed(&project);
        project.run("migrate").success();
        let alone = project.database_in("core", "test");
        alone.create();
        start(&directory(&project), &alone, false).expect("a database of the baseline");
        let before = made(&project, "core", "dev").1;
        // Whatever made it, the old application stops before it has run anything.
        for database in [&database, &alone] {
            database.execute("delete from countries");
            let found = start(&old, database, false);
            assert!(matches!(found, Err(MigrateError::VersionMismatch(1))), "{found:?}");
            let found = start(&old, database, true);
            assert!(matches!(found, Err(MigrateError::VersionMismatch(1))), "{found:?}");
            assert_eq!(database.value("select count(*) from countries"), "0");
            database.execute("insert into countries values ('ie', 'Éire'), ('at', 'Österreich; ''A''')");
        }
        git(&project, "checkout -q HEAD~1");
        project.run("migrate --lane all").success().stderr_contains("already up (3 applied)");
        project.run("status --check").success();
        // A database that nobody of us has seen is told from the first migration, which is another one there.
        project.run("migrate --lane all --env test").code(1).stderr_contains("was changed");
        git(&project, "checkout -q -");
        assert_eq!(made(&project, "core", "dev").1, before);
        start(&directory(&project), &database, false).expect("nothing was harmed");
    }

    fn a_database_in_the_middle_runs_the_rest_and_then_has_the_one_row(backend) {
        let project = project(backend).file("src/db.rs", APPLICATION);
        project.run("setup").success();
        project.run("create --env test").success();
        project.run("migrate --to 2 --env test --no-load").success();
        let database = project.database_in("core", "test");
        assert_eq!(ledger(&database).len(), 2);
        committed(&project);
        project.run("squash --as-migration").success();
        let found = start(&directory(&project), &database, false);
        assert!(matches!(found, Err(MigrateError::VersionMissing(2))), "{found:?}");
        project.run("migrate --env test").success().stderr_contains("behind the squash floor");
        assert_eq!(ledger(&database), [["1", "baseline", "48"]]);
        start(&directory(&project), &database, false).expect("every row has its file");
        assert_eq!(made(&project, "core", "test").1.len(), 2);
    }

    fn the_next_squash_makes_the_baseline_anew(backend) {
        let project = project(backend).file("src/db.rs", APPLICATION);
        project.run("setup").success();
        committed(&project);
        project.run("squash --as-migration").success();
        project.run("migrate").success();
        committed(&project);
        let first = project.read(directory(&project).join("0001_baseline.sql"));
        let project = project.migration("core", "0004_more", "create table more (a integer);");
        committed(&project);
        project.run("migrate").success();
        project.run("squash").success();
        assert_eq!(project.files(directory(&project)), ["0001_baseline.sql"]);
        assert_ne!(project.read(directory(&project).join("0001_baseline.sql")), first);
        let database = project.database("core");
        let found = start(&directory(&project), &database, false);
        assert!(matches!(found, Err(MigrateError::VersionMissing(4))), "{found:?}");
        project.run("migrate").success().stderr_contains("2 rows became the baseline 0001");
        start(&directory(&project), &database, false).expect("every row has its file");
        let alone = project.database_in("core", "test");
        alone.create();
        start(&directory(&project), &alone, false).expect("a database of the baseline");
        assert_eq!(made(&project, "core", "test").1, made(&project, "core", "dev").1);
        assert!(alone.tables().contains(&"more".to_owned()));
        project.run("check --archive").success();
    }
}

#[test]
fn on_postgresql_the_application_and_we_take_turns() {
    if postgres::server().is_none() {
        return;
    }
    let project = project(Postgres).file("src/db.rs", APPLICATION);
    project.run("setup").success();
    let database = project.database("core");
    committed(&project);
    project.run("squash --as-migration").success();
    let project =
        project.migration("core", "0004_slow", "create table slow as select 1 as i from pg_sleep(2);");
    let mut running = project.command("migrate").spawn();
    running.wait_for_stderr("Running 0004");
    // We hold sqlx's own lock until the rows are rewritten: whoever starts meanwhile waits, and finds all of it done.
    start(&directory(&project), &database, false).expect("it waited");
    running.wait().success().stderr_contains("3 rows became the baseline");
    start(&directory(&project), &database, false).expect("every row has its file");
    assert_eq!(database.value("select count(*) from slow"), "1");
}

/// What a structure has to say before its tables, and what it sets for its session, must not reach sqlx.
#[test]
fn on_postgresql_a_baseline_makes_what_is_in_schemas_of_its_own() {
    let Some(server) = postgres::server() else { return };
    let project = Project::single("shop")
        .on(&server)
        .repo("core", Postgres)
        .repo_config("core", "ledger = { kind = \"sqlx\", table = \"app._sqlx_migrations\" }")
        .repo_config("core", "keep-data = [\"app.orders\"]")
        .migration(
            "core",
            "20260101000000_all",
            "create schema if not exists app;
             create type app.state as enum ('new', 'paid');
             create function app.touch() returns trigger language plpgsql as
                 $$ begin new.state := coalesce(new.state, 'new'); return new; end $$;
             create table app.orders (
                 id bigint generated always as identity primary key, state app.state not null, note text);
             create trigger touch before insert on app.orders for each row execute function app.touch();
             comment on table app.orders is 'it''s here';
             create view public.open as select id from app.orders where state = 'new';
             insert into app.orders (note) values ('a; b'), (E'c\\nd');",
        );
    let run = |database: &Database| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let Database::Postgres(database) = database else { panic!("it is PostgreSQL") };
        let options: PgConnectOptions = database.url().parse().expect("the URL is right");
        runtime.block_on(async {
            let mut migrator = Migrator::new(directory(&project)).await?;
            migrator.dangerous_set_table_name("app._sqlx_migrations");
            migrator.create_schema("app");
            migrator.run(&mut options.connect().await.expect("a connection")).await
        })
    };
    project.run("setup").success();
    committed(&project);
    project.run("squash --as-migration").success();
    let alone = project.database_in("core", "test");
    alone.create();
    run(&alone).expect("a database of the baseline");
    project.run("setup --env ci").success();
    let ours = project.database_in("core", "ci");
    run(&ours).expect("it agrees with our row");
    project.run("migrate").success().stderr_contains("1 row became the baseline");
    run(&project.database("core")).expect("every row has its file");
    let structure =
        |environment: &str| project.run(&format!("dump -d - --env {environment}")).success().stdout.clone();
    assert_eq!(structure("test"), structure("ci"));
    assert_eq!(structure("test"), project.read(project.priv_dir("core").join("structure.sql")));
    for database in [&alone, &ours] {
        assert_eq!(
            database.query("select id, state, note from app.orders order by id"),
            [["1", "new", "a; b"], ["2", "new", "c\nd"]]
        );
        database.execute("insert into app.orders (note) values ('e')");
        assert_eq!(database.value("select max(id) from app.orders"), "3");
    }
}

#[test]
fn a_ledger_of_ours_gets_no_baseline() {
    let project =
        Project::single("shop").repo("core", Sqlite).migration("core", "1_a", "create table a (i integer);");
    project.run("setup").success();
    committed(&project);
    project.run("squash --as-migration").code(4).stderr_contains("is not sqlx's");
}
