//! What people really have in their checkouts: twins, typos, foreign bytes, servers that are gone.

use crate::support::{Postgres, Project, Sqlite, postgres, skipped};

const USERS: &str = "create table users (id integer primary key, name varchar(40));\n";

/// Writes bytes that no string holds.
fn write_bytes(project: &Project, name: &str, bytes: &[u8]) {
    let path = project.path(project.priv_dir("core").join(name));
    std::fs::create_dir_all(path.parent().expect("it has a directory")).expect("it can be made");
    std::fs::write(path, bytes).expect("the project can be written");
}

on_each_database! {
    fn a_version_found_twice_names_both_files(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "007_seven", USERS)
            .manual("core", "7_again", "create table again (id integer);\n");
        project.run("create").success();
        for line in ["migrate", "migrate --lane all", "status", "setup"] {
            project.run(line).code(2).stderr_contains("migrations/007_seven.sql").stderr_contains("manual_migrations/7_again.sql");
        }
        assert_eq!(project.database("core").user_tables(), Vec::<String>::new());
    }

    fn names_that_do_not_parse_are_refused(backend) {
        for name in ["add_users.sql", "1-users.sql", "20260101_users.SQL.sql", "_1_x.sql"] {
            let project = Project::new()
                .repo("core", backend)
                .migration("core", "1_a", "create table a (id integer);\n")
                .priv_file("core", &format!("migrations/{name}"), USERS);
            let run = project.run("status");
            if name.starts_with("2026") {
                run.success();
            } else {
                run.code(2).stderr_contains(name);
            }
        }
    }

    fn invalid_utf8_is_refused_with_its_byte(backend) {
        let project = Project::new().repo("core", backend).migration("core", "1_users", USERS);
        write_bytes(&project, "migrations/2_latin1.sql", b"create table t (id integer);\n-- gr\xf6\xdfe\n");
        project.run("create").success();
        project.run("migrate").code(2).stderr_contains("2_latin1.sql").stderr_contains("offset 34 (line 2, column 6)").stderr_lacks("== Migrated 2");
        assert!(!project.database("core").tables().contains(&"t".to_owned()));
    }

    fn a_byte_order_mark_and_crlf_are_accepted(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_users", "\u{feff}create table users (\r\n  id integer primary key,\r\n  name varchar(40)\r\n);\r\n")
            .seed("core", "\u{feff}insert into users values (1, 'a');\r\n");
        project.run("setup").success();
        assert_eq!(project.database("core").column("select name from users"), ["a"]);
        project.run("status --check").success();
        // The same file with other line endings is the same migration.
        let path = project.priv_dir("core").join("migrations/1_users.sql");
        project.write(&path, "create table users (\n  id integer primary key,\n  name varchar(40)\n);\n");
        project.run("migrate").success();
        project.run("status --check").success();
    }

    fn an_empty_migration_is_refused(backend) {
        for text in ["", "\n\n", "-- nothing yet\n", "/* nothing */ ;\n"] {
            let project = Project::new().repo("core", backend).migration("core", "1_empty", text);
            project.run("create").success();
            project.run("migrate").code(2).stderr_contains("1_empty.sql");
            assert_eq!(project.run("status --check").stderr.matches("1 pending").count(), 1, "{text:?}");
        }
    }

    fn transaction_control_inside_a_migration_is_refused(backend) {
        for word in ["commit", "rollback", "begin"] {
            let project = Project::new()
                .repo("core", backend)
                .migration("core", "1_a", &format!("create table a (id integer);\n{word};\ncreate table b (id integer);\n"));
            project.run("create").success();
            project.run("migrate").code(2).stderr_contains("migrations/1_a.sql:2:1").stderr_contains(&word.to_uppercase());
            let tables = project.database("core").user_tables();
            assert!(!tables.contains(&"a".to_owned()) && !tables.contains(&"b".to_owned()), "{word}: {tables:?}");
        }
    }

    fn a_missing_migrations_directory_says_what_to_do(backend) {
        let project = Project::new().repo("core", backend);
        project.run("create").success();
        project
            .run("migrate")
            .code(1)
            .stderr_contains("there is no migrations directory `crates/core/priv/core/migrations` for `core`")
            .stderr_contains("mkdir -p crates/core/priv/core/migrations");
        std::fs::create_dir_all(project.path("crates/core/priv/core/migrations")).expect("it can be made");
        project.run("migrate").success().stderr_contains("already up (0 applied)");
    }

    fn a_ledger_of_unknown_shape_is_named_and_left_alone(backend) {
        let project = Project::new().repo("core", backend).migration("core", "1_users", USERS);
        project.run("create").success();
        // Ecto's.
        project.database("core").execute(
            "create table schema_migrations (version bigint primary key, inserted_at timestamp); \
             insert into schema_migrations values (20200101000000, '2020-01-01 00:00:00')",
        );
        for line in ["migrate", "status", "setup"] {
            project.run(line).code(1).stderr_contains("schema_migrations").stderr_contains("inserted_at");
        }
        assert_eq!(project.database("core").user_tables(), ["schema_migrations"]);
    }

    fn a_migration_that_drops_the_ledger_is_named(backend) {
        let project = Project::new()
            .repo("core", backend)
            .migration("core", "1_users", USERS)
            .migration("core", "2_clean", "drop table schema_migrations;\n");
        project.run("create").success();
        project.run("migrate").code(1).stderr_contains("migration 2 clean changes the ledger").stderr_contains("schema_migrations");
        // It was rolled back with its file.
        assert_eq!(project.database("core").column("select version from schema_migrations"), ["1"]);
    }
}

