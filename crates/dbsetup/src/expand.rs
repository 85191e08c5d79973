//! Expands `{env}`, `${VAR}` and `${VAR:-default}` in the strings of a manifest. Pure: the caller knows the variables.

/// Why a string does not expand. Nothing of the string itself is in it, as it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unexpanded {
    /// The variable is not set, and there is no default.
    Unset(String),
    /// `${` without its `}`, or a name that no variable can have.
    Malformed,
    /// `{word}` with a word other than `env`.
    Placeholder(String),
}

/// Returns `text` with the name of the environment and the variables put in.
///
/// `$${` stands for a literal `${`; any other `$` is itself. A default may hold placeholders again, and counts when
/// the variable is unset or empty, as in a shell.
pub fn expand(
    text: &str,
    environment: &str,
    lookup: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<String, Unexpanded> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("$${") {
            out.push_str("${");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("${") {
            let end = closing(after).ok_or(Unexpanded::Malformed)?;
            out.push_str(&variable(&after[..end], environment, lookup)?);
            rest = &after[end + 1..];
        } else if let Some(after) = rest.strip_prefix("{env}") {
            out.push_str(environment);
            rest = after;
        } else {
            if let Some(word) = placeholder(rest) {
                return Err(Unexpanded::Placeholder(word.to_owned()));
            }
            // One byte: `$` and `{` are ASCII.
            out.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    out.push_str(rest);
    Ok(out)
}

/// Returns `text` with `{env}` replaced and all else as it is: values of variables are nobody's templates.
pub fn environment_only(text: &str, environment: &str) -> String {
    text.replace("{env}", environment)
}

fn variable(
    inside: &str,
    environment: &str,
    lookup: &mut dyn FnMut(&str) -> Option<String>,
) -> Result<String, Unexpanded> {
    let (name, default) = match inside.split_once(":-") {
        Some((name, default)) => (name, Some(default)),
        None => (inside, None),
    };
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !starts || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(Unexpanded::Malformed);
    }
    match (lookup(name), default) {
        (Some(value), None) => Ok(value),
        (Some(value), Some(_)) if !value.is_empty() => Ok(value),
        (_, Some(default)) => expand(default, environment, lookup),
        (None, None) => Err(Unexpanded::Unset(name.to_owned())),
    }
}

/// Returns where the brace that was opened before `text` closes.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return Some(at),
            '}' => depth -= 1,
            _ => {}
        }
    }
    None
}

fn placeholder(text: &str) -> Option<&str> {
    let word = &text.strip_prefix('{')?;
    let word = &word[..word.find('}')?];
    (!word.is_empty() && word.chars().all(|c| c.is_ascii_alphabetic())).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, Unexpanded> {
        expand(text, "test", &mut |name| match name {
            "HOST" => Some("db".into()),
            "EMPTY" => Some(String::new()),
            "ODD" => Some("a${HOST}{env}$".into()),
            _ => None,
        })
    }

    #[test]
    fn placeholders_variables_and_defaults_are_put_in() {
        for (text, expected) in [
            ("sqlite:core_{env}.db", "sqlite:core_test.db"),
            ("postgres://${HOST}/core", "postgres://db/core"),
            ("${NONE:-localhost}/x", "localhost/x"),
            ("${EMPTY:-localhost}", "localhost"),
            ("${EMPTY}", ""),
            ("${NONE:-core_{env}}/${HOST}", "core_test/db"),
            ("${NONE:-${HOST}}", "db"),
            ("${NONE:-}", ""),
            ("pa$$word$", "pa$$word$"),
            ("$${HOST}", "${HOST}"),
            ("größe_{env}_{", "größe_test_{"),
            ("a{}b{1}", "a{}b{1}"),
        ] {
            assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn the_value_of_a_variable_is_not_expanded_again() {
        assert_eq!(expanded("${ODD}").as_deref(), Ok("a${HOST}{env}$"));
    }

    #[test]
    fn what_cannot_expand_is_an_error() {
        assert_eq!(expanded("x${NONE}"), Err(Unexpanded::Unset("NONE".into())));
        assert_eq!(expanded("${HOST"), Err(Unexpanded::Malformed));
        assert_eq!(expanded("${}"), Err(Unexpanded::Malformed));
        assert_eq!(expanded("${1A}"), Err(Unexpanded::Malformed));
        assert_eq!(expanded("core_{ENV}"), Err(Unexpanded::Placeholder("ENV".into())));
    }
}
