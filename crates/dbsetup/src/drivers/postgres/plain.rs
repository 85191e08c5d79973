//! Which scripts change nothing of the session that they run in. Pure.

use crate::sql::{self, Dialect, SpanKind};

/// What may follow `CREATE`, `ALTER` and `DROP` in a script that runs no code of anybody's.
const KINDS: [&str; 17] = [
    "AGGREGATE",
    "COLLATION",
    "DOMAIN",
    "FUNCTION",
    "INDEX",
    "OR",
    "POLICY",
    "PROCEDURE",
    "RULE",
    "SCHEMA",
    "SEQUENCE",
    "STATISTICS",
    "TABLE",
    "TRIGGER",
    "TYPE",
    "UNIQUE",
    "VIEW",
];

/// Whether a script is data definition alone: no setting is made, no role taken, no constraint deferred, no transaction
/// ended, and nothing is called that could. After such a script, which most migrations are, nothing is to be put back.
pub(super) fn is_plain_ddl(script: &str) -> bool {
    let Ok(spans) = sql::split(Dialect::Postgres, script) else { return false };
    spans.iter().all(|span| span.kind == SpanKind::Statement && is_plain(&script[span.range.clone()]))
}

fn is_plain(statement: &str) -> bool {
    let words = sql::statement_words(Dialect::Postgres, statement, 2);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let has = |names: &[&str]| {
        sql::tokens(Dialect::Postgres, statement)
            .any(|token| names.iter().any(|name| token.text.eq_ignore_ascii_case(name)))
    };
    match words[..] {
        ["COMMENT" | "GRANT" | "REVOKE", ..] => true,
        ["DROP", kind, ..] => KINDS.contains(&kind),
        // `CREATE TABLE … AS` runs a query.
        ["CREATE", "TABLE", ..] => !has(&["SELECT", "EXECUTE", "VALUES"]),
        ["CREATE", kind, ..] => KINDS.contains(&kind),
        // `ALTER COLUMN … TYPE … USING` runs an expression for each row.
        ["ALTER", kind, ..] => KINDS.contains(&kind) && !has(&["USING"]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_definition_alone_is_plain() {
        for script in [
            "",
            "create table a (id int default 1, b text); create unique index i on a (b); comment on table a is 'x';",
            "alter table a add column c int not null default 0; alter table a alter c set default 2;",
            "create or replace function f() returns void language sql as $$ select set_config('a.b', 'c', false) $$;",
            "create view v as select 1; drop view v; grant select on a to public;",
        ] {
            assert!(is_plain_ddl(script), "{script}");
        }
    }

    #[test]
    fn whatever_may_run_code_or_set_something_is_not() {
        for script in [
            "set search_path = ''",
            "set role app",
            "select pg_catalog.set_config('search_path', '', false)",
            "create table a as select f()",
            "create table a as execute q",
            "alter table a alter b type int using f(b)",
            "insert into a values (1)",
            "do $$ begin perform 1; end $$",
            "create table a (i int); commit",
            "create extension x",
            "create materialized view v as select f()",
            "alter role app set search_path = ''",
            "set constraints all deferred",
            "discard all",
            "not sql '",
        ] {
            assert!(!is_plain_ddl(script), "{script}");
        }
    }
}
