//! What a manifest's `url` says besides where a database is: which engine the files are for, and which variable holds
//! the URL. The text itself may hold a password and is kept nowhere.

/// The engine of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// PostgreSQL.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Engine {
    /// Returns the engine that a manifest's `url` speaks of in `environment`; `is_own` says that it stands in the table of
    /// that environment. One that stands for all speaks of `dev`, and of the others only where it names them with `{env}`:
    /// elsewhere it is a default that variables replace, whatever they hold.
    pub fn of_url(url: &str, environment: &str, is_own: bool) -> Option<Self> {
        let speaks = is_own || environment == "dev" || url.contains("{env}");
        if speaks { Self::of_scheme(url.trim()) } else { None }
    }

    fn of_scheme(url: &str) -> Option<Self> {
        let is_scheme = |text: &str| {
            // One letter is a Windows drive.
            text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        };
        match url.split_once(':').filter(|(scheme, _)| is_scheme(scheme)) {
            Some((scheme, _)) => match scheme.to_ascii_lowercase().as_str() {
                "postgres" | "postgresql" => Some(Self::Postgres),
                "sqlite" | "sqlite3" | "file" => Some(Self::Sqlite),
                _ => None,
            },
            // A variable may hold anything.
            None if url.is_empty() || url.contains("${") => None,
            // A bare path, as diesel takes it.
            None => Some(Self::Sqlite),
        }
    }
}

/// Returns the variable that a text is, where it is nothing else: `${NAME}`, with or without a default. The default is
/// left out: it may hold a password.
pub fn variable_of(text: &str) -> Option<&str> {
    let inside = text.trim().strip_prefix("${")?.strip_suffix('}')?;
    let name = inside.split_once(":-").map_or(inside, |(name, _)| name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (!name.is_empty() && name.chars().all(is_name) && !inside.contains("${")).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_speaks_of_its_own_environment_of_dev_and_of_those_that_it_names() {
        let of = |url, environment, is_own| Engine::of_url(url, environment, is_own);
        assert_eq!(of("postgres://h/core", "prod", true), Some(Engine::Postgres));
        assert_eq!(of("postgres://h/core", "dev", false), Some(Engine::Postgres));
        assert_eq!(of("postgres://h/core", "prod", false), None);
        assert_eq!(of("postgres://h/core_{env}", "prod", false), Some(Engine::Postgres));
        assert_eq!(of("SQLite:core_{env}.db", "test", false), Some(Engine::Sqlite));
        assert_eq!(of("core_{env}.db", "test", false), Some(Engine::Sqlite));
        assert_eq!(of("C:\\core.db", "prod", true), Some(Engine::Sqlite));
    }

    #[test]
    fn a_variable_and_an_unknown_scheme_say_nothing() {
        for url in ["${URL}", "${URL:-sqlite:core.db}", "${SCHEME}://h/core_{env}", "mysql://h/core", ""] {
            assert_eq!(Engine::of_url(url, "dev", true), None, "{url}");
        }
    }

    #[test]
    fn a_variable_is_known_without_its_default() {
        assert_eq!(variable_of("${CORE_DIRECT}"), Some("CORE_DIRECT"));
        assert_eq!(variable_of(" ${CORE_DIRECT:-postgres://app:secret@h/core} "), Some("CORE_DIRECT"));
        for text in ["postgres://app:${PW}@h/core", "${A}${B}", "${}", "$${A}", "${A:-${B}}", ""] {
            assert_eq!(variable_of(text), None, "{text}");
        }
    }
}
