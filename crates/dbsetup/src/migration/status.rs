//! `status`: every version of a repo, as files and ledger see it. Never writes.

use super::assess::{State, assess, recorded_checksum};
use super::floor::{Standing, Verdict};
use super::rewrite::pending_rewrite;
use super::set::FileSet;
use crate::driver::LockKey;
use crate::error::Result;
use crate::ledger::meta_key;
use crate::lock;
use crate::record::{self, Belongs};
use crate::repo::Lane;
use crate::session::{Inspection, Session};
use crate::structure::squash::warn_of_interruption;

/// What `status` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// Whether the database exists.
    pub exists: bool,
    /// The ledger, as people write it, and whose it is.
    pub ledger: Option<(String, String)>,
    /// The environment that the database says it belongs to.
    pub environment: Option<String>,
    /// Which repo the database says that it belongs to.
    pub belongs: Belongs,
    /// Every version, sorted.
    pub rows: Vec<StatusRow>,
    /// Who holds a lock: the lane and in words who.
    pub locks: Vec<(Lane, String)>,
    /// Whether a structure load was interrupted.
    pub half_loaded: bool,
    /// How the database stands to the squash floor.
    pub floor: Standing,
    /// What `migrate` is going to do to the ledger: so many rows become the one of the baseline.
    pub rewrite: Option<(usize, String)>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusRow {
    /// Its version.
    pub version: String,
    /// What it is called.
    pub name: String,
    /// Its lane, where a file says it.
    pub lane: Option<Lane>,
    /// How it stands.
    pub state: State,
    /// Whether it is code of the application, and no file.
    pub is_code: bool,
    /// When it was applied, as the server prints it.
    pub applied_at: Option<String>,
    /// The checksum that was recorded with it, in the ledger's own form.
    pub checksum: Option<String>,
    /// The file.
    pub path: Option<std::path::PathBuf>,
}

impl Status {
    /// Whether everything in the given lanes is applied, unchanged and present.
    pub fn is_current(&self, lanes: super::Lanes) -> bool {
        self.exists
            && !self.half_loaded
            && !matches!(self.belongs, Belongs::Other(_))
            && self.floor.verdict == Verdict::Reached
            && self.rewrite.is_none()
            && self.rows.iter().filter(|row| row.lane.is_none_or(|lane| lanes.include(lane))).all(|row| {
                matches!(
                    row.state,
                    State::Applied | State::LineEndings | State::FileMissing { archived: true }
                ) || (matches!(row.state, State::FileMissing { .. }) && row.applied_at.is_none())
            })
    }
}

/// Reads how every version stands.
///
/// # Errors
/// Those of the files and of reading the database; a missing database is a status, not an error.
pub async fn status(session: &mut Session<'_>) -> Result<Status> {
    let repo = session.repo();
    let mut files = FileSet::read_lanes(repo, &[])?;
    warn_of_interruption(session);
    for (text, help) in &files.warnings {
        session.teller().warn(text.clone(), help.clone());
    }
    let inspection = session.inspect_if_exists().await?;
    let exists = inspection.is_some();
    let choice = match &inspection {
        Some(inspection) => inspection.choice.clone(),
        None => crate::choice::choose(repo, &[], None)?,
    };
    let state = inspection.map(|Inspection { state, .. }| state).unwrap_or_default();
    let mut locks = Vec::new();
    if exists {
        for lane in [Lane::Automatic, Lane::Manual] {
            let key = LockKey { lane, ..lock::main_key(&choice.table) };
            if let Some(holder) = session.driver().await?.lock_holder(&key).await? {
                locks.push((lane, holder));
            }
        }
    }
    files.complete(repo, &choice.table, &state)?;
    for problem in &files.archive_problems {
        session.teller().warn(format!("of the archive: {problem}"), None);
    }
    let squashed = squashed_versions(session, &files);
    let mut found = assess(&files, &choice.table, &repo.ledger, &state);
    if state.rows.is_empty() && state.progress.is_empty() && repo.files.is_file(&repo.structure) {
        // It lacks everything, and gets what was squashed with the structure.
        found.entries.retain(|entry| entry.squashed.is_none() || entry.row.is_some());
        found.floor = Standing::default();
    }
    let rows = found
        .entries
        .iter()
        .map(|entry| StatusRow {
            version: entry.version.to_string(),
            name: entry.name(),
            lane: entry.lane(),
            state: match &entry.state {
                State::FileMissing { archived: false } if squashed.contains(&entry.version) => {
                    State::FileMissing { archived: true }
                }
                state => state.clone(),
            },
            applied_at: entry.row.and_then(|row| row.applied_at.clone()),
            checksum: entry
                .row
                .and_then(|row| recorded_checksum(row, &choice.table, &state))
                .map(str::to_owned),
            is_code: entry.is_code(),
            path: entry
                .migration
                .filter(|migration| migration.code.is_none())
                .map(|migration| migration.up.path.clone()),
        })
        .collect();
    let rewrite = pending_rewrite(&files, &choice.table, &state, &[]);
    Ok(Status {
        exists,
        belongs: record::belongs(repo, &choice.table, &state)?,
        rewrite: rewrite.filter(|rewrite| rewrite.rows > 0).map(|rewrite| (rewrite.rows, rewrite.version)),
        ledger: choice.present.ledger.then(|| (choice.table.shown(), choice.table.kind.to_string())),
        environment: state.meta(meta_key::ENVIRONMENT).map(str::to_owned),
        half_loaded: state.meta(meta_key::LOADING).is_some(),
        rows,
        locks,
        floor: found.floor,
    })
}

/// Versions that the structure file records: their files may be gone for good.
fn squashed_versions(session: &Session<'_>, files: &FileSet) -> Vec<super::Version> {
    // A structure file that cannot be read is not this command's business.
    let repo = session.repo();
    let recorded = crate::structure::recorded_by(repo).unwrap_or_default();
    recorded.iter().filter_map(|version| files.parse_version(version)).collect()
}
