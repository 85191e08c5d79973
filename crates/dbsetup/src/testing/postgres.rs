//! What a test of PostgreSQL takes of sqlx 0.9.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, Postgres};

use super::house::POOL;
use super::{Database, Engine, FromDatabase};
use crate::driver::{DbError, DbErrorClass};
use crate::drivers::postgres::connect_options;
use crate::error::{Error, Kind, Result};

/// How long an unused connection of a test's pool stays open.
const IDLE: Duration = Duration::from_secs(1);

impl FromDatabase for PgConnectOptions {
    fn engine() -> Option<Engine> {
        Some(Engine::Postgres)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        connect_options(database.database_url(), database.test())
    }
}

impl FromDatabase for (PgPoolOptions, PgConnectOptions) {
    fn engine() -> Option<Engine> {
        Some(Engine::Postgres)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        let pool = PgPoolOptions::new().max_connections(POOL).idle_timeout(IDLE);
        Ok((pool, PgConnectOptions::from_database(database).await?))
    }
}

impl FromDatabase for PgPool {
    fn engine() -> Option<Engine> {
        Some(Engine::Postgres)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        let (pool, connection) = <(PgPoolOptions, PgConnectOptions)>::from_database(database).await?;
        let pool = pool.connect_with(connection).await.map_err(|error| failed(&error))?;
        let ended = pool.clone();
        database.at_end(async move { ended.close().await });
        Ok(pool)
    }
}

impl FromDatabase for PoolConnection<Postgres> {
    fn engine() -> Option<Engine> {
        Some(Engine::Postgres)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        let pool = PgPool::from_database(database).await?;
        pool.acquire().await.map_err(|error| failed(&error))
    }
}

/// The pool tries again while the server is full, and tells of the time that has passed.
fn failed(error: &sqlx::Error) -> Error {
    match error {
        sqlx::Error::PoolTimedOut => Error::new(Kind::Unreachable, "the server has had no connection left for the test's pool")
            .help(
                "more tests run at once than `max_connections` of the server allows: run fewer (`cargo test -- \
                 --test-threads 4`, `test-threads` of nextest), or start the server with a higher `max_connections`",
            ),
        other => DbError {
            class: DbErrorClass::Unreachable,
            message: format!("cannot connect to the test's database: {other}"),
            code: None,
            notes: Vec::new(),
        }
        .into(),
    }
}
