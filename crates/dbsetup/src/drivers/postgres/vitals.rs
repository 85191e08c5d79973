//! What a role may do here, how it is connected, and what interrupted index builds have left behind.

use super::error::own;
use super::session::Session;
use crate::driver::{BrokenIndex, DbError, DbErrorClass, Vitals};

/// Rights of the role in the first schema of the path, rights of who connected, and the connection itself.
///
/// `pg_stat_ssl` shows a session itself to everybody:
/// <https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-SSL-VIEW>.
const RIGHTS: &str = "SELECT current_user, \
     CASE WHEN pg_catalog.current_schema() IS NULL THEN NULL \
     ELSE pg_catalog.has_schema_privilege(pg_catalog.current_schema()::text, 'CREATE') END, \
     pg_catalog.format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', pg_catalog.current_schema(), current_user), \
     (SELECT r.rolcreatedb OR r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = session_user), \
     (SELECT s.ssl FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_catalog.pg_backend_pid())";

/// Indexes of tables that are not valid and that nobody is building. One of a partitioned table (`I`) is not valid until
/// every partition has its own, and that is no trouble.
///
/// <https://www.postgresql.org/docs/current/sql-createindex.html#SQL-CREATEINDEX-CONCURRENTLY>: what is left is dropped, or
/// built again. `REINDEX CONCURRENTLY` leaves `_ccnew` and `_ccold`, which are to be dropped:
/// <https://www.postgresql.org/docs/current/sql-reindex.html#SQL-REINDEX-CONCURRENTLY>.
const BROKEN: &str = "SELECT pg_catalog.format('%I.%I', n.nspname, c.relname), c.relname ~ '_cc(new|old)[0-9]*$' \
     FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class c ON c.oid = i.indexrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE NOT (i.indisvalid AND i.indisready) AND c.relkind = 'i' AND n.nspname !~ '^pg_(temp_|toast_temp_)' \
     AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_progress_create_index p WHERE p.index_relid = c.oid) ORDER BY 1";

impl Session {
    pub(super) async fn look_for_trouble(&mut self) -> Result<Vitals, DbError> {
        let answers = self.looks(vec![RIGHTS.to_owned(), BROKEN.to_owned()]).await?;
        let [rights, broken] = &answers[..] else {
            return Err(own(DbErrorClass::Unsupported, "the server did not answer every question"));
        };
        let text = |at: usize| rights.first().and_then(|row| row.get(at)).and_then(Clone::clone);
        let fact = |at: usize| text(at).map(|value| value == "t");
        let broken = broken.iter().filter_map(|row| {
            let name = row.first().cloned().flatten()?;
            let is_remainder = row.get(1).is_some_and(|value| value.as_deref() == Some("t"));
            let verb = if is_remainder { "DROP" } else { "REINDEX" };
            Some(BrokenIndex { remedy: format!("{verb} INDEX CONCURRENTLY {name}"), name })
        });
        Ok(Vitals {
            role: text(0),
            may_create_objects: fact(1),
            grant: text(2),
            may_create_databases: fact(3),
            encrypted: fact(4),
            broken_indexes: broken.collect(),
        })
    }
}
