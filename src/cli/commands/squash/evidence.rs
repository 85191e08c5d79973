//! Evidence from deployed databases: asked themselves, or written down by `status --format json`.

use std::path::Path;

use dbsetup::event::Silent;
use dbsetup::ledger::{LedgerKind, meta_key};
use dbsetup::repo::{DatabaseUrl, Repo, RepoName};
use dbsetup::session::Session;
use dbsetup::structure::squash::{Evidence, Seen};
use dbsetup::{Error, Kind, Result};
use serde_json::Value as Json;

const VARIABLE: &str = "env:";

/// What a source says of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What is applied there.
    pub evidence: Evidence,
    /// The environment that the database has recorded.
    pub environment: Option<String>,
    /// Whether the database itself was asked.
    pub is_asked: bool,
}

impl Found {
    /// Whether nobody but the person who named the database knows what it is.
    pub fn is_taken_at_their_word(&self) -> bool {
        self.is_asked && self.environment.is_none()
    }
}

/// Returns the environments for which nothing speaks. A database that was asked and has none recorded stands for one
/// that is missing: whoever named it knows which. One of several could be any.
pub fn missing(environments: &[String], found: &[Found]) -> Vec<String> {
    let speaks = |name: &&String| !found.iter().any(|found| found.environment.as_ref() == Some(name));
    let missing: Vec<String> = environments.iter().filter(speaks).cloned().collect();
    let unknown = found.iter().filter(|found| found.is_taken_at_their_word()).count();
    if unknown >= missing.len() { Vec::new() } else { missing }
}

/// Whether a source is the URL of one database.
pub fn is_variable(source: &str) -> bool {
    source.starts_with(VARIABLE)
}

/// Reads every source as far as it speaks of `repo`, whose database is shown as `live`.
///
/// # Errors
/// Those of a source that cannot be read; [`Kind::Configuration`] when all of them speak of other repos;
/// [`Kind::Refused`] for one that proves nothing.
pub async fn read(sources: &[String], repo: &Repo, live: &str) -> Result<Vec<Found>> {
    let mut all = Vec::new();
    for source in sources {
        let found = match source.strip_prefix(VARIABLE) {
            Some(variable) => {
                let value = std::env::var(variable).ok();
                vec![of_database(repo, variable, value.as_deref(), live).await?]
            }
            None => of_file(repo, source)?,
        };
        for found in &found {
            refuse_own(repo, source, found)?;
        }
        all.extend(found);
    }
    if all.is_empty() && !sources.is_empty() {
        let message = format!("`--applied-on {}` says nothing of `{}`", sources.join(", "), repo.name);
        return Err(Error::new(Kind::Configuration, message).help(format!(
            "write a file where the database is: `cargo dbsetup status --repo {} --format json > FILE`",
            repo.name
        )));
    }
    Ok(all)
}

/// What belongs to the environment of the database that is squashed shows nothing of any other.
fn refuse_own(repo: &Repo, source: &str, found: &Found) -> Result<()> {
    if found.environment.as_deref() != Some(repo.environment.as_str()) {
        return Ok(());
    }
    let message = format!(
        "`{source}` speaks of a database of `{}` in the environment `{}`, which is squashed itself: that shows nothing of others",
        repo.name, repo.environment
    );
    Err(Error::new(Kind::Refused, message).help(format!(
        "name a deployed database; where it is one, it has a wrong environment recorded: with its URL, `cargo dbsetup \
         resolve --environment NAME --repo {}`",
        repo.name
    )))
}

fn half_loaded(source: &str, repo: &RepoName) -> Error {
    Error::new(Kind::Refused, format!("`{source}` says that the database of `{repo}` is half loaded"))
        .note("what it has recorded need not be there")
        .help("finish it there, then show it again: `cargo dbsetup setup`")
}

