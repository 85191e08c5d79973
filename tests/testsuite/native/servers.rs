//! The servers that these tests look for, and who says so when they are not there.

use std::path::PathBuf;

use crate::support::postgres::Server;
use crate::support::skipped;

/// A server with the databases of PostgreSQL's own tests.
#[derive(Debug, Clone)]
pub struct Regression {
    /// Its superuser's URL ends with a database to be replaced.
    url: String,
    /// Scratch databases on it.
    pub server: Server,
    /// The directory of psql and pg_dump.
    pub programs: PathBuf,
    /// PostgreSQL's source text, where the run knows it.
    pub source: Option<PathBuf>,
}

impl Regression {
    /// Returns the server of a major version, or says aloud that the test is skipped.
    pub fn of(major: u32) -> Option<Self> {
        let name = format!("DBSETUP_TEST_REGRESSION_{major}");
        let value = |end: &str| std::env::var(format!("{name}{end}")).ok().filter(|value| !value.is_empty());
        let (Some(url), Some(programs)) = (value(""), value("_PROGRAMS")) else {
            skipped(&format!("no {name} with {name}_PROGRAMS (run ./scripts/test --full)"));
            return None;
        };
        let server = Server::at(url.clone());
        let source = value("_SOURCE").map(PathBuf::from);
        Some(Self { url, server, programs: programs.into(), source })
    }

    /// Returns the URL of a database that is there for all tests, and that none may change.
    pub fn shared(&self, database: &str) -> String {
        let (server, _) = self.url.rsplit_once('/').expect("the variable is a URL with a database");
        format!("{server}/{database}")
    }
}

/// The major versions that the dump is made for.
pub const MAJORS: std::ops::RangeInclusive<u32> = 12..=18;

/// Returns the servers of all major versions, or says aloud that the test is skipped.
pub fn releases() -> Option<Vec<(u32, Server)>> {
    let mut servers = Vec::new();
    for major in MAJORS {
        let name = format!("DBSETUP_TEST_RELEASE_{major}");
        match std::env::var(&name) {
            Ok(url) if !url.is_empty() => servers.push((major, Server::at(url))),
            _ => {
                skipped(&format!("no {name} (run ./scripts/test --full)"));
                return None;
            }
        }
    }
    Some(servers)
}
