//! The port: what every rule above sees of a database, and nothing of which database it is.
//!
//! A [`Server`] is what a URL names before anything is connected; a [`Driver`] is one session. Rules ask for an
//! ability ([`Capabilities`]), never for an engine's name.

mod backup;
mod glance;
mod rows;
mod templates;
#[cfg(feature = "testing")]
mod testing;
mod vitals;

use std::sync::Arc;
use std::time::Duration;

use crate::ledger::{AppliedRow, Change, Column, LedgerTable, Progress};
use crate::repo::{CreateOptions, DatabaseUrl, Lane};
use crate::sql::Dialect;

pub use backup::Backup;
pub use futures_core::future::BoxFuture;
pub use glance::Glance;
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

/// What a database answered when it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbError {
    /// What it means for the work.
    pub class: DbErrorClass,
    /// The server's sentence.
    pub message: String,
    /// SQLSTATE or the engine's own number.
    pub code: Option<String>,
    /// Detail, hint, context: what else the server said, a line each, `detail: …`.
    pub notes: Vec<String>,
}

/// What a failure means for the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DbErrorClass {
    /// The statement is wrong, or the data are.
    Statement,
    /// A table lock was not obtained within `lock_timeout`.
    LockTimeout,
    /// The server broke a deadlock by ending this statement.
    Deadlock,
    /// The transaction lost against another and may be tried again.
    Serialization,
    /// The script closed the transaction that it ran in.
    TransactionClosed,
    /// The statement cannot run inside a transaction.
    InsideTransaction,
    /// Another session has recorded this version (or removed it) in between.
    LedgerConflict,
    /// The session ended while it worked: what it did last is not known.
    ConnectionLost,
    /// Nobody answers.
    Unreachable,
    /// The server is starting, stopping or full: trying again may help.
    NotReady,
    /// The database does not exist.
    DatabaseMissing,
    /// The role lacks a right, or its password is wrong.
    Permission,
    /// A standby or a read-only file.
    ReadOnly,
    /// The server's disk or memory is full.
    Full,
    /// What is stored cannot be read: the file is damaged.
    Damaged,
    /// The server's lock table is full.
    LockTableFull,
    /// The engine, its version, or a pooler cannot do this.
    Unsupported,
    /// The statement was cancelled, or ran into `statement_timeout`.
    Cancelled,
    /// A setting or the URL is wrong.
    Configuration,
    /// It is never done to this database.
    Refused,
    /// Reading or writing a file failed on this side.
    Io,
    /// A program that the driver started failed.
    Program,
}

/// A failure inside a script that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    /// What the database answered.
    pub error: DbError,
    /// The index of the failing statement, counted over statements that are not empty.
    pub statement: Option<usize>,
    /// The byte offset in the script that the server points at.
    pub offset: Option<usize>,
    /// Whether everything that the script did is undone.
    pub rolled_back: bool,
}

impl ScriptError {
    /// Returns the failure of something that happened before the script ran.
    pub fn before(error: DbError) -> Self {
        Self { error, statement: None, offset: None, rolled_back: true }
    }

    /// Returns the failure to open a connection again.
    pub(crate) fn unreachable(error: &crate::error::Error) -> Self {
        Self::before(DbError {
            class: DbErrorClass::Unreachable,
            message: error.message().to_owned(),
            code: None,
            notes: error.notes().to_vec(),
        })
    }
}

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

/// A table that may be a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundTable {
    /// Its schema.
    pub schema: Option<String>,
    /// Its name.
    pub name: String,
    /// Its columns in order.
    pub columns: Vec<Column>,
    /// Whether the session's search path finds its schema.
    pub on_path: bool,
}

/// Which of the tables around a ledger exist.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Present {
    /// The ledger itself.
    pub ledger: bool,
    /// [`crate::ledger::META_TABLE`] beside it.
    pub meta: bool,
    /// [`crate::ledger::PROGRESS_TABLE`] beside it.
    pub progress: bool,
}

