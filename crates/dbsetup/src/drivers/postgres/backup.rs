//! A copy of a database beside it on its server, put back by two renames in one transaction.
//!
//! `CREATE DATABASE … TEMPLATE` wants nobody connected to the original
//! (<https://www.postgresql.org/docs/current/manage-ag-templatedbs.html>), and brings nothing along that belongs to the
//! database itself, as its privileges and settings: a database that has such is refused.

use sha2::{Digest, Sha256};
use sqlx::postgres::PgConnection;
use tokio::time::{Duration, Instant, sleep};

use super::catalog::cell;
use super::error::{advised, has_code, own};
use super::place::NAME_LIMIT;
use super::server::{ask, drop_from, maintenance, run_creation};
use super::text::{literal, name};
use super::{PostgresServer, lacks};
use crate::driver::{Backup, BoxFuture, DbError, DbErrorClass, Server, Sessions};

/// How long sessions that are just saying goodbye are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);

/// The right to keep a copy of a database: an advisory lock where databases are made from.
pub(super) struct DatabaseBackup<'a> {
    server: &'a PostgresServer,
    connection: PgConnection,
}

/// What keeps a database `d` from being removed, and is nothing that a copy lacks.
const SLOT: &str = "EXISTS (SELECT FROM pg_catalog.pg_replication_slots s WHERE s.database = d.datname)";

/// Returns a name that belongs to a database, as long as names may be.
fn beside(database: &str, suffix: &str) -> String {
    let name = format!("{database}{suffix}");
    if name.len() <= NAME_LIMIT {
        return name;
    }
    let digest = Sha256::digest(database);
    format!("dbsetup_{}{suffix}", crate::migration::checksum::hex(&digest[..8]))
}

fn key(database: &str) -> i64 {
    let digest = Sha256::digest(format!("dbsetup-backup\0{database}"));
    i64::from_be_bytes(*digest.first_chunk::<8>().expect("a SHA-256 has 32 bytes"))
}

impl<'a> DatabaseBackup<'a> {
    /// Takes the right, unless somebody else has it.
    pub(super) async fn take(server: &'a PostgresServer) -> Result<Option<Self>, DbError> {
        let mut connection = maintenance(&server.place, server.maintenance.as_ref()).await?;
        let key = key(&server.place.database);
        let rows = ask(&mut connection, format!("SELECT pg_catalog.pg_try_advisory_lock({key})")).await?;
        if super::lock::is_true(&rows) {
            return Ok(Some(Self { server, connection }));
        }
        super::server::close(connection).await;
        Ok(None)
    }

    fn database(&self) -> &'a str {
        &self.server.place.database
    }

    fn copy_name(&self) -> String {
        beside(self.database(), "_dbsetup_backup")
    }

    fn failed_name(&self) -> String {
        beside(self.database(), "_dbsetup_failed")
    }

    async fn is_there(&mut self, database: &str) -> Result<bool, DbError> {
        let text = format!("SELECT 1 FROM pg_catalog.pg_database WHERE datname = {}", literal(database));
        Ok(!ask(&mut self.connection, text).await?.is_empty())
    }

    /// Refuses what could not be copied or put back, before anything is done.
    async fn refuse(&mut self) -> Result<(), DbError> {
        let text = format!(
            "SELECT r.rolcreatedb OR r.rolsuper, pg_catalog.pg_has_role(d.datdba, 'USAGE'), \
             pg_catalog.pg_get_userbyid(d.datdba), {SLOT}, {} \
             FROM pg_catalog.pg_database d, pg_catalog.pg_roles r \
             WHERE d.datname = {} AND r.rolname = current_user",
            lacks::conditions(),
            literal(self.database())
        );
        let rows = ask(&mut self.connection, text).await?;
        let Some(row) = rows.first() else {
            return Err(own(DbErrorClass::DatabaseMissing, "the database is not there any more"));
        };
        let database = self.database();
        let (class, message, help) = if cell(row, 0) != "t" {
            (
                DbErrorClass::Permission,
                "this role may not create databases".to_owned(),
                "grant it with `ALTER ROLE … CREATEDB`, or set `maintenance-url`",
            )
        } else if cell(row, 1) != "t" {
            (
                DbErrorClass::Permission,
                format!("`{database}` belongs to `{}`, and this role may not rename it", cell(row, 2)),
                "let its owner make the copy, in `maintenance-url`",
            )
        } else if let Some(what) =
            lacks::first(row, 4).or((cell(row, 3) == "t").then_some("a logical replication slot"))
        {
            (
                DbErrorClass::Unsupported,
                format!("`{database}` has {what} of its own, which a copy does not have"),
                "take another failure policy, and the backups of the server",
            )
        } else {
            return Ok(());
        };
        Err(advised(own(class, format!("no copy of the database can be kept: {message}")), help))
    }

    async fn copied(&mut self) -> Result<(), DbError> {
        self.refuse().await?;
        self.discarded().await?;
        let owner = format!(
            "SELECT pg_catalog.pg_get_userbyid(datdba) FROM pg_catalog.pg_database WHERE datname = {}",
            literal(self.database())
        );
        let owner =
            ask(&mut self.connection, owner).await?.first().map(|row| cell(row, 0)).unwrap_or_default();
        let copy = self.copy_name();
        let statement = format!(
            "CREATE DATABASE {} OWNER = {} TEMPLATE = {}",
            name(&copy),
            name(&owner),
            name(self.database())
        );
        let made = run_creation(&mut self.connection, &copy, &statement).await;
        made.map(drop).map_err(|error| match error.code.as_deref() {
            Some("55006") => advised(
                error,
                "a copy can be made only while nobody is connected: stop the application everywhere first",
            ),
            _ => error,
        })
    }

    async fn restored(&mut self) -> Result<(), DbError> {
        let (database, copy, failed) =
            (name(self.database()), name(&self.copy_name()), name(&self.failed_name()));
        self.drop_database(self.failed_name()).await?;
        // Both names change at once, or neither does.
        let swap = format!(
            "BEGIN;\nALTER DATABASE {database} RENAME TO {failed};\nALTER DATABASE {copy} RENAME TO {database};\nCOMMIT"
        );
        let deadline = Instant::now() + PATIENCE;
        loop {
            match ask(&mut self.connection, swap.clone()).await {
                Ok(_) => break,
                Err(error) => {
                    ask(&mut self.connection, "ROLLBACK".into()).await?;
                    if !has_code(&error, "55006") || Instant::now() >= deadline {
                        return Err(error);
                    }
                }
            }
            sleep(PAUSE).await;
        }
        // What failed is looked at by nobody; the next copy removes it if this does not.
        let _ = self.drop_database(self.failed_name()).await;
        Ok(())
    }

    async fn drop_database(&mut self, database: String) -> Result<(), DbError> {
        drop_from(&mut self.connection, &database, Sessions::Keep).await.map(drop)
    }

    async fn discarded(&mut self) -> Result<(), DbError> {
        self.drop_database(self.copy_name()).await?;
        self.drop_database(self.failed_name()).await
    }
}

impl Backup for DatabaseBackup<'_> {
    fn copy(&mut self) -> BoxFuture<'_, Result<Option<Box<dyn Server>>, DbError>> {
        Box::pin(async {
            let copy = self.copy_name();
            if !self.is_there(&copy).await? {
                return Ok(None);
            }
            Ok(Some(Box::new(self.server.with_database(&copy)) as Box<dyn Server>))
        })
    }

    fn make(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.copied())
    }

    fn put_back(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.restored())
    }

    fn discard(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.discarded())
    }
}
