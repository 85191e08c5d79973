//! SQL files that are run on the database of one test.

use std::path::{Path, PathBuf};

use super::Fixture;
use crate::error::Result;
use crate::event::Silent;
use crate::repo::Repo;
use crate::seed;
use crate::session::Session;

/// Runs fixtures in order, each in one transaction.
///
/// # Errors
/// Those of the files, which point into them, and of the database.
pub(super) async fn run(repo: &Repo, fixtures: &[Fixture]) -> Result<()> {
    let mut session = Session::new(repo, &Silent, "test")?;
    session.created_now().await;
    let mut result = Ok(());
    for fixture in fixtures {
        result = seed::run_text(&mut session, fixture.text, &shown(fixture)).await.map(drop);
        if result.is_err() {
            break;
        }
    }
    session.close().await;
    result
}

/// The path of a fixture as a person at the workspace's root would type it.
fn shown(fixture: &Fixture) -> PathBuf {
    Path::new(fixture.file).parent().unwrap_or(Path::new("")).join(fixture.path)
}
