//! What the tests of this room share.

mod cases;
mod comments;
mod docs;
mod files;
mod sqlite_cases;

use std::path::PathBuf;

use dbsetup::migration::{Grammar, Migration, Script, Version};
use dbsetup::repo::Lane;
use dbsetup::sql::Dialect;

use super::rules::{self, Scope};
use super::{Finding, lint};

/// A migration of one file; it runs without a transaction where its first line says so.
fn migration(sql: &str, lane: Lane) -> Migration {
    let transactional = !sql.trim_start_matches('\u{feff}').starts_with("-- no-transaction");
    Migration {
        version: Version::numeric("1").unwrap(),
        name: "a".into(),
        lane,
        source: "migrations".into(),
        directory: PathBuf::from("priv/migrations"),
        grammar: Grammar::Plain,
        unordered: false,
        up: Script::whole("priv/migrations/1_a.sql".into(), sql.into(), transactional),
        down: None,
        requires: Vec::new(),
        code: None,
    }
}

fn automatic(dialect: Dialect, sql: &str) -> Vec<Finding> {
    lint(&migration(sql, Lane::Automatic), dialect)
}

fn names(findings: &[Finding]) -> Vec<&'static str> {
    findings.iter().map(|finding| finding.rule).collect()
}

/// Files that a rule is tried on.
struct Case {
    rule: &'static str,
    /// Files that break it, each with its place between `«` and `»`.
    broken: &'static [&'static str],
    /// Files that come close.
    kept: &'static [&'static str],
}

impl Case {
    fn hold(&self, dialect: Dialect) {
        for marked in self.broken {
            self.hold_broken(dialect, marked);
        }
        for sql in self.kept {
            let findings = automatic(dialect, sql);
            assert!(!names(&findings).contains(&self.rule), "{}: {sql}: {findings:#?}", self.rule);
            assert!(!names(&findings).contains(&"unread"), "{sql}: {findings:#?}");
        }
    }

    fn hold_broken(&self, dialect: Dialect, marked: &str) {
        let rule = self.rule;
        let start = marked.find('«').expect("a case has a place");
        let sql = marked.replace(['«', '»'], "");
        let place = marked[start..].split_once('»').expect("the place has an end").0.trim_start_matches('«');
        let width = place.lines().next().unwrap_or_default().trim_end().chars().count().max(1);
        let findings = automatic(dialect, &sql);
        let found: Vec<_> = findings.iter().filter(|finding| finding.rule == rule).collect();
        assert_eq!(found.len(), 1, "{rule}: {sql}: {findings:#?}");
        let site = found[0].site.as_ref().unwrap();
        let at = dbsetup::sql::locate(&sql, start);
        assert_eq!(
            (site.at.line, site.at.column, site.width),
            (at.line, at.column, width),
            "{sql}: {found:#?}"
        );
        assert!(!found[0].message.contains("``"), "{sql}: {found:#?}");

        let manual = lint(&migration(&sql, Lane::Manual), dialect);
        let everywhere = rules::find(rule).unwrap().scope == Scope::Everywhere;
        assert_eq!(names(&manual).contains(&rule), everywhere, "{rule}: {sql}: {manual:#?}");

        let allowed = format!("{sql}\n-- dbsetup:allow {rule} the table has ten rows\n");
        let findings = automatic(dialect, &allowed);
        assert!(!names(&findings).contains(&rule), "{rule}: {sql}: {findings:#?}");
        assert!(!names(&findings).contains(&"allow"), "{rule}: {sql}: {findings:#?}");
    }
}
