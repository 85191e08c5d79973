//! `gen workflow`: a workflow of GitHub Actions that sets up, checks and tests.

use std::path::{Path, PathBuf};

use clap::Args;
use dbsetup::Result;

use super::template::Template;
use super::{NewFile, databases, make};
use crate::cli::alias::{Aliases, Definition};
use crate::cli::context::{Output, Selected};
use crate::git::Git;
use crate::workspace::Workspace;

/// Make a workflow for GitHub Actions.
///
/// It sets the databases up, checks what is committed and runs the tests. A server is started beside it where a
/// selected repo is on PostgreSQL.
#[derive(Debug, Clone, Args)]
pub struct Workflow {
    /// Make it here, relative to the current directory [default: .github/workflows/dbsetup.yml in the repository].
    #[arg(long, value_name = "FILE")]
    path: Option<PathBuf>,

    /// The PostgreSQL release to test with.
    #[arg(long, value_name = "MAJOR", default_value = "17", value_parser = clap::value_parser!(u8).range(12..))]
    postgres: u8,
}

/// The environment that the workflow works in.
const ENVIRONMENT: &str = "test";

impl Workflow {
    pub fn run(&self, selected: &Selected<'_>) -> Result<Output> {
        let Some(workspace) = selected.workspace else { return Ok(Output::Done) };
        let git = Git::around(&workspace.root);
        let path = match (&self.path, &git) {
            (Some(path), _) => std::path::absolute(path)
                .map_err(|error| dbsetup::Error::io("find the place of", path, error))?,
            (None, Some(git)) => git.root().join(".github/workflows/dbsetup.yml"),
            (None, None) => workspace.root.join(".github/workflows/dbsetup.yml"),
        };
        let content = self.content(selected, workspace, git.as_ref())?;
        let shown = super::shown(&path, workspace);
        let output = make(selected, vec![NewFile { path, shown, content, repo: None }])?;
        if matches!(output, Output::Done) {
            selected.ui.success("Commit and push it; the job is called `database`");
        }
        Ok(output)
    }

    fn content(&self, selected: &Selected<'_>, workspace: &Workspace, git: Option<&Git>) -> Result<String> {
        let databases = databases::of(selected, workspace, ENVIRONMENT)?;
        let variables = databases.iter().filter_map(|database| {
            let name = database.repo.replace('-', "_");
            let url = match (database.server, database.in_manifest) {
                (true, _) => format!("postgres://postgres:postgres@localhost:5432/{name}_{ENVIRONMENT}"),
                (false, false) => format!("sqlite:{name}_{ENVIRONMENT}.db"),
                // Cargo.toml says it all.
                (false, true) => return None,
            };
            Some(format!("{}: {url}", database.variable))
        });
        let variables: Vec<String> = variables.collect();
        let inside = git.and_then(|git| directory_in(git, &workspace.root));
        let branch = git.and_then(|git| git.default_branch().or_else(|| git.branch()));
        let template = Template::default()
            .value("branch", branch.unwrap_or_else(|| "main".to_owned()))
            .value("directory", inside.clone().unwrap_or_default())
            .value("version", self.postgres.to_string())
            .value("variables", variables.join("\n"))
            .value("dbsetup", env!("CARGO_PKG_VERSION"))
            .value("tests", tests(selected.aliases))
            .when("subdirectory", inside.is_some())
            .when("postgres", databases.iter().any(|database| database.server));
        Ok(template.fill(include_str!("../../../../templates/workflow/dbsetup.yml")))
    }
}

/// Returns the command line of the tests: the workspace's own alias for them, where there is one.
fn tests(aliases: &Aliases) -> &'static str {
    let of_tests = |alias: &&Definition| alias.env.as_deref() == Some(ENVIRONMENT);
    match aliases.get("test").filter(of_tests) {
        Some(_) => "cargo dbsetup test",
        None => "cargo test --workspace",
    }
}

/// Returns the workspace's directory in the repository, with slashes; none at its root.
fn directory_in(git: &Git, root: &Path) -> Option<String> {
    let root = std::fs::canonicalize(root).ok()?;
    let inside = root.strip_prefix(git.root()).ok()?.to_str()?.replace('\\', "/");
    (!inside.is_empty()).then_some(inside)
}
