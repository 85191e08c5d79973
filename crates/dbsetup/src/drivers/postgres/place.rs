//! Where a database is and who is to work in it: a URL, taken apart and completed.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::percent::encode;
use crate::driver::DbError;

/// The longest name that PostgreSQL keeps; it cuts longer ones off without an error.
/// <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>
pub(super) const NAME_LIMIT: usize = 63;

/// Where a server listens.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Host {
    /// A directory with its Unix socket.
    Socket(PathBuf),
    /// A name or an address, without brackets.
    Name(String),
}

/// A URL, taken apart and completed from the environment. No `Debug`: it holds the password.
#[derive(Clone)]
pub(super) struct Place {
    pub host: Host,
    pub port: u16,
    pub user: String,
    /// Where the user's name comes from when the URL names none.
    pub user_of: Option<&'static str>,
    pub password: Option<String>,
    pub database: String,
    pub ssl: PgSslMode,
    pub root_cert: Option<String>,
    pub client_cert: Option<String>,
    pub client_key: Option<String>,
    pub application: Option<String>,
    /// Settings of the URL: `options[name]=value`, `options=-c name=value`.
    pub settings: Vec<(String, String)>,
    /// `search_path`, as the server takes it.
    pub search_path: Option<String>,
    pub connect_timeout: Duration,
}

impl Place {
    /// Returns the same server with another database.
    pub fn with_database(&self, database: &str) -> Self {
        Self { database: database.to_owned(), ..self.clone() }
    }

    /// Adds to a login that was refused that nobody has named its role.
    pub fn explained(&self, mut error: DbError) -> DbError {
        let is_login = error.code.as_deref().is_some_and(|code| code.starts_with("28"));
        if let Some(user_of) = self.user_of.filter(|_| is_login) {
            error.notes.push(format!(
                "the URL names no user, so that `{}` is taken, {user_of}: write `postgres://user:password@host:5432/database`",
                self.user
            ));
        }
        error
    }

    /// Whether the server is on this machine.
    pub fn is_local(&self) -> bool {
        match &self.host {
            Host::Socket(_) => true,
            Host::Name(name) => {
                name.eq_ignore_ascii_case("localhost")
                    || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
            }
        }
    }

    /// Whether TLS is demanded, not merely tried.
    pub fn demands_tls(&self) -> bool {
        matches!(self.ssl, PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull)
    }

    /// Where the server listens, in words.
    pub fn address(&self) -> String {
        match &self.host {
            Host::Socket(directory) => format!("socket in {}, port {}", directory.display(), self.port),
            Host::Name(name) => format!("host {name}, port {}", self.port),
        }
    }

    /// The place without its password, for messages.
    pub fn shown(&self) -> String {
        let (user, database) = (encode(&self.user), encode(&self.database));
        let port = if self.port == 5432 { String::new() } else { format!(":{}", self.port) };
        match &self.host {
            Host::Socket(directory) => {
                format!("postgres://{user}@{port}/{database}?host={}", directory.display())
            }
            Host::Name(name) if name.contains(':') => format!("postgres://{user}@[{name}]{port}/{database}"),
            Host::Name(name) => format!("postgres://{user}@{name}{port}/{database}"),
        }
    }

    /// Returns the options for sqlx.
    pub fn connect_options(&self) -> PgConnectOptions {
        // Only parsing reads `~/.pgpass`, so that a URL is made for it; for a socket libpq looks `localhost` up.
        let name = match &self.host {
            Host::Name(name) if name.contains(':') => format!("[{name}]"),
            Host::Name(name) => name.clone(),
            Host::Socket(_) => "localhost".to_owned(),
        };
        let lookup =
            format!("postgres://{}@{name}:{}/{}", encode(&self.user), self.port, encode(&self.database));
        let mut options = PgConnectOptions::from_str(&lookup).unwrap_or_else(|_| PgConnectOptions::new());
        options = match &self.host {
            Host::Socket(directory) => options.socket(directory),
            // By the builder: from a URL sqlx keeps the brackets of an IPv6 address and cannot resolve it.
            Host::Name(name) => options.host(name),
        };
        options = options.port(self.port).username(&self.user).database(&self.database).ssl_mode(self.ssl);
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        if let Some(path) = &self.root_cert {
            options = options.ssl_root_cert(path);
        }
        if let Some(path) = &self.client_cert {
            options = options.ssl_client_cert(path);
        }
        if let Some(path) = &self.client_key {
            options = options.ssl_client_key(path);
        }
        options
    }
}

/// Refuses what the server would cut off or misread.
pub(super) fn check_name(what: &str, name: &str) -> Result<(), String> {
    if name.len() > NAME_LIMIT {
        return Err(format!(
            "the name of the {what} has {} bytes, and PostgreSQL keeps {NAME_LIMIT}",
            name.len()
        ));
    }
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(format!("the name of the {what} is empty or holds control characters"));
    }
    Ok(())
}
