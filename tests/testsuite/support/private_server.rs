//! A PostgreSQL server of one test's own, to freeze and to crash.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::postgres::{Server, server};
use super::{skipped, wait_until};

/// A running server. It ends with the test.
#[derive(Debug)]
pub struct PrivateServer {
    // Drops its databases first, while the server still runs.
    server: Option<Server>,
    directory: TempDir,
    programs: PathBuf,
    options: String,
    port: u16,
}

impl PrivateServer {
    /// Starts a server, or says aloud that the test is skipped: its programs must be known.
    #[track_caller]
    pub fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// As [`PrivateServer::start`], with further options of the server: `-c max_connections=20`.
    #[track_caller]
    pub fn start_with(options: &str) -> Option<Self> {
        let Some(programs) = server()?.programs() else {
            skipped("no programs of a PostgreSQL server (run ./scripts/test)");
            return None;
        };
        let parent =
            if Path::new("/dev/shm").is_dir() { PathBuf::from("/dev/shm") } else { std::env::temp_dir() };
        let directory =
            tempfile::Builder::new().prefix("dbsetup-own.").tempdir_in(parent).expect("a directory");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
        let port = port.expect("a port is free").port();
        let mut private = Self { server: None, options: options.to_owned(), directory, programs, port };
        if is_root() {
            let path = private.directory.path();
            assert!(
                Command::new("chown").arg("postgres").arg(path).status().is_ok_and(|status| status.success())
            );
        }
        private.program(
            "initdb",
            &["--no-sync", "--username=postgres", "--auth=trust", "--no-locale", "--encoding=UTF8"],
        );
        let own = Server::at(format!("postgres://postgres@127.0.0.1:{port}/postgres"));
        private.control(&["start"]);
        private.server = Some(own);
        Some(private)
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("it is there until the end")
    }

    /// Crashes the server and starts it again.
    pub fn crash(&self) {
        self.control(&["restart", "--mode=immediate"]);
        wait_until("the server answers again", Duration::from_secs(30), || {
            super::postgres::Session::try_open(self.server().admin_url()).is_ok()
        });
    }

    /// Returns the process id of the server's first process, which takes connections.
    pub fn id(&self) -> String {
        let file = std::fs::read_to_string(self.directory.path().join("data/postmaster.pid"))
            .expect("the server runs");
        file.lines().next().expect("the first line is the process id").to_owned()
    }

    /// Stops or continues to take connections: a server that hangs.
    pub fn freeze(&self, frozen: bool) {
        let signal = if frozen { "-STOP" } else { "-CONT" };
        assert!(
            Command::new("kill").args([signal, &self.id()]).status().is_ok_and(|status| status.success())
        );
    }

    fn control(&self, arguments: &[&str]) {
        let options = format!(
            "--options=-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off {}",
            self.port, self.options
        );
        let log = format!("--log={}", self.directory.path().join("log").display());
        let mut all = vec!["--wait", "--timeout=60", "--silent", &log, &options];
        all.extend(arguments);
        self.program("pg_ctl", &all);
    }

    fn program(&self, name: &str, arguments: &[&str]) {
        let program = self.programs.join(name);
        let mut command = if is_root() {
            let mut command = Command::new("setpriv");
            command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.arg(format!("--pgdata={}", self.directory.path().join("data").display())).args(arguments);
        command
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let status = command.status().unwrap_or_else(|error| panic!("cannot start {name}: {error}"));
        assert!(status.success(), "{name} {arguments:?} ended with {status}");
    }
}

impl Drop for PrivateServer {
    fn drop(&mut self) {
        if !self.directory.path().join("data/postmaster.pid").exists() {
            return;
        }
        // A frozen server would not hear of it.
        _ = Command::new("kill").args(["-CONT", &self.id()]).status();
        self.server = None;
        self.control(&["stop", "--mode=immediate"]);
    }
}

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output();
    id.is_ok_and(|id| id.stdout == b"0\n")
}
