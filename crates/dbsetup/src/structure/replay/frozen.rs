//! Values that are the same in two replays of one run, and others on another day or for another role. Pure.
//!
//! What differs from one replay to the next is found by replaying twice. This is the rest: a day, a user, a database. It
//! is a net: what a default, a trigger or a function says is not looked at.

use std::fmt;

use super::Plan;
use crate::choice::split_qualified;
use crate::driver::{KeepTable, TableName};
use crate::error::Site;
use crate::sql::{self, Dialect, Token, TokenKind};

/// A statement that fills a kept table with such a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frozen {
    /// The word for the value: `current_date`.
    pub value: String,
    /// The table.
    pub table: TableName,
    /// Where the statement stands.
    pub site: Site,
}

impl fmt::Display for Frozen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}:{}` puts `{}` into `{}`, whose rows are kept: what it was when they were written stays in the structure",
            self.site.path.display(),
            self.site.at.line,
            self.value,
            self.table.shown()
        )
    }
}

impl Frozen {
    /// What to do about it.
    pub fn help(&self) -> String {
        "insert a constant; or leave the column to its default: `except = [\"COLUMN\"]` in `keep-data`"
            .to_owned()
    }
}

impl Plan {
    /// Returns the statements of this plan that put such values into tables whose rows are kept. Tables of which columns are
    /// left to their defaults are passed over: nobody knows here into which column a value goes.
    pub fn frozen(&self, dialect: Dialect, kept: &[KeepTable]) -> Vec<Frozen> {
        let mut found = Vec::new();
        let whole: Vec<&KeepTable> = kept.iter().filter(|kept| kept.except.is_empty()).collect();
        if whole.is_empty() {
            return found;
        }
        for migration in self.files.migrations.iter().filter(|migration| self.reaches(&migration.version)) {
            for span in sql::split(dialect, migration.up.sql()).unwrap_or_default() {
                let statement = &migration.up.sql()[span.range.clone()];
                let Some(name) = target(dialect, statement) else { continue };
                let Some(kept) = whole.iter().find(|kept| is_meant(dialect, &name, &kept.table)) else {
                    continue;
                };
                if let Some(value) = slow(dialect, statement) {
                    let site = migration.up.site(span.range);
                    found.push(Frozen { value, table: kept.table.clone(), site });
                }
            }
        }
        found
    }
}

/// Returns the name of the table that a statement writes to, as it is written.
fn target(dialect: Dialect, statement: &str) -> Option<String> {
    let mut tokens = sql::significant(dialect, statement).peekable();
    let verb = tokens.next()?;
    if verb.is_word("insert") || verb.is_word("replace") || verb.is_word("merge") {
        tokens.by_ref().find(|token| token.is_word("into"))?;
    } else if verb.is_word("update") {
        tokens.next_if(|token| token.is_word("only"));
        if tokens.next_if(|token| token.is_word("or")).is_some() {
            tokens.next()?;
        }
    } else {
        return None;
    }
    let mut name = tokens.next()?.text.to_owned();
    if tokens.next_if(|token| token.text == ".").is_some() {
        name = format!("{name}.{}", tokens.next()?.text);
    }
    Some(name)
}

fn is_meant(dialect: Dialect, named: &str, table: &TableName) -> bool {
    let is_quoted = named.contains('"');
    let (schema, name) = split_qualified(named);
    let is_same = |one: &str, other: &str| match dialect {
        Dialect::Postgres if is_quoted => one == other,
        _ => one.eq_ignore_ascii_case(other),
    };
    let is_there = match (&schema, &table.schema) {
        (Some(schema), Some(own)) => is_same(schema, own),
        _ => true,
    };
    is_there && is_same(&name, &table.name)
}