#[test]
fn a_commit_that_no_file_shows_is_found_out() {
    let Some(_) = postgres::server() else { return };
    let project = Project::new().repo("core", Postgres).migration(
        "core",
        "1_sly",
        "create table a (id integer);\ndo $$ begin execute 'commit'; end $$;\ncreate table b (id integer);\n",
    );
    project.run("create").success();
    project.run("migrate").code(1).stderr_contains("1_sly.sql:2:").stderr_lacks("== Migrated");
    assert_eq!(project.run("status --check").stderr.matches("1 pending").count(), 1);
    assert!(!project.database("core").tables().contains(&"a".to_owned()));
}

#[test]
fn two_grammars_in_one_directory_are_refused() {
    for (first, second) in [("1_a", "V2__b"), ("V1__a", "2_b.up")] {
        let project = Project::new()
            .repo("core", Sqlite)
            .migration("core", first, USERS)
            .migration("core", second, USERS);
        project.run("status").code(2).stderr_contains(first).stderr_contains(second);
    }
    let project = Project::new().repo("core", Sqlite).migration("core", "1_a", USERS).priv_file(
        "core",
        "migrations/2026-01-01-000000_b/up.sql",
        USERS,
    );
    project.run("status").code(2).stderr_contains("1_a.sql").stderr_contains("2026-01-01-000000_b");
}

#[test]
fn editor_leftovers_are_no_migrations() {
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users", USERS);
    for name in ["1_users.sql~", ".2_x.sql.swp", "1_users.sql.orig", ".gitkeep", "README.md", ".DS_Store"] {
        project.write(project.priv_dir("core").join("migrations").join(name), "nonsense");
    }
    project.run("setup").success();
    assert_eq!(project.database("core").column("select version from schema_migrations"), ["1"]);
}

#[test]
fn a_directive_that_is_nearly_one_is_warned_about() {
    let project = Project::new().repo("core", Sqlite).migration(
        "core",
        "1_users",
        &format!("-- no-transction\n{USERS}"),
    );
    project.run("create").success();
    project.run("migrate").stderr_contains("no-transction").stderr_contains("no-transaction");
}

// --- Configuration ---

#[test]
fn an_unknown_key_is_pointed_at_with_a_suggestion() {
    let project = Project::new().repo("core", Sqlite).repo_config("core", "migratons = \"x\"");
    project
        .run("status")
        .code(2)
        .stderr_contains("crates/core/Cargo.toml:")
        .stderr_contains("migratons")
        .stderr_contains("`migrations`")
        .stderr_contains("^^^");
    let project = Project::new().repo("core", Sqlite).config("disposable-enviroments = [\"dev\"]");
    project.run("status").code(2).stderr_contains("Cargo.toml:").stderr_contains("disposable-environments");
    let project = Project::new().repo("core", Sqlite).repo_config("core", "ulr = \"x\"");
    project.run("status").code(2).stderr_contains("did you mean `url`?");
    let project = Project::new().repo("core", Sqlite).repo_config("core", "lock-wait = true");
    project.run("status").code(2).stderr_contains("lock-wait").stderr_contains("crates/core/Cargo.toml:");
    let project = Project::new().repo("core", Sqlite).repo_config("core", "version-order = \"any-order\"");
    project.run("status").code(2).stderr_contains("strict");
}

