//! Lines of `.gitattributes`. Pure. <https://git-scm.com/docs/gitattributes>

use std::path::{Path, PathBuf};

/// Returns the line that names the merge driver of a file; the path is from the root of the work tree.
pub fn line(path: &Path, driver: &str) -> String {
    format!("{} merge={driver}", pattern(path))
}

/// Returns the text of `.gitattributes` with a merge driver for each of the files, and the lines that it lacked. Where
/// a file's own line names another driver, or none, that line is completed.
pub fn with_driver(text: &str, paths: &[PathBuf], driver: &str) -> (String, Vec<String>) {
    let mut lines: Vec<String> = text.split_inclusive('\n').map(str::to_owned).collect();
    let mut changed = Vec::new();
    for path in paths {
        let pattern = pattern(path);
        let anchored = format!("/{pattern}");
        let is_about = |line: &String| {
            let first = first_word(line);
            first == pattern || first == anchored || format!("/{first}") == pattern
        };
        let wanted = format!("merge={driver}");
        match lines.iter_mut().rfind(|line| is_about(line)) {
            Some(line) => {
                let first = first_word(line).to_owned();
                let rest = line.trim_start()[first.len()..].split_whitespace();
                let attributes: Vec<&str> = rest.collect();
                if attributes.contains(&wanted.as_str()) {
                    continue;
                }
                let names_driver =
                    |word: &&str| word.starts_with("merge=") || ["merge", "-merge", "!merge"].contains(word);
                let kept = attributes.into_iter().filter(|word| !names_driver(word));
                let words: Vec<&str> =
                    std::iter::once(first.as_str()).chain(kept).chain([&*wanted]).collect();
                let new = words.join(" ");
                let end = if line.ends_with("\r\n") { "\r\n" } else { "\n" };
                *line = format!("{new}{end}");
                changed.push(new);
            }
            None => {
                if let Some(last) = lines.last_mut().filter(|last| !last.ends_with('\n')) {
                    last.push('\n');
                }
                let new = line(path, driver);
                lines.push(format!("{new}\n"));
                changed.push(new);
            }
        }
    }
    (lines.concat(), changed)
}

/// Returns the pattern of a line; one in quotes ends at the next that no backslash escapes.
fn first_word(line: &str) -> &str {
    let line = line.trim();
    let Some(inside) = line.strip_prefix('"') else {
        return line.split_whitespace().next().unwrap_or_default();
    };
    let mut escaped = false;
    for (at, byte) in inside.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &line[..at + 2],
            _ => {}
        }
    }
    line
}

/// Returns the pattern that means one file.
fn pattern(path: &Path) -> String {
    let name = super::slashes(path);
    let mut pattern = String::with_capacity(name.len() + 1);
    // Without a slash it would mean every file of that name; `#` begins a remark, and `!` is forbidden.
    if !name.contains('/') || name.starts_with(['#', '!', '"']) {
        pattern.push('/');
    }
    for character in name.chars() {
        if matches!(character, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    if pattern.contains(|c: char| c.is_whitespace() || c == '"') {
        let escaped =
            pattern.replace('\\', "\\\\").replace('"', "\\\"").replace('\t', "\\t").replace('\n', "\\n");
        return format!("\"{escaped}\"");
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(text: &str, paths: &[&str]) -> (String, usize) {
        let paths: Vec<PathBuf> = paths.iter().map(PathBuf::from).collect();
        let (text, changed) = with_driver(text, &paths, "dbsetup");
        assert_eq!(with_driver(&text, &paths, "dbsetup"), (text.clone(), Vec::new()), "a second time");
        (text, changed.len())
    }

    #[test]
    fn lines_are_added_below_those_of_others() {
        assert_eq!(
            with("*.png binary", &["priv/a/structure.sql", "priv/b/structure.sql"]),
            (
                "*.png binary\npriv/a/structure.sql merge=dbsetup\npriv/b/structure.sql merge=dbsetup\n"
                    .into(),
                2
            )
        );
        assert_eq!(with("", &[]), (String::new(), 0));
    }

    #[test]
    fn a_line_of_the_file_s_own_is_completed_and_keeps_what_else_it_says() {
        let text = "# ours\npriv/s.sql  -text merge=union\r\n*.md text\n";
        assert_eq!(
            with(text, &["priv/s.sql"]),
            ("# ours\npriv/s.sql -text merge=dbsetup\r\n*.md text\n".into(), 1)
        );
        assert_eq!(with("/priv/s.sql merge=dbsetup\n", &["priv/s.sql"]).1, 0);
        assert_eq!(with("# priv/s.sql\n", &["priv/s.sql"]).1, 1);
    }

    #[test]
    fn names_that_mean_something_to_git_are_escaped() {
        for (path, shown) in [
            ("structure.sql", "/structure.sql"),
            ("a b/s.sql", "\"a b/s.sql\""),
            ("a [x]/s.sql", "\"a \\\\[x]/s.sql\""),
            ("a*/s.sql", "a\\*/s.sql"),
            ("#a/s.sql", "/#a/s.sql"),
        ] {
            assert_eq!(with("", &[path]).0, format!("{shown} merge=dbsetup\n"));
        }
    }
}
