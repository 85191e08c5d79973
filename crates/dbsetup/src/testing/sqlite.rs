//! What a test of SQLite takes of sqlx 0.9.

use sqlx::pool::PoolConnection;
use sqlx::sqlite::{Sqlite, SqliteConnectOptions, SqlitePool, SqlitePoolOptions};

use super::{Database, Engine, FromDatabase};
use crate::drivers::sqlite::connect_options;
use crate::error::{Error, Kind, Result};

/// How many connections a test's pool may open; nothing but the number of files that a process may open limits them.
const POOL: u32 = 100;

impl FromDatabase for SqliteConnectOptions {
    fn engine() -> Option<Engine> {
        Some(Engine::Sqlite)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        connect_options(database.database_url())
    }
}

impl FromDatabase for (SqlitePoolOptions, SqliteConnectOptions) {
    fn engine() -> Option<Engine> {
        Some(Engine::Sqlite)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        let pool = SqlitePoolOptions::new().max_connections(POOL);
        Ok((pool, SqliteConnectOptions::from_database(database).await?))
    }
}

impl FromDatabase for SqlitePool {
    fn engine() -> Option<Engine> {
        Some(Engine::Sqlite)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        let (pool, connection) = <(SqlitePoolOptions, SqliteConnectOptions)>::from_database(database).await?;
        let pool = pool.connect_with(connection).await.map_err(|error| failed(&error))?;
        let ended = pool.clone();
        database.at_end(async move { ended.close().await });
        Ok(pool)
    }
}

impl FromDatabase for PoolConnection<Sqlite> {
    fn engine() -> Option<Engine> {
        Some(Engine::Sqlite)
    }

    async fn from_database(database: &Database) -> Result<Self> {
        let pool = SqlitePool::from_database(database).await?;
        pool.acquire().await.map_err(|error| failed(&error))
    }
}

fn failed(error: &sqlx::Error) -> Error {
    Error::new(Kind::Io, format!("cannot open the test's database: {error}"))
}
