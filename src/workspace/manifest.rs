//! Reads `workspace.metadata.dbsetup` and `package.metadata.dbsetup`: every key by its type, and no key unseen.

use std::collections::BTreeMap;

use dbsetup::ledger::LedgerKind;
use dbsetup::repo::{KeepData, RepoName, is_name};
use dbsetup::{Error, Result};
use serde_json::{Map, Value as Json};

use super::aliases::{self, Alias};
use super::keys::{self, KEYS, Key, Type, Value};
use super::place::Place;

/// Words that a later release gives a meaning.
const RESERVED: [&str; 2] = ["prefix", "targets"];

/// The values of one table, by the names of [`KEYS`].
pub type Values = BTreeMap<&'static str, Value>;

/// One `metadata.dbsetup` table. It may hold secrets, and so has no `Debug`.
#[derive(Default)]
pub struct Manifest {
    /// `disposable-environments`.
    pub disposable_environments: Option<(Vec<String>, Place)>,
    /// `aliases`.
    pub aliases: Vec<Alias>,
    /// `repos.<name>`, in the order of their names.
    pub repos: Vec<RepoTable>,
}

/// One `repos.<name>` table.
#[derive(Clone)]
pub struct RepoTable {
    /// The name as written.
    pub name: RepoName,
    /// Where the table stands.
    pub place: Place,
    /// What holds in every environment.
    pub values: Values,
    /// What holds in one, from `env.<name>`.
    pub environments: BTreeMap<String, Values>,
}

/// Reads the table at `place`; `metadata` is the JSON of `workspace.metadata` or `package.metadata`.
pub fn read(metadata: &Json, place: &Place) -> Result<Manifest> {
    let mut manifest = Manifest::default();
    let Some(table) = metadata.get("dbsetup") else { return Ok(manifest) };
    for (key, value) in as_table(table, place)? {
        let at = place.join(key);
        match key.as_str() {
            "disposable-environments" => {
                let names = texts(value).ok_or_else(|| wrong_type(key, Type::Texts, &at))?;
                names.iter().try_for_each(|name| check_environment(name, &at))?;
                manifest.disposable_environments = Some((names, at));
            }
            "aliases" => {
                for (name, value) in as_table(value, &at)? {
                    manifest.aliases.push(aliases::read(name, value, at.join(name))?);
                }
            }
            "repos" => {
                for (name, value) in as_table(value, &at)? {
                    let repo = read_repo(name, value, at.join(name))?;
                    if let Some(twin) =
                        manifest.repos.iter().find(|known| same_variables(&known.name, &repo.name))
                    {
                        return Err(duplicate(&repo, twin));
                    }
                    manifest.repos.push(repo);
                }
            }
            _ => {
                let error = unknown(key, &["disposable-environments", "aliases", "repos"], &at);
                let is_repo_key = KEYS.iter().any(|known| known.name.split('.').next() == Some(key));
                return Err(if is_repo_key && !RESERVED.contains(&key.as_str()) {
                    error.help(format!("`{key}` belongs to a repo: `[{}.repos.<name>]`", place.key()))
                } else {
                    error
                });
            }
        }
    }
    Ok(manifest)
}

/// Whether two repos would read the same variables: what no two repos may do.
pub fn same_variables(a: &RepoName, b: &RepoName) -> bool {
    a.variable_prefix() == b.variable_prefix()
}

/// Returns the error of two repos with one name.
pub fn duplicate(repo: &RepoTable, twin: &RepoTable) -> Error {
    let spelling = if repo.name.as_str() == twin.name.as_str() {
        ""
    } else {
        " (`-`, `_` and the case of letters make no difference)"
    };
    repo.place
        .error_at_key(format!("two repos are called `{}`{spelling}", repo.name))
        .note(format!("the other is `{}` in `{}`", twin.place.key(), twin.place.shown_file().display()))
        .help("give one of them another name")
}

