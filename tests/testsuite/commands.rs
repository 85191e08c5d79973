//! Every command once for what it promises: its sentences, its exit code, and what it leaves alone.

use crate::support::{Database, Postgres, Project, Sqlite, postgres};

const USERS: &str = "create table users (id integer primary key, name varchar(40));\n";

/// A repo with three migrations that can be undone.
fn three(backend: crate::support::Backend) -> Project {
    let mut project = Project::new().repo("core", backend);
    for (version, name) in [("1", "a"), ("2", "b"), ("3", "c")] {
        project = project.reversible(
            "core",
            &format!("{version}_{name}"),
            &format!("create table {name} (id integer);\n"),
            &format!("drop table {name};\n"),
        );
    }
    project.run("create").success();
    project
}

fn applied(project: &Project) -> Vec<String> {
    project.database("core").column("select version from schema_migrations order by version")
}

on_each_database! {
    fn run_reads_the_standard_input(backend) {
        let project = three(backend);
        project.run("migrate").success();
        let text = "insert into a values (1);\ninsert into a values (2);\n";
        project.command("run -").stdin(text).run().success().stderr_contains("<stdin>");
        assert_eq!(project.database("core").column("select id from a order by id"), ["1", "2"]);
        let run = project.command("run -").stdin("insert into a values (3);\ninsert into nope values (1);\n").run();
        run.code(1).stderr_contains("<stdin>:2:").stderr_contains("the whole file was rolled back");
        assert_eq!(project.database("core").column("select id from a order by id"), ["1", "2"]);
    }

    fn create_and_drop_may_be_repeated(backend) {
        let project = Project::new().repo("core", backend);
        project.run("create").success().stderr_contains("The database for core has been created (");
        project.run("create").success().stderr_contains("The database for core has already been created (");
        project.run("drop --yes").success().stderr_contains("The database for core has been dropped (");
        assert!(!project.database("core").exists());
        project.run("drop --yes").success().stderr_contains("There is no database for core (");
    }

    fn a_dry_run_of_create_and_drop_does_neither(backend) {
        let project = Project::new().repo("core", backend);
        project.run("create --dry-run").success().stdout_contains("would create the database ");
        assert!(!project.database("core").exists());
        project.run("create").success();
        project.run("drop --dry-run").success().stdout_contains("would drop the database ");
        assert!(project.database("core").exists());
    }

    fn wait_succeeds_while_the_database_is_missing(backend) {
        let project = Project::new().repo("core", backend);
        project.run("wait").success().stderr_contains("The server for core answers (");
        assert!(!project.database("core").exists());
    }

    fn rollback_undoes_the_newest_application_first(backend) {
        let project = three(backend);
        // Applied in the order 1, 3, 2.
        let second = project.priv_dir("core").join("migrations/2_b.up.sql");
        let text = project.read(&second);
        let down = project.read(second.with_file_name("2_b.down.sql"));
        project.remove(&second);
        project.remove(second.with_file_name("2_b.down.sql"));
        project.run("migrate").success();
        project.write(&second, &text);
        project.write(second.with_file_name("2_b.down.sql"), &down);
        project.run("migrate").success();
        project.run("rollback").success().stderr_contains("== Rolled back 2 b in ");
        assert_eq!(applied(&project), ["1", "3"]);
        project.run("rollback --step 2").success().stderr_contains("== Rolled back 3 c").stderr_contains("== Rolled back 1 a");
        assert_eq!(applied(&project), Vec::<String>::new());
        project.run("rollback").success().stderr_contains("Migrations for core are already down (0 applied)");
    }

    fn rollback_counts_applications_and_does_not_spell_them(backend) {
        let mut project = Project::new().repo("core", backend);
        for number in 1..=12 {
            let up = format!("create table t{number} (id integer);");
            project = project.reversible("core", &format!("{number}_t"), &up, &format!("drop table t{number};"));
        }
        project.run("setup").success();
        let run = project.run("rollback --step 4 --dry-run");
        let lines: Vec<&str> = run.success().stdout.lines().filter(|line| line.contains("would undo")).map(str::trim).collect();
        let versions: Vec<&str> = lines.iter().filter_map(|line| line.split(" ").nth(2)).collect();
        assert_eq!(versions, ["12", "11", "10", "9"]);
        project.run("rollback --to 9").success();
        assert_eq!(applied(&project).len(), 8);
        project.run("redo").success().stderr_contains("== Rolled back 8 t").stderr_contains("== Migrated 8 t");
    }

    fn rollback_to_a_version_undoes_it_and_what_came_after(backend) {
        let project = three(backend);
        project.run("migrate").success();
        project.run("rollback --to 2 --dry-run").success().stdout_contains("would undo 3 c").stdout_contains("would undo 2 b");
        assert_eq!(applied(&project).len(), 3);
        project.run("rollback --to 2").success();
        assert_eq!(applied(&project), ["1"]);
        assert_eq!(project.database("core").user_tables(), ["a", "schema_migrations"]);
        project.run("migrate").success();
        project.run("rollback --to-exclusive 2").success();
        assert_eq!(applied(&project), ["1", "2"]);
        project.run("rollback --to 99").code(1).stderr_contains("99");
    }

    fn rollback_of_everything_asks_first(backend) {
        let project = three(backend);
        project.run("migrate").success();
        project.run("rollback --all").code(4).stderr_contains("--yes");
        assert_eq!(applied(&project).len(), 3);
        project.run("rollback --all --yes").success();
        assert_eq!(applied(&project).len(), 0);
    }

    fn a_version_without_a_down_side_is_refused_before_anything_is_undone(backend) {
        let project = three(backend);
        project.remove(project.priv_dir("core").join("migrations/2_b.down.sql"));
        project.run("migrate").success();
        project
            .run("rollback --to 1")
            .code(1)
            .stderr_contains("migration 2 b of `core` cannot be undone: it has no down side")
            .stderr_contains("nothing was undone");
        assert_eq!(applied(&project), ["1", "2", "3"]);
    }

    fn redo_undoes_and_runs_again(backend) {
        let project = three(backend);
        project.run("migrate").success();
        project.database("core").execute("insert into c values (1)");
        project.run("redo").success().stderr_contains("== Rolled back 3 c").stderr_contains("== Migrated 3 c");
        assert_eq!(project.database("core").value("select count(*) from c"), "0");
        assert_eq!(applied(&project), ["1", "2", "3"]);
    }

    fn migrate_goes_as_far_as_it_is_told(backend) {
        let project = three(backend);
        project.run("migrate --step 1").success();
        assert_eq!(applied(&project), ["1"]);
        project.run("migrate --to-exclusive 3").success();
        assert_eq!(applied(&project), ["1", "2"]);
        project.run("migrate --to 3 --dry-run").success().stdout_contains("would run 3 c (automatic)");
        project.run("migrate --to 3").success();
        assert_eq!(applied(&project), ["1", "2", "3"]);
        project.run("migrate --to 77").code(1).stderr_contains("77");
        project.run("migrate --to 1 --step 2").code(2);
    }

    fn lanes_run_apart_and_together(backend) {
        let project = three(backend).manual("core", "4_big", "create table big (id integer);\n");
        project.run("migrate").success();
        assert_eq!(applied(&project), ["1", "2", "3"]);
        project.run("status --check --lane automatic").success();
        project.run("status --check").code(3).stderr_contains("1 pending");
        project.run("migrate_manual").success().stderr_contains("== Migrated 4 big");
        assert_eq!(applied(&project), ["1", "2", "3", "4"]);
    }

    fn status_is_a_table_and_check_exits_with_3(backend) {
        let project = three(backend);
        project.run("migrate --to 1").success();
        project.run("status").success().stderr_is("").stdout_matches(snapbox::str![[r#"

Repo: core

  Status   Lane       Version  Name
  applied  automatic  1        a
  pending  automatic  2        b
  pending  automatic  3        c

"#]]);
        project.run("migrations").success().stdout_contains("pending");
        project.run("status --check").code(3).stderr_contains("`core` is not up to date: 2 pending");
        project.run("migrate").success();
        project.run("status --check").success();
        project.remove(project.priv_dir("core").join("migrations/2_b.up.sql"));
        project.remove(project.priv_dir("core").join("migrations/2_b.down.sql"));
        project.write(project.priv_dir("core").join("migrations/3_c.up.sql"), "create table c (id integer, x integer);\n");
        project.run("status").success().stdout_contains("  file missing  ").stdout_contains("  changed  ");
        project.run("status --check").code(3).stderr_contains("1 changed").stderr_contains("1 file missing");
        project.run("migrate").code(1).stderr_contains("3_c.up.sql").stderr_contains("resolve");
    }

    fn status_never_writes(backend) {
        let project = three(backend);
        project.run("drop --yes").success();
        project.run("status").success().stdout_contains("the database does not exist").stdout_contains("pending");
        project.run("status --check").code(3).stderr_contains("the database does not exist");
        assert!(!project.database("core").exists());
        project.database("core").create();
        project.run("status").success();
        assert_eq!(project.database("core").tables(), Vec::<String>::new());
    }

    fn resolve_corrects_the_ledger(backend) {
        let project = three(backend);
        // The baseline of a database that was there before its migrations.
        project.database("core").execute("create table a (id integer); create table b (id integer)");
        project.run("resolve --applied --to 2 --dry-run").success();
        project.run("resolve --applied --to 2").success();
        assert_eq!(applied(&project), ["1", "2"]);
        project.run("migrate").success().stderr_contains("== Migrated 3 c").stderr_lacks("Migrated 2");
        project.run("resolve 3 --not-applied").success();
        assert_eq!(applied(&project), ["1", "2"]);
        project.run("resolve 3 --applied").success();
        assert_eq!(applied(&project), ["1", "2", "3"]);
        project.write(project.priv_dir("core").join("migrations/3_c.up.sql"), "create table c (id integer, y integer);\n");
        project.run("status --check").code(3);
        project.run("resolve 3 --accept-checksum").success();
        project.run("status --check").success();
        project.run("resolve 4711 --applied").code(1).stderr_contains("4711");
        project.run("resolve --applied").code(2).stderr_contains("no version is named");
        project.run("resolve 3").code(2);
        project.run("resolve --not-applied --to 2").code(2).stderr_contains("`--to` goes with `--applied` alone");
    }

    fn seeds_run_in_their_order(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_log", "create table log (at integer primary key, what varchar(20));\n")
            .seed("core", "insert into log select count(*), 'single' from log;\n")
            .priv_file("core", "seeds/20_b.sql", "insert into log select count(*), 'second' from log;\n")
            .priv_file("core", "seeds/10_a.sql", "insert into log select count(*), 'first' from log;\n")
            .priv_file("core", "seeds/dev/00_dev.sql", "insert into log select count(*), 'dev' from log;\n")
            .priv_file("core", "seeds/test/00_test.sql", "insert into log select count(*), 'test' from log;\n");
        project.run("setup").success();
        let log = |project: &Project, env| project.database_in("core", env).column("select what from log order by at");
        assert_eq!(log(&project, "dev"), ["single", "first", "second", "dev"]);
        project.run("setup --env test").success();
        assert_eq!(log(&project, "test"), ["single", "first", "second", "test"]);
        project.run("seed").success();
        assert_eq!(log(&project, "dev").len(), 8);
        project.run("seed --if-new").success().stderr_contains("core was not seeded: it was seeded before");
        project.run("seed --dry-run").success().stdout_contains("would run crates/core/priv/core/seeds/10_a.sql");
        assert_eq!(log(&project, "dev").len(), 8);
    }

    fn a_first_seed_that_failed_is_run_again(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_users", USERS)
            .priv_file("core", "seeds/1.sql", "insert into users values (1, 'a');\n")
            .priv_file("core", "seeds/2.sql", "insert into users values (2, 'b');\ninsert into nowhere values (1);\n");
        project
            .run("setup")
            .code(1)
            .stderr_contains("crates/core/priv/core/seeds/2.sql:2:")
            .stderr_contains("the whole file was rolled back");
        assert_eq!(project.database("core").column("select name from users"), ["a"]);
        project.write(project.priv_dir("core").join("seeds/2.sql"), "insert into users values (2, 'b');\n");
        // What was seeded already is not seeded twice.
        project.run("setup").success();
        assert_eq!(project.database("core").column("select name from users order by id"), ["a", "b"]);
        project.run("setup").success().stderr_contains("it was seeded before");
    }

    fn run_runs_one_file(backend) {
        let project = Project::new()
            .repo("core", backend)
            .file("fix.sql", "create table t (id integer);\ninsert into t values (1);\ninsert into t values (2);\n")
            .file("bad.sql", "insert into t values (3);\ninsert into nowhere values (1);\n");
        project.run("create").success();
        project.run("run fix.sql --dry-run").success().stdout_contains("would run fix.sql");
        project.run("run fix.sql").success().stderr_contains("fix.sql has been run for core: 3 statements in ");
        project.run("run bad.sql").code(1).stderr_contains("bad.sql:2:").stderr_contains("rolled back");
        assert_eq!(project.database("core").value("select count(*) from t"), "2");
        project.run("run none.sql").code(1).stderr_contains("there is no file `none.sql`");
        // Relative to the current directory, not to the crate.
        project.write("crates/core/here.sql", "insert into t values (9);\n");
        project.run_in("crates/core", "run here.sql").success();
    }

    fn logged_sql_is_shown_before_it_runs(backend) {
        let project = three(backend);
        project.run("migrate --log-sql").success().stderr_contains("create table a (id integer)");
    }
}

#[test]
fn wait_gives_up_with_7() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    drop(listener);
    let project = Project::new()
        .repo("core", Sqlite)
        .migration("core", "1_users", USERS)
        .url("core", Some(&format!("postgres://app:secret-word@127.0.0.1:{port}/core")));
    let run = project.run("wait --timeout 300ms");
    run.code(7)
        .hides("secret-word")
        .stderr_contains("Waiting for the server for core")
        .stderr_contains("did not answer within");
    assert!(run.took < std::time::Duration::from_secs(5), "{run}");
    for command in ["create", "migrate", "status", "drop --yes"] {
        project.run(command).code(7).hides("secret-word").stderr_contains(&port.to_string());
    }
}

#[test]
fn status_reads_as_a_role_that_may_not_write() {
    let Some(server) = postgres::server() else { return };
    let project = Project::new().on(&server).repo("core", Postgres).migration("core", "1_users", USERS);
    project.run("setup").success();
    let reader = server.role("reader", "");
    project.database("core").execute(&format!(
        "grant select on all tables in schema public to {0}; alter role {0} set default_transaction_read_only = on",
        reader.name
    ));
    let url = server.url_as(&reader, "core_dev");
    project
        .command("status --check")
        .env("CORE_DATABASE_URL", &url)
        .run()
        .success()
        .hides(&reader.password)
        .stdout_contains("applied");
    project
        .write(project.priv_dir("core").join("migrations/2_more.sql"), "create table more (id integer);\n");
    project.command("status --check").env("CORE_DATABASE_URL", &url).run().code(3);
    project.command("migrate").env("CORE_DATABASE_URL", &url).run().code(1).hides(&reader.password);
}

#[test]
fn commands_about_one_version_refuse_several_repos() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo("billing", Sqlite)
        .reversible("core", "1_a", "create table a (id integer);\n", "drop table a;\n")
        .reversible("billing", "1_a", "create table a (id integer);\n", "drop table a;\n");
    project.run("setup").success();
    for line in [
        "rollback",
        "redo",
        "migrate --to 1",
        "migrate --step 1",
        "resolve 1 --applied",
        "gen migration x",
        "run x.sql",
    ] {
        project.run(line).code(2).stderr_contains("`core`, `billing`").stderr_contains("--all-repos");
    }
    project.run("rollback --all-repos").success();
    assert!(project.database("billing").column("select version from schema_migrations").is_empty());
    project.run("rollback -r core").success();
}

#[test]
fn config_tells_where_values_come_from_and_hides_passwords() {
    let project = Project::new()
        .repo("core", Sqlite)
        .url("core", Some("postgres://app:hunter2secret@localhost/core_{env}?sslkey=othersecret"))
        .repo_config("core", "lock-wait = \"10m\"");
    let run = project.command("config").env("DBSETUP_LOCK_TIMEOUT", "9s").run();
    run.success()
        .hides("hunter2secret")
        .hides("othersecret")
        .stdout_contains("repo core (environment dev, package core)")
        .stdout_contains("crates/core/Cargo.toml (package.metadata.dbsetup.repos.core.url)")
        .stdout_contains("crates/core/Cargo.toml (package.metadata.dbsetup.repos.core.lock-wait)")
        .stdout_contains("DBSETUP_LOCK_TIMEOUT");
    let env =
        project.command("config").env("CORE_DATABASE_URL", "postgres://app:thirdsecret@localhost/x").run();
    env.success().hides("thirdsecret").stdout_contains("CORE_DATABASE_URL").stdout_contains("localhost/x");
    let file = Project::new()
        .repo("core", Sqlite)
        .url("core", None)
        .env_file(".env", "DATABASE_URL=sqlite:from_file.db");
    file.run("config").success().stdout_contains("sqlite:from_file.db").stdout_contains(".env");
    file.run("config --no-dotenv").code(0).stdout_lacks("from_file");
    file.run("create --no-dotenv")
        .code(2)
        .stderr_contains("CORE_DATABASE_URL")
        .stderr_contains("DATABASE_URL");
}

#[test]
fn completions_know_commands_and_flags() {
    let project = Project::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        project
            .run(&format!("completions {shell}"))
            .success()
            .stdout_contains("rollback")
            .stdout_contains("allow-protected")
            .stderr_is("");
    }
    project.run("completions tcsh").code(2);
}

