//! The usual start: nothing is pending. Decides from one message that this is so beyond any doubt. Pure.

use crate::choice;
use crate::driver::Glance;
use crate::ledger::{LedgerTable, META_TABLE, meta_key};
use crate::migration::FileSet;
use crate::migration::baseline;
use crate::migration::current::{Standing, standing};
use crate::record;
use crate::repo::Repo;

/// Returns how the database stands, if nothing is to be done and nothing to be said. Any doubt (another ledger, a changed
/// file, a run in progress, a squash that it lacks, a newer release) is for somebody who looks closely.
pub(super) fn beyond_doubt(
    repo: &Repo,
    files: &FileSet,
    guess: &LedgerTable,
    glance: Glance,
    seeds: bool,
) -> Option<Standing> {
    let Glance { tables, mut state } = glance;
    let expected = |name: &str| name == guess.name || name == META_TABLE;
    if tables.iter().any(|table| !expected(&table.name)) {
        return None;
    }
    let choice = choice::choose(repo, &tables, None).ok()?;
    let is_guess = choice.table.kind == guess.kind && choice.table.name == guess.name;
    if !(is_guess && choice.present.ledger && choice.present.meta) {
        return None;
    }
    baseline::expand(files.floor.as_ref(), choice.table.kind, &mut state);
    let is_ours = state.meta(meta_key::FORMAT) == Some(record::FORMAT)
        && state.meta(meta_key::ENVIRONMENT) == Some(&repo.environment)
        && !record::is_of_other(repo, &choice.table, &state)
        && state.meta(meta_key::LOADING).is_none()
        && state.meta(meta_key::BACKUP).is_none();
    let owes_seeds = seeds && state.meta(meta_key::UNSEEDED).is_some();
    if !is_ours || owes_seeds || state.rows.is_empty() || !files.warnings.is_empty() {
        return None;
    }
    if !files.is_complete(repo, &choice.table, &state) {
        return None;
    }
    standing(repo, files, &choice, &state).ok().filter(Standing::is_quiet)
}
