//! One repo being worked on: its server and at most one connection, opened when it is needed and closed on every path.

use std::sync::{Arc, Mutex};

use crate::choice::{self, Choice};
use crate::driver::{
    DbError, DbErrorClass, Driver, LedgerState, Present, Scratch, Server, SessionOptions, Target,
};
use crate::drivers;
use crate::engine;
use crate::error::{Error, Kind, Result};
use crate::event::{Observer, Teller};
use crate::ledger::{LedgerKind, LedgerTable};
use crate::migration::baseline;
use crate::repo::Repo;
use crate::structure::floor::Floor;
use crate::template::{Ahead, Origin};

/// What ends an interrupted session from outside ([`Server::end_session`]); empty while none is open.
pub type SessionId = Arc<Mutex<Option<String>>>;

/// A repo, its server and its connection.
pub struct Session<'a> {
    repo: &'a Repo,
    observer: &'a dyn Observer,
    server: Box<dyn Server>,
    driver: Option<Box<dyn Driver>>,
    options: SessionOptions,
    /// Whether something may have been committed that a fresh database has not on disk yet.
    owed: bool,
    data: bool,
    /// The command that it works for.
    verb: String,
    id: SessionId,
    /// Databases to be thrown away; kept here, where the end of interrupted work finds them.
    scratches: Vec<Arc<dyn Scratch>>,
    /// The ledger of a scratch database, which is that of the original.
    pinned: Option<LedgerTable>,
    /// Whether the database is itself to be thrown away: nothing of it is ever made durable.
    is_scratch: bool,
    /// Whether this run has dropped the database and not made it again.
    is_dropped: bool,
    /// Whether a plan is made for a time by which the database is gone, or is a new one.
    is_imagined_new: bool,
    /// Whether this run keeps a copy of the database, and puts it back when it fails.
    keeps_copy: bool,
    /// How the database came to be, if this run made it.
    pub(crate) origin: Option<Origin>,
    /// What is being read of its files meanwhile.
    pub(crate) ahead: Option<Ahead>,
    /// How many statements of structures were run in the database that this run created.
    pub(crate) statements: u64,
}

/// What a database says about its migrations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The ledger, there or to be made.
    pub choice: Choice,
    /// What it says.
    pub state: LedgerState,
}

impl<'a> Session<'a> {
    /// Opens what the repo's URL names, without connecting. `verb` is shown to whoever waits for our lock.
    ///
    /// # Errors
    /// [`Kind::Configuration`] when the URL does not parse; [`Kind::WrongDatabase`] when it is one of another engine than
    /// the repo's files.
    pub fn new(repo: &'a Repo, observer: &'a dyn Observer, verb: &str) -> Result<Self> {
        Ok(Self::with_server(repo, observer, verb, open(repo)?))
    }

    /// The same with a server of the caller's.
    pub fn with_server(
        repo: &'a Repo,
        observer: &'a dyn Observer,
        verb: &str,
        server: Box<dyn Server>,
    ) -> Self {
        Self {
            repo,
            observer,
            server,
            driver: None,
            options: options(repo, verb),
            verb: verb.to_owned(),
            owed: false,
            data: false,
            id: SessionId::default(),
            scratches: Vec::new(),
            pinned: None,
            is_scratch: false,
            is_dropped: false,
            is_imagined_new: false,
            keeps_copy: false,
            origin: None,
            ahead: None,
            statements: 0,
        }
    }

    /// The same with a scratch database, which has the ledger `pinned` or is to get it.
    pub(crate) fn with_scratch(
        repo: &'a Repo,
        observer: &'a dyn Observer,
        verb: &str,
        server: Box<dyn Server>,
        pinned: Option<LedgerTable>,
    ) -> Self {
        let mut session = Self::with_server(repo, observer, verb, server);
        // Nothing of it is to survive a crash.
        session.options.fresh = true;
        session.is_scratch = true;
        session.pinned = pinned;
        session
    }

