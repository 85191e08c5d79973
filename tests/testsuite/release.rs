//! What `gen release` writes: it compiles, and does in an image without cargo, client programs and files what `setup`
//! does in development.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::support::app::App;
use crate::support::{Backend, Database, Postgres, Project, Run, Running, Sqlite, postgres, wait_until};

const USERS: &str = "create table users (id integer primary key, name text);";

/// What a person adds to the manifest; the rest is what `gen release` finds there.
fn manifest() -> String {
    format!(
        "[dependencies]\n{}{}\n[build-dependencies]\n{}\n[package.metadata.dbsetup.repos.file]\nurl = \
         \"sqlite:file_{{env}}.db\"\nseed-command = \"seeder\"\n\n[package.metadata.dbsetup.repos.server]\nurl = \
         \"postgres://localhost/server_{{env}}\"\n",
        App::ours("dbsetup", &["postgres", "sqlite"]),
        App::ours("dbsetup-cli", &["postgres", "sqlite", "tls-rustls"]),
        App::ours("dbsetup-build", &[]),
    )
}

/// The structure of a database in which the first migration has run.
fn structure(backend: Backend) -> String {
    let project = Project::new().repo("core", backend).migration("core", "1_users", USERS);
    project.run("setup").success();
    project.run("dump").success();
    project.read(project.priv_dir("core").join("structure.sql"))
}

/// The name of the repo for a kind of database.
fn repo(backend: Backend) -> &'static str {
    if backend == Sqlite { "file" } else { "server" }
}

/// The program, generated and built once.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let mut app = App::new("release-shop", &manifest()).file("src/main.rs", "fn main() {}\n");
        for backend in Backend::available() {
            let at = |path: &str| format!("priv/{}/{path}", repo(backend));
            app = app.file(&at("structure.sql"), &structure(backend));
        }
        for name in ["file", "server"] {
            let at = |path: &str| format!("priv/{name}/{path}");
            app = app
                .file(&at("migrations/1_users.sql"), USERS)
                .file(&at("migrations/2_orders.up.sql"), "create table orders (id integer);")
                .file(&at("migrations/2_orders.down.sql"), "drop table orders;")
                .file(&at("manual_migrations/3_more.up.sql"), "create table more (id integer);")
                .file(&at("manual_migrations/3_more.down.sql"), "drop table more;")
                .file(&at("seeds.sql"), "insert into users values (1, 'a');")
                .file(&at("seeds/dev/only.sql"), "insert into users values (2, 'b');");
        }
        let project = Project::single("plugin");
        let line = format!("gen release --manifest-path {}/Cargo.toml", app.dir().display());
        let run = project.run(&line);
        run.success().stderr_contains("* creating src/bin/release.rs").stderr_contains("* creating build.rs");
        run.stderr_contains("default-run = \"release-shop\"").stderr_lacks("[build-dependencies]");
        project.run(&line).code(2).stderr_contains("`src/bin/release.rs` is there already");
        app.build().success();
        app.program().with_file_name(format!("release{}", std::env::consts::EXE_SUFFIX))
    })
}

/// A database for the program.
struct Place {
    repo: &'static str,
    url: String,
    database: Database,
    /// What is dropped with the test.
    _project: Project,
}

impl Place {
    fn new(backend: Backend) -> Self {
        // A project knows where its databases are, and drops them.
        let project = Project::new().repo("core", backend);
        let database = project.database_in("core", "prod");
        let url = match &database {
            Database::Sqlite(file) => format!("sqlite:{}", file.path().display()),
            Database::Postgres(database) => database.url(),
        };
        Self { repo: repo(backend), url, database, _project: project }
    }

    /// Runs a command line of the program, somewhere without files.
    #[track_caller]
    fn run(&self, line: &str) -> Run {
        self.start(line).wait()
    }

