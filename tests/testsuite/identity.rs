//! Whose database it is: a URL that was swapped runs nothing of one repo on another's database, and nothing of one engine
//! on another; a repo that was renamed goes on.

use dbsetup::startup::{Outcome, Policy};
use dbsetup::{Kind, Source, Startup};

use crate::startup::app::{App, block_on};
use crate::support::{Backend, Database, Postgres, Project, Run, Sqlite, postgres};

/// Two repos that count their migrations from 1.
fn project(backend: Backend) -> Project {
    Project::new()
        .repo("core", backend)
        .reversible("core", "1_users", "create table users (id integer);\n", "drop table users;\n")
        .repo("billing", backend)
        .reversible(
            "billing",
            "1_invoices",
            "create table invoices (id integer);\n",
            "drop table invoices;\n",
        )
        .migration("billing", "2_items", "create table items (id integer);\n")
        .seed("billing", "insert into invoices values (1);\n")
}

pub fn url_of(project: &Project, repo: &str) -> String {
    match project.database(repo) {
        Database::Sqlite(database) => format!("sqlite:{}", database.path().display()),
        Database::Postgres(database) => database.url(),
    }
}

const NAMES: &str = "select value from dbsetup_meta where key like 'repo:%' order by key";

on_each_database! {
    fn a_swapped_url_runs_nothing_on_the_database_of_another_repo(backend) {
        let project = project(backend);
        project.run("setup").success();
        assert_eq!(project.database("core").column(NAMES), ["core"]);
        assert_eq!(project.database("billing").column(NAMES), ["billing"]);
        let before = project.database("core").tables();
        let url = url_of(&project, "core");
        let swapped = |line: &str| -> Run {
            project.command(&format!("{line} --repo billing")).env("BILLING_DATABASE_URL", &url).run()
        };
        for line in ["migrate", "migrate --dry-run", "setup", "seed", "rollback", "resolve 2 --applied", "dump -d -"] {
            swapped(line)
                .code(4)
                .stderr_contains("`billing` (the variable `BILLING_DATABASE_URL`) names belongs to the repo `core`")
                .stderr_contains("resolve --environment dev --repo billing");
        }
        for line in ["drop --yes", "load --force --yes", "reset --yes"] {
            swapped(line).code(4);
        }
        assert_eq!(project.database("core").tables(), before);
        swapped("status").success().stdout_contains("belongs to the repo core");
        swapped("status --check").code(3);
        swapped("doctor").code(3).stdout_contains("the database belongs to the repo core");
        project.run("doctor --repo core").success().stdout_contains("repo: recorded as core");

        // The way out, when the database is to be that repo's all the same.
        swapped("resolve --environment dev --dry-run")
            .success()
            .stdout_contains("record the environment dev")
            .stdout_contains("record the repo billing, and no longer core");
        swapped("resolve --environment dev").code(4).stderr_contains("and take it from the repo core").stderr_contains("--yes");
        swapped("resolve --environment dev -y").success().stderr_contains("belongs to billing now");
        swapped("status").success().stdout_lacks("belongs to the repo");
    }

    fn a_renamed_repo_is_known_by_its_migrations(backend) {
        let project = project(backend)
            .repo("shop", backend)
            .reversible("shop", "1_users", "create table users (id integer);\n", "drop table users;\n");
        project.run("setup --repo core").success();
        let url = url_of(&project, "core");
        let renamed = |line: &str| -> Run {
            project.command(&format!("{line} --repo shop")).env("SHOP_DATABASE_URL", &url).run()
        };
        renamed("doctor").success().stdout_contains("recorded as core, which this repo was called");
        renamed("migrate --dry-run").success().stderr_lacks("belongs to shop now");
        assert_eq!(project.database("core").column(NAMES), ["core"]);
        renamed("migrate").success().stderr_contains("The database of core belongs to shop now");
        assert_eq!(project.database("core").column(NAMES), ["shop"]);
        renamed("migrate").success().stderr_lacks("belongs to shop now");
    }

    fn a_database_of_an_older_release_gets_its_name_with_the_next_thing_that_is_written(backend) {
        let project = project(backend);
        project.run("setup --repo billing").success();
        project.database("billing").execute("delete from dbsetup_meta where key like 'repo:%'");
        project.run("migrate --repo billing").success();
        let project = project.migration("billing", "3_more", "create table more (id integer);\n");
        project.run("migrate --repo billing").success();
        assert_eq!(project.database("billing").column(NAMES), ["billing"]);
    }

    fn repos_share_a_database_where_each_has_a_ledger_table_of_its_own(backend) {
        let project = project(backend).repo_config("billing", "ledger = { table = \"billing_migrations\" }");
        project.run("setup --repo core").success();
        let url = url_of(&project, "core");
        for _ in 0..2 {
            project.command("migrate --repo billing").env("BILLING_DATABASE_URL", &url).run().success();
            project.run("migrate --repo core").success();
        }
        assert_eq!(project.database("core").column(NAMES), ["billing", "core"]);
    }

    fn whoever_chose_a_ledger_table_of_its_own_may_come_first(backend) {
        let project = project(backend).repo_config("billing", "ledger = { table = \"billing_migrations\" }");
        project.run("setup --repo billing").success();
        let url = url_of(&project, "billing");
        for line in ["migrate", "rollback", "migrate"] {
            project.command(&format!("{line} --repo core")).env("CORE_DATABASE_URL", &url).run().success();
        }
        assert_eq!(project.database("billing").column(NAMES), ["billing", "core"]);
    }

    fn a_copy_of_a_template_has_the_name_of_its_repo(backend) {
        let project = (10..60).fold(project(backend), |project, number| {
            project.migration("core", &format!("{number}_t"), &format!("create table t{number} (id integer);\n"))
        });
        project.run("setup --repo core").success();
        project.run("reset --yes --repo core").success()
            .stderr_contains("The database for core has been created from a template in ")
            .stderr_lacks("has been kept");
        assert_eq!(project.database("core").column(NAMES), ["core"]);
        project.run("migrate --repo core").success();
    }

    fn an_application_refuses_the_database_of_another_one(backend) {
        let Some(app) = App::new(backend) else { return };
        app.migration("1_t", "create table t (id int);");
        app.database().create();
        block_on(app.startup().run()).expect("it can be migrated");
        assert_eq!(app.database().column(NAMES), ["app"]);
        let other = tempfile::tempdir().expect("a temporary directory");
        std::fs::create_dir(other.path().join("migrations")).expect("it is writable");
        std::fs::write(other.path().join("migrations/1_o.sql"), "create table other (id int);").expect("it is writable");
        for policy in [Policy::Migrate, Policy::RequireCurrent] {
            let start = Startup::new(Source::directory("other", other.path())).url(app.url()).policy(policy);
            let error = block_on(start.run()).map(|report| format!("{report:?}")).expect_err("it is refused");
            assert_eq!(error.kind(), Kind::WrongDatabase, "{policy}: {error}");
            assert!(error.message().ends_with("belongs to the repo `app`"), "{error}");
        }
        assert!(!app.database().tables().contains(&"other".to_owned()));
        // The same application under another name.
        let renamed = || Startup::new(Source::directory("shop", app.directory())).url(app.url()).policy(Policy::Migrate);
        block_on(renamed().run()).expect("it is the same one");
        assert_eq!(app.database().column(NAMES), ["shop"]);
        let report = block_on(renamed().run()).expect("it is current");
        assert!(matches!(report.outcome, Outcome::NothingToDo), "{report:?}");
    }

    fn a_database_that_is_older_than_its_migrations_is_recorded_as_it_is(backend) {
        let project = project(backend);
        project.run("create --repo core").success();
        project.database("core").execute("create table users (id integer)");
        project
            .run("migrate --repo core")
            .code(1)
            .stderr_contains("no migration is recorded in it")
            .stderr_contains("`cargo dbsetup resolve --applied --to VERSION --repo core`");
        project.run("resolve --applied --to 1 --repo core").success();
        let project = project.migration("core", "2_more", "create table more (id integer);\n");
        project.run("migrate --repo core").success();
        // Where migrations are recorded, the file is what is wrong.
        let project = project.migration("core", "3_again", "create table more (id integer);\n");
        project.run("migrate --repo core").code(1).stderr_contains("fix the file").stderr_lacks("resolve");
    }
}

