//! The driver against a server, which `DBSETUP_TEST_POSTGRES` names by a superuser's URL.
//!
//! Without the variable the tests say that they are skipped; where `CI` is `true` that is a failure, unless it says `off`.

mod attached;
mod census;
mod databases;
mod extensions;
mod features;
mod fingerprints;
mod glances;
mod indexes;
mod loads;
mod locks;
mod pooler;
mod relations;
mod scripts;
mod structures;
mod templates;
mod trips;
mod types;
mod vitals;

use std::time::Duration;

use super::session::Session;
use super::*;
use crate::driver::Guard;
use crate::ledger::{LedgerKind, NewRow, Took};
use crate::repo::Lane;

/// A database of its own, dropped by [`Scratch::done`].
struct Scratch {
    server: PostgresServer,
    base: String,
    name: String,
}

/// Returns the superuser's URL without a database.
fn base() -> Option<String> {
    match std::env::var("DBSETUP_TEST_POSTGRES") {
        Ok(url) if url == "off" => {
            eprintln!("skipped: DBSETUP_TEST_POSTGRES=off");
            None
        }
        Ok(url) => {
            let end = url.rfind('/').expect("the URL names a database");
            Some(url[..end].to_owned())
        }
        Err(_) if std::env::var("CI").as_deref() == Ok("true") => panic!("DBSETUP_TEST_POSTGRES is not set"),
        Err(_) => {
            eprintln!("skipped: DBSETUP_TEST_POSTGRES is not set");
            None
        }
    }
}

fn server(base: &str, database: &str) -> PostgresServer {
    let url = DatabaseUrl::new(format!("{base}/{}", percent::encode(database)));
    PostgresServer::new(&url, None).expect("the URL is right")
}

impl Scratch {
    /// Returns nothing when there is no server.
    async fn new(name: &str) -> Option<Self> {
        let base = base()?;
        let name = format!("dbsetup_test_{name}_{}", std::process::id());
        let server = server(&base, &name);
        server.drop(Sessions::End).await.expect("an old one can be dropped");
        assert_eq!(server.create(&CreateOptions::default()).await, Ok(Created::Now));
        Some(Self { server, base, name })
    }

    async fn session(&self) -> Session {
        self.session_with(&options()).await
    }

    async fn session_with(&self, options: &SessionOptions) -> Session {
        let mut session = Session::connect(&self.server.place, options).await.expect("the server answers");
        session.use_ledger(&ledger());
        session
    }

    /// A session with a ledger to record in.
    async fn prepared(&self) -> Session {
        let mut session = self.session().await;
        session.prepare(&ledger(), ALL).await.expect("the tables can be made");
        session
    }

    async fn done(self) {
        self.server.drop(Sessions::End).await.expect("the database can be dropped");
    }
}

const ALL: Present = Present { ledger: true, meta: true, progress: true };

fn options() -> SessionOptions {
    SessionOptions {
        application: "dbsetup test".into(),
        lock_timeout: Duration::from_secs(3),
        ..SessionOptions::default()
    }
}

fn ledger() -> LedgerTable {
    LedgerTable {
        kind: LedgerKind::Dbsetup,
        schema: Some("public".into()),
        name: "schema_migrations".into(),
        wide: true,
    }
}

fn lock(lane: Lane) -> LockKey {
    LockKey { ledger: ledger(), lane }
}

fn insert(version: &str) -> Change {
    Change::Insert(NewRow {
        seq: None,
        version: version.into(),
        name: "name".into(),
        source: "migrations".into(),
        checksum: Some("sha256:00".into()),
        took: Took::ThisTransaction,
    })
}

fn script(script: &str) -> Work<'_> {
    Work { script, changes: &[], guard: None, lock: None }
}

/// The only value of a query.
async fn value(session: &mut Session, query: &str) -> String {
    let rows = session.look(query.to_owned()).await.expect("the query is right");
    rows.first().and_then(|row| row.first().cloned().flatten()).unwrap_or_default()
}

async fn versions(session: &mut Session) -> Vec<String> {
    let state = session.read_ledger(&ledger(), ALL).await.expect("the ledger can be read");
    state.rows.into_iter().map(|row| row.version).collect()
}
