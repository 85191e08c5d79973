//! Where a repo's URL comes from, and what to say when it comes from nowhere.

use std::path::Path;

use dbsetup::Result;
use dbsetup::repo::{DatabaseUrl, RepoName};

use super::environment::Variables;
use super::keys::Value;
use super::origin::Origin;
use super::selection::listed;
use super::settings::{Failure, Said, Settings, held_back_notes};

/// What URLs look like, for messages.
pub const EXAMPLES: &str =
    "a server is `postgres://user:password@host:5432/database`, a file is `sqlite:app.db`";

/// The variable of the only repo of a workspace, which other tools read too.
pub const PLAIN_VARIABLE: &str = "DATABASE_URL";

/// A URL that was found, and where.
pub type Found = (DatabaseUrl, Origin);

/// The variables that may hold the URL of one repo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlVariables {
    /// In the order in which they are asked.
    pub names: Vec<String>,
    /// The one to set for every environment.
    pub usual: String,
}

impl UrlVariables {
    /// Returns the names for a repo: `<REPO>_DATABASE_URL_<ENV>`, `url-env` or `<REPO>_DATABASE_URL`, the variable
    /// that `sqlx.toml` names, and `DATABASE_URL` if the repo is the only one.
    pub fn new(
        repo: &RepoName,
        environment: &str,
        url_env: Option<&str>,
        sqlx: Option<&str>,
        only: bool,
    ) -> Self {
        let own = own_variable(repo);
        let usual = url_env.map_or_else(|| own.clone(), str::to_owned);
        let mut names =
            vec![format!("{own}_{}", environment.replace('-', "_").to_uppercase()), usual.clone()];
        names.extend(sqlx.map(str::to_owned));
        if only {
            names.push(PLAIN_VARIABLE.to_owned());
        }
        let mut seen = Vec::new();
        names.retain(|name| {
            let is_new = !seen.contains(name);
            seen.push(name.clone());
            is_new
        });
        Self { names, usual }
    }
}

/// Returns `<REPO>_DATABASE_URL`.
pub fn own_variable(repo: &RepoName) -> String {
    format!("{}_DATABASE_URL", repo.variable_prefix())
}

/// Finds the URL of a repo: `flag`, then variables, then manifests.
pub fn find(
    flag: Option<&DatabaseUrl>,
    variables: &Variables<'_>,
    names: &UrlVariables,
    settings: &Settings<'_>,
    missing: impl FnOnce(Vec<String>) -> Failure,
    environment: &str,
) -> Result<std::result::Result<Found, Failure>> {
    if let Some(url) = flag {
        return Ok(Ok((url.clone(), Origin::Flag("--database-url"))));
    }
    if let Some(found) = variables.first_of(&names.names)? {
        return Ok(Ok((DatabaseUrl::new(found.value), found.origin)));
    }
    match from_manifest("url", settings)? {
        Some(found) => Ok(found),
        None => Ok(Err(missing(held_back_notes(variables, &names.names, environment)))),
    }
}

/// Finds one of the other URLs: the variable `<REPO>_<KEY>`, then the manifests.
pub fn find_other(
    key: &'static str,
    repo: &RepoName,
    variables: &Variables<'_>,
    settings: &Settings<'_>,
) -> Result<Option<std::result::Result<Found, Failure>>> {
    if let Some(found) = variables.get(&other_variable(repo, key))? {
        return Ok(Some(Ok((DatabaseUrl::new(found.value), found.origin))));
    }
    from_manifest(key, settings)
}

/// Returns `<REPO>_DIRECT_URL` for `direct-url`, and so on.
pub fn other_variable(repo: &RepoName, key: &str) -> String {
    format!("{}_{}", repo.variable_prefix(), key.replace('-', "_").to_uppercase())
}

fn from_manifest(
    key: &'static str,
    settings: &Settings<'_>,
) -> Result<Option<std::result::Result<Found, Failure>>> {
    let Some(said) = settings.in_manifests(key) else { return Ok(None) };
    let Said { value: Value::Text(text), origin, place } = &said else { return Ok(None) };
    Ok(match settings.expanded(key, &said, text)? {
        // `${VAR:-}`: the manifest leaves it to a variable that is not set.
        Ok(url) if url.trim().is_empty() && key != "url" => None,
        Ok(url) if url.trim().is_empty() => Some(Err(Failure {
            message: "`url` is empty once its variables are put in".to_owned(),
            notes: Vec::new(),
            help: Some(format!("{EXAMPLES}; a variable that is set to nothing counts as set")),
            place: place.clone(),
        })),
        Ok(url) => Some(Ok((DatabaseUrl::new(url), origin.clone()))),
        Err(failure) => Some(Err(failure)),
    })
}

