//! Definitions of the form `(NAME = value, ...)`, and names as the server words them.

use super::{Cells, Feature, Writer, name};

/// The list in the parentheses of a definition, one item a line.
/// <https://www.postgresql.org/docs/current/sql-createtype.html>
#[derive(Debug, Default)]
pub struct Definition {
    items: Vec<String>,
}

impl Definition {
    /// Adds what makes no sense to leave out.
    pub fn always(&mut self, item: &str, value: &str) {
        self.items.push(format!("{item} = {value}"));
    }

    /// Adds what the object has beyond the defaults, as a `feature`.
    pub fn given(&mut self, writer: &mut Writer, feature: Feature, item: &str, value: Option<&str>) {
        if let Some(value) = value
            && writer.on(feature)
        {
            self.always(item, value);
        }
    }

    /// Adds an item as it is, where the object has it.
    pub fn word(&mut self, writer: &mut Writer, feature: Feature, given: bool, item: &str) {
        if given && writer.on(feature) {
            self.items.push(item.to_owned());
        }
    }

    /// Returns the statement: its head, and the list.
    pub fn after(self, head: &str) -> String {
        block(head, &self.items)
    }
}

/// Returns a head with a list in parentheses, one item a line.
pub fn block(head: &str, items: &[String]) -> String {
    if items.is_empty() {
        format!("{head} ()")
    } else {
        format!("{head} (\n    {}\n)", items.join(",\n    "))
    }
}

/// Reads a function's name as the type `regproc` words it: with its schema, unless that is `pg_catalog`; `-` for none.
pub fn function(row: &mut Cells<'_>) -> Option<String> {
    let text = row.text();
    (text != "-").then(|| requoted(&text))
}

/// Returns a name of one or more parts as this file quotes it, without the engine's own schema: the server says
/// that too where a name has several functions, which is another answer in another release.
fn requoted(text: &str) -> String {
    let mut parts = split(text);
    if parts.len() > 1 && parts[0] == "pg_catalog" {
        parts.remove(0);
    }
    parts.iter().map(|part| name::quoted(part)).collect::<Vec<_>>().join(".")
}

/// Splits a quoted name at its dots.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars().peekable();
    let mut quoted = false;
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted && chars.next_if_eq(&'"').is_some() => push(&mut parts, '"'),
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            c => push(&mut parts, c),
        }
    }
    parts
}

fn push(parts: &mut [String], c: char) {
    if let Some(part) = parts.last_mut() {
        part.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_named_without_the_engines_schema() {
        assert_eq!(requoted("int4in"), "int4in");
        assert_eq!(requoted("pg_catalog.array_append"), "array_append");
        assert_eq!(requoted("public.f"), "public.f");
        assert_eq!(requoted("pg_catalog.\"overlaps\""), "\"overlaps\"");
        assert_eq!(requoted("\"A.b\".\"say \"\"x\"\"\""), "\"A.b\".\"say \"\"x\"\"\"");
    }

    #[test]
    fn a_name_is_quoted_by_the_keywords_of_all_releases() {
        assert_eq!(requoted("app.json_table"), "app.\"json_table\"");
    }

    #[test]
    fn a_definition_has_an_item_a_line() {
        let mut definition = Definition::default();
        definition.always("INPUT", "f");
        definition.always("OUTPUT", "g");
        assert_eq!(definition.after("CREATE TYPE t"), "CREATE TYPE t (\n    INPUT = f,\n    OUTPUT = g\n)");
        assert_eq!(block("CREATE TYPE t AS ENUM", &[]), "CREATE TYPE t AS ENUM ()");
    }
}
