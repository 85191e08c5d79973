//! pg_dump's text, without what belongs to one run of one client. Pure.
//!
//! It works on statements and never on lines: what stands inside strings and function bodies is not touched.

use crate::sql::{self, Dialect, SpanKind, SplitError, TokenKind};

/// Settings of the client that wrote or reads the file, whatever their value.
const CLIENT_SETTINGS: [&str; 12] = [
    "STATEMENT_TIMEOUT",
    "LOCK_TIMEOUT",
    "IDLE_IN_TRANSACTION_SESSION_TIMEOUT",
    "TRANSACTION_TIMEOUT",
    "CLIENT_ENCODING",
    "STANDARD_CONFORMING_STRINGS",
    "CHECK_FUNCTION_BODIES",
    "XMLOPTION",
    "CLIENT_MIN_MESSAGES",
    "ROW_SECURITY",
    "DEFAULT_TABLESPACE",
    "DEFAULT_WITH_OIDS",
];

/// The access method that every server begins with.
const HEAP: &str = "SET default_table_access_method = heap";
/// The start of pg_dump's own search path; all names in its text are qualified.
const SEARCH_PATH: &str = "SELECT pg_catalog.set_config('search_path', '',";
/// What every new database says of `public`.
const PUBLIC_COMMENT: &str = "COMMENT ON SCHEMA public IS 'standard public schema'";
/// An entry that some minor releases keep for a column by themselves, with another number in each database.
const VOLATILE_OPTION: &str = "pg_attver";

/// Returns the statements that make the structure: each ends in `;`, a blank line between.
pub(super) fn clean(text: &str) -> Result<String, SplitError> {
    let spans = sql::split(Dialect::Postgres, text)?;
    let heap_alone = spans.iter().all(|span| {
        let statement = &text[span.range.clone()];
        !has_words(statement, &["SET", "DEFAULT_TABLE_ACCESS_METHOD"]) || statement == HEAP
    });
    let mut cleaned = String::with_capacity(text.len());
    for span in spans {
        let statement = &text[span.range.clone()];
        match span.kind {
            SpanKind::Statement => {
                let concerns_client = (heap_alone && statement == HEAP) || is_about_the_client(statement);
                if let Some(statement) = without_volatile_option(statement).filter(|_| !concerns_client) {
                    push(&mut cleaned, &statement, ";\n");
                }
            }
            SpanKind::Copy { data } => {
                let lines = text[data].trim_end_matches('\n');
                let end = if lines.is_empty() { ";\n\\.\n".to_owned() } else { format!(";\n{lines}\n\\.\n") };
                push(&mut cleaned, statement, &end);
            }
            // `\restrict` and its end, with a key that is new each time.
            SpanKind::Meta(_) => {}
        }
    }
    Ok(cleaned)
}

fn push(cleaned: &mut String, statement: &str, end: &str) {
    if !cleaned.is_empty() {
        cleaned.push('\n');
    }
    cleaned.push_str(statement);
    cleaned.push_str(end);
}

fn has_words(statement: &str, words: &[&str]) -> bool {
    sql::statement_words(Dialect::Postgres, statement, words.len()) == words
}

/// Whether a statement says nothing about the structure.
fn is_about_the_client(statement: &str) -> bool {
    let words = sql::statement_words(Dialect::Postgres, statement, 3);
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["SET", setting, ..] => CLIENT_SETTINGS.contains(&setting),
        ["SELECT", ..] => statement.starts_with(SEARCH_PATH),
        // Only the extension's owner may say it, and the extension says it itself.
        ["COMMENT", "ON", "EXTENSION"] => true,
        ["COMMENT", "ON", "SCHEMA"] => statement == PUBLIC_COMMENT,
        ["CREATE", "SCHEMA", "PUBLIC"] => statement == "CREATE SCHEMA public",
        _ => false,
    }
}

