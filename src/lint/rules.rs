//! What a rule is: what it finds, why that is a danger, and what to do instead.

use super::table::RULES;

/// What a finding does to a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// The check fails.
    Fail,
    /// It is told, and the check goes on.
    Warn,
}

/// Where a rule holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Files that every deploy runs beside the old code.
    Automatic,
    /// Every file, whoever runs it, down sides included.
    Everywhere,
}

/// One rule.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// What a comment `-- dbsetup:allow` calls it.
    pub name: &'static str,
    /// What a finding does.
    pub severity: Severity,
    /// Where it holds.
    pub scope: Scope,
    /// Whether it is looked for in files for SQLite too. For PostgreSQL every rule is.
    pub sqlite: bool,
    /// What it finds.
    pub what: &'static str,
    /// Why that is a danger.
    pub why: &'static str,
    /// What to do.
    pub instead: &'static str,
    /// What squawk calls the same.
    pub squawk: &'static [&'static str],
}

/// Returns the rule of a name.
pub fn find(name: &str) -> Option<&'static Rule> {
    RULES.iter().find(|rule| rule.name == name)
}
