//! What the catalogs say of a database, without a word about kinds of objects: each row of each catalog that belongs
//! to an object of the user becomes facts (catalog, object, property, value) that hold no OID.
//!
//! It is the proof of the dump, and so it shares nothing with what writes one: which catalogs there are, their columns,
//! keys and references are asked of the server ([`shape`]), so that a column of a release to come is compared on its
//! first day. What two databases of one structure may differ in stands in one list ([`exceptions`]).
//!
//! Two messages whatever the number of objects: the shape, then every row.

mod acl;
mod exceptions;
mod facts;
mod names;
mod pattern;
mod queries;
mod scope;
mod shape;

use self::names::Names;
use self::scope::Scope;
use self::shape::Shape;
use super::super::session::Session;
use crate::driver::{DbError, DumpRequest, Fingerprint, Via};

/// The first identifier that is not the engine's own.
/// <https://www.postgresql.org/docs/current/system-catalog-initial-data.html#SYSTEM-CATALOG-OID-ASSIGNMENT>
const FIRST_USER_OID: u32 = 16_384;

/// A row of a catalog: the values of [`shape::Catalog::columns`], in their order.
type Row = Vec<Option<String>>;

impl Session {
    /// Returns the facts of what `request` dumps, sorted. Inside an open transaction they are those of its moment, and
    /// the settings that pin the server's words hold until its end.
    pub(in super::super) async fn fingerprint_of(
        &mut self,
        request: &DumpRequest,
    ) -> Result<Fingerprint, DbError> {
        let result = self.read_facts(request).await;
        if result.is_err() && self.connection.is_some() && !self.open {
            // What failed first is what is told.
            let _ = self.message("ROLLBACK".into()).await;
        }
        result
    }

    async fn read_facts(&mut self, request: &DumpRequest) -> Result<Fingerprint, DbError> {
        let begin = if self.open { Vec::new() } else { queries::begin(&self.local_settings()) };
        let end = if self.open { "" } else { ";\nCOMMIT" };
        let before = begin.len();
        let asked = [begin, queries::shape(self.version)].concat();
        let mut answers = self.message(asked.join(";\n")).await?.into_iter().skip(before);
        let mut next = || answers.next().unwrap_or_default();
        let path = next().into_iter().flatten().flatten().collect::<Vec<_>>();
        let mut shape = Shape::new(&next(), &next(), &next());
        exceptions::apply(&mut shape, request);
        let asked = queries::rows(&shape, request);
        let statements: Vec<&str> = asked.iter().map(|query| query.text.as_str()).collect();
        let answers = self.message(format!("{}{end}", statements.join(";\n"))).await?;
        let mut names = Names::new(&shape);
        for (query, rows) in asked.iter().zip(answers) {
            names.learn(query, rows);
        }
        names.index();
        // pg_dump looks for a table without a schema on the search path, and we look everywhere.
        let by_pg_dump = match request.via {
            Some(via) => via == Via::PgDump,
            None => !self.about.capabilities.native_dump,
        };
        let scope = Scope::new(&names, request, by_pg_dump.then_some(&path));
        let mut facts = facts::facts(&names, &scope);
        facts.sort_unstable();
        Ok(Fingerprint { facts, unread: shape.unread, server: (self.version / 10_000).to_string() })
    }
}
