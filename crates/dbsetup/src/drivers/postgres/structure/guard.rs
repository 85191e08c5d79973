//! Whether anything in the catalogs changed while they were read.
//!
//! The server's functions that print definitions look at the newest catalogs, not at the snapshot of the transaction
//! that calls them: a rename in another session would go into half of a dump. So the state of the catalogs is taken
//! inside the transaction, and again after it has ended.

use crate::drivers::postgres::text::{literal, name};

/// Catalogs that no function looks at which prints definitions, or that an ordinary role may not read. What objects
/// depend on is read in the snapshot, and nowhere else.
const NOT_PRINTED: [&str; 11] = [
    "pg_depend",
    "pg_description",
    "pg_seclabel",
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

/// What temporary objects come and go with: the catalog, and the column that says whose a row is.
const OF_RELATIONS: [(&str, &str); 8] = [
    ("pg_attrdef", "adrelid"),
    ("pg_attribute", "attrelid"),
    ("pg_constraint", "conrelid"),
    ("pg_index", "indexrelid"),
    ("pg_inherits", "inhrelid"),
    ("pg_rewrite", "ev_class"),
    ("pg_sequence", "seqrelid"),
    ("pg_trigger", "tgrelid"),
];

/// The query for the state of catalogs: how many versions of rows there are, and a sum over where each stands and
/// which transaction wrote it. Temporary objects do not count, and neither does where a table's data are. One text.
pub fn state<'a>(catalogs: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<String> =
        catalogs.into_iter().filter(|catalog| !NOT_PRINTED.contains(catalog)).map(part).collect();
    format!(
        "WITH temporary AS MATERIALIZED (SELECT c.oid, c.reltype FROM pg_catalog.pg_class c \
         WHERE c.relpersistence = 't') \
         SELECT pg_catalog.string_agg(state.name || ' ' || state.rows || ' ' || state.versions, ', ' \
         ORDER BY state.name) FROM ({}) AS state",
        parts.join(" UNION ALL ")
    )
}

fn part(catalog: &str) -> String {
    let of = OF_RELATIONS.iter().find(|(of, _)| *of == catalog).map(|(_, column)| *column);
    let lasting = match (catalog, of) {
        ("pg_class", _) => " WHERE x.relpersistence <> 't'".to_owned(),
        ("pg_type", _) => " WHERE x.typnamespace NOT IN (SELECT n.oid FROM pg_catalog.pg_namespace n \
                           WHERE n.nspname ~ '^pg_(toast_)?temp')"
            .to_owned(),
        ("pg_namespace", _) => " WHERE x.nspname !~ '^pg_(toast_)?temp'".to_owned(),
        (_, Some(column)) => format!(" WHERE x.{column} NOT IN (SELECT t.oid FROM temporary t)"),
        _ => String::new(),
    };
    // TRUNCATE and REFRESH write new versions of a table's row, and change nothing that is printed.
    let version = if catalog == "pg_class" {
        "ROW(x.oid, x.relname, x.relnamespace, x.relkind, x.relpersistence, x.relowner, x.relam, x.reloftype, \
         x.relnatts, x.relchecks, x.relrowsecurity, x.relforcerowsecurity, x.relreplident, x.reloptions, \
         x.relispartition, x.relpartbound::text)::text"
    } else {
        "x.ctid::text || x.xmin::text"
    };
    format!(
        "SELECT {} AS name, count(*) AS rows, COALESCE(sum(pg_catalog.hashtext({version})::int8), 0) AS versions \
         FROM pg_catalog.{} x{lasting}",
        literal(catalog),
        name(catalog)
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
    fn what_nothing_printed_depends_on_is_not_counted() {
        let query = state(["pg_class", "pg_statistic"]);
        assert!(query.contains("\"pg_class\"") && !query.contains("pg_statistic"), "{query}");
    }
}
