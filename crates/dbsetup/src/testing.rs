//! A database for each test: a copy of a template that is filled once, removed when the test ends.
//!
//! ```ignore
//! #[dbsetup::test]
//! async fn a_user_is_found_by_name(pool: PgPool) -> sqlx::Result<()> {
//!     sqlx::query("INSERT INTO users (name) VALUES ('ada')").execute(&pool).await?;
//!     Ok(())
//! }
//! ```
//!
//! # Which server, which files
//!
//! The server is that of `<REPO>_DATABASE_URL_TEST`, else `<REPO>_DATABASE_URL`, else `DATABASE_URL_TEST`, else
//! `DATABASE_URL`, in the environment, else in the nearest `.env.test`, else in the nearest `.env`; else that of `url` in
//! `Cargo.toml`, for environment `test`. The database that the URL names is only connected to: the tests' own are beside it. Tests
//! of SQLite need no URL.
//!
//! The template has the structure, both lanes of migrations and the SQL seeds of environment `test`, of the package's
//! only repo (`priv/*/`, else `migrations/`), or of the one that the attribute names: `repo = "core"`, `migrations =
//! "db/migrations"`, `migrations = false` (an empty database), or `source = CORE` for one that the program carries. It
//! is made again when one of the files changes; one that nobody has used for two weeks is removed when another one is kept.
//!
//! # What a test takes
//!
//! | parameter | |
//! |---|---|
//! | `sqlx::PgPool`, `sqlx::SqlitePool` | a pool of sqlx 0.9 |
//! | `PoolConnection<Postgres>`, `PoolConnection<Sqlite>` | one connection of such a pool |
//! | `PgPoolOptions, PgConnectOptions`; `SqlitePoolOptions, SqliteConnectOptions` | for a pool of the test's own |
//! | [`Database`] | the URL: for every other crate, and for other versions of sqlx |
//! | a type of yours with [`FromDatabase`] | |
//! | none | a runtime, and no database |
//!
//! `fixtures("users", "posts")` runs `fixtures/users.sql` and `fixtures/posts.sql` beside the test's file;
//! `fixtures("../data/users.sql")` and `fixtures(path = "../data", scripts("users"))` name others.
//!
//! A function without `async` takes a [`Database`] and runs outside of any runtime, as a blocking client needs it.
//!
//! # What is left
//!
//! Nothing: also what a killed process leaves is removed by the next one. With `DBSETUP_TEST_KEEP=1` the database of a
//! test that fails stays, and its URL is said, until the same test runs again.

mod arguments;
mod database;
mod fixtures;
mod house;
mod origin;
#[cfg(feature = "postgres")]
mod postgres;
mod run;
#[cfg(feature = "sqlite")]
mod sqlite;
mod url;

pub use arguments::{Arguments, Engine, Fixture, Origin};
pub use database::{Database, FromDatabase};
pub use run::{Outcome, TestFn, block_on, can_be_taken, run, run_blocking};
