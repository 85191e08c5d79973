//! Aliases: named lists of steps, checked as a whole before the first one runs.

use crate::support::{Project, Sqlite};

const USERS: &str = "create table users (id integer primary key, name varchar(40));\n";

/// Two crates with a database each.
fn two() -> Project {
    Project::new().repo("core", Sqlite).repo("billing", Sqlite).migration("core", "1_users", USERS).migration(
        "billing",
        "1_invoices",
        "create table invoices (id integer);\n",
    )
}

fn one() -> Project {
    Project::new().repo("core", Sqlite).migration("core", "1_users", USERS)
}

on_each_database! {
    fn reset_begins_anew(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_users", USERS)
            .seed("core", "insert into users values (1, 'seeded');\n");
        project.run("setup").success();
        project.database("core").execute("insert into users values (2, 'by hand')");
        project.run("reset").code(4).stderr_contains("--yes");
        assert_eq!(project.database("core").value("select count(*) from users"), "2");
        project.run("reset --yes").success().stderr_contains("has been dropped").stderr_contains("has been created");
        assert_eq!(project.database("core").column("select name from users"), ["seeded"]);
    }

    fn reset_of_an_environment_never_touches_another_one(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_users", USERS);
        project.run("setup").success();
        project.database("core").execute("insert into users values (7, 'dev')");
        project.run("reset --env test --yes").success();
        assert_eq!(project.database("core").column("select name from users"), ["dev"]);
        assert_eq!(project.database_in("core", "test").value("select count(*) from users"), "0");
    }
}