/// Asks a database. Nothing is written there.
async fn of_database(repo: &Repo, variable: &str, value: Option<&str>, live: &str) -> Result<Found> {
    let flag = format!("--applied-on {VARIABLE}{variable}");
    let Some(url) = value.map(str::trim).filter(|url| !url.is_empty()) else {
        return Err(Error::new(
            Kind::Configuration,
            format!("`{flag}`: the variable `{variable}` is not set"),
        )
        .help(format!("set it to the URL of a deployed database: {variable}=postgres://…")));
    };
    let there = Repo {
        url: DatabaseUrl::new(url),
        // What was known is of this run's environment.
        url_from: None,
        engine: None,
        direct_url: None,
        maintenance_url: None,
        ..repo.clone()
    };
    let told = |error: Error| error.note(format!("asked for `{flag}`"));
    let session = Session::new(&there, &Silent, "squash").map_err(|error| {
        let help = error.help_text().unwrap_or("give it the URL of a deployed database").to_owned();
        told(error).help(format!("look at what `{variable}` holds: {help}"))
    });
    let mut session = session?.only_looking();
    if session.server().target().shown == live {
        let message = format!("`{flag}` names the very database that is squashed: that proves nothing");
        return Err(Error::new(Kind::Configuration, message)
            .help("name a deployed one, or say that there is none: `--yes` instead of the flag"));
    }
    let inspection = session.inspect().await.map_err(|error| {
        told(error).help(format!(
            "look at what `{variable}` holds; or give a file that was written where the database is: \
             `cargo dbsetup status --repo {} --format json > FILE`",
            repo.name
        ))
    });
    session.close().await;
    let inspection = inspection?;
    let (ledger, state) = (inspection.choice.table, inspection.state);
    if state.meta(meta_key::LOADING).is_some() {
        return Err(half_loaded(&format!("{VARIABLE}{variable}"), &repo.name));
    }
    let checksum = |version: &str, own: &Option<String>| match ledger.kind.keeps_checksums() {
        true => own.clone(),
        false => state.meta(&format!("{}{version}", meta_key::CHECKSUM_PREFIX)).map(str::to_owned),
    };
    let applied = state.rows.iter().filter(|row| row.success);
    let applied = applied
        .map(|row| Seen { version: row.version.clone(), checksum: checksum(&row.version, &row.checksum) })
        .collect();
    let environment = state.meta(meta_key::ENVIRONMENT).map(str::to_owned);
    let name = named(&format!("{VARIABLE}{variable}"), environment.as_deref());
    Ok(Found { evidence: Evidence { name, ledger: Some(ledger.kind), applied }, environment, is_asked: true })
}

fn named(source: &str, environment: Option<&str>) -> String {
    match environment {
        Some(environment) => format!("{source} ({environment})"),
        None => source.to_owned(),
    }
}

/// Reads a file that `status --format json` has written, of one database or of several; nothing where it speaks of other
/// repos alone.
fn of_file(repo: &Repo, source: &str) -> Result<Vec<Found>> {
    let path = Path::new(source);
    let text = std::fs::read_to_string(path).map_err(|error| {
        let is_variable = std::env::var_os(source).is_some();
        let error = Error::io("read", path, error);
        if is_variable {
            error.help(format!("for a variable with a URL: `--applied-on {VARIABLE}{source}`"))
        } else {
            error
        }
    })?;
    of_text(&repo.name, source, &text)
}

fn of_text(repo: &RepoName, source: &str, text: &str) -> Result<Vec<Found>> {
    let mut found: Vec<Found> = Vec::new();
    let mut is_status = false;
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let object: Json = serde_json::from_str(line).map_err(|_| foreign(source))?;
        if object.get("v").and_then(Json::as_u64) != Some(1) {
            return Err(foreign(source));
        }
        let word = |key: &str| object.get(key).and_then(Json::as_str);
        let event = word("event").unwrap_or_default();
        is_status |= event == "database";
        if word("repo").is_none_or(|name| RepoName::new(name) != *repo) {
            continue;
        }
        match event {
            "database" => {
                if object.get("exists").and_then(Json::as_bool) != Some(true) {
                    let message =
                        format!("`{source}` says that the database of `{repo}` does not exist there");
                    return Err(Error::new(Kind::Refused, message)
                        .help("write it where the database is deployed, with its URL"));
                }
                if object.get("half_loaded").and_then(Json::as_bool) == Some(true) {
                    return Err(half_loaded(source, repo));
                }
                let evidence = Evidence {
                    name: named(source, word("environment")),
                    ledger: word("ledger_kind").and_then(LedgerKind::from_name),
                    applied: Vec::new(),
                };
                let environment = word("environment").map(str::to_owned);
                found.push(Found { evidence, environment, is_asked: false });
            }
            "status" => {
                // `changed` and `file_missing` are about the files of the checkout that it was written in.
                let is_applied =
                    matches!(word("state"), Some("applied" | "squashed" | "changed" | "file_missing"));
                if let (Some(found), Some(version), true) = (found.last_mut(), word("version"), is_applied) {
                    let checksum = word("checksum").map(str::to_owned);
                    found.evidence.applied.push(Seen { version: version.to_owned(), checksum });
                }
            }
            _ => {}
        }
    }
    if is_status { Ok(found) } else { Err(foreign(source)) }
}

