//! What the attribute says of a test.

use crate::source::Source;

/// A test, as `#[dbsetup::test]` describes it.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Arguments {
    /// Its path: `shop::tests::a_user_is_found_by_name`.
    pub test: &'static str,
    /// The directory of its package.
    pub directory: &'static str,
    /// Its package.
    pub package: &'static str,
    /// Where the structure of its database comes from.
    pub origin: Origin,
    /// What is run on top, in order.
    pub fixtures: &'static [Fixture],
}

/// Where the structure of a test's database comes from.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Origin {
    /// The only repo of the package.
    Inferred,
    /// A value of the program's.
    Source(fn() -> Source),
    /// A repo of the package, by name.
    Repo(&'static str),
    /// A directory with migrations, relative to the package's.
    Migrations(&'static str),
    /// Nothing: the database is empty.
    Empty,
}

/// A SQL file that is run on the database of one test.
#[doc(hidden)]
#[derive(Debug, Clone, Copy)]
pub struct Fixture {
    /// Relative to the file of the test.
    pub path: &'static str,
    /// The file of the test, as the compiler names it.
    pub file: &'static str,
    /// Its content.
    pub text: &'static str,
}

/// A database engine that a parameter of a test stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}
