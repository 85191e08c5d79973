//! An application with tests, built once for all of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::support::postgres::{Role, Server};

/// The files of the application beside its sources.
const FILES: [(&str, &str); 9] = [
    ("src/lib.rs", ""),
    ("priv/core/migrations/1_users.sql", "create table users (id integer, name text not null);\n"),
    ("priv/core/manual_migrations/2_orders.sql", "create table orders (id integer);\n"),
    ("priv/core/seeds.sql", "insert into users (name) values ('seeded');\n"),
    ("priv/core/seeds/test/a.sql", "insert into users (name) values ('seeded for tests');\n"),
    ("tests/fixtures/ada.sql", "begin;\ninsert into users (name) values ('ada');\ncommit;\n"),
    ("tests/fixtures/bob.sql", "insert into users (name) values ('bob');\n"),
    ("data/copied.sql", "copy users (name) from stdin;\ncopied\n\\.\n"),
    ("other/steps/1_other.sql", "create table other (id integer);\n"),
];

/// An application whose tests are built.
pub struct Application {
    directory: PathBuf,
    /// The test programs, by name.
    programs: Vec<(String, PathBuf)>,
}

impl Application {
    /// Returns the application, built by the first who asks.
    pub fn get() -> &'static Self {
        static BUILT: OnceLock<Application> = OnceLock::new();
        BUILT.get_or_init(|| {
            let mut files = FILES.map(|(path, text)| (path.to_owned(), text.to_owned())).to_vec();
            files.push(("tests/postgres.rs".to_owned(), include_str!("postgres.rs").to_owned()));
            files.push(("tests/sqlite.rs".to_owned(), include_str!("sqlite.rs").to_owned()));
            let directory = write("app", &files);
            let built = run(cargo(&directory).args(["test", "--no-run"]));
            let programs = ["postgres", "sqlite"].map(|name| {
                let line = built.lines().find(|line| line.contains(&format!("tests/{name}.rs")));
                let path = line.and_then(|line| line.rsplit_once('(')?.1.strip_suffix(')'));
                (name.to_owned(), directory.join(path.expect("cargo names each program")))
            });
            Self { directory, programs: programs.to_vec() }
        })
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.directory.join(path)
    }

    /// Returns a call of the tests of one file.
    pub fn tests(&self, name: &str) -> Command {
        let (_, program) = self.programs.iter().find(|(known, _)| known == name).expect("it was built");
        let mut command = clean(program, &self.directory);
        command.env("CARGO_MANIFEST_DIR", &self.directory).env("CARGO_PKG_NAME", "app");
        command
    }

    /// Returns a call of nextest, where that is installed.
    pub fn nextest(&self) -> Option<Command> {
        let installed = Command::new("cargo-nextest").args(["nextest", "--version"]).output();
        installed.ok().filter(|output| output.status.success())?;
        let mut command = cargo(&self.directory);
        command.args(["nextest", "run", "--no-fail-fast"]);
        Some(command)
    }
}

/// Writes a package beside what it builds, so that a second run finds it built.
pub fn write(name: &str, files: &[(String, String)]) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let directory = target().join("packages").join(name);
    let manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n\
         [dev-dependencies]\n\
         dbsetup = {{ path = {:?}, features = [\"postgres\", \"sqlite\", \"testing\"] }}\n\
         sqlx = {{ version = \"0.9\", default-features = false, features = [\"runtime-tokio\", \"postgres\", \"sqlite-bundled\"] }}\n\
         tokio = {{ version = \"1\", features = [\"rt\", \"macros\"] }}\n\n\
         [workspace]\n\n[profile.dev]\ndebug = false\n\n\
         [package.metadata.dbsetup.repos.core]\nurl = \"${{APP_URL}}\"\n",
        root.join("crates/dbsetup")
    );
    let lock = std::fs::read_to_string(root.join("Cargo.lock")).expect("the workspace has one");
    let own = [("Cargo.toml".to_owned(), manifest), ("Cargo.lock".to_owned(), lock)];
    for (path, text) in own.iter().chain(files) {
        let path = directory.join(path);
        // The lock file is cut down to what is needed by the build.
        let is_there = std::fs::read_to_string(&path).is_ok_and(|found| &found == text);
        if !is_there && (path.file_name() != Some("Cargo.lock".as_ref()) || !path.exists()) {
            std::fs::create_dir_all(path.parent().expect("it is below the package")).expect("it can be made");
            std::fs::write(path, text).expect("it can be written");
        }
    }
    directory
}

fn target() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tests-embed")
}

