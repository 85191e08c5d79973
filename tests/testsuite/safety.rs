//! Consent and protection: what is never destroyed and never followed.

use crate::support::{Backend, Database, Postgres, Project, Sqlite, postgres};

fn project(backend: Backend) -> Project {
    Project::new().repo("core", backend).migration(
        "core",
        "1_users",
        "create table users (id integer primary key, name varchar(40));\n",
    )
}

/// The name by which `--allow-protected` wants a database.
fn name_of(project: &Project, environment: &str) -> String {
    match project.database_in("core", environment) {
        Database::Sqlite(database) => {
            database.path().file_name().expect("it is a file").to_string_lossy().into_owned()
        }
        Database::Postgres(database) => database.name().to_owned(),
    }
}

on_each_database! {
    fn without_a_terminal_nothing_is_destroyed(backend) {
        let project = project(backend).structure("core", "create table t (id integer);\n");
        project.run("create").success();
        project.run("migrate --no-load").success();
        for line in ["drop", "reset", "load --force", "rollback --all"] {
            project.run(line).code(4).stderr_contains("refused to ").stderr_contains("pass `--yes`");
            // A pipe that says yes is no person.
            project.command(line).stdin("y\ny\n").run().code(4);
        }
        assert_eq!(project.database("core").value("select count(*) from users"), "0");
        project.run("drop --yes").success();
        assert!(!project.database("core").exists());
    }

    fn a_protected_environment_wants_its_databases_named(backend) {
        let project = project(backend);
        project.run("setup --env prod").success();
        let name = name_of(&project, "prod");
        for line in ["drop", "drop --yes", "drop --yes --allow-protected other", "reset --yes", "rollback --all --yes"] {
            project
                .run(&format!("{line} --env prod"))
                .code(4)
                .stderr_contains(&format!("`{name}`: the environment `prod` is protected"))
                .stderr_contains(&format!("--allow-protected {name}"));
        }
        project.run(&format!("drop --env prod --allow-protected {name}")).code(4).stderr_contains("--yes");
        assert!(project.database_in("core", "prod").exists());
        project.run(&format!("drop --env prod --yes --allow-protected {name}")).success();
        assert!(!project.database_in("core", "prod").exists());
    }

    fn undoing_several_migrations_of_a_protected_database_is_asked_about(backend) {
        let table = |name: &str| (format!("create table {name} (id integer);"), format!("drop table {name};"));
        let (a, b, c) = (table("a"), table("b"), table("c"));
        let project = Project::new()
            .repo("core", backend)
            .reversible("core", "1_a", &a.0, &a.1)
            .reversible("core", "2_b", &b.0, &b.1)
            .reversible("core", "3_c", &c.0, &c.1);
        project.run("setup --env prod").success();
        let name = name_of(&project, "prod");
        for line in ["rollback --to 2", "rollback -n 2", "rollback --to-exclusive 1", "redo --to 2", "redo -n 2"] {
            let refused = project.run(&format!("{line} --env prod"));
            refused.code(4).stderr_contains("pass `--yes`").stderr_contains("environment prod): 3, 2");
            refused.stderr_lacks("--allow-protected");
        }
        for line in ["rollback --to 1 --yes", "rollback -n 3 --yes", "redo --to 1 --yes"] {
            let refused = project.run(&format!("{line} --env prod"));
            refused.code(4).stderr_contains(&format!("--allow-protected {name}"));
        }
        // One step is what a deploy that went wrong takes back; so is the newest one by its name.
        project.run("redo --env prod").success();
        project.run("rollback --to 3 --env prod").success();
        project.run("migrate --env prod").success();
        project.run("rollback --to 2 --env prod --dry-run").success().stdout_contains("would undo 2 b");
        project.run("rollback --to 2 --env prod --yes").success();
        project.run("migrate --env prod").success();
        project.run(&format!("rollback --to 1 --env prod --yes --allow-protected {name}")).success();
        // What may be thrown away is not asked about.
        project.run("setup").success();
        project.run("rollback --to 1").success();
    }

    fn what_a_step_before_decides_is_asked_about_without_a_list(backend) {
        let project = Project::new().repo("core", backend).alias("again", &["migrate", "rollback -n 3"]);
        let project = ["1_a", "2_b", "3_c", "4_d"].into_iter().fold(project, |project, name| {
            let table = name.replace('_', "");
            let up = format!("create table t{table} (id integer);");
            project.reversible("core", name, &up, &format!("drop table t{table};"))
        });
        project.run("create --env prod").success();
        // The plan is empty now, and three migrations are undone by then.
        let refused = project.run("again --env prod");
        refused.code(4).stderr_contains("refused to roll back several migrations of").stderr_contains("pass `--yes`");
        refused.stderr_contains("environment prod): which ones, is unknown: the steps before it decide");
        project.run("again --env prod --yes").success();
        assert_eq!(project.database_in("core", "prod").user_tables(), ["schema_migrations", "t1a"]);
        // What cannot be planned is no less destructive for it.
        let refused = project.run("rollback --to 9 --env prod");
        refused.code(4).stderr_contains("which ones, is unknown: ");
        project.run("rollback --to 9 --env prod --yes").stderr_contains("error: ");
    }

    fn disposable_environments_are_configured(backend) {
        let project = project(backend).config("disposable-environments = [\"test\"]");
        project.run("create").success();
        project.run("drop --yes").code(4).stderr_contains("the environment `dev` is protected");
        project.run("create --env test").success();
        project.run("drop --yes --env test").success();
    }

    fn a_database_remembers_its_environment(backend) {
        let project = project(backend);
        project.run("setup --env prod").success();
        let (name, url) = (name_of(&project, "prod"), url_of(&project, "prod"));
        let as_dev = |line: &str| project.command(line).env("CORE_DATABASE_URL", &url).run();
        as_dev("drop --yes")
            .code(4)
            .stderr_contains("the database says that it belongs to the environment `prod`")
            .stderr_contains("resolve --environment dev --repo core");
        as_dev("reset --yes").code(4);
        // What only adds is warned about.
        project.write(project.priv_dir("core").join("migrations/2_more.sql"), "create table more (id integer);\n");
        as_dev("migrate").success().stderr_contains("warning").stderr_contains("prod");
        assert!(project.database_in("core", "prod").exists());
        as_dev("resolve --environment dev").code(4).stderr_contains("--allow-protected");
        as_dev(&format!("resolve --environment dev --yes --allow-protected {name}")).success().stderr_contains("The database for core belongs to the environment dev now");
        as_dev("drop --yes").success().stderr_contains(&name);
        assert!(!project.database_in("core", "prod").exists());
    }

    fn an_interrupted_reset_asks_before_the_first_step(backend) {
        // `migrate` of the second step would fail; the question comes first all the same.
        let project = project(backend).migration("core", "2_broken", "create table;\n");
        project.run("create").success();
        project.run("reset").code(4).stderr_lacks("dropped");
        assert!(project.database("core").exists());
    }
}

