//! What a statement is, told from its tokens.
//!
//! Each function takes one statement as the splitter gives it. None of them looks into strings, and so not into bodies of
//! functions that are written as strings.

use super::dialect::Dialect;
use super::effects::significant;
use super::identifier;
use super::lexer::{Token, TokenKind};

/// Returns the first `count` words in upper case, up to the first token that is no word.
pub fn statement_words(dialect: Dialect, statement: &str, count: usize) -> Vec<String> {
    significant(dialect, statement)
        .skip_while(|token| token.is_punctuation("("))
        .take_while(|token| token.kind == TokenKind::Word)
        .take(count)
        .map(|token| token.text.to_uppercase())
        .collect()
}

/// Returns the name of the command if the statement begins or ends a transaction.
///
/// Savepoints stay inside a transaction and do not count: `SAVEPOINT`, `RELEASE`, `ROLLBACK TO`.
/// Sources: PostgreSQL documentation, "SQL Commands"; SQLite documentation, "Transaction".
pub fn transaction_control(dialect: Dialect, statement: &str) -> Option<&'static str> {
    let tokens: Vec<_> = significant(dialect, statement).take(3).collect();
    let first = tokens.first()?;
    let word_at = |index: usize, word: &str| tokens.get(index).is_some_and(|token| token.is_word(word));
    let one_of = |words: [&'static str; 3]| words.into_iter().find(|word| first.is_word(word));
    if first.is_word("rollback") {
        let after = if word_at(1, "work") || word_at(1, "transaction") { 2 } else { 1 };
        if word_at(after, "to") {
            return None;
        }
        return Some(if is_prepared(dialect, &tokens) { "ROLLBACK PREPARED" } else { "ROLLBACK" });
    }
    if dialect == Dialect::Postgres {
        if first.is_word("start") && word_at(1, "transaction") {
            return Some("START TRANSACTION");
        }
        // A statement can be prepared under the name `transaction`.
        let quoted = tokens.get(2).is_some_and(|token| token.kind == TokenKind::String);
        if first.is_word("prepare") && word_at(1, "transaction") && quoted {
            return Some("PREPARE TRANSACTION");
        }
        if first.is_word("commit") && is_prepared(dialect, &tokens) {
            return Some("COMMIT PREPARED");
        }
        if first.is_word("abort") {
            return Some("ABORT");
        }
    }
    one_of(["BEGIN", "COMMIT", "END"])
}

fn is_prepared(dialect: Dialect, tokens: &[Token<'_>]) -> bool {
    dialect == Dialect::Postgres && tokens.get(1).is_some_and(|token| token.is_word("prepared"))
}

/// Tells whether the database refuses the statement inside a transaction block, or ignores it there.
///
/// What depends on the objects and not on the text (`CLUSTER` or `REINDEX` of a partitioned table, a procedure that
/// commits) cannot be seen here.
/// Sources: PostgreSQL documentation, "Notes" of each command; SQLite documentation, "PRAGMA Statements", `VACUUM`.
pub fn must_run_alone(dialect: Dialect, statement: &str) -> bool {
    let tokens = Words::new(dialect, statement);
    match dialect {
        Dialect::Postgres => postgres_alone(&tokens),
        Dialect::Sqlite => sqlite_alone(&tokens),
    }
}

fn postgres_alone(words: &Words<'_>) -> bool {
    let second = |options: &[&str]| options.iter().any(|word| words.is(1, word));
    let Some(verb) = words.tokens.first().map(|token| token.text.to_ascii_lowercase()) else {
        return false;
    };
    match verb.as_str() {
        "vacuum" => true,
        "create" | "drop" if second(&["database", "tablespace"]) => true,
        "create" if second(&["subscription"]) => {
            !words.option_is_off("create_slot") && !words.option_is_off("connect")
        }
        "drop" if second(&["subscription"]) => true,
        "create" => {
            let index = if words.is(1, "unique") { 2 } else { 1 };
            words.is(index, "index") && words.is(index + 1, "concurrently")
        }
        "drop" => words.is(1, "index") && words.is(2, "concurrently"),
        "alter" => postgres_alter_alone(words),
        "reindex" => {
            words.option_is_on("concurrently")
                || words.outside_parentheses().take(4).any(|token| {
                    ["concurrently", "database", "system", "schema"].iter().any(|word| token.is_word(word))
                })
        }
        // Without a table: CLUSTER, CLUSTER VERBOSE, CLUSTER (VERBOSE).
        "cluster" => words.outside_parentheses().skip(1).all(|token| token.is_word("verbose")),
        "discard" => second(&["all"]),
        "commit" | "rollback" => second(&["prepared"]),
        _ => false,
    }
}

fn postgres_alter_alone(words: &Words<'_>) -> bool {
    if words.is(1, "system") {
        return true;
    }
    if words.is(1, "database") {
        return words.is(3, "set") && words.is(4, "tablespace");
    }
    if words.is(1, "subscription") {
        let publications =
            ["set", "add", "drop"].iter().any(|verb| words.is(3, verb)) && words.is(4, "publication");
        return words.is(3, "refresh")
            || (publications && !words.option_is_off("refresh"))
            || (words.is(3, "set") && (words.mentions("failover") || words.mentions("two_phase")));
    }
    // ALTER TABLE .. DETACH PARTITION name CONCURRENTLY: no other action can stand beside it.
    let detaches =
        words.tokens.windows(2).any(|pair| pair[0].is_word("detach") && pair[1].is_word("partition"));
    words.is(1, "table") && detaches && words.tokens.last().is_some_and(|token| token.is_word("concurrently"))
}

/// Pragmas that fail or do nothing inside a transaction when they set a value.
const SQLITE_ALONE: [&str; 6] =
    ["journal_mode", "foreign_keys", "synchronous", "temp_store", "temp_store_directory", "wal_checkpoint"];

fn sqlite_alone(words: &Words<'_>) -> bool {
    if ["vacuum", "attach", "detach"].iter().any(|verb| words.is(0, verb)) {
        return true;
    }
    words.sqlite_pragma().is_some_and(|(name, sets)| {
        SQLITE_ALONE.iter().any(|pragma| name.eq_ignore_ascii_case(pragma))
            && (sets || name.eq_ignore_ascii_case("wal_checkpoint"))
    })
}

/// Tells whether an identifier of the statement is `name`, as the catalog has it.
///
/// Words in strings and comments do not count. SQLite takes a string for a name where only a name can stand
/// (`DELETE FROM 'ledger'`), so there a string counts behind the words that a table's name follows.
pub fn mentions_identifier(dialect: Dialect, statement: &str, name: &str) -> bool {
    if identifier::names(dialect, statement).any(|(found, _)| identifier::is_same(dialect, &found, name)) {
        return true;
    }
    if dialect != Dialect::Sqlite {
        return false;
    }
    let mut name_follows = false;
    significant(dialect, statement).any(|token| {
        let is_name = name_follows
            && token.kind == TokenKind::String
            && string_value(token.text) == name.to_lowercase();
        name_follows = token.is_punctuation(".") || BEFORE_TABLE.iter().any(|word| token.is_word(word));
        is_name
    })
}

/// Words of SQLite that the name of a table follows.
const BEFORE_TABLE: [&str; 8] = ["from", "into", "update", "table", "exists", "join", "on", "to"];

fn string_value(text: &str) -> String {
    text.trim_matches('\'').replace("''", "'").to_lowercase()
}

/// So many tokens of a statement are looked at: whatever tells its kind stands in front, and a statement may be as large
/// as an `INSERT` of a million rows.
const LOOKED_AT: usize = 512;

/// The first significant tokens of one statement.
pub(super) struct Words<'a> {
    pub(super) tokens: Vec<Token<'a>>,
}

