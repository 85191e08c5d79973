//! What a check found, as a value: findings, what was in order, what could not be looked at.

use std::path::PathBuf;

use dbsetup::error::Site;
use dbsetup::{Error, Kind};

use super::code::Code;

/// How grave a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The check fails.
    Fail,
    /// It is told, and the check does not fail for it.
    Warn,
    /// It is as it should be, and good to know.
    Info,
}

impl Severity {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Info => "info",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Debug)]
pub struct Finding {
    /// What it is.
    pub code: Code,
    /// How grave.
    pub severity: Severity,
    /// The version, the object, or the rule that it is about.
    pub object: Option<String>,
    /// The file that it is about, where no place in one is known.
    pub path: Option<PathBuf>,
    /// The sentence, its place, what else is known, what to do.
    pub error: Error,
}

impl Finding {
    /// Returns a finding that makes the check fail.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self::of(code, Error::new(Kind::Check, message.into()))
    }

    /// Returns a finding that says what an error says.
    pub fn of(code: Code, error: Error) -> Self {
        Self { code, severity: Severity::Fail, object: None, path: None, error }
    }

    /// Says how grave it is.
    #[must_use]
    pub fn severity(self, severity: Severity) -> Self {
        Self { severity, ..self }
    }

    /// Names what it is about.
    #[must_use]
    pub fn about(self, object: impl Into<String>) -> Self {
        Self { object: Some(object.into()), ..self }
    }

    /// Names the file that it is about.
    #[must_use]
    pub fn file(self, path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..self }
    }

    /// Adds the place in a file.
    #[must_use]
    pub fn at(self, site: Site) -> Self {
        Self { error: self.error.at(site), ..self }
    }

    /// Adds a fact.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { error: self.error.note(note), ..self }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { error: self.error.help(help), ..self }
    }
}

/// A check that was not made, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// What was not looked at.
    pub check: &'static str,
    /// Why.
    pub why: String,
    /// What makes it possible.
    pub help: Option<String>,
}

/// Everything that came of checking one repo.
#[derive(Debug, Default)]
pub struct Report {
    /// What was found, in the order of the checks.
    pub findings: Vec<Finding>,
    /// The checks that were made and found nothing that fails.
    pub passed: Vec<&'static str>,
    /// The checks that were not made.
    pub skipped: Vec<Skipped>,
    /// What was said besides.
    pub remarks: Vec<String>,
    /// What kept the rest from being checked.
    pub broken: Option<Error>,
}

impl Report {
    /// Takes what one check found.
    pub fn take(&mut self, check: &'static str, findings: impl IntoIterator<Item = Finding>) {
        let before = self.findings.len();
        self.findings.extend(findings);
        if self.findings[before..].iter().all(|finding| finding.severity != Severity::Fail) {
            self.passed.push(check);
        }
    }

    /// Takes note of a check that was not made.
    pub fn skip(&mut self, check: &'static str, why: impl Into<String>, help: Option<String>) {
        self.skipped.push(Skipped { check, why: why.into(), help });
    }

    /// How many findings are of a severity.
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    /// Whether anything makes the check fail.
    pub fn fails(&self) -> bool {
        self.count(Severity::Fail) > 0
    }
}
