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
        #[cfg(feature = "sqlite")]
        "sqlite" | "sqlite3" | "file" | "" => Ok(Box::new(sqlite::SqliteServer::new(url, root)?)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(Box::new(postgres::PostgresServer::new(url, maintenance)?)),
        _ => {
            let _ = (root, maintenance);
            Err(Error::new(Kind::Configuration, format!("`{url}` names a database that is not supported"))
                .help(format!("use a URL that begins with {}", supported())))
        }
    }
}

/// The schemes of this build, for messages.
fn supported() -> String {
    let mut schemes = Vec::new();
    if cfg!(feature = "postgres") {
        schemes.push("`postgres://`");
    }
    if cfg!(feature = "sqlite") {
        schemes.push("`sqlite:`");
    }
    schemes.join(" or ")
}