/// The ledger's state, read in one trip.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LedgerState {
    /// Rows, oldest application first.
    pub rows: Vec<AppliedRow>,
    /// The row of a baseline migration, which speaks for those of `rows` that are absorbed. Never read by a driver.
    pub baseline: Option<AppliedRow>,
    /// Our keys and values.
    pub meta: Vec<(String, String)>,
    /// Migrations without a transaction that have begun and not ended.
    pub progress: Vec<Progress>,
}

impl LedgerState {
    /// The value of a meta key.
    pub fn meta(&self, key: &str) -> Option<&str> {
        self.meta.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

/// What is locked: one lane of one ledger.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LockKey {
    /// The ledger.
    pub ledger: LedgerTable,
    /// The lane. The automatic lane's lock is the main one.
    pub lane: Lane,
}

/// Which version must (not) be recorded for the work to be done. Checked inside its transaction, because not every
/// engine, and no peer, holds our lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guard {
    /// The work applies this version.
    NotApplied(String),
    /// The work undoes this version.
    Applied(String),
}

/// A script and what it changes in the ledger, in one transaction.
#[derive(Debug, Clone, Copy)]
pub struct Work<'a> {
    /// The script; may be empty.
    pub script: &'a str,
    /// Changes recorded with it.
    pub changes: &'a [Change],
    /// Checked first, inside the transaction.
    pub guard: Option<&'a Guard>,
    /// Behind a pooler: the lock to take inside the transaction.
    pub lock: Option<&'a LockKey>,
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

/// Who wrote the structure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// We did, over the session.
    Native,
    /// The database's own dump program.
    PgDump,
}

/// What is written to a structure file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DumpRequest {
    /// How; `None` is native where it is to be had.
    pub via: Option<Via>,
    /// Only these schemas, when there are any.
    pub schemas: Vec<String>,
    /// Not these schemas.
    pub exclude_schemas: Vec<String>,
    /// Not these tables.
    pub exclude_tables: Vec<String>,
    /// Not these extensions.
    pub exclude_extensions: Vec<String>,
    /// Who owns what, too.
    pub owners: bool,
    /// Who may do what, too.
    pub privileges: bool,
    /// The ledger: its table is part of the structure, [`crate::ledger::META_TABLE`] and
    /// [`crate::ledger::PROGRESS_TABLE`] never are.
    pub ledger: Option<LedgerTable>,
    /// Tables whose rows are left out on purpose, `public.audit_log`. The structure is the same with and without.
    pub without_rows: Vec<String>,
}

/// A structure as a driver writes it: the statements of a file, without its frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Structure {
    /// The statements, each with its `;`.
    pub text: String,
    /// What somebody who relies on the text should know: what could not be looked at, what is left out by rule. A
    /// sentence each.
    pub notes: Vec<String>,
    /// Where in the text rows are to stand; `None` is its end.
    pub rows_at: Option<usize>,
}

impl From<String> for Structure {
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

/// What a database says of one property of one object, in words that another database of the same structure says, too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fact {
    /// Where it stands: a catalog of the engine's.
    pub catalog: Arc<str>,
    /// The object: `public.users.name`.
    pub object: Arc<str>,
    /// The property, as the engine calls it: `attnotnull`.
    pub property: Arc<str>,
    /// Its value. What is not there has no fact.
    pub value: Arc<str>,
}

/// Everything that a database says of its structure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint {
    /// The facts, sorted. Two may be equal.
    pub facts: Vec<Fact>,
    /// Catalogs and columns (`pg_subscription.subconninfo`) that this role may not read.
    pub unread: Vec<String>,
    /// The engine's major version: facts of two say different things.
    pub server: String,
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
    /// Runs one statement outside of an explicit transaction where it demands that, else in one transaction with its
    /// changes. An index that is built concurrently is proved valid before the changes are recorded.
    fn run_alone<'a>(
        &'a mut self,
        statement: &'a str,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), ScriptError>>;
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
