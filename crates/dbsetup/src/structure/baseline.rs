//! A structure as one migration, for a tool that builds databases from migrations alone: sqlx runs it in a transaction
//! of its own and writes its ledger in the same session, so nothing that the text sets may outlive it. Pure.

use super::header;
use crate::sql::Dialect;

/// Where the search path waits while the statements run. A name with a dot is a setting that anybody may make up.
/// <https://www.postgresql.org/docs/current/runtime-config-custom.html>
const SAVED: &str = "dbsetup.search_path";

const HEAD: &str = "\
-- What squashed migrations have made, as one: for databases that are built from migrations alone.
-- A database that has applied them records this file in their place and does not run it.
";

/// Returns the text of the migration that makes `statements` (a structure without its ledger, rows included).
pub fn text(dialect: Dialect, statements: &str) -> String {
    let statements = statements.trim();
    match dialect {
        Dialect::Sqlite => format!("{HEAD}\n{statements}\n"),
        Dialect::Postgres => {
            let keep = |from: &str, to: &str| {
                format!("SELECT pg_catalog.set_config('{to}', pg_catalog.current_setting('{from}'), true);\n")
            };
            format!(
                "{HEAD}\n{}{}\n{statements}\n\n{}",
                keep("search_path", SAVED),
                local(header::settings(dialect)),
                keep(SAVED, "search_path")
            )
        }
    }
}

/// Makes settings end with the transaction.
fn local(settings: &str) -> String {
    let line = |line: &str| match line.strip_prefix("SET ") {
        Some(rest) => format!("SET LOCAL {rest}\n"),
        None => format!("{}\n", line.replace(", false);", ", true);")),
    };
    settings.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_outlives_the_transaction() {
        let text = text(Dialect::Postgres, "\nCREATE TABLE a ();\n");
        assert!(!text.contains("false);"), "{text}");
        let set: Vec<&str> = text.lines().filter(|line| line.starts_with("SET ")).collect();
        assert!(set.len() > 3 && set.iter().all(|line| line.starts_with("SET LOCAL ")), "{text}");
        let (first, last) = (text.find(SAVED), text.rfind(SAVED));
        let table = text.find("CREATE TABLE");
        assert!(first < table && table < last, "{text}");
    }

    #[test]
    fn sqlite_has_no_settings() {
        let text = text(Dialect::Sqlite, "CREATE TABLE a (b);");
        assert_eq!(text, format!("{HEAD}\nCREATE TABLE a (b);\n"));
    }
}