#[test]
fn an_unset_variable_is_an_error_and_no_empty_text() {
    let project = Project::new().repo("core", Sqlite).url("core", Some("sqlite:${NOT_SET_ANYWHERE}.db"));
    project.run("create").code(2).stderr_contains("NOT_SET_ANYWHERE");
    assert!(project.files("crates/core").iter().all(|name| name != ".db"));
    project.command("create").env("NOT_SET_ANYWHERE", "there").run().success();
    assert!(project.path("crates/core/there.db").exists());
    let default =
        Project::new().repo("core", Sqlite).url("core", Some("sqlite:${NOT_SET_ANYWHERE:-fallback}.db"));
    default.run("create").success();
    assert!(default.path("crates/core/fallback.db").exists());
}

#[test]
fn no_url_names_the_variables_and_the_line_to_add() {
    let project = Project::new().repo("core", Sqlite).url("core", None).migration("core", "1_users", USERS);
    project
        .run("migrate")
        .code(2)
        .stderr_contains("CORE_DATABASE_URL")
        .stderr_contains("DATABASE_URL")
        .stderr_contains("sqlite:")
        .stderr_contains("postgres://");
}

#[test]
fn an_unknown_repo_gets_a_suggestion() {
    let project = Project::new().repo("core", Sqlite).repo("billing", Sqlite);
    project.run("status -r cor").code(2).stderr_contains("cor").stderr_contains("did you mean `core`?");
    project.run("status -r zzz").code(2).stderr_contains("`core`").stderr_contains("`billing`");
    project.run("status -p corr").code(2).stderr_contains("corr");
    project.run("status --env 'a b'").code(2).stderr_contains("a b");
}

#[test]
fn a_folder_without_a_manifest_is_cargos_error() {
    let project = Project::new().repo("core", Sqlite);
    let outside = project.home().join("nowhere");
    std::fs::create_dir_all(&outside).expect("it can be made");
    let run = project.run_in(outside.to_str().expect("it is UTF-8"), "status");
    run.code(101).stderr_contains("Cargo.toml");
    project.run("status --manifest-path missing/Cargo.toml").code(101).stderr_contains("missing/Cargo.toml");
    project.write("Cargo.toml", "[workspace\n");
    project.run("status").code(101);
    // What needs no workspace works anyway.
    project.run("completions bash").success();
    project.run("--version").success();
}

#[test]
fn a_workspace_without_repos_says_how_to_have_one() {
    let project = Project::new().member("core");
    project.run("setup").code(2).stderr_contains("[package.metadata.dbsetup.repos.");
}

#[test]
fn several_candidates_are_listed_with_lines_to_paste() {
    let project = Project::new()
        .member("a")
        .member("b")
        .file("crates/a/migrations/1_x.sql", USERS)
        .file("crates/b/migrations/1_x.sql", USERS);
    project
        .run("setup")
        .code(2)
        .stderr_contains("crates/a/migrations")
        .stderr_contains("crates/b/migrations")
        .stderr_contains("[package.metadata.dbsetup.repos.");
}

// --- Places that do not take what is written ---

/// Runs as a user that may be refused something; root may write everywhere.
#[cfg(unix)]
fn is_refused(project: &Project) -> bool {
    let probe = project.path("probe");
    std::fs::create_dir(&probe).expect("it can be made");
    set_mode(&probe, 0o555);
    let refused = std::fs::write(probe.join("x"), "").is_err();
    set_mode(&probe, 0o755);
    if !refused {
        skipped("this user may write to read-only directories");
    }
    refused
}

#[cfg(unix)]
fn set_mode(path: &std::path::Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("it is ours");
}

#[cfg(unix)]
#[test]
fn a_read_only_directory_is_named() {
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users", USERS);
    if !is_refused(&project) {
        return;
    }
    project.run("setup").success();
    set_mode(&project.path("crates/core/priv/core"), 0o555);
    project.run("dump").code(1).stderr_contains("structure.sql");
    set_mode(&project.path("crates/core/priv/core"), 0o755);
    set_mode(&project.path("crates/core"), 0o555);
    project.run("create --env test").code(1).stderr_contains("core_test.db");
    set_mode(&project.path("crates/core"), 0o755);
}

/// A directory of so little room that a dump does not fit. Unmounted with the guard.
#[cfg(target_os = "linux")]
struct Tiny(std::path::PathBuf);

#[cfg(target_os = "linux")]
impl Tiny {
    fn mount(path: std::path::PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&path).expect("it can be made");
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=16k", "tmpfs"]).arg(&path);
        let done = mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        if !done {
            skipped("no file system can be mounted");
        }
        done.then_some(Self(path))
    }
}

