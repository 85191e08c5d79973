//! Provisional shape until the rules are merged.
use crate::error::{Error, Kind, Result};
use crate::repo::Lane;
use crate::session::Session;
use std::path::PathBuf;

fn later<T>() -> Result<T> {
    Err(Error::new(Kind::Unsupported, "not merged yet"))
}
/// Lanes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lanes {
    Automatic,
    Manual,
    All,
}
/// Target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    All,
    To(String),
    ToExclusive(String),
    Steps(usize),
}
/// A line of a plan.
#[derive(Debug, Clone)]
pub struct PlanLine(pub String);
impl std::fmt::Display for PlanLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
/// Request.
#[derive(Debug, Clone)]
pub struct MigrateRequest {
    pub lanes: Lanes,
    pub paths: Option<Vec<PathBuf>>,
    pub target: Target,
    pub strict: Option<bool>,
    pub log_sql: bool,
    pub load: bool,
    pub dry_run: bool,
}
/// Request.
#[derive(Debug, Clone)]
pub struct RollbackRequest {
    pub target: Target,
    pub lanes: Lanes,
    pub paths: Option<Vec<PathBuf>>,
    pub log_sql: bool,
    pub dry_run: bool,
    pub redo: bool,
}
/// Report.
#[derive(Debug, Clone, Default)]
pub struct MigrateReport {
    pub plan: Vec<PlanLine>,
}
/// State.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowState {
    Applied,
    Pending,
    Changed,
    FileMissing,
    Blocked { by: String },
}
/// Row.
#[derive(Debug, Clone)]
pub struct StatusRow {
    pub version: String,
    pub name: String,
    pub lane: Option<Lane>,
    pub state: RowState,
}
/// Status.
#[derive(Debug, Clone, Default)]
pub struct Status {
    pub rows: Vec<StatusRow>,
    pub lock_holder: Option<String>,
    pub exists: bool,
}
/// What resolve does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolution {
    Applied(Subject),
    NotApplied(Subject),
    AcceptChecksum(String),
    Retry(String),
    SkipStatement(String, usize),
    Environment(String),
}
/// Which versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    One(String),
    UpTo(String),
}
/// Request.
#[derive(Debug, Clone)]
pub struct ResolveRequest {
    pub resolution: Resolution,
    pub dry_run: bool,
}
/// Migrates.
pub async fn migrate(_: &mut Session<'_>, _: &MigrateRequest) -> Result<MigrateReport> {
    later()
}
/// Rolls back.
pub async fn rollback(_: &mut Session<'_>, _: &RollbackRequest) -> Result<MigrateReport> {
    later()
}
/// Status.
pub async fn status(_: &mut Session<'_>, _: Option<&[PathBuf]>) -> Result<Status> {
    later()
}
/// Resolve.
pub async fn resolve(_: &mut Session<'_>, _: &ResolveRequest) -> Result<MigrateReport> {
    later()
}
