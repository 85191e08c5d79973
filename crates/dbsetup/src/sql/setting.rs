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

/// Tells whether the statement does nothing but set something for its session that holds until the session ends: running
/// it again changes nothing else.
pub fn sets_session(dialect: Dialect, statement: &str) -> bool {
    match dialect {
        // What a statement of PostgreSQL sets is set back after it.
        Dialect::Postgres => false,
        Dialect::Sqlite => Words::new(dialect, statement).sqlite_pragma().is_some_and(|(name, sets)| {
            sets && OF_CONNECTION.iter().any(|pragma| name.eq_ignore_ascii_case(pragma))
        }),
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
    }
}
