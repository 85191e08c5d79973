//! An application that is nothing but its start: this very test program, started again with its wishes in a variable.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use dbsetup::startup::{OnFailure, Policy};
use dbsetup::{Source, Startup};
use tempfile::TempDir;

use crate::support::{Backend, Database, Run, Running, postgres, sqlite};

/// The variable, a line for each wish: `url sqlite:app.db`.
const VARIABLE: &str = "DBSETUP_TEST_STARTUP";
/// How long a process may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// An application's files and its database.
pub struct App {
    files: TempDir,
    server: Option<postgres::Server>,
    name: String,
}

impl App {
    /// Makes one with no migrations; none where the backend is not to be had.
    pub fn new(backend: Backend) -> Option<Self> {
        let server = match backend {
            Backend::Postgres => Some(postgres::server()?),
            Backend::Sqlite => None,
        };
        let files = tempfile::Builder::new().prefix("dbsetup-app-").tempdir().expect("a temporary directory");
        std::fs::create_dir(files.path().join("migrations")).expect("it is writable");
        Some(Self { files, server, name: "app".to_owned() })
    }

    /// Chooses another database, which need not exist.
    pub fn of(&mut self, name: &str) -> &mut Self {
        self.name = name.to_owned();
        self
    }

    pub fn directory(&self) -> &Path {
        self.files.path()
    }

    pub fn server(&self) -> &postgres::Server {
        self.server.as_ref().expect("the application is one of PostgreSQL")
    }

    /// Writes a file below the directory.
    pub fn file(&self, path: &str, text: &str) -> &Self {
        let path = self.files.path().join(path);
        std::fs::create_dir_all(path.parent().expect("it is below the directory")).expect("it is writable");
        std::fs::write(path, text).expect("it is writable");
        self
    }

    /// Writes an automatic migration: `1_users`.
    pub fn migration(&self, name: &str, sql: &str) -> &Self {
        self.file(&format!("migrations/{name}.sql"), sql)
    }

    pub fn without(&self, path: &str) -> &Self {
        std::fs::remove_file(self.files.path().join(path)).expect("the file is there");
        self
    }

    pub fn url(&self) -> String {
        match &self.server {
            Some(server) => server.url(&self.name),
            None => format!("sqlite:{}", self.database_file().display()),
        }
    }

    pub fn database_file(&self) -> std::path::PathBuf {
        self.files.path().join(format!("{}.db", self.name))
    }

    pub fn database(&self) -> Database {
        match &self.server {
            Some(server) => Database::Postgres(server.database(&self.name)),
            None => Database::Sqlite(sqlite::Database::at(self.database_file())),
        }
    }

    /// Returns the start of this application in this very process.
    pub fn startup(&self) -> Startup {
        Startup::new(Source::directory("app", self.files.path())).url(self.url()).policy(Policy::Migrate)
    }

    /// Starts a process of the application. Wishes: `policy`, `failure`, `environment`, `lock_wait` (seconds), `create`,
    /// `seed`, `strict`, `go` (a file that it waits for).
    #[track_caller]
    pub fn start(&self, wishes: &[&str]) -> Running {
        self.start_with(wishes, Command::new(program()))
    }

    /// Runs a process whose policy is left to `RUN_MIGRATIONS`.
    #[track_caller]
    pub fn start_by_variable(&self, value: Option<&str>) -> Run {
        let mut command = Command::new(program());
        command.env_remove("RUN_MIGRATIONS");
        if let Some(value) = value {
            command.env("RUN_MIGRATIONS", value);
        }
        self.start_with(&["by-variable"], command).wait()
    }

    /// The same with a command that ends in the program.
    #[track_caller]
    pub fn start_with(&self, wishes: &[&str], mut command: Command) -> Running {
        let mut lines = vec![format!("url {}", self.url()), format!("files {}", self.files.path().display())];
        lines.extend(wishes.iter().map(|wish| (*wish).to_owned()));
        command.args(["--exact", "startup::app::a_process_of_an_application", "--ignored", "--nocapture"]);
        command.env(VARIABLE, lines.join("\n")).env_remove("RUST_BACKTRACE");
        Running::spawn(command, format!("application with {wishes:?}"), None, PATIENCE)
    }
}

/// Returns the path of this program.
pub fn program() -> std::path::PathBuf {
    std::env::current_exe().expect("the test program knows its path")
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("the process may have one more").block_on(future)
}

fn wished(startup: Startup, wish: &str, value: &str) -> Startup {
    match wish {
        "url" => startup.url(value),
        "policy" => startup.policy(value.parse().expect("a policy")),
        "environment" => startup.environment(value),
        "lock_wait" => startup.lock_wait(Duration::from_secs(value.parse().expect("seconds"))),
        "create" => startup.create_if_missing(),
        "seed" => startup.seed(),
        "strict" => startup.strict(),
        "failure" => startup.on_failure(match value {
            "continue" => OnFailure::Continue,
            "recreate" => OnFailure::Recreate { accept_data_loss: false },
            "recreate-anyway" => OnFailure::Recreate { accept_data_loss: true },
            "restore" => OnFailure::RestoreBackup { and_continue: false },
            "restore-and-continue" => OnFailure::RestoreBackup { and_continue: true },
            other => panic!("no failure policy is called {other}"),
        }),
        "go" => {
            while !Path::new(value).exists() {
                std::thread::sleep(Duration::from_millis(1));
            }
            startup
        }
        other => panic!("no wish is called {other}"),
    }
}

/// Not a test: what [`App::start`] starts.
#[test]
#[ignore = "a part of other tests"]
fn a_process_of_an_application() {
    let Ok(wishes) = std::env::var(VARIABLE) else { return };
    let pairs: Vec<(&str, &str)> =
        wishes.lines().map(|line| line.split_once(' ').unwrap_or((line, ""))).collect();
    let files = pairs.iter().find(|(wish, _)| *wish == "files").expect("it has files").1;
    let startup = Startup::new(Source::directory("app", files));
    let startup = if wishes.contains("by-variable") { startup } else { startup.policy(Policy::Migrate) };
    let startup = pairs
        .into_iter()
        .filter(|(wish, _)| !matches!(*wish, "files" | "by-variable"))
        .fold(startup, |startup, (wish, value)| wished(startup, wish, value));
    let code = match block_on(startup.run()) {
        Ok(report) => {
            eprintln!("{}; applied {}", report.outcome.as_str(), report.applied.join(" "));
            0
        }
        Err(error) => {
            eprintln!("error: {error}");
            error.notes().iter().for_each(|note| eprintln!("note: {note}"));
            error.help_text().iter().for_each(|help| eprintln!("help: {help}"));
            1
        }
    };
    // The harness has its own idea of an end.
    std::process::exit(code);
}