impl<'a> Words<'a> {
    pub(super) fn new(dialect: Dialect, statement: &'a str) -> Self {
        Self { tokens: significant(dialect, statement).take(LOOKED_AT).collect() }
    }

    pub(super) fn is(&self, index: usize, word: &str) -> bool {
        self.tokens.get(index).is_some_and(|token| token.is_word(word))
    }

    pub(super) fn mentions(&self, word: &str) -> bool {
        self.tokens.iter().any(|token| token.is_word(word))
    }

    fn outside_parentheses(&self) -> impl Iterator<Item = Token<'a>> {
        at_depth_zero(self.tokens.iter().copied())
    }

    /// Tells whether an option is given as `name = off` or `name off`.
    fn option_is_off(&self, name: &str) -> bool {
        self.option(name).is_some_and(|value| is_off(&value))
    }

    /// Tells whether an option is given, and not as off.
    pub(super) fn option_is_on(&self, name: &str) -> bool {
        self.option(name).is_some_and(|value| !is_off(&value))
    }

    /// Returns the value of an option in a list in parentheses; empty when it stands alone.
    fn option(&self, name: &str) -> Option<String> {
        let at = self.tokens.windows(2).position(|pair| {
            (pair[0].is_punctuation("(") || pair[0].is_punctuation(",")) && pair[1].is_word(name)
        })? + 2;
        let equals = self.tokens.get(at).is_some_and(|token| token.is_punctuation("="));
        let value = self.tokens.get(at + usize::from(equals))?;
        Some(value.text.trim_matches('\'').to_ascii_lowercase())
    }

    /// Returns the name of the pragma, and whether it is given a value.
    pub(super) fn sqlite_pragma(&self) -> Option<(&'a str, bool)> {
        if !self.is(0, "pragma") {
            return None;
        }
        let at = if self.tokens.get(2).is_some_and(|token| token.is_punctuation(".")) { 3 } else { 1 };
        let name = self.tokens.get(at)?;
        Some((name.text.trim_matches(['"', '`', '[', ']', '\'']), self.tokens.len() > at + 1))
    }
}

/// Leaves out parentheses and all between them.
pub(super) fn at_depth_zero<'a>(tokens: impl Iterator<Item = Token<'a>>) -> impl Iterator<Item = Token<'a>> {
    let mut depth = 0_u32;
    tokens.filter(move |token| {
        if token.is_punctuation("(") {
            depth += 1;
            return false;
        }
        if token.is_punctuation(")") {
            depth = depth.saturating_sub(1);
            return false;
        }
        depth == 0
    })
}

fn is_off(value: &str) -> bool {
    matches!(value, "off" | "false" | "0" | "no" | "f" | "n")
}

#[cfg(test)]
mod tests;