fn foreign(source: &str) -> Error {
    Error::new(Kind::Configuration, format!("`{source}` is not what `status --format json` writes"))
        .help("write it where the database is: `cargo dbsetup status --format json > FILE`")
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = r#"{"v":1,"event":"database","repo":"core-data","exists":true,"environment":"prod","ledger":"schema_migrations","ledger_kind":"schema_migrations","half_loaded":false}
{"v":1,"event":"status","repo":"core-data","lane":"automatic","version":"1","name":"a","state":"applied","checksum":"sha256:1"}
{"v":1,"event":"status","repo":"core-data","lane":null,"version":"2","name":"b","state":"file_missing","checksum":null}
{"v":1,"event":"status","repo":"core-data","lane":"manual","version":"3","name":"c","state":"pending"}

{"v":1,"event":"database","repo":"other","exists":true,"environment":null,"ledger":null,"ledger_kind":null,"half_loaded":false}
{"v":1,"event":"status","repo":"other","lane":"manual","version":"9","name":"c","state":"applied"}
"#;

    fn read(repo: &str, text: &str) -> Result<Vec<Found>> {
        of_text(&RepoName::new(repo), "prod.json", text)
    }

    #[test]
    fn what_status_has_written_says_what_is_applied() {
        let found = read("core_data", STATUS).unwrap();
        assert_eq!((found.len(), found[0].environment.as_deref()), (1, Some("prod")));
        let found = &found[0].evidence;
        assert_eq!((found.name.as_str(), found.ledger), ("prod.json (prod)", Some(LedgerKind::Dbsetup)));
        let seen: Vec<_> =
            found.applied.iter().map(|seen| (&*seen.version, seen.checksum.as_deref())).collect();
        assert_eq!(seen, [("1", Some("sha256:1")), ("2", None)]);
        assert_eq!(read("unknown", STATUS).unwrap(), []);
    }

    #[test]
    fn every_database_of_a_file_is_a_piece_of_its_own() {
        let text =
            format!("{}{STATUS}", STATUS.replace("prod", "staging").replace("\"applied\"", "\"pending\""));
        let found = read("core_data", &text).unwrap();
        let names: Vec<&str> = found.iter().map(|found| found.evidence.name.as_str()).collect();
        assert_eq!(names, ["prod.json (staging)", "prod.json (prod)"]);
        assert_eq!((found[0].evidence.applied.len(), found[1].evidence.applied.len()), (1, 2));
    }

    #[test]
    fn each_environment_needs_what_speaks_of_it() {
        let found = |environment: Option<&str>, is_asked| Found {
            evidence: Evidence::default(),
            environment: environment.map(str::to_owned),
            is_asked,
        };
        let left = |found: &[Found]| missing(&["prod".to_owned(), "staging".to_owned()], found);
        assert_eq!(left(&[found(Some("prod"), false)]), ["staging"]);
        assert_eq!(left(&[found(Some("dev"), false), found(None, false)]), ["prod", "staging"]);
        assert_eq!(left(&[found(None, true)]), ["prod", "staging"]);
        assert!(left(&[found(None, true), found(Some("prod"), true)]).is_empty());
        assert!(left(&[found(Some("staging"), true), found(Some("prod"), false)]).is_empty());
    }

    #[test]
    fn a_file_of_another_kind_is_no_evidence() {
        for text in [
            "",
            "{}",
            "not json",
            "{\"v\":2,\"event\":\"database\"}",
            "{\"v\":1,\"event\":\"summary\",\"repo\":\"core\"}",
        ] {
            assert_eq!(read("core", text).unwrap_err().kind(), Kind::Configuration, "{text}");
        }
        let missing = STATUS.replace("\"exists\":true", "\"exists\":false");
        assert_eq!(read("core_data", &missing).unwrap_err().kind(), Kind::Refused);
        let half = STATUS.replace("\"half_loaded\":false", "\"half_loaded\":true");
        assert_eq!(read("core_data", &half).unwrap_err().kind(), Kind::Refused);
    }
}