fn url_of(project: &Project, environment: &str) -> String {
    match project.database_in("core", environment) {
        Database::Sqlite(database) => format!("sqlite:{}", database.path().display()),
        Database::Postgres(database) => database.url(),
    }
}

#[cfg(unix)]
#[test]
fn a_person_is_asked_and_no_is_the_default() {
    let project = project(Sqlite);
    project.run("setup").success();
    for answer in ["n\n", "\n", "yep\n", "y\u{7f}\n"] {
        let mut terminal = project.terminal("drop");
        terminal
            .expect("drop sqlite:core_dev.db (repo core, environment dev)")
            .expect("Go on? [y/N]: ")
            .send(answer);
        terminal.wait().code(4).stdout_contains("not confirmed; nothing has been done");
        assert!(project.database("core").exists());
    }
    let mut terminal = project.terminal("reset");
    terminal.expect("This cannot be undone:").expect("[y/N]: ").send("y\n");
    terminal.wait().success().stdout_contains("has been dropped").stdout_contains("has been created");
    let mut terminal = project.terminal("drop");
    terminal.expect("[y/N]: ").send("yes\n");
    terminal.wait().success();
    assert!(!project.database("core").exists());
}

#[cfg(unix)]
#[test]
fn a_yes_holds_for_the_migrations_that_were_shown() {
    let add = |project: Project, name: &str| {
        let up = format!("create table t{name} (id integer);");
        project.reversible("core", name, &up, &format!("drop table t{name};"))
    };
    let project = ["1_a", "2_b", "3_c"].into_iter().fold(Project::new().repo("core", Sqlite), add);
    project.run("setup --env prod").success();
    let mut terminal = project.terminal("rollback -n 2 --env prod");
    terminal.expect("environment prod): 3, 2").expect("[y/N]: ");
    let project = add(project, "4_d");
    project.run("migrate --env prod").success().stderr_contains("4 d");
    terminal.send("y\n");
    terminal.wait().code(6).stdout_contains("migration 4 was applied by another process meanwhile");
    project.run("status --env prod --check").success();
}

