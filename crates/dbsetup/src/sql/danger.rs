//! Statements that have no place in a structure file, because they reach beyond the database.
//!
//! A structure file describes a schema. One that runs programs, touches files of the server, or changes roles and
//! settings of the whole cluster is either a mistake or an attack, and is only loaded when it is trusted explicitly. This
//! is a net and no sandbox: the body of a `DO` block or of a function is a string and is not looked at.

use super::classify::{Words, at_depth_zero};
use super::dialect::Dialect;
use super::effects::{CopyTarget, backslashes_after, copy_target, significant};
use super::identifier;
use super::lexer::{Token, TokenKind};

/// Returns what is dangerous about a statement of a structure file.
pub fn dangerous_in_structure(dialect: Dialect, statement: &str) -> Option<&'static str> {
    let words = Words::new(dialect, statement);
    match dialect {
        Dialect::Postgres => {
            postgres(&words, statement).or_else(|| call(dialect, statement, &POSTGRES_CALLS))
        }
        Dialect::Sqlite => sqlite(&words).or_else(|| call(dialect, statement, &SQLITE_CALLS)),
    }
}

const POSTGRES_CALLS: [&str; 5] =
    ["lo_import", "lo_export", "pg_read_file", "pg_read_binary_file", "pg_file_write"];

const SQLITE_CALLS: [&str; 4] = ["load_extension", "writefile", "readfile", "fts3_tokenizer"];

