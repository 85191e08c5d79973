//! Reads the settings of one repo by their types, puts defaults where nothing is said, and remembers every origin.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dbsetup::Result;
use dbsetup::ledger::LedgerKind;
use dbsetup::repo::{KeepData, LedgerSetting, VersionOrder};
use dbsetup_build::layout::Tools;
use dbsetup_build::paths::clean;

use super::keys::{self, KEYS, Value};
use super::origin::{Origin, Setting};
use super::settings::{Said, Settings};

/// Reads keys by their types, and remembers where each value came from.
pub struct Reader<'a> {
    settings: &'a Settings<'a>,
    /// What paths are relative to.
    dir: &'a Path,
    said: BTreeMap<&'static str, Setting>,
}

impl<'a> Reader<'a> {
    /// Starts with nothing read; `dir` is what paths are relative to.
    pub fn new(settings: &'a Settings<'a>, dir: &'a Path) -> Self {
        Self { settings, dir, said: BTreeMap::new() }
    }

    /// Returns what was read, in the order of the documentation.
    pub fn into_settings(mut self) -> Vec<Setting> {
        KEYS.iter().filter_map(|key| self.said.remove(key.name)).collect()
    }

    /// Remembers a value that was found elsewhere.
    pub fn say(&mut self, key: &'static str, value: String, origin: Origin) {
        self.said.insert(key, Setting { key, value, origin });
    }

    /// Whether the value of `key` is what was found on disk.
    pub fn is_layout(&self, key: &str) -> bool {
        self.said.get(key).is_some_and(|setting| matches!(setting.origin, Origin::Layout(_)))
    }

    /// Returns the value that a source says, its texts expanded.
    fn get(&mut self, key: &'static str) -> Result<Option<Value>> {
        let Some(said) = self.settings.get(key)? else { return Ok(None) };
        let expand =
            |text: &str| self.settings.expanded(key, &said, text)?.map_err(|failure| failure.error());
        let value = match &said.value {
            Value::Text(text) => Value::Text(expand(text)?),
            Value::Texts(texts) => {
                Value::Texts(texts.iter().map(|text| expand(text)).collect::<Result<_>>()?)
            }
            other => other.clone(),
        };
        let Said { origin, .. } = said;
        if let Some(known) = keys::find(key) {
            self.say(key, value.shown(known.ty), origin);
        }
        Ok(Some(value))
    }

    pub fn text(&mut self, key: &'static str) -> Result<Option<String>> {
        Ok(match self.get(key)? {
            Some(Value::Text(text)) if !text.is_empty() => Some(text),
            _ => None,
        })
    }

    pub fn texts(&mut self, key: &'static str) -> Result<Vec<String>> {
        Ok(match self.get(key)? {
            Some(Value::Texts(texts)) => texts,
            _ => Vec::new(),
        })
    }

    pub fn path(
        &mut self,
        key: &'static str,
        found: Option<PathBuf>,
        default: impl FnOnce() -> PathBuf,
    ) -> Result<PathBuf> {
        Ok(match self.text(key)? {
            Some(text) => clean(&self.dir.join(text)),
            None => self.fall_back(key, found, default),
        })
    }

    pub fn paths(
        &mut self,
        key: &'static str,
        found: Option<PathBuf>,
        default: impl FnOnce() -> PathBuf,
    ) -> Result<Vec<PathBuf>> {
        Ok(match self.get(key)? {
            Some(Value::Texts(texts)) => texts.iter().map(|text| clean(&self.dir.join(text))).collect(),
            _ => vec![self.fall_back(key, found, default)],
        })
    }

    fn fall_back(
        &mut self,
        key: &'static str,
        found: Option<PathBuf>,
        default: impl FnOnce() -> PathBuf,
    ) -> PathBuf {
        let is_found = found.is_some();
        let path = found.unwrap_or_else(default);
        let mut shown = path.strip_prefix(self.dir).unwrap_or(&path).to_path_buf();
        if shown.as_os_str().is_empty() {
            shown.push(".");
        }
        let value = shown.display().to_string();
        self.say(key, value, if is_found { Origin::Layout(shown) } else { Origin::Default });
        path
    }

    pub fn bool(&mut self, key: &'static str, default: bool) -> Result<bool> {
        Ok(match self.get(key)? {
            Some(Value::Bool(value)) => value,
            _ => {
                self.say(key, default.to_string(), Origin::Default);
                default
            }
        })
    }

    pub fn duration(&mut self, key: &'static str, default: Option<Duration>) -> Result<Option<Duration>> {
        Ok(match self.get(key)? {
            Some(Value::Duration(value)) => Some(value),
            _ => {
                let shown = default.map_or_else(|| "none".to_owned(), keys::shown_duration);
                self.say(key, shown, Origin::Default);
                default
            }
        })
    }

    pub fn order(&mut self) -> Result<VersionOrder> {
        Ok(match self.get("version-order")? {
            Some(Value::Order(order)) => order,
            _ => {
                self.say("version-order", "warn".to_owned(), Origin::Default);
                VersionOrder::default()
            }
        })
    }

    pub fn keep_data(&mut self) -> Result<Vec<KeepData>> {
        Ok(match self.get("keep-data")? {
            Some(Value::KeepData(tables)) => tables,
            _ => Vec::new(),
        })
    }

    pub fn ledger(
        &mut self,
        tools: &Tools,
        layout: Option<LedgerKind>,
        layout_table: Option<String>,
    ) -> Result<LedgerSetting> {
        let kind: Option<LedgerKind> = match self.get("ledger.kind")? {
            Some(Value::Ledger(kind)) => Some(kind),
            _ => None,
        };
        if let (None, Some(layout)) = (kind, layout) {
            let migrations = self.said.get("migrations").map_or("", |setting| &setting.value).to_owned();
            self.say("ledger.kind", layout.as_str().to_owned(), Origin::Layout(migrations.into()));
        }
        let mut table = self.text("ledger.table")?;
        // sqlx.toml's table is meant unless another ledger was asked for.
        if let (None, Some(LedgerKind::Sqlx) | None, Some(named)) = (&table, kind, layout_table) {
            let path = tools.sqlx.as_ref().map_or_else(PathBuf::new, |sqlx| sqlx.path.clone());
            let shown = path.strip_prefix(self.dir).unwrap_or(&path).to_path_buf();
            self.say("ledger.table", named.clone(), Origin::Layout(shown));
            table = Some(named);
        }
        let ignored_chars = tools.sqlx.as_ref().map(|sqlx| sqlx.ignored_chars.clone()).unwrap_or_default();
        Ok(LedgerSetting { kind, table, ignored_chars })
    }
}
