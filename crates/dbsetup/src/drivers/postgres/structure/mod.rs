//! Writing the structure of a database: natively from the catalogs, or through pg_dump.

mod acl;
mod address;
mod catalog;
mod cells;
mod compose;
mod feature;
mod filter;
mod guard;
mod name;
mod native;
mod node;
mod object;
mod order;
mod pg_dump;
mod query;
mod read;
mod writer;

use super::session::Session;
use crate::driver::{DbError, DumpRequest, Via};

impl Session {
    /// Returns the structure as text.
    pub(super) async fn structure(&mut self, request: &DumpRequest) -> Result<String, DbError> {
        match request.via {
            Some(Via::Native) => native::dump(self, request).await,
            _ => pg_dump::dump(&self.place, self.options.role.as_deref(), self.version, request).await,
        }
    }
}