/// Returns the first value of a statement that changes too slowly for two replays to tell.
fn slow(dialect: Dialect, statement: &str) -> Option<String> {
    const POSTGRES: [&str; 6] =
        ["current_date", "current_user", "session_user", "current_role", "current_catalog", "user"];
    const DAYS: [&str; 3] = ["'today'", "'yesterday'", "'tomorrow'"];
    const CLOCKS: [&str; 6] = [
        "now",
        "current_timestamp",
        "localtimestamp",
        "clock_timestamp",
        "statement_timestamp",
        "transaction_timestamp",
    ];
    const COARSE: [&str; 4] = ["date_trunc", "date_part", "extract", "to_char"];
    let tokens: Vec<Token<'_>> = sql::significant(dialect, statement).collect();
    let is_word = |token: &Token<'_>, words: &[&str]| {
        token.kind == TokenKind::Word && words.iter().any(|word| token.text.eq_ignore_ascii_case(word))
    };
    let is_text =
        |token: &Token<'_>, texts: &[&str]| texts.iter().any(|text| token.text.eq_ignore_ascii_case(text));
    let is_call = |at: usize| tokens.get(at + 1).is_some_and(|next| next.is_punctuation("("));
    let has_now = tokens.iter().any(|token| is_text(token, &["'now'"]));
    let has_clock = tokens.iter().any(|token| is_word(token, &CLOCKS));
    tokens
        .iter()
        .enumerate()
        .find(|(at, token)| match dialect {
            Dialect::Postgres => {
                is_word(token, &POSTGRES)
                    || is_text(token, &DAYS)
                    || is_word(token, &["current_database"]) && is_call(*at)
                    || has_clock && is_word(token, &COARSE) && is_call(*at)
                    || has_clock
                        && *at > 0
                        && is_word(token, &["date"])
                        && tokens[*at - 1].text.ends_with(':')
            }
            Dialect::Sqlite => {
                is_word(token, &["current_date"])
                    || is_word(token, &["date", "strftime"]) && is_call(*at) && has_now
                    || is_word(token, &["date"])
                        && is_call(*at)
                        && tokens.get(at + 2).is_some_and(|next| next.is_punctuation(")"))
            }
        })
        .map(|(_, token)| token.text.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::{files, migration};

    fn found(dialect: Dialect, text: &str, except: &[&str]) -> Vec<String> {
        let table = TableName {
            schema: (dialect == Dialect::Postgres).then(|| "public".into()),
            name: "plans".into(),
        };
        let kept = KeepTable { table, except: except.iter().map(|name| (*name).to_owned()).collect() };
        let plan = Plan::after_structure(files(&[migration("1", text)]));
        plan.frozen(dialect, &[kept]).into_iter().map(|frozen| frozen.value).collect()
    }

    #[test]
    fn values_of_a_day_or_a_role_are_named_where_rows_are_kept() {
        for (text, expected) in [
            ("insert into plans values (1, current_date);", &["current_date"][..]),
            ("INSERT INTO public.\"plans\" SELECT 1, CURRENT_USER;", &["current_user"]),
            ("update only plans set by = session_user;", &["session_user"]),
            ("insert into plans values (1, now()::date);", &["date"]),
            ("insert into plans values (date_trunc('day', now()));", &["date_trunc"]),
            ("insert into plans values ('today'::date);", &["'today'"]),
            ("insert into plans values (1, 'current_date', date '2026-01-01');", &[]),
            ("insert into plans values (1, \"user\");", &[]),
            ("insert into other.plans values (current_date);", &[]),
            ("insert into users values (current_date);", &[]),
            ("create table plans (day date default current_date);", &[]),
        ] {
            assert_eq!(found(Dialect::Postgres, text, &[]), expected, "{text}");
        }
        for (text, expected) in [
            ("insert into Plans values (date('now'));", &["date"][..]),
            ("insert or ignore into plans values (strftime('%Y', 'now'));", &["strftime"]),
            ("replace into plans values (current_date);", &["current_date"]),
            ("update or replace plans set a = date();", &["date"]),
            ("insert into plans values (date('2026-01-01'));", &[]),
        ] {
            assert_eq!(found(Dialect::Sqlite, text, &[]), expected, "{text}");
        }
    }

    #[test]
    fn a_table_of_which_a_column_is_left_out_is_passed_over() {
        assert!(found(Dialect::Postgres, "insert into plans values (1, current_date);", &["day"]).is_empty());
    }
}
