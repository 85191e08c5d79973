//! Lists of rows in queries, which the server words in two ways.
//!
//! `CREATE VIEW v (a) AS VALUES (1)` is printed as `… FROM (VALUES (1)) "*VALUES*"`, and what is loaded from that as
//! `… FROM ( VALUES (1)) "*VALUES*"`: the list is a query of its own then. Both say the same, and a file has one of them.

use crate::sql::{self, Dialect, TokenKind};

/// Returns a text of the server with the words that it has after a load.
pub fn as_loaded(text: String) -> String {
    if !text.contains("(VALUES") {
        return text;
    }
    let mut worded = String::with_capacity(text.len() + 8);
    let mut opens = false;
    for token in sql::tokens(Dialect::Postgres, &text) {
        if opens && token.kind == TokenKind::Word && token.text == "VALUES" {
            worded.push(' ');
        }
        worded.push_str(token.text);
        opens = token.kind == TokenKind::Punctuation && token.text == "(";
    }
    worded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_keyword_gets_a_blank() {
        let worded = |text: &str| as_loaded(text.to_owned());
        assert_eq!(
            worded("SELECT a FROM (VALUES (1), ('(VALUES')) \"(VALUES\""),
            "SELECT a FROM ( VALUES (1), ('(VALUES')) \"(VALUES\""
        );
        let loaded = "SELECT a FROM ( VALUES (1)) x, f(\"VALUES\"), g($$(VALUES$$)";
        assert_eq!(worded(loaded), loaded);
    }
}
