//! The port: what every rule above sees of a database, and nothing of which database it is.
//!
//! A [`Server`] is what a URL names before anything is connected; a [`Driver`] is one session. Rules ask for an
//! ability ([`Capabilities`]), never for an engine's name.

mod backup;
mod dump;
mod error;
mod glance;
mod ledger;
mod rows;
mod templates;
#[cfg(feature = "testing")]
mod testing;
mod vitals;

#[cfg(feature = "testing")]
use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{Change, LedgerTable};
use crate::repo::{CreateOptions, DatabaseUrl};
use crate::sql::Dialect;

pub use backup::Backup;
pub use dump::{DumpRequest, Fact, Fingerprint, Structure, Via};
pub use error::{DbError, DbErrorClass, ScriptError};
pub use futures_core::future::BoxFuture;
pub use glance::Glance;
pub use ledger::{FoundTable, Guard, LedgerState, LockKey, Present, Work};
pub use rows::{
    Cells, FilledTable, KeepTable, Reference, RowColumn, Rows, RowsRequest, SequencePosition, TableName,
    TableRows,
};
pub use templates::{
    Cloned, Kept, TemplateClaim, TemplateInfo, TemplateName, TemplateNote, Templates, Workshop,
};
#[cfg(feature = "testing")]
pub use testing::{TestDatabase, TestDatabases};
pub use vitals::{BrokenIndex, Vitals};

/// What a URL names, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The place without a password: `postgres://app@localhost/core_dev`, `sqlite:core_dev.db`.
    pub shown: String,
    /// The database's name, as `--allow-protected` wants it: `core_dev`, `core_dev.db`.
    pub database: String,
    /// Whether it is a file or a server on this machine.
    pub local: bool,
    /// Whether losing the TLS of a public network matters and it is not demanded.
    pub plain_text_over_network: bool,
    /// Where the server listens, in words (`host db, port 5432`); `None` where there is none.
    pub address: Option<String>,
}

/// What this session can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Locks that live as long as the session. Without them (a pooler) each transaction takes its own.
    pub session_locks: bool,
    /// DDL can be rolled back.
    pub transactional_ddl: bool,
    /// The session decides whether foreign keys are enforced ([`SessionOptions::foreign_keys`]).
    pub session_foreign_keys: bool,
    /// Several transactions fit into one message ([`Driver::transact_each`]).
    pub several_transactions: bool,
    /// Databases can be cloned.
    pub templates: bool,
    /// The structure can be written without another program.
    pub native_dump: bool,
    /// The server prints definitions in words of its release: another one may word the same object differently.
    pub words_definitions: bool,
    /// Scratch databases are made on the server of this database, unless another one is named: what reaches beyond them
    /// reaches others.
    pub shared_server: bool,
    /// Why work needs another connection: set behind a transaction pooler.
    pub pooled: Option<String>,
}

/// What the session is connected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// `PostgreSQL 15.20`, `SQLite 3.51.3`.
    pub version: String,
    /// The dialect of scripts.
    pub dialect: Dialect,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The schema in which new objects are made; `None` where the engine has no schemas.
    pub schema: Option<String>,
    /// What ends this very session from another one ([`Server::end_session`]).
    pub session: Option<String>,
    /// The database itself as the server names it.
    pub database: String,
}

/// How a session is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionOptions {
    /// Said to the server, and shown to whoever waits for our lock: `dbsetup migrate core`.
    pub application: String,
    /// Whether the session may only look.
    pub read_only: bool,
    /// How long one attempt waits for a table lock in a transaction; zero waits for ever.
    pub lock_timeout: Duration,
    /// The longest a statement may run.
    pub statement_timeout: Option<Duration>,
    /// `SET ROLE`.
    pub role: Option<String>,
    /// The search path; empty leaves the server's.
    pub schemas: Vec<String>,
    /// The database was created by this run, so a crash loses nothing that a rerun does not make again:
    /// commits need not wait for the disk until [`Driver::make_durable`].
    pub fresh: bool,
    /// Tables that [`Driver::find_tables`] will be asked for first: a driver may look for them while it connects.
    pub tables: Vec<String>,
    /// Whether foreign keys are enforced where the session decides that (SQLite).
    pub foreign_keys: bool,
}