    #[track_caller]
    fn start(&self, line: &str) -> Running {
        let mut command = Command::new(program());
        command.args(shell_words::split(line).expect("it is well formed")).args(["--repo", self.repo]);
        command.current_dir(std::env::temp_dir()).env_clear();
        command.env(format!("{}_DATABASE_URL", self.repo.to_uppercase()), &self.url);
        // A test may hold a lock itself.
        command.env("DBSETUP_LOCK_TIMEOUT", "50s");
        Running::spawn(command, format!("release {line}"), None, Duration::from_secs(60))
    }
}

on_each_database! {
    fn a_release_sets_up_migrates_and_rolls_back(backend) {
        let place = Place::new(backend);
        let missing = place.run("setup");
        missing.code(1).stderr_contains("does not exist").stderr_contains("setup --create");
        missing.stderr_lacks("cargo dbsetup");
        assert!(!place.database.exists(), "a wrong URL made a database");

        place.run("setup --create --dry-run").success();
        assert!(!place.database.exists());
        let run = place.run("setup --create");
        run.success().stderr_contains("2 orders").stderr_contains("3 more");
        if backend == Sqlite {
            run.stderr_contains("the `seed-command` of `file` is not run");
        } else {
            run.stderr_lacks("seed-command");
        }
        assert_eq!(place.database.column("select name from users"), ["a"], "the seeds of dev stay there");
        place.run("status --check").success().stdout_contains("applied");
        let again = place.run("setup");
        again.success().stderr_lacks("seed-command");
        // The structure is not loaded into a database that is in use, and a person is told why.
        again.stderr_contains("was not loaded: ");
        place.run("setup --quiet").success().stderr_lacks("was not loaded");
        assert_eq!(place.database.column("select name from users"), ["a"]);

        place.run("rollback").success().stderr_contains("3 more");
        assert!(!place.database.user_tables().contains(&"more".to_owned()));
        let pending = place.run("status --check");
        pending.code(3).stderr_contains("1 pending");
        let run = place.run("setup");
        run.success().stderr_contains("1 manual migration").stderr_contains("migrate_manual --repo");
        place.run("migrate").success();
        assert!(!place.database.user_tables().contains(&"more".to_owned()), "nobody asked for it");
        place.run("migrate_manual").success().stderr_contains("3 more");
        place.run("status --check").success();
        place.run("resolve 2 --not-applied --dry-run").success();
        place.run("load --skip-if-loaded").success();
        place.run("seed --if-new").success();
        place.run("wait --timeout 5s").success();
        place.run("rollback --all --yes").code(4).stderr_contains("--allow-protected");
        place.run("rollback --to 2").code(4).stderr_contains("pass `--yes`").stderr_contains(": 3, 2");
        place.run("rollback --to 2 --yes").success();
    }

    fn a_release_that_is_older_than_its_database_says_so_and_goes_on(backend) {
        let place = Place::new(backend);
        place.run("setup --create").success().stderr_lacks("ahead");
        let row = "insert into schema_migrations (version, seq, name, source) select '9', 9, 'newer', source from \
                   schema_migrations where version = '2'";
        place.database.execute(row);
        for line in ["migrate", "setup", "migrate_manual", "migrate --dry-run"] {
            let run = place.run(line);
            run.success().stderr_contains("is ahead of this binary: it has `9`, newer than all that is known here");
            assert_eq!(run.stderr.matches("is ahead").count(), 1, "{run}");
        }
    }

    fn what_fails_in_a_setup_of_a_release_is_gone_on_with_by_setup_and_a_new_build(backend) {
        let place = Place::new(backend);
        place.run("setup --create --lane automatic").success();
        place.run("rollback").success();
        place.database.execute("create table orders (other integer)");
        for (line, again) in [("setup", " setup --repo"), ("migrate", " migrate --repo")] {
            let run = place.run(line);
            run.code(1).stderr_contains("fix the migration, build and deploy it, and run `").stderr_lacks("fix the file");
            run.stderr_contains(again);
        }
    }

    fn a_doctor_says_what_is_wrong_and_what_to_do(backend) {
        let place = Place::new(backend);
        let run = place.run("doctor");
        run.code(3).stdout_contains("bad   database").stdout_contains("setup --create");
        assert!(!place.database.exists());
        place.run("setup --create").success();
        let run = place.run("doctor");
        run.success().stdout_contains("ok    files: inside this binary").stdout_contains("recorded as prod");
        place.run("doctor --env staging").code(3).stdout_contains("belongs to prod");
        let json = place.run("doctor --format json");
        json.success().stdout_contains("\"event\":\"examined\"");
    }
}

