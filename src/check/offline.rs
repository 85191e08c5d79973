//! What files alone tell. Opens no connection.

use std::path::Path;

use dbsetup::error::Site;
use dbsetup::migration::{FileSet, Lanes, Migration};
use dbsetup::repo::Repo;
use dbsetup::sql::Dialect;
use dbsetup::structure::floor::Floor;
use dbsetup::structure::{Condition, Recorded, conflict, examine, marks, recorded, with_absorbed};
use dbsetup::{Error, Kind};

use super::base::{self, Base};
use super::code::Code;
use super::finding::{Finding, Report, Severity};
use super::{applied, floor, lint, order, rows};

/// What later checks go on with.
#[derive(Debug)]
pub struct Known {
    /// The migrations; `None` where they cannot be read.
    pub files: Option<FileSet>,
    /// The structure's text, where it can be worked with.
    pub structure: Option<String>,
    /// Whether it is ours.
    pub is_ours: bool,
}

/// Checks the files of a repo.
pub fn check(repo: &Repo, lanes: Lanes, wanted_base: Option<&str>, report: &mut Report) -> Known {
    let dialect = dialect(repo);
    let floor = Floor::read(repo);
    let files = match FileSet::read(repo, &[]) {
        Ok(files) => {
            report.take("migration files", suspicious(&files));
            if files.has_archive {
                report.take("archive files", archive_problems(repo, &files));
            }
            Some(files)
        }
        // A floor that cannot be read is told once, below.
        Err(_) if floor.is_err() => None,
        Err(error) => {
            report.take("migration files", [Finding::of(Code::Files, error)]);
            None
        }
    };
    let floor = match floor {
        Ok(floor) => floor,
        Err(error) => {
            report.take("squash floor", [unreadable_floor(repo, error)]);
            None
        }
    };
    let condition = examine(repo, dialect);
    let text = condition.text().map(str::to_owned);
    let is_ours = matches!(condition, Condition::Ours(_));
    let of_structure = structure_findings(repo, condition, floor.is_some(), files.as_ref());
    report.take("structure file", of_structure);
    report.take("squash journal", journal(repo));
    let dialect = dialect.or_else(|| dbsetup::structure::dialect_of(text.as_deref()?));
    let rows = text
        .as_deref()
        .map(|text| recorded(dialect.unwrap_or(Dialect::Postgres), text, repo.ledger.table.as_deref()))
        .map(|rows| with_absorbed(floor.as_ref(), rows));
    if let Some(files) = &files {
        report.take("finished merges", unfinished(files, dialect.unwrap_or(Dialect::Postgres)));
        compare(repo, files, lanes, text.as_deref(), rows.as_deref(), floor.as_ref(), report);
        beside_base(repo, files, dialect, wanted_base, report);
        of_one_cause(report);
    }
    if let (Some(text), true) = (&text, is_ours) {
        report.take("rows of the structure", rows::unnamed(repo, dialect.unwrap_or(Dialect::Postgres), text));
    }
    Known { files, structure: text, is_ours }
}

/// Returns the database that a repo is for, as far as its URL tells.
fn dialect(repo: &Repo) -> Option<Dialect> {
    match &*repo.url.scheme() {
        "postgres" | "postgresql" => Some(Dialect::Postgres),
        "sqlite" | "sqlite3" | "file" => Some(Dialect::Sqlite),
        "" if !repo.url.expose().is_empty() => Some(Dialect::Sqlite),
        _ => None,
    }
}

fn suspicious(files: &FileSet) -> Vec<Finding> {
    let warning = |(text, help): &(String, Option<String>)| {
        let finding = Finding::new(Code::SuspiciousFile, text.clone()).severity(Severity::Warn);
        match help {
            Some(help) => finding.help(help.clone()),
            None => finding,
        }
    };
    files.warnings.iter().map(warning).collect()
}

/// Returns the migrations with the marks of an unfinished merge.
fn unfinished(files: &FileSet, dialect: Dialect) -> Vec<Finding> {
    let scripts = |migration: &Migration| {
        let down = migration.down.iter().filter(|down| down.path != migration.up.path).cloned();
        std::iter::once(migration.up.clone()).chain(down).collect::<Vec<_>>()
    };
    let all = files.migrations.iter().chain(files.archived.values()).chain(&files.baseline).flat_map(scripts);
    all.filter_map(|script| {
        let at = Site::in_text(&script.path, &script.file, conflict(dialect, &script.file)?);
        let message = format!("`{}` holds an unfinished merge", script.path.display());
        Some(Finding::new(Code::Conflict, message).at(at).help("decide for one text, and take the marks out"))
    })
    .collect()
}

/// Takes back what else is said of migrations that hold an unfinished merge.
fn of_one_cause(report: &mut Report) {
    let path = |finding: &Finding| finding.error.site().map(|site| site.path.clone());
    let conflicts: Vec<_> =
        report.findings.iter().filter(|finding| finding.code == Code::Conflict).filter_map(path).collect();
    report.findings.retain(|finding| {
        finding.code == Code::Conflict || path(finding).is_none_or(|path| !conflicts.contains(&path))
    });
}