/// Returns the statement without the volatile option of a column; nothing when it sets no other.
fn without_volatile_option(statement: &str) -> Option<String> {
    let whole = || Some(statement.to_owned());
    if !statement.contains(VOLATILE_OPTION) || !has_words(statement, &["ALTER", "TABLE"]) {
        return whole();
    }
    let mut behind_set = false;
    let list = sql::tokens(Dialect::Postgres, statement)
        .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment))
        .find(|token| {
            let opens = behind_set && token.text == "(";
            behind_set = token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case("set");
            opens
        });
    let Some(list) = list.map(|token| token.start) else { return whole() };
    let Some(inner) = statement[list..].strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) else {
        return whole();
    };
    // Names and numbers alone stand here, so that a comma always parts two options.
    let kept: Vec<&str> =
        inner.split(',').map(str::trim).filter(|option| !option.starts_with(VOLATILE_OPTION)).collect();
    if kept.len() == inner.split(',').count() {
        whole()
    } else if kept.is_empty() {
        None
    } else {
        Some(format!("{}({})", &statement[..list], kept.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DUMP: &str = r"--
-- PostgreSQL database dump
--

\restrict abcDEF

-- Dumped from database version 15.20
SET statement_timeout = 0;
SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);
SET row_security = off;

CREATE SCHEMA public;


COMMENT ON SCHEMA public IS 'standard public schema';
CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;
COMMENT ON EXTENSION pgcrypto IS 'cryptographic functions';

CREATE FUNCTION public.f() RETURNS void
    LANGUAGE plpgsql
    AS $$
begin

  -- a comment that stays
  SET statement_timeout = 0;


end
$$;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.a (
    id integer -- kept
);

ALTER TABLE ONLY public.a ALTER COLUMN id SET (pg_attver=180659440);
ALTER TABLE ONLY public.a ALTER COLUMN id SET (n_distinct=5, pg_attver=1);
COMMENT ON TABLE public.a IS '
-- Name: a; no comment

\restrict x
';
\unrestrict abcDEF
";

    const CLEANED: &str = r"CREATE EXTENSION IF NOT EXISTS pgcrypto WITH SCHEMA public;

CREATE FUNCTION public.f() RETURNS void
    LANGUAGE plpgsql
    AS $$
begin

  -- a comment that stays
  SET statement_timeout = 0;


end
$$;

CREATE TABLE public.a (
    id integer -- kept
);

ALTER TABLE ONLY public.a ALTER COLUMN id SET (n_distinct=5);

COMMENT ON TABLE public.a IS '
-- Name: a; no comment

\restrict x
';
";

    #[test]
    fn a_dump_is_cleaned_of_its_client_and_of_nothing_else() {
        assert_eq!(clean(DUMP).expect("it splits"), CLEANED);
    }

    #[test]
    fn an_access_method_that_is_used_stays_with_all_its_switches() {
        let text = "SET default_table_access_method = columnar;\n\nCREATE TABLE a ();\n\n\
             SET default_table_access_method = heap;\n\nCREATE TABLE b ();\n";
        assert_eq!(clean(text).expect("it splits"), text);
    }

    #[test]
    fn a_setting_that_means_something_stays() {
        let text =
            "SET search_path = app;\n\nCOMMENT ON SCHEMA public IS 'ours';\n\nCREATE SCHEMA public2;\n";
        assert_eq!(clean(text).expect("it splits"), text);
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(picks in proptest::collection::vec(0_usize..12, 0..12)) {
            let pieces = [
                "SET lock_timeout = 0;", "\n\n\n", "-- a comment; with 'quotes\n", "CREATE TABLE a (b text DEFAULT 'SET x;\n\n');",
                "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $_$ select 1; -- x\n\n\n $_$;", "/* ; */", ";;",
                "\n\\restrict abc\n", "ALTER TABLE a ALTER b SET (pg_attver=1);", "SET default_table_access_method = heap;",
                "CREATE FUNCTION g() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END;", "COMMENT ON EXTENSION x IS 'SET (pg_attver=1)';",
            ];
            let text: String = picks.iter().map(|pick| pieces[*pick]).collect();
            let once = clean(&text).expect("the pieces are whole");
            prop_assert_eq!(clean(&once).expect("it is cleaned"), once);
        }
    }
}
