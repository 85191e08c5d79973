//! Advisory locks: their keys, taking them, and who holds them.
//!
//! <https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS>

use sha2::{Digest, Sha256};

use super::error::{PAST_POOLER, advised, own};
use super::session::Session;
use super::text::literal;
use crate::driver::{DbError, DbErrorClass, LockKey};
use crate::ledger::LedgerKind;
use crate::repo::Lane;

/// Returns the key of a lock.
///
/// In a ledger of sqlx's, the automatic lane's key is sqlx's own, which depends on the database alone, so that an
/// application's `migrate!().run()` and we wait for each other.
pub(super) fn key(lock: &LockKey, database: &str) -> i64 {
    if lock.ledger.kind == LedgerKind::Sqlx && lock.lane == Lane::Automatic {
        // The product of two numbers of 30 and 32 bits fits.
        return 0x3d32_ad9e
            * i64::from(crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(database.as_bytes()));
    }
    let digest = Sha256::digest(format!("dbsetup\0{}\0{}", lock.ledger.shown(), lock.lane));
    let first = *digest.first_chunk::<8>().expect("a SHA-256 has 32 bytes");
    i64::from_be_bytes(first)
}

/// The condition on `pg_locks` that finds a key: its halves stand in two columns, and `objsubid` tells it from a
/// pair of small keys.
fn held(key: i64) -> String {
    let [a, b, c, d, e, f, g, h] = key.to_be_bytes();
    format!(
        "l.locktype = 'advisory' AND l.classid = {} AND l.objid = {} AND l.objsubid = 1 AND l.granted \
         AND l.mode = 'ExclusiveLock' AND l.database = \
         (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())",
        u32::from_be_bytes([a, b, c, d]),
        u32::from_be_bytes([e, f, g, h]),
    )
}

/// The statement that takes the lock inside a transaction, or fails: a conversion that cannot succeed is the error
/// that needs no procedural language.
pub(super) fn in_transaction(key: i64) -> String {
    format!(
        "SELECT CAST('dbsetup: locked ' || pg_catalog.clock_timestamp()::text AS int4) \
         WHERE NOT pg_catalog.pg_try_advisory_xact_lock({key})"
    )
}

impl Session {
    pub(super) fn lock_key(&self, lock: &LockKey) -> i64 {
        key(lock, &self.about.database)
    }

    pub(super) async fn try_lock_session(&mut self, lock: &LockKey) -> Result<bool, DbError> {
        if let Some(why) = &self.about.capabilities.pooled {
            return Err(advised(
                own(DbErrorClass::Unsupported, format!("a lock needs a session of its own, and {why}")),
                PAST_POOLER,
            ));
        }
        let key = self.lock_key(lock);
        // Some engines answer yes and lock nothing: `pg_locks` has to show it.
        let rows = self
            .look(format!(
                "SELECT CASE WHEN pg_catalog.pg_try_advisory_lock({key}) THEN EXISTS (SELECT FROM \
                 pg_catalog.pg_locks l WHERE l.pid = pg_catalog.pg_backend_pid() AND {}) ELSE false END",
                held(key)
            ))
            .await?;
        Ok(is_true(&rows))
    }

    pub(super) async fn unlock_session(&mut self, lock: &LockKey) -> Result<(), DbError> {
        let key = self.lock_key(lock);
        let rows = self.look(format!("SELECT pg_catalog.pg_advisory_unlock({key})")).await?;
        if is_true(&rows) {
            return Ok(());
        }
        Err(advised(
            own(
                DbErrorClass::Unsupported,
                format!("the lock of `{}` was lost while this run held it", lock.ledger.shown()),
            ),
            "a pooler stands between, or a script called `pg_advisory_unlock_all()`: check `status`",
        ))
    }

    pub(super) async fn holder(&mut self, lock: &LockKey) -> Result<Option<String>, DbError> {
        let key = self.lock_key(lock);
        let rows = self
            .look(format!(
                "SELECT l.pid, a.application_name, pg_catalog.host(a.client_addr), \
                 pg_catalog.to_char(a.backend_start, 'HH24:MI:SS'), \
                 CASE WHEN a.state LIKE 'idle%' THEN pg_catalog.to_char(a.state_change, 'HH24:MI:SS') END \
                 FROM pg_catalog.pg_locks l LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
                 WHERE {} AND l.pid <> pg_catalog.pg_backend_pid() LIMIT 1",
                held(key)
            ))
            .await?;
        Ok(rows.first().map(|row| {
            let text =
                |index: usize| row.get(index).and_then(Option::as_deref).filter(|text| !text.is_empty());
            describe(text(0).unwrap_or("unknown"), text(1), text(2), text(3), text(4))
        }))
    }

