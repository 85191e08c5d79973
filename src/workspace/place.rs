//! A place in a manifest: which key of which file. Finds its line when an error has to point at it.

use std::ops::Range;
use std::path::{Path, PathBuf};

use dbsetup::error::Site;
use dbsetup::{Error, Kind};
use toml::de::{DeTable, DeValue};

/// A key of a TOML file, by its path from the top.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Where the file is.
    file: PathBuf,
    /// The file as a person at the workspace root would type it.
    shown: PathBuf,
    path: Vec<String>,
}

impl Place {
    /// Returns the place of `path` in `file`, shown relative to `root`.
    pub fn new(file: &Path, root: &Path, path: &[&str]) -> Self {
        Self {
            file: file.to_path_buf(),
            shown: file.strip_prefix(root).unwrap_or(file).to_path_buf(),
            path: path.iter().map(|&part| part.to_owned()).collect(),
        }
    }

    /// Returns the place of `key` in this table, or of an index in this list.
    pub fn join(&self, key: impl ToString) -> Self {
        let mut place = self.clone();
        place.path.push(key.to_string());
        place
    }

    /// The file as a person at the workspace root would type it.
    pub fn shown_file(&self) -> &Path {
        &self.shown
    }

    /// The dotted path: `package.metadata.dbsetup.repos.core.url`.
    pub fn key(&self) -> String {
        let bare = |part: &String| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
        };
        let parts: Vec<String> = self
            .path
            .iter()
            .map(|part| if bare(part) { part.clone() } else { format!("{part:?}") })
            .collect();
        parts.join(".")
    }

    /// Returns an error that points at the key. The value is not shown: it may be a URL with a password.
    pub fn error_at_key(&self, message: impl Into<String>) -> Error {
        self.error(message.into(), |key, _| key)
    }

    /// Returns an error that points at the value and shows it. Only for values that hold no secret.
    pub fn error_at_value(&self, message: impl Into<String>) -> Error {
        self.error(message.into(), |_, value| value)
    }

    fn error(&self, message: String, choose: fn(Range<usize>, Range<usize>) -> Range<usize>) -> Error {
        match self.find(choose) {
            Some(site) => Error::new(Kind::Configuration, message).at(site),
            // The file changed meanwhile, or the key came through a merge that this walk does not know.
            None => Error::new(
                Kind::Configuration,
                format!("{message} (`{}` in `{}`)", self.key(), self.shown.display()),
            ),
        }
    }

    fn find(&self, choose: fn(Range<usize>, Range<usize>) -> Range<usize>) -> Option<Site> {
        let text = std::fs::read_to_string(&self.file).ok()?;
        let (key, value) = spans(&text, &self.path)?;
        Some(masked(&self.shown, &text, choose(key, value)))
    }
}

/// Returns the spans of a key and of its value.
fn spans(text: &str, path: &[String]) -> Option<(Range<usize>, Range<usize>)> {
    let document = DeTable::parse(text).ok()?;
    let (first, rest) = path.split_first()?;
    let (key, mut value) = document.get_ref().iter().find(|(key, _)| key.get_ref() == first)?;
    let mut key = key.span();
    for part in rest {
        match value.get_ref() {
            DeValue::Table(table) => {
                let (inner, next) = table.iter().find(|(key, _)| key.get_ref() == part)?;
                (key, value) = (inner.span(), next);
            }
            DeValue::Array(list) => {
                value = list.get(part.parse::<usize>().ok()?)?;
                key = value.span();
            }
            _ => return None,
        }
    }
    Some((key, value.span()))
}

/// Returns the site of `range`, with every other string of that line hidden.
pub fn masked(shown: &Path, text: &str, range: Range<usize>) -> Site {
    let mut site = Site::in_text(shown, text, range);
    let before = usize::try_from(site.at.column - 1).unwrap_or(usize::MAX);
    let mut quote = None;
    let mut kept = String::new();
    let mut cut = false;
    for (at, c) in site.excerpt.chars().enumerate() {
        if at >= before.saturating_add(site.width) {
            cut = true;
            break;
        }
        let hidden = at < before && quote.is_some() && quote != Some(c);
        kept.push(if hidden { '*' } else { c });
        if at < before && matches!(c, '"' | '\'') {
            match quote {
                None => quote = Some(c),
                Some(open) if open == c => quote = None,
                Some(_) => {}
            }
        }
    }
    if cut {
        kept.push_str(" ...");
    }
    site.excerpt = kept;
    site
}

/// Returns the error of a TOML file that does not parse. Its text may hold secrets, so only the place is shown.
pub fn unreadable(file: &Path, root: &Path, text: &str, error: &toml::de::Error) -> Error {
    let shown = file.strip_prefix(root).unwrap_or(file);
    let failure = Error::new(
        Kind::Configuration,
        format!("`{}` is not valid TOML: {}", shown.display(), error.message()),
    );
    match error.span() {
        Some(span) => failure.at(masked(shown, text, span.start..span.start)),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> (tempfile::TempDir, PathBuf) {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let path = dir.path().join("Cargo.toml");
        std::fs::write(&path, text).expect("the directory is writable");
        (dir, path)
    }

    #[test]
    fn an_error_points_at_the_key_and_hides_its_value() {
        let (dir, path) = file("[a.b]\nx = 1\nurll = \"postgres://app:s3cret@h/db\"\n");
        let error = Place::new(&path, dir.path(), &["a", "b", "urll"]).error_at_key("unknown key `urll`");
        let site = error.site().expect("the key is in the file");
        assert_eq!((site.at.line, site.at.column, site.width), (3, 1, 4));
        assert_eq!(site.excerpt, "urll ...");
        assert_eq!(site.path, Path::new("Cargo.toml"));
    }

    #[test]
    fn an_error_in_an_inline_table_hides_its_neighbours() {
        let (dir, path) =
            file("core = { url = \"postgres://app:s3cret@h/db\", lock-wait = \"soon\", x = 's3cret' }\n");
        let error = Place::new(&path, dir.path(), &["core", "lock-wait"]).error_at_value("not a duration");
        let site = error.site().expect("the key is in the file");
        assert!(site.excerpt.ends_with("lock-wait = \"soon\" ..."), "{}", site.excerpt);
        assert!(!site.excerpt.contains("s3cret"), "{}", site.excerpt);
        assert!(
            site.excerpt
                .chars()
                .skip(site.at.column as usize - 1)
                .collect::<String>()
                .starts_with("\"soon\"")
        );
    }

    #[test]
    fn a_key_is_shown_as_it_is_typed() {
        let place =
            Place::new(Path::new("/w/Cargo.toml"), Path::new("/w"), &["package", "a b"]).join("c-d").join(0);
        assert_eq!(place.key(), "package.\"a b\".c-d.0");
    }
}
