//! The databases that a test can run against, behind one handle.

use super::{postgres, sqlite};

/// A kind of database. A new one is a variant here and a file beside this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Sqlite,
    Postgres,
}

impl Backend {
    /// Returns the backends that this run can test, and says aloud which one it leaves out.
    pub fn available() -> Vec<Self> {
        let mut backends = vec![Self::Sqlite];
        if postgres::server().is_some() {
            backends.push(Self::Postgres);
        }
        backends
    }
}

/// One database of a project, to look into and to disturb.
#[derive(Debug)]
pub enum Database {
    Sqlite(sqlite::Database),
    Postgres(postgres::Database),
}

impl Database {
    /// Returns the rows of a query, every value as text, null as `NULL`.
    #[track_caller]
    pub fn query(&self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Self::Sqlite(database) => database.query(sql),
            Self::Postgres(database) => database.query(sql),
        }
    }

    /// Returns the only value of a query's only row.
    #[track_caller]
    pub fn value(&self, sql: &str) -> String {
        let rows = self.query(sql);
        match rows.as_slice() {
            [row] if row.len() == 1 => row[0].clone(),
            _ => panic!("one value expected from {sql}\ngot {rows:?}"),
        }
    }

    /// Returns the first column of a query.
    #[track_caller]
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.query(sql).into_iter().map(|mut row| row.swap_remove(0)).collect()
    }

    /// Runs statements; panics with the database's error when one fails.
    #[track_caller]
    pub fn execute(&self, sql: &str) {
        match self {
            Self::Sqlite(database) => database.execute(sql),
            Self::Postgres(database) => database.execute(sql),
        }
    }

    /// Returns the names of the tables that are no one's internals, sorted.
    #[track_caller]
    pub fn tables(&self) -> Vec<String> {
        self.column(match self {
            Self::Sqlite(_) => {
                "select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\' order by name"
            }
            Self::Postgres(_) => {
                "select relname from pg_class where relkind in ('r', 'p') \
                 and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema') order by relname"
            }
        })
    }

    /// Returns [`Database::tables`] without those in which the program keeps its notes.
    #[track_caller]
    pub fn user_tables(&self) -> Vec<String> {
        self.tables().into_iter().filter(|name| !name.starts_with("dbsetup_")).collect()
    }

    /// Makes the empty database, where a test wants one that the program did not make.
    #[track_caller]
    pub fn create(&self) {
        match self {
            Self::Sqlite(database) => database.create(),
            Self::Postgres(database) => database.create(),
        }
    }

    pub fn exists(&self) -> bool {
        match self {
            Self::Sqlite(database) => database.exists(),
            Self::Postgres(database) => database.exists(),
        }
    }
}