#[test]
fn built_in_aliases_are_listed_with_their_steps() {
    one().run("aliases").success().stdout_matches(snapbox::str![[r#"
migrate_all  # built in
    migrate --lane all
migrate_manual  # built in
    migrate --lane manual
reset  # built in
    drop
    setup
setup  # built in
    create
    load --skip-if-loaded --quiet
    migrate_all
    seed --if-new

"#]]);
}

#[test]
fn a_built_in_alias_may_be_redefined() {
    let project = one().alias("setup", &["create"]);
    project.run("setup").success().stderr_lacks("== Migrated");
    assert_eq!(project.database("core").user_tables(), Vec::<String>::new());
    project
        .run("aliases")
        .success()
        .stdout_contains("setup  # Cargo.toml (workspace.metadata.dbsetup.aliases.setup)\n    create\n");
    // `reset` goes through the new one.
    project.run("reset --yes").success().stderr_lacks("== Migrated");
}

#[test]
fn the_name_of_a_command_may_be_an_alias_and_means_the_command_inside() {
    let project = one().alias("migrate", &["migrate", "dump"]);
    project.run("create").success();
    project
        .run("migrate")
        .success()
        .stderr_contains("== Migrated 1 users")
        .stderr_contains("has been dumped");
    assert!(project.files("crates/core/priv/core").contains(&"structure.sql".to_owned()));
    // Nested ones expand to it too.
    project.remove("crates/core/priv/core/structure.sql");
    project.run("migrate_all").success().stderr_contains("has been dumped");
}

#[test]
fn aliases_nest_and_an_environment_holds_for_every_step() {
    let project = one()
        .alias_value("ci", "{ env = \"test\", steps = [\"outer\", \"status --check\"] }")
        .alias("outer", &["create", "inner"])
        .alias("inner", &["migrate"]);
    project.run("ci").success();
    assert!(project.database_in("core", "test").tables().contains(&"users".to_owned()));
    assert!(!project.database("core").exists());
    project.run("ci --env dev").code(2).stderr_contains("env");
    assert!(!project.database("core").exists());
}

#[test]
fn a_cycle_is_printed_and_nothing_runs() {
    let project = one().alias("a", &["create", "b"]).alias("b", &["c"]).alias("c", &["b"]);
    project.run("a").code(2).stderr_contains("b -> c -> b").stderr_contains("Cargo.toml");
    assert!(!project.database("core").exists());
}

#[test]
fn an_unknown_flag_in_a_line_is_found_before_the_first_step() {
    let project = one().alias("x", &["create", "migrate --lain all"]);
    project
        .run("x")
        .code(2)
        .stderr_contains("--lain")
        .stderr_contains("the step `migrate --lain all` of the alias `x`");
    assert!(!project.database("core").exists());
    let project = one().alias("x", &["create", "migrat"]);
    project.run("x").code(2).stderr_contains("migrat");
    assert!(!project.database("core").exists());
}

#[test]
fn trailing_arguments_go_to_the_last_step() {
    let project = one()
        .migration("core", "2_names", "create table names (id integer);\n")
        .alias("up_to", &["create", "migrate"]);
    project.run("up_to --to 1").success();
    assert!(!project.database("core").tables().contains(&"names".to_owned()));
    project.run("up_to --if-new").code(2).stderr_contains("--if-new");
}

#[test]
fn global_options_hold_for_every_step_of_nested_aliases() {
    let project = two();
    project.run("setup").success();
    project.database("core").execute("insert into users values (1, 'kept')");
    project.database("billing").execute("insert into invoices values (1)");
    project.run("reset --repo billing --yes").success();
    assert_eq!(project.database("core").value("select count(*) from users"), "1");
    assert_eq!(project.database("billing").value("select count(*) from invoices"), "0");
    project.run("reset --yes -p core").success();
    assert_eq!(project.database("core").value("select count(*) from users"), "0");
}

#[test]
fn one_question_lists_every_victim() {
    let project = two();
    project.run("setup").success();
    project.run("reset").code(4).stderr_contains("core_dev.db").stderr_contains("billing_dev.db");
    assert!(project.database("core").exists() && project.database("billing").exists());
}

#[test]
fn a_dry_run_shows_every_step_and_does_nothing() {
    let project = one().seed("core", "insert into users values (1, 'a');\n");
    project.run("setup --dry-run").success().stdout_matches(snapbox::str![[r#"
create (core)
    would create the database sqlite:core_dev.db
load --skip-if-loaded (core)
    nothing to do
migrate --lane all (core)
    would run 1 users (automatic)
seed --if-new (core)
    would run crates/core/priv/core/seeds.sql

"#]]);
    assert!(!project.database("core").exists());
    project.run("setup").success();
    // Nothing is destroyed, so nobody is asked.
    // What is there by then is planned for, in the same words.
    let rehearsed = project.run("reset --dry-run");
    rehearsed.success().stdout_contains("would drop the database sqlite:core_dev.db");
    rehearsed.stdout_contains("create (core)\n    would create the database sqlite:core_dev.db");
    rehearsed.stdout_contains("would run 1 users (automatic)");
    rehearsed.stdout_contains("would run crates/core/priv/core/seeds.sql");
    assert_eq!(project.database("core").value("select count(*) from users"), "1");
}

#[test]
fn a_dry_run_of_two_lanes_loads_the_structure_once_and_leaves_the_rest_to_the_run() {
    let project = one().manual("core", "3_slow", "create table slow (id integer);\n");
    project.run("setup").success();
    project.run("dump").success();
    let both = ["drop", "create", "migrate", "migrate_manual"];
    let project = project.alias("both", &both).alias("missing", &both[1..]).alias("again", &both[2..]);
    let planned = |project: &Project, line: &str| {
        let run = project.run(line);
        run.success();
        let at = run.stdout.find("migrate (core)").expect("the step is shown");
        (run.stdout[at..].to_owned(), run.stdout[at..].matches("load the structure").count())
    };
    // All of it is in the structure.
    let (shown, loads) = planned(&project, "both --dry-run");
    assert_eq!(loads, 1, "{shown}");
    assert!(shown.contains("migrate --lane manual (core)\n    nothing to do\n"), "{shown}");
    // The manual one waits for the automatic one, which is run by then.
    let project = project.migration("core", "4_more", "create table more (id integer);\n");
    let project = project.manual("core", "5_slow", "create index on_more on more (id);\n");
    let (shown, loads) = planned(&project, "both --dry-run");
    assert_eq!(loads, 1, "{shown}");
    assert!(shown.contains("would run 4 more (automatic)"), "{shown}");
    assert!(
        shown.contains(
            "migrate --lane manual (core)\n    would run `migrate --lane manual` on the new database\n"
        ),
        "{shown}"
    );
    let by_then = "migrate --lane manual (core)\n    would run `migrate --lane manual` on the database as it is by then\n";
    let (shown, _) = planned(&project, "again --dry-run");
    assert!(shown.contains(by_then), "{shown}");
    project.run("drop --yes").success();
    let (shown, loads) = planned(&project, "missing --dry-run");
    assert_eq!(loads, 1, "{shown}");
    assert!(shown.contains(by_then), "{shown}");
}

#[test]
fn no_alias_consents_for_the_person_who_runs_it() {
    let project = one().alias("wipe", &["drop --yes"]);
    project.run("create").success();
    project.run("wipe").code(2).stderr_contains("`--yes` cannot stand in a line of an alias");
    assert!(project.database("core").exists());
}

#[test]
fn an_alias_has_a_help_page() {
    one().run("setup --help").success().stdout_contains("load --skip-if-loaded --quiet");
    one().run("help setup").success().stdout_contains("migrate_all");
}

#[cfg(unix)]
mod programs {
    use super::*;

    #[test]
    fn a_program_gets_the_environment_and_the_url_of_every_repo() {
        let project = two().alias(
            "show",
            &["$ sh -c 'echo \"$DBSETUP_ENV|$CORE_DATABASE_URL|$BILLING_DATABASE_URL|$DATABASE_URL\"; pwd'"],
        );
        let run = project.run("show --env test");
        run.success();
        let root = project.root();
        let lines: Vec<&str> = run.stdout.lines().collect();
        let expected = format!(
            "test|sqlite:{0}/crates/core/core_test.db|sqlite:{0}/crates/billing/billing_test.db|",
            root.display()
        );
        assert_eq!(lines, [expected.as_str(), root.to_str().expect("it is UTF-8")], "{run}");
        let alone = one().alias("show", &["$ sh -c 'echo \"$DATABASE_URL\"'"]);
        alone
            .run("show")
            .success()
            .stdout_is(&format!("sqlite:{}/crates/core/core_dev.db\n", alone.root().display()));
    }

    #[test]
    fn a_program_gets_no_shell_and_takes_trailing_arguments() {
        let project = one().alias("say", &["$ printf %s|"]);
        project.run("say -- '$HOME' 'a b' '*'").success().stdout_is("--|$HOME|a b|*|");
    }

    #[test]
    fn a_program_that_fails_ends_the_run_with_1_and_its_code_is_printed() {
        let project = one().alias("x", &["create", "$ sh -c 'exit 42'", "migrate"]);
        project.run("x").code(1).stderr_contains("failed with exit code 42").stderr_lacks("== Migrated");
        assert!(project.database("core").exists());
        let missing = one().alias("x", &["$ no-such-program-anywhere"]);
        missing.run("x").code(1).stderr_contains("cannot start `no-such-program-anywhere`");
    }

    #[test]
    fn a_dry_run_starts_no_program() {
        let project = one().alias("x", &["$ touch made"]);
        project.run("x --dry-run").success().stdout_contains("would run `touch made`");
        assert!(!project.path("made").exists());
        project.run("x").success();
        assert!(project.path("made").exists());
    }

    #[test]
    fn a_program_meets_no_connection_of_ours() {
        let project = one().alias(
            "x",
            &[
                "create",
                "migrate",
                "$ sh -c 'cp crates/core/core_dev.db copy.db && test ! -e crates/core/core_dev.db-wal'",
            ],
        );
        project.run("x").success();
        let copy = crate::support::sqlite::Database::at(project.path("copy.db"));
        assert_eq!(copy.query("select count(*) from users"), [["0"]]);
    }
}

#[test]
fn a_program_that_fails_is_no_failure_of_a_repo() {
    let project =
        Project::new().repo("core", Sqlite).repo("data", Sqlite).alias("broken", &["create", "$ false"]);
    let run = project.run("broken");
    run.code(1).stderr_contains("`false`").stderr_contains("repo  create\n").stderr_lacks("repos failed");
}

#[test]
fn a_quiet_load_is_told_where_nothing_is_left_to_migrate() {
    let project =
        Project::new().repo("core", Sqlite).migration("core", "1_a", "create table a (id integer);\n");
    project.run("setup").success();
    project.run("dump").success();
    project.run("drop --yes").success();
    let run = project.run("setup -v");
    run.success().stderr_contains("already up (1 applied, loaded from the structure)");
    for step in 1..=4 {
        run.stderr_contains(&format!("-- step {step} of 4: "));
    }
}

#[test]
fn the_table_stays_when_a_quiet_step_fails() {
    let project = Project::new().repo("core", Sqlite).priv_file("core", "structure.sql", "create tabl a;\n");
    project.run("setup").code(1).stderr_contains("repo  create  load    migrate  seed");
}
