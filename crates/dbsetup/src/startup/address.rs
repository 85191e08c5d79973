//! A database named by its parts, for an application that has no URL: nothing has to be percent-encoded by hand.

use std::path::PathBuf;

use crate::repo::DatabaseUrl;

/// Where a database is. Neither form shows a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConnectOptions {
    /// A server.
    Postgres(PostgresOptions),
    /// An SQLite file. A relative path starts where the process was started.
    Sqlite(PathBuf),
}

impl ConnectOptions {
    /// Returns the options of an SQLite file.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::Sqlite(path.into())
    }

    /// Returns the options of a database of a PostgreSQL server. What is not said is what a URL leaves out.
    pub fn postgres(database: impl Into<String>) -> PostgresOptions {
        PostgresOptions { database: database.into(), ..PostgresOptions::default() }
    }
}

/// A database of a PostgreSQL server.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct PostgresOptions {
    database: String,
    host: Option<String>,
    socket: Option<PathBuf>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    parameters: Vec<(String, String)>,
}

impl std::fmt::Debug for PostgresOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("PostgresOptions").field(&DatabaseUrl::from(self.clone())).finish()
    }
}

impl PostgresOptions {
    /// A name or an address; what begins with `/` is the directory of a Unix socket, as for every other client.
    #[must_use]
    pub fn host(mut self, host: impl Into<String>) -> Self {
        let host = host.into();
        if host.starts_with('/') {
            return self.socket(host);
        }
        self.host = Some(host);
        self
    }

    /// The directory of a Unix socket.
    #[must_use]
    pub fn socket(mut self, directory: impl Into<PathBuf>) -> Self {
        self.socket = Some(directory.into());
        self
    }

    /// The port; 5432 where it is not said.
    #[must_use]
    pub fn port(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// The role that connects.
    #[must_use]
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Its password.
    #[must_use]
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// A parameter of the URL: `sslmode`, `sslrootcert`, `search_path`.
    #[must_use]
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }
}

impl From<PostgresOptions> for ConnectOptions {
    fn from(options: PostgresOptions) -> Self {
        Self::Postgres(options)
    }
}

impl From<PostgresOptions> for DatabaseUrl {
    fn from(options: PostgresOptions) -> Self {
        let mut url = "postgres://".to_owned();
        if let Some(user) = &options.user {
            url += &encoded(user);
        }
        if let Some(password) = &options.password {
            url += ":";
            url += &encoded(password);
        }
        if options.user.is_some() || options.password.is_some() {
            url += "@";
        }
        match &options.host {
            // An address of version 6 has colons of its own.
            Some(host) if host.contains(':') && !host.starts_with('[') => url += &format!("[{host}]"),
            Some(host) => url += host,
            None => {}
        }
        if let Some(port) = options.port {
            url += &format!(":{port}");
        }
        url += "/";
        url += &encoded(&options.database);
        let socket = options.socket.map(|path| ("host".to_owned(), path.to_string_lossy().into_owned()));
        for (at, (name, value)) in socket.into_iter().chain(options.parameters).enumerate() {
            url += if at == 0 { "?" } else { "&" };
            url += &format!("{}={}", encoded(&name), encoded(&value));
        }
        Self::new(url)
    }
}

impl From<ConnectOptions> for DatabaseUrl {
    fn from(options: ConnectOptions) -> Self {
        match options {
            ConnectOptions::Postgres(options) => options.into(),
            ConnectOptions::Sqlite(path) => {
                Self::new(format!("sqlite:{}", encoded_path(&path.to_string_lossy())))
            }
        }
    }
}

impl From<&str> for DatabaseUrl {
    fn from(url: &str) -> Self {
        Self::new(url)
    }
}

impl From<String> for DatabaseUrl {
    fn from(url: String) -> Self {
        Self::new(url)
    }
}

impl From<&String> for DatabaseUrl {
    fn from(url: &String) -> Self {
        Self::new(url.as_str())
    }
}

impl From<&DatabaseUrl> for DatabaseUrl {
    fn from(url: &DatabaseUrl) -> Self {
        url.clone()
    }
}

/// Percent-encodes everything that could mean something in a URL.
fn encoded(text: &str) -> String {
    encoded_but(text, b"-._~")
}

/// The same for a path, which keeps its separators.
fn encoded_path(text: &str) -> String {
    encoded_but(text, b"-._~/\\:")
}

fn encoded_but(text: &str, kept: &[u8]) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || kept.contains(&byte) {
            url.push(char::from(byte));
        } else {
            url += &format!("%{byte:02X}");
        }
        url
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_an_address_are_encoded_and_the_password_is_not_shown() {
        let options = ConnectOptions::postgres("core/prod")
            .host("::1")
            .port(5433)
            .user("app")
            .password("p@ss/w:rd?#")
            .parameter("sslmode", "verify-full");
        assert!(!format!("{options:?}").contains("p@ss") && !format!("{options:?}").contains("p%40ss"));
        let url = DatabaseUrl::from(ConnectOptions::from(options));
        assert_eq!(
            url.expose(),
            "postgres://app:p%40ss%2Fw%3Ard%3F%23@[::1]:5433/core%2Fprod?sslmode=verify-full"
        );
        let socket = ConnectOptions::postgres("core").socket("/run/postgresql").user("app");
        assert_eq!(DatabaseUrl::from(socket).expose(), "postgres://app@/core?host=%2Frun%2Fpostgresql");
        let as_host = ConnectOptions::postgres("core").host("/run/postgresql").user("app");
        assert_eq!(DatabaseUrl::from(as_host).expose(), "postgres://app@/core?host=%2Frun%2Fpostgresql");
        let file = ConnectOptions::sqlite("/data/my app?.db");
        assert_eq!(DatabaseUrl::from(file).expose(), "sqlite:/data/my%20app%3F.db");
    }
}
