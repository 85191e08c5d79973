//! The ledger: the table of applied versions, ours or a peer's own. Kinds, shapes and rows; no database here.
//!
//! Peers' tables are written exactly as the peers write them, so that they go on working beside us:
//! sqlx 0.9, diesel 2.3, refinery 0.10 and dbmate 2.36.

mod statements;

use std::fmt;
use std::time::Duration;

pub use statements::{
    create_meta, create_progress, create_table, delete_row, insert_row, record, select_meta, select_progress,
    select_rows, unsorted,
};

/// The name of our table beside any ledger: key, value.
pub const META_TABLE: &str = "dbsetup_meta";
/// The name of our table of migrations that run without a transaction, present only while one runs.
pub const PROGRESS_TABLE: &str = "dbsetup_progress";

/// The source of a row whose migration is code of the application, and not a file.
pub const CODE_SOURCE: &str = "code";

/// Keys of [`META_TABLE`].
pub mod meta_key {
    /// The version of our formats: `1`.
    pub const FORMAT: &str = "format";
    /// The environment that the database belongs to.
    pub const ENVIRONMENT: &str = "environment";
    /// Followed by the name of a ledger table: the repo that it belongs to.
    pub const REPO_PREFIX: &str = "repo:";
    /// Set when a structure was loaded: the file's checksum.
    pub const LOADED: &str = "loaded";
    /// Set while a structure is loaded in several transactions.
    pub const LOADING: &str = "loading";
    /// Set when the database was created by us and not seeded since.
    pub const UNSEEDED: &str = "unseeded";
    /// When the database was seeded.
    pub const SEEDED: &str = "seeded";
    /// Set from the beginning of a release's first `setup` until every lane has been run: it is owed the manual ones.
    pub const SETUP: &str = "setup";
    /// Set while migrations run whose failure puts a copy back: a random text that the copy has, too.
    pub const BACKUP: &str = "backup";
    /// Followed by the version: the checksum where a peer's ledger keeps none.
    pub const CHECKSUM_PREFIX: &str = "checksum:";
    /// Followed by the version: the checksum of a migration whose row a baseline's row has replaced.
    pub const SQUASHED_PREFIX: &str = "squashed:";
}

/// Whose ledger a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LedgerKind {
    /// Our own `schema_migrations`.
    Dbsetup,
    /// `_sqlx_migrations`.
    Sqlx,
    /// `__diesel_schema_migrations`.
    Diesel,
    /// `refinery_schema_history`.
    Refinery,
    /// dbmate's `schema_migrations`.
    Dbmate,
}

impl LedgerKind {
    /// Every kind, ours first.
    pub const ALL: [Self; 5] = [Self::Dbsetup, Self::Sqlx, Self::Diesel, Self::Refinery, Self::Dbmate];

    /// The word for it in configuration and messages.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dbsetup => "schema_migrations",
            Self::Sqlx => "sqlx",
            Self::Diesel => "diesel",
            Self::Refinery => "refinery",
            Self::Dbmate => "dbmate",
        }
    }

    /// Returns the kind that a configuration names.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// The table's name where nothing else is configured.
    pub fn default_table(self) -> &'static str {
        match self {
            Self::Dbsetup | Self::Dbmate => "schema_migrations",
            Self::Sqlx => "_sqlx_migrations",
            Self::Diesel => "__diesel_schema_migrations",
            Self::Refinery => "refinery_schema_history",
        }
    }

    /// Whether the ledger itself keeps a checksum of what was run.
    pub fn keeps_checksums(self) -> bool {
        !matches!(self, Self::Diesel | Self::Dbmate)
    }

    /// Returns the kind whose columns a table has, whatever its name. Extra columns are allowed only in ours,
    /// where a newer release may have added one.
    pub fn of_columns(columns: &[Column]) -> Option<Self> {
        let has = |name: &str| columns.iter().any(|column| column.name.eq_ignore_ascii_case(name));
        let all = |names: &[&str]| names.iter().all(|name| has(name));
        let exactly = |names: &[&str]| all(names) && columns.len() == names.len();
        if all(&["version", "seq", "name", "source", "checksum", "applied_at"]) {
            Some(Self::Dbsetup)
        } else if exactly(&[
            "version",
            "description",
            "installed_on",
            "success",
            "checksum",
            "execution_time",
        ]) {
            Some(Self::Sqlx)
        } else if exactly(&["version", "run_on"]) {
            Some(Self::Diesel)
        } else if exactly(&["version", "name", "applied_on", "checksum"]) {
            Some(Self::Refinery)
        } else if exactly(&["version"]) && columns[0].type_name.to_ascii_lowercase().contains("char") {
            Some(Self::Dbmate)
        } else {
            None
        }
    }
}

impl fmt::Display for LedgerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One column of a table as the catalog describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as the catalog spells it.
    pub type_name: String,
}

