//! Which repos each step is about, settled before anything runs.

use dbsetup::repo::{DatabaseUrl, RepoName};
use dbsetup::{Error, Kind, Result};

use super::args::Global;
use super::context::Scope;
use super::options::{Options, Selection};
use super::plan::{Action, Step};
use crate::ui::text;
use crate::workspace::{CargoFlags, Request, ResolvedRepo, Workspace};

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
    /// What it asks of the workspace, apart from the selection.
    pub request: Request,
    /// The environment that it runs in.
    pub environment: String,
}

/// Returns what discovery needs to know of the command line and the process.
///
/// # Errors
/// [`Kind::Io`] when the current directory is gone.
pub fn request(global: &Global) -> Result<Request> {
    Ok(Request {
        manifest_path: global.manifest_path.clone(),
        cargo_flags: CargoFlags { offline: global.offline, locked: global.locked, frozen: global.frozen },
        ..Request::of_process()?
    })
}

/// Settles which repos each step is about.
///
/// # Errors
/// Those of resolving settings, and [`Kind::Configuration`] when a step that speaks of one version would run in several
/// repos.
pub fn prepare(workspace: &Workspace, base: &Request, steps: Vec<Step>) -> Result<Prepared> {
    let mut prepared = Prepared::default();
    // Most steps of a line ask for the same: nothing has run yet, so that the answer is the same too.
    let mut last: Option<(Options, Vec<ResolvedRepo>)> = None;
    for step in steps {
        let request = Request {
            environment: step.options.env.clone(),
            database_url: step.options.database_url.clone().map(DatabaseUrl::new),
            no_dotenv: step.options.no_dotenv,
            ..base.clone()
        };
        let environment = request.environment()?;
        let scope = match &step.action {
            Action::Command(command) => command.scope(&step.options),
            Action::Program(_) => Scope::Settings,
        };
        let found = match scope {
            Scope::Nothing => Vec::new(),
            Scope::Settings | Scope::Files | Scope::Databases => match &last {
                Some((options, found)) if step.options.asks_for_the_same(options) => found.clone(),
                _ => {
                    let found = select(workspace, &request, &step.options, &environment)?;
                    last.insert((step.options.clone(), found)).1.clone()
                }
            },
        };
        refuse_several(&step, &found)?;
        if scope == Scope::Databases {
            found.iter().try_for_each(|resolved| resolved.ready().map(|_| ()))?;
        }
        let repos = found.into_iter().map(|repo| prepared.index(repo)).collect();
        prepared.steps.push(PreparedStep { step, repos, request, environment });
    }
    Ok(prepared)
}

impl Prepared {
    fn index(&mut self, resolved: ResolvedRepo) -> usize {
        if let Some(at) = self.repos.iter().position(|known| known.files() == resolved.files()) {
            return at;
        }
        self.repos.push(resolved);
        self.repos.len() - 1
    }
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
            ..base.clone()
        };
        let chosen = workspace.repos(&request, environment)?;
        found = Some(match found {
            None => chosen,
            Some(before) => {
                let also = |name: &RepoName| chosen.iter().any(|other| other.name() == name);
                before.into_iter().filter(|resolved| also(resolved.name())).collect()
            }
        });
    }
    Ok(found.unwrap_or_default())
}

fn refuse_several(step: &Step, repos: &[ResolvedRepo]) -> Result<()> {
    let Action::Command(command) = &step.action else { return Ok(()) };
    let Some(what) = command.speaks_of_one().filter(|_| repos.len() > 1) else { return Ok(()) };
    let names = text::listed(repos.iter().map(|resolved| resolved.name().as_str()));
    Err(Error::new(
        Kind::Configuration,
        format!("`{what}` speaks of one repo, and {} are selected", repos.len()),
    )
    .note(format!("selected are {names}"))
    .help("name one with `--repo NAME`, or pass `--all-repos`"))
}