/// Says that a repo has no URL: what was looked at, and the line to add, for a server and for SQLite.
///
/// `manifest` and `table` are where the line belongs; `files` are the files of variables that were read.
pub fn missing(
    repo: &RepoName,
    environment: &str,
    names: &UrlVariables,
    files: &[String],
    (manifest, table): (&str, &str),
    mut notes: Vec<String>,
) -> Failure {
    let variables: Vec<&str> = names.names.iter().map(String::as_str).collect();
    let places = if files.is_empty() { String::new() } else { format!(" and {}", files.join(", ")) };
    notes.insert(
        0,
        format!(
            "looked for {} in the environment{places}, then for `{table}.url` in {manifest}",
            listed(&variables)
        ),
    );
    if !files.iter().any(|file| file.contains(&format!(".env.{environment}"))) {
        notes.push(format!("there is no `.env.{environment}`, which could set it, too"));
    }
    let database = repo.as_str().replace('-', "_");
    let help = format!(
        "set `{}`, or add to {manifest}:\n\n[{table}]\nurl = \"postgres://localhost/{database}_{{env}}\"\n\nor, for SQLite:\n\n[{table}]\nurl = \"sqlite:{database}_{{env}}.db\"",
        names.usual
    );
    Failure {
        message: format!("no URL for repo `{repo}` in environment `{environment}`"),
        notes,
        help: Some(help),
        place: None,
    }
}

/// Returns a URL that means the same in any directory: the path of an SQLite file is made absolute.
pub fn absolute(url: &DatabaseUrl, dir: &Path) -> DatabaseUrl {
    let text = url.expose();
    let (prefix, rest) = match url.scheme().as_str() {
        "sqlite" | "sqlite3" => {
            let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
            let rest = rest.strip_prefix("//").unwrap_or(rest);
            (Some(format!("{scheme}:")), rest)
        }
        "file" => (Some("file:".to_owned()), text.split_once(':').map_or("", |(_, rest)| rest)),
        // A bare path, as diesel takes it.
        "" => (None, text),
        _ => return url.clone(),
    };
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) if prefix.is_some() => (path, format!("?{query}")),
        _ => (rest, String::new()),
    };
    let is_memory = path == ":memory:" || query.contains("mode=memory");
    if path.is_empty() || is_memory || path.starts_with('/') || Path::new(path).is_absolute() {
        return url.clone();
    }
    // Without `.` parts: they stay in the path otherwise.
    let joined: std::path::PathBuf =
        Path::new(path).components().filter(|part| *part != std::path::Component::CurDir).collect();
    let mut dir = dir.display().to_string();
    if prefix.is_some() {
        // In a URL these would end the path, or stand for another character.
        dir = dir.replace('%', "%25").replace('?', "%3F").replace('#', "%23");
    }
    let path = Path::new(&dir).join(joined);
    DatabaseUrl::new(format!("{}{}{query}", prefix.unwrap_or_default(), path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_url_variables_follow_the_repo() {
        let names = |repo: &str, url_env, sqlx, only| {
            UrlVariables::new(&RepoName::new(repo), "pre-prod", url_env, sqlx, only).names.join(" ")
        };
        assert_eq!(
            names("core-data", None, None, false),
            "CORE_DATA_DATABASE_URL_PRE_PROD CORE_DATA_DATABASE_URL"
        );
        assert_eq!(names("a", None, None, true), "A_DATABASE_URL_PRE_PROD A_DATABASE_URL DATABASE_URL");
        assert_eq!(names("a", Some("PG_URL"), None, true), "A_DATABASE_URL_PRE_PROD PG_URL DATABASE_URL");
        assert_eq!(
            names("a", None, Some("APP_URL"), false),
            "A_DATABASE_URL_PRE_PROD A_DATABASE_URL APP_URL"
        );
        assert_eq!(names("a", Some("DATABASE_URL"), None, true), "A_DATABASE_URL_PRE_PROD DATABASE_URL");
    }

    #[test]
    fn a_relative_sqlite_path_is_made_absolute_and_all_else_is_left() {
        for (url, expected) in [
            ("sqlite:app.db", "sqlite:/w%23/app.db"),
            ("sqlite://data/app.db?mode=rwc", "sqlite:/w%23/data/app.db?mode=rwc"),
            ("sqlite:./app.db", "sqlite:/w%23/app.db"),
            ("app.db", "/w#/app.db"),
            ("file:app.db?cache=shared", "file:/w%23/app.db?cache=shared"),
            ("sqlite:///abs/app.db", "sqlite:///abs/app.db"),
            ("sqlite::memory:", "sqlite::memory:"),
            (":memory:", ":memory:"),
            ("sqlite:", "sqlite:"),
            ("postgres://localhost/core", "postgres://localhost/core"),
        ] {
            assert_eq!(absolute(&DatabaseUrl::new(url), Path::new("/w#")).expose(), expected, "{url}");
        }
    }
}