/// A ledger that exists or is to be made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LedgerTable {
    /// Whose format.
    pub kind: LedgerKind,
    /// The schema; `None` where the engine has none.
    pub schema: Option<String>,
    /// The table.
    pub name: String,
    /// Whether versions have eight bytes (only refinery has both widths, and its checksum depends on it).
    pub wide: bool,
}

impl LedgerTable {
    /// The name as people write it: `public.schema_migrations`.
    pub fn shown(&self) -> String {
        match &self.schema {
            Some(schema) => format!("{schema}.{}", self.name),
            None => self.name.clone(),
        }
    }
}

/// A row of a ledger, as it was read. What a peer's table does not keep is `None`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppliedRow {
    /// The version as the ledger stores it.
    pub version: String,
    /// The order of application; rows that a structure file brought have none, and are older than all others.
    pub seq: Option<i64>,
    /// What the migration is called.
    pub name: Option<String>,
    /// The directory that it came from.
    pub source: Option<String>,
    /// The checksum as text: ours with its `sha256:` prefix, sqlx's in hexadecimal, refinery's in decimal.
    pub checksum: Option<String>,
    /// When it was applied, as the server prints it.
    pub applied_at: Option<String>,
    /// `false` where sqlx recorded a failure.
    pub success: bool,
    /// Whether the table has no such row any more: that of a baseline migration speaks for it.
    pub absorbed: bool,
}

impl AppliedRow {
    /// Whether its migration is code of the application. Files have a checksum, also those of a directory of this name.
    pub fn is_code(&self) -> bool {
        self.source.as_deref() == Some(CODE_SOURCE) && self.checksum.is_none()
    }
}

/// A row to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRow {
    /// The version, verbatim.
    pub version: String,
    /// The order of application; `None` is one more than the highest so far. Only our ledger keeps it.
    pub seq: Option<i64>,
    /// What the migration is called, in the ledger's own spelling.
    pub name: String,
    /// The directory that it came from.
    pub source: String,
    /// The checksum in the ledger's own form; `None` where the ledger keeps none.
    pub checksum: Option<String>,
    /// How long it took.
    pub took: Took,
}

/// How long a migration took, as far as it can be told when its row is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Took {
    /// Nothing was run.
    Nothing,
    /// Since the transaction began that the row is written in. The server tells, where it can.
    ThisTransaction,
    /// So long, measured on this side.
    Measured(Duration),
}

/// How far a migration without a transaction has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The migration.
    pub version: String,
    /// `true` while its down side runs.
    pub reverting: bool,
    /// Statements that are done.
    pub done: usize,
    /// Statements in all.
    pub total: usize,
    /// The checksum of the statements that are done, to notice that they were edited in between.
    pub checksum: String,
    /// A person has decided that the statement that was in flight is to be run again.
    pub retry: bool,
}

/// A change of the ledger or of our tables beside it, made together with the work that it records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Adds a row.
    Insert(NewRow),
    /// Removes the row of a version.
    Delete { version: String },
    /// Replaces the checksum of a version's row.
    SetChecksum { version: String, checksum: String },
    /// Sets a key of [`META_TABLE`].
    SetMeta { key: String, value: String },
    /// Removes a key of [`META_TABLE`].
    ClearMeta { key: String },
    /// Writes how far a migration without a transaction has come.
    SetProgress(Progress),
    /// Forgets it: the migration is done, or undone.
    ClearProgress { version: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(names: &[(&str, &str)]) -> Vec<Column> {
        names
            .iter()
            .map(|(name, type_name)| Column { name: (*name).into(), type_name: (*type_name).into() })
            .collect()
    }

    #[test]
    fn a_ledger_is_known_by_its_columns_not_by_its_name() {
        let sqlx = ["version", "description", "installed_on", "success", "checksum", "execution_time"];
        assert_eq!(
            LedgerKind::of_columns(&columns(&sqlx.map(|name| (name, "text")))),
            Some(LedgerKind::Sqlx)
        );
        assert_eq!(
            LedgerKind::of_columns(&columns(&[("version", "character varying")])),
            Some(LedgerKind::Dbmate)
        );
        assert_eq!(
            LedgerKind::of_columns(&columns(&[("version", "varchar"), ("run_on", "t")])),
            Some(LedgerKind::Diesel)
        );
    }

    #[test]
    fn the_tables_of_ecto_and_golang_migrate_are_nobodys() {
        assert_eq!(
            LedgerKind::of_columns(&columns(&[("version", "bigint"), ("inserted_at", "timestamp")])),
            None
        );
        assert_eq!(LedgerKind::of_columns(&columns(&[("version", "bigint"), ("dirty", "boolean")])), None);
        assert_eq!(LedgerKind::of_columns(&columns(&[("version", "bigint")])), None);
    }
}