on_each_database! {
    fn a_release_says_in_its_own_words_how_an_existing_database_is_recorded(backend) {
        let place = Place::new(backend);
        place.database.create();
        place.database.execute(USERS);
        let run = place.run("migrate");
        run.code(1).stderr_contains("no migration is recorded in it");
        run.stderr_contains("release resolve --applied --to VERSION --repo").stderr_lacks("cargo dbsetup");
        run.stderr_contains("fix the migration, build and deploy it, and run");
        place.run("resolve --applied --to 1").success();
        place.run("migrate").success().stderr_contains("2 orders");
    }
}

#[test]
fn a_url_of_another_engine_or_of_another_repo_is_refused_by_name() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let run = |line: &str, variable: &str, file: &str| {
        let mut command = Command::new(program());
        command.args(line.split(' ')).env_clear().current_dir(directory.path());
        command.env(variable, format!("sqlite:{file}"));
        Running::spawn(command, format!("release {line}"), None, Duration::from_secs(60)).wait()
    };
    for line in ["setup --create", "migrate", "doctor"] {
        run(&format!("{line} --repo server"), "SERVER_DATABASE_URL", "oops.db")
            .code(4)
            .stderr_contains("`server` is for PostgreSQL")
            .stderr_contains("the variable `SERVER_DATABASE_URL` is one of SQLite");
    }
    assert!(!directory.path().join("oops.db").exists());
    run("setup --create --repo file", "FILE_DATABASE_URL", "file.db").success();
    run("doctor --repo file", "FILE_DATABASE_URL", "file.db").success().stdout_contains("recorded as file");
}

