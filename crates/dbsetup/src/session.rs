//! Provisional shape of a session until the rules are merged.
use crate::driver::{Driver, Server};
use crate::error::Result;
use crate::event::{Observer, Teller};
use crate::repo::Repo;

/// One repo being worked on.
pub struct Session<'a> {
    repo: &'a Repo,
    observer: &'a dyn Observer,
    server: Box<dyn Server>,
    driver: Option<Box<dyn Driver>>,
}

/// What a look at a database found.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Whether the database exists.
    pub exists: bool,
    /// The recorded environment.
    pub environment: Option<String>,
}

impl<'a> Session<'a> {
    /// Opens nothing yet.
    pub fn new(repo: &'a Repo, observer: &'a dyn Observer, _application: &str) -> Result<Self> {
        let server = crate::drivers::open(&repo.url, &repo.root, repo.maintenance_url.as_ref())?;
        Ok(Self { repo, observer, server, driver: None })
    }
    /// The server.
    pub fn server(&self) -> &dyn Server {
        &*self.server
    }
    /// The teller.
    pub fn teller(&self) -> Teller<'a> {
        Teller::new(&self.repo.name, self.observer)
    }
    /// The failure of a call of the server, as an error.
    pub fn failure(&self, error: crate::driver::DbError) -> crate::error::Error {
        crate::error::Error::new(crate::error::Kind::Unreachable, error.message)
    }
    /// Looks.
    pub async fn inspect(&mut self) -> Result<State> {
        Ok(State::default())
    }
    /// Closes the connection.
    pub async fn close(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.close().await;
        }
    }
    /// Ends the connection whose work was dropped half way, so that no lock stays.
    pub async fn interrupt(&mut self) {
        let Some(driver) = self.driver.take() else { return };
        let id = driver.about().session.clone();
        drop(driver);
        if let Some(id) = id {
            let _ = self.server.end_session(&id).await;
        }
    }
}
