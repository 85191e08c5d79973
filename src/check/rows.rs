//! Whether the structure has the rows that migrations insert.

use dbsetup::driver::{DumpRequest, FilledTable};
use dbsetup::repo::Repo;
use dbsetup::session::Session;
use dbsetup::sql::Dialect;
use dbsetup::structure::convergence::{Content, Failed, replayed};
use dbsetup::structure::replay::{Frozen, Plan};
use dbsetup::structure::rows::{
    Audit, RowDifference, Volatile, differences, refuse_volatile, undecided, volatile,
};
use dbsetup::structure::{unnamed_rows, unnamed_rows_error};
use dbsetup::{Error, Kind, Result};

use super::code::Code;
use super::finding::{Finding, Report, Severity};
use crate::ui::text;

/// The name of the check.
const ROWS: &str = "rows";
/// How many rows of a table are shown.
const SHOWN: usize = 5;

/// The rows of one side.
type Side = std::result::Result<Content, Failed>;

/// Compares the rows of the structure with those of a replay by `plan`. Where they differ, the replay is made again: what
/// is another one each time is told as that.
///
/// # Errors
/// Those of having a scratch database.
pub async fn check(
    session: &mut Session<'_>,
    plan: &Plan,
    request: &DumpRequest,
    (structure, replay): (&Side, Side),
    report: &mut Report,
) -> Result<()> {
    let repo = session.repo();
    let replay = match replay {
        Ok(replay) => replay,
        Err(failed) => {
            report.take(ROWS, unwritable(&failed, report));
            return Ok(());
        }
    };
    let mut findings = Vec::new();
    if let Err(failed) = structure {
        findings.extend(unwritable(failed, report));
    }
    findings.extend(plan.frozen(session.server().dialect(), &replay.audit.kept).into_iter().map(frozen));
    if let Ok(structure) = structure {
        let mut found = differences(&structure.kept.rows, &replay.kept.rows);
        if !found.is_empty()
            && let Ok(again) = replayed(session, plan, request).await?
            && let Ok(again) = again.content
        {
            let volatile = volatile(&replay.kept.rows, &again.kept.rows);
            found.retain(|one| !volatile.iter().any(|volatile| is_about(one, volatile)));
            findings.extend(other_each_time(repo, &volatile, replay.schema.as_deref()));
        }
        findings.extend(changed(repo, &found));
        findings.extend(lost(repo, &structure.audit, replay.audit));
    }
    report.take(ROWS, findings);
    Ok(())
}

/// Looks at the rows that a structure has which took the place of its migrations, and at those that pending ones add.
/// What `text` alone has told is not told again.
pub fn of_structure(repo: &Repo, dialect: Dialect, text: Option<&str>, side: &Side, report: &mut Report) {
    let findings = match side {
        Err(failed) => unwritable(failed, report),
        Ok(content) => {
            let told = unnamed_rows(repo, dialect, text.unwrap_or_default());
            let mut audit = content.audit.clone();
            audit.undecided.retain(|table| !told.contains(&table.table()));
            let name = audit.undecided.first().map(|table| table.table().shown());
            undecided(repo, &audit, "dump").zip(name).map(|(error, name)| {
                Finding::of(Code::RowsUndecided, error)
                    .about(name)
                    .file(repo.shown(&repo.structure))
                    .note("the next squash refuses them, and a dump leaves them out")
            })
        }
    };
    report.take("rows of structure and pending migrations", findings);
}

/// Returns the finding of rows that cannot be written, unless it was made on the other side already.
fn unwritable(failed: &Failed, report: &Report) -> Option<Finding> {
    let is_known = |finding: &Finding| {
        finding.code == Code::RowsUnwritable && finding.error.message() == failed.error.message()
    };
    if report.findings.iter().any(is_known) {
        return None;
    }
    Some(Finding::of(Code::RowsUnwritable, copied(&failed.error)))
}

