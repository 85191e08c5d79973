//! Our own tables in files of others: a dump of a whole database that we manage has them. A load makes them before it runs
//! the file, and what they say is about the database they came from.

use crate::ledger::{META_TABLE, PROGRESS_TABLE};
use crate::sql::{self, Dialect, TokenKind};

/// Words between what is done and the table it is done to.
const BETWEEN: [&str; 9] = ["TABLE", "INTO", "ONLY", "IF", "NOT", "EXISTS", "UNLOGGED", "OR", "REPLACE"];

/// Whether a statement makes one of them, changes it, or writes to it.
pub(super) fn is_about_them(dialect: Dialect, statement: &str) -> bool {
    if !statement.contains(META_TABLE) && !statement.contains(PROGRESS_TABLE) {
        return false;
    }
    let mut tokens = sql::tokens(dialect, statement)
        .filter(|token| !matches!(token.kind, TokenKind::Space | TokenKind::Comment));
    let does = tokens.next().map(|token| token.text.to_ascii_uppercase()).unwrap_or_default();
    if !["CREATE", "ALTER", "INSERT", "COPY"].contains(&does.as_str()) {
        return false;
    }
    let mut tokens = tokens
        .skip_while(|token| {
            token.kind == TokenKind::Word && BETWEEN.contains(&token.text.to_ascii_uppercase().as_str())
        })
        .peekable();
    let Some(mut name) = tokens.next() else { return false };
    if tokens.next_if(|token| token.text == ".").is_some()
        && let Some(table) = tokens.next()
    {
        name = table;
    }
    let name = name.text.trim_matches('"');
    [META_TABLE, PROGRESS_TABLE].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_done_to_them_is_known_and_what_mentions_them_is_not_taken_for_it() {
        for about in [
            "CREATE TABLE public.dbsetup_meta (\n    key text NOT NULL\n)",
            "CREATE TABLE IF NOT EXISTS \"dbsetup_progress\" (a)",
            "ALTER TABLE ONLY public.dbsetup_meta\n    ADD CONSTRAINT dbsetup_meta_pkey PRIMARY KEY (key)",
            "ALTER TABLE app.dbsetup_progress OWNER TO app",
            "COPY public.dbsetup_meta (key, value) FROM stdin",
            "INSERT INTO dbsetup_meta VALUES ('a', 'b')",
        ] {
            assert!(is_about_them(Dialect::Postgres, about), "{about}");
        }
        for other in [
            "CREATE TABLE public.notes (a text DEFAULT 'dbsetup_meta')",
            "INSERT INTO notes VALUES ('dbsetup_meta')",
            "CREATE VIEW v AS SELECT * FROM dbsetup_meta",
            "ALTER TABLE dbsetup_meta_old ADD x int",
            "SELECT 'dbsetup_meta'",
        ] {
            assert!(!is_about_them(Dialect::Postgres, other), "{other}");
        }
    }
}
