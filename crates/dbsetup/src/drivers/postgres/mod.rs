//! PostgreSQL, over sqlx's connection and the simple protocol alone.

mod backup;
mod catalog;
mod census;
mod copy;
mod error;
mod glance;
mod index;
mod lacks;
mod load;
mod lock;
mod os_user;
mod percent;
mod place;
mod plain;
mod rows;
mod scratch;
mod script;
mod server;
mod session;
mod structure;
mod template;
#[cfg(feature = "testing")]
mod testing;
mod text;
mod url;
mod vitals;
mod work;

#[cfg(test)]
mod tests;

use std::sync::{Mutex, PoisonError};

use sqlx::postgres::PgConnection;

use crate::driver::{
    About, Backup, BoxFuture, Created, DbError, DbErrorClass, Driver, Dropped, DumpRequest, Fetched,
    FilledTable, Fingerprint, FoundTable, Glance, LedgerState, LockKey, Present, Recovery, Rows, RowsRequest,
    Scratch, ScriptError, Server, SessionOptions, Sessions, Structure, Target, Vitals, Work,
};
use crate::error::Result;
use crate::ledger::{Change, LedgerTable};
use crate::repo::{CreateOptions, DatabaseUrl};
use crate::sql::Dialect;

use place::Place;
use session::Session;

#[cfg(feature = "testing")]
pub(crate) use testing::connect_options;

/// What a `postgres://` URL names.
pub struct PostgresServer {
    place: Place,
    maintenance: Option<Place>,
    target: Target,
    /// The connection that a database was dropped from: the next one is made from there.
    idle: Mutex<Option<PgConnection>>,
    /// As it was written: the URLs of tests' databases say all else that it says.
    #[cfg(feature = "testing")]
    url: Option<DatabaseUrl>,
}

impl PostgresServer {
    /// Reads `url` without connecting. Databases are created and dropped from `maintenance`, else from `postgres` or
    /// `template1` on the same server.
    ///
    /// # Errors
    /// [`Kind::Configuration`](crate::error::Kind::Configuration) when a URL does not parse, has an unknown parameter,
    /// names several hosts, or a name in it has more than 63 bytes.
    pub fn new(url: &DatabaseUrl, maintenance: Option<&DatabaseUrl>) -> Result<Self> {
        let place = Place::parse(url)?;
        let maintenance = maintenance.map(Place::parse).transpose()?;
        #[cfg_attr(
            not(feature = "testing"),
            expect(unused_mut, reason = "only tests ask for the URL itself")
        )]
        let mut server = Self::at(place, maintenance);
        #[cfg(feature = "testing")]
        {
            server.url = Some(url.clone());
        }
        Ok(server)
    }

    fn at(place: Place, maintenance: Option<Place>) -> Self {
        let target = Target {
            shown: place.shown(),
            database: place.database.clone(),
            local: place.is_local(),
            plain_text_over_network: !place.is_local() && !place.demands_tls(),
            address: Some(place.address()),
        };
        Self {
            place,
            maintenance,
            target,
            idle: Mutex::default(),
            #[cfg(feature = "testing")]
            url: None,
        }
    }

    fn take_idle(&self) -> Option<PgConnection> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Keeps a connection for what follows, or closes it.
    async fn leave_idle(&self, connection: PgConnection) {
        let other = self.idle.lock().unwrap_or_else(PoisonError::into_inner).replace(connection);
        if let Some(other) = other {
            server::close(other).await;
        }
    }

    /// Another database of the same server.
    fn with_database(&self, database: &str) -> Self {
        Self::at(self.place.with_database(database), self.maintenance.clone())
    }
}

impl Server for PostgresServer {
    fn target(&self) -> &Target {
        &self.target
    }

    fn dialect(&self) -> Dialect {
        Dialect::Postgres
    }

    fn exists(&self) -> BoxFuture<'_, Result<bool, DbError>> {
        Box::pin(server::exists(&self.place))
    }

    fn create<'a>(&'a self, options: &'a CreateOptions) -> BoxFuture<'a, Result<Created, DbError>> {
        Box::pin(async move {
            // Whoever is left of a drop, or has looked for a template in vain, has seen that it is not there.
            if let Some(mut connection) = self.take_idle() {
                let made = server::create_from(&mut connection, &self.place.database, options).await;
                server::close(connection).await;
                // It may have been ended meanwhile.
                if !made.as_ref().is_err_and(|error| error.class == DbErrorClass::ConnectionLost) {
                    return made;
                }
            }
            server::create(&self.place, self.maintenance.as_ref(), options).await
        })
    }

    fn drop(&self, sessions: Sessions) -> BoxFuture<'_, Result<Dropped, DbError>> {
        Box::pin(async move {
            let (dropped, connection) =
                server::drop_database(&self.place, self.maintenance.as_ref(), sessions).await?;
            match (connection, &dropped) {
                (Some(connection), Dropped::Now { .. }) => self.leave_idle(connection).await,
                (Some(connection), Dropped::Already) => server::close(connection).await,
                (None, _) => {}
            }
            Ok(dropped)
        })
    }

    fn ping(&self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(server::ping(&self.place))
    }

    fn connect<'a>(&'a self, options: &'a SessionOptions) -> BoxFuture<'a, Result<Box<dyn Driver>, DbError>> {
        Box::pin(async move {
            let session = Session::connect(&self.place, options).await?;
            Ok(Box::new(session) as Box<dyn Driver>)
        })
    }

    fn glance<'a>(
        &'a self,
        options: &'a SessionOptions,
        ledger: &'a LedgerTable,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<Option<Glance>, DbError>> {
        Box::pin(glance::glance(&self.place, options, ledger, names))
    }

    fn backup<'a>(
        &'a self,
        _application: String,
    ) -> BoxFuture<'a, Result<Option<Box<dyn Backup + 'a>>, DbError>> {
        Box::pin(async {
            let backup = backup::DatabaseBackup::take(self).await?;
            Ok(backup.map(|backup| Box::new(backup) as Box<dyn Backup + 'a>))
        })
    }

    fn end_session<'a>(&'a self, session: &'a str) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(server::end_session(&self.place, session))
    }

    fn scratch<'a>(
        &'a self,
        elsewhere: Option<&'a DatabaseUrl>,
        owner: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Box<dyn Scratch>, DbError>> {
        Box::pin(scratch::make(&self.place, self.maintenance.as_ref(), elsewhere, owner))
    }

    #[cfg(feature = "testing")]
    fn test_databases(
        &self,
    ) -> BoxFuture<'_, Result<std::sync::Arc<dyn crate::driver::TestDatabases>, DbError>> {
        Box::pin(async {
            let url = self.url.as_ref().expect("who makes databases for tests has a URL");
            let databases = testing::Databases::open(&self.place, url).await?;
            Ok(std::sync::Arc::new(databases) as std::sync::Arc<dyn crate::driver::TestDatabases>)
        })
    }
}

