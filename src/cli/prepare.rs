//! Which repos each step is about, settled before anything runs.

use dbsetup::repo::RepoName;
use dbsetup::{Error, Kind, Result};

use super::args::Global;
use super::context::Scope;
use super::options::{Options, Selection};
use super::plan::{Action, Step};
use crate::ui::text;
use crate::workspace::{Request, ResolvedRepo, Workspace};

/// The environment where nobody names one.
const DEFAULT_ENVIRONMENT: &str = "dev";

/// A whole run: its steps and the repos that they are about.
#[derive(Default)]
pub struct Prepared {
    /// Every repo of any step, once for each environment.
    pub repos: Vec<ResolvedRepo>,
    /// The steps, in order.
    pub steps: Vec<PreparedStep>,
}

/// A step and its repos.
pub struct PreparedStep {
    /// The step.
    pub step: Step,
    /// Indexes of its repos.
    pub repos: Vec<usize>,
    /// The environment that it runs in.
    pub environment: String,
}

/// Returns what discovery needs to know of the command line.
pub fn request(global: &Global) -> Request {
    Request {
        manifest_path: global.manifest_path.clone(),
        offline: global.offline,
        locked: global.locked,
        frozen: global.frozen,
        ..Request::default()
    }
}

/// Settles which repos each step is about.
///
/// # Errors
/// Those of resolving settings, and [`Kind::Configuration`] when a step that speaks of one version would run in several
/// repos.
pub fn prepare(workspace: &Workspace, base: &Request, steps: Vec<Step>) -> Result<Prepared> {
    let mut prepared = Prepared::default();
    for step in steps {
        let environment = environment(&step.options)?;
        let wants_repos = match &step.action {
            Action::Command(command) => command.scope() != Scope::Nothing,
            Action::Program(_) => true,
        };
        let found =
            if wants_repos { select(workspace, base, &step.options, &environment)? } else { Vec::new() };
        refuse_several(&step, &found)?;
        let repos = found.into_iter().map(|repo| prepared.index(repo)).collect();
        prepared.steps.push(PreparedStep { step, repos, environment });
    }
    Ok(prepared)
}

impl Prepared {
    fn index(&mut self, resolved: ResolvedRepo) -> usize {
        if let Some(at) = self.repos.iter().position(|known| known.repo == resolved.repo) {
            return at;
        }
        self.repos.push(resolved);
        self.repos.len() - 1
    }
}

/// Returns the environment of a step: `--env`, then `DBSETUP_ENV`, then the default.
fn environment(options: &Options) -> Result<String> {
    let variable = || std::env::var("DBSETUP_ENV").ok().filter(|name| !name.is_empty());
    let name = options.env.clone().or_else(variable).unwrap_or_else(|| DEFAULT_ENVIRONMENT.to_owned());
    let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || !name.chars().all(allowed) {
        let message = format!("`{}` is no name of an environment", text::line(&name));
        return Err(Error::new(Kind::Configuration, message).help("use letters, digits, `-` and `_`"));
    }
    Ok(name)
}

/// Returns the repos that are in every selection on the way to a step.
fn select(
    workspace: &Workspace,
    base: &Request,
    options: &Options,
    environment: &str,
) -> Result<Vec<ResolvedRepo>> {
    let everything = [Selection::default()];
    let selections = if options.selections.is_empty() { &everything[..] } else { &options.selections };
    let mut found: Option<Vec<ResolvedRepo>> = None;
    for selection in selections {
        let request = Request {
            repos: selection.repos.clone(),
            packages: selection.packages.clone(),
            workspace: selection.workspace,
            exclude: selection.exclude.clone(),
            no_dotenv: options.no_dotenv,
            database_url: options.database_url.clone(),
            ..base.clone()
        };
        let chosen = workspace.repos(&request, environment)?;
        found = Some(match found {
            None => chosen,
            Some(before) => {
                let also = |name: &RepoName| chosen.iter().any(|other| other.repo.name == *name);
                before.into_iter().filter(|resolved| also(&resolved.repo.name)).collect()
            }
        });
    }
    Ok(found.unwrap_or_default())
}

fn refuse_several(step: &Step, repos: &[ResolvedRepo]) -> Result<()> {
    let Action::Command(command) = &step.action else { return Ok(()) };
    let Some(what) = command.speaks_of_one().filter(|_| repos.len() > 1) else { return Ok(()) };
    let names = text::listed(repos.iter().map(|resolved| resolved.repo.name.as_str()));
    Err(Error::new(
        Kind::Configuration,
        format!("`{what}` speaks of one repo, and {} are selected", repos.len()),
    )
    .note(format!("selected are {names}"))
    .help("name one with `--repo NAME`, or pass `--all-repos`"))
}
