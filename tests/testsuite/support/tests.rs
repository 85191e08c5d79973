//! The support tests itself: a test that builds on it must be able to trust it.

use std::process::Command;
use std::time::Duration;

use super::command::clean_environment;
use super::manifest::toml_string;
use super::process::Running;
use super::{Postgres, Project, Run, Sqlite, postgres, wait_until};

#[cfg(unix)]
fn shell(script: &str, input: Option<&str>, timeout: Duration) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", script]);
    Running::spawn(command, script.to_owned(), input, timeout)
}

fn cargo_metadata(project: &Project) -> Run {
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--no-deps", "--format-version", "1"]).current_dir(project.root());
    command.env_clear().envs(clean_environment(project));
    Running::spawn(command, "cargo metadata".to_owned(), None, Duration::from_secs(60)).wait()
}

#[test]
fn the_workspace_is_one_that_cargo_reads() {
    let project = Project::new()
        .repo("core", Sqlite)
        .repo_in("billing", "ledger", Sqlite)
        .repo_config("ledger", "ledger = \"sqlx\"")
        .member("tools")
        .alias("setup", &["create", "load --quiet", "$ echo \"quoted\""])
        .alias_value("test", r#"{ env = "test", steps = ["setup"] }"#)
        .config("disposable-environments = [\"dev\"]")
        .metadata("[workspace.metadata.other]\nkey = 1")
        .package_metadata("tools", "[package.metadata.dbsetup]\nkey = 2");
    let run = cargo_metadata(&project);
    run.success();

    let metadata: serde_json::Value = serde_json::from_str(&run.stdout).expect("cargo prints JSON");
    let dbsetup = &metadata["metadata"]["dbsetup"];
    assert_eq!(dbsetup["aliases"]["setup"][2], "$ echo \"quoted\"");
    assert_eq!(dbsetup["aliases"]["test"]["env"], "test");
    assert_eq!(dbsetup["disposable-environments"][0], "dev");
    assert_eq!(metadata["metadata"]["other"]["key"], 1);
    let packages = metadata["packages"].as_array().expect("packages are a list");
    let package = |name: &str| packages.iter().find(|package| package["name"] == name).expect("the member");
    assert_eq!(package("core")["metadata"]["dbsetup"]["repos"]["core"]["url"], "sqlite:core_{env}.db");
    assert_eq!(package("billing")["metadata"]["dbsetup"]["repos"]["ledger"]["ledger"], "sqlx");
    assert_eq!(package("tools")["metadata"]["dbsetup"]["key"], 2);
}

#[test]
fn a_single_package_is_one_that_cargo_reads() {
    let project = Project::single("shop").repo("core", Sqlite).alias("setup", &["create"]);
    let run = cargo_metadata(&project);
    run.success().stdout_contains("sqlite:core_{env}.db").stdout_contains("\"setup\":[\"create\"]");
    assert_eq!(project.files("."), ["Cargo.toml", "src"]);
}

#[test]
fn files_land_in_the_priv_directory_of_their_repo() {
    let project = Project::new()
        .repo_in("billing", "ledger", Sqlite)
        .reversible("ledger", "1_a", "create table a (id integer);", "drop table a;")
        .manual("ledger", "2_b", "select 1;")
        .dumped("ledger", "0_z", "select 1;")
        .structure("ledger", "-- structure")
        .seed("ledger", "select 1;")
        .priv_file("ledger", "seeds/dev/users.sql", "select 1;")
        .env_file(".env", "A=b");
    let ledger = "crates/billing/priv/ledger";
    assert_eq!(
        project.files(ledger),
        ["dumped_migrations", "manual_migrations", "migrations", "seeds", "seeds.sql", "structure.sql"]
    );
    assert_eq!(project.files(format!("{ledger}/migrations")), ["1_a.down.sql", "1_a.up.sql"]);
    assert_eq!(project.read(".env"), "A=b\n");
}

#[test]
fn the_program_sees_nothing_of_the_developers_environment() {
    let project = Project::new();
    let names: Vec<String> = clean_environment(&project).into_iter().map(|(name, _)| name).collect();
    let leaks = |name: &&String| {
        name.contains("DATABASE") || name.starts_with("PG") || name.contains("COLOR") || *name == "CI"
    };
    assert_eq!(names.iter().find(leaks), None);
    assert!(names.contains(&"HOME".to_owned()) && !project.home().join(".profile").exists());
}

#[test]
fn sqlite_values_come_as_text() {
    let project = Project::new().repo("core", Sqlite);
    let database = project.database("core");
    assert!(!database.exists());
    database.create();
    database.execute("create table t (a integer, b text, c blob, d real); insert into t values (1, 'x', x'00ff', 1.5), (null, '', null, 2);");
    assert_eq!(
        database.query("select * from t order by b desc"),
        [["1", "x", "00ff", "1.5"], ["NULL", "", "NULL", "2.0"]]
    );
    assert_eq!(database.tables(), ["t"]);
    assert_eq!(database.value("select count(*) from t"), "2");
}

#[test]
fn a_server_drops_what_a_test_left_behind() {
    let Some(server) = postgres::server() else { return };
    let watcher = postgres::server().expect("it was there a line above");
    let project = Project::new().on(&server).repo("core", Postgres);
    let database = project.database("core");
    assert!(!database.exists());
    database.create();
    database.execute("create table t (a int[], b timestamptz); insert into t values ('{1,2}', null)");
    assert_eq!(database.query("select * from t"), [["{1,2}", "NULL"]]);
    assert_eq!(database.tables(), ["t"]);

    let role = server.role("app", "createdb");
    let postgres_database = server.database("core_dev");
    let mut session = postgres::Session::open(&server.url_as(&role, "core_dev"));
    assert_eq!(session.query("select current_user"), [[role.name.clone()]]);
    assert!(session.try_query("select * from t").is_err());
    if let Some(url) = server.socket_url("core_dev") {
        assert_eq!(postgres::Session::open(&url).query("select inet_server_addr()"), [["NULL"]]);
    }
    assert!(server.session_count() >= 1);

    // The session is still open: it must not keep the database alive.
    let (name, role) = (postgres_database.name().to_owned(), role.name);
    drop((project, database, postgres_database, server));
    let left = format!(
        "select datname from pg_database where datname = '{name}' union all select rolname from pg_roles where rolname = '{role}'"
    );
    assert_eq!(watcher.query(&left), Vec::<Vec<String>>::new());
    assert!(session.try_query("select 1").is_err());
}

#[test]
#[cfg(unix)]
#[should_panic(expected = "exit code 0 expected")]
fn a_failing_assertion_panics() {
    shell("exit 3", None, Duration::from_secs(10)).wait().success();
}

#[test]
#[cfg(unix)]
fn a_result_is_told_whole() {
    let run = shell(
        "read line; echo \"got $line in 0.3s\"; echo told >&2; exit 4",
        Some("y\n"),
        Duration::from_secs(10),
    )
    .wait();
    run.code(4).stdout_is("got y in 0.3s\n").stderr_is("told\n").hides("secret");
    run.stdout_matches("got [..] in [TIME]\n").stderr_matches(snapbox::str![[r#"
told

"#]]);
    let told = run.to_string();
    assert!(told.contains("exit status: 4") && told.contains("read line") && told.contains("told"), "{told}");
}

#[test]
#[cfg(unix)]
fn a_program_can_be_interrupted_and_killed() {
    let mut running = shell(
        "trap 'echo bye; exit 130' INT; echo ready >&2; while :; do sleep 0.01; done",
        None,
        Duration::from_secs(10),
    );
    running.wait_for_stderr("ready");
    running.signal("INT");
    running.wait().code(130).stdout_is("bye\n");

    let mut running = shell("echo ready >&2; exec sleep 60", None, Duration::from_secs(10));
    running.wait_for_stderr("ready");
    running.kill();
    running.wait().killed_by(9);
}

#[test]
#[cfg(unix)]
#[should_panic(expected = "did not end within")]
fn a_program_that_hangs_is_ended() {
    shell("exec sleep 60", None, Duration::from_millis(50)).wait();
}

#[test]
#[cfg(unix)]
fn a_terminal_asks_and_is_answered() {
    let mut command = Command::new("sh");
    command.args(["-c", "test -t 0 && test -t 2 && printf '\\033[1mdrop? [y/N]\\033[0m ' && read a && echo \"answer $a\"; exit 4"]);
    let mut terminal = super::terminal::Terminal::start(&command, "sh".to_owned(), Duration::from_secs(10));
    terminal.expect("drop? [y/N]").send("n\n").expect("answer n");
    assert!(terminal.raw().contains("\u{1b}[1m"));
    terminal.wait().code(4).stdout_contains("drop? [y/N] n\nanswer n\n");
}

#[test]
#[cfg(unix)]
fn ctrl_c_on_a_terminal_is_a_signal() {
    let mut command = Command::new("sh");
    command.args(["-c", "trap 'exit 130' INT; echo ready; while :; do sleep 0.01; done"]);
    let mut terminal = super::terminal::Terminal::start(&command, "sh".to_owned(), Duration::from_secs(10));
    terminal.expect("ready").send("\u{3}");
    terminal.wait().code(130);
}

#[test]
fn the_real_program_runs() {
    let project = Project::new().repo("core", Sqlite);
    project.run("--help").success();
    project.run_in("crates/core", "--help").success();
    project.command("--help").env("A", "b").stdin("y\n").spawn().wait().success();
    #[cfg(unix)]
    project.terminal("--help").wait().success();
}

#[test]
fn the_workspace_is_one_that_cargo_builds() {
    let project = Project::new().repo("core", Sqlite).member("billing");
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--quiet", "--lib"]).current_dir(project.root());
    command.env_clear().envs(clean_environment(&project));
    Running::spawn(command, "cargo test".to_owned(), None, Duration::from_secs(120)).wait().success();
}

#[test]
fn a_session_keeps_its_transaction() {
    let project = Project::new().repo("core", Sqlite);
    let super::Database::Sqlite(database) = project.database("core") else {
        unreachable!("the repo is SQLite")
    };
    database.create();
    let mut writer = database.session();
    writer.execute("create table t (a integer); begin immediate; insert into t values (1)");
    let locked = database.session().try_query("pragma busy_timeout = 1; insert into t values (2)");
    assert!(locked.is_err_and(|error| error.to_string().contains("locked")));
    writer.execute("commit");
    assert_eq!(database.query("select a from t"), [["1"]]);
}

#[test]
#[should_panic(expected = "in vain until pigs fly")]
fn waiting_has_a_bound() {
    wait_until("pigs fly", Duration::from_millis(20), || false);
}

#[test]
fn toml_strings_are_quoted() {
    assert_eq!(toml_string("a\"b\\c\nd"), r#""a\"b\\c\nd""#);
}
