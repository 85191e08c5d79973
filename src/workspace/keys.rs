//! The keys of a repo: their types, and where besides the manifests they may be given. docs/configuration.md is
//! held against this table by a test.

use std::time::Duration;

use dbsetup::ledger::LedgerKind;
use dbsetup::repo::{DatabaseUrl, KeepData, VersionOrder};
use dbsetup_build::duration;

/// What a key holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A database URL; never shown whole.
    Url,
    /// The name of a variable.
    Variable,
    /// A path, relative to the crate.
    Path,
    /// A list of paths, or one.
    Paths,
    /// Text in which placeholders expand.
    Text,
    /// Text as it is.
    Verbatim,
    /// A list of texts, or one.
    Texts,
    /// `true` or `false`.
    Bool,
    /// `"500ms"`, `"30s"`, `"5m"`, `"2h"`, or seconds.
    Duration,
    /// The word for a ledger.
    Ledger,
    /// Tables whose rows belong to the structure.
    KeepData,
    /// `any`, `warn` or `strict`.
    Order,
}

impl Type {
    /// What is expected, for an error.
    pub fn expected(self) -> &'static str {
        match self {
            Self::Url => "a URL in quotes",
            Self::Variable => "the name of a variable in quotes",
            Self::Path => "a path in quotes",
            Self::Paths => "a list of paths",
            Self::Text | Self::Verbatim => "text in quotes",
            Self::Texts => "a list of texts",
            Self::Bool => "`true` or `false`",
            Self::Duration => "a duration such as \"30s\", \"500ms\" or \"5m\", or whole seconds",
            Self::Ledger => "\"schema_migrations\", \"sqlx\", \"diesel\", \"refinery\" or \"dbmate\"",
            Self::KeepData => "a list of tables: \"name\" or { table = \"name\", except = [\"column\"] }",
            Self::Order => "\"any\", \"warn\" or \"strict\"",
        }
    }
}

/// One key of a repo.
pub struct Key {
    /// Its name; `create.` and `ledger.` stand before the keys of those two tables.
    pub name: &'static str,
    /// What it holds.
    pub ty: Type,
    /// The process variable that outranks the manifests. URLs have rules of their own.
    pub variable: Option<&'static str>,
}

const fn key(name: &'static str, ty: Type) -> Key {
    Key { name, ty, variable: None }
}

const fn tunable(name: &'static str, ty: Type, variable: &'static str) -> Key {
    Key { name, ty, variable: Some(variable) }
}

/// Every key of a repo, each of which may stand under `env.<name>` too.
pub const KEYS: [Key; 27] = [
    key("url", Type::Url),
    key("url-env", Type::Variable),
    key("direct-url", Type::Url),
    key("maintenance-url", Type::Url),
    key("scratch-url", Type::Url),
    key("priv", Type::Path),
    key("dump-path", Type::Path),
    key("migrations", Type::Paths),
    key("manual-migrations", Type::Paths),
    key("archive", Type::Paths),
    key("ledger.kind", Type::Ledger),
    key("ledger.table", Type::Verbatim),
    key("create.encoding", Type::Text),
    key("create.template", Type::Text),
    key("create.collation", Type::Text),
    key("create.owner", Type::Text),
    key("create.charset", Type::Text),
    key("role", Type::Text),
    key("schemas", Type::Texts),
    key("seed-command", Type::Verbatim),
    key("keep-data", Type::KeepData),
    key("template", Type::Bool),
    tunable("version-order", Type::Order, "DBSETUP_VERSION_ORDER"),
    tunable("lock-wait", Type::Duration, "DBSETUP_LOCK_WAIT"),
    tunable("lock-timeout", Type::Duration, "DBSETUP_LOCK_TIMEOUT"),
    tunable("statement-timeout", Type::Duration, "DBSETUP_STATEMENT_TIMEOUT"),
    key("dump-after-migrate", Type::Bool),
];

/// Returns the key of that name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The value of a key, of the key's type. It may be a URL, and so has no `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// URLs, names, paths and texts.
    Text(String),
    /// Lists of paths and of texts.
    Texts(Vec<String>),
    Bool(bool),
    Duration(Duration),
    Ledger(LedgerKind),
    KeepData(Vec<KeepData>),
    Order(VersionOrder),
}

/// Returns the version order of that word.
pub fn order(word: &str) -> Option<VersionOrder> {
    match word {
        "any" => Some(VersionOrder::Any),
        "warn" => Some(VersionOrder::Warn),
        "strict" => Some(VersionOrder::Strict),
        _ => None,
    }
}

impl Value {
    /// Returns the value that a variable gives as text, `None` where it is not of the type.
    pub fn from_text(ty: Type, text: &str) -> Option<Self> {
        match ty {
            Type::Url | Type::Variable | Type::Path | Type::Text | Type::Verbatim => {
                Some(Self::Text(text.to_owned()))
            }
            Type::Paths | Type::Texts => Some(Self::Texts(vec![text.to_owned()])),
            Type::Bool => text.parse().ok().map(Self::Bool),
            Type::Duration => duration(text).map(Self::Duration),
            Type::Ledger => LedgerKind::from_name(text).map(Self::Ledger),
            Type::Order => order(text).map(Self::Order),
            Type::KeepData => None,
        }
    }

    /// The value as it would be typed, with nothing secret in it.
    pub fn shown(&self, ty: Type) -> String {
        match self {
            Self::Text(text) if ty == Type::Url => DatabaseUrl::new(text).redacted(),
            Self::Text(text) => text.clone(),
            Self::Texts(texts) => texts.join(", "),
            Self::Bool(value) => value.to_string(),
            Self::Duration(value) => shown_duration(*value),
            Self::Ledger(kind) => kind.as_str().to_owned(),
            Self::KeepData(tables) => {
                tables.iter().map(|table| table.table.as_str()).collect::<Vec<_>>().join(", ")
            }
            Self::Order(VersionOrder::Any) => "any".to_owned(),
            Self::Order(VersionOrder::Warn) => "warn".to_owned(),
            Self::Order(VersionOrder::Strict) => "strict".to_owned(),
        }
    }
}

/// Returns a duration as it would be typed.
pub fn shown_duration(value: Duration) -> String {
    let seconds = value.as_secs();
    if value.subsec_millis() != 0 {
        format!("{}ms", value.as_millis())
    } else if seconds != 0 && seconds.is_multiple_of(3600) {
        format!("{}h", seconds / 3600)
    } else if seconds != 0 && seconds.is_multiple_of(60) {
        format!("{}m", seconds / 60)
    } else {
        format!("{seconds}s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_embedded_knows_every_key_and_every_ledger() {
        assert_eq!(KEYS.map(|key| key.name), dbsetup_build::KEYS);
        let words = dbsetup_build::Ledger::ALL.map(dbsetup_build::Ledger::word);
        assert_eq!(words, LedgerKind::ALL.map(LedgerKind::as_str));
    }

    #[test]
    fn a_duration_is_shown_as_it_is_typed() {
        for text in ["30s", "500ms", "5m", "2h", "0s", "90s"] {
            assert_eq!(shown_duration(duration(text).expect("it is one")), text);
        }
    }
}
