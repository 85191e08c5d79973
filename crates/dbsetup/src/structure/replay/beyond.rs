//! What a replay would do outside of its scratch database. Pure.
//!
//! A replay runs again what has run. What a migration does to roles, settings of the whole server, other databases or
//! files is not the scratch database's, and does not go with it. As in a structure file this is a net and no sandbox: the
//! body of a `DO` block is a string and is not looked at.

use super::Plan;
use crate::error::Site;
use crate::sql::{self, Dialect};

/// A statement whose effect stays when the scratch database goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beyond {
    /// What it is: `ALTER ROLE`.
    pub what: String,
    /// Where it stands.
    pub site: Site,
}

impl Plan {
    /// Returns the statements of this plan, as far as it goes, that reach beyond the scratch database. Text that does not
    /// split is left to the migrator, which says why.
    pub fn beyond(&self, dialect: Dialect) -> Vec<Beyond> {
        let mut found = Vec::new();
        for migration in self.files.migrations.iter().filter(|migration| self.reaches(&migration.version)) {
            for span in sql::split(dialect, migration.up.sql()).unwrap_or_default() {
                if let Some(what) = beyond(dialect, &migration.up.sql()[span.range.clone()]) {
                    found.push(Beyond { what, site: migration.up.site(span.range) });
                }
            }
        }
        found
    }
}

/// Names a statement that reaches beyond its database.
fn beyond(dialect: Dialect, statement: &str) -> Option<String> {
    const VERBS: [&str; 3] = ["CREATE", "ALTER", "DROP"];
    let danger = sql::dangerous_in_structure(dialect, statement);
    let words = sql::statement_words(dialect, statement, 3);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let of_server = match (dialect, &words[..]) {
        (Dialect::Postgres, [_, "USER", "MAPPING"]) => false,
        (Dialect::Postgres, [verb, "ROLE" | "USER" | "GROUP" | "DATABASE" | "TABLESPACE", ..]) => {
            VERBS.contains(verb)
        }
        (Dialect::Postgres, ["ALTER", "SYSTEM", ..]) => true,
        _ => false,
    };
    if of_server {
        return Some(words[..2].join(" "));
    }
    let of_files = ["COPY ", "lo_export", "pg_file_write", "ATTACH", "VACUUM INTO", "writefile"];
    danger.filter(|danger| of_files.iter().any(|file| danger.starts_with(file))).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stays_when_the_database_goes_is_named() {
        for (statement, what) in [
            ("create role app login", Some("CREATE ROLE")),
            ("ALTER USER app PASSWORD 'old'", Some("ALTER USER")),
            ("drop database other", Some("DROP DATABASE")),
            ("alter system set work_mem = '1GB'", Some("ALTER SYSTEM")),
            ("copy a to program 'mail'", Some("COPY .. PROGRAM")),
            ("copy a from '/srv/a.csv'", Some("COPY of a file on the server")),
            ("create user mapping for app server s", None),
            ("set role app", None),
            ("create table roles (role text)", None),
            ("copy a from stdin", None),
        ] {
            assert_eq!(beyond(Dialect::Postgres, statement).as_deref(), what, "{statement}");
        }
        assert_eq!(beyond(Dialect::Sqlite, "attach 'other.db' as o").as_deref(), Some("ATTACH"));
        assert_eq!(beyond(Dialect::Sqlite, "create table role (i int)"), None);
    }
}
