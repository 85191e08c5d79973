//! Which statements set something for their session alone, so that a new session lacks it.

use super::classify::Words;
use super::dialect::Dialect;

/// Pragmas that hold for the connection, and not for the file.
/// Source: SQLite documentation, "PRAGMA Statements".
const OF_CONNECTION: [&str; 26] = [
    "analysis_limit",
    "automatic_index",
    "busy_timeout",
    "cache_size",
    "cache_spill",
    "case_sensitive_like",
    "cell_size_check",
    "checkpoint_fullfsync",
    "count_changes",
    "foreign_keys",
    "fullfsync",
    "hard_heap_limit",
    "ignore_check_constraints",
    "legacy_alter_table",
    "locking_mode",
    "mmap_size",
    "query_only",
    "read_uncommitted",
    "recursive_triggers",
    "reverse_unordered_selects",
    "secure_delete",
    "soft_heap_limit",
    "synchronous",
    "temp_store",
    "threads",
    "writable_schema",
];

/// What follows `SET` and `RESET` where it is about a transaction, or about who works: whoever records the work is not to
/// lose the rights to.
/// Source: PostgreSQL documentation, "SET", "SET TRANSACTION", "SET CONSTRAINTS", "SET ROLE", "SET SESSION AUTHORIZATION".
const OF_WORK: [&str; 6] =
    ["local", "transaction", "constraints", "role", "authorization", "characteristics"];

/// Tells whether the statement does nothing but set something for its session that holds until the session ends: running
/// it again changes nothing else.
pub fn sets_session(dialect: Dialect, statement: &str) -> bool {
    let words = Words::new(dialect, statement);
    match dialect {
        Dialect::Postgres => {
            let name = if words.is(1, "session") { 2 } else { 1 };
            (words.is(0, "set") || words.is(0, "reset"))
                && !OF_WORK.iter().any(|word| words.is(1, word) || words.is(name, word))
        }
        Dialect::Sqlite => {
            words.is(0, "attach")
                || words.is(0, "detach")
                || words.sqlite_pragma().is_some_and(|(name, sets)| {
                    sets && OF_CONNECTION.iter().any(|pragma| name.eq_ignore_ascii_case(pragma))
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pragmas_of_a_connection_are_told_from_those_of_a_file() {
        let sets = |statement: &str| sets_session(Dialect::Sqlite, statement);
        assert!(sets("PRAGMA foreign_keys=OFF") && sets("pragma main.synchronous (1)"));
        assert!(!sets("PRAGMA foreign_keys") && !sets("PRAGMA user_version = 7"));
        assert!(!sets("PRAGMA journal_mode = WAL") && !sets("VACUUM"));
        assert!(sets("ATTACH 'a.db' AS a") && sets("detach a"));
    }

    #[test]
    fn settings_of_a_session_are_told_from_those_of_a_transaction_and_from_roles() {
        let sets = |statement: &str| sets_session(Dialect::Postgres, statement);
        for statement in [
            "SET maintenance_work_mem = '1GB'",
            "set session work_mem to 1",
            "SET TIME ZONE 'UTC'",
            "RESET ALL",
        ] {
            assert!(sets(statement), "{statement}");
        }
        for statement in [
            "SET LOCAL work_mem = 1",
            "SET TRANSACTION READ ONLY",
            "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
            "SET CONSTRAINTS ALL DEFERRED",
            "SET ROLE app",
            "SET SESSION ROLE app",
            "RESET ROLE",
            "SET SESSION AUTHORIZATION app",
            "select set_config('a.b', '1', false)",
            "ALTER SYSTEM SET work_mem = 1",
        ] {
            assert!(!sets(statement), "{statement}");
        }
    }
}
