//! Checkouts as they are: no configuration at all, a single package, nested files, several selections.

use crate::support::{Project, Sqlite};

const USERS: &str = "create table users (id integer primary key, name varchar(40));\n";

fn tables(project: &Project, path: &str) -> Vec<String> {
    let database = crate::support::sqlite::Database::at(project.path(path));
    let rows = database.query(
        "select name from sqlite_schema where type = 'table' and name not like 'sqlite%' order by name",
    );
    rows.into_iter().map(|mut row| row.swap_remove(0)).collect()
}

#[test]
fn a_migrations_directory_and_a_url_are_enough() {
    let project =
        Project::single("shop").file("migrations/1_users.sql", USERS).env("DATABASE_URL", "sqlite:shop.db");
    project.run("setup").success().stderr_contains("The database for shop has been created (sqlite:shop.db)");
    assert!(tables(&project, "shop.db").contains(&"users".to_owned()));
    project.run("dump").success();
    assert!(project.files(".").contains(&"structure.sql".to_owned()));
    project.run("status --check").success();
    let made = project.run("gen migration more");
    made.success().stderr_contains("* creating migrations/2_more.sql");
}

#[test]
fn without_a_url_nothing_is_guessed() {
    let project = Project::single("shop").file("migrations/1_users.sql", USERS);
    project
        .run("setup")
        .code(2)
        .stderr_contains("no URL for repo `shop`")
        .stderr_contains("`SHOP_DATABASE_URL`");
}

#[test]
fn a_directory_of_a_member_is_found_from_anywhere() {
    let project = Project::new()
        .member("api")
        .member("store")
        .file("crates/store/migrations/1_users.sql", USERS)
        .env("STORE_DATABASE_URL", "sqlite:store.db");
    project.run("setup").success();
    assert!(project.path("crates/store/store.db").exists(), "a relative path starts at the crate");
    project.run_in("crates/store/src", "status --check").success();
    project.run_in("crates", "status --manifest-path ../Cargo.toml").success();
    // A member without repos says so rather than doing nothing.
    project.run_in("crates/api", "status").code(2).stderr_contains("api");
}

#[test]
fn the_environment_comes_from_flag_variable_or_is_dev() {
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users", USERS);
    project.command("create").env("DBSETUP_ENV", "test").run().success().stderr_contains("core_test.db");
    project
        .command("create --env ci")
        .env("DBSETUP_ENV", "test")
        .run()
        .success()
        .stderr_contains("core_ci.db");
    project.command("create").env("DBSETUP_ENV", "").run().success().stderr_contains("core_dev.db");
}

#[test]
fn the_nearest_variable_wins() {
    let project = Project::new()
        .repo("core", Sqlite)
        .env_file(".env", "CORE_DATABASE_URL=sqlite:dotenv.db\n")
        .env_file(".env.test", "CORE_DATABASE_URL=sqlite:dotenv_test.db\n");
    project.run("create").success().stderr_contains("dotenv.db");
    project.run("create --env test").success().stderr_contains("dotenv_test.db");
    project
        .command("create")
        .env("CORE_DATABASE_URL", "sqlite:process.db")
        .run()
        .success()
        .stderr_contains("process.db");
    project
        .command("create")
        .env("CORE_DATABASE_URL_DEV", "sqlite:exact.db")
        .env("CORE_DATABASE_URL", "sqlite:x.db")
        .run()
        .success()
        .stderr_contains("exact.db");
    project.run("create --database-url sqlite:flag.db").success().stderr_contains("flag.db");
    project.run("create --no-dotenv").success().stderr_contains("core_dev.db");
}

#[test]
fn a_url_on_the_command_line_is_for_one_repo() {
    let project = Project::new().repo("core", Sqlite).repo("billing", Sqlite);
    project.run("create --database-url sqlite:x.db").code(2).stderr_contains("--database-url");
    project.run("create --database-url sqlite:x.db -r core").success();
    assert!(project.path("crates/core/x.db").exists() && !project.path("crates/billing/x.db").exists());
    // Of several repos none takes DATABASE_URL.
    project
        .command("create")
        .env("DATABASE_URL", "sqlite:shared.db")
        .run()
        .success()
        .stderr_lacks("shared.db");
}