#[cfg(target_os = "linux")]
impl Drop for Tiny {
    fn drop(&mut self) {
        // Nothing else can be done about it.
        _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_keeps_the_previous_structure() {
    let project =
        Project::new().repo("core", Sqlite).repo_config("core", "dump-path = \"tiny/structure.sql\"");
    let Some(_tiny) = Tiny::mount(project.path("crates/core/tiny")) else { return };
    let project = project.migration("core", "1_users", USERS);
    project.run("setup").success();
    project.run("dump").success();
    let before = project.read("crates/core/tiny/structure.sql");
    let wide: String =
        (0..600).map(|n| format!("create table table_number_{n} (id integer, name text);\n")).collect();
    let project = project.migration("core", "2_wide", &wide);
    project.run("migrate").success();
    project.run("dump").code(1).stderr_contains("structure.sql").stderr_contains("No space left on device");
    assert_eq!(project.read("crates/core/tiny/structure.sql"), before);
    // And nothing half written lies beside it.
    assert_eq!(project.files("crates/core/tiny"), ["structure.sql"]);
}

#[test]
fn a_device_that_is_full_is_an_error() {
    if !std::path::Path::new("/dev/full").exists() {
        return skipped("there is no /dev/full");
    }
    let project = Project::new()
        .repo("core", Sqlite)
        .migration("core", "1_users", USERS)
        .alias("x", &["$ sh -c 'exit 0'"]);
    project.run("setup").success();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cargo-dbsetup"));
    command.args(["dbsetup", "dump", "-d", "-"]).current_dir(project.root());
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let output = command.stdout(full).output().expect("it starts");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"), "{output:?}");
}

#[test]
fn a_server_that_speaks_something_else_is_no_server() {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().take(4).flatten() {
            _ = (&stream).write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let project = Project::new()
        .repo("core", Sqlite)
        .url("core", Some(&format!("postgres://app:pw-of-app@127.0.0.1:{port}/core")));
    project.run("create").code(7).hides("pw-of-app");
}

#[test]
fn text_that_is_no_url_becomes_no_file_and_is_not_repeated() {
    for url in [
        "\"postgres://app:s3cret@h/x\"",
        "postgres//app:s3cret@h/x",
        "host=127.0.0.1 user=app password=s3cret",
        "localhost/s3cret",
        "s3cret",
    ] {
        let project = Project::new().repo("core", Sqlite).migration("core", "1_users", USERS);
        let before = project.files("crates/core");
        for line in ["create", "setup", "status", "drop --yes"] {
            let run = project.command(line).env("CORE_DATABASE_URL", url).run();
            run.code(2).stderr_contains("comes from variable CORE_DATABASE_URL").hides("s3cret");
        }
        assert_eq!(project.files("crates/core"), before, "{url}");
    }
    let project = Project::new().repo("core", Sqlite).migration("core", "1_users", USERS);
    project.command("create").env("CORE_DATABASE_URL", " sqlite:blank.db\n").run().success();
    assert!(project.path("crates/core/blank.db").is_file());
    let nowhere = project.path("nowhere/x.db");
    let run = project.command("create").env("CORE_DATABASE_URL", &nowhere.display().to_string()).run();
    run.code(2).stderr_contains("mkdir -p");
    assert!(!project.path("nowhere").exists());
}

#[test]
fn a_variable_that_a_dot_env_needs_is_named() {
    let project = Project::new().repo("core", Sqlite).url("core", None);
    let project = project.file(".env", "CORE_DATABASE_URL=postgres://app:s3cret@${NOT_SET}/x\n");
    project.run("create").code(2).stderr_contains("`NOT_SET`").stderr_contains("`.env`").hides("s3cret");
}

#[test]
fn a_migration_of_another_grammar_or_in_capitals_is_no_reason_to_see_none() {
    let project =
        Project::single("app").file("migrations/1_a.sql", USERS).file("migrations/V47__x.sql", USERS);
    let status = |project: &Project| project.command("status").env("DATABASE_URL", "sqlite:x.db").run();
    status(&project).code(2).stderr_contains("1_a.sql").stderr_contains("V47__x.sql");
    let project = Project::single("app").file("migrations/1_a.sql", USERS).file("migrations/42_b.SQL", USERS);
    status(&project).code(2).stderr_contains("42_b.SQL");
    // Git keeps no empty directory.
    let project =
        Project::single("app").file("diesel.toml", "[migrations_directory]\ndir = \"migrations\"\n");
    status(&project).stderr_lacks("no repo found");
}