    /// The same for somebody who only looks: the server is told that nothing may be written.
    #[must_use]
    pub fn only_looking(mut self) -> Self {
        self.options.read_only = true;
        self
    }

    /// The same for a run that keeps a copy of the database: its mark stays until that run is over.
    #[must_use]
    pub(crate) fn keeps_copy(mut self) -> Self {
        self.keeps_copy = true;
        self
    }

    /// Whether a copy may be kept that nobody is going to put back once a run has succeeded.
    pub(crate) fn forgets_copy(&self) -> bool {
        !self.keeps_copy
    }

    /// The repo.
    pub fn repo(&self) -> &'a Repo {
        self.repo
    }

    /// Returns the command line to paste that goes on with what this session did when it failed: `words`, or the
    /// command that they are a step of.
    pub fn again(&self, words: &str) -> String {
        self.repo.again(&self.verb, words)
    }

    /// Who hears of what happens.
    pub fn teller(&self) -> Teller<'a> {
        Teller::new(&self.repo.name, self.observer)
    }

    /// The server.
    pub fn server(&self) -> &dyn Server {
        &*self.server
    }

    /// What ends the connection from outside.
    pub fn id(&self) -> SessionId {
        self.id.clone()
    }

    /// Says that this run created the database: until it is ready a crash loses nothing that a rerun does not make
    /// again, so commits need not wait for the disk.
    pub async fn created_now(&mut self) {
        self.close().await;
        self.options.fresh = true;
        self.is_dropped = false;
        self.statements = 0;
    }

    /// Says that the database was dropped: nothing of it is to be made durable any more.
    pub(crate) fn dropped_now(&mut self) {
        self.options.fresh = false;
        self.owed = false;
        self.is_dropped = true;
        self.origin = None;
    }

    /// Whether this run has dropped the database and not made it again.
    pub(crate) fn is_dropped(&self) -> bool {
        self.is_dropped
    }

    /// Makes what was committed to a database of this run durable.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn settle(&mut self) -> Result<()> {
        if self.options.fresh && self.owed && !self.is_scratch {
            self.driver().await?.make_durable().await?;
            self.owed = false;
        }
        Ok(())
    }

    /// Says whether what is planned next is for a database that is made anew by then, so that the one that is there is
    /// not looked at: [`Session::inspect_if_exists`] finds none.
    pub fn imagine_new(&mut self, new: bool) {
        self.is_imagined_new = new;
    }

    /// Whether the database is to be thrown away.
    pub(crate) fn is_scratch(&self) -> bool {
        self.is_scratch
    }

    /// Whether this run created the database.
    pub fn is_fresh(&self) -> bool {
        self.options.fresh
    }

    /// Says whether data are written (seeds, files of the user's) or migrations run. Data that a person writes are held
    /// to foreign keys whatever migrations do.
    pub async fn writes_data(&mut self, data: bool) {
        self.data = data;
        if data {
            self.enforce_foreign_keys(true).await;
        }
    }

    /// Opens the next connection with or without foreign keys, where the session decides that.
    async fn enforce_foreign_keys(&mut self, enforce: bool) {
        let matters =
            self.driver.as_ref().is_none_or(|driver| driver.about().capabilities.session_foreign_keys);
        if self.options.foreign_keys != enforce && matters {
            self.close().await;
            self.options.foreign_keys = enforce;
        }
    }

    /// The connection, opened now if it is not open.
    ///
    /// # Errors
    /// Those of connecting.
    pub async fn driver(&mut self) -> Result<&mut dyn Driver> {
        if self.driver.is_none() {
            let target = self.server.target();
            let driver = self.server.connect(&self.options).await;
            let driver = driver.map_err(|error| explain(self.repo, target, error))?;
            self.driver = Some(driver);
        }
        self.owed = true;
        let driver = self.driver.as_mut().expect("it was opened above");
        self.id.lock().expect("nobody panics while holding it").clone_from(&driver.about().session);
        Ok(&mut **driver)
    }

    /// Hands the connection out, opened now if it is not open, until [`Session::give_back`]. Where it never comes back it is
    /// closed, and whatever it was in the middle of is undone.
    ///
    /// # Errors
    /// Those of connecting.
    pub(crate) async fn lend(&mut self) -> Result<Box<dyn Driver>> {
        self.driver().await?;
        Ok(self.driver.take().expect("it was opened above"))
    }

    /// Takes the connection back.
    pub(crate) fn give_back(&mut self, driver: Box<dyn Driver>) {
        self.driver = Some(driver);
    }

    /// Closes the connection, and with it gives back every lock.
    pub async fn close(&mut self) {
        if let Some(driver) = self.driver.take() {
            driver.close().await;
        }
        *self.id.lock().expect("nobody panics while holding it") = None;
    }

    /// Makes a database to be thrown away. It is there until [`Session::discard_scratch`].
    ///
    /// # Errors
    /// Those of the server.
    pub(crate) async fn make_scratch(&mut self) -> std::result::Result<Arc<dyn Scratch>, DbError> {
        let repo = self.repo;
        let made = self.server.scratch(repo.scratch_url.as_ref(), repo.role.as_deref()).await?;
        let scratch: Arc<dyn Scratch> = made.into();
        self.scratches.push(Arc::clone(&scratch));
        Ok(scratch)
    }

    /// Makes a database to be thrown away, and opens it.
    ///
    /// # Errors
    /// Those of making and connecting.
    pub(crate) async fn open_scratch(&mut self) -> std::result::Result<Box<dyn Driver>, DbError> {
        let scratch = self.make_scratch().await?;
        let options = SessionOptions {
            // Nothing of it is to survive a crash.
            fresh: true,
            statement_timeout: None,
            tables: Vec::new(),
            ..self.options.clone()
        };
        scratch.connect(&options).await
    }

    /// How many scratch databases are there.
    #[cfg(test)]
    pub(crate) fn scratches(&self) -> usize {
        self.scratches.len()
    }

    /// Removes the scratch databases that this session has made.
    ///
    /// # Errors
    /// Those of the server: the first failure, after all have been tried.
    pub async fn discard_scratch(&mut self) -> Result<()> {
        let mut result = Ok(());
        for scratch in std::mem::take(&mut self.scratches) {
            result = result.and(scratch.discard().await.map_err(|error| {
                Error::from(error)
                    .note(format!("the scratch database {} is still there", scratch.target().shown))
                    .help("nobody needs it; the next run that makes one removes it")
            }));
        }
        result
    }

    /// Passes on what the server said.
    pub fn tell_notices(&mut self) {
        let teller = self.teller();
        for text in self.driver.iter_mut().flat_map(|driver| driver.take_notices()) {
            teller.tell(crate::event::What::Notice { text });
        }
    }

    /// Finds the ledger and reads it, in two trips at most.
    ///
    /// # Errors
    /// Those of connecting; [`Kind::Ledger`] when it cannot be told which table is the ledger.
    pub async fn inspect(&mut self) -> Result<Inspection> {
        let repo = self.repo;
        let names = choice::names(repo);
        let mut found = self.driver().await?.find_tables(&names).await?;
        let (choice, mut state) = loop {
            let about = self.driver().await?.about();
            // Where no schema of the search path is there, the ledger may still have one.
            let schema = about.schema.clone().or_else(|| choice::configured_schema(repo, about.dialect));
            let choice = match &self.pinned {
                Some(table) => choice::pinned(repo, table, &found)?,
                None => choice::choose(repo, &found, schema.as_deref())?,
            };
            if choice.present == Present::default() {
                break (choice, LedgerState::default());
            }
            let driver = self.driver().await?;
            match driver.read_ledger(&choice.table, choice.present).await {
                Ok(state) => break (choice, state),
                // Somebody who empties the database takes the tables away between two looks.
                Err(error) => {
                    let now = driver.find_tables(&names).await?;
                    if now == found {
                        return Err(error.into());
                    }
                    found = now;
                }
            }
        };
        let driver = self.driver().await?;
        driver.use_ledger(&choice.table);
        if choice.table.kind == LedgerKind::Sqlx {
            // A floor that cannot be read is told of by whoever reads the files.
            let floor = Floor::read(repo).ok().flatten();
            baseline::expand(floor.as_ref(), choice.table.kind, &mut state);
        }
        // The peers' own clients enforce foreign keys while they migrate; their files are written for that.
        let enforce = self.data || enforces_foreign_keys(Some(choice.table.kind));
        self.enforce_foreign_keys(enforce).await;
        self.driver().await?.use_ledger(&choice.table);
        Ok(Inspection { choice, state })
    }

    /// Inspects a database that may be missing, which is as good as an empty one for a plan.
    ///
    /// # Errors
    /// Those of [`Session::inspect`] but [`Kind::DatabaseMissing`].
    pub async fn inspect_if_exists(&mut self) -> Result<Option<Inspection>> {
        if self.is_imagined_new {
            return Ok(None);
        }
        match self.inspect().await {
            Ok(inspection) => Ok(Some(inspection)),
            Err(error) if error.kind() == Kind::DatabaseMissing => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Opens what the repo's URL names, without connecting.
///
/// # Errors
/// [`Kind::Configuration`] when the URL does not parse; [`Kind::WrongDatabase`] when it is one of another engine than the
/// repo's files.
pub(crate) fn open(repo: &Repo) -> Result<Box<dyn Server>> {
    // A pooler is no place for locks and sessions; who configured a way past it wants it taken.
    let url = repo.direct_url.as_ref().unwrap_or(&repo.url);
    let server = drivers::open(url, &repo.root, repo.maintenance_url.as_ref())?;
    engine::refuse_other(repo, server.dialect())?;
    Ok(server)
}

/// Returns how a session of the repo is opened. `verb` is shown to whoever waits for our lock.
pub(crate) fn options(repo: &Repo, verb: &str) -> SessionOptions {
    SessionOptions {
        application: format!("dbsetup {verb} {}", repo.name),
        lock_timeout: repo.lock_timeout,
        statement_timeout: repo.statement_timeout,
        role: repo.role.clone(),
        schemas: repo.schemas.clone(),
        foreign_keys: enforces_foreign_keys(repo.ledger.kind.or(repo.layout_ledger)),
        tables: choice::names(repo),
        ..SessionOptions::default()
    }
}

/// Adds to a failure to connect what to do about it.
pub(crate) fn explain(repo: &Repo, target: &Target, error: DbError) -> Error {
    let class = error.class;
    let result = Error::from(error).note(format!("connecting to {}", target.shown));
    match class {
        DbErrorClass::DatabaseMissing if result.help_text().is_none() => {
            result.help(format!("create it: {}", repo.command("create")))
        }
        DbErrorClass::Unreachable | DbErrorClass::NotReady
            if result.help_text().is_none() && repo.program.from_application =>
        {
            result.help("look whether the server runs and the URL is right, then start the application again")
        }
        DbErrorClass::Unreachable | DbErrorClass::NotReady if result.help_text().is_none() => {
            result.help(format!("start the server, or wait for it: {}", repo.command("wait")))
        }
        _ => result,
    }
}

/// Whether a migration runs with foreign keys enforced, where the session decides that (SQLite). sqlx, diesel and
/// refinery do so. We and dbmate do not: a table that is rebuilt would take the rows that refer to it along; what is
/// broken is found before the commit instead.
fn enforces_foreign_keys(kind: Option<LedgerKind>) -> bool {
    matches!(kind, Some(LedgerKind::Sqlx | LedgerKind::Diesel | LedgerKind::Refinery))
}
