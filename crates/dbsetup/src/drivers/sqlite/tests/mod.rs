//! The driver on real files.

mod each;
mod file;
mod glance;
mod quick;
mod scratch;
mod structure;
mod template;
mod work;

use std::path::Path;
use std::time::Duration;

use super::SqliteServer;
use crate::driver::{Driver, Guard, Present, Server, SessionOptions, Work};
use crate::ledger::{Change, LedgerKind, LedgerTable, NewRow};
use crate::repo::{CreateOptions, DatabaseUrl};

/// A database in a directory that goes away with it.
struct Place {
    dir: tempfile::TempDir,
    server: SqliteServer,
}

impl Place {
    /// A path at which nothing is.
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let server = server("sqlite:a.db", dir.path());
        Self { dir, server }
    }

    /// An empty database.
    async fn created() -> Self {
        let place = Self::new();
        place.server.create(&CreateOptions::default()).await.expect("it is created");
        place
    }

    async fn session(&self) -> Box<dyn Driver> {
        self.session_with(SessionOptions { foreign_keys: true, ..SessionOptions::default() }).await
    }

    async fn session_with(&self, options: SessionOptions) -> Box<dyn Driver> {
        let mut session = self.server.connect(&options).await.expect("it opens");
        session.use_ledger(&ledger());
        session
    }

    /// A session with a ledger.
    async fn prepared(&self) -> Box<dyn Driver> {
        let mut session = self.session().await;
        session.prepare(&ledger(), ALL).await.expect("it is prepared");
        session
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.dir.path())
            .expect("it is there")
            .map(|entry| entry.expect("it is there").file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

const ALL: Present = Present { ledger: true, meta: true, progress: false };

fn server(url: &str, root: &Path) -> SqliteServer {
    SqliteServer::new(&DatabaseUrl::new(url), root).expect("it parses").with_busy(Duration::from_millis(100))
}

fn ledger() -> LedgerTable {
    LedgerTable { kind: LedgerKind::Dbsetup, schema: None, name: "schema_migrations".into(), wide: true }
}

fn row(version: &str) -> Change {
    Change::Insert(NewRow {
        seq: None,
        version: version.into(),
        name: "a".into(),
        source: "migrations".into(),
        checksum: Some("sha256:x".into()),
        took: crate::ledger::Took::Nothing,
    })
}

fn script(script: &str) -> Work<'_> {
    Work { script, changes: &[], guard: None, lock: None }
}

async fn versions(session: &mut dyn Driver) -> Vec<String> {
    let state = session.read_ledger(&ledger(), ALL).await.expect("it is read");
    state.rows.into_iter().map(|row| row.version).collect()
}

async fn objects(session: &mut dyn Driver) -> Vec<String> {
    session.user_objects(&ledger(), 99).await.expect("it is read")
}

fn not_applied(version: &str) -> Guard {
    Guard::NotApplied(version.into())
}
