//! Names and patterns as the dump's filters take them: `app.users`, `app.tmp_*`.

/// A name with its schema, or without one.
#[derive(Debug)]
pub(super) struct Pattern {
    schema: Option<Part>,
    name: Part,
}

/// One part of it.
#[derive(Debug)]
struct Part {
    text: String,
    /// Whether `*` and `?` stand for other characters.
    wild: bool,
}

impl Pattern {
    /// Reads a table's name.
    pub fn new(text: &str) -> Self {
        let mut parts = split(text);
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        let wild = text.contains(['*', '?', '"']);
        let part = |text: String| Part { wild: text.contains(['*', '?']), text: folded(text, wild) };
        Self { schema: schema.map(part), name: part(name) }
    }

    /// Whether it names a table; without a schema it means those on the search path, or without that those everywhere.
    pub fn matches(&self, schema: &str, name: &str, path: Option<&[String]>) -> bool {
        let in_schema = match &self.schema {
            Some(part) => part.matches(schema),
            None => path.is_none_or(|path| path.iter().any(|on_path| on_path == schema)),
        };
        in_schema && self.name.matches(name)
    }

    /// Whether it names something that has no schema: a schema, an extension.
    pub fn names(&self, name: &str) -> bool {
        self.schema.is_none() && self.name.matches(name)
    }
}

/// Splits at dots outside of quotes.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut quoted) = (vec![String::new()], false);
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '.' if !quoted => parts.push(String::new()),
            _ => {}
        }
        if c != '.' || quoted {
            parts.last_mut().expect("there is one from the start").push(c);
        }
    }
    parts
}

/// A pattern folds what is not quoted, as psql does; a plain name is taken as it is written.
fn folded(text: String, wild: bool) -> String {
    match text.strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
        Some(inner) => inner.replace("\"\"", "\""),
        None if wild => text.to_lowercase(),
        None => text,
    }
}

impl Part {
    fn matches(&self, name: &str) -> bool {
        if !self.wild {
            return self.text == name;
        }
        let (pattern, name): (Vec<char>, Vec<char>) = (self.text.chars().collect(), name.chars().collect());
        // How far the name may have come for each place in the pattern.
        let mut reached = vec![false; name.len() + 1];
        reached[0] = true;
        for c in pattern {
            let mut next = vec![false; name.len() + 1];
            for at in 0..=name.len() {
                next[at] = match c {
                    '*' => reached[at] || at > 0 && next[at - 1],
                    '?' => at > 0 && reached[at - 1],
                    c => at > 0 && reached[at - 1] && name[at - 1] == c,
                };
            }
            reached = next;
        }
        reached[name.len()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact_and_patterns_are_not() {
        let path = ["public".to_owned()];
        let path = Some(&path[..]);
        assert!(Pattern::new("Users").matches("public", "Users", path));
        assert!(!Pattern::new("users").matches("app", "users", path));
        assert!(Pattern::new("users").matches("app", "users", None));
        assert!(Pattern::new("app.tmp_*").matches("app", "tmp_1", path));
        assert!(!Pattern::new("app.tmp_*").matches("app", "tmp", path));
        assert!(Pattern::new("*.\"Odd.Name\"").matches("app", "Odd.Name", path));
        assert!(Pattern::new("a?c*").names("abc") && !Pattern::new("a?c").names("ac"));
    }
}
