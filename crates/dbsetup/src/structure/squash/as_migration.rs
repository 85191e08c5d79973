//! The baseline: one migration that a squash leaves in the automatic lane, for what builds databases of migrations alone.
//! sqlx's own migrator does, and it wants a file for every row of its ledger.
//!
//! Its version is that of the oldest squashed automatic migration (why: [`crate::migration::baseline`]). The next squash
//! writes it anew, in the same file: the archive keeps what it was made of, never a baseline.

use std::path::PathBuf;

use super::plan::{Facts, Plan};
use crate::driver::{DumpRequest, Present, Structure, Via, Work};
use crate::error::{Error, Kind, Result};
use crate::ledger::{Change, LedgerKind, LedgerTable, NewRow, Took};
use crate::migration::baseline::NAME;
use crate::migration::{Version, checksum};
use crate::repo::{Lane, Repo};
use crate::session::Session;
use crate::sql::{self, Dialect};
use crate::structure::baseline;
use crate::structure::floor::Baseline;

/// How many versions a refusal names.
const SHOWN: usize = 5;

/// Where a baseline stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// Its version, as in the file name that it had before.
    pub version: String,
    /// Its file, absolute.
    pub path: PathBuf,
}

/// Decides where the baseline of a squash stands; `None` where none is asked for and none is there.
///
/// # Errors
/// [`Kind::Refused`] for a ledger that is not sqlx's, for several directories of automatic migrations, and where the
/// structure records what no floor knows.
pub(super) fn place(facts: Facts<'_>, plan: &Plan, asked: bool) -> Result<Option<Place>> {
    let Facts { repo, files, ledger, recorded, .. } = facts;
    if !asked && files.floor.as_ref().is_none_or(|floor| floor.baseline().is_none()) {
        return Ok(None);
    }
    let refuse =
        |why: String| Error::new(Kind::Refused, format!("`{}` gets no baseline migration: {why}", repo.name));
    if ledger.kind != LedgerKind::Sqlx {
        return Err(refuse(format!("its ledger `{}` is not sqlx's", ledger.shown()))
            .note("the rows of what was squashed are replaced by that of the baseline, which only sqlx asks for")
            .help("leave out `--as-migration`"));
    }
    let version = |text: &str| files.parse_version(text).unwrap_or_else(|| Version::textual(text));
    let squashed: Vec<Version> = plan.floor.entries().map(|entry| version(&entry.version)).collect();
    let unknown: Vec<&str> = recorded
        .iter()
        .map(String::as_str)
        .filter(|text| !squashed.contains(&version(text)) && files.find(&version(text)).is_none())
        .collect();
    if !unknown.is_empty() {
        let shown = unknown[..unknown.len().min(SHOWN)].join(", ");
        let structure = repo.shown(&repo.structure);
        return Err(refuse(format!(
            "`{}` records {shown}, of which nothing else is known",
            structure.display()
        ))
        .note("their rows would stay, without a file")
        .help(
            "squash without `--as-migration`, and let the code ignore missing files: `--sqlx ignore-missing`",
        ));
    }
    let automatic = plan.floor.entries().filter(|entry| entry.lane == Lane::Automatic);
    let Some(oldest) = automatic.min_by_key(|entry| version(&entry.version)) else {
        return Err(
            refuse("no automatic migration was squashed".to_owned()).help("leave out `--as-migration`")
        );
    };
    if let Some(present) = &files.baseline {
        let path = repo.display_root.join(&present.up.path);
        return Ok(Some(Place { version: oldest.version.clone(), path }));
    }
    let newest = version(plan.newest.as_str());
    let mut directories: Vec<&PathBuf> = files
        .migrations
        .iter()
        .filter(|migration| migration.lane == Lane::Automatic && migration.version <= newest)
        .map(|migration| &migration.directory)
        .collect();
    directories.sort();
    directories.dedup();
    if let [first, second, ..] = directories[..] {
        let (first, second) = (repo.shown(first), repo.shown(second));
        return Err(refuse("its automatic migrations are in several directories".to_owned())
            .note(format!("`{}` and `{}`", first.display(), second.display()))
            .help("squash without `--as-migration`, and let the code ignore missing files: `--sqlx ignore-missing`"));
    }
    let directory = directories.first().copied().or(repo.migrations.first());
    let Some(directory) = directory else {
        return Err(refuse("it has no directory of automatic migrations".to_owned()));
    };
    // A migration that goes may have this very name.
    let names = std::iter::once(String::new()).chain((2..).map(|number| format!("_{number}")));
    let paths = names.map(|end| directory.join(format!("{}_{NAME}{end}.sql", oldest.version)));
    let is_free = |path: &PathBuf| !plan.moves.iter().any(|moved| moved.from == *path) && !path.exists();
    let path = paths.into_iter().find(is_free).expect("there is always another number");
    Ok(Some(Place { version: oldest.version.clone(), path }))
}

/// Reads the structure of a scratch database without its ledger, which sqlx makes for itself.
pub(super) async fn structure(
    scratch: &mut Session<'_>,
    request: &DumpRequest,
    ledger: &LedgerTable,
) -> Result<Structure> {
    let mut request = DumpRequest { via: Some(Via::Native), ledger: None, ..request.clone() };
    request.exclude_tables.push(ledger.shown());
    Ok(scratch.driver().await?.dump(&request).await?)
}

/// Returns the text of the baseline, and what the floor says of it. `rows` are those that are kept. The ledger's own
/// schema is there by then: sqlx makes it with the ledger.
pub(super) fn text(
    repo: &Repo,
    dialect: Dialect,
    ledger: &LedgerTable,
    place: &Place,
    structure: &Structure,
    rows: &str,
) -> (String, Baseline) {
    let (before, behind) = structure.text.split_at(structure.rows_at.unwrap_or(structure.text.len()));
    let parts = [before, rows, behind].map(str::trim);
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    let mut statements = parts.join("\n\n");
    if let Some(schema) = &ledger.schema {
        let is_its = |line: &str| {
            let name = line.trim_end().strip_prefix("CREATE SCHEMA ").and_then(|rest| rest.strip_suffix(';'));
            name.is_some_and(|name| {
                name == schema || sql::quote_identifier(dialect, schema).is_ok_and(|quoted| name == quoted)
            })
        };
        let lines = statements.split_inclusive('\n').map(|line| match is_its(line) {
            true => line.replacen("CREATE SCHEMA", "CREATE SCHEMA IF NOT EXISTS", 1),
            false => line.to_owned(),
        });
        statements = lines.collect();
    }
    let text = baseline::text(dialect, &statements);
    let checksum = checksum::sqlx(&text, &repo.ledger.ignored_chars);
    (text, Baseline { version: place.version.clone(), checksum })
}

/// Runs a baseline in an empty database as sqlx does: its ledger is there first, and the row is written in the
/// transaction that makes everything else.
pub(super) async fn run(scratch: &mut Session<'_>, text: &str, baseline: &Baseline) -> Result<()> {
    let ledger = scratch.inspect().await?.choice.table;
    let row = NewRow {
        version: baseline.version.clone(),
        seq: None,
        name: NAME.to_owned(),
        source: String::new(),
        checksum: Some(baseline.checksum.clone()),
        took: Took::Nothing,
    };
    let driver = scratch.driver().await?;
    driver.use_ledger(&ledger);
    driver.prepare(&ledger, Present { ledger: true, meta: false, progress: false }).await?;
    let work = Work { script: text, changes: &[Change::Insert(row)], guard: None, lock: None };
    let result = driver.transact(work).await.map_err(|failure| Error::from(failure.error));
    scratch.close().await;
    result
}