fn check_environment(name: &str, at: &Place) -> Result<()> {
    if is_name(name) {
        return Ok(());
    }
    Err(at.error_at_key(format!("`{name}` is no name for an environment: letters, digits, `-` and `_` only")))
}

fn read_repo(name: &str, value: &Json, place: Place) -> Result<RepoTable> {
    if !is_name(name) || RESERVED.contains(&name) {
        return Err(place
            .error_at_key(format!("`{name}` is no name for a repo"))
            .help("use letters, digits, `-` and `_`; `prefix` and `targets` are reserved"));
    }
    let mut repo = RepoTable {
        name: RepoName::new(name),
        place: place.clone(),
        values: Values::new(),
        environments: BTreeMap::new(),
    };
    for (key, value) in as_table(value, &place)? {
        let at = place.join(key);
        if key != "env" {
            read_key(key, value, &at, true, &mut repo.values)?;
            continue;
        }
        for (environment, value) in as_table(value, &at)? {
            let at = at.join(environment);
            check_environment(environment, &at)?;
            let mut values = Values::new();
            for (key, value) in as_table(value, &at)? {
                read_key(key, value, &at.join(key), false, &mut values)?;
            }
            repo.environments.insert(environment.clone(), values);
        }
    }
    Ok(repo)
}

fn read_key(key: &str, value: &Json, at: &Place, with_env: bool, values: &mut Values) -> Result<()> {
    match (key, value) {
        // `ledger = "sqlx"` is short for `ledger = { kind = "sqlx" }`.
        ("ledger", Json::String(_)) => insert("ledger.kind", value, at, values),
        ("ledger" | "create", _) => {
            let group = format!("{key}.");
            let names: Vec<&str> = KEYS.iter().filter_map(|known| known.name.strip_prefix(&group)).collect();
            for (inner, value) in as_table(value, at)? {
                let at = at.join(inner);
                if !names.contains(&inner.as_str()) {
                    return Err(unknown(inner, &names, &at));
                }
                insert(&format!("{group}{inner}"), value, &at, values)?;
            }
            Ok(())
        }
        _ if keys::find(key).is_some() && !key.contains('.') => insert(key, value, at, values),
        _ => {
            let mut names: Vec<&str> =
                KEYS.iter().map(|known| known.name.split('.').next().unwrap_or_default()).collect();
            if with_env {
                names.push("env");
            }
            Err(unknown(key, &names, at))
        }
    }
}

fn insert(name: &str, value: &Json, at: &Place, values: &mut Values) -> Result<()> {
    let Some(key) = keys::find(name) else { return Err(at.error_at_key(format!("unknown key `{name}`"))) };
    values.insert(key.name, typed(key, value, at)?);
    Ok(())
}

fn typed(key: &Key, value: &Json, at: &Place) -> Result<Value> {
    let parsed = match (key.ty, value) {
        (Type::Duration, Json::Number(seconds)) => {
            seconds.as_u64().map(|seconds| Value::Duration(std::time::Duration::from_secs(seconds)))
        }
        (Type::Bool, Json::Bool(value)) => Some(Value::Bool(*value)),
        (Type::Bool, _) => None,
        (Type::Paths | Type::Texts, _) => texts(value).map(Value::Texts),
        (Type::KeepData, Json::Array(tables)) => {
            let mut kept = Vec::new();
            for (index, table) in tables.iter().enumerate() {
                kept.push(keep_data(table, &at.join(index))?);
            }
            Some(Value::KeepData(kept))
        }
        (ty, Json::String(text)) => Value::from_text(ty, text),
        _ => None,
    };
    let parsed = parsed.ok_or_else(|| wrong_value(key, value, at))?;
    match &parsed {
        Value::Text(text) if text.trim().is_empty() => {
            let error = at.error_at_key(format!("`{}` is empty", key.name));
            Err(match key.name {
                "url" => error.help(super::url::EXAMPLES),
                _ => error,
            })
        }
        Value::Text(name)
            if key.ty == Type::Variable
                && (name.contains(['=', '$', '{']) || name.contains(char::is_whitespace)) =>
        {
            Err(at
                .error_at_key(format!("`{}` takes the name of a variable", key.name))
                .help("put the URL itself into `url`, where `${NAME}` expands"))
        }
        _ => Ok(parsed),
    }
}

