//! Round trips with the programs of other tools: they apply, we go on, they agree; and the reverse.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::support::process::Running;
use crate::support::{Backend, Database, Postgres, Project, Run, peer};

/// Another tool, with one database and one directory that it shares with us.
struct Peer {
    ledger: &'static str,
    table: &'static str,
    program: PathBuf,
    project: Project,
    backend: Backend,
}

impl Peer {
    /// Makes a project of the tool's, or says aloud that the test is skipped.
    fn new(ledger: &'static str, backend: Backend) -> Option<Self> {
        let program = peer(ledger)?;
        let table = match ledger {
            "sqlx" => "_sqlx_migrations",
            "diesel" => "__diesel_schema_migrations",
            "refinery" => "refinery_schema_history",
            _ => "schema_migrations",
        };
        let project =
            Project::new().repo("core", backend).repo_config("core", &format!("ledger = \"{ledger}\""));
        project.run("create").success();
        Some(Self { ledger, table, program, project, backend })
    }

    fn directory(&self) -> PathBuf {
        self.project.path(self.project.priv_dir("core")).join("migrations")
    }

    fn database(&self) -> Database {
        self.project.database("core")
    }

    /// Writes the migrations with these numbers as the tool wants them.
    fn write(&self, numbers: std::ops::RangeInclusive<usize>) {
        for number in numbers {
            let up = format!(
                "create table t{number} (id integer primary key);\ninsert into t{number} values (1);\n"
            );
            let down = format!("drop table t{number};\n");
            let directory = self.directory();
            let files: Vec<(String, String)> = match self.ledger {
                "sqlx" => vec![
                    (format!("{number}_t{number}.up.sql"), up),
                    (format!("{number}_t{number}.down.sql"), down),
                ],
                "diesel" => {
                    let name = format!("2026-01-0{number}-000000_t{number}");
                    vec![(format!("{name}/up.sql"), up), (format!("{name}/down.sql"), down)]
                }
                "refinery" => vec![(format!("V{number}__t{number}.sql"), up)],
                _ => vec![(
                    format!("2026010{number}000000_t{number}.sql"),
                    format!("-- migrate:up\n{up}\n-- migrate:down\n{down}"),
                )],
            };
            for (name, text) in files {
                self.project.write(directory.join(name), &text);
            }
        }
    }

    fn url(&self) -> String {
        match self.database() {
            Database::Postgres(database) => database.url(),
            Database::Sqlite(database) => database.path().display().to_string(),
        }
    }

    /// Calls the tool.
    fn call(&self, arguments: &[&str], variable: Option<(&str, &str)>) -> Run {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(self.project.root()).env("HOME", self.project.home());
        if let Some((name, value)) = variable {
            command.env(name, value);
        }
        Running::spawn(
            command,
            format!("{} {}", self.ledger, arguments.join(" ")),
            None,
            Duration::from_secs(60),
        )
        .wait()
    }

    /// Lets the tool apply what is pending.
    fn migrate(&self) -> Run {
        let (url, directory) = (self.url(), self.directory());
        let directory = directory.to_str().expect("a temporary directory's name is UTF-8");
        match self.ledger {
            "sqlx" => self
                .call(&["migrate", "run", "--source", directory, "--database-url", &self.sqlx_url()], None),
            "diesel" => {
                self.call(&["migration", "run", "--migration-dir", directory, "--database-url", &url], None)
            }
            "refinery" => self.refinery(directory),
            _ => self
                .call(&["--url", &self.dbmate_url(), "-d", directory, "--no-dump-schema", "migrate"], None),
        }
    }

    fn refinery(&self, directory: &str) -> Run {
        let url = match self.backend {
            Postgres => format!("{}?sslmode=disable", self.url()),
            Backend::Sqlite => format!("sqlite://{}", self.url()),
        };
        self.call(
            &["migrate", "-e", "THE_DATABASE", "-p", directory, "-d", "-m"],
            Some(("THE_DATABASE", &url)),
        )
    }

    fn sqlx_url(&self) -> String {
        if self.backend == Postgres { self.url() } else { format!("sqlite://{}", self.url()) }
    }

    fn dbmate_url(&self) -> String {
        if self.backend == Postgres {
            format!("{}?sslmode=disable", self.url())
        } else {
            format!("sqlite:{}", self.url())
        }
    }

