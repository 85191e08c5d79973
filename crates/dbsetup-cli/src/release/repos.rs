//! Which repos a run is about, and where their databases are. Pure: variables are asked through a function.

use std::time::Duration;

use dbsetup::repo::{DatabaseUrl, Program, Repo, RepoName, VersionOrder, is_name};
use dbsetup::source::{EmbeddedSettings, Source};
use dbsetup::{Error, Kind, Result};

use super::DEFAULT_ENVIRONMENT;
use super::args::Global;
use crate::commands::shared::duration;
use crate::origins::Origins;
use crate::ui::text;

/// The variable of the only repo of a binary, which other programs read, too.
const PLAIN_VARIABLE: &str = "DATABASE_URL";

/// What the process says.
pub type Variables<'a> = &'a dyn Fn(&str) -> Result<Option<String>>;

/// Returns a variable of the process that is set to something.
///
/// # Errors
/// [`Kind::Configuration`] where it is not valid Unicode.
pub fn of_process(name: &str) -> Result<Option<String>> {
    match std::env::var_os(name).filter(|value| !value.is_empty()) {
        None => Ok(None),
        Some(value) => value.into_string().map(Some).map_err(|_| {
            Error::new(Kind::Configuration, format!("the variable `{name}` is not valid Unicode"))
        }),
    }
}

/// Returns the environment of a run.
///
/// # Errors
/// [`Kind::Configuration`] for what is no name.
pub fn environment(global: &Global, variables: Variables<'_>) -> Result<String> {
    let (name, source) = match (&global.env, variables("DBSETUP_ENV")?) {
        (Some(name), _) => (name.clone(), "--env"),
        (None, Some(name)) => (name, "the variable `DBSETUP_ENV`"),
        (None, None) => return Ok(DEFAULT_ENVIRONMENT.to_owned()),
    };
    if is_name(&name) {
        return Ok(name);
    }
    Err(Error::new(Kind::Configuration, format!("`{name}` is no name for an environment"))
        .note(format!("it comes from {source}"))
        .help("use letters, digits, `-` and `_`"))
}

/// Returns the selected repos with their databases, in the order of the binary.
///
/// # Errors
/// [`Kind::Configuration`]: no repo or two of one name, an unknown name, a repo without a URL, or one that cannot be
/// made of its source.
pub fn settle(
    sources: &[Source],
    global: &Global,
    program: &Program,
    variables: Variables<'_>,
) -> Result<Vec<Repo>> {
    let environment = environment(global, variables)?;
    let chosen = select(sources, &global.repo)?;
    let flag = global.database_url.as_ref().map(DatabaseUrl::new);
    if flag.is_some() && chosen.len() > 1 {
        return Err(Error::new(
            Kind::Configuration,
            format!("`--database-url` is for one repo, and {} are selected", chosen.len()),
        )
        .note(format!("selected are {}", names(chosen.iter().copied())))
        .help("name one with `--repo NAME`"));
    }
    let only = sources.len() == 1;
    let repo = |source: &Source| {
        let (url, from) = match &flag {
            Some(url) => (url.clone(), "`--database-url`".to_owned()),
            None => url(source, &environment, only, variables)?,
        };
        let mut repo = source.repo(url, &environment)?;
        repo.program = program.clone();
        repo.url_from = Some(from);
        other_urls(&mut repo, source, flag.is_some(), variables)?;
        other_settings(&mut repo, variables)?;
        Ok(repo)
    };
    chosen.into_iter().map(repo).collect()
}

fn select<'s>(sources: &'s [Source], wanted: &[String]) -> Result<Vec<&'s Source>> {
    let wrong = |message: String| Error::new(Kind::Configuration, message);
    if sources.is_empty() {
        return Err(wrong("this binary carries no repo".to_owned())
            .help("add one where it is made: `Release::new().repo(…)`"));
    }
    let twin = sources.iter().enumerate().find_map(|(at, source)| {
        sources[..at].iter().any(|other| other.name() == source.name()).then_some(source.name())
    });
    if let Some(name) = twin {
        return Err(wrong(format!("this binary carries two repos called `{name}`"))
            .help("give one of them another name where the binary is made"));
    }
    for name in wanted {
        if !sources.iter().any(|source| *source.name() == RepoName::new(name)) {
            let error = wrong(format!("this binary carries no repo called `{}`", text::line(name)));
            return Err(error.help(format!("it carries {}", names(sources))));
        }
    }
    let is_wanted = |source: &&Source| {
        wanted.is_empty() || wanted.iter().any(|name| *source.name() == RepoName::new(name))
    };
    Ok(sources.iter().filter(is_wanted).collect())
}

