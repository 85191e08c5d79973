//! The directories that the sources of a crate hand to a macro: `sqlx::migrate!("..")`, `embed_migrations!("..")`,
//! `#[sqlx::test(migrations = "..")]`.

use std::path::{Path, PathBuf};

use crate::paths::{clean, entries};

/// A directory that a source file hands to a macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The directory.
    pub dir: PathBuf,
    /// Whether the macro is sqlx's.
    pub by_sqlx: bool,
    /// Whether it is an attribute of tests, which may have migrations of their own.
    pub for_tests: bool,
}

/// Who names a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Sqlx,
    Diesel,
    Tests,
}

const MACROS: [(&str, Who); 3] =
    [("embed_migrations!", Who::Diesel), ("migrate!", Who::Sqlx), ("sqlx::test(", Who::Tests)];

/// Returns the directories that the sources of the crate in `dir` name and that are there; comment lines aside.
pub fn named_in_sources(dir: &Path) -> Vec<Named> {
    let mut named: Vec<Named> = Vec::new();
    each_source(&dir.join("src"), &mut |text| {
        let code: String = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"))
            .flat_map(|line| [line, "\n"])
            .collect();
        for (who, text) in mentions(&code) {
            let path = clean(&dir.join(if text.is_empty() { "migrations" } else { text }));
            let by_sqlx = who != Who::Diesel;
            if path.is_dir() && !named.iter().any(|known| known.dir == path && known.by_sqlx == by_sqlx) {
                named.push(Named { dir: path, by_sqlx, for_tests: who == Who::Tests });
            }
        }
    });
    named
}

/// Reads every source file in `dir` and below that may name migrations, in the order of their names.
fn each_source(dir: &Path, see: &mut dyn FnMut(&str)) {
    for entry in entries(dir) {
        let path = entry.path();
        match entry.file_type() {
            Ok(found) if found.is_dir() => each_source(&path, see),
            Ok(_) if path.extension().is_some_and(|extension| extension == "rs") => {
                if let Ok(text) = std::fs::read_to_string(&path)
                    && text.contains("migrat")
                {
                    see(&text);
                }
            }
            _ => {}
        }
    }
}

/// Returns what a text hands to the macros, in its order; nothing handed over is an empty text.
fn mentions(code: &str) -> Vec<(Who, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some((start, word, who)) = MACROS
        .iter()
        .filter_map(|(word, who)| code[at..].find(word).map(|start| (at + start, *word, *who)))
        .min_by_key(|(start, ..)| *start)
    {
        at = start + word.len();
        let is_part = code[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        if who != Who::Tests && is_part {
            continue;
        }
        let rest = &code[at..];
        let handed = if who == Who::Tests { attribute(rest) } else { argument(rest) };
        if let Some((text, length)) = handed {
            found.push((who, text));
            at += length;
        }
    }
    found
}

/// Reads `("text")` in any of the three brackets, or an empty pair. Returns the text and how much was read.
fn argument(rest: &str) -> Option<(&str, usize)> {
    let inside = rest.trim_start().strip_prefix(['(', '[', '{'])?.trim_start();
    let read = |left: &str| rest.len() - left.len();
    if let Some(left) = inside.strip_prefix([')', ']', '}']) {
        return Some(("", read(left)));
    }
    let quoted = inside.strip_prefix('r').unwrap_or(inside).trim_start_matches('#').strip_prefix('"')?;
    let text = &quoted[..quoted.find(['"', '\n'])?];
    quoted[text.len()..].starts_with('"').then(|| (text, read(&quoted[text.len() + 1..])))
}

/// Reads `migrations = "text"` in the arguments of an attribute.
fn attribute(rest: &str) -> Option<(&str, usize)> {
    const KEY: &str = "migrations";
    let end = rest.find(']').unwrap_or(rest.len());
    rest[..end].match_indices(KEY).find_map(|(start, _)| {
        if rest[..start].ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_') {
            return None;
        }
        let quoted =
            rest[start + KEY.len()..].trim_start().strip_prefix('=')?.trim_start().strip_prefix('"')?;
        let text = &quoted[..quoted.find(['"', '\n'])?];
        let is_whole = !text.is_empty() && quoted[text.len()..].starts_with('"');
        is_whole.then(|| (text, rest.len() - quoted.len() + text.len() + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_name_directories_by_macros_and_not_in_comments() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let root = dir.path();
        for name in ["src/deep", "db/pg", "db/lite", "migrations", "sql", "tests_only"] {
            std::fs::create_dir_all(root.join(name)).expect("it is writable");
        }
        let source = r##"
            //! sqlx::migrate!("sql")
            static A: Migrator = sqlx::migrate!("./db/pg");
            static B: Migrator = migrate!(r#"db/lite"#);
            static C: Migrator = sqlx::migrate!();
            static D: Migrator = sqlx::migrate!("not/there");
            #[sqlx::test(fixtures("users"), migrations = "tests_only")]
            const E: EmbeddedMigrations = embed_migrations!("sql");
        "##;
        std::fs::write(root.join("src/deep/db.rs"), source).expect("it is writable");
        let found = named_in_sources(root);
        let shown: Vec<(String, bool)> = found
            .iter()
            .map(|named| {
                let dir = named.dir.strip_prefix(root).expect("they are below it");
                (dir.to_string_lossy().replace('\\', "/"), named.by_sqlx)
            })
            .collect();
        let expected =
            [("db/pg", true), ("db/lite", true), ("migrations", true), ("tests_only", true), ("sql", false)];
        assert_eq!(shown, expected.map(|(dir, by_sqlx)| (dir.to_owned(), by_sqlx)));
    }

    #[test]
    fn only_macros_with_a_text_or_nothing_in_them_name_one() {
        use Who::{Diesel, Sqlx, Tests};
        for (code, expected) in [
            (r#"migrate!("a"); x.migrate("b")"#, vec![(Sqlx, "a")]),
            (r#"premigrate!("a") my_migrate!("b")"#, vec![]),
            ("migrate! { }", vec![(Sqlx, "")]),
            ("migrate![\n \"a\"\n]", vec![(Sqlx, "a")]),
            ("migrate!(DIR) migrate!(\"a", vec![]),
            ("migrate!(\"a\nb\")", vec![]),
            ("embed_migrations!() migrate!()", vec![(Diesel, ""), (Sqlx, "")]),
            (r#"#[sqlx::test(migrations = false)] #[x(migrations = "a")]"#, vec![]),
            (r#"#[sqlx::test(premigrations = "a", migrations="b")]"#, vec![(Tests, "b")]),
            (r#"#[sqlx::test(migrations = "")] migrate!("ä")"#, vec![(Sqlx, "ä")]),
        ] {
            assert_eq!(mentions(code), expected, "{code}");
        }
    }
}