#[test]
fn without_a_url_the_variables_are_named_and_two_repos_do_not_share_one() {
    let run = |line: &str, url: Option<&str>| {
        let mut command = Command::new(program());
        command.args(line.split(' ')).env_clear().envs(url.map(|url| ("DATABASE_URL", url)));
        Running::spawn(command, format!("release {line}"), None, Duration::from_secs(60)).wait()
    };
    let missing = run("migrate --repo file", Some("sqlite:x.db"));
    missing.code(2).stderr_contains("looked for `FILE_DATABASE_URL_PROD`, `FILE_DATABASE_URL`");
    run("rollback", None).code(2);
    run("--version", None).success().stdout_contains("0.1.0");
    run("help", None).success().stdout_contains("migrate_manual").stdout_contains("help exit-codes");
    run("drop --yes", None).code(2);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_a_first_setup_without_a_trace_and_the_next_one_finishes_it() {
    if postgres::server().is_none() {
        return;
    }
    let place = Place::new(Postgres);
    let Database::Postgres(database) = &place.database else { unreachable!("it is one of a server") };
    database.create();
    // Nobody sees this table, and nobody else can make one of its name before this is decided.
    let mut other = database.session();
    other.execute("begin");
    other.execute("create table orders (id integer)");
    let mut running = place.start("setup");
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = \
                 current_database() and query like '%orders%'";
    wait_until("the second migration waits", Duration::from_secs(30), || database.query(waits) == [["1"]]);
    running.signal("TERM");
    running.wait().code(143);
    let locks = "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from \
                 pg_database where datname = current_database())";
    assert_eq!(database.query(locks), [["0"]]);
    assert_eq!(database.query(waits), [["0"]], "the session works on");
    other.execute("rollback");
    assert_eq!(
        database.query("select to_regclass('orders') is null, to_regclass('users') is null"),
        [["t", "f"]]
    );
    let status = place.run("status --check");
    status.code(3).stderr_contains("2 pending").stdout_lacks("interrupted").stdout_lacks("locked");
    // What the structure and the first migrations left behind is no database in use.
    let run = place.run("setup");
    run.success().stderr_contains("2 orders").stderr_contains("3 more");
    assert_eq!(place.database.column("select name from users"), ["a"]);
    place.run("status --check").success();
    place.run("rollback").success();
    place.run("setup").success().stderr_contains("1 manual migration");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_a_migration_of_a_release_and_gives_its_lock_back() {
    if postgres::server().is_none() {
        return;
    }
    let place = Place::new(Postgres);
    let Database::Postgres(database) = &place.database else { unreachable!("it is one of a server") };
    database.create();
    let mut other = database.session();
    other.execute("begin");
    other.execute("create table orders (id integer)");
    let mut running = place.start("migrate");
    let waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = \
                 current_database() and query like '%orders%'";
    wait_until("the second migration waits", Duration::from_secs(30), || database.query(waits) == [["1"]]);
    // Whoever looks meanwhile is told who is at work.
    place.run("doctor").success().stdout_contains("warn  lock: the automatic lane is locked by pid ");
    running.signal("INT");
    let run = running.wait();
    run.code(130);
    assert_eq!(run.stderr.matches("Interrupted: ending the sessions").count(), 1, "{run}");
    let locks = "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from \
                 pg_database where datname = current_database())";
    assert_eq!(
        (database.query(locks), database.query(waits)),
        (vec![vec!["0".into()]], vec![vec!["0".into()]])
    );
    other.execute("rollback");
    place.run("migrate").success().stderr_contains("2 orders");
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_what_of_a_release_waits_for_a_server() {
    if postgres::server().is_none() {
        return;
    }
    for line in ["doctor", "wait", "status", "setup"] {
        // It takes the connection, and never says a word.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port is free");
        listener.set_nonblocking(true).expect("it can be asked");
        let port = listener.local_addr().expect("it has an address").port();
        let mut place = Place::new(Postgres);
        place.url = format!("postgres://app:s3cret@127.0.0.1:{port}/shop");
        let mut running = place.start(line);
        let mut taken = None;
        wait_until("it connects", Duration::from_secs(20), || {
            taken = listener.accept().ok();
            taken.is_some() || !running.is_running()
        });
        running.signal("INT");
        let run = running.wait();
        run.code(130).hides("s3cret");
        assert_eq!(run.stderr.matches("Interrupted").count(), 1, "{run}");
    }
}

#[test]
fn a_server_that_does_not_answer_is_named_with_the_variable_of_its_url() {
    if postgres::server().is_none() {
        return;
    }
    let mut place = Place::new(Postgres);
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let port = port.expect("a port is free").port();
    place.url = format!("postgres://app:s3cret@127.0.0.1:{port}/shop");
    let run = place.run("doctor");
    run.code(3).hides("s3cret").stdout_contains(&format!("host 127.0.0.1, port {port}"));
    run.stdout_contains("`url` of `server` comes from variable SERVER_DATABASE_URL");
    let run = place.run("migrate");
    run.code(7).hides("s3cret").stderr_contains("comes from variable SERVER_DATABASE_URL");
    let run = place.run("status --database-url postgres://app@127.0.0.1:1/shop");
    run.code(7).stderr_contains("comes from flag --database-url");
}

#[test]
fn a_pending_index_that_failed_is_found_with_what_mends_it() {
    if postgres::server().is_none() {
        return;
    }
    let place = Place::new(Postgres);
    place.run("setup --create").success();
    let session = &place.database;
    session.execute("insert into orders values (1), (1)");
    let Database::Postgres(database) = session else { unreachable!("it is one of a server") };
    database.session().try_query("create unique index concurrently twins on orders (id)").expect_err("twins");
    let run = place.run("doctor");
    run.code(3).stdout_contains("public.twins is not valid");
    run.stdout_contains("REINDEX INDEX CONCURRENTLY public.twins");
}

#[cfg(target_os = "linux")]
mod in_an_empty_root {
    //! The program alone: no cargo, no client program, no file of a repo, nothing of a system but the libraries that it is
    //! linked with.

    use super::*;

    /// A root directory that holds the program.
    struct Root(tempfile::TempDir);

    impl Root {
        /// Returns nothing where this user may not change the root, which in CI is a failure.
        fn new() -> Option<Self> {
            let root = Self(tempfile::tempdir().expect("a directory can be made"));
            let libraries = Command::new("ldd").arg(program()).output().expect("ldd is there");
            let libraries = String::from_utf8(libraries.stdout).expect("paths are text");
            // `libc.so.6 => /lib/libc.so.6 (0x…)`, `/lib64/ld-linux.so.2 (0x…)`.
            let paths = libraries.split_whitespace().filter(|word| word.starts_with('/'));
            for path in paths {
                let copy = root.0.path().join(path.trim_start_matches('/'));
                std::fs::create_dir_all(copy.parent().expect("it has one")).expect("it can be made");
                std::fs::copy(path, copy).expect("it can be copied");
            }
            std::fs::copy(program(), root.0.path().join("release")).expect("it can be copied");
            // Whoever starts a program at this moment holds the copy open for writing, until its own program is there.
            for _ in 0..50 {
                if root.run("--version", &[]).is_success() {
                    return Some(root);
                }
                std::thread::sleep(Duration::from_millis(100));
            }
            assert!(
                std::env::var("CI").as_deref() != Ok("true"),
                "this user may not change the root directory, and CI=true makes that a failure"
            );
            eprintln!("skipped: this user may not change the root directory");
            None
        }

        fn run(&self, line: &str, variables: &[(&str, &str)]) -> Run {
            let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| {
                use std::os::unix::fs::MetadataExt;
                own.uid() == 0
            });
            let mut command = if is_root {
                Command::new("chroot")
            } else {
                let mut command = Command::new("unshare");
                command.args(["-r", "chroot"]);
                command
            };
            command.arg(self.0.path()).arg("/release").args(line.split(' ')).env_clear();
            command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).envs(variables.iter().copied());
            Running::spawn(command, format!("chroot /release {line}"), None, Duration::from_secs(60)).wait()
        }
    }

    #[test]
    fn an_absent_an_empty_and_an_up_to_date_file_end_well() {
        let Some(root) = Root::new() else { return };
        let url = [("FILE_DATABASE_URL", "sqlite:/shop.db")];
        root.run("setup --repo file", &url).code(1).stderr_contains("does not exist");
        root.run("setup --create --repo file", &url).success().stderr_contains("2 orders");
        root.run("setup --create --repo file", &url).success();
        root.run("status --check --repo file", &url).success();
        let empty = [("FILE_DATABASE_URL", "sqlite:/empty.db")];
        std::fs::write(root.0.path().join("empty.db"), "").expect("it can be written");
        root.run("setup --repo file", &empty).success().stderr_contains("3 more");
        root.run("doctor --repo file", &empty).success();
    }

    #[test]
    fn an_absent_an_empty_and_an_up_to_date_database_of_a_server_end_well() {
        if postgres::server().is_none() {
            return;
        }
        let Some(root) = Root::new() else { return };
        let place = Place::new(Postgres);
        // Without files no name is known.
        let address = place.url.replace("@localhost", "@127.0.0.1");
        let url = [("SERVER_DATABASE_URL", address.as_str())];
        root.run("setup --repo server", &url).code(1).stderr_contains("does not exist");
        root.run("setup --create --repo server", &url).success().stderr_contains("2 orders");
        root.run("setup --repo server", &url).success();
        root.run("status --check --repo server", &url).success();
        let second = Place::new(Postgres);
        second.database.create();
        let address = second.url.replace("@localhost", "@127.0.0.1");
        let url = [("SERVER_DATABASE_URL", address.as_str())];
        root.run("setup --repo server", &url).success().stderr_contains("3 more");
        root.run("doctor --repo server", &url).success();
    }
}
