//! `check`

use std::path::PathBuf;

use clap::Args;
use dbsetup::repo::Repo;
use dbsetup::{Error, Kind, Result};

use super::shared::LaneFlag;
use crate::check::scratch::{self, Wishes};
use crate::check::{Report, binary, offline};
use crate::cli::context::{Output, Task};
use crate::cli::options::Options;

/// Check that migrations, structure and archive agree: for CI, and before a commit. Changes nothing.
///
/// Files are compared with each other and with git; then the structure and the migrations are tried in scratch databases
/// on the server of the repo's URL. The database itself need not exist: `--live` looks at it, too. `--offline` opens no
/// connection at all. Exits with 3 when something is found.
#[derive(Debug, Clone, Args)]
pub struct Check {
    /// Look at the database of the URL, too: pending, changed and missing migrations, and drift of its schema.
    #[arg(long)]
    live: bool,

    /// Replay the archive, too: every squashed migration, and then the others. Done unasked where the archive is whole and
    /// nothing else was replayed beside the structure.
    #[arg(long)]
    archive: bool,

    /// Replay the archive although a run before has found the same files in order.
    #[arg(long)]
    no_cache: bool,

    /// Replay migrations and load the structure although they reach beyond their scratch database: roles, other
    /// databases, programs, files of the server, functions in C.
    #[arg(long)]
    trust_file: bool,

    /// Whose pending migrations are findings; those of other lanes are shown.
    #[arg(long, value_enum, default_value = "automatic")]
    lane: LaneFlag,

    /// The branch or commit that this one will be merged into [default: that of the pull request, else the default
    /// branch].
    #[arg(long, value_name = "REF")]
    base: Option<String>,

    /// Compare the files inside a program that was built with those of the tree. May be given several times.
    #[arg(long = "binary", value_name = "PATH")]
    binaries: Vec<PathBuf>,
}

impl Check {
    /// Checks the files alone.
    ///
    /// # Errors
    /// [`Kind::Configuration`] for flags that need a connection.
    pub fn examine(&self, repo: &Repo, options: &Options) -> Result<Output> {
        let needs_one = [(self.live, "--live"), (self.archive, "--archive")];
        if let Some((_, flag)) = needs_one.into_iter().find(|(given, _)| *given) {
            let message = format!("`{flag}` needs a connection, and `--offline` opens none");
            return Err(Error::new(Kind::Configuration, message).help("leave one of them away"));
        }
        if options.dry_run {
            let compared = (!self.binaries.is_empty()).then_some("compare the binary with the files");
            let plan = ["check the files"].into_iter().chain(compared);
            return Ok(Output::Plan(plan.map(str::to_owned).collect()));
        }
        let mut report = Report::default();
        binary::check(repo, &self.binaries, &mut report)?;
        offline::check(repo, self.lane.into(), self.base.as_deref(), &mut report);
        Ok(Output::Checked(Box::new(report)))
    }

    pub async fn run(&self, task: &mut Task<'_, '_>) -> Result<Output> {
        if task.options.dry_run {
            let mut plan = vec!["check the files", "check the structure in scratch databases"];
            plan.extend((!self.binaries.is_empty()).then_some("compare the binary with the files"));
            plan.extend(self.archive.then_some("replay the archive in a scratch database"));
            plan.extend(self.live.then_some("look at the database"));
            return Ok(Output::Plan(plan.into_iter().map(str::to_owned).collect()));
        }
        let mut report = Report::default();
        binary::check(task.repo, &self.binaries, &mut report)?;
        let lanes = self.lane.into();
        let known = offline::check(task.repo, lanes, self.base.as_deref(), &mut report);
        if report.broken.is_none() {
            let wishes = Wishes {
                live: self.live,
                archive: self.archive,
                cache: !self.no_cache,
                trusted: self.trust_file,
                lanes,
                target: task.target,
            };
            report.broken =
                scratch::check(task.session, &known, &wishes, &mut report).await.err().map(explained);
        }
        if report.broken.is_some() {
            task.session.close().await;
        }
        Ok(Output::Checked(Box::new(report)))
    }
}

/// Says what is left where no server answers.
fn explained(error: Error) -> Error {
    match error.kind() {
        Kind::Unreachable | Kind::Permission | Kind::Pooled => {
            error.note("files were checked all the same; `--offline` checks them alone, and needs no server")
        }
        _ => error,
    }
}
