//! What a PostgreSQL URL says: host, role, database, TLS and settings.
//!
//! Parsed here and not by sqlx, which drops keys that it does not know, logs a role in as `anonymous` when the URL
//! names none, and takes `h1,h2` for one host. Nothing here puts a piece of the URL into a message except what
//! [`DatabaseUrl::redacted`] shows, keys, and values that are no secrets.

use std::path::PathBuf;
use std::time::Duration;

use sqlx::postgres::PgSslMode;

use super::os_user::os_user;
use super::percent::decode;
use super::place::{Host, Place, check_name};
use crate::error::{Error, Kind, Result};
use crate::repo::DatabaseUrl;

/// How long one attempt to connect may take where the URL names no `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Reads a variable of the process; a test reads a table instead.
type Variable<'a> = &'a dyn Fn(&str) -> Option<String>;

impl Place {
    /// Parses a URL, with the variables that libpq knows as defaults.
    pub fn parse(url: &DatabaseUrl) -> Result<Self> {
        Self::parse_with(url, &|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn parse_with(url: &DatabaseUrl, variable: Variable<'_>) -> Result<Self> {
        let wrong = |what: String| {
            Error::new(Kind::Configuration, format!("`{url}` is not a PostgreSQL URL: {what}"))
                .help("write it as `postgres://user:password@host:5432/database`, special characters percent-encoded")
        };
        let text = url.expose();
        let rest = text
            .split_once("://")
            .filter(|(scheme, _)| ["postgres", "postgresql"].contains(&scheme.to_ascii_lowercase().as_str()))
            .map(|(_, rest)| rest)
            .ok_or_else(|| wrong("it does not begin with `postgres://`".into()))?;
        let (authority, tail) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        let (path, query) = match tail.split_once('?') {
            Some((path, query)) => (path, query),
            None => (tail, ""),
        };
        if rest.contains('#') || (tail.contains('@') && !authority.contains('@') && tail.contains(':')) {
            return Err(wrong("`/`, `?` and `#` in a password are written `%2F`, `%3F` and `%23`".into()));
        }
        let (info, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = match info.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (info, None),
        };
        if hosts.contains(',') {
            return Err(wrong("it names several hosts, and work is done on one: name the primary".into()));
        }
        let plain = |text: &str, what: &str| {
            decode(text).ok_or_else(|| wrong(format!("the {what} is not percent-encoded UTF-8")))
        };
        let (host, port) = split_port(hosts).ok_or_else(|| {
            wrong("what stands where the port is expected is not a number from 1 to 65535".into())
        })?;

        let mut parsed = Parsed {
            host: Some(plain(host, "host")?).filter(|host| !host.is_empty()),
            port,
            user: Some(plain(user, "user")?).filter(|user| !user.is_empty()),
            password: password.map(|password| plain(password, "password")).transpose()?,
            database: Some(plain(path.strip_prefix('/').unwrap_or(path), "database")?)
                .filter(|database| !database.is_empty()),
            ..Parsed::default()
        };
        let mut unknown = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = plain(key, "name of a parameter")?;
            let value = plain(value, "value of a parameter")?;
            match parsed.parameter(&key, value) {
                Ok(true) => {}
                Ok(false) => unknown.push(format!("`{}`", key.escape_debug())),
                Err(what) => return Err(wrong(what)),
            }
        }
        if !unknown.is_empty() {
            return Err(wrong(format!("unknown parameters {}", unknown.join(", "))).help(
                "remove them, or write a server setting as `options[name]=value`; known are sslmode, sslrootcert, \
                 sslcert, sslkey, host, hostaddr, port, socket, dbname, user, password, application_name, options, \
                 search_path and connect_timeout",
            ));
        }
        parsed.complete(variable).map_err(wrong)
    }
}

/// Splits `host:port`; `None` when the port is no port.
fn split_port(hosts: &str) -> Option<(&str, Option<u16>)> {
    let (host, port) = if let Some(bracketed) = hosts.strip_prefix('[') {
        let (host, rest) = bracketed.split_once(']')?;
        (host, if rest.is_empty() { None } else { Some(rest.strip_prefix(':')?) })
    } else {
        match hosts.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (hosts, None),
        }
    };
    match port {
        None | Some("") => Some((host, None)),
        Some(port) => port.parse().ok().filter(|port| *port != 0).map(|port| (host, Some(port))),
    }
}

