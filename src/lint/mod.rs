//! Whether a migration may live in its lane: an automatic one runs on every deploy, beside the old code and on tables of
//! any size. Pure: it sees files, never a database.

mod allow;
mod columns;
mod facts;
mod name;
mod own;
mod postgres;
mod rules;
mod source;
mod sqlite;
mod squawk;
mod table;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::path::PathBuf;

use dbsetup::error::Site;
use dbsetup::migration::{Grammar, Migration, Script};
use dbsetup::repo::Lane;
use dbsetup::sql::Dialect;

pub use rules::{Rule, Scope, Severity};
#[cfg(test)]
use table::RULES;

/// What a rule says of a place in a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The rule's name.
    pub rule: &'static str,
    /// What it does to a check.
    pub severity: Severity,
    /// The file, as it is shown.
    pub path: PathBuf,
    /// The place in it. Nothing where the whole file is meant.
    pub site: Option<Site>,
    /// What is there: a lowercase fragment.
    pub message: String,
    /// Why that is a danger.
    pub why: &'static str,
    /// What to do.
    pub help: String,
}

/// What a rule says of a byte range of a script's SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    rule: &'static str,
    range: Range<usize>,
    message: String,
    help: Option<String>,
}

impl Found {
    fn new(rule: &'static str, range: Range<usize>, message: impl Into<String>) -> Self {
        Self { rule, range, message: message.into(), help: None }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// Lints both sides of a migration, in the order of their text.
///
/// The up side has to hold the rules of its lane. Rolling back is what a person does on purpose, so the down side has to
/// hold only the rules that hold everywhere. SQL that cannot be read is told as a finding of `unread`, and never fails.
pub fn lint(migration: &Migration, dialect: Dialect) -> Vec<Finding> {
    let mut sides = vec![(&migration.up, migration.lane)];
    sides.extend(migration.down.as_ref().map(|down| (down, Lane::Manual)));
    let mut findings = Vec::new();
    while let Some((first, _)) = sides.first().copied() {
        // Grammars with both sides in one file have one set of comments for them.
        let (same, others): (Vec<_>, Vec<_>) =
            sides.into_iter().partition(|(script, _)| script.path == first.path);
        findings.extend(file(migration, &same, dialect));
        sides = others;
    }
    findings
}

/// Lints the scripts of one file.
fn file(migration: &Migration, scripts: &[(&Script, Lane)], dialect: Dialect) -> Vec<Finding> {
    let Some((first, _)) = scripts.first() else { return Vec::new() };
    let mut allowed = allow::read(dialect, &first.file);
    let mut findings = Vec::new();
    for (script, lane) in scripts {
        let mut found = side(script, *lane, dialect);
        found.retain(|found| !allowed.accepts(found.rule));
        let alone = |found: &&mut Found| found.rule == "needs-no-transaction" && found.help.is_none();
        for found in found.iter_mut().filter(alone) {
            let how = without_transaction(migration, script);
            found.help =
                Some(format!("put it into a file of its own that runs without a transaction: {how}"));
        }
        found.sort_by_key(|found| (found.range.start, found.rule));
        found.dedup_by(|a, b| a.rule == b.rule && a.range.start == b.range.start);
        findings.extend(found.into_iter().map(|found| {
            let site = script.site(trimmed(script.sql(), found.range.clone()));
            finding(script, found, site)
        }));
    }
    findings.extend(allowed.complaints().into_iter().map(|found| {
        let site = Site::in_text(&first.path, &first.file, found.range.clone());
        finding(first, found, site)
    }));
    findings
}

fn side(script: &Script, lane: Lane, dialect: Dialect) -> Vec<Found> {
    let mut found = match dialect {
        Dialect::Postgres => postgres::lint(script),
        Dialect::Sqlite => sqlite::lint(script),
        _ => Vec::new(),
    };
    found.retain(|found| lane == Lane::Automatic || rule(found.rule).scope == Scope::Everywhere);
    found
}

/// Returns a place without the blanks and semicolons at its end.
fn trimmed(sql: &str, range: Range<usize>) -> Range<usize> {
    let end = range.end.min(sql.len());
    let place = sql.get(range.start..end).unwrap_or_default();
    range.start..range.start + place.trim_end_matches(|c: char| c == ';' || c.is_whitespace()).len()
}

/// Says how a file asks to run without a transaction.
fn without_transaction(migration: &Migration, script: &Script) -> &'static str {
    match migration.grammar {
        Grammar::Diesel => "write `run_in_transaction = false` to its metadata.toml",
        Grammar::Dbmate if script.range == migration.up.range => "write `-- migrate:up transaction:false`",
        Grammar::Dbmate => "write `-- migrate:down transaction:false`",
        _ => "write `-- no-transaction` as its first line",
    }
}

fn finding(script: &Script, found: Found, site: Site) -> Finding {
    let rule = rule(found.rule);
    let mut help = found.help.unwrap_or_else(|| rule.instead.to_owned());
    if rule.severity == Severity::Fail {
        help += &format!("; or accept it with `-- dbsetup:allow {} REASON`", rule.name);
    }
    Finding {
        rule: rule.name,
        severity: rule.severity,
        path: script.path.clone(),
        site: Some(site),
        message: found.message,
        why: rule.why,
        help,
    }
}

fn rule(name: &str) -> &'static Rule {
    rules::find(name).expect("findings name rules of the table, which a test holds")
}
