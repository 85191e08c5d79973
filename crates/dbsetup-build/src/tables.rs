//! The `repos` tables of manifests: which there are, and what one says about a key in an environment.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value as Json;

use crate::layout::{Package, is_name};
use crate::metadata::Workspace;
use crate::problem::{Problem, Result};
use crate::{Engine, Ledger, variable_of};

/// Every key of a repo; `create.` and `ledger.` stand before the keys of those two tables.
pub const KEYS: [&str; 27] = [
    "url",
    "url-env",
    "direct-url",
    "maintenance-url",
    "scratch-url",
    "priv",
    "dump-path",
    "migrations",
    "manual-migrations",
    "archive",
    "ledger.kind",
    "ledger.table",
    "create.encoding",
    "create.template",
    "create.collation",
    "create.owner",
    "create.charset",
    "role",
    "schemas",
    "seed-command",
    "keep-data",
    "template",
    "version-order",
    "lock-wait",
    "lock-timeout",
    "statement-timeout",
    "dump-after-migrate",
];

/// Returns the duration that `text` says: `500ms`, `30s`, `5m`, `2h`, or whole seconds.
pub fn duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let number: u64 = text[..digits].parse().ok()?;
    match text[digits..].trim_start() {
        "ms" => Some(Duration::from_millis(number)),
        "" | "s" => Some(Duration::from_secs(number)),
        "m" | "min" => Some(Duration::from_secs(number.checked_mul(60)?)),
        "h" => Some(Duration::from_secs(number.checked_mul(3600)?)),
        _ => None,
    }
}

/// One `repos.<name>` table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub name: String,
    /// The manifest, to show.
    shown: String,
    /// Its keys from the top: `package.metadata.dbsetup.repos.core`.
    path: String,
    values: Json,
}

/// A repo that manifests name: the package's table, then the workspace's.
pub(crate) struct Declared {
    /// The index of the member that owns it; `None` for files that no package owns.
    pub member: Option<usize>,
    pub tables: Vec<Table>,
}

/// What the manifests of a workspace say.
pub(crate) struct Config {
    pub disposable: Vec<String>,
    pub declared: Vec<Declared>,
}

impl Config {
    pub fn read(workspace: &Workspace) -> Result<Self> {
        let root = workspace.root.join("Cargo.toml");
        let mut declared: Vec<Declared> = Vec::new();
        let mut disposable = environments(&workspace.metadata);
        for (index, member) in workspace.members.iter().enumerate() {
            if member.manifest == root {
                disposable = disposable.or_else(|| environments(&member.metadata));
            }
            for table in tables(&member.metadata, &member.manifest, workspace, "package")? {
                let is_twin = |known: &&Declared| known.member == Some(index) && known.is(&table.name);
                if let Some(twin) = declared.iter().find(is_twin) {
                    return Err(two_of_one_name(&table, &twin.tables[0]));
                }
                declared.push(Declared { member: Some(index), tables: vec![table] });
            }
        }
        for table in tables(&workspace.metadata, &root, workspace, "workspace")? {
            let mut known = declared.iter_mut().filter(|known| known.is(&table.name)).peekable();
            if known.peek().is_none() {
                declared.push(Declared { member: None, tables: vec![table] });
            } else {
                known.for_each(|known| known.tables.push(table.clone()));
            }
        }
        let disposable = disposable.unwrap_or_else(|| vec!["dev".to_owned(), "test".to_owned()]);
        Ok(Self { disposable, declared })
    }

    /// Returns the repo of that name; `-` and `_` are equal. That of `package` comes first.
    ///
    /// # Errors
    /// Two others have it.
    pub fn find(&self, name: &str, package: Option<usize>) -> Result<Option<&Declared>> {
        let folded = |name: &str| name.replace('-', "_");
        let named = || self.declared.iter().filter(|known| folded(&known.tables[0].name) == folded(name));
        if let Some(own) = named().find(|known| known.member.is_some() && known.member == package) {
            return Ok(Some(own));
        }
        match (named().next(), named().nth(1)) {
            (Some(twin), Some(other)) => Err(two_of_one_name(&other.tables[0], &twin.tables[0])),
            (found, _) => Ok(found),
        }
    }

    /// The names of all of them, for a message.
    pub fn names(&self) -> String {
        let names: Vec<String> =
            self.declared.iter().map(|repo| format!("`{}`", repo.tables[0].name)).collect();
        names.join(", ")
    }
}

impl Declared {
    fn is(&self, name: &str) -> bool {
        variable(&self.tables[0].name) == variable(name)
    }