/// What the URL itself says.
#[derive(Default)]
struct Parsed {
    host: Option<String>,
    address: Option<String>,
    socket: Option<String>,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
    database: Option<String>,
    ssl: Option<PgSslMode>,
    root_cert: Option<String>,
    client_cert: Option<String>,
    client_key: Option<String>,
    application: Option<String>,
    settings: Vec<(String, String)>,
    search_path: Option<String>,
    connect_timeout: Option<Duration>,
}

impl Parsed {
    /// Takes one parameter; `false` when nobody knows it.
    fn parameter(&mut self, key: &str, value: String) -> Result<bool, String> {
        match key {
            "sslmode" | "ssl-mode" => self.ssl = Some(ssl_mode(&value)?),
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => self.root_cert = Some(value),
            "sslcert" | "ssl-cert" => self.client_cert = Some(value),
            "sslkey" | "ssl-key" => self.client_key = Some(value),
            "host" if value.contains(',') => {
                return Err("it names several hosts, and work is done on one: name the primary".into());
            }
            "host" => self.host = Some(value),
            "hostaddr" => self.address = Some(value),
            "socket" => self.socket = Some(value),
            "port" => self.port = Some(value.parse().map_err(|_| "`port` is not a number".to_owned())?),
            "dbname" => self.database = Some(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "application_name" | "fallback_application_name" => self.application = Some(value),
            "options" => self.settings.extend(command_line(&value).ok_or(
                "`options` takes `-c name=value` only, and a blank in a value is written as a backslash and a blank",
            )?),
            "search_path" => self.search_path = Some(value),
            "connect_timeout" => {
                let seconds: i64 = value.parse().map_err(|_| "`connect_timeout` is not a number".to_owned())?;
                // As in libpq, zero and less wait as long as the system does.
                let seconds = u64::try_from(seconds).ok().filter(|seconds| *seconds > 0).unwrap_or(86_400);
                self.connect_timeout = Some(Duration::from_secs(seconds));
            }
            // Nothing is prepared here, so that there is nothing to cache.
            "statement-cache-capacity" => {}
            "channel_binding" if ["disable", "prefer"].contains(&value.as_str()) => {}
            "channel_binding" => {
                return Err("`channel_binding=require` cannot be kept: remove it; `sslmode=verify-full` proves \
                            who the server is"
                    .into());
            }
            "gssencmode" if ["disable", "prefer"].contains(&value.as_str()) => {}
            "target_session_attrs" if value == "any" => {}
            _ => match key.strip_prefix("options[").and_then(|key| key.strip_suffix(']')) {
                Some(name) => self.settings.push((name.to_owned(), value)),
                None => return Ok(false),
            },
        }
        Ok(true)
    }

    /// Fills in what the URL leaves to the environment.
    fn complete(self, variable: Variable<'_>) -> Result<Place, String> {
        let port = match self.port {
            Some(port) => port,
            None => match variable("PGPORT") {
                Some(port) => port.parse().map_err(|_| "`PGPORT` is not a number".to_owned())?,
                None => 5432,
            },
        };
        let host = (self.socket.map(socket_directory))
            .or(self.address)
            .or(self.host)
            .or_else(|| variable("PGHOSTADDR"))
            .or_else(|| variable("PGHOST"))
            .unwrap_or_else(|| default_host(port));
        let host = if host.starts_with('/') { Host::Socket(PathBuf::from(host)) } else { Host::Name(host) };
        let named = (self.user.map(|user| (user, None)))
            .or_else(|| Some((variable("PGUSER")?, Some("the variable `PGUSER`"))))
            .or_else(|| Some((os_user()?, Some("the name of this account"))));
        let (user, user_of) = named.ok_or(
            "it names no user, and neither `PGUSER` nor the system does: write `postgres://user@host/database`",
        )?;
        let database = self.database.or_else(|| variable("PGDATABASE")).unwrap_or_else(|| user.clone());
        check_name("database", &database)?;
        check_name("role", &user)?;
        let ssl = match (&host, self.ssl) {
            // As libpq: there is no TLS over a Unix socket, and nobody to listen either.
            (Host::Socket(_), _) => PgSslMode::Disable,
            (_, Some(mode)) => mode,
            (_, None) => match variable("PGSSLMODE") {
                Some(mode) => ssl_mode(&mode)?,
                None => PgSslMode::Prefer,
            },
        };
        Ok(Place {
            host,
            port,
            user,
            user_of,
            password: self.password.or_else(|| variable("PGPASSWORD")),
            database,
            ssl,
            root_cert: self.root_cert.or_else(|| variable("PGSSLROOTCERT")),
            client_cert: self.client_cert.or_else(|| variable("PGSSLCERT")),
            client_key: self.client_key.or_else(|| variable("PGSSLKEY")),
            application: self.application,
            settings: self.settings,
            search_path: self.search_path,
            connect_timeout: self.connect_timeout.unwrap_or(CONNECT_TIMEOUT),
        })
    }
}

/// dbmate's `socket` may name the socket file itself: `/run/postgresql/.s.PGSQL.5432`.
fn socket_directory(path: String) -> String {
    match path.rfind("/.s.PGSQL.") {
        Some(at) => path[..at].to_owned(),
        None => path,
    }
}

/// Reads settings as the server's command line takes them: `-c name=value`, `--name=value`.
/// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNECT-OPTIONS>
fn command_line(text: &str) -> Option<Vec<(String, String)>> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        // There is a last word: one was put in before the loop, and none is taken out.
        let word = words.last_mut()?;
        match c {
            '\\' => word.push(characters.next()?),
            c if c.is_ascii_whitespace() => words.push(String::new()),
            c => word.push(c),
        }
    }
    let mut words = words.into_iter().filter(|word| !word.is_empty());
    let mut settings = Vec::new();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c") {
            Some("") => words.next()?,
            Some(setting) => setting.to_owned(),
            None => word.strip_prefix("--")?.to_owned(),
        };
        let (name, value) = setting.split_once('=')?;
        // On the command line, dashes of a name are underscores.
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Some(settings)
}

