//! One row of an answer, read from left to right.

use std::str::FromStr;

use sqlx::postgres::PgRow;
use sqlx::{Row as _, ValueRef as _};

use super::address::{Address, Oid};

/// The cells of a row. Each call reads the next one. A cell that is not what was asked for is a mistake in a query:
/// it is remembered, and stops the dump after the row.
pub struct Cells<'r> {
    row: &'r PgRow,
    next: usize,
    problem: Option<String>,
    unknown: Vec<Unknown>,
}

/// A letter of which nobody can say how it is written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unknown {
    /// `pg_attribute.attstorage`
    pub column: &'static str,
    pub letter: char,
}

impl<'r> Cells<'r> {
    pub fn new(row: &'r PgRow) -> Self {
        Self { row, next: 0, problem: None, unknown: Vec::new() }
    }

    /// What was wrong with a cell, or that some were not read.
    pub fn problem(&self) -> Option<String> {
        self.problem.clone().or_else(|| {
            (self.next != self.row.len()).then(|| format!("{} cells, {} read", self.row.len(), self.next))
        })
    }

    fn raw(&mut self) -> Option<&'r str> {
        let index = self.next;
        self.next += 1;
        match self.row.try_get_raw(index) {
            Ok(value) if value.is_null() => None,
            Ok(value) => match value.as_str() {
                Ok(text) => Some(text),
                Err(_) => {
                    self.complain(index, "it is not UTF-8");
                    None
                }
            },
            Err(error) => {
                self.complain(index, &error.to_string());
                None
            }
        }
    }

    fn complain(&mut self, index: usize, what: &str) {
        self.problem.get_or_insert_with(|| format!("cell {}: {what}", index + 1));
    }

    /// A text, or nothing for NULL.
    pub fn maybe(&mut self) -> Option<String> {
        self.raw().map(str::to_owned)
    }

    /// A text. NULL is a mistake.
    pub fn text(&mut self) -> String {
        let text = self.maybe();
        if text.is_none() {
            self.complain(self.next - 1, "it is NULL");
        }
        text.unwrap_or_default()
    }

    /// A number. NULL is a mistake.
    pub fn number<T: FromStr + Default>(&mut self) -> T {
        let number = self.raw().and_then(|text| text.parse().ok());
        if number.is_none() {
            self.complain(self.next - 1, "it is not a number of that size");
        }
        number.unwrap_or_default()
    }

    /// A number, or nothing for NULL.
    pub fn maybe_number<T: FromStr>(&mut self) -> Option<T> {
        self.raw().and_then(|text| text.parse().ok())
    }

    /// An object identifier; NULL reads as 0, as catalogs have it.
    pub fn oid(&mut self) -> Oid {
        self.maybe_number().unwrap_or_default()
    }

    /// Two identifiers: a catalog's, and that of a row in it.
    pub fn address(&mut self) -> Address {
        Address { class: self.oid(), oid: self.oid() }
    }

    /// A truth value; NULL reads as false.
    pub fn flag(&mut self) -> bool {
        self.raw() == Some("t")
    }

    /// A value of the type `"char"`; NULL and the empty one read as a blank.
    pub fn letter(&mut self) -> char {
        self.raw().and_then(|text| text.chars().next()).unwrap_or(' ')
    }

    /// The schema and the name of an object; nothing where the name is NULL.
    pub fn named(&mut self) -> Option<(Oid, String)> {
        let schema = self.oid();
        self.maybe().map(|name| (schema, name))
    }

    /// A letter of a known set, which a blank always belongs to.
    pub fn letter_of(&mut self, column: &'static str, known: &str) -> char {
        let letter = self.letter();
        if letter != ' ' && !known.contains(letter) {
            self.unknown.push(Unknown { column, letter });
        }
        letter
    }

    /// Letters that were not known.
    pub fn take_unknown(&mut self) -> Vec<Unknown> {
        std::mem::take(&mut self.unknown)
    }

    /// The elements of an array of one dimension; NULL reads as an empty one, and so do NULLs inside, which no
    /// catalog has.
    pub fn list(&mut self) -> Vec<String> {
        self.raw()
            .map(|text| array(text).into_iter().map(Option::unwrap_or_default).collect())
            .unwrap_or_default()
    }

    /// The numbers of an array or of a vector.
    pub fn numbers<T: FromStr>(&mut self) -> Vec<T> {
        let text = self.raw().unwrap_or_default();
        text.split(['{', '}', ',', ' ']).filter_map(|part| part.parse().ok()).collect()
    }
}

/// Reads the text form of an array of one dimension.
/// <https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO>
pub fn array(text: &str) -> Vec<Option<String>> {
    // A lower bound other than 1 stands before the braces: `[0:1]={a,b}`.
    let Some(inside) = text.find('{').and_then(|start| text[start + 1..].strip_suffix('}')) else {
        return Vec::new();
    };
    let mut elements = Vec::new();
    let mut chars = inside.chars().peekable();
    while chars.peek().is_some() {
        let mut element = String::new();
        let quoted = chars.next_if_eq(&'"').is_some();
        while let Some(c) = chars.next() {
            match c {
                '\\' => element.extend(chars.next()),
                '"' if quoted => break,
                ',' if !quoted => break,
                c => element.push(c),
            }
        }
        if quoted {
            chars.next_if_eq(&',');
        }
        elements.push(if !quoted && element == "NULL" { None } else { Some(element) });
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        array(text).into_iter().map(|element| element.unwrap_or_else(|| "<null>".into())).collect()
    }

    #[test]
    fn the_text_of_an_array_is_read() {
        assert_eq!(texts("{}"), [""; 0]);
        assert_eq!(texts("{a,b}"), ["a", "b"]);
        assert_eq!(texts(r#"{"a,b","c\"d\\e",NULL,"NULL",""}"#), ["a,b", "c\"d\\e", "<null>", "NULL", ""]);
        assert_eq!(texts("[0:1]={a,b}"), ["a", "b"]);
        assert_eq!(texts(r#"{"{x}",y z}"#), ["{x}", "y z"]);
    }
}
