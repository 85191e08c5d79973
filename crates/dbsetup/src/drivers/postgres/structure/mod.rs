//! Writing the structure of a database: natively from the catalogs, or through pg_dump.

mod acl;
mod address;
mod catalog;
mod cells;
pub(super) mod census;
mod compose;
mod feature;
mod filter;
mod fingerprint;
mod guard;
mod name;
mod native;
mod node;
mod object;
mod order;
#[cfg(feature = "programs")]
mod pg_dump;
mod presence;
mod query;
mod read;
mod writer;

#[cfg(test)]
pub(super) use feature::Feature;
#[cfg(test)]
pub(super) use native::Snapshot;

#[cfg(not(feature = "programs"))]
use super::error::own;
use super::session::Session;
#[cfg(not(feature = "programs"))]
use crate::driver::DbErrorClass;
use crate::driver::{DbError, DumpRequest, Structure, Via};

impl Session {
    /// Returns the structure, and what is to be said about it.
    pub(super) async fn structure(&mut self, request: &DumpRequest) -> Result<Structure, DbError> {
        match request.via {
            #[cfg(not(feature = "programs"))]
            Some(Via::PgDump) => {
                let message = "this program cannot run pg_dump: it was built without the feature `programs`";
                Err(own(DbErrorClass::Unsupported, message))
            }
            #[cfg(feature = "programs")]
            Some(Via::PgDump) => {
                let role = self.options.role.as_deref();
                Ok(pg_dump::dump(&self.place, role, self.version, request).await?.into())
            }
            Some(Via::Native) | None => native::dump(self, request).await,
        }
    }
}
