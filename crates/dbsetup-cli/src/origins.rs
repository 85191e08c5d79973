//! Where the URLs of a repo were written: said where one leads nowhere.

use dbsetup::doctor::{Health, Report};
use dbsetup::repo::Repo;
use dbsetup::{Error, Kind};

/// The keys of a repo's URLs (`url`, `direct-url`, `maintenance-url`), and in words where each comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origins(Vec<(&'static str, String)>);

impl FromIterator<(&'static str, String)> for Origins {
    fn from_iter<I: IntoIterator<Item = (&'static str, String)>>(origins: I) -> Self {
        Self(origins.into_iter().collect())
    }
}

impl Origins {
    /// Adds where the URL was written to the error of a URL that leads nowhere.
    pub fn placed(&self, repo: &Repo, error: Error) -> Error {
        let is_about_the_url = match error.kind() {
            Kind::Unreachable => true,
            Kind::Configuration => error.message().contains("URL"),
            // The server refused the login: <https://www.postgresql.org/docs/current/errcodes-appendix.html>, class 28.
            Kind::Permission => error.message().contains("(28"),
            _ => false,
        };
        // It is about another URL than the repo's own.
        let said = error.notes().iter().map(String::as_str).chain([error.message()]);
        let is_of_another = said.into_iter().any(|text| text.contains("`--applied-on env:"));
        let key = match () {
            () if error.notes().iter().any(|note| note.contains("`maintenance-url`")) => "maintenance-url",
            () if error.notes().iter().any(|note| note.contains("where `scratch-url` says")) => "scratch-url",
            () => used(repo),
        };
        match self.sentence(repo, key) {
            Some(sentence) if is_about_the_url && !is_of_another => error.note(sentence),
            _ => error,
        }
    }

    /// Adds where the URL was written to the finding of a server that does not answer.
    pub fn placed_in(&self, repo: &Repo, report: &mut Report) {
        let is_silent = |finding: &&mut dbsetup::doctor::Finding| {
            finding.about == "server" && finding.health == Health::Bad
        };
        if let Some(finding) = report.findings.iter_mut().find(is_silent)
            && let Some(sentence) = self.sentence(repo, used(repo))
        {
            finding.text += &format!("; {sentence}");
        }
    }

    fn sentence(&self, repo: &Repo, key: &str) -> Option<String> {
        let (_, origin) = self.0.iter().find(|(known, _)| *known == key)?;
        Some(format!("`{key}` of `{}` comes from {origin}", repo.name))
    }
}

/// The key of the URL that sessions are opened with.
fn used(repo: &Repo) -> &'static str {
    if repo.direct_url.is_some() { "direct-url" } else { "url" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dbsetup::doctor::Finding;
    use dbsetup::repo::{DatabaseUrl, RepoName};

    fn repo() -> Repo {
        let url = DatabaseUrl::new("postgres://app:s3cret@db/core");
        Repo::plain(RepoName::new("core"), "priv/core".into(), url, "prod")
    }

    #[test]
    fn only_errors_of_a_url_say_where_it_was_written() {
        let origins: Origins =
            [("url", "variable A".into()), ("direct-url", "variable B".into())].into_iter().collect();
        let placed = |repo: &Repo, kind: Kind| origins.placed(repo, Error::new(kind, "no")).notes().to_vec();
        assert_eq!(placed(&repo(), Kind::Unreachable), ["`url` of `core` comes from variable A"]);
        assert!(placed(&repo(), Kind::Statement).is_empty());
        let past = Repo { direct_url: Some(DatabaseUrl::new("postgres://server/core")), ..repo() };
        assert_eq!(placed(&past, Kind::Unreachable), ["`direct-url` of `core` comes from variable B"]);
        assert!(Origins::default().placed(&repo(), Error::new(Kind::Unreachable, "no")).notes().is_empty());
    }

    #[test]
    fn a_silent_server_comes_with_the_place_of_its_url_and_one_that_answers_without() {
        let origins: Origins = [("url", "variable A".to_owned())].into_iter().collect();
        let text = |health| {
            let finding = Finding { about: "server", health, text: "db".into(), help: None };
            let mut report = Report { findings: vec![finding] };
            origins.placed_in(&repo(), &mut report);
            report.findings.remove(0).text
        };
        assert_eq!(text(Health::Bad), "db; `url` of `core` comes from variable A");
        assert_eq!(text(Health::Ok), "db");
    }
}
