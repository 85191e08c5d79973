//! The port's part about failures: what a database answered, and what that means for the work.

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
    /// The statement makes what is there already.
    Exists,
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
