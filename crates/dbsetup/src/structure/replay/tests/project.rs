//! A workspace with a database for tests of replays.

use super::*;
use crate::driver::Sessions;
use crate::drivers;
use crate::event::Silent;
use crate::migration::migrate;
use crate::repo::{CreateOptions, DatabaseUrl};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgres,
}

/// A workspace with its database; [`Project::done`] removes both.
pub struct Project {
    pub directory: tempfile::TempDir,
    pub repo: Repo,
}

impl Project {
    /// Returns nothing where there is no server.
    pub async fn new(engine: Engine, files: &[(&str, &str)]) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_path_buf();
        let mut repo = repo();
        for path in [&mut repo.priv_dir, &mut repo.structure]
            .into_iter()
            .chain(&mut repo.migrations)
            .chain(&mut repo.manual_migrations)
            .chain(&mut repo.archive)
        {
            *path = root.join(path.strip_prefix("/shop").unwrap());
        }
        (repo.root, repo.display_root) = (root.clone(), root);
        repo.url = match engine {
            Engine::Sqlite => DatabaseUrl::new("sqlite:core.db"),
            Engine::Postgres => url()?,
        };
        std::fs::create_dir_all(&repo.migrations[0]).unwrap();
        let project = Self { directory, repo };
        files.iter().for_each(|(path, text)| project.write(path, text));
        project.session().server().create(&CreateOptions::default()).await.unwrap();
        Some(project)
    }

    pub fn write(&self, path: &str, text: &str) {
        let path = self.repo.priv_dir.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    pub fn remove(&self, path: &str) {
        std::fs::remove_file(self.repo.priv_dir.join(path)).unwrap();
    }

    pub fn session(&self) -> Session<'_> {
        Session::new(&self.repo, &Silent, "test").unwrap()
    }

    pub async fn migrated(&self) -> Session<'_> {
        let mut session = self.session();
        let request = MigrateRequest { lanes: Lanes::All, ..MigrateRequest::default() };
        migrate(&mut session, &request).await.unwrap();
        session
    }

    /// What stands in the workspace.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.directory.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Whether a scratch database is there. One in memory is there as long as its session knows it.
    pub async fn has(&self, scratch: &str) -> bool {
        if scratch == ":memory:" {
            return false;
        }
        let url = DatabaseUrl::new(
            self.repo.url.expose().replace(self.repo.url.expose().rsplit('/').next().unwrap(), scratch),
        );
        drivers::open(&url, &self.repo.root, None).unwrap().exists().await.unwrap()
    }

    pub async fn done(self) {
        self.session().server().drop(Sessions::End).await.unwrap();
    }
}

/// A database's name on the server that no other test has.
fn url() -> Option<DatabaseUrl> {
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
    Some(DatabaseUrl::new(format!("{base}/dbsetup_test_replay_{}_{count}", std::process::id())))
}
