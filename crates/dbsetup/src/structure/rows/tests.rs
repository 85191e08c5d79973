//! Kept rows through real databases: SQLite, and PostgreSQL where `DBSETUP_TEST_POSTGRES` names a server by a
//! superuser's URL. What is written is loaded by the loader, and read again.

mod dumps;
mod postgres;
mod sqlite;
mod values;

use std::path::Path;

use super::*;
use crate::driver::{DumpRequest, FilledTable, Fingerprint, Sessions};
use crate::event::Silent;
use crate::migration::testing::repo;
use crate::repo::{CreateOptions, DatabaseUrl, KeepData, Repo};
use crate::session::Session;
use crate::structure::assemble::assemble;
use crate::structure::loaded;

/// A database of its own; [`Place::done`] removes it.
struct Place {
    _directory: tempfile::TempDir,
    repo: Repo,
}

impl Place {
    async fn sqlite() -> Self {
        Self::at(DatabaseUrl::new("sqlite:core.db")).await
    }

    /// Returns nothing where there is no server.
    async fn postgres() -> Option<Self> {
        Some(Self::at(url(None)?).await)
    }

    async fn at(url: DatabaseUrl) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_path_buf();
        let mut repo = repo();
        repo.priv_dir = root.join("priv");
        repo.structure = root.join("priv/structure.sql");
        repo.migrations = vec![root.join("priv/migrations")];
        repo.manual_migrations = vec![root.join("priv/manual_migrations")];
        repo.archive = vec![root.join("priv/dumped_migrations")];
        (repo.root, repo.display_root, repo.url) = (root.clone(), root, url);
        std::fs::create_dir_all(&repo.migrations[0]).unwrap();
        let place = Self { _directory: directory, repo };
        place.session().server().create(&CreateOptions::default()).await.unwrap();
        place
    }

    fn session(&self) -> Session<'_> {
        Session::new(&self.repo, &Silent, "test").unwrap()
    }

    async fn run(&self, script: &str) {
        let mut session = self.session();
        let driver = session.driver().await.unwrap();
        driver.begin(false).await.unwrap();
        driver.execute(script).await.unwrap_or_else(|error| panic!("{}: {script}", error.error.message));
        driver.commit(&[]).await.unwrap();
        session.close().await;
    }

    /// Every table with rows.
    async fn filled(&self) -> Vec<FilledTable> {
        let mut session = self.session();
        let ledger = session.inspect().await.unwrap().choice.table;
        let tables = session.driver().await.unwrap().table_rows(&ledger).await.unwrap();
        session.close().await;
        tables.into_iter().filter(|table| table.rows > 0).collect()
    }

    /// What is written of the database when all its rows are kept but those of `dropped`.
    async fn written(&self, dropped: &[&str], except: &[(&str, &str)]) -> Result<Written> {
        let keep: Vec<KeepData> = self
            .filled()
            .await
            .into_iter()
            .map(|table| table.table().shown())
            .filter(|name| !dropped.contains(&&**name))
            .map(|name| KeepData {
                except: except
                    .iter()
                    .filter(|(of, _)| *of == name)
                    .map(|(_, column)| (*column).into())
                    .collect(),
                table: name,
            })
            .collect();
        let drop: Vec<String> = dropped.iter().map(|name| (*name).to_owned()).collect();
        let mut session = self.session();
        let ledger = session.inspect().await.unwrap().choice.table;
        let dialect = session.server().dialect();
        let driver = session.driver().await.unwrap();
        let request = DumpRequest::default();
        let audit =
            audit_of(driver, &ledger, &Wishes { keep: &keep, drop: &drop, request: &request }).await?;
        assert!(undecided(&self.repo, &audit, "dump").is_none());
        let kept = Kept::read(driver, &audit).await?;
        let structure = driver.dump(&request).await.unwrap();
        let fingerprint = driver.fingerprint(&request).await.unwrap();
        let text = assemble(dialect, &request, &structure, &kept.text, "");
        session.close().await;
        Ok(Written { text, kept, fingerprint })
    }

    async fn load(&self, text: &str) -> Result<()> {
        let mut session = self.session();
        let result = loaded(&mut session, text, Path::new("structure.sql"), false).await;
        session.close().await;
        result
    }

    async fn done(self) {
        self.session().server().drop(Sessions::End).await.unwrap();
    }
}

struct Written {
    text: String,
    kept: Kept,
    fingerprint: Fingerprint,
}

/// Writes a database, loads that into another one, and writes it again: the same.
async fn goes_round(from: &Place, to: &Place, dropped: &[&str]) -> Written {
    let written = from.written(dropped, &[]).await.unwrap_or_else(|error| panic!("{error}"));
    to.load(&written.text).await.unwrap_or_else(|error| panic!("{error}\n{}", written.text));
    let again = to.written(&[], &[]).await.unwrap_or_else(|error| panic!("{error}"));
    let found: Vec<String> =
        differences(&written.kept.rows, &again.kept.rows).iter().map(ToString::to_string).collect();
    assert!(found.is_empty(), "{found:#?}\n{}", written.text);
    assert_eq!(again.text, written.text);
    assert_eq!(again.fingerprint.facts, written.fingerprint.facts);
    written
}

/// A database's name on the server that no other test has; `role` connects, else the superuser.
fn url(role: Option<&str>) -> Option<DatabaseUrl> {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let url = match std::env::var("DBSETUP_TEST_POSTGRES") {
        Ok(url) if url != "off" => url,
        other => {
            assert!(other.is_ok() || std::env::var("CI").as_deref() != Ok("true"), "no server");
            eprintln!("skipped: DBSETUP_TEST_POSTGRES names no server");
            return None;
        }
    };
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let base = &url[..url.rfind('/').expect("the URL names a database")];
    let base = match (role, base.rsplit_once('@'), base.split_once("://")) {
        (Some(role), Some((_, host)), _) => format!("postgres://{role}:{role}@{host}"),
        (Some(role), None, Some((_, host))) => format!("postgres://{role}:{role}@{host}"),
        _ => base.to_owned(),
    };
    Some(DatabaseUrl::new(format!("{base}/dbsetup_test_rows_{}_{count}", std::process::id())))
}
