//! Provisional shape until the rules are merged.
use crate::driver::Via;
use crate::error::{Error, Kind, Result};
use crate::migration::PlanLine;
use crate::session::Session;
use std::path::PathBuf;
fn later<T>() -> Result<T> {
    Err(Error::new(Kind::Unsupported, "not merged yet"))
}
/// Request.
#[derive(Debug, Clone)]
pub struct LoadRequest {
    pub skip_if_loaded: bool,
    pub force: bool,
    pub dry_run: bool,
}
/// Request.
#[derive(Debug, Clone, Default)]
pub struct DumpRequest {
    pub path: Option<PathBuf>,
    pub stdout: bool,
    pub check: bool,
    pub dry_run: bool,
    pub via: Option<Via>,
    pub schemas: Vec<String>,
    pub exclude_schemas: Vec<String>,
    pub exclude_tables: Vec<String>,
}
/// Report.
#[derive(Debug, Clone, Default)]
pub struct LoadReport {
    pub plan: Vec<PlanLine>,
}
/// Report.
#[derive(Debug, Clone, Default)]
pub struct DumpReport {
    pub plan: Vec<PlanLine>,
    pub text: Option<String>,
}
/// Loads.
pub async fn load(_: &mut Session<'_>, _: &LoadRequest) -> Result<LoadReport> {
    later()
}
/// Dumps.
pub async fn dump(_: &mut Session<'_>, _: &DumpRequest) -> Result<DumpReport> {
    later()
}