#[test]
fn repos_and_packages_are_selected() {
    let project =
        Project::new().repo("core", Sqlite).repo_in("core", "audit", Sqlite).repo("billing", Sqlite);
    let created = |line: &str| {
        project.run(line).success();
        let all = [("core", "core"), ("core", "audit"), ("billing", "billing")];
        let there = all
            .iter()
            .filter(|(member, repo)| project.path(format!("crates/{member}/{repo}_dev.db")).exists());
        let names: Vec<&str> = there.map(|(_, repo)| *repo).collect();
        project.run("drop --yes --workspace").success();
        names
    };
    assert_eq!(created("create -r audit"), ["audit"]);
    assert_eq!(created("create --repo core --repo billing"), ["core", "billing"]);
    assert_eq!(created("create -p core"), ["core", "audit"]);
    assert_eq!(created("create --workspace --exclude core"), ["billing"]);
    assert_eq!(created("create"), ["core", "audit", "billing"]);
    project.run("create -r core -r nope").code(2).stderr_contains("nope");
}

#[test]
fn keep_going_does_what_can_be_done() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo("billing", Sqlite)
        .migration("core", "1_users", USERS)
        .migration("billing", "1_broken", "create table;\n")
        .seed("core", "insert into users values (1, 'a');\n")
        .seed("billing", "select 1;\n");
    project.run("setup").code(1);
    assert_eq!(project.database("core").value("select count(*) from users"), "0");
    let run = project.run("setup --keep-going --jobs 1");
    run.code(1).stderr_contains("core has been seeded");
    assert_eq!(project.database("core").value("select count(*) from users"), "1");
}

#[test]
fn a_seed_command_gets_the_urls_and_its_failure_is_told() {
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users", USERS).repo_config(
        "core",
        "seed-command = \"sh -c 'echo \\\"$DBSETUP_ENV $CORE_DATABASE_URL\\\" > seeded; pwd >> seeded'\"",
    );
    if cfg!(windows) {
        return;
    }
    project.run("setup").success().stderr_contains("has been seeded by `");
    let root = project.root();
    assert_eq!(
        project.read("crates/core/seeded"),
        format!("dev sqlite:{0}/crates/core/core_dev.db\n{0}/crates/core\n", root.display())
    );
    let failing = Project::new()
        .repo("core", Sqlite)
        .migration("core", "1_users", USERS)
        .repo_config("core", "seed-command = \"false\"");
    failing.run("setup").code(1).stderr_contains("the seed command `false` failed");
    // It did not count as seeded.
    failing.run("setup").code(1);
}

#[test]
fn peers_layouts_keep_their_ledgers() {
    let diesel = Project::single("shop")
        .file("migrations/2026-01-01-000000_users/up.sql", USERS)
        .file("migrations/2026-01-01-000000_users/down.sql", "drop table users;\n")
        .env("DATABASE_URL", "sqlite:shop.db");
    diesel.run("setup").success();
    assert!(tables(&diesel, "shop.db").contains(&"__diesel_schema_migrations".to_owned()));
    diesel.run("redo").success();
    let refinery =
        Project::single("shop").file("migrations/V1__users.sql", USERS).env("DATABASE_URL", "sqlite:shop.db");
    refinery.run("setup").success();
    assert!(tables(&refinery, "shop.db").contains(&"refinery_schema_history".to_owned()));
    refinery.run("status --check").success();
    let dbmate = Project::single("shop")
        .file(
            "db/migrations/20260101000000_users.sql",
            &format!("-- migrate:up\n{USERS}\n-- migrate:down\ndrop table users;\n"),
        )
        .env("DATABASE_URL", "sqlite:shop.db");
    dbmate.run("setup").success();
    dbmate.run("rollback").success();
    dbmate.run("migrate").success();
    let database = crate::support::sqlite::Database::at(dbmate.path("shop.db"));
    assert_eq!(database.query("select * from schema_migrations"), [["20260101000000"]]);
    let sqlx = Project::single("shop")
        .file("migrations/1_users.sql", USERS)
        .file("sqlx.toml", "")
        .env("DATABASE_URL", "sqlite:shop.db");
    sqlx.run("setup").success();
    assert!(tables(&sqlx, "shop.db").contains(&"_sqlx_migrations".to_owned()));
}

#[test]
fn reserved_and_twin_names_are_refused() {
    let twins = Project::new()
        .repo("my-core", Sqlite)
        .member("other")
        .package_metadata("other", "[package.metadata.dbsetup.repos.my_core]\nurl = \"sqlite:x.db\"\n");
    twins.run("status").code(2).stderr_contains("my_core").stderr_contains("my-core");
    for word in ["prefix", "targets"] {
        let reserved = Project::new().repo("core", Sqlite).repo_config("core", &format!("{word} = \"x\""));
        reserved.run("status").code(2).stderr_contains(word).stderr_contains("reserved");
    }
}
