//! Whether two texts of a structure may say the same in other words. Pure.
//!
//! A server prints views, conditions and expressions in its own words, and another release of it finds other ones. That
//! two texts mean the same is not decided here: catalogs decide, and they are asked only where the words leave it open.

use std::ops::Range;

use crate::sql::{self, Dialect};

/// What holds text that a server words: the words of its statement behind `CREATE [OR REPLACE]` or `ALTER`.
const WORDED: [&str; 17] = [
    "AGGREGATE",
    "CONSTRAINT",
    "DOMAIN",
    "EVENT",
    "FOREIGN",
    "FUNCTION",
    "INDEX",
    "MATERIALIZED",
    "POLICY",
    "PROCEDURE",
    "PUBLICATION",
    "RULE",
    "STATISTICS",
    "TABLE",
    "TRIGGER",
    "UNIQUE",
    "VIEW",
];

/// Compares the file with what would be written, statement by statement. Returns the statements that differ, shortened,
/// where all of them may say the same: nothing else differs, and each speaks of the same kind of object. `None` where
/// the texts say different things, or cannot be split.
pub(super) fn differences(dialect: Dialect, file: &str, written: &str) -> Option<Vec<String>> {
    let (file_parts, written_parts) = (parts(dialect, file)?, parts(dialect, written)?);
    if file_parts.len() != written_parts.len() {
        return None;
    }
    let mut differing = Vec::new();
    for (ours, theirs) in file_parts.into_iter().zip(written_parts) {
        let (ours, theirs) = (&file[ours], &written[theirs]);
        if ours == theirs {
            continue;
        }
        let words = subject(dialect, ours)?;
        if Some(&words) != subject(dialect, theirs).as_ref() {
            return None;
        }
        differing.push(shortened(ours).to_owned());
    }
    (!differing.is_empty()).then_some(differing)
}

/// Returns the head of the file (its comments, as far as its first blank line), and every statement.
fn parts(dialect: Dialect, text: &str) -> Option<Vec<Range<usize>>> {
    let head = text.find("\n\n").unwrap_or(text.len());
    let statements = sql::split(dialect, text).ok()?;
    Some(std::iter::once(0..head).chain(statements.into_iter().map(|span| span.range)).collect())
}

/// Returns the words of a statement up to the kind of its object, if a server words that.
fn subject(dialect: Dialect, statement: &str) -> Option<Vec<String>> {
    let words = sql::statement_words(dialect, statement, 4);
    let at = match words.first().map(String::as_str) {
        Some("CREATE") if words.get(1).is_some_and(|word| word == "OR") => 3,
        Some("CREATE") if words.get(1).is_some_and(|word| word == "UNLOGGED") => 2,
        Some("CREATE" | "ALTER") => 1,
        _ => return None,
    };
    WORDED.contains(&words.get(at)?.as_str()).then(|| words[..=at].to_vec())
}

/// Returns the beginning of a statement, as far as it says what it is about.
fn shortened(statement: &str) -> &str {
    const LONGEST: usize = 80;
    let line = statement.lines().next().unwrap_or_default();
    let end = line.find(" (").into_iter().chain(line.find(" AS")).min().unwrap_or(line.len()).min(LONGEST);
    let end = (0..=end).rev().find(|at| line.is_char_boundary(*at)).unwrap_or_default();
    line[..end].trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "-- dbsetup structure format 1 (postgresql)\n\nSET a = 1;\n\nCREATE TABLE public.users (\n    id integer \
        CHECK (id > 0)\n);\n\nCREATE VIEW public.v AS\n SELECT users.id\n   FROM users;\n\nINSERT INTO s (version) VALUES ('1');\n\n\
        -- dbsetup structure end\n";

    fn found(from: &str, to: &str) -> Option<Vec<String>> {
        let other = FILE.replace(from, to);
        assert_ne!(other, FILE, "{from}");
        differences(Dialect::Postgres, FILE, &other)
    }

    #[test]
    fn what_a_server_words_may_mean_the_same() {
        assert_eq!(found("SELECT users.id", "SELECT id"), Some(vec!["CREATE VIEW public.v".to_owned()]));
        assert_eq!(
            found("CHECK (id > 0)", "CHECK ((id > 0))"),
            Some(vec!["CREATE TABLE public.users".to_owned()])
        );
    }

    #[test]
    fn what_nobody_words_means_something_else() {
        for (from, to) in [
            ("SET a = 1", "SET a = 2"),
            ("VALUES ('1')", "VALUES ('2')"),
            ("CREATE VIEW public.v", "CREATE MATERIALIZED VIEW public.v"),
            ("INSERT", "CREATE TABLE b ();\nINSERT"),
            ("format 1 (postgresql)\n", "format 1 (postgresql)\n-- excluded: table x\n"),
            ("SELECT users.id", "SELECT 'an open end"),
        ] {
            assert_eq!(found(from, to), None, "{from} {to}");
        }
        assert_eq!(differences(Dialect::Postgres, FILE, FILE), None);
    }

    #[test]
    fn a_remark_between_statements_alone_is_no_other_wording() {
        assert_eq!(found("\n\nCREATE VIEW", "\n\n-- the view\nCREATE VIEW"), None);
    }
}