/// What a statement has answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Its rows: the text of each value as the database writes it; `None` is NULL.
    pub rows: Vec<Vec<Option<String>>>,
    /// How many rows it has changed, as the database counts.
    pub affected: u64,
}

/// What is known of a statement that was in flight when its session died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recovery {
    /// Its effect is there.
    Done,
    /// Its effect is not there, or was cleared away; what was done about it, if anything.
    RunAgain(Option<String>),
    /// Nothing proves either.
    Unknown,
}

/// What other sessions of the database are done with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// They are left alone: a drop fails while there are any.
    Keep,
    /// They are ended.
    End,
}

/// Whether `create` made the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// It did.
    Now,
    /// It was there.
    Already,
}

/// Whether `drop` removed the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dropped {
    /// It did; so many sessions were ended.
    Now { sessions: usize },
    /// There was none.
    Already,
}

/// What a URL names, before anything is connected.
pub trait Server: Templates {
    /// The place, for messages.
    fn target(&self) -> &Target;
    /// The dialect of scripts, known from the URL alone.
    fn dialect(&self) -> Dialect;
    /// Returns whether the database exists, without making it.
    fn exists(&self) -> BoxFuture<'_, Result<bool, DbError>>;
    /// Makes the database unless it is there. A race that another process wins is [`Created::Already`].
    fn create<'a>(&'a self, options: &'a CreateOptions) -> BoxFuture<'a, Result<Created, DbError>>;
    /// Removes the database, its side files too.
    fn drop(&self, sessions: Sessions) -> BoxFuture<'_, Result<Dropped, DbError>>;
    /// Returns when the server answers, whether or not the database exists.
    fn ping(&self) -> BoxFuture<'_, Result<(), DbError>>;
    /// Opens a session.
    fn connect<'a>(&'a self, options: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>>;
    /// Looks at a ledger, our tables beside it and which of `names` are tables on the search path, as one moment sees
    /// them: a connection of its own, one message, one answer, nothing locked and nothing written. `None` where that
    /// cannot be told in this way; whoever asks then opens a session and looks closely.
    fn glance<'a>(
        &'a self,
        options: &'a SessionOptions,
        ledger: &'a LedgerTable,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<Option<Glance>, DbError>> {
        let _ = (options, ledger, names);
        Box::pin(std::future::ready(Ok(None)))
    }
    /// Returns the right to keep a copy of the whole database, for one who shows himself as `application`; `None` while
    /// somebody else has it.
    fn backup<'a>(
        &'a self,
        application: String,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Backup + 'a>>, DbError>> {
        let _ = application;
        let error = DbError {
            class: DbErrorClass::Unsupported,
            message: "no copy of the database can be kept".to_owned(),
            code: None,
            notes: Vec::new(),
        };
        Box::pin(std::future::ready(Err(error)))
    }
    /// Ends one of our own sessions ([`About::session`]) whose work was interrupted, and returns when it is gone.
    fn end_session<'a>(&'a self, session: &'a str) -> BoxFuture<'a, Result<(), DbError>>;
    /// Makes an empty database like this one, to be thrown away: on the server that `elsewhere` names, else on this
    /// one, owned by `owner`, else by who connects. What dead runs left of theirs is removed.
    fn scratch<'a>(
        &'a self,
        elsewhere: Option<&'a DatabaseUrl>,
        owner: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn Scratch>, DbError>>;
    /// Returns what makes the databases of this process's tests on this server. What dead processes left of theirs is
    /// removed.
    #[cfg(feature = "testing")]
    fn test_databases(&self) -> BoxFuture<'_, Result<Arc<dyn TestDatabases>, DbError>> {
        Box::pin(async {
            Err(DbError {
                class: DbErrorClass::Unsupported,
                message: "no databases for tests are made here".to_owned(),
                code: None,
                notes: Vec::new(),
            })
        })
    }
}