    /// Asks the tool what it thinks of the database: everything is applied, `count` in number.
    fn agrees(&self, count: usize) {
        let (url, directory) = (self.url(), self.directory());
        let directory = directory.to_str().expect("a temporary directory's name is UTF-8");
        match self.ledger {
            "sqlx" => {
                let run = self.call(
                    &["migrate", "info", "--source", directory, "--database-url", &self.sqlx_url()],
                    None,
                );
                run.success().stdout_lacks("pending").stdout_lacks("different checksum");
                assert_eq!(run.stdout.matches("installed").count(), count, "{run}");
            }
            "diesel" => {
                let run = self
                    .call(&["migration", "list", "--migration-dir", directory, "--database-url", &url], None);
                run.success().stdout_lacks("[ ]");
                assert_eq!(run.stdout.matches("[X]").count(), count, "{run}");
                self.call(
                    &["migration", "pending", "--migration-dir", directory, "--database-url", &url],
                    None,
                )
                .success()
                .stdout_contains("false");
            }
            // It has no list: divergent and missing ones are errors, and there is nothing to apply.
            "refinery" => _ = self.refinery(directory).success(),
            _ => {
                let run =
                    self.call(&["--url", &self.dbmate_url(), "-d", directory, "status", "--exit-code"], None);
                run.success().stdout_contains("Pending: 0").stdout_contains(&format!("Applied: {count}"));
            }
        }
        // Running it again would fail on the tables that are there.
        self.migrate().success();
        let rows = self.database().value(&format!("select count(*) from {}", self.table));
        assert_eq!(rows, count.to_string());
    }

    fn tables(&self) -> usize {
        self.database().tables().iter().filter(|name| name.starts_with('t') && name.len() == 2).count()
    }
}

/// They apply 1 to 3, we 4 and 5, and they agree; then we apply 1 to 3 of another database, they 4 and 5.
fn round_trips(ledger: &'static str) {
    for backend in Backend::available() {
        let Some(peer) = Peer::new(ledger, backend) else { return };
        peer.write(1..=3);
        peer.migrate().success();
        assert_eq!(peer.tables(), 3, "{ledger} did nothing on {backend:?}");
        peer.project.run("status --check").success();
        peer.write(4..=5);
        peer.project.run("status --check").code(3);
        peer.project.run("migrate").success().stderr_lacks("create table");
        assert_eq!(peer.tables(), 5);
        peer.agrees(5);

        let peer = Peer::new(ledger, backend).expect("it was there");
        peer.write(1..=3);
        peer.project.run("migrate").success();
        peer.agrees(3);
        peer.write(4..=5);
        peer.migrate().success();
        assert_eq!(peer.tables(), 5);
        peer.project.run("status --check").success();
        peer.project.run("migrate").success();
        peer.agrees(5);
        if ledger != "refinery" {
            // What we undo, they apply again.
            peer.project.run("rollback").success();
            assert_eq!(peer.tables(), 4);
            peer.migrate().success();
            peer.agrees(5);
            peer.project.run("status --check").success();
        }
    }
}

#[test]
fn round_trips_with_sqlx() {
    round_trips("sqlx");
}

#[test]
fn round_trips_with_diesel() {
    round_trips("diesel");
}

#[test]
fn round_trips_with_refinery() {
    round_trips("refinery");
}

#[test]
fn round_trips_with_dbmate() {
    round_trips("dbmate");
}

/// What they find in a database that our dump and load made, they take for theirs.
#[test]
fn a_loaded_structure_is_up_to_date_for_every_peer() {
    for ledger in ["sqlx", "diesel", "refinery", "dbmate"] {
        for backend in Backend::available() {
            let Some(peer) = Peer::new(ledger, backend) else { break };
            peer.write(1..=3);
            peer.migrate().success();
            peer.project.run("dump").success();
            peer.project.run("reset --yes").success();
            assert_eq!(peer.tables(), 3);
            peer.agrees(3);
            assert!(Path::new(&peer.directory()).is_dir());
        }
    }
}

#[test]
fn metadata_of_diesel_means_the_same_for_both() {
    // Absent, without the key, broken, true, false; and whether diesel runs it in a transaction.
    let cases = [
        (None, true),
        (Some(""), false),
        (Some("run_in_transaction = ["), true),
        (Some("run_in_transaction = true\n"), true),
        (Some("run_in_transaction = false\n"), false),
    ];
    let Some(_) = crate::support::postgres::server() else { return };
    for (text, transactional) in cases {
        for ours in [true, false] {
            if !ours && peer("diesel").is_none() {
                continue;
            }
            let project = Project::new().repo("core", Postgres).repo_config("core", "ledger = \"diesel\"");
            project.run("create").success();
            let database = project.database("core");
            database.execute("create table users (a int)");
            let directory = project.priv_dir("core").join("migrations");
            project.write(
                directory.join("2026-01-01-000000_index/up.sql"),
                "create index concurrently users_a on users (a)",
            );
            if let Some(text) = text {
                project.write(directory.join("2026-01-01-000000_index/metadata.toml"), text);
            }
            let run = if ours {
                project.run("migrate")
            } else {
                let peer = Peer {
                    ledger: "diesel",
                    table: "",
                    program: peer("diesel").expect("it was there"),
                    project,
                    backend: Postgres,
                };
                peer.migrate()
            };
            assert_eq!(run.is_success(), !transactional, "metadata.toml {text:?}, ours: {ours}\n{run}");
        }
    }
}
