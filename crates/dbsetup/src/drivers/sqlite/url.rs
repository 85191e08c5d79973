//! SQLite URLs: what sqlx, diesel, dbmate and SQLite itself write, read the same way.
//!
//! | form | read as |
//! |---|---|
//! | `sqlite:p`, `sqlite://p`, `sqlite3:p`, `sqlite3://p` | path `p`, percent-decoded as sqlx does; `sqlite:///p` is absolute |
//! | `file:p`, `file:///p`, `file://localhost/p` | path `p`, percent-decoded, `#…` cut off (<https://www.sqlite.org/uri.html>) |
//! | no scheme | the path as it stands, as diesel and the shell take it, if it ends as SQLite's files do or a file is there |
//! | `:memory:`, `?mode=memory` | a database of the session's own |
//! | `sqlite:///n?vfs=memdb` | one in the memory of this process, of the name `n` |
//!
//! `mode=rwc` is read and means `rw`: whether a missing file is made is never the URL's to decide.

use std::path::{Path, PathBuf};

use crate::error::{Error, Kind, Result};
use crate::repo::DatabaseUrl;

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// In the memory of one session.
    Memory,
    /// In the memory of this process, found by name: there while anybody has it open.
    Named(String),
    /// In a file; the path is absolute.
    File(PathBuf),
}

/// What a URL says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Location {
    /// Where the database is.
    pub(super) place: Place,
    /// The path as it was written, decoded.
    pub(super) written: String,
    /// `mode=ro`.
    pub(super) read_only: bool,
    /// `immutable=1`: the file cannot change, so nothing is locked.
    pub(super) immutable: bool,
    /// `vfs=…`.
    pub(super) vfs: Option<String>,
}

impl Location {
    /// Reads a URL; a relative path starts at `root`.
    ///
    /// # Errors
    /// [`Kind::Configuration`]: another scheme, an unknown parameter, text that does not decode, no path.
    pub(super) fn parse(url: &DatabaseUrl, root: &Path) -> Result<Self> {
        let text = url.expose();
        let wrong = |why: String| Error::new(Kind::Configuration, format!("`{url}`: {why}"));
        let scheme = url.scheme();
        let after = |scheme: &str| &text[scheme.len() + 1..];
        let (rest, encoded) = match scheme.as_str() {
            // `:memory:` has an empty scheme too.
            "" => (text, false),
            "sqlite" | "sqlite3" => {
                let rest = after(&scheme);
                (rest.strip_prefix("//").unwrap_or(rest), true)
            }
            "file" => {
                let rest = after(&scheme);
                let rest = rest.split('#').next().unwrap_or_default();
                let path = match rest.strip_prefix("//") {
                    Some(authority) if authority.starts_with('/') => authority,
                    Some(authority) => match authority.strip_prefix("localhost") {
                        Some(path) if path.starts_with('/') => path,
                        _ => return Err(wrong("a file URL names no other host than `localhost`".into())),
                    },
                    None => rest,
                };
                (path, true)
            }
            other => return Err(wrong(format!("`{other}` is not a scheme of SQLite"))),
        };
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        if scheme.is_empty() {
            refuse_what_is_no_file(rest, root)?;
        } else {
            refuse_secrets(path)?;
        }
        let written = if encoded { decode(path).map_err(&wrong)? } else { path.to_owned() };
        let mut location =
            Self { place: Place::Memory, written, read_only: false, immutable: false, vfs: None };
        let mut memory = location.written == ":memory:";
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            match (key, decode(value).map_err(&wrong)?.as_str()) {
                ("mode", "rw" | "rwc") => {}
                ("mode", "ro") => location.read_only = true,
                ("mode", "memory") => memory = true,
                // One connection is all that we open: there is nobody to share with.
                ("cache", "private" | "shared") => {}
                ("immutable", "1" | "true") => location.immutable = true,
                ("immutable", "0" | "false") => {}
                ("vfs", name) => location.vfs = Some(name.to_owned()),
                ("mode" | "cache" | "immutable", value) => {
                    return Err(wrong(format!("`{value}` is not a value of `{key}`")));
                }
                _ => {
                    return Err(wrong(format!("unknown parameter `{key}`"))
                        .help("SQLite URLs take `mode`, `cache`, `immutable` and `vfs`"));
                }
            }
        }
        if memory {
            location.written = ":memory:".into();
            return Ok(location);
        }
        if location.written.is_empty() {
            return Err(
                wrong("the URL names no path".into()).help("name a file, for example `sqlite:app.db`")
            );
        }
        if location.written.contains('\0') {
            return Err(wrong("a path has no NUL byte in it".into()));
        }
        // A name that begins with a slash is shared by all connections of the process (<https://www.sqlite.org/src/file/src/memdb.c>).
        if location.vfs.as_deref() == Some("memdb")
            && let Some(name) = location.written.strip_prefix('/')
        {
            location.place = Place::Named(name.to_owned());
            location.vfs = None;
            return Ok(location);
        }
        let path = root.join(&location.written);
        let path = std::path::absolute(&path).map_err(|source| Error::io("resolve", &path, source))?;
        location.place = Place::File(path);
        Ok(location)
    }
}

/// Refuses what is rather the broken URL of a server than a path: its password would become the name of a file.
fn refuse_secrets(path: &str) -> Result<()> {
    let has_user = path.split_once(':').is_some_and(|(_, rest)| rest.contains('@'));
    if has_user || path.to_ascii_lowercase().contains("password=") {
        return Err(no_url(HELP));
    }
    Ok(())
}

