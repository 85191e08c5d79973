//! The calls that matter, found among the tokens of a file: comments and strings are none of them.

use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// What a file does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// `sqlx::migrate!(..)`, `migrate!(..)` where the file imports it from sqlx, or `Migrator::new(..)`.
    Migrator { line: usize, directory: Option<String> },
    /// `#[sqlx::test]` that takes migrations from a directory.
    Test { line: usize, directory: Option<String> },
    /// `set_ignore_missing(true)`.
    IgnoreMissing,
}

/// Returns the calls of a file in order; none of a file that is no Rust.
pub fn calls(text: &str) -> Vec<Call> {
    let Ok(tokens) = TokenStream::from_str(text) else { return Vec::new() };
    let mut flat = Vec::new();
    flatten(tokens, &mut flat);
    let imports = |name: &str| {
        // `use sqlx::migrate;`, `use sqlx::{migrate, PgPool};`, `use sqlx::migrate::Migrator;`
        flat.iter().enumerate().any(|(at, _)| {
            is_word(&flat[at], "use")
                && flat.get(at + 1).is_some_and(|token| is_word(token, "sqlx"))
                && flat[at..]
                    .iter()
                    .take_while(|token| !is_punct(token, ';'))
                    .any(|token| is_word(token, name))
        })
    };
    let imported = imports("migrate");
    let imported_migrator = imports("Migrator");
    let mut found = Vec::new();
    for at in 0..flat.len() {
        let Flat::Word(word, line) = &flat[at] else { continue };
        let line = *line;
        match word.as_str() {
            "migrate" if is_macro(&flat, at) && (imported || is_after(&flat, at, "sqlx")) => {
                found.push(Call::Migrator { line, directory: first_literal(&flat, at + 2) });
            }
            "Migrator" if is_path_to(&flat, at, "new") && imported_migrator => {
                // A path that is computed says nothing here: what is not a literal may be any directory.
                found.push(Call::Migrator { line, directory: literal_within(&flat, at + 4) });
            }
            "test" if is_after(&flat, at, "sqlx") && is_attribute(&flat, at) => {
                if let Some(directory) = test_directory(&flat, at + 1) {
                    found.push(Call::Test { line, directory });
                }
            }
            "set_ignore_missing" if flat.get(at + 2).is_some_and(|token| is_word(token, "true")) => {
                found.push(Call::IgnoreMissing);
            }
            _ => {}
        }
    }
    found
}

/// A token, groups opened.
enum Flat {
    Word(String, usize),
    Literal(String),
    Punct(char),
    Open(Delimiter),
    Close,
}

fn flatten(tokens: TokenStream, into: &mut Vec<Flat>) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                into.push(Flat::Open(group.delimiter()));
                flatten(group.stream(), into);
                into.push(Flat::Close);
            }
            TokenTree::Ident(word) => into.push(Flat::Word(word.to_string(), word.span().start().line)),
            TokenTree::Punct(punct) => into.push(Flat::Punct(punct.as_char())),
            TokenTree::Literal(literal) => into.push(Flat::Literal(literal.to_string())),
        }
    }
}

fn is_word(token: &Flat, word: &str) -> bool {
    matches!(token, Flat::Word(found, _) if found == word)
}

fn is_punct(token: &Flat, punct: char) -> bool {
    matches!(token, Flat::Punct(found) if *found == punct)
}

/// Whether the word at `at` follows `name::`.
fn is_after(flat: &[Flat], at: usize, name: &str) -> bool {
    at >= 3 && is_word(&flat[at - 3], name) && is_punct(&flat[at - 2], ':') && is_punct(&flat[at - 1], ':')
}

/// Whether the word at `at` follows another path than sqlx's.
fn is_after_other(flat: &[Flat], at: usize) -> bool {
    at >= 3 && is_punct(&flat[at - 1], ':') && is_punct(&flat[at - 2], ':') && !is_word(&flat[at - 3], "sqlx")
}

/// Whether the word at `at` calls a macro, and that is not another crate's.
fn is_macro(flat: &[Flat], at: usize) -> bool {
    flat.get(at + 1).is_some_and(|token| is_punct(token, '!')) && !is_after_other(flat, at)
}

/// Whether the word at `at` is followed by `::name(`.
fn is_path_to(flat: &[Flat], at: usize, name: &str) -> bool {
    flat.get(at + 1).is_some_and(|token| is_punct(token, ':'))
        && flat.get(at + 3).is_some_and(|token| is_word(token, name))
        && matches!(flat.get(at + 4), Some(Flat::Open(Delimiter::Parenthesis)))
}

