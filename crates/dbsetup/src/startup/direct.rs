//! The way past a pooler that the manifest named a variable for: `direct-url = "${CORE_DIRECT_URL}"`.

use crate::drivers;
use crate::repo::{DatabaseUrl, Repo};
use crate::source::Source;

/// Returns the URL past a pooler that the variable holds; `None` where none is named or set, or where it names another
/// database than the application does: a test that starts an application, or a second instance of it, has handed over a
/// database of its own, and that one is meant.
pub(super) fn url(
    source: &Source,
    repo: &Repo,
    variables: &dyn Fn(&str) -> Option<String>,
) -> Option<DatabaseUrl> {
    let name = source.as_embedded()?.settings_in(&repo.environment).direct_url_env?;
    let text = variables(name).filter(|text| !text.trim().is_empty())?;
    let direct = DatabaseUrl::new(text.replace("{env}", &repo.environment));
    // What does not parse is for whoever opens it to say.
    let database = |url: &DatabaseUrl| {
        drivers::open(url, &repo.root, None)
            .map(|server| (server.dialect(), server.target().database.clone()))
            .ok()
    };
    if database(&repo.url).is_some_and(|meant| database(&direct).is_some_and(|other| other != meant)) {
        tracing::warn!(
            repo = repo.name.as_str(),
            variable = name,
            "the variable that `direct-url` is names another database than the application, and is not used"
        );
        return None;
    }
    Some(direct)
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;
    use crate::source::{Embedded, EmbeddedSettings};

    static CORE: Embedded = Embedded {
        name: "core",
        digest: "",
        marker: "",
        disposable: &["dev"],
        settings: EmbeddedSettings { direct_url_env: Some("SESSION_URL"), ..EmbeddedSettings::DEFAULT },
        environments: &[],
        files: &[],
        debug_assertions: true,
    };

    #[test]
    fn the_variable_is_read_where_it_leads_to_the_same_database() {
        let source = Source::from(&CORE);
        let repo = source.repo(DatabaseUrl::new("postgres://pooler:6432/core_prod"), "prod").unwrap();
        let direct = |text: Option<&str>| {
            let variables = |name: &str| text.filter(|_| name == "SESSION_URL").map(str::to_owned);
            url(&source, &repo, &variables).map(|url| url.to_string())
        };
        assert_eq!(direct(Some("postgres://h/core_{env}")).as_deref(), Some("postgres://h/core_prod"));
        for text in [None, Some(" "), Some("postgres://h/core_dev"), Some("sqlite:core_prod")] {
            assert_eq!(direct(text), None, "{text:?}");
        }
    }
}