impl Driver for Session {
    fn about(&self) -> &About {
        &self.about
    }

    fn find_tables<'a>(&'a mut self, names: &'a [String]) -> BoxFuture<'a, Result<Vec<FoundTable>, DbError>> {
        Box::pin(self.tables(names))
    }

    fn read_ledger<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        present: Present,
    ) -> BoxFuture<'a, Result<LedgerState, DbError>> {
        Box::pin(self.state(ledger, present))
    }

    fn user_objects<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        limit: usize,
    ) -> BoxFuture<'a, Result<Vec<String>, DbError>> {
        Box::pin(self.objects(ledger, limit))
    }

    fn unknown_settings<'a>(
        &'a mut self,
        names: &'a [String],
    ) -> BoxFuture<'a, Result<Vec<String>, DbError>> {
        Box::pin(self.without_settings(names))
    }

    fn dump<'a>(&'a mut self, request: &'a DumpRequest) -> BoxFuture<'a, Result<Structure, DbError>> {
        Box::pin(self.structure(request))
    }

    fn fingerprint<'a>(
        &'a mut self,
        request: &'a DumpRequest,
    ) -> BoxFuture<'a, Result<Fingerprint, DbError>> {
        Box::pin(self.fingerprint_of(request))
    }

    fn table_rows<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
    ) -> BoxFuture<'a, Result<Vec<FilledTable>, DbError>> {
        Box::pin(self.filled_tables(ledger))
    }

    fn read_rows<'a>(&'a mut self, request: &'a RowsRequest) -> BoxFuture<'a, Result<Rows, DbError>> {
        Box::pin(self.rows_of(request))
    }

    fn vitals(&mut self) -> BoxFuture<'_, Result<Vitals, DbError>> {
        Box::pin(self.look_for_trouble())
    }

    fn try_lock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<bool, DbError>> {
        Box::pin(self.try_lock_session(key))
    }

    fn unlock<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(self.unlock_session(key))
    }

    fn lock_holder<'a>(&'a mut self, key: &'a LockKey) -> BoxFuture<'a, Result<Option<String>, DbError>> {
        Box::pin(self.holder(key))
    }

    fn prepare<'a>(
        &'a mut self,
        ledger: &'a LedgerTable,
        wanted: Present,
    ) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(self.make_tables(ledger, wanted))
    }

    fn use_ledger(&mut self, ledger: &LedgerTable) {
        self.ledger = Some(ledger.clone());
    }

    fn transact<'a>(&'a mut self, work: Work<'a>) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.run_work(work))
    }

    fn run_alone<'a>(
        &'a mut self,
        statement: &'a str,
        changes: &'a [Change],
    ) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.run_statement(statement, changes))
    }

    fn keep<'a>(&'a mut self, settings: Option<&'a [String]>) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(self.keep_settings(settings.unwrap_or_default()))
    }

    fn recover<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<Recovery, DbError>> {
        Box::pin(self.find_out(statement))
    }

    fn begin(&mut self, loading: bool) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.begin_transaction(loading))
    }

    fn execute<'a>(&'a mut self, script: &'a str) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.run_batch(script))
    }

    fn fetch<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<Fetched, ScriptError>> {
        Box::pin(self.run_and_keep(statement))
    }

    fn copy_begin<'a>(&'a mut self, statement: &'a str) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.copy_start(statement))
    }

    fn copy_data<'a>(&'a mut self, data: &'a [u8]) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.copy_send(data))
    }

    fn copy_end(&mut self) -> BoxFuture<'_, Result<u64, ScriptError>> {
        Box::pin(self.copy_finish())
    }

    fn commit<'a>(&'a mut self, changes: &'a [Change]) -> BoxFuture<'a, Result<(), ScriptError>> {
        Box::pin(self.finish(changes))
    }

    fn rollback(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.abandon())
    }

    fn lock_capacity(&mut self) -> BoxFuture<'_, Result<Option<u64>, DbError>> {
        Box::pin(async { Ok(self.lock_slots) })
    }

    fn drop_empty_ledger<'a>(&'a mut self, ledger: &'a LedgerTable) -> BoxFuture<'a, Result<(), DbError>> {
        Box::pin(self.forget_empty_ledger(ledger))
    }

    fn empty(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.remove_everything())
    }

    fn make_durable(&mut self) -> BoxFuture<'_, Result<(), DbError>> {
        Box::pin(self.flush())
    }

    /// sqlx hands notices to `tracing` and keeps none: there is nothing to return.
    fn take_notices(&mut self) -> Vec<String> {
        Vec::new()
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(self.goodbye())
    }
}