/// A database to be thrown away. Whoever drops the value without [`Scratch::discard`] leaves the database to the next
/// run, which recognises and removes it.
pub trait Scratch: Send + Sync {
    /// The place, for messages.
    fn target(&self) -> &Target;
    /// Opens a session. What one has done is there for the next one.
    fn connect<'a>(&'a self, options: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>>;
    /// Removes it, whatever is in it and whoever is connected.
    fn discard(&self) -> BoxFuture<'_, Result<(), DbError>>;
}

/// One session. Everything it does it does in order; dropping it mid-work leaves the server to roll back.
pub trait Driver: Send {
    /// What the session is connected to.
    fn about(&self) -> &About;

    // -- Looking. None of these writes.

    /// Returns the tables that may be a ledger: those named in `names`, in any schema that is not the engine's own.
    fn find_tables<'a>(&'a mut self, names: &'a [String]) -> BoxFuture<'a, Result<Vec<FoundTable>, DbError>>;
    /// Reads the ledger and our tables beside it, as far as `present` says that they exist, in one trip.
    fn read_ledger<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        present: Present,
    ) -> BoxFuture<'a, Result<LedgerState, DbError>>;
    /// Returns up to `limit` objects that users made, named with their kind (`table public.users`), except what
    /// extensions own, `ledger` with our tables beside it, and what `sqlx::test` leaves behind.
    fn user_objects<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, DbError>>;
    /// Returns those of `names`, in any case of letters, that the server has no setting of: a newer release may.
    fn unknown_settings<'a>(&'a mut self, names: &'a [String])
    -> BoxFuture<'a, Result<Vec<String>, DbError>>;
    /// Returns the structure without ledger rows: statements that end in `;`, a blank line between.
    fn dump<'a>(&'a mut self, request: &'a DumpRequest) -> BoxFuture<'a, Result<Structure, DbError>>;

    /// Returns what the engine's own catalogs say of everything that `request` dumps. Nothing of what writes a dump is
    /// used for it.
    fn fingerprint<'a>(&'a mut self, request: &'a DumpRequest)
    -> BoxFuture<'a, Result<Fingerprint, DbError>>;

    /// Returns every table that users made and how many rows it holds, by name; but for extensions' own, `ledger` with our
    /// tables beside it, and what `sqlx::test` leaves behind. In two trips, and one more for each further thousand.
    fn table_rows<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
    ) -> BoxFuture<'a, Result<Vec<FilledTable>, DbError>>;
    /// Returns the rows of tables, as they stand in SQL. A constant number of trips, and one for each table.
    fn read_rows<'a>(&'a mut self, request: &'a RowsRequest) -> BoxFuture<'a, Result<Rows, DbError>>;

    /// Returns what is known of the session's rights and surroundings.
    fn vitals(&mut self) -> BoxFuture<'_, Result<Vitals, DbError>> {
        Box::pin(async { Ok(Vitals::default()) })
    }

    // -- Locking.

    /// Tries to take the lock, without waiting, and returns whether this session really holds it.
    fn try_lock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<bool, DbError>>;
    /// Gives the lock back. Not having held it is an error.
    fn unlock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<(), DbError>>;
    /// Returns who holds the lock, in words (`pid 71, dbsetup migrate core, from 10.0.0.7, since 12:01:07`), and how
    /// to end that session.
    fn lock_holder<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<Option<String>, DbError>>;

    // -- Working.

    /// Makes those of the tables around `ledger` that `wanted` names, unless they are there. Under the main lock.
    fn prepare<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        wanted: Present,
    ) -> BoxFuture<'a, Result<(), DbError>>;
    /// The ledger that changes are recorded in from now on.
    fn use_ledger(&mut self, ledger: &LedgerTable);
    /// Runs a script and records its changes in one transaction, in one message where that can be done.
    /// The session's settings (search path, role, timeouts) are the same afterwards whatever the script did.
    fn transact<'a>(&'a mut self, work: Work<'a>) -> BoxFuture<'a, Result<(), ScriptError>>;
    /// Runs scripts in their order, each with its changes in a transaction of its own, as one message; `done` hears of each
    /// how long it took, soon after its commit. Returns how many are done. What comes after them has left no trace, and is
    /// for [`Driver::transact`], which also tells why it fails, if it does.
    ///
    /// For [`Capabilities::several_transactions`], and scripts that record a version each.
    fn transact_each<'a>(
        &'a mut self,
        works: &'a [Work<'a>],
        done: &'a mut (dyn FnMut(Duration) + Send),
    ) -> BoxFuture<'a, Result<usize, DbError>> {
        let _ = (works, done);
        Box::pin(async { Ok(0) })
    }
    /// Runs one statement outside of an explicit transaction where it demands that, else in one transaction with its
    /// changes. An index that is built concurrently is proved valid before the changes are recorded.
    fn run_alone<'a>(
        &'a mut self,
        statement: &'a str,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), ScriptError>>;
    /// Says that a script without a transaction is at work, and which of its statements have set something for their
    /// session so far: that holds for all that the script runs, also between its own transactions. `None` is its end:
    /// the session has its own settings again.
    fn keep<'a>(&'a mut self, settings: Option<&'a [String]>) -> BoxFuture<'a, Result<(), DbError>> {
        let _ = settings;
        Box::pin(async { Ok(()) })
    }
    /// Finds out what became of a statement that was in flight when its session died, and clears away what is half
    /// done.
    fn recover<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<Recovery, DbError>>;

    /// Opens a transaction for [`Driver::execute`] and the copy calls. `loading` relaxes what a structure load may
    /// relax: function bodies are not checked, event triggers do not fire, foreign keys wait.
    fn begin(&mut self, loading: bool) -> BoxFuture<'_, Result<(), DbError>>;
    /// Sends a batch of statements as one message inside the open transaction.
    fn execute<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), ScriptError>>;
    /// Sends one statement inside the open transaction, and returns what it answers.
    fn fetch<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<Fetched, ScriptError>>;
    /// Begins `COPY … FROM STDIN`.
    fn copy_begin<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<(), ScriptError>>;
    /// Sends COPY data: whole lines.
    fn copy_data<'a>(&'a mut self, data: &'a [u8]) -> BoxFuture<'a, Result<(), ScriptError>>;
    /// Ends COPY and returns the number of rows.
    fn copy_end(&mut self) -> BoxFuture<'_, Result<u64, ScriptError>>;
    /// Records changes and commits.
    fn commit<'a>(&'a mut self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), ScriptError>>;
    /// Rolls back; harmless without a transaction.
    fn rollback(&mut self) -> BoxFuture<'_, Result<(), DbError>>;

    /// How many lock table entries one transaction may count on; `None` where there is no such limit.
    fn lock_capacity(&mut self) -> BoxFuture<'_, Result<Option<u64>, DbError>>;
    /// Removes the ledger's table, which is empty, so that a structure file can bring its own.
    fn drop_empty_ledger<'a>(&'a mut self, ledger: &'a LedgerTable) -> BoxFuture<'a, Result<(), DbError>>;
    /// Removes every object that users made, as `drop` and `create` would: inside the open transaction where there is
    /// one, else in as many transactions as the lock table needs.
    fn empty(&mut self) -> BoxFuture<'_, Result<(), DbError>>;
    /// Makes what a [`SessionOptions::fresh`] session committed durable.
    fn make_durable(&mut self) -> BoxFuture<'_, Result<(), DbError>>;
    /// What the server said since the last call (notices, warnings), oldest first.
    fn take_notices(&mut self) -> Vec<String>;
    /// Says goodbye and closes.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}
