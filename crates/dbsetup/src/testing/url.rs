//! Where the server of the tests is: the process's environment, else the nearest `.env` files, else `Cargo.toml`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex};

use dbsetup_build::manifest;

use super::Engine;
use crate::error::{Error, Kind, Result};
use crate::repo::{DatabaseUrl, RepoName};

/// The environment of tests.
const ENVIRONMENT: &str = "test";

/// Whether no server can be had anyway.
const ONLY_FILES: bool = cfg!(all(feature = "sqlite", not(feature = "postgres")));

/// The value of a variable.
#[derive(Debug, PartialEq, Eq)]
struct Set {
    value: String,
    name: String,
    /// Where it was found, in words.
    origin: String,
}

/// A URL, and where it was found: for whoever cannot connect.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub url: DatabaseUrl,
    /// `None` where none was needed.
    origin: Option<String>,
    /// The variable to set for another one.
    variable: String,
}

impl Found {
    /// Adds to an error of opening the server where its URL comes from, and what to do about it.
    pub fn explain(&self, error: Error) -> Error {
        let Some(origin) = &self.origin else { return error };
        let is_refused = error.message().contains("(28");
        if !(is_refused || matches!(error.kind(), Kind::Unreachable | Kind::Configuration)) {
            return error;
        }
        let is_unreachable = error.kind() == Kind::Unreachable;
        let error = error.note(format!("the URL of the tests' server is {origin}"));
        let set = format!("set `{}` to `postgres://user:password@host:5432/postgres`", self.variable);
        // A server that is full has other advice.
        if error.help_text().is_some() {
            error
        } else if is_unreachable {
            error.help(format!(
                "start PostgreSQL at {}, or {set} of a server that runs: the tests' databases are made beside that one",
                address(&self.url)
            ))
        } else {
            error.help(format!("{set}: its role needs `CREATEDB`"))
        }
    }
}

