//! The databases. [`open`] is the only place that knows them all.

#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "sqlite")]
pub mod sqlite;

use std::path::Path;

use crate::driver::Server;
use crate::error::{Error, Kind, Result};
use crate::repo::DatabaseUrl;

/// Opens what `url` names, without connecting. Relative SQLite paths start at `root`; `maintenance` is where a server's
/// databases are created and dropped from.
///
/// # Errors
/// [`Kind::Configuration`] when the URL does not parse or names a database that this build does not know.
pub fn open(url: &DatabaseUrl, root: &Path, maintenance: Option<&DatabaseUrl>) -> Result<Box<dyn Server>> {
    let scheme = url.scheme();
    match scheme.as_str() {
        _ if url.expose().is_empty() => {
            Err(Error::new(Kind::Configuration, "the URL is empty").help(EXAMPLES))
        }
        #[cfg(feature = "sqlite")]
        "sqlite" | "sqlite3" | "file" | "" => Ok(Box::new(sqlite::SqliteServer::new(url, root)?)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Box::new(postgres::PostgresServer::new(url, maintenance)?)),
        other => {
            let _ = (root, maintenance);
            Err(unknown(url, other))
        }
    }
}

/// What URLs look like, for messages.
const EXAMPLES: &str = match (cfg!(feature = "postgres"), cfg!(feature = "sqlite")) {
    (true, false) => "a server is `postgres://user:password@host:5432/database`",
    (false, true) => "a file is `sqlite:app.db`",
    _ => "a server is `postgres://user:password@host:5432/database`, a file is `sqlite:app.db`",
};

/// Says what is wrong with a URL whose scheme nobody here knows.
fn unknown(url: &DatabaseUrl, scheme: &str) -> Error {
    let wrong = |message: String| Error::new(Kind::Configuration, message);
    if !url.expose().contains("://") {
        // `localhost:5432/app`: what stands before the colon is a host, or anything.
        let message =
            "what is given as the URL has no scheme: it does not begin with `postgres://` or `sqlite:`";
        return wrong(message.to_owned()).help(EXAMPLES);
    }
    let known = [(cfg!(feature = "postgres"), "postgres"), (cfg!(feature = "sqlite"), "sqlite")];
    let near = known.iter().find(|(is_built, name)| *is_built && is_near(scheme, name));
    let error = wrong(format!("`{scheme}` is no kind of database that is known here: the URL is `{url}`"));
    match near {
        Some((_, name)) => error.help(format!("did you mean `{name}`? {EXAMPLES}")),
        None => error.help(EXAMPLES),
    }
}

/// Whether a scheme is meant to be another one: the same letters at both ends, or a few that are too many.
fn is_near(scheme: &str, name: &str) -> bool {
    let start: String = name.chars().take(4).collect();
    scheme.starts_with(&start)
        || scheme.starts_with("pg") && name == "postgres"
        || scheme == "psql" && name == "postgres"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(feature = "postgres", feature = "sqlite"))]
    #[test]
    fn a_url_of_nothing_that_is_known_is_told_with_an_example() {
        for (url, said, help) in [
            ("", "the URL is empty", ""),
            ("  ", "the URL is empty", ""),
            (
                "postgressql://app:s3cret@h/x",
                "`postgressql` is no kind of database",
                "did you mean `postgres`?",
            ),
            ("pgsql://h/x", "the URL is `pgsql://h/x`", "did you mean `postgres`?"),
            ("mysql://root:s3cret@h/x", "the URL is `mysql://root@h/x`", ""),
            ("http://h/x", "`http` is no kind of database", ""),
            ("localhost:5432/x", "has no scheme", ""),
            ("app:s3cret@localhost/x", "has no scheme", ""),
            ("core", "neither a URL nor the path of an SQLite file", ""),
            ("/srv/data/core", "neither a URL nor the path of an SQLite file", ""),
            ("postgres://app:s3cret@h:port/x", "is not a PostgreSQL URL", ""),
            ("sqlite:", "names no path", ""),
        ] {
            let error = open(&DatabaseUrl::new(url), Path::new("/srv"), None).err().expect("it is wrong");
            assert_eq!(error.kind(), Kind::Configuration, "{url}");
            let text = error.to_string();
            assert!(error.message().contains("URL"), "the place where it stands is added to {text}");
            assert!(text.contains(said) && text.contains(help), "{url}: {text}");
            assert!(
                text.contains("postgres://user:password@host") || text.contains("`sqlite:app.db`"),
                "{text}"
            );
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}