#[test]
fn what_is_there_in_a_new_database_does_not_make_it_an_older_one() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new()
        .repo("core", Postgres)
        .migration("core", "1_extension", "create extension plpgsql;\n")
        .on(&server);
    project.run("create").success();
    project.run("migrate").code(1).stderr_contains("already exists").stderr_lacks("resolve");
}

// --- Engines ---

const OF_POSTGRES: &str = "-- dbsetup structure format 1 (postgresql)\n\n-- dbsetup structure end\n";

/// A project whose URL comes from a variable and leads to a new file.
fn swapped(project: &Project, line: &str) -> Run {
    project.command(line).env("CORE_DATABASE_URL", "sqlite:oops.db").run()
}

fn unnamed() -> Project {
    Project::new().repo("core", Sqlite).url("core", None).migration(
        "core",
        "1_t",
        "create table t (id integer);\n",
    )
}

#[test]
fn a_url_of_another_engine_makes_nothing_and_asks_nobody() {
    let by_manifest = unnamed().url("core", Some("postgres://localhost/core_{env}"));
    let by_environment = unnamed().repo_config("core", "env.prod.url = \"postgres://localhost/core\"");
    let by_structure = unnamed().structure("core", OF_POSTGRES);
    for (project, flag, from) in [
        (by_manifest, "", "`url` in Cargo.toml is one of PostgreSQL for environment `dev`"),
        (by_environment, " --env prod", "`url` in Cargo.toml is one of PostgreSQL for environment `prod`"),
        (by_structure, " --env prod", "priv/core/structure.sql` is a structure of PostgreSQL"),
    ] {
        for line in ["create", "migrate", "setup", "load", "drop --yes", "status", "doctor"] {
            swapped(&project, &format!("{line}{flag}"))
                .code(4)
                .stderr_contains(
                    "`core` is for PostgreSQL, and the URL of the variable `CORE_DATABASE_URL` is one of SQLite",
                )
                .stderr_contains(from)
                .stderr_contains("correct the URL");
        }
        assert!(!project.path("crates/core/oops.db").exists(), "{from}");
    }
}