    /// For how many milliseconds the latest session has waited for an advisory lock that this one holds; nothing when
    /// none waits, zero when it cannot be told.
    pub(super) async fn latest_waiter(&mut self) -> Result<Option<u64>, DbError> {
        let since = if self.version >= 140_000 { "w.waitstart" } else { "NULL::timestamptz" };
        let rows = self
            .look(format!(
                "SELECT (extract(epoch FROM pg_catalog.clock_timestamp() - max(coalesce({since}, \
                 pg_catalog.clock_timestamp()))) * 1000)::int8 FROM pg_catalog.pg_locks l JOIN pg_catalog.pg_locks w \
                 ON (w.locktype, w.database, w.classid, w.objid, w.objsubid) \
                 = (l.locktype, l.database, l.classid, l.objid, l.objsubid) AND NOT w.granted \
                 WHERE l.pid = pg_catalog.pg_backend_pid() AND l.locktype = 'advisory' AND l.granted \
                 HAVING count(*) > 0"
            ))
            .await?;
        Ok(rows
            .first()
            .map(|row| row.first().cloned().flatten().and_then(|age| age.parse().ok()).unwrap_or(0)))
    }
}

pub(super) fn is_true(rows: &[super::script::Row]) -> bool {
    rows.first().and_then(|row| row.first()).is_some_and(|value| value.as_deref() == Some("t"))
}

/// Returns the sentence about a holder.
fn describe(
    pid: &str,
    application: Option<&str>,
    address: Option<&str>,
    since: Option<&str>,
    idle: Option<&str>,
) -> String {
    let mut words = format!("pid {pid}");
    if let Some(application) = application {
        // Anyone may call a session anything: nothing in it reaches a terminal as it is.
        words.push_str(&format!(", {}", application.escape_debug()));
    }
    if let Some(address) = address {
        words.push_str(&format!(", from {address}"));
    }
    match since {
        Some(since) => words.push_str(&format!(", connected since {since} UTC")),
        None => words.push_str(", of which this role may see no more"),
    }
    if let Some(idle) = idle {
        words.push_str(&format!(", idle since {idle} UTC"));
    }
    words.push_str(&format!("; `select pg_terminate_backend({pid})` ends it"));
    words
}

/// The statement that fails when the guard does not hold.
pub(super) fn guard(delete: &str, must_exist: bool) -> String {
    // The deletion of the row, turned into a question: the ledger knows its own column types.
    let rows = delete.strip_prefix("DELETE FROM ").unwrap_or(delete);
    let marker = literal("dbsetup: ledger ");
    if must_exist {
        return format!(
            "SELECT CAST({marker} || found.n::text AS int4) FROM (SELECT count(*) AS n FROM {rows}) found WHERE found.n = 0"
        );
    }
    // Every migration pays for this question, and a plan without an aggregate is made in half the time. Every table
    // has a `tableoid`, and a constant would fail while the plan is made.
    format!("SELECT CAST({marker} || tableoid::text AS int4) FROM {rows}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::LedgerTable;

    fn lock(kind: LedgerKind, schema: &str, lane: Lane) -> LockKey {
        let name = kind.default_table().to_owned();
        LockKey { ledger: LedgerTable { kind, schema: Some(schema.into()), name, wide: true }, lane }
    }

    #[test]
    fn the_automatic_lane_of_an_sqlx_ledger_has_sqlxs_own_key() {
        let lock = lock(LedgerKind::Sqlx, "public", Lane::Automatic);
        assert_eq!(key(&lock, "postgres"), 368_907_709_894_077_238);
        assert_eq!(key(&lock, "app_dev"), 1_085_303_609_685_986_748);
        assert_eq!(key(&lock, "app_test"), 3_812_352_972_675_993_640);
        assert!(held(key(&lock, "postgres")).contains("classid = 85893019 AND l.objid = 2334370614 "));
    }

    #[test]
    fn other_keys_depend_on_schema_and_lane_and_not_on_the_database() {
        let main = lock(LedgerKind::Dbsetup, "public", Lane::Automatic);
        assert_eq!(key(&main, "a"), key(&main, "b"));
        assert_ne!(key(&main, "a"), key(&lock(LedgerKind::Dbsetup, "app", Lane::Automatic), "a"));
        assert_ne!(key(&main, "a"), key(&lock(LedgerKind::Dbsetup, "public", Lane::Manual), "a"));
        let manual = lock(LedgerKind::Sqlx, "public", Lane::Manual);
        assert_eq!(key(&manual, "a"), key(&manual, "b"));
    }

    #[test]
    fn a_holder_that_rights_hide_is_still_named() {
        assert_eq!(
            describe("71", Some("dbsetup migrate core"), Some("10.0.0.7"), Some("12:01:07"), None),
            "pid 71, dbsetup migrate core, from 10.0.0.7, connected since 12:01:07 UTC; \
             `select pg_terminate_backend(71)` ends it"
        );
        assert!(describe("71", None, None, None, None).contains("may see no more"));
    }
}