    /// The directory that paths start at.
    pub fn dir<'w>(&self, workspace: &'w Workspace) -> &'w Path {
        self.member.map_or(&workspace.root, |index| workspace.members[index].dir())
    }

    /// Whether it says where its files are.
    pub fn says_where(&self) -> bool {
        self.tables.iter().any(|table| {
            let of_environments = table.environments().into_iter().filter_map(|name| table.of(&name));
            of_environments
                .chain([&table.values])
                .any(|values| ["priv", "migrations"].iter().any(|key| values.get(key).is_some()))
        })
    }
}

/// Two repos whose variables are the same are one name.
fn variable(name: &str) -> String {
    name.replace('-', "_").to_uppercase()
}

fn two_of_one_name(table: &Table, twin: &Table) -> Problem {
    Problem::new(format!("two repos are called `{}`: `{}` in `{}`", table.name, table.path, table.shown))
        .note(format!("the other is `{}` in `{}`", twin.path, twin.shown))
        .note("`-`, `_` and the case of letters make no difference")
        .help("give one of them another name")
}

fn environments(metadata: &Json) -> Option<Vec<String>> {
    list(metadata.get("dbsetup")?.get("disposable-environments")?)
}

fn tables(metadata: &Json, manifest: &Path, workspace: &Workspace, kind: &str) -> Result<Vec<Table>> {
    let shown = manifest.strip_prefix(&workspace.root).unwrap_or(manifest).display().to_string();
    let repos = metadata.get("dbsetup").and_then(|dbsetup| dbsetup.get("repos"));
    let mut found = Vec::new();
    for (name, values) in repos.and_then(Json::as_object).into_iter().flatten() {
        let path = format!("{kind}.metadata.dbsetup.repos.{name}");
        if !is_name(name) {
            return Err(Problem::new(format!("`{name}` is no name for a repo: `{path}` in `{shown}`"))
                .help("use letters, digits, `-` and `_`"));
        }
        let table = Table { name: name.clone(), shown: shown.clone(), path, values: values.clone() };
        table.refuse_unknown()?;
        found.push(table);
    }
    Ok(found)
}

impl Table {
    /// The environments that it has settings for.
    pub fn environments(&self) -> Vec<String> {
        let tables = self.values.get("env").and_then(Json::as_object);
        tables.into_iter().flatten().map(|(name, _)| name.clone()).collect()
    }

    fn of(&self, environment: &str) -> Option<&Json> {
        self.values.get("env")?.get(environment)
    }

    /// A key that nobody reads is a slip whose wish would be forgotten.
    fn refuse_unknown(&self) -> Result<()> {
        let groups = |name: &str| KEYS.iter().any(|key| key.split('.').next() == Some(name));
        let own = [(String::new(), &self.values)].into_iter();
        let of_environments = self
            .environments()
            .into_iter()
            .filter_map(|name| Some((format!(".env.{name}"), self.of(&name)?)));
        for (below, values) in own.chain(of_environments) {
            let table = format!("{}{below}", self.path);
            let Some(values) = values.as_object() else {
                return Err(Problem::new(format!("`{table}` in `{}` must be a table", self.shown)));
            };
            for (key, value) in values {
                let unknown = |key: &str| {
                    Problem::new(format!("unknown key `{table}.{key}` in `{}`", self.shown))
                        .help("`cargo dbsetup config` points at it and names the nearest one")
                };
                if !(groups(key) || below.is_empty() && key == "env") {
                    return Err(unknown(key));
                }
                let inner = value.as_object().filter(|_| matches!(&**key, "ledger" | "create"));
                for inner in inner.into_iter().flatten().map(|(inner, _)| format!("{key}.{inner}")) {
                    if !KEYS.contains(&&*inner) {
                        return Err(unknown(&inner));
                    }
                }
            }
        }
        Ok(())
    }

    fn wrong(&self, key: &str, expected: &str) -> Problem {
        Problem::new(format!("`{}.{key}` in `{}` must be {expected}", self.path, self.shown))
    }
}

/// What is said about one repo in one environment.
pub(crate) struct Values<'a> {
    pub tables: &'a [Table],
    pub environment: &'a str,
}