fn postgres(words: &Words<'_>, statement: &str) -> Option<&'static str> {
    match copy_target(statement) {
        Some(CopyTarget::Program) => return Some("COPY .. PROGRAM"),
        Some(CopyTarget::File) => return Some("COPY of a file on the server"),
        Some(CopyTarget::FromClient | CopyTarget::ToClient) | None => {}
    }
    if words.is(0, "load") {
        return Some("LOAD");
    }
    if words.is(0, "alter") && words.is(1, "system") {
        return Some("ALTER SYSTEM");
    }
    // CREATE USER MAPPING belongs to a foreign server and not to the cluster.
    let role = ["role", "user", "group"].iter().any(|word| words.is(1, word)) && !words.is(2, "mapping");
    for (verb, reason) in [("create", "CREATE ROLE"), ("alter", "ALTER ROLE"), ("drop", "DROP ROLE")] {
        if role && words.is(0, verb) {
            return Some(reason);
        }
    }
    if words.is(0, "set") {
        return setting(words, statement);
    }
    if words.is(0, "create") {
        return created(words, statement);
    }
    None
}

fn setting(words: &Words<'_>, statement: &str) -> Option<&'static str> {
    let scoped = words.is(1, "session") || words.is(1, "local");
    let name = if scoped { 2 } else { 1 };
    if words.is(name, "role") || is_quoted_name(words, name, "role") {
        return Some("SET ROLE");
    }
    let authorization = words.is(1, "session") && words.is(2, "authorization");
    if authorization || (scoped && words.is(2, "session") && words.is(3, "authorization")) {
        return Some("SET SESSION AUTHORIZATION");
    }
    if words.is(name, "session_authorization") || is_quoted_name(words, name, "session_authorization") {
        return Some("SET SESSION AUTHORIZATION");
    }
    // It changes where strings end, and with that what all these rules see.
    (backslashes_after(statement) == Some(true)).then_some("standard_conforming_strings = off")
}

fn created(words: &Words<'_>, statement: &str) -> Option<&'static str> {
    if words.is(1, "extension") {
        let name = if words.is(2, "if") { 5 } else { 2 };
        return is_untrusted(words.tokens.get(name)?).then_some("CREATE EXTENSION of an untrusted language");
    }
    let mut at = if words.is(1, "or") && words.is(2, "replace") { 3 } else { 1 };
    if words.is(at, "trusted") {
        at += 1;
    }
    if words.is(at, "procedural") {
        at += 1;
    }
    if words.is(at, "language") {
        return is_untrusted(words.tokens.get(at + 1)?).then_some("CREATE LANGUAGE of an untrusted language");
    }
    if !words.is(at, "function") && !words.is(at, "procedure") {
        return None;
    }
    let mut rest = at_depth_zero(significant(Dialect::Postgres, statement))
        .skip_while(|token| !token.is_word("language"));
    rest.next()?;
    let language = rest.next()?;
    (name_of(&language) == "c").then_some("a function in C")
}

fn is_quoted_name(words: &Words<'_>, at: usize, name: &str) -> bool {
    words.tokens.get(at).is_some_and(|token| name_of(token) == name)
}

/// Languages whose functions may do whatever the server's account may, also by way of their transforms.
fn is_untrusted(token: &Token<'_>) -> bool {
    let name = name_of(token);
    [
        "plpythonu",
        "plpython2u",
        "plpython3u",
        "plperlu",
        "pltclu",
        "plluau",
        "plsh",
        "plr",
        "pljava",
        "pljavau",
    ]
    .iter()
    .any(|language| name == *language || name.strip_suffix(language).is_some_and(|it| it.ends_with('_')))
}

/// The name that a token stands for; the server takes a string for the name of a language, too.
fn name_of(token: &Token<'_>) -> String {
    match token.kind {
        TokenKind::String => token.text.trim_matches('\'').to_ascii_lowercase(),
        _ => identifier::name(Dialect::Postgres, *token).unwrap_or_default().into_owned(),
    }
}

fn sqlite(words: &Words<'_>) -> Option<&'static str> {
    if words.is(0, "attach") {
        return Some("ATTACH");
    }
    if words.is(0, "vacuum") && words.mentions("into") {
        return Some("VACUUM INTO");
    }
    let (name, sets) = words.sqlite_pragma()?;
    let is = |pragma: &str| sets && name.eq_ignore_ascii_case(pragma);
    if is("writable_schema") {
        return Some("PRAGMA writable_schema");
    }
    (is("temp_store_directory") || is("data_store_directory")).then_some("PRAGMA of a directory")
}

/// Returns the first of `functions` that is called outside a string.
fn call(dialect: Dialect, statement: &str, functions: &[&'static str]) -> Option<&'static str> {
    identifier::names(dialect, statement)
        .filter(|(_, next)| next.is_some_and(|next| next.is_punctuation("(")))
        .find_map(|(name, _)| {
            functions.iter().copied().find(|function| identifier::is_same(dialect, &name, function))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(dialect: Dialect, cases: &[(&str, Option<&str>)]) {
        for (text, expected) in cases {
            assert_eq!(dangerous_in_structure(dialect, text), *expected, "{text}");
        }
    }

    #[test]
    fn programs_and_files_of_a_postgres_server_are_dangerous() {
        check(
            Dialect::Postgres,
            &[
                ("COPY t FROM PROGRAM 'id'", Some("COPY .. PROGRAM")),
                ("copy (select 1) to /* c */ program 'id'", Some("COPY .. PROGRAM")),
                ("COPY t FROM '/etc/passwd'", Some("COPY of a file on the server")),
                ("COPY t (a) TO E'/tmp/x' WITH (FORMAT csv)", Some("COPY of a file on the server")),
                ("COPY t FROM stdin WITH (DELIMITER '|')", None),
                ("COPY t TO stdout DELIMITER '|'", None),
                ("SELECT pg_catalog.LO_IMPORT ('/etc/passwd')", Some("lo_import")),
                ("SELECT \"lo_import\"('/etc/passwd')", Some("lo_import")),
                ("SELECT U&\"lo\\005Fimport\"('/etc/passwd')", Some("lo_import")),
                ("SELECT U&\"lo!005Fimport\" UESCAPE '!' ('/etc/passwd')", Some("lo_import")),
                ("SELECT 'lo_import(1)' -- lo_import(1)", None),
                ("COMMENT ON FUNCTION f() IS 'COPY t FROM PROGRAM'", None),
                ("LOAD 'x'", Some("LOAD")),
            ],
        );
    }

    #[test]
    fn roles_and_settings_of_a_postgres_cluster_are_dangerous() {
        check(
            Dialect::Postgres,
            &[
                ("ALTER SYSTEM SET a = 1", Some("ALTER SYSTEM")),
                ("CREATE ROLE a", Some("CREATE ROLE")),
                ("create user a", Some("CREATE ROLE")),
                ("ALTER USER a SUPERUSER", Some("ALTER ROLE")),
                ("DROP ROLE a", Some("DROP ROLE")),
                ("CREATE USER MAPPING FOR a SERVER s", None),
                ("SET ROLE a", Some("SET ROLE")),
                ("SET LOCAL ROLE a", Some("SET ROLE")),
                ("SET \"role\" = a", Some("SET ROLE")),
                ("SET SESSION AUTHORIZATION a", Some("SET SESSION AUTHORIZATION")),
                ("SET LOCAL SESSION AUTHORIZATION a", Some("SET SESSION AUTHORIZATION")),
                ("SET session_authorization = a", Some("SET SESSION AUTHORIZATION")),
                ("SET standard_conforming_strings = off", Some("standard_conforming_strings = off")),
                ("SET standard_conforming_strings = on", None),
                ("SET search_path = a", None),
                ("DO $$ BEGIN EXECUTE 'CREATE ROLE a'; END $$", None),
                ("CREATE TABLE role (role text)", None),
            ],
        );
    }

    #[test]
    fn untrusted_languages_are_dangerous() {
        check(
            Dialect::Postgres,
            &[
                (
                    "CREATE EXTENSION IF NOT EXISTS plpython3u WITH SCHEMA pg_catalog",
                    Some("CREATE EXTENSION of an untrusted language"),
                ),
                ("create extension \"plperlu\"", Some("CREATE EXTENSION of an untrusted language")),
                (
                    "CREATE EXTENSION jsonb_plpython3u CASCADE",
                    Some("CREATE EXTENSION of an untrusted language"),
                ),
                ("CREATE EXTENSION citext", None),
                ("CREATE EXTENSION plperl", None),
                (
                    "CREATE OR REPLACE PROCEDURAL LANGUAGE plperlu",
                    Some("CREATE LANGUAGE of an untrusted language"),
                ),
                ("CREATE FUNCTION f() RETURNS int LANGUAGE C AS 'x', 'y'", Some("a function in C")),
                ("CREATE FUNCTION f() RETURNS int AS 'x', 'y' LANGUAGE 'c'", Some("a function in C")),
                ("CREATE FUNCTION f(language c) RETURNS int LANGUAGE sql AS 'select 1'", None),
            ],
        );
    }

    #[test]
    fn files_and_code_outside_an_sqlite_database_are_dangerous() {
        check(
            Dialect::Sqlite,
            &[
                ("ATTACH DATABASE 'x' AS y", Some("ATTACH")),
                ("SELECT load_extension('x')", Some("load_extension")),
                ("SELECT WriteFile('x', 'y')", Some("writefile")),
                ("PRAGMA writable_schema = ON", Some("PRAGMA writable_schema")),
                ("PRAGMA main.writable_schema(1)", Some("PRAGMA writable_schema")),
                ("PRAGMA writable_schema", None),
                ("VACUUM INTO 'x'", Some("VACUUM INTO")),
                ("VACUUM", None),
                ("CREATE TABLE attach (a)", None),
            ],
        );
    }
}
