//! What a replay would do outside of its scratch database. Pure.
//!
//! A replay runs again what has run. What a migration does to roles, settings of the whole server, other databases or
//! files is not the scratch database's, and does not go with it. As in a structure file this is a net and no sandbox: the
//! body of a `DO` block is a string and is not looked at.

use super::Plan;
use crate::error::{Error, Kind, Result, Site};
use crate::repo::Repo;
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

    /// Refuses to run what reaches beyond the scratch database, unless the plan is trusted or somebody has `agreed` to it.
    /// `command` is the command that was given, without `cargo dbsetup`.
    ///
    /// # Errors
    /// [`Kind::Refused`] with each place.
    pub(in crate::structure) fn refuse_beyond(
        &self,
        repo: &Repo,
        dialect: Dialect,
        agreed: &[Beyond],
        command: &str,
    ) -> Result<()> {
        const SHOWN: usize = 5;
        let mut found = if self.trusted { Vec::new() } else { self.beyond(dialect) };
        found.retain(|beyond| !agreed.contains(beyond));
        let Some(first) = found.first() else { return Ok(()) };
        let message = format!(
            "the migrations of `{}` would be run again in a scratch database, and reach beyond it",
            repo.name
        );
        let mut error = Error::new(Kind::Refused, message).at(first.site.clone());
        for beyond in found.iter().take(SHOWN) {
            let Site { path, at, .. } = &beyond.site;
            error = error.note(format!("`{}:{}`: {}", path.display(), at.line, beyond.what));
        }
        if found.len() > SHOWN {
            error = error.note(format!("and {} more", found.len() - SHOWN));
        }
        Err(error.help(format!(
            "run them all the same, if they may do it once more on that server: {}",
            repo.command(&format!("{command} --trust-file"))
        )))
    }
}

/// Functions that reach another database, the server's files, or its other sessions. The names of dblink's begin alike.
const CALLS: [&str; 13] = [
    "lo_import",
    "lo_export",
    "pg_read_file",
    "pg_read_binary_file",
    "pg_file_write",
    "pg_ls_dir",
    "pg_terminate_backend",
    "pg_cancel_backend",
    "pg_reload_conf",
    "pg_create_logical_replication_slot",
    "pg_create_physical_replication_slot",
    "pg_drop_replication_slot",
    "pg_logical_emit_message",
];

/// Names a statement that reaches beyond its database: what a load refuses, but for what ends with the session; and what
/// is the whole server's.
fn beyond(dialect: Dialect, statement: &str) -> Option<String> {
    const OF_SESSION: [&str; 4] = [
        "SET ROLE",
        "SET SESSION AUTHORIZATION",
        "standard_conforming_strings = off",
        "PRAGMA writable_schema",
    ];
    if dialect == Dialect::Postgres
        && let Some(what) = of_server(statement)
    {
        return Some(what);
    }
    let danger = sql::dangerous_in_structure(dialect, statement);
    danger.filter(|danger| !OF_SESSION.contains(danger)).map(str::to_owned)
}

/// Names a statement about what all databases of a server share, or about another server.
fn of_server(statement: &str) -> Option<String> {
    const SHARED: [&str; 6] = ["ROLE", "USER", "GROUP", "DATABASE", "TABLESPACE", "SUBSCRIPTION"];
    let words = sql::statement_words(Dialect::Postgres, statement, 6);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let shown = |count: usize| Some(words[..count].join(" "));
    match words[..] {
        // It belongs to a foreign server and not to the cluster.
        [_, "USER", "MAPPING", ..] => None,
        ["CREATE" | "ALTER" | "DROP", noun, ..] if SHARED.contains(&noun) => shown(2),
        ["ALTER", "SYSTEM", ..] | ["DROP" | "REASSIGN", "OWNED", ..] => shown(2),
        ["COMMENT", "ON", noun, ..] if SHARED.contains(&noun) => shown(3),
        ["SECURITY", "LABEL", ..] => labelled(statement).map(|noun| format!("SECURITY LABEL ON {noun}")),
        [verb @ ("GRANT" | "REVOKE"), ..] => granted(statement).map(|what| format!("{verb} {what}")),
        _ => called(statement),
    }
}

/// Returns the word behind `ON`, in capitals.
fn behind_on(statement: &str) -> Option<String> {
    let mut tokens = sql::significant(Dialect::Postgres, statement).skip_while(|token| !token.is_word("on"));
    tokens.next()?;
    Some(tokens.next()?.text.to_ascii_uppercase())
}

fn labelled(statement: &str) -> Option<String> {
    behind_on(statement).filter(|noun| ["ROLE", "DATABASE", "TABLESPACE", "SUBSCRIPTION"].contains(&&**noun))
}

/// Names what a grant is about where that is the server's: the membership in a role, which is on nothing, too.
fn granted(statement: &str) -> Option<String> {
    match behind_on(statement) {
        None => Some("of a role".to_owned()),
        Some(noun) => ["DATABASE", "TABLESPACE", "PARAMETER"].contains(&&*noun).then(|| format!("ON {noun}")),
    }
}

/// Returns the first function that is called outside a string and reaches beyond.
fn called(statement: &str) -> Option<String> {
    sql::names(Dialect::Postgres, statement)
        .filter(|(_, next)| next.is_some_and(|next| next.is_punctuation("(")))
        .find(|(name, _)| CALLS.contains(&&**name) || &**name == "dblink" || name.starts_with("dblink_"))
        .map(|(name, _)| name.into_owned())
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
            ("grant admin to app", Some("GRANT of a role")),
            ("revoke \"on\" from app", Some("REVOKE of a role")),
            ("grant connect on database shop to app", Some("GRANT ON DATABASE")),
            ("create subscription s connection 'host=x' publication p", Some("CREATE SUBSCRIPTION")),
            ("comment on role app is 'x'", Some("COMMENT ON ROLE")),
            ("comment on database shop is 'x'", Some("COMMENT ON DATABASE")),
            ("comment on tablespace t is 'x'", Some("COMMENT ON TABLESPACE")),
            ("security label for x on role app is 'y'", Some("SECURITY LABEL ON ROLE")),
            ("drop owned by app", Some("DROP OWNED")),
            ("reassign owned by app to other", Some("REASSIGN OWNED")),
            ("select dblink_exec('host=x', 'drop table a')", Some("dblink_exec")),
            ("insert into a select * from public.dblink('x', 'y') as t (i int)", Some("dblink")),
            ("select lo_import('/etc/passwd')", Some("lo_import")),
            ("select pg_terminate_backend(1)", Some("pg_terminate_backend")),
            ("create extension plpython3u", Some("CREATE EXTENSION of an untrusted language")),
            ("load 'x'", Some("LOAD")),
            ("grant select on users to app", None),
            ("grant usage on schema app to app", None),
            ("comment on table users is 'role'", None),
            ("insert into notes values ('dblink(1)')", None),
            ("set session authorization app", None),
            ("create user mapping for app server s", None),
            ("set role app", None),
            ("create table roles (role text)", None),
            ("copy a from stdin", None),
        ] {
            assert_eq!(beyond(Dialect::Postgres, statement).as_deref(), what, "{statement}");
        }
        assert_eq!(beyond(Dialect::Sqlite, "attach 'other.db' as o").as_deref(), Some("ATTACH"));
        assert_eq!(beyond(Dialect::Sqlite, "select load_extension('x')").as_deref(), Some("load_extension"));
        assert_eq!(beyond(Dialect::Sqlite, "pragma writable_schema = on"), None);
        assert_eq!(beyond(Dialect::Sqlite, "create table role (i int)"), None);
    }
}