#[test]
fn words_of_other_tools_get_a_hint() {
    let project = Project::new().repo("core", Sqlite);
    for (line, hint) in [
        ("up", "cargo dbsetup migrate"),
        ("revert", "cargo dbsetup rollback"),
        ("info", "cargo dbsetup status"),
        ("migrate run", "cargo dbsetup migrate"),
        ("migrate info", "cargo dbsetup status"),
        ("new add_users", "cargo dbsetup gen migration NAME"),
        ("ecto.setup", "cargo dbsetup setup"),
        ("database create", "cargo dbsetup create"),
    ] {
        project.run(line).code(2).stderr_contains(hint);
    }
    project.run("migrat").code(2).stderr_contains("did you mean `migrate`?");
    project.run("stauts").code(2).stderr_contains("did you mean `status`?");
}

#[test]
fn exit_codes_are_a_page_of_help() {
    Project::new().run("help exit-codes").success().stdout_contains("130  interrupted").stderr_is("");
}

#[test]
fn dump_writes_where_it_is_told() {
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users", USERS);
    project.run("setup").success();
    let Database::Sqlite(_) = project.database("core") else { unreachable!("the repo is SQLite") };
    let out = project.run("dump -d -");
    out.success().stdout_contains("CREATE TABLE users");
    project.run("dump --dump-path other.sql").success();
    assert_eq!(project.read("other.sql"), out.stdout);
    project.run("dump --check").code(3).stderr_contains("there is no structure file");
    project.run("dump").success();
    project.run("dump --check").success();
    project.write("crates/core/priv/core/structure.sql", &out.stdout.replace("users (id", "users (ident"));
    project.run("dump --check").code(3).stderr_contains("is stale").stderr_contains("structure.sql:");
}