#[cfg(unix)]
#[test]
fn ctrl_c_at_the_question_is_no() {
    let project = project(Sqlite);
    project.run("create").success();
    let mut terminal = project.terminal("drop");
    terminal.expect("[y/N]: ").send("\u{3}");
    terminal.wait().code(130);
    assert!(project.database("core").exists());
}

#[cfg(unix)]
#[test]
fn the_end_of_the_input_at_the_question_is_no() {
    let project = project(Sqlite);
    project.run("create").success();
    let mut terminal = project.terminal("drop");
    terminal.expect("[y/N]: ").send("\u{4}");
    terminal.wait().code(4).stdout_contains("[y/N]: \nerror: not confirmed; nothing has been done");
    assert!(project.database("core").exists());
}

#[test]
fn a_file_that_is_no_database_is_not_dropped() {
    let project = project(Sqlite);
    let Database::Sqlite(database) = project.database("core") else { unreachable!("the repo is SQLite") };
    std::fs::write(database.path(), "my thesis\n").expect("the directory can be written");
    for line in ["drop --yes", "reset --yes", "load --force --yes", "migrate", "status"] {
        let run = project.run(line);
        assert_ne!(run.stderr, "", "{run}");
        assert!(run.stderr.contains("error: "), "{run}");
    }
    assert_eq!(std::fs::read_to_string(database.path()).expect("it is there"), "my thesis\n");
}

#[cfg(unix)]
#[test]
fn a_link_that_leaves_the_workspace_is_not_followed() {
    let outside = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(outside.path().join("evil.sql"), "create table evil (id integer);\n")
        .expect("it can be written");
    for place in ["migrations/2_evil.sql", "structure.sql", "seeds.sql", "seeds/dev/evil.sql"] {
        let project = project(Sqlite);
        let link = project.path(project.priv_dir("core").join(place));
        std::fs::create_dir_all(link.parent().expect("it has a directory")).expect("it can be made");
        std::os::unix::fs::symlink(outside.path().join("evil.sql"), &link).expect("links are possible");
        let run = project.run("setup");
        assert!(!run.stderr.is_empty());
        run.code(2).stderr_contains(place.rsplit('/').next().expect("it has a name")).stderr_contains("link");
        let exists = project.database("core").exists();
        assert!(!exists || !project.database("core").tables().contains(&"evil".to_owned()), "{run}");
    }
}

// --- Names ---

#[test]
fn quotes_in_names_are_nothing_special() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_users",
        "create table users (id integer);\n",
    );
    let bystander = server.database("bystander");
    bystander.create();
    let mut held = bystander.session();
    for (shown, encoded) in [
        ("a\"b", "a%22b"),
        ("a'b", "a%27b"),
        ("a b;--", "a%20b%3B--"),
        ("größe", "gr%C3%B6%C3%9Fe"),
        ("x' or '1'='1", "x%27%20or%20%271%27%3D%271"),
    ] {
        let url = server.url(encoded);
        let run = |line: &str| project.command(line).env("CORE_DATABASE_URL", &url).run();
        run("setup").success();
        run("status --check").success();
        run("dump -d -").success();
        let name = server.name(shown);
        let found = server
            .query(&format!("select 1 from pg_database where datname = '{}'", name.replace('\'', "''")));
        assert_eq!(found.len(), 1, "{shown}");
        run("drop --yes --force-drop").success();
        let found = server
            .query(&format!("select 1 from pg_database where datname = '{}'", name.replace('\'', "''")));
        assert_eq!(found.len(), 0, "{shown}");
    }
    // Nobody else's session was ended.
    assert_eq!(held.query("select 1"), [["1"]]);
}