/// Whether `sqlx::test`, whose last word is at `at`, begins an attribute.
fn is_attribute(flat: &[Flat], at: usize) -> bool {
    let mut start = at - 3;
    // `#[::sqlx::test]`
    while start >= 1 && is_punct(&flat[start - 1], ':') {
        start -= 1;
    }
    start >= 2 && matches!(flat[start - 1], Flat::Open(Delimiter::Bracket)) && is_punct(&flat[start - 2], '#')
}

/// The literal that opens the group at `at`.
fn first_literal(flat: &[Flat], at: usize) -> Option<String> {
    match (flat.get(at)?, flat.get(at + 1)?) {
        (Flat::Open(_), Flat::Literal(literal)) => Some(unquoted(literal)),
        _ => None,
    }
}

/// The first literal in the group that opens at `at`.
fn literal_within(flat: &[Flat], at: usize) -> Option<String> {
    group(flat, at).find_map(|token| match token {
        Flat::Literal(literal) if literal.contains('"') => Some(unquoted(literal)),
        _ => None,
    })
}

/// The tokens of the group that opens at `at`.
fn group(flat: &[Flat], at: usize) -> impl Iterator<Item = &Flat> {
    let mut depth = 0;
    flat[at.min(flat.len())..].iter().take_while(move |token| {
        match token {
            Flat::Open(_) => depth += 1,
            Flat::Close => depth -= 1,
            _ => {}
        }
        depth > 0
    })
}

/// The directory of `#[sqlx::test(..)]`, whose arguments would open at `at`; outer `None` where it takes none.
fn test_directory(flat: &[Flat], at: usize) -> Option<Option<String>> {
    let arguments: Vec<&Flat> = match flat.get(at) {
        Some(Flat::Open(Delimiter::Parenthesis)) => group(flat, at).collect(),
        _ => return Some(None),
    };
    let value = |name: &str| {
        arguments.iter().position(|token| is_word(token, name)).and_then(|at| arguments.get(at + 2))
    };
    match (value("migrations"), value("migrator")) {
        (Some(Flat::Word(word, _)), _) if word == "false" => None,
        (Some(Flat::Literal(literal)), _) => Some(Some(unquoted(literal))),
        // Its migrations are those of a `Migrator`, which is found where it is made; the tests need them all the same.
        _ => Some(None),
    }
}

/// A string literal's text; escapes in a path are nobody's habit.
fn unquoted(literal: &str) -> String {
    let start = literal.find('"').map_or(0, |at| at + 1);
    let end = literal.rfind('"').unwrap_or(literal.len());
    literal.get(start..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migrator(line: usize, directory: Option<&str>) -> Call {
        Call::Migrator { line, directory: directory.map(str::to_owned) }
    }

    fn test(line: usize, directory: Option<&str>) -> Call {
        Call::Test { line, directory: directory.map(str::to_owned) }
    }

    #[test]
    fn calls_are_found_however_they_are_written() {
        for (text, expected) in [
            ("fn a() { sqlx::migrate!() }", migrator(1, None)),
            ("\nstatic M: A = sqlx :: migrate ! [ r\"db/m\" ];", migrator(2, Some("db/m"))),
            ("use sqlx::migrate;\nfn a() { migrate!(\"x\").run() }", migrator(2, Some("x"))),
            ("use sqlx::{PgPool, migrate};\nfn a() { migrate!{} }", migrator(2, None)),
            (
                "use sqlx::migrate::Migrator;\nfn a() { Migrator::new(Path::new(\"./m\")).await }",
                migrator(2, Some("./m")),
            ),
            ("#[sqlx::test]\nfn a() {}", test(1, None)),
            ("#[::sqlx::test(migrations = \"m\", fixtures(\"a\"))]\nfn a() {}", test(1, Some("m"))),
            ("#[sqlx::test(migrator = \"crate::M\")]\nfn a() {}", test(1, None)),
        ] {
            assert_eq!(calls(text), [expected], "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_a_call_is_none() {
        for text in [
            "// sqlx::migrate!()\n/* #[sqlx::test] */ fn a() {}",
            "fn a() { \"sqlx::migrate!()\" }",
            "fn a() { refinery::migrate!() }",
            "fn a() { migrate!() }",
            "#[sqlx::test(migrations = false)]\nfn a() {}",
            "fn a() { let test = sqlx::test::x(); }",
            "not { rust",
        ] {
            assert_eq!(calls(text), [], "{text}");
        }
    }

    #[test]
    fn ignoring_missing_files_is_told_from_not_ignoring_them() {
        assert_eq!(calls("fn a() { m.set_ignore_missing(true); }"), [Call::IgnoreMissing]);
        assert_eq!(calls("fn a() { m.set_ignore_missing(false); }"), []);
    }
}
