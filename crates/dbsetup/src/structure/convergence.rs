//! Whether everybody arrives at the same schema: who loads the structure and runs what is pending, who replays every
//! migration, and the database that is there. In scratch databases, by the loader and the migrator of the real one.
//!
//! A failure of the files is a value here, [`Failed`]: whoever checks goes on. A server that does not answer is an error.

use std::collections::HashSet;

use super::assemble::assemble;
use super::difference::Difference;
use super::dump::{Dump, present};
use super::floor::Floor;
use super::load::{LoadRequest, load};
use super::outcome::{Outcome, compare, outcome};
use super::replay::{Base, Plan, replay};
use super::rows::{Audit, Kept, Wishes, audit, audit_of};
use super::scratch::{in_scratch, loaded};
use super::wording;
use super::{format, header};
use crate::driver::DumpRequest;
use crate::error::{Error, Kind, Result};
use crate::ledger::{AppliedRow, LedgerTable};
use crate::migration::FileSet;
use crate::migration::baseline::collapse;
use crate::repo::KeepData;
use crate::session::Session;
use crate::sql_file::line_ends;

/// What the work was at when the files failed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Loading the structure file.
    Load,
    /// Writing the structure of what was loaded.
    Dump,
    /// Running migrations.
    Migrate,
    /// Reading what came of it.
    Read,
    /// Reading the rows that are kept.
    Rows,
}

/// Files that do not do what they should.
#[derive(Debug)]
pub struct Failed {
    /// At what.
    pub stage: Stage,
    /// How, with the place in a file.
    pub error: Error,
}

/// What came of a structure file.
#[derive(Debug)]
pub struct Built {
    /// What a dump writes of the loaded file, beside the file.
    pub dump: Dump,
    /// Whether the server words definitions itself, and another release of it may find other words.
    pub words_definitions: bool,
    /// Whether the file was allowed to reach beyond the scratch database.
    pub trusted: bool,
    /// The database once the pending migrations have run; or why they do not.
    pub made: std::result::Result<Made, Failed>,
}

/// What loads and migrations have made.
#[derive(Debug)]
pub struct Made {
    /// The database.
    pub outcome: Outcome,
    /// Its rows, as `keep-data` and the structure's head decide; or why they cannot be kept.
    pub content: std::result::Result<Content, Failed>,
}

/// The rows that migrations have inserted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Content {
    /// What becomes of each table that holds any.
    pub audit: Audit,
    /// Those that are kept.
    pub kept: Kept,
    /// The schema that names without one mean.
    pub schema: Option<String>,
}

/// Loads the structure file into a scratch database, dumps it again, and runs those of `files` that the file does not
/// record. Unless it is `trusted`, a structure that reaches beyond the scratch database does not load.
///
/// # Errors
/// Those of having a scratch database; a file that does not load is a value.
pub async fn built(
    session: &mut Session<'_>,
    files: &FileSet,
    trusted: bool,
) -> Result<std::result::Result<Built, Failed>> {
    in_scratch(session, async |scratch| {
        if let Err(error) = load(scratch, &LoadRequest { trusted, ..LoadRequest::default() }).await {
            return of_files(Stage::Load, error).map(Err);
        }
        let dump = match written(scratch).await {
            Ok(dump) => dump,
            Err(error) => return of_files(Stage::Dump, error).map(Err),
        };
        let words_definitions = scratch.driver().await?.about().capabilities.words_definitions;
        let made = ran(scratch, &Plan::after_structure(files.clone()), &dump.request).await?;
        Ok(Ok(Built { dump, words_definitions, trusted, made }))
    })
    .await
}

/// Runs a plan in a scratch database, and reads what came of it as far as `request` dumps it.
///
/// # Errors
/// Those of [`built`].
pub async fn replayed(
    session: &mut Session<'_>,
    plan: &Plan,
    request: &DumpRequest,
) -> Result<std::result::Result<Made, Failed>> {
    in_scratch(session, async |scratch| ran(scratch, plan, request).await).await
}

async fn ran(
    scratch: &mut Session<'_>,
    plan: &Plan,
    request: &DumpRequest,
) -> Result<std::result::Result<Made, Failed>> {
    if let Err(error) = replay(scratch, plan).await {
        return of_files(Stage::Migrate, error).map(Err);
    }
    let outcome = match outcome(scratch, request).await {
        Ok(outcome) => outcome,
        Err(error) => return of_files(Stage::Read, error).map(Err),
    };
    let ledger = outcome.inspection.choice.table.clone();
    let keep = scratch.repo().keep_data.clone();
    let content = match content(scratch, &keep, &ledger, request).await {
        Ok(content) => Ok(content),
        Err(error) => Err(of_files(Stage::Rows, error)?),
    };
    Ok(Ok(Made { outcome, content }))
}

/// Reads the rows of a scratch database, as far as they are kept.
async fn content(
    scratch: &mut Session<'_>,
    keep: &[KeepData],
    ledger: &LedgerTable,
    request: &DumpRequest,
) -> Result<Content> {
    let driver = scratch.driver().await?;
    let audit = audit_of(driver, ledger, &Wishes { keep, drop: &[], request }).await?;
    let kept = Kept::read(driver, &audit).await?;
    Ok(Content { audit, kept, schema: driver.about().schema.clone() })
}

