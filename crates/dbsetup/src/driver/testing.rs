//! The databases of a process's tests: made by copying, removed at the end, and recognised by another process when this
//! one was killed.

use std::path::PathBuf;

use super::{BoxFuture, DbError};
use crate::error::{Error, Result};
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

/// What fills a new, empty database that is to become a template. When it returns nobody is connected any more.
pub type Fill<'a> = Box<dyn FnOnce(TestDatabase) -> BoxFuture<'a, Result<(), Error>> + Send + 'a>;

/// The databases of one process's tests on one server.
pub trait TestDatabases: Send + Sync {
    /// The engine and as much of its version as a template's content may depend on: `PostgreSQL 15`.
    fn engine(&self) -> &str;
    /// The environments that the database of the URL says it belongs to; empty where it is missing or says nothing.
    fn recorded(&self) -> &[String];
    /// How many connections all tests of the server may have at once; `None` where nothing limits them.
    fn connections(&self) -> Option<usize>;
    /// Makes a database for `test`, a copy of `template` or empty; `None` when there is no such template. What was kept
    /// of an earlier run of the same test is removed.
    fn make<'a>(
        &'a self,
        test: &'a str,
        template: Option<&'a str>,
        options: &'a CreateOptions,
    ) -> BoxFuture<'a, Result<Option<TestDatabase>, DbError>>;
    /// Makes the template unless it is there, one process at a time. `note` says whose it is: templates with the same
    /// note that nobody has made a copy of for a week are removed.
    fn make_template<'a>(
        &'a self,
        template: &'a str,
        note: &'a str,
        options: &'a CreateOptions,
        fill: Fill<'a>,
    ) -> BoxFuture<'a, Result<(), Error>>;
    /// Removes a database of [`TestDatabases::make`], whoever is connected.
    fn remove<'a>(&'a self, database: &'a TestDatabase) -> BoxFuture<'a, Result<(), DbError>>;
    /// Leaves a database to a person, until `test` runs again.
    fn keep<'a>(&'a self, database: &'a TestDatabase, test: &'a str) -> BoxFuture<'a, Result<(), DbError>>;
}
