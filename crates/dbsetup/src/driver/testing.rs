//! The databases of a process's tests: made by copying, removed at the end, and recognised by another process when this
//! one was killed.

use std::path::PathBuf;

use super::{BoxFuture, DbError, TemplateName};
use crate::repo::{CreateOptions, DatabaseUrl};

/// A database that one test has for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestDatabase {
    /// Its name on the server; a file's name where there is none.
    pub name: String,
    /// Where it is, with everything that the server's own URL says besides.
    pub url: DatabaseUrl,
    /// The file, where a file is the database.
    pub path: Option<PathBuf>,
}

/// The databases of one process's tests on one server.
pub trait TestDatabases: Send + Sync {
    /// The environments that the database of the URL says it belongs to; empty where it is missing or says nothing.
    fn recorded(&self) -> &[String];
    /// How many connections all tests of the server may have at once; `None` where nothing limits them.
    fn connections(&self) -> Option<usize>;
    /// Returns a database that is not there yet, and that another process recognises as this one's once it is.
    fn reserve(&self) -> TestDatabase;
    /// The same, and never in memory: a template is made of it.
    fn reserve_file(&self) -> TestDatabase {
        self.reserve()
    }
    /// Makes a database as a copy of `template` or empty, and returns whether it could: not without the template, or
    /// where it is another role's.
    fn make<'a>(
        &'a self,
        database: &'a TestDatabase,
        template: Option<&'a TemplateName>,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, Result<bool, DbError>>;
    /// Removes a database that was reserved here, whoever is connected.
    fn remove<'a>(&'a self, database: &'a TestDatabase) -> BoxFuture<'a, Result<(), DbError>>;
    /// Leaves a database to a person, until `test` runs again.
    fn keep<'a>(&'a self, database: &'a TestDatabase, test: &'a str) -> BoxFuture<'a, Result<(), DbError>>;
    /// Removes what was kept of an earlier run of `test`.
    fn forget<'a>(&'a self, test: &'a str) -> BoxFuture<'a, ()>;
}