/// Returns what a dump writes of a scratch database that the structure file was loaded into: with its own filters, and
/// with the rows that are there.
async fn written(scratch: &mut Session<'_>) -> Result<Dump> {
    let repo = scratch.repo();
    let path = repo.structure.clone();
    let shown = repo.shown(&path);
    // Line ends that git changed are no difference; a dump says so.
    let own = |text: String| match line_ends::is_converted(text.as_bytes()) {
        true => line_ends::restored(&text).into_owned(),
        false => text,
    };
    let present = present(repo.files, &path, &shown)?.map(own);
    let inspection = scratch.inspect().await?;
    let ledger = inspection.choice.table.clone();
    let mut request = header::read(present.as_deref().unwrap_or_default(), &shown)?;
    request.ledger = inspection.choice.present.ledger.then(|| ledger.clone());
    let driver = scratch.driver().await?;
    let structure = driver.dump(&request).await?;
    // A table to be kept may be one that a pending migration makes.
    let (tables, schema) = (driver.table_rows(&ledger).await?, driver.about().schema.clone());
    let mut keep = repo.keep_data.clone();
    keep.retain(|kept| {
        let wishes = Wishes { keep: std::slice::from_ref(kept), drop: &[], request: &request };
        audit(&tables, schema.as_deref(), &wishes).is_ok()
    });
    let kept = content(scratch, &keep, &ledger, &request).await?.kept;
    let dialect = scratch.server().dialect();
    let recorded = collapse(Floor::read(repo)?.as_ref(), ledger.kind, &inspection.state);
    let rows = format::ledger_rows(dialect, &ledger, &recorded)?;
    let text = assemble(dialect, &request, &structure, &kept.text, &rows.join("\n"));
    Ok(Dump { text, recorded: inspection.state.rows.len(), present, path, shown, request })
}

/// Tells a failure of the files from one of the surroundings.
fn of_files(stage: Stage, error: Error) -> Result<Failed> {
    match error.kind() {
        Kind::Unreachable | Kind::Locked | Kind::Pooled | Kind::DatabaseMissing => Err(error),
        _ => Ok(Failed { stage, error }),
    }
}

/// Whether a structure file is what a dump of it writes: the same bytes, or what another release of the server has
/// worded differently and means the same. Returns the differences of meaning where words leave it open.
///
/// # Errors
/// Those of having a scratch database.
pub async fn is_faithful(session: &mut Session<'_>, made: &Built) -> Result<Faith> {
    let built = &made.dump;
    let Some(present) = built.present.as_ref().filter(|present| **present != built.text) else {
        return Ok(Faith::Same);
    };
    if !made.words_definitions {
        return Ok(Faith::Differs);
    }
    let Some(worded) = wording::differences(session.server().dialect(), present, &built.text) else {
        return Ok(Faith::Differs);
    };
    let (mut sides, texts) = (Vec::new(), [present, &built.text]);
    for text in texts {
        let side = in_scratch(session, async |scratch| {
            loaded(scratch, text, &built.shown, made.trusted).await?;
            outcome(scratch, &built.request).await
        })
        .await?;
        sides.push(side.fingerprint);
    }
    Ok(if compare(&sides[0], &sides[1])?.is_empty() { Faith::Worded(worded) } else { Faith::Differs })
}

/// What a dump of a loaded file says of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Faith {
    /// The same.
    Same,
    /// The same in other words: those statements.
    Worded(Vec<String>),
    /// Something else.
    Differs,
}

/// Returns the files that a database has applied, if they can be told apart from the structure: `None` where it lacks
/// something that the structure file records, so that nothing which is made of the file compares with it.
pub fn applied_in(files: &FileSet, recorded: &[String], rows: &[AppliedRow]) -> Option<FileSet> {
    let applied: HashSet<_> =
        rows.iter().filter(|row| row.success).filter_map(|row| files.parse_version(&row.version)).collect();
    let has = |text: &String| files.parse_version(text).is_some_and(|version| applied.contains(&version));
    if !recorded.iter().all(has) {
        return None;
    }
    let mut subset = files.clone();
    subset.migrations.retain(|migration| applied.contains(&migration.version));
    Some(subset)
}

/// Compares a database with what structure and migrations make.
///
/// # Errors
/// Those of the database; [`Kind::Unsupported`] for servers of two releases.
pub async fn drift(
    session: &mut Session<'_>,
    made: &Outcome,
    request: &DumpRequest,
) -> Result<Vec<Difference>> {
    let live = outcome(session, request).await?;
    compare(&made.fingerprint, &live.fingerprint)
}

impl Plan {
    /// Plans to load the structure file and to run whatever of the lanes it does not record.
    pub fn after_structure(files: FileSet) -> Self {
        Self::with(Base::Structure, files).without_code(&[])
    }

    /// Plans to run every migration from nothing, whatever was squashed too.
    pub fn from_nothing(mut files: FileSet) -> Self {
        let archived = std::mem::take(&mut files.archived);
        for (version, migration) in archived {
            if files.find(&version).is_none() {
                let at = files.migrations.partition_point(|other| other.version < version);
                files.migrations.insert(at, migration);
            }
        }
        Self::with(Base::Nothing, files).without_code(&[])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::testing::{files, migration, state};

    #[test]
    fn a_database_that_lacks_what_the_structure_has_is_not_compared() {
        let set = files(&[migration("1", "a;"), migration("2", "b;"), migration("3", "c;")]);
        let rows = state(&["1", "2"]).rows;
        let applied = applied_in(&set, &["1".into()], &rows).unwrap();
        let versions: Vec<&str> =
            applied.migrations.iter().map(|migration| migration.version.as_str()).collect();
        assert_eq!(versions, ["1", "2"]);
        assert!(applied_in(&set, &["3".into()], &rows).is_none());
    }

    #[test]
    fn a_server_that_does_not_answer_is_no_fault_of_the_files() {
        let error = |kind| of_files(Stage::Load, Error::new(kind, "x"));
        assert!(error(Kind::Unreachable).is_err() && error(Kind::Statement).is_ok());
    }
}