/// Refuses text without a scheme unless it looks like a file of SQLite's: a mistyped URL of a server has none either,
/// and it would become an empty database that answers.
fn refuse_what_is_no_file(text: &str, root: &Path) -> Result<()> {
    if text.starts_with(['"', '\'']) {
        return Err(no_url("the quotes are part of the value: take them away"));
    }
    let lower = text.to_ascii_lowercase();
    if text.contains("://") || lower.starts_with("postgres") {
        return refuse_secrets(text).and(Err(no_url(HELP)));
    }
    if has_words_of_a_server(&lower) {
        return Err(no_url(
            "this is the `key=value` form of libpq: write it as `postgres://user:password@host/database`",
        ));
    }
    refuse_secrets(text)?;
    let is_named_so = [".db", ".db3", ".sqlite", ".sqlite3"].iter().any(|ending| lower.ends_with(ending));
    if text.is_empty() || text == ":memory:" || is_named_so || root.join(text).is_file() {
        return Ok(());
    }
    Err(no_url(HELP))
}

/// Whether this is libpq's `host=… user=…`.
fn has_words_of_a_server(text: &str) -> bool {
    let key = |word: &str| word.split_once('=').map(|(key, _)| key.trim().to_owned());
    let keys = ["host", "hostaddr", "port", "user", "dbname", "password", "passfile", "service", "sslmode"];
    text.split_whitespace().filter_map(key).any(|key| keys.contains(&key.as_str()))
}

const HELP: &str = "a server is `postgres://user:password@host/database`, with `@`, `/`, `#` and `%` of the \
                    password percent-encoded; a file is `sqlite:app.db`";

/// Nothing of the text is shown: where a password stands in it is anybody's guess.
fn no_url(help: &'static str) -> Error {
    let message = "what is given as the URL is neither a URL nor the path of an SQLite file";
    Error::new(Kind::Configuration, message).help(help)
}

/// Decodes `%20` and its like.
fn decode(text: &str) -> std::result::Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let digit = |at: usize| tail.get(at).and_then(|byte| (*byte as char).to_digit(16));
        match (byte, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                // Two hexadecimal digits make a byte.
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| format!("`{text}` does not decode to UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Location> {
        Location::parse(&DatabaseUrl::new(url), Path::new("/srv"))
    }

    fn path(url: &str) -> String {
        match parse(url).expect(url).place {
            Place::File(path) => path.to_string_lossy().into_owned(),
            Place::Memory | Place::Named(_) => ":memory:".into(),
        }
    }

    #[test]
    fn every_form_of_a_relative_path_starts_at_the_root() {
        for url in ["sqlite:a.db", "sqlite://a.db", "sqlite3:a.db", "SQLite:a.db", "file:a.db", "a.db"] {
            assert_eq!(path(url), "/srv/a.db", "{url}");
        }
    }

    #[test]
    fn absolute_paths_stay() {
        for url in [
            "sqlite:/x/a.db",
            "sqlite:///x/a.db",
            "file:/x/a.db",
            "file:///x/a.db",
            "file://localhost/x/a.db",
        ] {
            assert_eq!(path(url), "/x/a.db", "{url}");
        }
    }

    #[test]
    fn percent_signs_decode_after_a_scheme_only() {
        assert_eq!(path("sqlite:a%3Fb%20c.db"), "/srv/a?b c.db");
        assert_eq!(path("sqlite:100%.db"), "/srv/100%.db");
        assert_eq!(path("a%20b.db"), "/srv/a%20b.db");
    }

    #[test]
    fn memory_is_told_by_its_name_or_its_mode() {
        for url in [
            ":memory:",
            "sqlite::memory:",
            "sqlite://:memory:",
            "sqlite://?mode=memory",
            "file:x?mode=memory",
        ] {
            assert_eq!(path(url), ":memory:", "{url}");
        }
    }

    #[test]
    fn a_mistyped_url_of_a_server_is_no_file_and_is_not_repeated() {
        for url in [
            "\"postgres://app:s3cret@h/x\"",
            "'postgres://app:s3cret@h/x.db'",
            "postgres//app:s3cret@h/x",
            "postgres//app:s3cret@h/x.db",
            "host=127.0.0.1 user=app password=s3cret",
            "host=127.0.0.1 dbname=s3cret.db",
            "localhost/s3cret",
            "app:s3cret@h/x.db",
            "sqlite://app:s3cret@h/x",
            "s3cret",
        ] {
            let error = parse(url).expect_err(url);
            assert_eq!(error.kind(), Kind::Configuration, "{url}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn a_path_without_scheme_is_a_file_by_its_ending_or_because_it_is_there() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        std::fs::write(dir.path().join("data"), "").expect("it is writable");
        let parse = |url: &str| Location::parse(&DatabaseUrl::new(url), dir.path());
        for url in ["data", "new.db", "x/new.SQLite3", ":memory:"] {
            parse(url).expect(url);
        }
        for url in ["new", "new.db/x", "localhost/new"] {
            parse(url).expect_err(url);
        }
    }

    #[test]
    fn parameters_that_nobody_knows_are_errors() {
        for url in [
            "sqlite:a.db?mod=rwc",
            "sqlite:a.db?mode=create",
            "sqlite:",
            "postgres://h/d",
            "file://host/a.db",
        ] {
            assert_eq!(parse(url).expect_err(url).kind(), Kind::Configuration, "{url}");
        }
        assert!(parse("sqlite:a.db?mode=ro").expect("it parses").read_only);
        assert!(parse("sqlite:a.db?mode=rwc&cache=shared").is_ok());
    }
}
