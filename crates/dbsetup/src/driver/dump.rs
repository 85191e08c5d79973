//! The port's part about structures: what is written of one, and what a database says of it.

use std::sync::Arc;

use crate::ledger::LedgerTable;

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