/// Returns a call of cargo that builds to a directory that all such packages share.
pub fn cargo(directory: &Path) -> Command {
    let program = std::env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from);
    let mut command = clean(&program, directory);
    command
        .env("CARGO_TARGET_DIR", target())
        .env("CARGO_NET_OFFLINE", "true")
        .env("CARGO_TERM_COLOR", "never");
    command
}

/// Returns a call of a program that sees nothing of this run's databases.
fn clean(program: &Path, directory: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(directory).stdin(std::process::Stdio::null()).env("RUST_BACKTRACE", "0");
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["DBSETUP_", "CARGO_PKG_", "CARGO_MANIFEST_", "NEXTEST", "PG"];
        if text.contains("DATABASE_URL") || ours.iter().any(|start| text.starts_with(start)) {
            command.env_remove(&name);
        }
    }
    command
}

/// Runs a command that succeeds, and returns what it said.
#[track_caller]
pub fn output(command: &mut Command) -> String {
    run(command)
}

#[track_caller]
fn run(command: &mut Command) -> String {
    let (success, said) = said(command);
    assert!(success, "{command:?} failed:\n{said}");
    said
}

/// Runs a command that fails, and returns what it said.
#[track_caller]
pub fn failure(command: &mut Command) -> String {
    let (success, said) = said(command);
    assert!(!success, "{command:?} did not fail:\n{said}");
    said
}

fn said(command: &mut Command) -> (bool, String) {
    let output = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.success(), text.concat())
}

/// A role that runs tests: what it makes is nobody else's, and goes with it.
pub struct Tester {
    server: Server,
    role: Role,
}

impl Tester {
    #[track_caller]
    pub fn new(server: &Server) -> Self {
        Self { server: server.clone(), role: server.role("tester", "createdb") }
    }

    /// The URL for tests. Its database is not there, and need not be.
    pub fn url(&self) -> String {
        self.url_of("none")
    }

    pub fn url_of(&self, database: &str) -> String {
        self.server.url_as(&self.role, database)
    }

    pub fn role(&self) -> &str {
        &self.role.name
    }

    pub fn password(&self) -> &str {
        &self.role.password
    }

    /// Returns the databases of its tests that are there.
    #[track_caller]
    pub fn databases(&self) -> Vec<String> {
        self.owned().into_iter().filter(|name| name.starts_with("dbsetup_test_")).collect()
    }

    #[track_caller]
    pub fn templates(&self) -> Vec<String> {
        self.owned().into_iter().filter(|name| name.starts_with("dbsetup_template_")).collect()
    }

    #[track_caller]
    fn owned(&self) -> Vec<String> {
        let query = format!(
            "select datname from pg_database where pg_get_userbyid(datdba) = '{}' order by datname",
            self.role.name
        );
        self.server.query(&query).into_iter().flatten().collect()
    }

    /// Returns how many connections it has.
    #[track_caller]
    pub fn sessions(&self) -> usize {
        let query = format!("select 1 from pg_stat_activity where usename = '{}'", self.role.name);
        self.server.query(&query).len()
    }
}

impl Drop for Tester {
    fn drop(&mut self) {
        for database in self.owned() {
            self.server.execute(&format!("drop database if exists \"{database}\""));
        }
    }
}
