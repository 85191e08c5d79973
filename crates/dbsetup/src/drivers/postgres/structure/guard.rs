//! Whether anything in the catalogs changed while they were read.
//!
//! The server's functions that print definitions look at the newest catalogs, not at the snapshot of the transaction
//! that calls them: a rename in another session would go into half of a dump. So the state of the catalogs is taken
//! inside the transaction, and again after it has ended.

use crate::drivers::postgres::text::{literal, name};

/// Catalogs that say nothing about the structure, or that an ordinary role may not read.
const NOT_STRUCTURE: [&str; 8] = [
    "pg_statistic",
    "pg_statistic_ext_data",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_user_mapping",
    "pg_subscription",
    "pg_subscription_rel",
    "pg_init_privs",
];

/// Which transactions are done.
pub const MOMENT: &str = "SELECT pg_catalog.txid_current_snapshot()";

/// Whether no transaction that writes was under way at the first moment, and none has ended until the last: then
/// nothing can have changed, and nothing needs to be counted. A snapshot is `xmin:xmax:those under way`.
/// <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-INFO-SNAPSHOT>
pub fn is_quiet(first: &str, last: &str) -> bool {
    let mut parts = first.split(':');
    let (Some(oldest), Some(next), Some(running)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    oldest == next && running.is_empty() && first == last
}

/// The query for the state of catalogs: how many versions of rows there are, and a sum over where each stands and
/// which transaction wrote it. One text.
pub fn state<'a>(catalogs: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<String> = catalogs
        .into_iter()
        .filter(|catalog| !NOT_STRUCTURE.contains(catalog))
        .map(|catalog| {
            format!(
                "SELECT {} AS name, count(*) AS rows, COALESCE(sum(pg_catalog.hashtext(x.ctid::text || x.xmin::text)::int8), 0) \
                 AS versions FROM pg_catalog.{} x",
                literal(catalog),
                name(catalog)
            )
        })
        .collect();
    format!(
        "SELECT pg_catalog.string_agg(state.name || ' ' || state.rows || ' ' || state.versions, ', ' \
         ORDER BY state.name) FROM ({}) AS state",
        parts.join(" UNION ALL ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reading_is_quiet_when_nothing_was_written_meanwhile() {
        assert!(is_quiet("100:100:", "100:100:"));
        assert!(!is_quiet("100:100:", "100:101:"));
        assert!(!is_quiet("100:103:100,102", "100:103:100,102"));
        assert!(!is_quiet("", ""));
    }

    #[test]
    fn what_says_nothing_about_the_structure_is_not_counted() {
        let query = state(["pg_class", "pg_statistic"]);
        assert!(query.contains("\"pg_class\"") && !query.contains("pg_statistic"), "{query}");
    }
}
