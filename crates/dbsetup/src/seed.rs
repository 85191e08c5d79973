//! Provisional shape until the rules are merged.
use crate::error::{Error, Kind, Result};
use crate::migration::PlanLine;
use crate::session::Session;
use std::path::Path;
fn later<T>() -> Result<T> {
    Err(Error::new(Kind::Unsupported, "not merged yet"))
}
/// Request.
#[derive(Debug, Clone)]
pub struct SeedRequest {
    pub if_new: bool,
    pub dry_run: bool,
}
/// Report.
#[derive(Debug, Clone, Default)]
pub struct SeedReport {
    pub plan: Vec<PlanLine>,
}
/// Seeds.
pub async fn seed(_: &mut Session<'_>, _: &SeedRequest) -> Result<SeedReport> {
    later()
}
/// Runs a file.
pub async fn run_file(_: &mut Session<'_>, _: &Path) -> Result<()> {
    later()
}
