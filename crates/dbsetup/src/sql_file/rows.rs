//! Rows that a structure file of ours writes one a line, put into one statement: a server reads and plans each statement.

use std::collections::HashSet;

use crate::sql::{self, Dialect, TokenKind};

/// `INSERT INTO t (a, b) VALUES (1, 'x')`, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row<'a> {
    /// `INSERT INTO t (a, b) VALUES `.
    pub head: &'a str,
    /// `(1, 'x')`.
    pub values: &'a str,
    /// Its first value, as written: `1`.
    key: &'a str,
}

impl<'a> Row<'a> {
    /// Takes a statement apart if it is one that our dumps write: a single row, on one line, and nothing else.
    pub fn of(dialect: Dialect, statement: &'a str) -> Option<Self> {
        const VALUES: &str = " VALUES ";
        if !statement.starts_with("INSERT INTO ") || statement.contains('\n') {
            return None;
        }
        let at = statement.find(VALUES)? + VALUES.len();
        let (head, values) = statement.split_at(at);
        let (mut depth, mut key, mut end) = (0_usize, None, 0);
        for token in sql::tokens(dialect, values) {
            // One pair of parentheses, and it is closed by the last character.
            if depth == 0 && token.start > 0 {
                return None;
            }
            match (token.kind, token.text) {
                (TokenKind::Comment, _) => return None,
                (_, "(") => depth += 1,
                (_, ")") => depth = depth.checked_sub(1)?,
                _ => {}
            }
            if depth == 1 && token.text == "," || depth == 0 {
                key.get_or_insert(token.start);
            }
            end = token.start + token.text.len();
        }
        let key = values.get(1..key?)?;
        (depth == 0 && end == values.len()).then_some(Self { head, values, key })
    }
}

/// The statement that rows are added to.
#[derive(Debug, Default)]
pub(super) struct Rows {
    head: String,
    keys: HashSet<String>,
}

impl Rows {
    /// Whether the row may join those before it; from then on it is one of them. A row with the key of another one stays
    /// alone, so that the server's complaint about it is about its line.
    pub fn take(&mut self, row: Row<'_>) -> bool {
        let joins = self.head == row.head && !self.keys.contains(row.key);
        if !joins {
            self.end();
            self.head.push_str(row.head);
        }
        self.keys.insert(row.key.to_owned());
        joins
    }

    /// No row joins those before.
    pub fn end(&mut self) {
        self.head.clear();
        self.keys.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_as_our_dumps_write_it_is_taken_apart() {
        let row = Row::of(
            Dialect::Postgres,
            "INSERT INTO \"a\".\"b\" (version, checksum) VALUES ('1, (', decode('ab', 'hex'))",
        );
        let row = row.expect("it is one");
        assert_eq!(row.head, "INSERT INTO \"a\".\"b\" (version, checksum) VALUES ");
        assert_eq!((row.values, row.key), ("('1, (', decode('ab', 'hex'))", "'1, ('"));
        let row = Row::of(Dialect::Sqlite, "INSERT INTO \"l\" (version) VALUES (7)").expect("it is one");
        assert_eq!((row.values, row.key), ("(7)", "7"));
    }

    #[test]
    fn other_statements_stay_whole() {
        for text in [
            "insert into a values (1)",
            "INSERT INTO a VALUES (1), (2)",
            "INSERT INTO a VALUES (1) ON CONFLICT DO NOTHING",
            "INSERT INTO a VALUES (1) RETURNING b",
            "INSERT INTO a VALUES (1) -- b",
            "INSERT INTO a VALUES (1",
            "INSERT INTO a VALUES 1",
            "INSERT INTO a VALUES\n(1)",
            "INSERT INTO a SELECT ' VALUES (1)'",
            "INSERT INTO a DEFAULT VALUES",
            "INSERT INTO a VALUES (1))",
            "INSERT INTO a VALUES ",
        ] {
            assert_eq!(Row::of(Dialect::Postgres, text), None, "{text}");
        }
    }

    #[test]
    fn rows_of_one_table_join_until_a_key_comes_again() {
        let mut rows = Rows::default();
        let mut take = |text: &str| rows.take(Row::of(Dialect::Sqlite, text).expect("it is a row"));
        assert!(!take("INSERT INTO a (v) VALUES (1)"));
        assert!(take("INSERT INTO a (v) VALUES (2)"));
        assert!(!take("INSERT INTO a (v) VALUES (1)"), "it is there already");
        assert!(take("INSERT INTO a (v) VALUES (2)"), "another statement has begun");
        assert!(!take("INSERT INTO b (v) VALUES (3)"));
        rows.end();
        assert!(!rows.take(Row::of(Dialect::Sqlite, "INSERT INTO b (v) VALUES (4)").expect("it is a row")));
    }
}