/// Returns `host:port` of a server's URL.
fn address(url: &DatabaseUrl) -> String {
    let shown = url.redacted();
    let rest = shown.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    match host.rsplit_once(':') {
        _ if host.is_empty() => "the place that the URL names".to_owned(),
        Some((_, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => format!("`{host}`"),
        _ => format!("`{host}:5432`"),
    }
}

/// The names of the variables, the one that counts most first. `own` is the one that the manifest names.
fn names(repo: Option<&RepoName>, own: Option<&str>) -> Vec<String> {
    let of_repo = repo.map(RepoName::variable_prefix).into_iter().flat_map(|prefix| {
        let usual = own.map_or_else(|| format!("{prefix}_DATABASE_URL"), str::to_owned);
        [format!("{prefix}_DATABASE_URL_TEST"), usual]
    });
    of_repo.chain(["DATABASE_URL_TEST".to_owned(), "DATABASE_URL".to_owned()]).collect()
}

/// The same as [`find`], looking once in a process.
pub(super) fn find_once(repo: Option<&RepoName>, engine: Option<Engine>, directory: &Path) -> Result<Found> {
    type Key = (Option<String>, Option<Engine>, PathBuf);
    static FOUND: LazyLock<Mutex<HashMap<Key, Found>>> = LazyLock::new(Mutex::default);
    let key = (repo.map(|name| name.as_str().to_owned()), engine, directory.to_owned());
    let mut known = FOUND.lock().expect("nobody panics while holding it");
    if let Some(found) = known.get(&key) {
        return Ok(found.clone());
    }
    let found = find(repo, engine, directory, &|name| std::env::var(name).ok())?;
    known.insert(key, found.clone());
    Ok(found)
}

/// Returns the URL for tests that want `engine`. `variable` reads one of the process.
///
/// # Errors
/// [`Kind::Configuration`] when there is none, or it is another engine's.
fn find(
    repo: Option<&RepoName>,
    engine: Option<Engine>,
    directory: &Path,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Found> {
    let file = || Found { url: DatabaseUrl::new("sqlite:tests.db"), origin: None, variable: String::new() };
    // A file or the memory of the process: there is nothing to be found.
    if engine == Some(Engine::Sqlite) {
        return Ok(file());
    }
    let said = repo.map(|repo| manifest::said(directory, repo.as_str(), ENVIRONMENT)).unwrap_or_default();
    let (own, url) = (said.variable.transpose(), said.url.transpose());
    let names = names(repo, own.as_ref().ok().and_then(|own| own.as_deref()));
    let set = |name: &String| {
        let value = variable(name).filter(|value| !value.is_empty())?;
        Some(Set { value, name: name.clone(), origin: format!("that of the variable `{name}`") })
    };
    let found = names.iter().find_map(set).or_else(|| in_files(&names, directory));
    let is_needed = found.is_none() && !(engine.is_none() && ONLY_FILES);
    // A manifest has a say where nothing else does: what is not understood of it concerns nobody before.
    let url = match own.and(url) {
        Err(problem) if is_needed => {
            let error = Error::new(Kind::Configuration, problem.message().to_owned());
            let error = problem.notes().iter().fold(error, |error, note| error.note(note.clone()));
            let help = problem.help_text().map_or_else(String::new, |help| format!("{help}, or "));
            return Err(error.help(format!("{help}set `DATABASE_URL`")));
        }
        url => url.ok().flatten(),
    };
    let mut why = None;
    let found = found.or_else(|| {
        let (text, origin) = url?;
        let of_files = |name: &str| in_files(&[name.to_owned()], directory).map(|set| set.value);
        match expanded(&text, &|name| variable(name).or_else(|| of_files(name))) {
            Ok(url) if url.trim().is_empty() => None,
            // Any of them would count more; this is the one that people know.
            Ok(value) => Some(Set { value, name: names.last().cloned().unwrap_or_default(), origin }),
            Err(unset) => {
                why = Some(format!("{origin} needs the variable `{unset}`, which is not set"));
                None
            }
        }
    });
    let Some(Set { value: found, name: variable, origin }) = found else {
        if engine.is_none() && ONLY_FILES {
            return Ok(file());
        }
        let then = repo
            .map_or_else(String::new, |repo| format!(", then for `url` of repo `{repo}` in `Cargo.toml`"));
        let error = Error::new(Kind::Configuration, "no URL says which server the tests use")
            .note(format!("looked for {} in the environment, `.env.test` and `.env`{then}", list(&names)));
        let error = why.into_iter().fold(error, Error::note);
        return Err(error.help("set `DATABASE_URL`, for example to `postgres://postgres@localhost/postgres`: the tests' databases are made beside that one"));
    };
    let url = DatabaseUrl::new(found);
    let is_postgres = matches!(url.scheme().as_str(), "postgres" | "postgresql");
    if engine == Some(Engine::Postgres) && !is_postgres {
        return Err(Error::new(
            Kind::Configuration,
            format!("the test takes a pool of PostgreSQL, and `{url}` is no URL of PostgreSQL"),
        )
        .note(format!("the URL is {origin}"))
        .help(format!(
            "set {} to a server's URL, as `postgres://user:password@host:5432/postgres`",
            list(&names[..1])
        )));
    }
    if !is_postgres && !is_file(&url) {
        return Err(Error::new(
            Kind::Configuration,
            format!("`{url}` is no URL of a database that tests can have"),
        )
        .note(format!("the URL is {origin}"))
        .help("a server is `postgres://user:password@host:5432/postgres`, a file `sqlite:tests.db`"));
    }
    // The file that the URL names is the application's; a test has its own.
    if !is_postgres {
        return Ok(file());
    }
    Ok(Found { url, origin: Some(origin), variable })
}

/// Whether a URL is that of an SQLite file.
fn is_file(url: &DatabaseUrl) -> bool {
    matches!(url.scheme().as_str(), "sqlite" | "sqlite3" | "file" | "")
}

/// Returns a manifest's text with its placeholders replaced.
///
/// # Errors
/// The variable that is not set.
fn expanded(text: &str, variable: &dyn Fn(&str) -> Option<String>) -> std::result::Result<String, String> {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '{']) {
        let (before, tail) = rest.split_at(at);
        shown.push_str(before);
        if let Some(after) = tail.strip_prefix("{env}") {
            shown.push_str(ENVIRONMENT);
            rest = after;
        } else if let Some(after) = tail.strip_prefix("$${") {
            shown.push_str("${");
            rest = after;
        } else if let Some((inside, after)) = tail.strip_prefix("${").and_then(|tail| tail.split_once('}')) {
            let (name, default) = match inside.split_once(":-") {
                Some((name, default)) => (name, Some(default)),
                None => (inside, None),
            };
            let value = variable(name).filter(|value| default.is_none() || !value.is_empty());
            match value.as_deref().or(default) {
                Some(value) => shown.push_str(value),
                None => return Err(name.to_owned()),
            }
            rest = after;
        } else {
            shown.push_str(&tail[..1]);
            rest = &tail[1..];
        }
    }
    Ok(shown + rest)
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// Looks into the nearest `.env.test`, then into the nearest `.env`, upwards to the root of the repository.
fn in_files(names: &[String], directory: &Path) -> Option<Set> {
    let mut directories: Vec<PathBuf> = Vec::new();
    for directory in directory.ancestors() {
        directories.push(directory.to_owned());
        if directory.join(".git").exists() {
            break;
        }
    }
    [".env.test", ".env"].iter().find_map(|file| {
        let path = directories.iter().map(|directory| directory.join(file)).find(|path| path.is_file())?;
        let values: Vec<(String, String)> =
            dotenvy::from_path_iter(&path).ok()?.filter_map(std::result::Result::ok).collect();
        names.iter().find_map(|name| {
            let found = values.iter().find(|(key, value)| key == name && !value.is_empty())?;
            let origin = format!("`{name}` in `{}`", path.display());
            Some(Set { value: found.1.clone(), name: name.clone(), origin })
        })
    })
}

/// Returns the directory for SQLite's files: below the build's target directory, where this program is.
pub(super) fn root() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    // Cargo marks its target directory as one that no backup needs.
    let marked = program.ancestors().find(|directory| directory.join("CACHEDIR.TAG").is_file());
    match marked.or_else(|| target_of(&program)) {
        Some(target) => target.join("dbsetup").join("tests"),
        // Another account could not write into ours.
        None => std::env::temp_dir().join(format!("dbsetup-tests{}", of_account())),
    }
}

/// The target directory of a program that is where Cargo puts tests, `target/<profile>/deps`: one that was there before
/// Cargo has no mark.
fn target_of(program: &Path) -> Option<&Path> {
    let deps = program.parent().filter(|directory| directory.ends_with("deps"))?;
    deps.parent()?.parent().filter(|target| target.parent().is_some())
}

/// What tells directories of accounts apart, as far as it can be had.
fn of_account() -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if let Ok(own) = std::fs::metadata("/proc/self") {
            return format!("-{}", own.uid());
        }
    }
    let name = ["USER", "USERNAME", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok());
    let name = name.unwrap_or_default();
    let safe: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    if safe.is_empty() { safe } else { format!("-{safe}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_directory_of_cargos_builds_is_known_without_its_mark() {
        let target = |program| target_of(Path::new(program));
        assert_eq!(target("/build/debug/deps/app-1f"), Some(Path::new("/build")));
        assert_eq!(target("/usr/bin/app"), None);
        assert_eq!(target("/debug/deps/app"), None);
    }

    #[test]
    fn a_repos_own_variable_comes_first() {
        let core = RepoName::new("core");
        assert_eq!(
            names(Some(&core), None),
            ["CORE_DATABASE_URL_TEST", "CORE_DATABASE_URL", "DATABASE_URL_TEST", "DATABASE_URL"]
        );
    }

    #[test]
    fn a_file_is_looked_for_up_to_the_root_of_the_repository() {
        let root = tempfile::tempdir().expect("a directory");
        let inner = root.path().join("project/crates/app");
        std::fs::create_dir_all(&inner).expect("it can be made");
        std::fs::write(root.path().join(".env"), "DATABASE_URL=outside").expect("it can be written");
        std::fs::create_dir(root.path().join("project/.git")).expect("it can be made");
        let names = names(None, None);
        let value = |found: Option<Set>| found.map(|found| found.value);
        assert_eq!(in_files(&names, &inner), None);
        std::fs::write(root.path().join("project/.env"), "DATABASE_URL='inside'\n")
            .expect("it can be written");
        assert_eq!(value(in_files(&names, &inner)).as_deref(), Some("inside"));
        std::fs::write(inner.join(".env.test"), "DATABASE_URL=nearer\n").expect("it can be written");
        assert_eq!(value(in_files(&names, &inner)).as_deref(), Some("nearer"));
    }

    /// What a test of a package finds that has this manifest and these variables.
    fn found(manifest: &str, variables: &[(&str, &str)], engine: Option<Engine>) -> Result<Found> {
        let package = tempfile::tempdir().expect("a directory");
        std::fs::write(package.path().join("Cargo.toml"), manifest).expect("it can be written");
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        find(Some(&RepoName::new("core")), engine, package.path(), &variable)
    }

    const MANIFEST: &str =
        "[workspace]\n[package.metadata.dbsetup.repos.core]\nurl = \"postgres://${HOST:-db}/core_{env}\"\n";

    #[test]
    fn the_manifest_speaks_last_and_its_placeholders_are_put_in() {
        let url = |manifest: &str, variables: &[(&str, &str)]| {
            found(manifest, variables, None).map(|found| found.url.expose().to_owned()).expect("there is one")
        };
        assert_eq!(url(MANIFEST, &[]), "postgres://db/core_test");
        assert_eq!(url(MANIFEST, &[("HOST", "h"), ("DATABASE_URL", "")]), "postgres://h/core_test");
        assert_eq!(url(MANIFEST, &[("DATABASE_URL", "postgres://v/x")]), "postgres://v/x");
        let own = format!("{MANIFEST}url-env = \"PG_URL\"\n");
        assert_eq!(
            url(&own, &[("PG_URL", "postgres://own/x"), ("DATABASE_URL", "postgres://v/x")]),
            "postgres://own/x"
        );
        let lite = MANIFEST.replace("postgres://${HOST:-db}/", "sqlite:");
        assert_eq!(url(&lite, &[]), "sqlite:tests.db");
    }

    #[test]
    fn a_variable_that_the_manifest_needs_is_named() {
        let error = found(&MANIFEST.replace(":-db", ""), &[], Some(Engine::Postgres)).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("needs the variable `HOST`, which is not set"), "{text}");
        assert!(text.contains("`CORE_DATABASE_URL_TEST`") && text.contains("in `Cargo.toml`"), "{text}");
    }

    #[test]
    fn what_is_no_url_of_a_database_is_told_with_where_it_stands() {
        for (url, engine) in [("mysql://root:s3cret@h/x", None), ("sqlite:a.db", Some(Engine::Postgres))] {
            let text = found("", &[("DATABASE_URL", url)], engine).unwrap_err().to_string();
            assert!(text.contains("the URL is that of the variable `DATABASE_URL`"), "{text}");
            assert!(text.contains("`postgres://user:password@host:5432/postgres`"), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }

    #[test]
    fn a_server_that_is_not_there_is_told_with_its_place_and_where_the_url_is_from() {
        let explained = |url: &str| {
            let found = found("", &[("CORE_DATABASE_URL", url)], None).expect("it is one");
            found.explain(Error::new(Kind::Unreachable, "no server answers")).to_string()
        };
        let text = explained("postgres://app:s3cret@db:5433/x");
        assert!(text.contains("that of the variable `CORE_DATABASE_URL`"), "{text}");
        assert!(
            text.contains("start PostgreSQL at `db:5433`") && text.contains("set `CORE_DATABASE_URL` to"),
            "{text}"
        );
        assert!(explained("postgres://app@db/x").contains("`db:5432`"));
    }

    #[test]
    fn the_variable_to_set_is_the_one_that_counted() {
        let variable = |manifest: &str, variables: &[(&str, &str)]| {
            found(manifest, variables, None).map(|found| found.variable).expect("there is one")
        };
        let own = format!("{MANIFEST}url-env = \"PG_URL\"\n");
        for name in ["CORE_DATABASE_URL_TEST", "PG_URL", "DATABASE_URL_TEST", "DATABASE_URL"] {
            assert_eq!(variable(&own, &[(name, "postgres://h/x")]), name);
        }
        assert_eq!(variable(&own, &[]), "DATABASE_URL");
    }

    #[test]
    fn what_is_not_understood_of_a_manifest_is_told_only_where_nothing_else_says_it() {
        let strange = format!("{MANIFEST}env.test = [1]\n");
        let known = found(&strange, &[("DATABASE_URL", "postgres://v/x")], Some(Engine::Postgres));
        assert_eq!(known.expect("the manifest need not be asked").url.expose(), "postgres://v/x");
        assert!(found(&strange, &[], Some(Engine::Sqlite)).is_ok());
        let text = found(&strange, &[], Some(Engine::Postgres)).unwrap_err().to_string();
        assert!(text.contains("line 4 of") && text.contains("set `DATABASE_URL`"), "{text}");
    }

    #[test]
    fn an_inline_table_of_the_environment_is_read_as_any_other() {
        for test in
            ["env = { test = { url = \"postgres://t/x\" } }\n", "env.test = { url = 'postgres://t/x' }\n"]
        {
            let found = found(&format!("{MANIFEST}{test}"), &[], None).expect("it is understood");
            assert_eq!(found.url.expose(), "postgres://t/x");
        }
        let without = format!("{MANIFEST}env.test = {{ lock-timeout = \"500ms\" }}\n");
        assert_eq!(
            found(&without, &[], None).expect("it is understood").url.expose(),
            "postgres://db/core_test"
        );
    }

    #[cfg(feature = "sqlite")]
    #[tokio::test]
    async fn what_goes_wrong_after_the_server_was_opened_is_told_without_its_url() {
        use super::super::house::{House, Wanted};
        use crate::{Embedded, EmbeddedSettings, Source};

        static NO_FILES: Embedded = Embedded {
            name: "core",
            digest: "0",
            marker: "",
            disposable: &[],
            settings: EmbeddedSettings { by_environment: true, ..EmbeddedSettings::DEFAULT },
            environments: &[],
            files: &[],
            debug_assertions: false,
        };
        let make = |url: &str| {
            let wanted = Wanted {
                test: "a test".to_owned(),
                key: "no files".to_owned(),
                shares: false,
                source: Some(Source::from(&NO_FILES)),
                fixtures: &[],
                waits: false,
            };
            let (origin, variable) = (Some("from here".to_owned()), "CORE_URL".to_owned());
            House::make(Found { url: DatabaseUrl::new(url), origin, variable }, wanted)
        };
        let error = make("sqlite:tests.db").await.map(|_| ()).expect_err("there are no files");
        assert_eq!(error.kind(), Kind::Configuration);
        let text = error.to_string();
        assert!(!text.contains("from here") && !text.contains("CORE_URL"), "{text}");
        let text = make("strange:x").await.map(|_| ()).expect_err("it is no server").to_string();
        assert!(text.contains("from here"), "{text}");
    }
}
