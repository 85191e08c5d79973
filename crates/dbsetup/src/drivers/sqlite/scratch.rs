//! Databases to be thrown away: in the memory of this process, where nothing is left of a run that is killed.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::error;
use super::server::SqliteServer;
use crate::driver::{BoxFuture, DbError, Driver, Scratch, Server, SessionOptions, Target};

/// How many this process has made.
static MADE: AtomicU64 = AtomicU64::new(0);

/// A scratch database. It is there while a connection is open: between two sessions it is the keeper's.
pub(super) struct Memory {
    server: SqliteServer,
    keeper: Mutex<Option<SqliteConnection>>,
}

impl Memory {
    /// Makes one that nobody else knows.
    pub(super) async fn new(root: &Path) -> Result<Self, DbError> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let server = SqliteServer::named(format!("dbsetup-scratch-{number}"), root);
        let keeper = server.options().connect().await.map_err(|error| error::database(&error))?;
        Ok(Self { server, keeper: Mutex::new(Some(keeper)) })
    }
}

impl Scratch for Memory {
    fn target(&self) -> &Target {
        self.server.target()
    }

    fn connect<'a>(&'a self, options: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>> {
        self.server.connect(options)
    }

    fn discard(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(async {
            let keeper = self.keeper.lock().expect("nobody panics while holding it").take();
            match keeper {
                Some(keeper) => keeper.close().await.map_err(|error| error::database(&error)),
                None => Ok(()),
            }
        })
    }
}