fn ssl_mode(text: &str) -> Result<PgSslMode, String> {
    text.parse().map_err(|_| {
        "`sslmode` is one of disable, allow, prefer, require, verify-ca and verify-full".to_owned()
    })
}

/// The directory of the server's socket where there is one, else this machine's name.
fn default_host(port: u16) -> String {
    ["/var/run/postgresql", "/private/tmp", "/tmp"]
        .into_iter()
        .find(|directory| PathBuf::from(directory).join(format!(".s.PGSQL.{port}")).exists())
        .unwrap_or("localhost")
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Place> {
        Place::parse_with(&DatabaseUrl::new(url), &|name| (name == "PGUSER").then(|| "os".to_owned()))
    }

    fn shown(url: &str) -> String {
        parse(url).map_or_else(|error| format!("error: {error}"), |place| place.shown())
    }

    #[test]
    fn a_url_is_decoded_and_completed() {
        for (url, expected) in [
            ("postgres://app:x@db/core", "postgres://app@db/core"),
            ("postgresql://app@db:5433/core", "postgres://app@db:5433/core"),
            ("postgres://db/", "postgres://os@db/os"),
            ("postgres://app@db", "postgres://app@db/app"),
            ("postgres://[::1]:5433/core", "postgres://os@[::1]:5433/core"),
            ("postgres://a%40b:p%3Aw@db/we%20ird%22", "postgres://a%40b@db/we%20ird%22"),
            ("postgres://app@%2Ftmp%2Fpg/core", "postgres://app@/core?host=/tmp/pg"),
            ("postgres://app@/core?host=/tmp/pg&port=6000", "postgres://app@:6000/core?host=/tmp/pg"),
            ("postgres:///core?socket=/tmp/pg/.s.PGSQL.5432&user=me", "postgres://me@/core?host=/tmp/pg"),
            ("postgres://app@db/core?dbname=other", "postgres://app@db/other"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn a_password_with_special_characters_is_kept_whole() {
        let password = |url: &str| parse(url).ok().and_then(|place| place.password);
        assert_eq!(password("postgres://app:a@b@db/core").as_deref(), Some("a@b"));
        assert_eq!(password("postgres://app:a%2Fb%23%3F+@db/core").as_deref(), Some("a/b#?+"));
        assert_eq!(password("postgres://app:@db/core").as_deref(), Some(""));
    }

    #[test]
    fn an_unknown_parameter_is_named_and_never_dropped() {
        let error = shown("postgres://db/core?sslmod=require&pgbouncer=true");
        assert!(error.contains("unknown parameters `sslmod`, `pgbouncer`"), "{error}");
        let error = shown("postgres://db/core?sslmode=full");
        assert!(error.contains("`sslmode` is one of"), "{error}");
        assert!(shown("postgres://h1,h2/core").contains("several hosts"));
        assert!(shown("postgres://h1:1,h2:2/core").contains("several hosts"));
    }

    #[test]
    fn tls_is_not_demanded_of_a_unix_socket() {
        let place = parse("postgres:///core?host=/tmp/pg&sslmode=require").expect("the URL is right");
        assert!(!place.demands_tls());
        assert!(place.is_local());
        assert!(parse("postgres://db/core?sslmode=require").expect("the URL is right").demands_tls());
    }

    #[test]
    fn settings_are_read_from_both_spellings() {
        let place =
            parse("postgres://db/x?options=-c%20geqo%3Doff%20--work-mem%3D1MB%20-ca=b%5C%20c&options[d]=e");
        let settings = place.expect("the URL is right").settings;
        let expected = [("geqo", "off"), ("work_mem", "1MB"), ("a", "b c"), ("d", "e")];
        assert_eq!(settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(shown("postgres://db/x?options=-W").contains("`options` takes"));
    }

    #[test]
    fn names_that_the_server_would_cut_off_are_refused() {
        assert!(shown(&format!("postgres://db/{}", "a".repeat(64))).contains("64 bytes"));
        assert!(!shown(&format!("postgres://db/{}", "a".repeat(63))).contains("error"));
        assert!(shown(&format!("postgres://db/{}", "ä".repeat(32))).contains("64 bytes"));
        assert!(shown("postgres://db/a%00b").contains("control characters"));
    }

    #[test]
    fn no_malformed_url_shows_its_password() {
        for url in [
            "postgres://app:s3cret@db:port/core",
            "postgres://app:s3cret@h1,h2/core",
            "postgres://app:s3cret/x@db/core",
            "postgres://app:s3cret?x@db/core",
            "postgres://app:s3cret#x@db/core",
            "postgres://app:s3cret%zz@db/core",
            "postgres://app:s3cret%ff@db/core",
            "postgres://app:s3cret@db/core?password=s3cret&port=x",
            "postgres://app:s3cret@db/core?nope=1",
            "postgres://app:s3cret",
            "postgres:app:s3cret@db",
            "app:s3cret@db",
            "postgres://app:x@s3cret@db/%00",
        ] {
            let answer = shown(url);
            assert!(answer.starts_with("error: "), "{url}: {answer}");
            assert!(!answer.contains("s3cret"), "{answer}");
        }
    }
}