/// The same error once more: both sides of a comparison may be told.
fn copied(error: &Error) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned());
    if let Some(site) = error.site() {
        copy = copy.at(site.clone());
    }
    copy = error.notes().iter().fold(copy, |copy, note| copy.note(note.clone()));
    match error.help_text() {
        Some(help) => copy.help(help),
        None => copy,
    }
}

/// Returns the warning of a value that is another one on another day.
fn frozen(frozen: Frozen) -> Finding {
    Finding::new(Code::RowsVolatile, frozen.to_string())
        .severity(Severity::Warn)
        .about(frozen.table.shown())
        .help(frozen.help())
        .at(frozen.site)
}

/// Returns the finding of rows in the structure's text that nobody has named: the next dump would lose them.
pub fn unnamed(repo: &Repo, dialect: Dialect, text: &str) -> Option<Finding> {
    let tables = unnamed_rows(repo, dialect, text);
    let name = tables.first()?.shown();
    let finding = Finding::of(Code::RowsUnnamed, unnamed_rows_error(repo, &tables));
    Some(finding.about(name).file(repo.shown(&repo.structure)))
}

fn is_about(difference: &RowDifference, volatile: &Volatile) -> bool {
    match difference {
        RowDifference::Added { table, .. }
        | RowDifference::Removed { table, .. }
        | RowDifference::Changed { table, .. }
        | RowDifference::Shape { table } => *table == volatile.table,
        RowDifference::Sequence { .. } => false,
    }
}

fn other_each_time(repo: &Repo, volatile: &[Volatile], schema: Option<&str>) -> Option<Finding> {
    let error = refuse_volatile(repo, volatile, schema).err()?;
    let column = volatile.first().map(|one| match &one.column {
        Some(column) => format!("{}.{column}", one.table.shown()),
        None => one.table.shown(),
    });
    let finding = Finding::of(Code::RowsVolatile, error).file(repo.shown(&repo.structure));
    Some(finding.about(column.unwrap_or_default()))
}

/// Returns a finding for each table whose kept rows differ.
fn changed(repo: &Repo, found: &[RowDifference]) -> Vec<Finding> {
    let mut tables: Vec<(String, Vec<String>)> = Vec::new();
    for difference in found {
        let name = match difference {
            RowDifference::Added { table, .. }
            | RowDifference::Removed { table, .. }
            | RowDifference::Changed { table, .. }
            | RowDifference::Shape { table } => table.shown(),
            RowDifference::Sequence { sequence, .. } => sequence.clone(),
        };
        match tables.iter_mut().find(|(known, _)| *known == name) {
            Some((_, lines)) => lines.push(difference.to_string()),
            None => tables.push((name, vec![difference.to_string()])),
        }
    }
    let finding = |(name, lines): (String, Vec<String>)| {
        let shown = repo.shown(&repo.structure);
        let message =
            format!("the rows of `{name}` in `{}` are not those that migrations insert", shown.display());
        let mut finding = Finding::new(Code::RowsChanged, message).about(name).file(shown);
        let more = lines.len().saturating_sub(SHOWN);
        for line in lines.into_iter().take(SHOWN) {
            finding = finding.note(format!("from the file to the replay: {line}"));
        }
        if more > 0 {
            finding = finding.note(format!("and {}", text::count(more, "more difference")));
        }
        finding.help(format!(
            "take them from the migrations: {}; or put the change into a migration",
            repo.command("dump")
        ))
    };
    tables.into_iter().map(finding).collect()
}

/// Returns the finding of tables whose rows the structure does not have, and of which nobody said anything.
fn lost(repo: &Repo, structure: &Audit, mut replay: Audit) -> Option<Finding> {
    let has = |table: &FilledTable| structure.undecided.contains(table);
    replay.undecided.retain(|table| !has(table));
    let name = replay.undecided.first().map(|table| table.table().shown())?;
    let error = undecided(repo, &replay, "dump")?;
    debug_assert_eq!(error.kind(), Kind::Refused);
    let finding = Finding::of(Code::RowsUndecided, error).about(name).file(repo.shown(&repo.structure));
    Some(finding.note("a database that loads the structure lacks them, and one that was upgraded has them"))
}