/// What of the archive cannot be read: a database that needs it could not be brought up.
fn archive_problems(repo: &Repo, files: &FileSet) -> Vec<Finding> {
    let problem = |problem: &String| {
        let finding = Finding::new(Code::ArchiveRotten, problem.clone());
        match repo.archive.first() {
            Some(archive) => finding.file(repo.shown(archive)),
            None => finding,
        }
        .help("restore it from version control")
    };
    files.archive_problems.iter().map(problem).collect()
}

fn structure_findings(
    repo: &Repo,
    condition: Condition,
    has_floor: bool,
    files: Option<&FileSet>,
) -> Vec<Finding> {
    let shown = repo.shown(&repo.structure);
    match condition {
        Condition::Ours(_) => Vec::new(),
        Condition::Missing => missing(repo, &shown, has_floor, files).into_iter().collect(),
        Condition::Foreign(_) => vec![
            Finding::new(
                Code::StructureForeign,
                format!("`{}` was written by another program, or by hand", shown.display()),
            )
            .severity(Severity::Warn)
            .file(&shown)
            .note("it loads, but it is not known whether it is whole")
            .help(format!("write it with a first and a last line: {}", repo.command("dump"))),
        ],
        Condition::Conflict(error) => vec![Finding::of(Code::Conflict, error).file(&shown)],
        Condition::Broken(error) => vec![Finding::of(Code::StructureBroken, error).file(&shown)],
    }
}

/// Returns what a missing structure file means: nothing without migrations, much after a squash.
fn missing(repo: &Repo, shown: &Path, has_floor: bool, files: Option<&FileSet>) -> Option<Finding> {
    let is_archived = files.is_some_and(|files| !files.archived.is_empty());
    let has_migrations = files.is_none_or(|files| !files.migrations.is_empty());
    let finding =
        Finding::new(Code::StructureMissing, format!("there is no structure file `{}`", shown.display()))
            .file(shown);
    if has_floor || is_archived {
        let note = "migrations were squashed into it: without it, a new database lacks what they made";
        return Some(
            finding.note(note).help(format!("restore it: `git checkout COMMIT -- {}`", shown.display())),
        );
    }
    let help = format!("write it, and commit it: {}", repo.command("dump"));
    if repo.dump_after_migrate {
        return Some(finding.note("`dump-after-migrate = true` says that there is one").help(help));
    }
    has_migrations.then(|| finding.severity(Severity::Warn).help(help))
}

fn unreadable_floor(repo: &Repo, error: Error) -> Finding {
    let path = Floor::path(&repo.structure);
    let text = std::fs::read_to_string(&path).unwrap_or_default();
    let code = if error.kind() == Kind::Grammar && marks(&text).next().is_some() {
        Code::Conflict
    } else {
        Code::FloorBroken
    };
    Finding::of(code, error).file(repo.shown(&path))
}

fn journal(repo: &Repo) -> Option<Finding> {
    let path = dbsetup::structure::squash::journal_path(&repo.structure);
    path.exists().then(|| {
        Finding::new(Code::InterruptedSquash, format!("a squash of `{}` was interrupted", repo.name))
            .file(repo.shown(&path))
            .note("its files are partly moved; nothing is lost")
            .help(format!(
                "finish it: {}; or give it up: {}",
                repo.command("squash"),
                repo.command("squash --abort")
            ))
    })
}

/// Compares files, structure and floor.
fn compare(
    repo: &Repo,
    files: &FileSet,
    lanes: Lanes,
    text: Option<&str>,
    rows: Option<&[Recorded]>,
    floor: Option<&Floor>,
    report: &mut Report,
) {
    report.take("requirements", applied::requirements(files, rows.unwrap_or_default()));
    if let (Some(text), Some(rows)) = (text, rows) {
        report.take("applied files", applied::findings(repo, files, text, rows, floor));
        report.take("pending beside the structure", applied::behind(repo, files, rows, lanes));
    }
    if let Some(floor) = floor {
        report.take("squash floor", floor::findings(repo, floor, rows, files));
    }
}

/// What needs to know what others already have.
fn beside_base(
    repo: &Repo,
    files: &FileSet,
    dialect: Option<Dialect>,
    wanted: Option<&str>,
    report: &mut Report,
) {
    let base = match base::find(repo, dialect, wanted) {
        Ok(base) => base,
        Err(error) => {
            report.broken = Some(error);
            return;
        }
    };
    let known = match &base {
        Base::Known(base) => {
            report.take("version order", order::findings(repo, files, base));
            Some(base)
        }
        Base::Unknown { why, help } => {
            report.skip("version order", why.clone(), help.clone());
            None
        }
    };
    lint::check(repo, files, dialect, known, report);
}