fn keep_data(value: &Json, at: &Place) -> Result<KeepData> {
    match value {
        Json::String(table) => Ok(KeepData { table: table.clone(), except: Vec::new() }),
        Json::Object(fields) => {
            let mut kept = KeepData { table: String::new(), except: Vec::new() };
            for (key, value) in fields {
                match (key.as_str(), value) {
                    ("table", Json::String(table)) => kept.table.clone_from(table),
                    ("except", _) => {
                        kept.except =
                            texts(value).ok_or_else(|| wrong_type(key, Type::Texts, &at.join(key)))?;
                    }
                    ("table", _) => return Err(wrong_type(key, Type::Verbatim, &at.join(key))),
                    _ => return Err(unknown(key, &["table", "except"], &at.join(key))),
                }
            }
            if kept.table.is_empty() {
                return Err(at.error_at_key("an entry of `keep-data` names no `table`"));
            }
            Ok(kept)
        }
        _ => Err(wrong_type("keep-data", Type::KeepData, at)),
    }
}

/// Returns a list of texts; one text stands for a list of one.
fn texts(value: &Json) -> Option<Vec<String>> {
    match value {
        Json::String(text) => Some(vec![text.clone()]),
        Json::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}

/// Returns the entries of a table.
pub fn as_table<'a>(value: &'a Json, place: &Place) -> Result<&'a Map<String, Json>> {
    value.as_object().ok_or_else(|| place.error_at_key(format!("`{}` must be a table", place.key())))
}

fn wrong_type(key: &str, ty: Type, at: &Place) -> Error {
    at.error_at_key(format!("`{key}` must be {}", ty.expected()))
}

fn wrong_value(key: &Key, value: &Json, at: &Place) -> Error {
    let shown = key.name.rsplit('.').next().unwrap_or(key.name);
    let name = if key.name == "ledger.kind" { "ledger" } else { shown };
    match (key.ty, value) {
        (Type::Duration | Type::Order, Json::String(text)) => {
            at.error_at_value(format!("`{name}` must be {}, not `{text}`", key.ty.expected()))
        }
        (Type::Ledger, Json::String(text)) => {
            let error = at.error_at_value(format!("`{name}` must be {}", Type::Ledger.expected()));
            match nearest(text, &LedgerKind::ALL.map(LedgerKind::as_str)) {
                Some(word) => error.help(format!("did you mean `{word}`?")),
                None => error,
            }
        }
        _ => wrong_type(name, key.ty, at),
    }
}

/// Returns the error of a key that nobody knows, with the nearest one that somebody does.
pub fn unknown(key: &str, known: &[&str], at: &Place) -> Error {
    if RESERVED.contains(&key) {
        return at.error_at_key(format!("`{key}` is a reserved word and has no meaning in this release"));
    }
    let error = at.error_at_key(format!("unknown key `{key}`"));
    match nearest(key, known) {
        Some(word) => error.help(format!("did you mean `{word}`?")),
        None => {
            let mut words: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
            words.dedup();
            error.help(format!("the keys here are {}", words.join(", ")))
        }
    }
}

/// Returns the candidate that `word` was most likely meant to be.
pub fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    // `migration_path` is nearer to `migrations` than an edit distance says; `_` for `-` is no difference at all.
    let folded = word.replace('_', "-").to_lowercase();
    candidates
        .iter()
        .map(|&candidate| {
            let candidate_folded = candidate.replace('_', "-").to_lowercase();
            let likeness = strsim::jaro_winkler(&folded, &candidate_folded);
            // Two letters that changed places are much of a short word: `ulr`.
            let is_one_slip = folded.len() > 2 && strsim::osa_distance(&folded, &candidate_folded) == 1;
            (if is_one_slip { likeness.max(0.9) } else { likeness }, candidate)
        })
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}
