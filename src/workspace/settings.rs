//! Merges what the sources say about a key: variable, `env.<name>` table, package, workspace. Defaults are the
//! resolver's.

use dbsetup::repo::RepoName;
use dbsetup::sql::Dialect;
use dbsetup::{Error, Kind, Result};
use dbsetup_build::Engine;

use super::Request;
use super::environment::Variables;
use super::keys::{self, Type, Value};
use super::manifest::RepoTable;
use super::origin::Origin;
use super::place::Place;
use dbsetup::expand::{Unexpanded, expand};

/// What the sources say about one repo in one environment.
pub struct Settings<'a> {
    name: &'a RepoName,
    /// The package's table, then the workspace's.
    tables: &'a [RepoTable],
    environment: &'a str,
    request: &'a Request,
    variables: &'a Variables<'a>,
}

/// A value, and where it was said.
#[derive(Clone)]
pub struct Said {
    /// The value, not yet expanded.
    pub value: Value,
    /// The source.
    pub origin: Origin,
    /// The key in its file, where the source is a manifest.
    pub place: Option<Place>,
}

/// Why a text could not be expanded; it becomes an error only when the value is needed.
#[derive(Debug, Clone)]
pub struct Failure {
    pub message: String,
    pub notes: Vec<String>,
    pub help: Option<String>,
    pub place: Option<Place>,
}

impl Failure {
    /// Returns the error of it.
    pub fn error(&self) -> Error {
        let error = match &self.place {
            Some(place) => place.error_at_key(self.message.clone()),
            None => Error::new(Kind::Configuration, self.message.clone()),
        };
        let error = self.notes.iter().fold(error, |error, note| error.note(note.clone()));
        match &self.help {
            Some(help) => error.help(help.clone()),
            None => error,
        }
    }
}

impl<'a> Settings<'a> {
    /// Joins the sources.
    pub fn new(
        name: &'a RepoName,
        tables: &'a [RepoTable],
        environment: &'a str,
        request: &'a Request,
        variables: &'a Variables<'a>,
    ) -> Self {
        Self { name, tables, environment, request, variables }
    }

    /// Returns what the first source that knows the key says.
    ///
    /// # Errors
    /// [`Kind::Configuration`]: a variable whose text is not of the key's type.
    pub fn get(&self, name: &str) -> Result<Option<Said>> {
        let Some(key) = keys::find(name) else { return Ok(None) };
        if let Some(variable) = key.variable
            && let Some(text) = self.request.variable(variable)?
        {
            let value = Value::from_text(key.ty, &text).ok_or_else(|| {
                let expected = key.ty.expected();
                Error::new(
                    Kind::Configuration,
                    format!("the variable `{variable}` must be {expected}, not `{text}`"),
                )
            })?;
            return Ok(Some(Said { value, origin: Origin::Variable(variable.to_owned()), place: None }));
        }
        Ok(self.in_manifests(key.name))
    }

    /// Returns what the manifests say.
    pub fn in_manifests(&self, name: &str) -> Option<Said> {
        let of_environment = self.tables.iter().filter_map(|table| {
            let values = table.environments.get(self.environment)?;
            Some((values, table.place.join("env").join(self.environment)))
        });
        let general = self.tables.iter().map(|table| (&table.values, table.place.clone()));
        of_environment.chain(general).find_map(|(values, table)| {
            let value = values.get(name)?.clone();
            // `ledger = "sqlx"` and `ledger = { kind = "sqlx" }` are one key here, and `ledger` is in both.
            let place = match name.split_once('.') {
                Some(("ledger", "kind")) => table.join("ledger"),
                Some((group, inner)) => table.join(group).join(inner),
                None => table.join(name),
            };
            Some(Said { value, origin: Origin::of_place(&place), place: Some(place) })
        })
    }

    /// Returns the engine that the manifests' `url` speaks of in this very environment.
    pub fn engine(&self) -> Option<Dialect> {
        let said = self.in_manifests("url")?;
        let Value::Text(text) = &said.value else { return None };
        let mut own = self.tables.iter().filter_map(|table| table.environments.get(self.environment));
        let is_own = own.any(|values| values.contains_key("url"));
        Some(match Engine::of_url(text, self.environment, is_own)? {
            Engine::Postgres => Dialect::Postgres,
            Engine::Sqlite => Dialect::Sqlite,
        })
    }

    /// Returns a text with its placeholders replaced, or why that cannot be.
    pub fn expanded(&self, key: &'static str, said: &Said, text: &str) -> Result<Result<String, Failure>> {
        let expands = keys::find(key).is_some_and(|key| !matches!(key.ty, Type::Verbatim | Type::Variable));
        // Only a manifest's text is a template.
        if !expands || said.place.is_none() {
            return Ok(Ok(text.to_owned()));
        }
        let mut broken = None;
        let result = expand(text, self.environment, &mut |name| match self.request.raw_variable(name) {
            // Set to nothing is set: only the process can say so.
            Some(value) if value.is_empty() => Some(String::new()),
            _ => match self.variables.get(name) {
                Ok(found) => found.map(|found| found.value),
                Err(error) => {
                    broken = Some(error);
                    None
                }
            },
        });
        if let Some(error) = broken {
            return Err(error);
        }
        Ok(result.map_err(|reason| self.failure(key, said, reason)))
    }

    fn failure(&self, key: &str, said: &Said, reason: Unexpanded) -> Failure {
        let (name, environment) = (self.name, self.environment);
        let mut failure =
            Failure { message: String::new(), notes: Vec::new(), help: None, place: said.place.clone() };
        match reason {
            Unexpanded::Unset(variable) => {
                failure.message = format!(
                    "`{key}` of repo `{name}` needs the variable `{variable}`, which is not set in environment `{environment}`"
                );
                failure.notes = held_back_notes(self.variables, std::slice::from_ref(&variable), environment);
                failure.help =
                    Some(format!("set `{variable}`, or give a default: `${{{variable}:-default}}`"));
            }
            Unexpanded::Malformed => {
                failure.message =
                    format!("`{key}` of repo `{name}` has a `${{` without a variable's name and `}}`");
                failure.help = Some("write `$${` for a literal `${`".to_owned());
            }
            Unexpanded::Placeholder(word) => {
                failure.message = format!("`{key}` of repo `{name}` has an unknown placeholder `{{{word}}}`");
                failure.help = Some("`{env}` is the only one; variables are written `${NAME}`".to_owned());
            }
        }
        failure
    }
}

/// Says which variables `.env` has, but for `dev` only.
pub fn held_back_notes(variables: &Variables<'_>, names: &[String], environment: &str) -> Vec<String> {
    let held = variables.held_back(names).into_iter();
    held.map(|(path, name)| {
        format!(
            "`{}` sets `{name}`, which counts for `dev` only: put it into `.env.{environment}`, or write `{{env}}` where the environment's name belongs",
            path.display()
        )
    })
    .collect()
}