fn names<'s>(sources: impl IntoIterator<Item = &'s Source>) -> String {
    text::listed(sources.into_iter().map(|source| source.name().as_str()))
}

/// The variables that may hold the URL of a repo, in the order in which they are asked.
fn url_variables(source: &Source, environment: &str, only: bool) -> Vec<String> {
    let own = format!("{}_DATABASE_URL", source.name().variable_prefix());
    let settings = source.as_embedded().map(|embedded| embedded.settings_in(environment));
    let configured = settings.and_then(|settings| settings.url_env);
    let of_sqlx = settings.and_then(|settings| settings.sqlx_url_env).map(str::to_owned);
    let mut names = vec![format!("{own}_{}", environment.replace('-', "_").to_uppercase())];
    names.push(configured.map_or(own, str::to_owned));
    for name in of_sqlx.into_iter().chain(only.then(|| PLAIN_VARIABLE.to_owned())) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The URL that a variable holds: `{env}` in it is put in, as `cargo dbsetup` does.
fn in_environment(url: &str, environment: &str) -> DatabaseUrl {
    DatabaseUrl::new(url.replace("{env}", environment))
}

/// The URL, and where it comes from.
fn url(
    source: &Source,
    environment: &str,
    only: bool,
    variables: Variables<'_>,
) -> Result<(DatabaseUrl, String)> {
    let names = url_variables(source, environment, only);
    for name in &names {
        if let Some(url) = variables(name)? {
            return Ok((in_environment(&url, environment), format!("the variable `{name}`")));
        }
    }
    let usual = &names[1];
    let message = format!("no URL for repo `{}` in environment `{environment}`", source.name());
    let looked = text::listed(names.iter().map(String::as_str));
    Err(Error::new(Kind::Configuration, message)
        .note(format!("looked for {looked} in the environment"))
        .help(format!(
            "set `{usual}`: `postgres://user:password@host/database`, or `sqlite:/path/to/file.db`"
        )))
}

/// Returns where the URLs of settled repos come from, in their order.
///
/// # Errors
/// [`Kind::Configuration`] for a variable that is not valid Unicode.
pub fn origins(
    sources: &[Source],
    global: &Global,
    repos: &[Repo],
    variables: Variables<'_>,
) -> Result<Vec<Origins>> {
    let only = sources.len() == 1;
    let of_repo = |repo: &Repo| {
        let mut asked = Vec::new();
        if global.database_url.is_some() {
            asked.push(("url", "flag --database-url".to_owned()));
        } else if let Some(source) = sources.iter().find(|source| *source.name() == repo.name) {
            let names = url_variables(source, &repo.environment, only);
            asked.extend(first_set(&names, variables)?.map(|name| ("url", format!("variable {name}"))));
        }
        let prefix = repo.name.variable_prefix();
        let source = sources.iter().find(|source| *source.name() == repo.name);
        let named = source.and_then(Source::as_embedded).map(|files| files.settings_in(&repo.environment));
        let direct = named.and_then(|settings| settings.direct_url_env);
        let maintenance = named.and_then(|settings| settings.maintenance_url_env);
        for (key, end, named) in
            [("direct-url", "DIRECT_URL", direct), ("maintenance-url", "MAINTENANCE_URL", maintenance)]
        {
            // Who names a database means that one.
            if key == "direct-url" && global.database_url.is_some() {
                continue;
            }
            let names: Vec<String> =
                std::iter::once(format!("{prefix}_{end}")).chain(named.map(str::to_owned)).collect();
            asked.extend(first_set(&names, variables)?.map(|name| (key, format!("variable {name}"))));
        }
        Ok(asked.into_iter().collect())
    };
    repos.iter().map(of_repo).collect()
}

fn first_set<'n>(names: &'n [String], variables: Variables<'_>) -> Result<Option<&'n String>> {
    for name in names {
        if variables(name)?.is_some() {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The ways past the URL. Whoever names a database on the command line means that one, and no variable leads elsewhere.
fn other_urls(repo: &mut Repo, source: &Source, by_flag: bool, variables: Variables<'_>) -> Result<()> {
    let maintenance = own_or_named(repo, source, "MAINTENANCE_URL", |it| it.maintenance_url_env, variables)?;
    repo.maintenance_url = maintenance.map(|(_, url)| url).or(repo.maintenance_url.take());
    if by_flag {
        repo.direct_url = None;
        return Ok(());
    }
    let direct = direct(repo, source, variables)?.filter(|direct| direct.is_used).map(|direct| direct.url);
    repo.direct_url = direct.or(repo.direct_url.take());
    Ok(())
}

/// A way past a pooler.
struct Direct {
    url: DatabaseUrl,
    variable: String,
    /// Whether it is gone: the repo's own variable is for this program, and right; one that a manifest names may be there
    /// for any other, and counts where it leads to the database that the URL names.
    is_used: bool,
}

fn direct(repo: &Repo, source: &Source, variables: Variables<'_>) -> Result<Option<Direct>> {
    let found = own_or_named(repo, source, "DIRECT_URL", |it| it.direct_url_env, variables)?;
    Ok(found.map(|(variable, url)| {
        let is_used = variable == own_variable(repo, "DIRECT_URL") || repo.is_same_database(&url);
        Direct { url, variable, is_used }
    }))
}

fn own_variable(repo: &Repo, end: &str) -> String {
    format!("{}_{end}", repo.name.variable_prefix())
}

/// The URL of the repo's own variable, else that of the one which a manifest says and nothing else; and the variable.
fn own_or_named(
    repo: &Repo,
    source: &Source,
    end: &str,
    named: impl Fn(&EmbeddedSettings) -> Option<&'static str>,
    variables: Variables<'_>,
) -> Result<Option<(String, DatabaseUrl)>> {
    let settings = source.as_embedded().map(|embedded| embedded.settings_in(&repo.environment));
    for name in [Some(own_variable(repo, end)), settings.and_then(named).map(str::to_owned)] {
        let Some(name) = name else { continue };
        if let Some(url) = variables(&name)? {
            return Ok(Some((name, in_environment(&url, &repo.environment))));
        }
    }
    Ok(None)
}

/// Returns what is to be said of variables that lead past a pooler and are not used: a text and what to do, each.
///
/// # Errors
/// [`Kind::Configuration`] for a variable that is not valid Unicode.
pub fn warnings(
    sources: &[Source],
    global: &Global,
    repos: &[Repo],
    variables: Variables<'_>,
) -> Result<Vec<(String, String)>> {
    let mut warnings = Vec::new();
    for repo in repos.iter().filter(|_| global.database_url.is_none()) {
        let Some(source) = sources.iter().find(|source| *source.name() == repo.name) else { continue };
        let Some(Direct { variable, is_used: false, .. }) = direct(repo, source, variables)? else {
            continue;
        };
        let from = repo.url_from.as_deref().unwrap_or("the URL");
        warnings.push((
            format!(
                "the variable `{variable}`, which `direct-url` of `{}` is, names another database than {from}, and is \
                 not used",
                repo.name
            ),
            format!("if it is the way past a pooler all the same, set `{}` to it", own_variable(repo, "DIRECT_URL")),
        ));
    }
    Ok(warnings)
}

/// What variables say besides URLs: the same ones that `cargo dbsetup` reads.
fn other_settings(repo: &mut Repo, variables: Variables<'_>) -> Result<()> {
    if let Some(order) = variables("DBSETUP_VERSION_ORDER")? {
        repo.version_order = match order.as_str() {
            "any" => VersionOrder::Any,
            "warn" => VersionOrder::Warn,
            "strict" => VersionOrder::Strict,
            _ => {
                return Err(Error::new(Kind::Configuration, "`DBSETUP_VERSION_ORDER` is no version order")
                    .note(format!("its value is `{}`", text::line(&order)))
                    .help("use `any`, `warn` or `strict`"));
            }
        };
    }
    let time = |name: &str| -> Result<Option<Duration>> {
        let Some(value) = variables(name)? else { return Ok(None) };
        duration(&value).map(Some).map_err(|why| {
            Error::new(Kind::Configuration, format!("`{name}` is no duration: {why}"))
                .note(format!("its value is `{}`", text::line(&value)))
        })
    };
    if let Some(wait) = time("DBSETUP_LOCK_WAIT")? {
        repo.lock_wait = wait;
    }
    if let Some(timeout) = time("DBSETUP_LOCK_TIMEOUT")? {
        repo.lock_timeout = timeout;
    }
    if let Some(timeout) = time("DBSETUP_STATEMENT_TIMEOUT")? {
        repo.statement_timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
    }
    Ok(())
}