impl Values<'_> {
    /// Returns what the first source says that knows the key: `env.<name>` of the package, `env.<name>` of the
    /// workspace, package, workspace.
    fn get(&self, key: &str) -> Option<(&Json, &Table)> {
        let of_environment =
            self.tables.iter().filter_map(|table| Some((table.of(self.environment)?, table)));
        let general = self.tables.iter().map(|table| (&table.values, table));
        of_environment.chain(general).find_map(|(values, table)| Some((at(values, key)?, table)))
    }

    fn typed<T>(&self, key: &str, expected: &str, read: impl Fn(&Json) -> Option<T>) -> Result<Option<T>> {
        let Some((value, table)) = self.get(key) else { return Ok(None) };
        read(value).map(Some).ok_or_else(|| table.wrong(key, expected))
    }

    pub fn text(&self, key: &str) -> Result<Option<String>> {
        let not_blank =
            |value: &Json| value.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
        self.typed(key, "text in quotes", not_blank)
    }

    /// Returns the engine that `url` speaks of in this environment.
    pub fn engine(&self) -> Option<Engine> {
        let own = self.tables.iter().filter_map(|table| table.of(self.environment));
        let is_own = own.into_iter().any(|values| at(values, "url").is_some());
        Engine::of_url(self.get("url")?.0.as_str()?, self.environment, is_own)
    }

    /// Returns the variable that a text is, where it is nothing else.
    pub fn variable(&self, key: &str) -> Option<String> {
        variable_of(self.get(key)?.0.as_str()?).map(str::to_owned)
    }

    pub fn texts(&self, key: &str) -> Result<Option<Vec<String>>> {
        self.typed(key, "a list of texts", list)
    }

    pub fn duration(&self, key: &str) -> Result<Option<Duration>> {
        let read = |value: &Json| match value {
            Json::Number(seconds) => seconds.as_u64().map(Duration::from_secs),
            _ => duration(value.as_str()?),
        };
        self.typed(key, "a duration such as \"30s\", \"500ms\" or \"5m\", or whole seconds", read)
    }

    pub fn bool(&self, key: &str) -> Result<Option<bool>> {
        self.typed(key, "`true` or `false`", Json::as_bool)
    }

    pub fn order(&self) -> Result<Option<&'static str>> {
        let read = |value: &Json| match value.as_str()? {
            "any" => Some("Any"),
            "warn" => Some("Warn"),
            "strict" => Some("Strict"),
            _ => None,
        };
        self.typed("version-order", "\"any\", \"warn\" or \"strict\"", read)
    }

    pub fn ledger(&self) -> Result<Option<Ledger>> {
        let expected = "\"schema_migrations\", \"sqlx\", \"diesel\", \"refinery\" or \"dbmate\"";
        self.typed("ledger.kind", expected, |value| Ledger::from_word(value.as_str()?))
    }

    pub fn keep_data(&self) -> Result<Vec<(String, Vec<String>)>> {
        let one = |value: &Json| match value {
            Json::String(table) => Some((table.clone(), Vec::new())),
            _ => Some((
                value.get("table")?.as_str()?.to_owned(),
                value.get("except").map_or(Some(Vec::new()), list)?,
            )),
        };
        let read = |value: &Json| value.as_array()?.iter().map(one).collect();
        let expected = "a list of tables: \"name\" or { table = \"name\", except = [\"column\"] }";
        Ok(self.typed("keep-data", expected, read)?.unwrap_or_default())
    }

    /// Returns a path with its `{env}` put in, from `dir`, and whether there was one. In every environment it is
    /// another path then, and `environment` may be none that is known.
    pub fn paths(&self, key: &str, dir: &Path) -> Result<Option<(Vec<PathBuf>, bool)>> {
        let Some((value, table)) = self.get(key) else { return Ok(None) };
        let is_one = matches!(key, "priv" | "dump-path");
        let texts = list(value).filter(|_| !is_one || value.is_string());
        let expected = if is_one { "a path in quotes" } else { "a list of paths" };
        let texts = texts.ok_or_else(|| table.wrong(key, expected))?;
        let mut names_environment = false;
        let mut paths = Vec::new();
        for text in texts {
            if text.trim().is_empty() {
                return Err(table.wrong(key, "a path in quotes"));
            }
            if text.contains("${") {
                return Err(table
                    .wrong(key, "a path without variables, to be embedded")
                    .note("which files are in a binary is known when it is built")
                    .help("write the path, or `{env}` where the environment's name belongs"));
            }
            names_environment |= text.contains("{env}");
            paths.push(crate::paths::clean(&dir.join(text.replace("{env}", self.environment))));
        }
        Ok(Some((paths, names_environment)))
    }
}

/// Returns the value of a key; `ledger = "sqlx"` is short for `ledger = { kind = "sqlx" }`.
fn at<'j>(values: &'j Json, key: &str) -> Option<&'j Json> {
    match key.split_once('.') {
        None => values.get(key),
        Some((group, inner)) => match values.get(group)? {
            value @ Json::String(_) if key == "ledger.kind" => Some(value),
            table => table.get(inner),
        },
    }
}

/// Returns a list of texts; one text stands for a list of one.
fn list(value: &Json) -> Option<Vec<String>> {
    match value {
        Json::String(text) => Some(vec![text.clone()]),
        Json::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit_or_are_seconds() {
        for (text, millis) in [
            ("30s", 30_000),
            ("500ms", 500),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("7", 7000),
            ("0", 0),
            ("1 s", 1000),
        ] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["", "s", "-1s", "1.5s", "5 parsecs", "1d", "99999999999999999999", "18446744073709551615h"]
        {
            assert_eq!(duration(text), None, "{text}");
        }
    }
}