#[test]
fn engines_that_differ_by_environment_are_nobodys_mistake() {
    // `test` says that it has another one, and outranks the structure file's word.
    let project = unnamed()
        .url("core", Some("postgres://localhost/core_{env}"))
        .repo_config("core", "env.test.url = \"sqlite:core_test.db\"");
    project.run("setup --env test").success();
    // A default for `dev` that variables replace elsewhere.
    let project = unnamed().url("core", Some("postgres://localhost/core"));
    swapped(&project, "setup --env prod").success();
    // A variable may hold anything.
    let project = unnamed().url("core", Some("${OTHER_URL:-postgres://localhost/core_dev}"));
    swapped(&project, "setup").success();
}

#[test]
fn an_application_of_another_engine_makes_no_file() {
    let Some(app) = App::new(Sqlite) else { return };
    app.migration("1_t", "create table t (id int);").file("structure.sql", OF_POSTGRES);
    for policy in [Policy::Migrate, Policy::RequireCurrent] {
        let error = block_on(app.startup().create_if_missing().policy(policy).run())
            .map(|report| format!("{report:?}"))
            .expect_err("it is refused");
        assert_eq!(error.kind(), Kind::WrongDatabase, "{error}");
    }
    assert!(!app.database_file().exists());
}

#[test]
fn repos_in_schemas_of_their_own_share_a_database() {
    let Some(server) = postgres::server() else { return };
    let project = project(Postgres).on(&server);
    let database = project.database("core").postgres();
    database.create();
    database.execute("create schema core; create schema billing");
    let project =
        project.repo_config("core", "schemas = \"core\"").repo_config("billing", "schemas = \"billing\"");
    let url = database.url();
    for repo in ["core", "billing"] {
        let variable = format!("{}_DATABASE_URL", repo.to_uppercase());
        project.command(&format!("migrate --repo {repo}")).env(&variable, &url).run().success();
    }
    let of = |schema: &str| database.query(&NAMES.replace("dbsetup_meta", &format!("{schema}.dbsetup_meta")));
    assert_eq!(
        (of("core"), of("billing")),
        (vec![vec!["core".to_owned()]], vec![vec!["billing".to_owned()]])
    );
}