#[test]
fn quotes_in_roles_and_schemas_are_nothing_special() {
    let Some(server) = postgres::server() else { return };
    let role = server.name("ro'l\"e");
    server.execute(&format!("create role \"{}\"", role.replace('"', "\"\"")));
    let project = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config(
            "core",
            &format!(
                "role = '''{role}'''\ncreate.owner = '''{role}'''\nschemas = ['''s'c\"h''', 'public']\n"
            ),
        )
        .priv_file("core", "migrations/1_t.sql", "create table t (id integer);\n");
    project.run("create").success();
    project
        .database("core")
        .execute(&format!("create schema \"s'c\"\"h\" authorization \"{}\"", role.replace('"', "\"\"")));
    project.run("migrate").success();
    assert_eq!(
        project.database("core").query("select pg_get_userbyid(relowner), relnamespace::regnamespace::text from pg_class where relname = 't'"),
        [[role.as_str(), "\"s'c\"\"h\""]]
    );
    project.run("status --check").success();
    project.run("drop --yes").success();
}

#[test]
fn a_name_that_the_server_would_cut_off_is_refused() {
    let Some(server) = postgres::server() else { return };
    let project = project(Postgres);
    let long = "n".repeat(70);
    let (base, _) = server.admin_url().rsplit_once('/').expect("it names a database");
    let url = format!("{base}/{long}");
    for line in ["create", "drop --yes", "setup", "status", "migrate", "load"] {
        let run = project.command(line).env("CORE_DATABASE_URL", &url).run();
        assert!(run.stderr.contains("63"), "{run}");
        run.code(2).hides(server.password());
    }
    assert!(
        server.query(&format!("select 1 from pg_database where datname like '{}%'", &long[..40])).is_empty()
    );
}

// --- Roles ---

#[test]
fn a_role_without_createdb_works_where_the_database_exists() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_users",
        "create table users (id integer);\n",
    );
    let owner = server.role("owner", "nocreatedb");
    let url = server.url_as(&owner, "core_dev");
    let run = |line: &str| project.command(line).env("CORE_DATABASE_URL", &url).run();
    run("setup")
        .code(1)
        .hides(&owner.password)
        .stderr_contains("permission denied")
        .stderr_contains("CREATEDB`, or set `maintenance-url`");
    server.execute(&format!("create database \"{}\" owner {}", server.name("core_dev"), owner.name));
    run("setup").success().stderr_contains("has already been created");
    run("status --check").success();
    run("dump").success();
    // Another role makes it, through `maintenance-url`.
    let split = Project::new()
        .on(&server)
        .repo("core", Postgres)
        .repo_config(
            "core",
            &format!("maintenance-url = \"{}\"\ncreate.owner = \"{}\"", server.admin_url(), owner.name),
        )
        .migration("core", "1_users", "create table users (id integer);\n");
    let other = server.url_as(&owner, "other");
    split.command("setup").env("CORE_DATABASE_URL", &other).run().success();
    split.command("drop --yes").env("CORE_DATABASE_URL", &other).run().success();
}

#[test]
fn a_role_without_rights_on_the_schema_is_told_so() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration(
        "core",
        "1_users",
        "create table users (id integer);\n",
    );
    project.run("create").success();
    let nobody = server.role("nobody", "");
    project.database("core").execute("revoke all on schema public from public");
    let url = server.url_as(&nobody, "core_dev");
    project
        .command("migrate")
        .env("CORE_DATABASE_URL", &url)
        .run()
        .code(1)
        .hides(&nobody.password)
        .stderr_contains("lets this role create in it");
}

#[test]
fn a_drop_does_not_end_other_peoples_sessions_unless_told() {
    let Some(_) = postgres::server() else { return };
    let project = project(Postgres);
    project.run("setup").success();
    let Database::Postgres(database) = project.database("core") else {
        unreachable!("the repo is PostgreSQL")
    };
    let mut session = database.session();
    project.run("drop --yes").code(1).stderr_contains("--force-drop");
    assert_eq!(session.query("select 1"), [["1"]]);
    // The session that has looked before may be seen a moment longer, and is counted then.
    project.run("drop --yes --force-drop").success().stderr_contains(" ended for it");
    assert!(!database.exists());
}
