//! What the lint says, of the migrations that are new.

use dbsetup::migration::{FileSet, Migration};
use dbsetup::repo::Repo;
use dbsetup::sql::Dialect;
use dbsetup::{Error, Kind};

use super::base::AtBase;
use super::code::Code;
use super::finding::{Finding, Report, Severity};
use crate::lint;
use crate::ui::text::count;

/// The name of the check.
const LINT: &str = "lint";

/// Lints the migrations that the base does not have as they are: what everybody has already is not up for review.
/// Without a base, all of them.
pub fn check(
    repo: &Repo,
    files: &FileSet,
    dialect: Option<Dialect>,
    base: Option<&AtBase>,
    report: &mut Report,
) {
    let Some(dialect) = dialect else {
        let help = format!("set its URL, or write its structure: {}", repo.command("dump"));
        return report.skip(
            LINT,
            "neither a URL nor a structure file tells which database it is",
            Some(help),
        );
    };
    let new: Vec<&Migration> = files.migrations.iter().filter(|one| is_new(repo, one, base)).collect();
    let findings: Vec<Finding> =
        new.iter().flat_map(|migration| lint::lint(migration, dialect)).map(finding).collect();
    if !findings.is_empty() {
        let which = match base {
            Some(base) => format!("{} that `{}` does not have", count(new.len(), "migration"), base.name),
            None => format!("all of {}: it is not known which are new", count(new.len(), "migration")),
        };
        report.remarks.push(format!("{}: the lint has looked at {which}", repo.name));
    }
    report.take(LINT, findings);
}

/// Whether the base does not have a migration, or has another text of it.
fn is_new(repo: &Repo, migration: &Migration, base: Option<&AtBase>) -> bool {
    let Some(base) = base else { return true };
    let path = repo.display_root.join(&migration.up.path);
    let path = path.canonicalize().unwrap_or(path);
    base.changed.contains(&path)
        || !base.versions.iter().any(|version| migration.version.is_named_by(version))
}

fn finding(found: lint::Finding) -> Finding {
    let lint::Finding { rule, severity, path, site, message, why, help } = found;
    let error = Error::new(Kind::Check, message).note(why).help(help);
    let error = match site {
        Some(site) => error.at(site),
        None => error,
    };
    let severity = match severity {
        lint::Severity::Fail => Severity::Fail,
        lint::Severity::Warn => Severity::Warn,
    };
    Finding::of(Code::Lint, error).severity(severity).about(rule).file(path)
}
